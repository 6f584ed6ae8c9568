/**
 * The kit's mysqld cases: a collector's statements answered with the kit's rows, its samples compared in their order;
 * and the names, helps and labels of everything that upstream has.
 */
import { type CaseResult, caseOf, expectEqual } from '../cases.ts'
import { type Emit, type Query, type ScrapeContext, SqlError, type SqlValue } from './collector.ts'
import { COLLECTORS } from './collectors.ts'

type KitQuery = {
  readonly query: string
  readonly columns?: readonly string[]
  readonly rows?: readonly (readonly SqlValue[])[]
  readonly error?: string
}
type Case = {
  readonly name: string
  readonly scraper: readonly string[]
  readonly flags: readonly string[]
  readonly queries: readonly KitQuery[]
  readonly expected: readonly {
    readonly labels: Record<string, string>
    readonly value: number
    readonly type: string
  }[]
  readonly server: { readonly flavor?: string; readonly version?: string } | null
}
type KnownMetric = { readonly name: string; readonly help: string; readonly labels: readonly string[] | null }
export type Sample = {
  readonly type: string
  readonly name: string
  readonly help: string
  readonly value: number
  readonly labels: Readonly<Record<string, string>>
}

/** Upstream's names of collectors in the code, where they are not our flag's. */
const SCRAPERS: Readonly<Record<string, string>> = {
  ScrapeAutoIncrementColumns: 'auto_increment.columns',
  ScrapeBinlogSize: 'binlog_size',
  ScrapeClientStat: 'info_schema.clientstats',
  ScrapeEngineInnodbStatus: 'engine_innodb_status',
  ScrapeEngineTokudbStatus: 'engine_tokudb_status',
  ScrapeGlobalStatus: 'global_status',
  ScrapeGlobalVariables: 'global_variables',
  ScrapeInfoSchemaInnodbTablespaces: 'info_schema.innodb_tablespaces',
  ScrapeInnodbCmp: 'info_schema.innodb_cmp',
  ScrapeInnodbCmpMem: 'info_schema.innodb_cmpmem',
  ScrapeInnodbMetrics: 'info_schema.innodb_metrics',
  ScrapeHeartbeat: 'heartbeat',
  ScrapePerfEventsStatements: 'perf_schema.eventsstatements',
  ScrapePerfEventsStatementsSum: 'perf_schema.eventsstatementssum',
  ScrapePerfEventsWaits: 'perf_schema.eventswaits',
  ScrapePerfFileEvents: 'perf_schema.file_events',
  ScrapePerfFileInstances: 'perf_schema.file_instances',
  ScrapePerfIndexIOWaits: 'perf_schema.indexiowaits',
  ScrapePerfMemoryEvents: 'perf_schema.memory_events',
  ScrapePerfReplicationGroupMemberStats: 'perf_schema.replication_group_member_stats',
  ScrapePerfReplicationGroupMembers: 'perf_schema.replication_group_members',
  ScrapePerfReplicationApplierStatsByWorker: 'perf_schema.replication_applier_status_by_worker',
  ScrapePerfTableIOWaits: 'perf_schema.tableiowaits',
  ScrapePerfTableLockWaits: 'perf_schema.tablelocks',
  ScrapeProcesslist: 'info_schema.processlist',
  ScrapeQueryResponseTime: 'info_schema.query_response_time',
  ScrapeReplicaHost: 'info_schema.replica_host',
  ScrapeSchemaStat: 'info_schema.schemastats',
  ScrapeSlaveHosts: 'slave_hosts',
  ScrapeSlaveStatus: 'slave_status',
  ScrapeRocksDBPerfContext: 'info_schema.rocksdb_perf_context',
  ScrapeSysUserSummary: 'sys.user_summary',
  ScrapeTableSchema: 'info_schema.tables',
  ScrapeTableStat: 'info_schema.tablestats',
  ScrapeUser: 'mysql.user',
  ScrapeUserStat: 'info_schema.userstats',
}

/** @param readText a file of `exporters/mysqld` by its name */
export async function runMysqldCases(readText: (name: string) => string): Promise<CaseResult[]> {
  const { cases } = JSON.parse(readText('cases.json')) as { cases: readonly Case[] }
  const { metrics } = JSON.parse(readText('metrics.json')) as { metrics: readonly KnownMetric[] }
  const known = new Map(metrics.map((metric) => [metric.name, metric]))
  const out: CaseResult[] = []
  for (const one of cases)
    out.push(
      await caseOf(one.name, async () => {
        const samples = await samplesOf(one)
        // "Emits first": upstream reads no further than its own list.
        const got = samples.slice(0, one.expected.length).map(({ labels, value, type }) => ({ labels, value, type }))
        expectEqual(got, one.expected)
        for (const sample of samples) checkKnown(sample, known)
      }),
    )
  return out
}

/** @param isWhole a summary or histogram is one sample, its sum, as upstream's tests read it; else its lines are */
export async function scrapeCollector(
  name: string,
  context: ScrapeContext,
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): Promise<Sample[]> {
  const samples: Sample[] = []
  const emit: Emit = (type, metric, help, value, labels = []) => {
    const record: Record<string, string> = {}
    for (let i = 0; i < labels.length; i += 2) record[labels[i]!] = labels[i + 1]!
    samples.push({ type, name: `mysql_${metric}`, help, value, labels: record })
  }
  await COLLECTORS.get(name)!.scrape(context, emit, (type, metric, help, lines) => {
    for (const { labels, value, suffix = '' } of lines)
      if (!isWhole) emit(type, metric + suffix, help, value, labels)
      else if (suffix === '_sum') emit(type, metric, help, value, labels)
  })
  return samples
}

function samplesOf({ scraper, flags, queries, server }: Case): Promise<Sample[]> {
  const collector = SCRAPERS[scraper[0]!]
  if (collector === undefined) throw new Error(`no collector is known as ${scraper[0]}`)
  const [major = 8, minor = 0, patch = 0] = (server?.version ?? '8.0.0').split('.').map(Number)
  const context: ScrapeContext = {
    query: queryOf(queries),
    server: { flavor: server?.flavor === 'mariadb' ? 'mariadb' : 'mysql', version: [major, minor, patch] },
    flags: flagsOf(flags),
  }
  return scrapeCollector(collector, context, { isWhole: true })
}

/** What the kit does not list, the server does not know. */
function queryOf(queries: readonly KitQuery[]): Query {
  const plain = (sql: string): string => sql.replace(/\s+/g, ' ').trim()
  return async (sql, parameters = []) => {
    // The kit may write out what is a parameter here.
    let used = 0
    const writtenOut = plain(sql.replace(/\?/g, () => `'${parameters[used++]}'`))
    const found = queries.find(({ query }) => plain(query) === plain(sql) || plain(query) === writtenOut)
    if (!found || found.error !== undefined) {
      const error = found?.error ?? `unknown statement: ${sql}`
      // As the server's messages begin: `Error 1109 (42S02): Unknown table`.
      throw new SqlError(error, Number(/^Error (\d+)/.exec(error)?.[1] ?? 1064))
    }
    return { columns: found.columns ?? [], rows: found.rows ?? [] }
  }
}

/** `--name` alone, or `--name` and then its value. */
function flagsOf(list: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {}
  list.forEach((item, i) => {
    if (!item.startsWith('--')) return
    const next = list[i + 1]
    const [name = '', value] = item.slice(2).split('=')
    out[name] = value ?? (next !== undefined && !next.startsWith('--') ? next : 'true')
  })
  return out
}

/** Of names that the kit lists, help and labels are upstream's too. */
function checkKnown({ name, help, labels }: Sample, known: ReadonlyMap<string, KnownMetric>): void {
  const metric = known.get(name)
  if (!metric) return
  expectEqual({ name, help }, { name, help: metric.help })
  if (metric.labels) expectEqual(Object.keys(labels).sort(), [...metric.labels].sort())
}

/**
 * The mysql exporter: a server's status, variables and schemas under the names, labels and helps of Prometheus's
 * mysqld_exporter, for MySQL and MariaDB. The driver is the caller's: `connect` is all that is needed of it.
 * Semantics: mysqld_exporter (v0.20).
 */
import type { Clock, Disk, Logger, TlsOptions } from '../../protocol/env/mod.ts'
import { gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { type Collector, FamilyBuilder, type Query, type ServerInfo, toText } from './collector.ts'
import { COLLECTORS, DEFAULT_ON } from './collectors.ts'
import { type Credentials, parseMyCnf } from './my-cnf.ts'

export { type Query, type QueryResult, type ServerInfo, SqlError, type SqlValue } from './collector.ts'
export { type Credentials, MyCnfError, parseMyCnf } from './my-cnf.ts'

export type MysqlTarget = {
  readonly host: string
  readonly port: number
  /** Path of the unix socket, used instead of host and port; '' for none. */
  readonly socket: string
  readonly user: string
  readonly password: string
  readonly tls: TlsOptions | null
  /** Set on the connection before anything is asked: a scrape must not wait for a metadata lock. */
  readonly sessionVariables: Readonly<Record<string, string>>
}

export interface MysqlConnection {
  /** One statement at a time; 64-bit integers and decimals as text. */
  readonly query: Query
  close(): Promise<void>
}

export type MysqlOptions = {
  /** With its own timeouts. Rejects when the server cannot be reached or refuses the user. */
  readonly connect: (target: MysqlTarget) => Promise<MysqlConnection>
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  /** Upstream's MYSQLD_EXPORTER_PASSWORD. */
  readonly password?: string
}

const FLAGS = [
  'config.my-cnf',
  'mysqld.address',
  'mysqld.username',
  'tls.insecure-skip-verify',
  'exporter.lock_wait_timeout',
  'exporter.enable_lock_wait_timeout',
  'exporter.log_slow_filter',
  ...[...COLLECTORS.values()].flatMap(({ name, flags = [] }) => [
    `collect.${name}`,
    ...flags.map((flag) => `collect.${name}.${flag}`),
  ]),
]

/** @throws FlagError for a flag it does not know or cannot use, or an option file that cannot be read */
export function createMysqlExporter(options: MysqlOptions): Exporter {
  const { connect, disk, clock, log, flags } = options
  refuseUnknownFlags(flags, FLAGS)
  const enabled = [...COLLECTORS.values()].filter(({ name }) =>
    booleanFlag(flags, `collect.${name}`, DEFAULT_ON.has(name)),
  )
  const sections = readSections(options)
  const sessionVariables = sessionVariablesOf(flags)
  const complained = new Map<string, string>()

  async function scrape(target: MysqlTarget, collectors: readonly Collector[]): Promise<MetricFamily[]> {
    const builder = new FamilyBuilder()
    const runs: { readonly name: string; readonly seconds: number; readonly ok: boolean | null }[] = []
    const start = clock.monotonic()
    let connection: MysqlConnection
    let server: ServerInfo
    try {
      connection = await connect(target)
    } catch (error) {
      complain('connection', error)
      return [up(0)]
    }
    try {
      server = await serverInfo(connection.query)
      complained.delete('connection')
      runs.push({ name: 'connection', seconds: (clock.monotonic() - start) / 1000, ok: null })
      for (const collector of collectors) {
        if (!isNewEnough(server, collector)) continue
        const began = clock.monotonic()
        const ok = await run(collector, connection.query, server, builder)
        runs.push({ name: `collect.${collector.name}`, seconds: (clock.monotonic() - began) / 1000, ok })
      }
    } catch (error) {
      complain('connection', error)
      return [up(0)]
    } finally {
      // What is left of it is the driver's to clean up.
      await connection.close().catch(() => {})
    }
    return [...builder.families, ...runFamilies(runs), up(1)]
  }

  async function run(collector: Collector, query: Query, server: ServerInfo, builder: FamilyBuilder): Promise<boolean> {
    try {
      await collector.scrape({ query, server, flags }, builder.emit, builder.emitLines)
      complained.delete(collector.name)
      return true
    } catch (error) {
      complain(collector.name, error)
      return false
    }
  }

  /** Once per outage, not once per scrape. */
  function complain(collector: string, error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error)
    if (complained.get(collector) === problem) return
    complained.set(collector, problem)
    if (collector === 'connection') log.error('Error opening connection to database', { err: problem })
    else log.error('Error from scraper', { scraper: collector, err: problem })
  }

  function targetOf(credentials: Credentials): MysqlTarget {
    const { host, port, socket, user, password } = credentials
    return { host, port, socket, user, password, tls: tlsOf(disk, credentials), sessionVariables }
  }

  return {
    name: 'mysql',
    async collect() {
      const own = sections.get('client')
      if (!own) throw new FlagError('config.my-cnf', 'has no section [client]; only probes can be answered')
      return scrape(targetOf(own), enabled)
    },
    async probe(parameters) {
      const target = parameters.get('target') ?? ''
      if (target === '') throw new FlagError('target', 'is required')
      const module = parameters.get('auth_module') || 'client'
      const section = sections.get(module)
      if (!section)
        throw new FlagError('auth_module', `unknown: "${module}"; known are ${[...sections.keys()].join(', ')}`)
      const wanted = parameters.getAll('collect[]')
      const collectors = wanted.length === 0 ? enabled : enabled.filter(({ name }) => wanted.includes(name))
      return scrape(targetOf({ ...section, ...addressOf(target, 'target') }), collectors)
    },
    close: async () => {},
  }
}

function readSections({ disk, flags, password }: MysqlOptions): ReadonlyMap<string, Credentials> {
  const file = stringFlag(flags, 'config.my-cnf', '')
  const skipVerify = booleanFlag(flags, 'tls.insecure-skip-verify', false)
  if (file !== '') {
    try {
      const sections = parseMyCnf(disk.readText(file), file)
      return new Map(
        [...sections].map(([name, one]) => [name, { ...one, sslSkipVerify: one.sslSkipVerify || skipVerify }] as const),
      )
    } catch (error) {
      throw new FlagError('config.my-cnf', (error as Error).message)
    }
  }
  const client: Credentials = {
    user: stringFlag(flags, 'mysqld.username', ''),
    password: password ?? '',
    sslCa: '',
    sslCert: '',
    sslKey: '',
    sslSkipVerify: skipVerify,
    ...addressOf(stringFlag(flags, 'mysqld.address', 'localhost:3306'), 'mysqld.address'),
  }
  return new Map([['client', client]])
}

/** `host:port`, `[::1]:3306`, or `unix:///path`. */
function addressOf(text: string, flag: string): Pick<Credentials, 'host' | 'port' | 'socket'> {
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(text)
  if (socket) return { host: 'localhost', port: 3306, socket: socket[1]! }
  const match = /^(\[[^\]]+\]|[^:/]+)(?::(\d{1,5}))?$/.exec(text)
  if (!match) throw new FlagError(flag, `must be HOST:PORT or unix:///PATH, got "${text}"`)
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2] ?? 3306), socket: '' }
}

function tlsOf(disk: Disk, { sslCa, sslCert, sslKey, sslSkipVerify }: Credentials): TlsOptions | null {
  if (sslCa === '' && sslCert === '' && sslKey === '' && !sslSkipVerify) return null
  return {
    ...(sslCa === '' ? {} : { ca: disk.readText(sslCa) }),
    ...(sslCert === '' ? {} : { cert: disk.readText(sslCert) }),
    ...(sslKey === '' ? {} : { key: disk.readText(sslKey) }),
    insecureSkipVerify: sslSkipVerify,
  }
}

function sessionVariablesOf(flags: Flags): Record<string, string> {
  const out: Record<string, string> = {}
  if (booleanFlag(flags, 'exporter.enable_lock_wait_timeout', true))
    out['lock_wait_timeout'] = String(integerFlag(flags, 'exporter.lock_wait_timeout', 2))
  if (booleanFlag(flags, 'exporter.log_slow_filter', false))
    out['log_slow_filter'] = 'tmp_table_on_disk,filesort_on_disk'
  return out
}

async function serverInfo(query: Query): Promise<ServerInfo> {
  const text = toText((await query('SELECT @@version')).rows[0]?.[0])
  const match = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text)
  if (!match) throw new Error(`The server's version "${text}" does not begin with numbers`)
  return {
    flavor: /mariadb/i.test(text) ? 'mariadb' : 'mysql',
    version: [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)],
  }
}

function isNewEnough({ version: [major, minor] }: ServerInfo, { since }: Collector): boolean {
  return major > since[0] || (major === since[0] && minor >= since[1])
}

const up = (value: 0 | 1): MetricFamily => gauge('mysql_up', 'Whether the MySQL server is up.', [{ labels: [], value }])

function runFamilies(
  runs: readonly { readonly name: string; readonly seconds: number; readonly ok: boolean | null }[],
): MetricFamily[] {
  const each = (value: (run: (typeof runs)[number]) => number | null): Metric[] =>
    runs.flatMap((one) => {
      const number = value(one)
      return number === null ? [] : [{ labels: ['collector', one.name], value: number }]
    })
  return [
    gauge(
      'mysql_exporter_collector_duration_seconds',
      'Collector time duration.',
      each(({ seconds }) => seconds),
    ),
    gauge(
      'mysql_exporter_collector_success',
      'mysqld_exporter: Whether a collector succeeded.',
      each(({ ok }) => (ok === null ? null : ok ? 1 : 0)),
    ),
  ]
}

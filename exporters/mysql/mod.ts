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
  ParameterError,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { type Collector, FamilyBuilder, type Query, type ServerInfo, toText } from './collector.ts'
import { COLLECTORS, DEFAULT_ON } from './collectors.ts'
import type { Credentials } from './my-cnf.ts'
import { addressOf, type Environment, mayDoWithoutTls, readSections, tlsOf } from './servers.ts'

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
  /** Of a server that has no TLS, `tls` is not asked for. */
  readonly isTlsOptional: boolean
  /** A server that asks for the password as it is gets it. */
  readonly allowCleartext: boolean
  /** Set on the connection before anything is asked: a scrape must not wait for a metadata lock. */
  readonly sessionVariables: Readonly<Record<string, string>>
  /** Of all that the connection is used for, from the first packet on. */
  readonly timeoutMs: number
}

/** Complaints that are remembered, so that each is told once. */
const COMPLAINTS_MAX = 1000

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
  /** Of MYSQLD_EXPORTER_PASSWORD, and of what option files refer to. */
  readonly environment: Environment
}

const FLAGS = [
  'config.my-cnf',
  'mysqld.address',
  'mysqld.username',
  'mysqld.password-file',
  'auth_module',
  'timeout-offset',
  'tls.insecure-skip-verify',
  'exporter.lock_wait_timeout',
  'exporter.enable_lock_wait_timeout',
  'exporter.log_slow_filter',
  ...[...COLLECTORS.values()].flatMap(({ name, flags = [] }) => [
    `collect.${name}`,
    ...flags.map((flag) => `collect.${name}.${flag}`),
  ]),
]

/** Where nobody says how long a scrape may take. */
const DEFAULT_TIMEOUT_MS = 10_000

/** @throws FlagError for a flag it does not know or cannot use, or an option file that cannot be read */
export function createMysqlExporter(options: MysqlOptions): Exporter {
  const { connect, disk, clock, log, flags, environment } = options
  refuseUnknownFlags(flags, FLAGS)
  const enabled = [...COLLECTORS.values()].filter(({ name }) =>
    booleanFlag(flags, `collect.${name}`, DEFAULT_ON.has(name)),
  )
  const ownModule = stringFlag(flags, 'auth_module', 'client')
  const offsetMs = secondsFlag(flags, 'timeout-offset', 0.25) * 1000
  const sessionVariables = sessionVariablesOf(flags)
  const complained = new Map<string, string>()
  let sections = readSections(disk, flags, environment)
  let reload = { ok: true, atMs: clock.now() }
  if (!sections.has(ownModule)) throw new FlagError('auth_module', unknownModule(ownModule))

  async function scrape(target: MysqlTarget, collectors: readonly Collector[]): Promise<MetricFamily[]> {
    const builder = new FamilyBuilder()
    const runs: { readonly name: string; readonly seconds: number; readonly ok: boolean | null }[] = []
    const start = clock.monotonic()
    const where = serverOf(target)
    let connection: MysqlConnection
    let server: ServerInfo
    try {
      connection = await connect(target)
    } catch (error) {
      complain(where, 'connection', error)
      return [up(0)]
    }
    try {
      server = await serverInfo(connection.query)
      complained.delete(`${where} connection`)
      runs.push({ name: 'connection', seconds: (clock.monotonic() - start) / 1000, ok: null })
      for (const collector of collectors) {
        if (!isNewEnough(server, collector)) continue
        const began = clock.monotonic()
        const ok = await run(collector, { query: connection.query, server, where }, builder)
        runs.push({ name: `collect.${collector.name}`, seconds: (clock.monotonic() - began) / 1000, ok })
      }
    } catch (error) {
      complain(where, 'connection', error)
      return [up(0)]
    } finally {
      // What is left of it is the driver's to clean up.
      await connection.close().catch(() => {})
    }
    return [...builder.families, ...runFamilies(runs), up(1)]
  }

  async function run(
    collector: Collector,
    { query, server, where }: { readonly query: Query; readonly server: ServerInfo; readonly where: string },
    builder: FamilyBuilder,
  ): Promise<boolean> {
    try {
      await collector.scrape({ query, server, flags }, builder.emit, builder.emitLines)
      complained.delete(`${where} ${collector.name}`)
      return true
    } catch (error) {
      complain(where, collector.name, error)
      return false
    }
  }

  /** Once per outage of a server, not once per scrape. */
  function complain(target: string, collector: string, error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error)
    const key = `${target} ${collector}`
    if (complained.get(key) === problem) return
    // Callers of /probe name what they like.
    if (complained.size >= COMPLAINTS_MAX) complained.clear()
    complained.set(key, problem)
    if (collector === 'connection') log.error('Error opening connection to database', { target, err: problem })
    else log.error('Error from scraper', { target, scraper: collector, err: problem })
  }

  function unknownModule(name: string): string {
    return `unknown: "${name}"; known are ${[...sections.keys()].join(', ')}`
  }

  function targetOf(credentials: Credentials, timeoutMs: number): MysqlTarget {
    const { host, port, socket, user, password, allowCleartext } = credentials
    const [tls, isTlsOptional] = [tlsOf(disk, credentials), mayDoWithoutTls(credentials)]
    return { host, port, socket, user, password, tls, isTlsOptional, allowCleartext, sessionVariables, timeoutMs }
  }

  /** As upstream, which takes names that choose nothing as if there were none. */
  function chosen(parameters: URLSearchParams | undefined): readonly Collector[] {
    const wanted = parameters?.getAll('collect[]') ?? []
    const some = enabled.filter(({ name }) => wanted.includes(name))
    return some.length === 0 ? enabled : some
  }

  /** The offset is for the way back, unless it leaves nothing. */
  const limit = (timeoutMs: number = DEFAULT_TIMEOUT_MS): number =>
    timeoutMs > offsetMs ? timeoutMs - offsetMs : timeoutMs

  async function scrapeSection(
    { module, target }: { readonly module: string; readonly target: string },
    parameters: URLSearchParams | undefined,
    timeoutMs: number | undefined,
  ): Promise<MetricFamily[]> {
    const section = sections.get(module)
    if (!section) throw new ParameterError(`Could not find config section [${module}]`)
    const address = target === '' ? {} : probeAddress(target)
    let credentials: MysqlTarget
    try {
      credentials = targetOf({ ...section, ...address }, limit(timeoutMs))
    } catch (error) {
      complain(serverOf({ ...section, ...address }), 'connection', error)
      return [up(0)]
    }
    return scrape(credentials, chosen(parameters))
  }

  return {
    name: 'mysql',
    program: { namespace: 'mysqld_exporter', title: 'MySQLd Exporter', about: 'Prometheus Exporter for MySQL servers' },
    async collect(parameters, timeoutMs) {
      const target = parameters?.get('target') ?? ''
      const families = await scrapeSection({ module: ownModule, target }, parameters, timeoutMs)
      return [...families, ...reloadFamilies(reload)]
    },
    async probe(parameters, timeoutMs) {
      const target = parameters.get('target') ?? ''
      if (target === '') throw new ParameterError('target is required')
      const module = parameters.get('auth_module') || 'client'
      return scrapeSection({ module, target }, parameters, timeoutMs)
    },
    reload() {
      try {
        const next = readSections(disk, flags, environment)
        if (!next.has(ownModule)) throw new FlagError('auth_module', unknownModule(ownModule))
        sections = next
        reload = { ok: true, atMs: clock.now() }
      } catch (error) {
        reload = { ...reload, ok: false }
        throw error
      }
    },
    close: async () => {},
  }
}

function serverOf({ host, port, socket }: Pick<MysqlTarget, 'host' | 'port' | 'socket'>): string {
  return socket === '' ? `${host}:${port}` : `unix://${socket}`
}

/** @throws ParameterError */
function probeAddress(target: string): Pick<Credentials, 'host' | 'port' | 'socket'> {
  try {
    return addressOf(target, 'target')
  } catch (error) {
    throw new ParameterError(`failed to parse target: ${(error as Error).message}`)
  }
}

function reloadFamilies({ ok, atMs }: { readonly ok: boolean; readonly atMs: number }): MetricFamily[] {
  const one = (value: number): Metric[] => [{ labels: [], value }]
  return [
    gauge(
      'mysqld_exporter_config_last_reload_successful',
      'Mysqld exporter config loaded successfully.',
      one(Number(ok)),
    ),
    gauge(
      'mysqld_exporter_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
      one(atMs / 1000),
    ),
  ]
}

function secondsFlag(flags: Flags, name: string, fallback: number): number {
  const text = stringFlag(flags, name, String(fallback))
  if (!/^\d+(?:\.\d+)?$/.test(text)) throw new FlagError(name, `must be seconds, got "${text}"`)
  return Number(text)
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

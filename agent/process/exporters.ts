/** The exporters of a configuration: made from its flags, one for each target. */
import { type Exporter, FlagError, stringFlag } from '../../exporters/contract.ts'
import { createHaproxyExporter } from '../../exporters/haproxy/mod.ts'
import { createMemcachedExporter } from '../../exporters/memcached/mod.ts'
import { createMysqlExporter } from '../../exporters/mysql/mod.ts'
import { createNodeExporter } from '../../exporters/node/mod.ts'
import { createNodejsExporter, type RuntimeStats } from '../../exporters/nodejs/mod.ts'
import { createStatsdExporter } from '../../exporters/statsd/mod.ts'
import {
  type AgentConfig,
  type ExporterConfig,
  type ExporterFlags,
  isAddress,
  parseAddress,
} from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { connectMysql } from '../env/mysql.ts'

export class ExporterError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ExporterError'
  }
}

export type ExporterDeps = {
  readonly env: Env
  readonly stats: RuntimeStats
  readonly version: string
  /** Variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** One exporter and the labels of what it measures. */
export type ExporterPart = {
  readonly exporter: Exporter
  /** '' for what the agent's own `instance` stands for. */
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
}

/** Flags of the upstream programs that concern their HTTP alone. */
const WEB_FLAGS = ['web.listen-address', 'web.telemetry-path', 'web.enable-lifecycle']

/** Which flag a target's address stands for. */
const ADDRESS_FLAG: Readonly<Record<string, string>> = {
  mysql: 'mysqld.address',
  memcached: 'memcached.address',
  haproxy: 'haproxy.scrape-uri',
  consul: 'consul.server',
}

type Create = (flags: ExporterFlags, deps: ExporterDeps) => Exporter

const CREATE: Readonly<Record<string, Create>> = {
  node: (flags, { env, version, environment }) =>
    createNodeExporter({
      disk: env.disk,
      clock: env.clock,
      log: env.log.with({ exporter: 'node' }),
      kernel: env.kernel,
      net: env.net,
      random: env.random,
      systemBusAddress: environment['DBUS_SYSTEM_BUS_ADDRESS'],
      timeZone: environment['TZ'],
      flags,
      version,
    }),
  nodejs: (flags, { env, stats }) => createNodejsExporter(stats, common('nodejs', env), flags),
  memcached: (flags, { env }) => createMemcachedExporter({ ...common('memcached', env), flags }),
  haproxy: (flags, { env }) => createHaproxyExporter({ ...common('haproxy', env), flags }),
  mysql: (flags, { env, environment }) =>
    createMysqlExporter({ ...common('mysql', env), connect: connectMysql, flags, environment }),
  // Nothing authenticates a datagram: other hosts may send only where the configuration says so.
  statsd: (flags, { env }) =>
    createStatsdExporter({
      ...common('statsd', env),
      flags: { 'statsd.listen-udp': '127.0.0.1:9125', 'statsd.listen-tcp': '127.0.0.1:9125', ...flags },
    }),
}

/** Loaded only where they are configured: few hosts have them, and every module costs every agent memory. */
const MODULES: Readonly<Record<string, () => Promise<Create>>> = {
  blackbox: async () => {
    const [{ createBlackboxExporter }, { probeNet }, { probeAccess }] = await Promise.all([
      import('../../exporters/blackbox/mod.ts'),
      import('../env/probe-net.ts'),
      import('./probe-access.ts'),
    ])
    return (flags, { env, environment, version }) =>
      createBlackboxExporter({
        ...common('blackbox', env),
        net: probeNet,
        access: probeAccess(env, environment),
        random: env.random,
        version,
        flags: { 'config.file': '/etc/heliograph/blackbox.yml', ...flags },
      })
  },
  consul: async () => {
    const { createConsulExporter } = await import('../../exporters/consul/mod.ts')
    return (flags, { env, environment }) => createConsulExporter({ ...common('consul', env), flags, environment })
  },
  // Nothing authenticates a sender here either.
  graphite: async () => {
    const { createGraphiteExporter } = await import('../../exporters/graphite/mod.ts')
    return (flags, { env }) =>
      createGraphiteExporter({
        ...common('graphite', env),
        flags: { 'graphite.listen-address': '127.0.0.1:9109', ...flags },
      })
  },
  push: async () => {
    const { createPushExporter } = await import('../../exporters/push/mod.ts')
    return (flags, { env, version }) => createPushExporter({ ...common('push', env), flags, version })
  },
}
const loaded = new Map<string, Create>()

/** Once before `createParts`, for the exporters of this configuration. */
export async function loadExporters({ exporters }: Pick<AgentConfig, 'exporters'>): Promise<void> {
  for (const { name, enabled } of exporters) {
    const load = MODULES[name]
    if (enabled && load && !loaded.has(name)) loaded.set(name, await load())
  }
}

const common = (exporter: string, { net, disk, clock, log }: Env) => ({ net, disk, clock, log: log.with({ exporter }) })

/** @throws ExporterError for one that is not built, or a flag that it does not take */
export function createParts(config: ExporterConfig, deps: ExporterDeps): readonly ExporterPart[] {
  const create = creatorOf(config.name)
  return plansOf(config).map(({ flags, where, instance, labels }) => {
    try {
      return { exporter: create(flags, deps), instance, labels }
    } catch (error) {
      throw new ExporterError(`exporters.${config.name}${where}: ${(error as Error).message}`, { cause: error })
    }
  })
}

/** @throws ExporterError for one that is not built */
export function creatorOf(name: string): Create {
  const create = CREATE[name] ?? loaded.get(name)
  if (create) return create
  if (MODULES[name]) throw new Error(`BUG: exporter ${name} is made before it is loaded`)
  const built = [...Object.keys(CREATE), ...Object.keys(MODULES)].join(', ')
  throw new ExporterError(`exporters.${name}: this exporter is not built yet; ${built} are`)
}

/** What each part is made from; `own`: the flags of its target alone, `index`: of that, null where there are none. */
export type PartPlan = Omit<ExporterPart, 'exporter'> & {
  readonly flags: ExporterFlags
  readonly own: ExporterFlags
  readonly index: number | null
  /** For messages. */
  readonly where: string
}

export function plansOf({ name, flags, targets }: ExporterConfig): readonly PartPlan[] {
  const common = withoutWebFlags(flags)
  if (targets.length === 0) return [{ flags: common, own: {}, index: null, where: '', instance: '', labels: {} }]
  return targets.map(({ address, flags: own, instance, labels }, index) => {
    const named = address === '' ? {} : { [ADDRESS_FLAG[name]!]: address }
    return { flags: { ...common, ...named, ...own }, own, index, where: `.targets[${index}]`, instance, labels }
  })
}

/** How upstream's program would serve this exporter. @throws ExporterError */
export function webOptions(config: ExporterConfig): WebOptions {
  try {
    return readWebOptions(config)
  } catch (error) {
    throw new ExporterError(`exporters.${config.name}: ${(error as Error).message}`, { cause: error })
  }
}

export type WebOptions = { readonly listen: string; readonly path: string; readonly lifecycle: boolean }

/** @throws FlagError */
export function readWebOptions({ listen: ownListen, flags }: ExporterConfig): WebOptions {
  const listen = ownListen || stringFlag(flags, 'web.listen-address', '')
  if (listen !== '' && !isAddress(listen))
    throw new FlagError('web.listen-address', `must be HOST:PORT, got "${listen}"`)
  const path = stringFlag(flags, 'web.telemetry-path', '') || '/metrics'
  if (!path.startsWith('/')) throw new FlagError('web.telemetry-path', 'must begin with /')
  return { listen, path, lifecycle: stringFlag(flags, 'web.enable-lifecycle', '') === 'true' }
}

/** Addresses of their own that an exporter before has already, alone or among all of the host's. */
export function takenAddresses(
  exporters: readonly ExporterConfig[],
): readonly { readonly config: ExporterConfig; readonly listen: string; readonly holder: string }[] {
  const held: { readonly listen: string; readonly name: string }[] = []
  return exporters.flatMap((config) => {
    const { listen } = webOptions(config)
    if (listen === '' || parseAddress(listen).port === 0) return []
    const holder = held.find((other) => exclude(other.listen, listen))
    if (holder !== undefined) return [{ config, listen, holder: holder.name }]
    held.push({ listen, name: config.name })
    return []
  })
}

function exclude(a: string, b: string): boolean {
  const [one, other] = [parseAddress(a), parseAddress(b)]
  return (
    one.port === other.port &&
    (one.host === other.host || contains(one.host, other.host) || contains(other.host, one.host))
  )
}

/** `::` takes IPv4 as well: the runtime sees to that. */
const contains = (all: string, host: string): boolean => all === '::' || (all === '0.0.0.0' && isIPv4(host))

const isIPv4 = (host: string): boolean => /^\d+(\.\d+){3}$/.test(host)

function withoutWebFlags(flags: ExporterFlags): ExporterFlags {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !WEB_FLAGS.includes(name)))
}

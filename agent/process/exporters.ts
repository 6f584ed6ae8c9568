/** The exporters of a configuration: made from its flags, one for each target. */
import type { Exporter } from '../../exporters/contract.ts'
import { createHaproxyExporter } from '../../exporters/haproxy/mod.ts'
import { createMemcachedExporter } from '../../exporters/memcached/mod.ts'
import { createMysqlExporter } from '../../exporters/mysql/mod.ts'
import { createNodeExporter } from '../../exporters/node/mod.ts'
import { createNodejsExporter, type RuntimeStats } from '../../exporters/nodejs/mod.ts'
import { createStatsdExporter } from '../../exporters/statsd/mod.ts'
import type { ExporterConfig, ExporterFlags } from '../../protocol/config/mod.ts'
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

const common = (exporter: string, { net, disk, clock, log }: Env) => ({ net, disk, clock, log: log.with({ exporter }) })

/** @throws ExporterError for one that is not built, or a flag that it does not take */
export function createParts(config: ExporterConfig, deps: ExporterDeps): readonly ExporterPart[] {
  const { name, targets } = config
  const create = CREATE[name]
  if (!create)
    throw new ExporterError(`exporters.${name}: this exporter is not built yet; ${Object.keys(CREATE).join(', ')} are`)
  const one = (flags: ExporterFlags, where: string): Exporter => {
    try {
      return create(flags, deps)
    } catch (error) {
      throw new ExporterError(`exporters.${name}${where}: ${(error as Error).message}`, { cause: error })
    }
  }
  const flags = withoutWebFlags(config.flags)
  if (targets.length === 0) return [{ exporter: one(flags, ''), instance: '', labels: {} }]
  return targets.map((target, i) => {
    const address = target.address === '' ? {} : { [ADDRESS_FLAG[name]!]: target.address }
    const exporter = one({ ...flags, ...address, ...target.flags }, `.targets[${i}]`)
    return { exporter, instance: target.instance, labels: target.labels }
  })
}

/** How upstream's program would serve this exporter; null where it is not asked to. */
export function webOptions({ name, listen, flags }: ExporterConfig): {
  readonly listen: string
  readonly path: string
  readonly lifecycle: boolean
} {
  const text = (flag: string): string => {
    const value = flags[flag] ?? ''
    if (typeof value === 'string') return value
    throw new ExporterError(`exporters.${name}: Flag ${flag}: takes one value, got a list`)
  }
  const path = text('web.telemetry-path') || '/metrics'
  if (!path.startsWith('/')) throw new ExporterError(`exporters.${name}: Flag web.telemetry-path: must begin with /`)
  return { listen: listen || text('web.listen-address'), path, lifecycle: text('web.enable-lifecycle') === 'true' }
}

function withoutWebFlags(flags: ExporterFlags): ExporterFlags {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !WEB_FLAGS.includes(name)))
}

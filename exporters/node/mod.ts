/**
 * The node exporter: this host's metrics under the names, labels and helps of Prometheus's node_exporter, from files
 * of procfs, sysfs and udev. Semantics: node_exporter collector/*_linux.go (v1.12).
 */
import type { Clock, Disk, Kernel, Logger, Net, Random } from '../../protocol/env/mod.ts'
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { booleanFlag, type Exporter, FlagError, type Flags, ParameterError, stringFlag } from '../contract.ts'
import { ownProcessFamilies } from '../process.ts'
import { boundedDisk } from './bounded-disk.ts'
import { type Collector, family, NoDataError, type NodeContext, PartialError } from './collector.ts'
import { COLLECTORS } from './collectors.ts'
import { socketOfAddress } from './dbus.ts'
import { readTrimmed } from './files.ts'
import { checkNumbers, uniqueSeries } from './page.ts'

export { readMounts } from './filesystem.ts'

export type NodeOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  /** Without it the collectors that need system calls fail, each saying so. */
  readonly kernel?: Kernel | undefined
  /** As `kernel`, for those that ask a local daemon. */
  readonly net?: Net | undefined
  readonly random?: Random | undefined
  /** DBUS_SYSTEM_BUS_ADDRESS, where it is set. */
  readonly systemBusAddress?: string | undefined
  /** TZ, where it is set. */
  readonly timeZone?: string | undefined
  readonly flags: Flags
  readonly version: string
}

const SYSTEM_BUS = '/var/run/dbus/system_bus_socket'

/** @throws FlagError for a flag it does not know or cannot use */
export function createNodeExporter(options: NodeOptions): Exporter {
  const { clock, log, kernel, net, flags: given, version } = options
  const disk = boundedDisk(options.disk)
  const flags = withoutOldNames(given, log)
  checkFlags(flags)
  const context: NodeContext = {
    disk,
    clock,
    log,
    kernel,
    net,
    random: options.random,
    timeZone: options.timeZone,
    systemBus: socketOfAddress(options.systemBusAddress ?? '') ?? SYSTEM_BUS,
    flags,
    procfs: stringFlag(flags, 'path.procfs', '/proc'),
    sysfs: stringFlag(flags, 'path.sysfs', '/sys'),
    rootfs: stringFlag(flags, 'path.rootfs', '/'),
    udevData: stringFlag(flags, 'path.udev.data', '/run/udev/data'),
  }
  const defaultOn = !booleanFlag(flags, 'collector.disable-defaults', false)
  const collectors = Object.keys(COLLECTORS)
    .filter((name) => booleanFlag(flags, `collector.${name}`, defaultOn && COLLECTORS[name]!.on))
    .map((name) => COLLECTORS[name]!.make(context))
  const showsItself = !booleanFlag(flags, 'web.disable-exporter-metrics', false)
  const complained = new Set<string>()

  async function run(
    collector: Collector,
  ): Promise<{ readonly families: readonly MetricFamily[]; readonly seconds: number; readonly ok: boolean }> {
    const start = clock.monotonic()
    const seconds = (): number => (clock.monotonic() - start) / 1000
    try {
      const result = collector.update()
      // A collector that has its answer at once does not wait for the others to have theirs.
      const families = result instanceof Promise ? await result : result
      if (collector.name !== 'textfile') checkNumbers(families)
      const took = seconds()
      complained.delete(collector.name)
      return { families, seconds: took, ok: true }
    } catch (thrown) {
      const { families, cause: error } =
        thrown instanceof PartialError ? thrown : { families: [], cause: thrown as Error }
      // Once per outage, not once per scrape.
      if (!complained.has(collector.name)) {
        complained.add(collector.name)
        const say = error instanceof NoDataError ? log.debug : log.error
        say('Collector failed', { collector: collector.name, err: error })
      }
      return { families, seconds: seconds(), ok: false }
    }
  }

  return {
    name: 'node',
    async collect(parameters) {
      const asked = parameters ? chooseCollectors(collectors, parameters) : collectors
      const runs = await Promise.all(asked.map(run))
      const each = (value: (run: (typeof runs)[number]) => number): Metric[] =>
        runs.map((result, i) => ({ labels: ['collector', asked[i]!.name], value: value(result) }))
      const self = [
        family(
          'gauge',
          'scrape_collector_duration_seconds',
          'node_exporter: Duration of a collector scrape.',
          each(({ seconds }) => seconds),
        ),
        family(
          'gauge',
          'scrape_collector_success',
          'node_exporter: Whether a collector succeeded.',
          each(({ ok }) => (ok ? 1 : 0)),
        ),
        buildInfo(context, version),
        ...(showsItself ? ownProcessFamilies(options.disk, clock) : []),
      ]
      // What the exporter says of itself comes before what a textfile calls by the same name.
      return uniqueSeries([...self, ...runs.flatMap(({ families }) => families)])
    },
    close: async () => {
      for (const collector of collectors) collector.close?.()
    },
  }
}

const GO_ARCH: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' }

/** With upstream's labels, so that queries which join on them work; what is Go's alone is empty. */
function buildInfo({ disk, procfs }: NodeContext, version: string): MetricFamily {
  const arch = readTrimmed(disk, `${procfs}/sys/kernel/arch`) ?? ''
  const labels = [
    ...['branch', 'heliograph', 'goarch', GO_ARCH[arch] ?? arch, 'goos', 'linux', 'goversion', '', 'revision', ''],
    ...['tags', '', 'version', version],
  ]
  const help =
    "A metric with a constant '1' value labeled by version, revision, branch, goversion from which node_exporter was built, and the goos and goarch for the build."
  return family('gauge', 'exporter_build_info', help, [{ labels, value: 1 }])
}

/**
 * Those of `collect[]`, or all but those of `exclude[]`. Semantics: node_exporter node_exporter.go, ServeHTTP.
 * Differs: excluding everything leaves nothing; upstream then shows everything.
 */
function chooseCollectors(collectors: readonly Collector[], parameters: URLSearchParams): readonly Collector[] {
  const collect = parameters.getAll('collect[]')
  const exclude = parameters.getAll('exclude[]')
  if (collect.length > 0 && exclude.length > 0)
    throw new ParameterError('Combined collect and exclude queries are not allowed.')
  for (const name of collect) {
    if (collectors.some((collector) => collector.name === name)) continue
    const problem = COLLECTORS[name] ? 'disabled' : 'missing'
    const reason = `couldn't create collector: ${problem} collector: ${name}`
    throw new ParameterError(`Couldn't create filtered metrics handler: ${reason}`)
  }
  return collect.length > 0
    ? collectors.filter(({ name }) => collect.includes(name))
    : collectors.filter(({ name }) => !exclude.includes(name))
}

const OWN_FLAGS = [
  ...['path.procfs', 'path.sysfs', 'path.rootfs', 'path.udev.data', 'collector.disable-defaults'],
  'web.disable-exporter-metrics',
]
/** Upstream takes them until 2.0. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  'collector.diskstats.ignored-devices': 'collector.diskstats.device-exclude',
  'collector.filesystem.ignored-fs-types': 'collector.filesystem.fs-types-exclude',
  'collector.filesystem.ignored-mount-points': 'collector.filesystem.mount-points-exclude',
  'collector.netdev.device-blacklist': 'collector.netdev.device-exclude',
  'collector.netdev.device-whitelist': 'collector.netdev.device-include',
  'collector.systemd.unit-blacklist': 'collector.systemd.unit-exclude',
  'collector.systemd.unit-whitelist': 'collector.systemd.unit-include',
}

/** @throws FlagError when a flag is given by its old name and its new one */
function withoutOldNames(flags: Flags, log: Logger): Flags {
  const out: Record<string, string | readonly string[]> = {}
  for (const [flag, value] of Object.entries(flags)) {
    const name = OLD_NAMES[flag]
    if (name !== undefined) {
      if (flags[name] !== undefined) throw new FlagError(flag, `is the old name of ${name}: give that one only`)
      log.warn('This flag has a new name', { flag, name })
    }
    out[name ?? flag] = value
  }
  return out
}

function checkFlags(flags: Flags): void {
  for (const flag of Object.keys(flags)) {
    const plain = flag.replace(/^no-/, '')
    if (OWN_FLAGS.includes(flag) || (flag.startsWith('no-') && OWN_FLAGS.includes(plain))) continue
    const name = plain.replace(/^collector\./, '')
    if (!plain.startsWith('collector.'))
      throw new FlagError(flag, `unknown; flags begin with collector. or are ${OWN_FLAGS.join(', ')}`)
    if (COLLECTORS[name]) continue
    const owner = Object.values(COLLECTORS).find(({ flags: own }) => own?.includes(name))
    if (owner) continue
    const near = Object.entries(COLLECTORS).find(([collector]) => name.startsWith(`${collector}.`))
    throw new FlagError(
      flag,
      near
        ? `unknown; ${near[0]} takes ${near[1].flags?.map((own) => `collector.${own}`).join(', ') ?? 'no flags'}`
        : `unknown; collectors are ${Object.keys(COLLECTORS).join(', ')}`,
    )
  }
}

/**
 * The node exporter: this host's metrics under the names, labels and helps of Prometheus's node_exporter, from files
 * of procfs, sysfs and udev. Semantics: node_exporter collector/*_linux.go (v1.12).
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { booleanFlag, type Exporter, FlagError, type Flags, stringFlag } from '../contract.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'
import { cpuCollector } from './cpu.ts'
import { diskstatsCollector } from './diskstats.ts'
import { filesystemCollector } from './filesystem.ts'
import { loadavgCollector } from './loadavg.ts'
import { meminfoCollector } from './meminfo.ts'
import { netdevCollector } from './netdev.ts'
import { netstatCollector } from './netstat.ts'
import { osCollector } from './os.ts'
import { NoDataError, pressureCollector } from './pressure.ts'
import { statCollector } from './stat.ts'
import { timeCollector } from './time.ts'
import { unameCollector } from './uname.ts'
import { vmstatCollector } from './vmstat.ts'

export { readMounts } from './filesystem.ts'

const COLLECTORS: Readonly<Record<string, (context: NodeContext) => Collector>> = {
  cpu: cpuCollector,
  diskstats: diskstatsCollector,
  filesystem: filesystemCollector,
  loadavg: loadavgCollector,
  meminfo: meminfoCollector,
  netdev: netdevCollector,
  netstat: netstatCollector,
  os: osCollector,
  pressure: pressureCollector,
  stat: statCollector,
  time: timeCollector,
  uname: unameCollector,
  vmstat: vmstatCollector,
}

export type NodeOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  readonly version: string
}

/** @throws FlagError for a flag it does not know or cannot use */
export function createNodeExporter({ disk, clock, log, flags, version }: NodeOptions): Exporter {
  checkFlags(flags)
  const context: NodeContext = {
    disk,
    clock,
    flags,
    procfs: stringFlag(flags, 'path.procfs', '/proc'),
    sysfs: stringFlag(flags, 'path.sysfs', '/sys'),
    rootfs: stringFlag(flags, 'path.rootfs', '/'),
    udevData: stringFlag(flags, 'path.udev.data', '/run/udev/data'),
  }
  const defaultOn = !booleanFlag(flags, 'collector.disable-defaults', false)
  const collectors = Object.keys(COLLECTORS)
    .filter((name) => booleanFlag(flags, `collector.${name}`, defaultOn))
    .map((name) => COLLECTORS[name]!(context))
  const complained = new Set<string>()

  async function run(
    collector: Collector,
  ): Promise<{ readonly families: readonly MetricFamily[]; readonly seconds: number; readonly ok: boolean }> {
    const start = clock.monotonic()
    const seconds = (): number => (clock.monotonic() - start) / 1000
    try {
      const families = await collector.update()
      complained.delete(collector.name)
      return { families, seconds: seconds(), ok: true }
    } catch (error) {
      // Once per outage, not once per scrape.
      if (!complained.has(collector.name)) {
        complained.add(collector.name)
        const say = error instanceof NoDataError ? log.debug : log.error
        say('Collector failed', { collector: collector.name, err: error })
      }
      return { families: [], seconds: seconds(), ok: false }
    }
  }

  return {
    name: 'node',
    async collect() {
      const runs = await Promise.all(collectors.map(run))
      const each = (value: (run: (typeof runs)[number]) => number): Metric[] =>
        runs.map((result, i) => ({ labels: ['collector', collectors[i]!.name], value: value(result) }))
      return [
        ...runs.flatMap(({ families }) => families),
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
        {
          ...single(
            'gauge',
            'exporter_build_info',
            "A metric with a constant '1' value labeled by version, from which node_exporter was built.",
            1,
          ),
          metrics: [{ labels: ['branch', 'heliograph', 'version', version], value: 1 }],
        },
      ]
    },
    close: async () => {},
  }
}

const PATHS = ['path.procfs', 'path.sysfs', 'path.rootfs', 'path.udev.data']

function checkFlags(flags: Flags): void {
  for (const flag of Object.keys(flags)) {
    const name = /^(?:no-)?collector\.([a-z_]+)/.exec(flag)?.[1]
    if (PATHS.includes(flag) || flag === 'collector.disable-defaults') continue
    if (name === undefined || !COLLECTORS[name])
      throw new FlagError(flag, `unknown; collectors are ${Object.keys(COLLECTORS).join(', ')}`)
  }
}

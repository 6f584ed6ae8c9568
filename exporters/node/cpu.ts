/** Time of each CPU by mode, throttling, isolation, and which are online. */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { booleanFlag, stringFlag } from '../contract.ts'
import { type Collector, family, type NodeContext } from './collector.ts'
import { cpuInfo } from './cpu-info.ts'
import { listDirectory, parseCpuList, readOptional, words } from './files.ts'
import { statLines } from './stat.ts'

/** Of /proc/stat, in its order; guest times are counted in user and nice as well. */
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const
const IDLE = 3
const GUEST = 8
/** USER_HZ is 100 on every architecture that Linux supports today. */
const TICKS_PER_SECOND = 100
/** An idle counter that falls by more than this was reset (hot-plug); less is the kernel's jitter. */
const JUMP_BACK_SECONDS = 3

export function cpuCollector(context: NodeContext): Collector {
  const { flags } = context
  const withGuest = booleanFlag(flags, 'collector.cpu.guest', true)
  const flagsInclude = stringFlag(flags, 'collector.cpu.info.flags-include', '')
  const bugsInclude = stringFlag(flags, 'collector.cpu.info.bugs-include', '')
  const withInfo = booleanFlag(flags, 'collector.cpu.info', false) || flagsInclude !== '' || bugsInclude !== ''
  const previous = new Map<string, number[]>()
  return {
    name: 'cpu',
    update() {
      const families = withInfo ? cpuInfo(context, { flagsInclude, bugsInclude }) : []
      families.push(...modeTimes(context, previous, withGuest), ...throttles(context))
      const isolated = readOptional(context.disk, `${context.sysfs}/devices/system/cpu/isolated`)
      if (isolated !== null) {
        const metrics = parseCpuList(isolated).map((cpu) => ({ labels: ['cpu', String(cpu)], value: 1 }))
        families.push(
          family(
            'gauge',
            'cpu_isolated',
            'Whether each core is isolated, information from /sys/devices/system/cpu/isolated.',
            metrics,
          ),
        )
      }
      families.push(...onlineCpus(context))
      return families
    },
  }
}

/** Nothing where the first CPU cannot be switched off, as on most PCs. */
function onlineCpus({ disk, sysfs }: NodeContext): MetricFamily[] {
  const base = `${sysfs}/devices/system/cpu`
  const names = listDirectory(disk, base).filter((name) => /^cpu\d+$/.test(name))
  const read = (name: string): string | null => readOptional(disk, `${base}/${name}/online`)
  if (names[0] === undefined || read(names[0]) === null) return []
  const metrics = names.map((name) => ({ labels: ['cpu', name.slice(3)], value: read(name)?.trim() === '1' ? 1 : 0 }))
  return [family('gauge', 'cpu_online', 'CPUs that are online and being scheduled.', metrics)]
}

function modeTimes(context: NodeContext, previous: Map<string, number[]>, withGuest: boolean): MetricFamily[] {
  const seconds: Metric[] = []
  const guest: Metric[] = []
  const file = `${context.procfs}/stat`
  for (const [name, line] of statLines(context.disk.readText(file), file)) {
    const cpu = /^cpu(\d+)$/.exec(name)?.[1]
    if (cpu === undefined) continue
    const now = words(line)
      .slice(1, GUEST + 3)
      .map((ticks) => Number(ticks) / TICKS_PER_SECOND)
    const times = forward(previous.get(cpu), now)
    previous.set(cpu, times)
    MODES.forEach((mode, i) => {
      seconds.push({ labels: ['cpu', cpu, 'mode', mode], value: times[i] ?? 0 })
    })
    guest.push(
      { labels: ['cpu', cpu, 'mode', 'user'], value: times[GUEST] ?? 0 },
      { labels: ['cpu', cpu, 'mode', 'nice'], value: times[GUEST + 1] ?? 0 },
    )
  }
  const out = [family('counter', 'cpu_seconds_total', 'Seconds the CPUs spent in each mode.', seconds)]
  if (withGuest)
    out.push(
      family('counter', 'cpu_guest_seconds_total', 'Seconds the CPUs spent in guests (VMs) for each mode.', guest),
    )
  return out
}

/** Counters that the kernel moves back a little are held, so that `rate` sees no reset. Semantics: node_exporter cpu_linux.go, updateCPUStats. */
function forward(before: number[] | undefined, now: number[]): number[] {
  if (!before || before[IDLE]! - now[IDLE]! >= JUMP_BACK_SECONDS) return now
  return now.map((value, i) => Math.max(value, before[i] ?? 0))
}

function throttles({ disk, sysfs }: NodeContext): MetricFamily[] {
  const base = `${sysfs}/devices/system/cpu`
  const packages = new Map<string, number>()
  const cores = new Map<string, Metric>()
  for (const name of listDirectory(disk, base)) {
    if (!/^cpu\d+$/.test(name)) continue
    // What is no number is passed over, as upstream.
    const read = (file: string): string | null => {
      const text = readOptional(disk, `${base}/${name}/${file}`)?.trim() ?? ''
      return /^\d{1,19}$/.test(text) ? BigInt(text).toString() : null
    }
    const package_ = read('topology/physical_package_id')
    const core = read('topology/core_id')
    if (package_ === null || core === null) continue
    const perPackage = read('thermal_throttle/package_throttle_count')
    if (perPackage !== null && !packages.has(package_)) packages.set(package_, Number(perPackage))
    const perCore = read('thermal_throttle/core_throttle_count')
    const key = `${package_}/${core}`
    if (perCore !== null && !cores.has(key))
      cores.set(key, { labels: ['core', core, 'package', package_], value: Number(perCore) })
  }
  return [
    family('counter', 'cpu_core_throttles_total', 'Number of times this CPU core has been throttled.', [
      ...cores.values(),
    ]),
    family(
      'counter',
      'cpu_package_throttles_total',
      'Number of times this CPU package has been throttled.',
      [...packages].map(([name, value]) => ({ labels: ['package', name], value })),
    ),
  ]
}

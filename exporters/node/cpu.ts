/** Time of each CPU by mode, throttling, isolation, and the optional details of /proc/cpuinfo. */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { booleanFlag, stringFlag } from '../contract.ts'
import { type Collector, family, type NodeContext } from './collector.ts'
import { listDirectory, parseCpuList, readOptional } from './files.ts'

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
      const families = withInfo ? cpuInfo(context, flagsInclude, bugsInclude) : []
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
      return families
    },
  }
}

function modeTimes(context: NodeContext, previous: Map<string, number[]>, withGuest: boolean): MetricFamily[] {
  const seconds: Metric[] = []
  const guest: Metric[] = []
  for (const line of context.disk.readText(`${context.procfs}/stat`).split('\n')) {
    const match = /^cpu(\d+) (.*)$/.exec(line)
    if (!match) continue
    const cpu = match[1]!
    const now = match[2]!
      .trim()
      .split(/\s+/)
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
    const read = (file: string): string | null => readOptional(disk, `${base}/${name}/${file}`)?.trim() ?? null
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

function cpuInfo({ disk, procfs }: NodeContext, flagsInclude: string, bugsInclude: string): MetricFamily[] {
  const cpus = disk
    .readText(`${procfs}/cpuinfo`)
    .split(/\n\s*\n/)
    .map(
      (block) =>
        new Map(
          block
            .split('\n')
            .map((line) => [line.split(':')[0]!.trim(), line.slice(line.indexOf(':') + 1).trim()] as const),
        ),
    )
    .filter((cpu) => cpu.has('processor'))
  const field = (cpu: Map<string, string>, name: string): string => cpu.get(name) ?? ''
  const place = (cpu: Map<string, string>): string[] => ['core', field(cpu, 'core id'), 'cpu', field(cpu, 'processor')]
  const info = cpus.map((cpu) => ({
    labels: [
      'cachesize',
      field(cpu, 'cache size'),
      ...place(cpu),
      ...['family', field(cpu, 'cpu family'), 'microcode', field(cpu, 'microcode')],
      ...['model', field(cpu, 'model'), 'model_name', field(cpu, 'model name')],
      ...['package', field(cpu, 'physical id'), 'stepping', field(cpu, 'stepping'), 'vendor', field(cpu, 'vendor_id')],
    ],
    value: 1,
  }))
  const frequency = cpus
    .filter((cpu) => cpu.has('cpu MHz'))
    .map((cpu) => ({
      labels: [...place(cpu), 'package', field(cpu, 'physical id')],
      value: Number(field(cpu, 'cpu MHz')) * 1e6,
    }))
  const words = (name: string, label: string, include: string): Metric[] => {
    if (include === '' || !cpus[0]) return []
    const regex = compileRegex(include)
    const kept = field(cpus[0], name)
      .split(/\s+/)
      .filter((word) => word !== '' && regex.matcher(word).find())
    return kept.map((word) => ({ labels: [label, word], value: 1 }))
  }
  const source = 'of CPU information from /proc/cpuinfo taken from the first core.'
  return [
    family('gauge', 'cpu_info', 'CPU information from /proc/cpuinfo.', info),
    family('gauge', 'cpu_frequency_hertz', 'CPU frequency in hertz from /proc/cpuinfo.', frequency),
    family('gauge', 'cpu_flag_info', `The \`flags\` field ${source}`, words('flags', 'flag', flagsInclude)),
    family('gauge', 'cpu_bug_info', `The \`bugs\` field ${source}`, words('bugs', 'bug', bugsInclude)),
  ]
}

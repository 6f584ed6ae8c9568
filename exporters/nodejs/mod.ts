/**
 * The Node.js process itself, under prom-client's names. What only the runtime knows (event loop, heap, garbage
 * collection) comes through `RuntimeStats`, so that Bun and Deno report what they have.
 * Semantics: prom-client lib/metrics/*.js.
 */
import type { Clock, Disk } from '../../protocol/env/mod.ts'
import { counter, gauge, histogramLines, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Exporter } from '../contract.ts'

/** Of one kind of garbage collection: cumulative seconds and count, and counts at most `GC_BOUNDS[i]`. */
export type GcStats = {
  readonly kind: string
  readonly count: number
  readonly seconds: number
  readonly buckets: readonly number[]
}
export const GC_BOUNDS: readonly number[] = [0.001, 0.01, 0.1, 1, 2, 5]

export interface RuntimeStats {
  /** `v26.10.0` */
  readonly version: string
  readonly pid: number
  readonly startTimeMs: number
  /** Seconds of CPU time so far. */
  cpu(): { readonly user: number; readonly system: number }
  /** Bytes. */
  memory(): { readonly rss: number; readonly heapTotal: number; readonly heapUsed: number; readonly external: number }
  heapSpaces(): readonly {
    readonly name: string
    readonly size: number
    readonly used: number
    readonly available: number
  }[]
  /** Seconds since the last call; null where the runtime cannot measure it. */
  eventLoop(): {
    readonly min: number
    readonly max: number
    readonly mean: number
    readonly stddev: number
    readonly p50: number
    readonly p90: number
    readonly p99: number
  } | null
  gc(): readonly GcStats[]
  /** By type: `TCPSocketWrap`, `Timeout`… */
  activeResources(): ReadonlyMap<string, number>
}

export function createNodejsExporter(
  stats: RuntimeStats,
  env: { readonly disk: Disk; readonly clock: Clock },
): Exporter {
  return {
    name: 'nodejs',
    collect: async () => [...processFamilies(stats, env.disk), ...runtimeFamilies(stats)],
    close: async () => {},
  }
}

const one = (value: number): Metric[] => [{ labels: [], value }]

function processFamilies(stats: RuntimeStats, disk: Disk): MetricFamily[] {
  const cpu = stats.cpu()
  const out = [
    counter('process_cpu_user_seconds_total', 'Total user CPU time spent in seconds.', one(cpu.user)),
    counter('process_cpu_system_seconds_total', 'Total system CPU time spent in seconds.', one(cpu.system)),
    counter(
      'process_cpu_seconds_total',
      'Total user and system CPU time spent in seconds.',
      one(cpu.user + cpu.system),
    ),
    gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      one(Math.round(stats.startTimeMs / 1000)),
    ),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', one(stats.memory().rss)),
  ]
  // procfs is Linux's; elsewhere these are left out, as prom-client does.
  try {
    const text = disk.readText('/proc/self/status')
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024
    const limits = disk.readText('/proc/self/limits')
    out.push(
      gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', one(kilobytes('VmSize'))),
      gauge('process_heap_bytes', 'Process heap size in bytes.', one(kilobytes('VmData'))),
      gauge('process_open_fds', 'Number of open file descriptors.', one(disk.readDirectory('/proc/self/fd').length)),
      gauge(
        'process_max_fds',
        'Maximum number of open file descriptors.',
        one(Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0)),
      ),
    )
  } catch {
    // Not Linux.
  }
  return out
}

function runtimeFamilies(stats: RuntimeStats): MetricFamily[] {
  const memory = stats.memory()
  const spaces = stats.heapSpaces()
  const space = (field: 'size' | 'used' | 'available'): Metric[] =>
    spaces.map((s) => ({ labels: ['space', s.name.replace(/_space$/, '')], value: s[field] }))
  const resources = [...stats.activeResources()]
  const [major = 0, minor = 0, patch = 0] = stats.version.replace(/^v/, '').split('.').map(Number)
  const out = [
    gauge('nodejs_heap_size_total_bytes', 'Process heap size from Node.js in bytes.', one(memory.heapTotal)),
    gauge('nodejs_heap_size_used_bytes', 'Process heap size used from Node.js in bytes.', one(memory.heapUsed)),
    gauge('nodejs_external_memory_bytes', 'Node.js external memory size in bytes.', one(memory.external)),
    gauge('nodejs_heap_space_size_total_bytes', 'Process heap space size total from Node.js in bytes.', space('size')),
    gauge('nodejs_heap_space_size_used_bytes', 'Process heap space size used from Node.js in bytes.', space('used')),
    gauge(
      'nodejs_heap_space_size_available_bytes',
      'Process heap space size available from Node.js in bytes.',
      space('available'),
    ),
    gauge(
      'nodejs_active_resources',
      'Number of active resources that are currently keeping the event loop alive, grouped by async resource type.',
      resources.map(([type, value]) => ({ labels: ['type', type], value })),
    ),
    gauge(
      'nodejs_active_resources_total',
      'Total number of active resources.',
      one(resources.reduce((sum, [, count]) => sum + count, 0)),
    ),
    gauge('nodejs_version_info', 'Node.js version info.', [
      {
        labels: ['version', stats.version, 'major', String(major), 'minor', String(minor), 'patch', String(patch)],
        value: 1,
      },
    ]),
  ]
  const gc = stats.gc().flatMap(({ kind, count, seconds, buckets }) =>
    histogramLines(
      ['kind', kind],
      GC_BOUNDS.flatMap((bound, i) => [bound, buckets[i] ?? 0]),
      seconds,
      count,
    ),
  )
  if (gc.length > 0)
    out.push({
      name: 'nodejs_gc_duration_seconds',
      help: 'Garbage collection duration by kind, one of major, minor, incremental or weakcb.',
      type: 'histogram',
      metrics: gc,
    })
  const loop = stats.eventLoop()
  if (loop) {
    const lag = (name: string, help: string, value: number): MetricFamily =>
      gauge(`nodejs_eventloop_lag_${name}seconds`, help, one(value))
    out.push(
      lag('', 'Lag of event loop in seconds.', loop.mean),
      lag('min_', 'The minimum recorded event loop delay.', loop.min),
      lag('max_', 'The maximum recorded event loop delay.', loop.max),
      lag('mean_', 'The mean of the recorded event loop delays.', loop.mean),
      lag('stddev_', 'The standard deviation of the recorded event loop delays.', loop.stddev),
      lag('p50_', 'The 50th percentile of the recorded event loop delays.', loop.p50),
      lag('p90_', 'The 90th percentile of the recorded event loop delays.', loop.p90),
      lag('p99_', 'The 99th percentile of the recorded event loop delays.', loop.p99),
    )
  }
  return out
}

/** A snapshot under prom-client's names and helps. Semantics: prom-client 15 lib/metrics/*.js. */
import type { Disk } from '../../protocol/env/mod.ts'
import { counter, gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { type CountsByType, type EventLoopStats, gcLines, type RuntimeSnapshot } from './snapshot.ts'

const one = (value: number): Metric[] => [{ labels: [], value }]

/** @param folder of procfs, where Linux tells of the process */
export function snapshotFamilies(snapshot: RuntimeSnapshot, disk: Disk, folder: string): MetricFamily[] {
  return [...processFamilies(snapshot, disk, folder), ...runtimeFamilies(snapshot)]
}

function processFamilies({ cpu, memory, startTimeMs }: RuntimeSnapshot, disk: Disk, folder: string): MetricFamily[] {
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
      one(Math.round(startTimeMs / 1000)),
    ),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', one(memory.rss)),
  ]
  // procfs is Linux's; elsewhere these are left out, as prom-client does.
  try {
    const text = disk.readText(`${folder}/status`)
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024
    const limits = disk.readText(`${folder}/limits`)
    // The listing itself holds one open in this process.
    const listing = folder.endsWith('/self') ? 1 : 0
    const open = disk.readDirectory(`${folder}/fd`).length - listing
    out.push(
      gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', one(kilobytes('VmSize'))),
      gauge('process_heap_bytes', 'Process heap size in bytes.', one(kilobytes('VmData'))),
      gauge('process_open_fds', 'Number of open file descriptors.', one(open)),
      gauge(
        'process_max_fds',
        'Maximum number of open file descriptors.',
        one(Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0)),
      ),
    )
  } catch {
    // Not Linux, or another user's process.
  }
  return out
}

function runtimeFamilies(snapshot: RuntimeSnapshot): MetricFamily[] {
  const { memory, heapSpaces, version } = snapshot
  const space = (field: 'size' | 'used' | 'available'): Metric[] =>
    heapSpaces.map((s) => ({ labels: ['space', s.name.replace(/_space$/, '')], value: s[field] }))
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, '').split('.').map(Number)
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
    ...countFamilies(
      'resources',
      'Number of active resources that are currently keeping the event loop alive, grouped by async resource type.',
      snapshot.activeResources,
    ),
    ...countFamilies(
      'handles',
      'Number of active libuv handles grouped by handle type. Every handle type is C++ class name.',
      snapshot.activeHandles,
    ),
    ...countFamilies(
      'requests',
      'Number of active libuv requests grouped by request type. Every request type is C++ class name.',
      snapshot.activeRequests,
    ),
    gauge('nodejs_version_info', 'Node.js version info.', [
      {
        labels: ['version', version, 'major', String(major), 'minor', String(minor), 'patch', String(patch)],
        value: 1,
      },
    ]),
  ]
  const gc = snapshot.gc.flatMap(gcLines)
  if (gc.length > 0)
    out.push({
      name: 'nodejs_gc_duration_seconds',
      help: 'Garbage collection duration by kind, one of major, minor, incremental or weakcb.',
      type: 'histogram',
      metrics: gc,
    })
  if (snapshot.eventLoop) out.push(...eventLoopFamilies(snapshot.eventLoop))
  return out
}

function countFamilies(what: string, help: string, counts: CountsByType | null): MetricFamily[] {
  if (counts === null) return []
  const entries = Object.entries(counts)
  return [
    gauge(
      `nodejs_active_${what}`,
      help,
      entries.map(([type, value]) => ({ labels: ['type', type], value })),
    ),
    gauge(
      `nodejs_active_${what}_total`,
      `Total number of active ${what}.`,
      one(entries.reduce((sum, [, count]) => sum + count, 0)),
    ),
  ]
}

function eventLoopFamilies(loop: EventLoopStats): MetricFamily[] {
  const lag = (name: string, help: string, value: number): MetricFamily =>
    gauge(`nodejs_eventloop_lag_${name}seconds`, help, one(value))
  return [
    lag('', 'Lag of event loop in seconds.', loop.lag),
    lag('min_', 'The minimum recorded event loop delay.', loop.min),
    lag('max_', 'The maximum recorded event loop delay.', loop.max),
    lag('mean_', 'The mean of the recorded event loop delays.', loop.mean),
    lag('stddev_', 'The standard deviation of the recorded event loop delays.', loop.stddev),
    lag('p50_', 'The 50th percentile of the recorded event loop delays.', loop.p50),
    lag('p90_', 'The 90th percentile of the recorded event loop delays.', loop.p90),
    lag('p99_', 'The 99th percentile of the recorded event loop delays.', loop.p99),
  ]
}

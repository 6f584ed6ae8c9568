/** What the runtime says of itself; on Bun and Deno whatever of it is there. */
import { monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks'
import v8 from 'node:v8'
import { GC_BOUNDS, type GcStats, type RuntimeStats } from '../../exporters/nodejs/mod.ts'

const KINDS: Readonly<Record<number, string>> = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }
const NS = 1e-9

/** Starts watching the event loop and garbage collection; `close` ends it. */
export function createRuntimeStats(): RuntimeStats & { close(): void } {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const gc = new Map<string, { count: number; seconds: number; buckets: number[] }>()
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = KINDS[(entry as { detail?: { kind?: number } }).detail?.kind ?? 0] ?? 'minor'
      const stats = gc.get(kind) ?? { count: 0, seconds: 0, buckets: GC_BOUNDS.map(() => 0) }
      const seconds = entry.duration / 1000
      stats.count++
      stats.seconds += seconds
      GC_BOUNDS.forEach((bound, i) => {
        if (seconds <= bound) stats.buckets[i]!++
      })
      gc.set(kind, stats)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return {
    version: process.version,
    pid: process.pid,
    startTimeMs: performance.timeOrigin,
    cpu() {
      const { user, system } = process.cpuUsage()
      return { user: user / 1e6, system: system / 1e6 }
    },
    memory: () => process.memoryUsage(),
    heapSpaces: () =>
      v8.getHeapSpaceStatistics().map((s) => ({
        name: s.space_name,
        size: s.space_size,
        used: s.space_used_size,
        available: s.space_available_size,
      })),
    eventLoop() {
      // Without a sample yet the minimum is the largest integer.
      const answer =
        delay.count === 0
          ? { min: 0, max: 0, mean: 0, stddev: 0, p50: 0, p90: 0, p99: 0 }
          : {
              min: delay.min * NS,
              max: delay.max * NS,
              mean: delay.mean * NS,
              stddev: delay.stddev * NS,
              p50: delay.percentile(50) * NS,
              p90: delay.percentile(90) * NS,
              p99: delay.percentile(99) * NS,
            }
      delay.reset()
      return answer
    },
    gc: () => [...gc].map(([kind, stats]): GcStats => ({ kind, ...stats })),
    activeResources() {
      const out = new Map<string, number>()
      for (const type of process.getActiveResourcesInfo()) out.set(type, (out.get(type) ?? 0) + 1)
      return out
    },
    close() {
      delay.disable()
      observer.disconnect()
    },
  }
}

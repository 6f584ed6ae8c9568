/** What the runtime says of itself; on Bun and Deno whatever of it is there. */
import { createHistogram, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks'
import v8 from 'node:v8'
import { GC_BOUNDS, type GcStats, type RuntimeSnapshot, type RuntimeStats } from '../../exporters/nodejs/mod.ts'
import { sharedDelayMs } from './shared-delay.ts'

const KINDS: Readonly<Record<number, string>> = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }
const NS = 1e-9
/** The event loop is watched, which wakes it again and again, while somebody has asked within this time. */
const WATCHED_MS = 5 * 60_000
const IS_BUN = 'bun' in process.versions
const IS_DENO = 'deno' in process.versions
/** As prom-client. */
const RESOLUTION_MS = 10
/**
 * A hundred looks a second, as the runtime's own watch takes, are most of the wake-ups of a hub (a fifth of its main
 * thread's CPU under 20,000 samples a second), and took two thirds of an idle agent's CPU on Bun. So the looks are ours:
 * on Bun at the moments when something else is due anyway (shared-delay.ts), on Node five times a second, so that none
 * of the loop's longer stops is missed.
 *
 * The values are the runtime's own all the same: Bun says how late the loop was, Node the time between two looks 10 ms
 * apart.
 */
const LOOK_EVERY_MS = IS_BUN ? 1000 : 200
const ON_TIME_NS = IS_BUN ? 0 : RESOLUTION_MS * 1e6
/** In ns, up to an hour, as Bun's own; to 1 %, which is finer than timers are, for 240 kB less. */
const DELAYS = { lowest: 1, highest: 3.6e12, figures: 2 }

/** Watches garbage collection, and, from the first snapshot on, the event loop; `close` ends it. */
export function createRuntimeStats(): RuntimeStats & { close(): void } {
  const delay = IS_DENO ? monitorEventLoopDelay({ resolution: RESOLUTION_MS }) : watchByTimer()
  let watched: NodeJS.Timeout | null = null
  const watch = (): void => {
    if (watched === null) delay.enable()
    else clearTimeout(watched)
    watched = setTimeout(() => {
      watched = null
      delay.disable()
      delay.reset()
    }, WATCHED_MS).unref()
  }
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
  let lag = 0

  function eventLoop(): RuntimeSnapshot['eventLoop'] {
    // Without a sample yet the minimum is the largest integer.
    const seconds = (nanoseconds: number): number => (delay.count === 0 ? 0 : nanoseconds * NS)
    const answer = {
      lag,
      min: seconds(delay.min),
      max: seconds(delay.max),
      mean: seconds(delay.mean),
      stddev: seconds(delay.stddev),
      p50: seconds(delay.percentile(50)),
      p90: seconds(delay.percentile(90)),
      p99: seconds(delay.percentile(99)),
    }
    delay.reset()
    watch()
    const asked = performance.now()
    setImmediate(() => {
      lag = (performance.now() - asked) / 1000
    })
    return answer
  }

  return {
    snapshot(): RuntimeSnapshot {
      const { user, system } = process.cpuUsage()
      const memory = process.memoryUsage()
      return {
        version: process.version,
        pid: process.pid,
        startTimeMs: performance.timeOrigin,
        cpu: { user: user / 1e6, system: system / 1e6 },
        memory,
        heapSpaces: heapSpaces(memory),
        eventLoop: eventLoop(),
        gc: [...gc].map(([kind, stats]): GcStats => ({ kind, ...stats })),
        activeResources: countBy(process.getActiveResourcesInfo(), String),
        activeHandles: byClass('_getActiveHandles'),
        activeRequests: byClass('_getActiveRequests'),
      }
    },
    close() {
      if (watched !== null) clearTimeout(watched)
      delay.disable()
      observer.disconnect()
    },
  }
}

type DelayWatch = Pick<
  ReturnType<typeof monitorEventLoopDelay>,
  'count' | 'min' | 'max' | 'mean' | 'stddev' | 'percentile' | 'reset' | 'enable' | 'disable'
>

/** How late timers fire, in ns. @param onTimeNs what is recorded of one that is not late */
export function watchByTimer(everyMs = LOOK_EVERY_MS, onTimeNs = ON_TIME_NS): DelayWatch {
  const delays = createHistogram(DELAYS)
  let timer: NodeJS.Timeout | null = null
  let dueMs = 0
  const arm = (nowMs: number): void => {
    const delayMs = sharedDelayMs(everyMs, nowMs)
    dueMs = nowMs + delayMs
    timer = setTimeout(look, delayMs).unref()
  }
  const look = (): void => {
    const nowMs = performance.now()
    // The smallest that it takes.
    delays.record(Math.max(1, onTimeNs + Math.round((nowMs - dueMs) * 1e6)))
    arm(nowMs)
  }
  return Object.assign(delays, {
    enable: () => {
      if (timer !== null) return false
      arm(performance.now())
      return true
    },
    disable: () => {
      if (timer === null) return false
      clearTimeout(timer)
      timer = null
      return true
    },
  })
}

/**
 * Spaces are V8's. Bun has one heap, which it calls old_space, beside twelve empty ones; it collects garbage to answer,
 * which took 40 ms a scrape, for what it says of its memory anyway.
 */
function heapSpaces({ heapTotal, heapUsed }: NodeJS.MemoryUsage): RuntimeSnapshot['heapSpaces'] {
  if (IS_BUN)
    return [{ name: 'old_space', size: heapTotal, used: heapUsed, available: Math.max(0, heapTotal - heapUsed) }]
  return v8.getHeapSpaceStatistics().map((s) => ({
    name: s.space_name,
    size: s.space_size,
    used: s.space_used_size,
    available: s.space_available_size,
  }))
}

function countBy<T>(list: readonly T[], nameOf: (each: T) => string): Record<string, number> {
  const out: Record<string, number> = {}
  for (const each of list) {
    const name = nameOf(each)
    out[name] = (out[name] ?? 0) + 1
  }
  return out
}

/** By constructor, from functions that are deprecated and not everywhere: null where they are gone. */
function byClass(name: '_getActiveHandles' | '_getActiveRequests'): Record<string, number> | null {
  const list = (process as unknown as Record<string, undefined | (() => object[])>)[name]?.call(process)
  return list ? countBy(list, (each) => each?.constructor?.name ?? 'Object') : null
}

/** What one Node.js process says of itself at one moment: plain data, from this process or from another's debugger. */
import { histogramLines, type Metric } from '../../protocol/exposition/mod.ts'

/** Of one kind of garbage collection: cumulative seconds and count, and counts at most `GC_BOUNDS[i]`. */
export type GcStats = {
  readonly kind: string
  readonly count: number
  readonly seconds: number
  readonly buckets: readonly number[]
}
export const GC_BOUNDS: readonly number[] = [0.001, 0.01, 0.1, 1, 2, 5]

/** Seconds. */
export type EventLoopStats = {
  /** How late the loop came to what was due at once at the last look. */
  readonly lag: number
  readonly min: number
  readonly max: number
  readonly mean: number
  readonly stddev: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

/** Counts by the name of the type: `Socket`, `Timeout`… */
export type CountsByType = Readonly<Record<string, number>>

export type RuntimeSnapshot = {
  /** `v26.10.0` */
  readonly version: string
  readonly pid: number
  readonly startTimeMs: number
  /** Seconds of CPU time so far. */
  readonly cpu: { readonly user: number; readonly system: number }
  /** Bytes. */
  readonly memory: {
    readonly rss: number
    readonly heapTotal: number
    readonly heapUsed: number
    readonly external: number
  }
  readonly heapSpaces: readonly {
    readonly name: string
    readonly size: number
    readonly used: number
    readonly available: number
  }[]
  /** Since the last look; null where the runtime cannot measure it. */
  readonly eventLoop: EventLoopStats | null
  readonly gc: readonly GcStats[]
  readonly activeResources: CountsByType
  /** null where the runtime does not tell. */
  readonly activeHandles: CountsByType | null
  readonly activeRequests: CountsByType | null
}

export function gcLines({ kind, count, seconds, buckets }: GcStats): Metric[] {
  return histogramLines(
    ['kind', kind],
    GC_BOUNDS.flatMap((bound, i) => [bound, buckets[i] ?? 0]),
    seconds,
    count,
  )
}

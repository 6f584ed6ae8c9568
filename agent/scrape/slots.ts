/**
 * When a target is due. Its slots are `k × interval + offset`, in absolute time: restarts and reloads do not move
 * them, two agents with different seeds scrape at different moments, and the hub knows which slots to expect.
 * Semantics: Prometheus scrape/target.go, offset; scrape/scrape.go, ScrapeTimestampTolerance (v3).
 */
import { fnv64 } from './hash.ts'

/** Samples of a scrape that starts this close to its slot carry the slot's time: regular timestamps compress better. */
const TIMESTAMP_TOLERANCE_MS = 2
/** All collectors of an agent are due at once, and one may have to wait for another's turn to end. */
const COLLECTOR_TOLERANCE_MS = 50

/** Moments of an interval at which targets are due, and the least time between two of them. */
const PHASES_MAX = 20
const PHASE_MS_MIN = 500

/**
 * In [0, intervalMs).
 * Differs: the targets of an agent share the moments of twenty phases, where upstream has as many moments as targets:
 * what comes at once costs less (phases.ts). The seed still spreads agents over all moments.
 */
export function slotOffset(targetHash: bigint, seed: string, intervalMs: number): number {
  const phases = Math.max(1, Math.min(PHASES_MAX, Math.floor(intervalMs / PHASE_MS_MIN)))
  const spread = fnv64(seed)
  // By the moment that it would have alone: the lowest bits of the hash say little.
  const phase = Math.floor((Number((targetHash ^ spread) % BigInt(intervalMs)) * phases) / intervalMs)
  return Math.floor((phase * intervalMs) / phases) + Number(spread % BigInt(Math.floor(intervalMs / phases)))
}

/** The first slot at or after `nowMs`. */
export function nextSlot(nowMs: number, offsetMs: number, intervalMs: number): number {
  return Math.ceil((nowMs - offsetMs) / intervalMs) * intervalMs + offsetMs
}

/** The last slot at or before `nowMs`. */
export function lastSlot(nowMs: number, offsetMs: number, intervalMs: number): number {
  return Math.floor((nowMs - offsetMs) / intervalMs) * intervalMs + offsetMs
}

/**
 * The timestamp of a scrape that starts at `nowMs` for `slotMs`: at most 1% of the interval is smoothed away.
 * Differs: for collectors of this process it is up to 50 ms; upstream has none.
 */
export function alignTimestamp(
  nowMs: number,
  { slotMs, intervalMs, isCollector }: { slotMs: number; intervalMs: number; isCollector: boolean },
): number {
  const tolerance = Math.min(isCollector ? COLLECTOR_TOLERANCE_MS : TIMESTAMP_TOLERANCE_MS, intervalMs / 100)
  return Math.abs(nowMs - slotMs) <= tolerance ? slotMs : Math.trunc(nowMs)
}

/** What to cut, to merge and to remove: pure decisions over what there is. */
import type { TimeRange } from '../tsdb/mod.ts'
import type { BlockMeta, BlockRange } from './contract.ts'

export const BLOCK_MS = 7_200_000
/** Merged blocks are this many times as long as those of the step before. */
const STEP = 10
/** No block holds more than this part of what retention keeps, so that removing one is a small loss. */
const RETENTION_PART = 10

/**
 * How badly memory is wanted: `soon`; by something that found no room; or by all, for nothing is accepted any more, so
 * that the head does not get any older either.
 */
export type MemoryNeed = 'soon' | 'by some' | 'by all'

/** Of a block's length: what is younger stays in the head when blocks are cut early, with the series that go on. */
const EARLY_LAG_PART = 48
/** Of that: the least that is worth a block of its own, which has the last minutes too, where something found no room. */
const EARLY_STEP_PART = 8
/** So young is, at most, what a cut of all until now has left there when it did not help: some rounds go by meanwhile. */
const AHEAD_MS = 5000

/** Blocks of two hours: 68 years, so that all since 1970 are cut alike. */
const CUTS_MAX = 300_000

/**
 * What of the head is due to be cut: ranges of one block's length on a grid, which nobody lists, for one sample of any
 * time whatever makes a hundred thousand of them. `rangeAt` gives the one that a sample falls into. Plain data.
 */
export type DueCuts = {
  /** Where the first range begins, which has all that is before the last `CUTS_MAX` of them. */
  readonly minTime: number
  /** Where it ends. */
  readonly firstEnd: number
  /** Where the last range ends. */
  readonly maxTime: number
  readonly blockMs: number
  /** Where a cut before its time ended: of the range around it, which it divides, the first part is a block already. */
  readonly border: number
}

/**
 * Ranges of the head that ended at least `delayMs` ago; null: none. What came late for a range that is a block already
 * makes its range due again: the caller evicts from the head what it has cut.
 * @param cutUntil all before it is in blocks, but for what came late; -Infinity: nothing is
 */
export function dueCuts(
  head: TimeRange | null,
  nowMs: number,
  delayMs: number,
  blockMs: number = BLOCK_MS,
  cutUntil: number = Number.NEGATIVE_INFINITY,
): DueCuts | null {
  if (!head) return null
  const gridStart = floorTo(head.minTime, blockMs)
  const dueMs = nowMs - delayMs
  const lastEnded = blockMs * (Math.ceil(dueMs / blockMs) - 2)
  const last = Math.min(lastEnded, floorTo(Math.min(head.maxTime, dueMs - 1), blockMs))
  const first = Math.max(gridStart, last - (CUTS_MAX - 1) * blockMs)
  if (first > last) return null
  return {
    minTime: startOf(head, gridStart, cutUntil),
    firstEnd: first + blockMs,
    maxTime: last + blockMs,
    blockMs,
    border: cutUntil,
  }
}

/**
 * For want of memory: what has ended, whether or not more may come late; and once that is in blocks, what of the open
 * range is not of the last minutes, or if that does not help, all of it, which ends the series of the head, or what came
 * late for what of the range is in blocks. Null: all that may go has gone.
 */
export function earlyCuts(
  head: TimeRange | null,
  nowMs: number,
  blockMs: number,
  cutUntil: number,
  need: MemoryNeed = 'soon',
): DueCuts | null {
  if (!head) return null
  const lagMs = blockMs / EARLY_LAG_PART
  const newest = Math.floor(Math.min(nowMs, head.maxTime))
  // It is in blocks until now, and still nothing is accepted: what fills it is ahead of the clock. That what comes for
  // the time until then will count as late is better than to refuse it.
  if (need === 'by all' && head.maxTime > nowMs && newest - cutUntil < Math.max(lagMs, AHEAD_MS))
    return cutsUntil(head, Math.max(cutUntil, Math.floor(head.maxTime) + 1), cutUntil, blockMs)
  const ended = dueCuts(head, nowMs, 0, blockMs, cutUntil)
  if (ended && ended.maxTime > cutUntil) return ended
  const start = Math.max(cutUntil, floorTo(newest, blockMs), head.minTime)
  const old = newest - lagMs
  if (old - start >= lagMs) return cutsUntil(head, Math.floor(old), cutUntil, blockMs)
  if (need === 'soon') return ended
  const leastMs = need === 'by some' ? lagMs / EARLY_STEP_PART : 0
  // Else what came late may go: none of it gets newer, however long one waits.
  return cutsUntil(head, newest - start >= leastMs ? newest + 1 : cutUntil, cutUntil, blockMs)
}

/** All before `end`, wherever that is. */
export function cutsUntil(head: TimeRange, end: number, cutUntil: number, blockMs: number): DueCuts | null {
  if (head.minTime >= end) return null
  const gridStart = floorTo(head.minTime, blockMs)
  const first = Math.max(gridStart, floorTo(end - 1, blockMs) - (CUTS_MAX - 1) * blockMs)
  const minTime = startOf(head, gridStart, cutUntil)
  return { minTime, firstEnd: Math.min(first + blockMs, end), maxTime: end, blockMs, border: cutUntil }
}

/** Where the first range begins: behind what is a block already, unless something came late for that. */
function startOf(head: TimeRange, gridStart: number, cutUntil: number): number {
  return cutUntil <= head.minTime ? Math.max(gridStart, cutUntil) : gridStart
}

/** The range that a sample of that time, or the first later one, is cut into; null: it is not due. */
export function rangeAt(due: DueCuts, timeMs: number): BlockRange | null {
  const { minTime, firstEnd, maxTime, blockMs, border } = due
  if (timeMs >= maxTime) return null
  const start = timeMs < firstEnd ? minTime : floorTo(timeMs, blockMs)
  const end = timeMs < firstEnd ? firstEnd : Math.min(start + blockMs, maxTime)
  if (border <= start || border >= end) return { minTime: start, maxTime: end }
  return timeMs < border ? { minTime: start, maxTime: border } : { minTime: border, maxTime: end }
}

/** All ranges that are due, oldest first: for a head of which it is known that they are few. */
export function planCuts(head: TimeRange | null, nowMs: number, delayMs: number, blockMs?: number): BlockRange[] {
  return rangesOf(dueCuts(head, nowMs, delayMs, blockMs))
}

/** All that they are, oldest first. */
export function rangesOf(due: DueCuts | null): BlockRange[] {
  const ranges: BlockRange[] = []
  for (let range = due && rangeAt(due, due.minTime); due && range; range = rangeAt(due, range.maxTime))
    ranges.push(range)
  return ranges
}

export type CompactionPlan = { readonly range: BlockRange; readonly sources: readonly BlockMeta[] }

/**
 * The next blocks to merge, or null: first those that overlap, then a full window's worth of small ones; and the pieces
 * of one block's range that was cut early.
 * @param retentionMs of all that is kept; 0 = for ever
 * @param samplesMs for how long samples are, where downsampled windows are kept for longer
 * @param nowMs what is of later times (a clock was wrong, or an import) says nothing about what is complete
 */
export function planCompaction(
  blocks: readonly BlockMeta[],
  retentionMs: number,
  blockMs: number = BLOCK_MS,
  samplesMs: number = Number.POSITIVE_INFINITY,
  nowMs: number = Number.POSITIVE_INFINITY,
): CompactionPlan | null {
  const sorted = [...blocks].sort((a, b) => a.minTime - b.minTime || a.maxTime - b.maxTime)
  const longestMs = retentionMs > 0 ? retentionMs / RETENTION_PART : Number.POSITIVE_INFINITY
  const longest = { longestMs, withSamplesMs: samplesMs / RETENTION_PART }
  return planOverlap(sorted) ?? planWindow(sorted, longest, { blockMs, nowMs })
}

/** So old that no more blocks can come to be merged with it. */
export function isPastMerging(
  { maxTime }: BlockMeta,
  blocks: readonly BlockMeta[],
  blockMs: number = BLOCK_MS,
  nowMs: number = Number.POSITIVE_INFINITY,
): boolean {
  return blocks.some((other) => Math.min(other.maxTime, nowMs) - maxTime >= 2 * STEP * blockMs)
}

/** @param sorted by minTime */
export function planOverlap(sorted: readonly BlockMeta[]): CompactionPlan | null {
  for (let i = 0; i < sorted.length; ) {
    let end = i + 1
    let { maxTime } = sorted[i]!
    while (end < sorted.length && sorted[end]!.minTime < maxTime) maxTime = Math.max(maxTime, sorted[end++]!.maxTime)
    if (end - i > 1) return { range: { minTime: sorted[i]!.minTime, maxTime }, sources: sorted.slice(i, end) }
    i = end
  }
  return null
}

type Longest = {
  readonly longestMs: number
  /** A block goes as a whole: one that has samples must not be kept for much longer than these. */
  readonly withSamplesMs: number
}

function planWindow(
  sorted: readonly BlockMeta[],
  { longestMs, withSamplesMs }: Longest,
  { blockMs, nowMs }: { readonly blockMs: number; readonly nowMs: number },
): CompactionPlan | null {
  const newest = sorted.reduce((max, { maxTime }) => Math.max(max, maxTime), Number.NEGATIVE_INFINITY)
  const newestNow = Math.min(newest, nowMs)
  const oldest = sorted[0]?.minTime ?? 0
  const isStep = (step: number): boolean => step === blockMs || (step <= longestMs && step <= STEP * (newest - oldest))
  for (let step = blockMs; isStep(step); step *= STEP) {
    for (let i = 0; i < sorted.length; ) {
      const minTime = floorTo(sorted[i]!.minTime, step)
      const windowEnd = minTime + step
      let end = i
      while (end < sorted.length && sorted[end]!.minTime < windowEnd) end++
      const inside = sorted.slice(i, end).filter(({ maxTime }) => maxTime <= windowEnd)
      i = Math.max(end, i + 1)
      // A window that may still get its last block waits.
      if (inside.length < 2 || newestNow <= windowEnd) continue
      if (step > blockMs && step > withSamplesMs && inside.some(({ stats }) => stats.samples > 0)) continue
      const range = { minTime: inside[0]!.minTime, maxTime: inside.at(-1)!.maxTime }
      return { range, sources: inside }
    }
  }
  return null
}

export type RetentionLimits = { /** 0 = none. */ readonly timeMs: number /** 0 = none. */; readonly sizeBytes: number }

/** Blocks that are wholly too old; then the oldest until the rest is small enough. */
export function planRetention(blocks: readonly BlockMeta[], limits: RetentionLimits, nowMs: number): BlockMeta[] {
  const byAge = [...blocks].sort((a, b) => a.maxTime - b.maxTime)
  let total = byAge.reduce((sum, block) => sum + blockBytes(block), 0)
  const gone: BlockMeta[] = []
  for (const block of byAge) {
    const isOld = limits.timeMs > 0 && block.maxTime <= nowMs - limits.timeMs
    const isTooMuch = limits.sizeBytes > 0 && total > limits.sizeBytes
    if (!isOld && !isTooMuch) break
    gone.push(block)
    total -= blockBytes(block)
  }
  return gone
}

export function blockBytes({ indexBytes, chunksBytes }: BlockMeta): number {
  return indexBytes + chunksBytes
}

function floorTo(time: number, step: number): number {
  return Math.floor(time / step) * step
}

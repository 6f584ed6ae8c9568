/** What to cut, to merge and to remove: pure decisions over what there is. */
import type { TimeRange } from '../tsdb/mod.ts'
import type { BlockMeta, BlockRange } from './contract.ts'

export const BLOCK_MS = 7_200_000
/** Merged blocks are this many times as long as those of the step before. */
const STEP = 10
/** No block holds more than this part of what retention keeps, so that removing one is a small loss. */
const RETENTION_PART = 10

/** Blocks of two hours: 68 years, so that all since 1970 are cut alike. */
const CUTS_MAX = 300_000

/**
 * Ranges of the head that ended at least `delayMs` ago, oldest first. What came late for a range that is a block
 * already makes its range due again: the caller evicts from the head what it has cut. They are one block long each, but
 * for the first, which has all that is before the last `CUTS_MAX`: one sample of any time whatever must not cost a list
 * that fills memory.
 */
export function planCuts(
  head: TimeRange | null,
  nowMs: number,
  delayMs: number,
  blockMs: number = BLOCK_MS,
): BlockRange[] {
  if (!head) return []
  const start = floorTo(head.minTime, blockMs)
  const dueMs = nowMs - delayMs
  const lastEnded = blockMs * (Math.ceil(dueMs / blockMs) - 2)
  const last = Math.min(lastEnded, floorTo(Math.min(head.maxTime, dueMs - 1), blockMs))
  const ranges: BlockRange[] = []
  for (let minTime = Math.max(start, last - (CUTS_MAX - 1) * blockMs); minTime <= last; minTime += blockMs)
    ranges.push({ minTime, maxTime: minTime + blockMs })
  if (ranges.length > 0) ranges[0] = { ...ranges[0]!, minTime: start }
  return ranges
}

export type CompactionPlan = { readonly range: BlockRange; readonly sources: readonly BlockMeta[] }

/**
 * The next blocks to merge, or null: first those that overlap, then a full window's worth of small ones.
 * @param retentionMs 0 = for ever
 */
export function planCompaction(
  blocks: readonly BlockMeta[],
  retentionMs: number,
  blockMs: number = BLOCK_MS,
): CompactionPlan | null {
  const sorted = [...blocks].sort((a, b) => a.minTime - b.minTime || a.maxTime - b.maxTime)
  return planOverlap(sorted) ?? planWindow(sorted, retentionMs > 0 ? retentionMs / RETENTION_PART : Infinity, blockMs)
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

function planWindow(sorted: readonly BlockMeta[], longestMs: number, blockMs: number): CompactionPlan | null {
  const newest = sorted.reduce((max, { maxTime }) => Math.max(max, maxTime), Number.NEGATIVE_INFINITY)
  const oldest = sorted[0]?.minTime ?? 0
  for (let step = blockMs * STEP; step <= longestMs && step <= STEP * (newest - oldest); step *= STEP) {
    for (let i = 0; i < sorted.length; ) {
      const minTime = floorTo(sorted[i]!.minTime, step)
      const windowEnd = minTime + step
      let end = i
      while (end < sorted.length && sorted[end]!.minTime < windowEnd) end++
      const inside = sorted.slice(i, end).filter(({ maxTime }) => maxTime <= windowEnd)
      i = Math.max(end, i + 1)
      // A window that may still get its last block waits.
      if (inside.length < 2 || newest <= windowEnd) continue
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

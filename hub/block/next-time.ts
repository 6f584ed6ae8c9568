/** When the next sample is, over gaps of any length. */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { createSampleBuffer, type SeriesReader } from '../tsdb/mod.ts'
import type { BlockRange } from './contract.ts'

/**
 * Of the reader's first sample in the range; Infinity when there is none. Looks ahead `spanMs` at first, and twice as far
 * each time, so that it reads about as much as it passes over.
 */
export function firstTimeIn(
  reader: SeriesReader,
  range: BlockRange,
  spanMs: number,
  matchers: readonly Matcher[] = [],
): number {
  const samples = createSampleBuffer()
  let from = range.minTime
  for (let span = spanMs; from < range.maxTime; span *= 2) {
    const maxTime = Math.min(from + span, range.maxTime) - 1
    let first = Number.POSITIVE_INFINITY
    for (const ref of reader.select(matchers, { minTime: from, maxTime })) {
      reader.read(ref, { minTime: from, maxTime: Math.min(first, maxTime) }, samples)
      if (samples.count > 0) first = Math.min(first, samples.times[0]!)
    }
    if (first < Number.POSITIVE_INFINITY) return first
    from = maxTime + 1
  }
  return Number.POSITIVE_INFINITY
}

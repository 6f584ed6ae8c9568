/**
 * Reset hints of stored counter histograms, set once per decoded series: whether a sample is known to go on from the one
 * before it. They are told from the samples themselves; what a sender said of them is not looked at, and neither are
 * resets told of, as whoever reads upstream's chunks learns of neither.
 * Semantics: Prometheus tsdb/chunkenc/float_histogram.go, appendable, histogram_meta.go, counterResetHint, and promql/histogram_stats_iterator.go.
 */
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../../../protocol/samples/mod.ts'
import type { SampleBuffer } from '../../../tsdb/contract.ts'
import { sameNumbers } from './accumulator.ts'
import { countsDecreased } from './resets.ts'

/**
 * Sets the hints in the buffer. The first sample's is unknown where the reader did not come by the one before it.
 * @param statsOnly nothing but count and sum is wanted: the buckets go, and the hints tell of resets, as without the
 * buckets nobody could find them later. Gauges keep their hint, which tells nothing of resets
 */
export function markHints(buffer: SampleBuffer, statsOnly: boolean): void {
  const { count, flags, histograms } = buffer
  if (histograms === null) return
  let before = buffer.before
  let last: Histogram | undefined
  for (let i = 0; i < count; i++) {
    const h = flags[i] === 2 ? histograms[i] : undefined
    if (h !== undefined && !h.isStale) {
      const stored = hintAfter(h, before)
      if (statsOnly) {
        histograms[i] = statsOf(h, stored === CounterResetHint.unknown ? hintAgainst(h, last) : stored)
        last = h
      } else if (stored !== h.counterResetHint) histograms[i] = { ...h, counterResetHint: stored }
    }
    before = h
  }
}

/** What a chunk says of `h` behind `before`, which is undefined where a float or nothing came before. */
function hintAfter(h: Histogram, before: Histogram | undefined): CounterResetHint {
  const { gauge, unknown, notReset } = CounterResetHint
  if (h.counterResetHint === gauge) return gauge
  // Any of these begins a chunk, of which the first sample is not compared to anything.
  const begins =
    before === undefined ||
    before.isStale ||
    before.counterResetHint === gauge ||
    h.counterResetHint === CounterResetHint.reset ||
    h.schema !== before.schema ||
    h.zeroThreshold !== before.zeroThreshold ||
    !sameNumbers(h.customValues, before.customValues) ||
    countsDecreased(h, before)
  return begins ? unknown : notReset
}

function hintAgainst(h: Histogram, last: Histogram | undefined): CounterResetHint {
  if (last === undefined) return CounterResetHint.unknown
  return countsDecreased(h, last) ? CounterResetHint.reset : CounterResetHint.notReset
}

/** The schema stays: exponential and custom buckets do not go together even where they are not looked at. */
function statsOf({ schema, count, sum }: Histogram, counterResetHint: CounterResetHint): Histogram {
  return { ...EMPTY_HISTOGRAM, isFloat: true, schema, count, sum, counterResetHint }
}

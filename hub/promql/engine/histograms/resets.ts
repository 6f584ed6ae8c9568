/**
 * Counter resets between two native histograms.
 * Semantics: Prometheus model/histogram/float_histogram.go, DetectReset.
 */
import { CounterResetHint, type Histogram, type Span } from '../../../../protocol/samples/mod.ts'
import { intersectBounds, mapToBounds, sameNumbers } from './accumulator.ts'
import { exponentialBound } from './bounds.ts'
import { type BucketList, coverOf, listBuckets, reduceResolution, sameSpans, usesCustomBuckets } from './buckets.ts'
import { trimBelow, zeroCountFor } from './zero.ts'

/** True when `current` cannot be a later state of the counter `previous`. Explicit hints decide without a look. */
export function detectReset(current: Histogram, previous: Histogram): boolean {
  if (current.counterResetHint === CounterResetHint.reset) return true
  if (current.counterResetHint === CounterResetHint.notReset) return false
  return countsDecreased(current, previous)
}

/**
 * The comparison itself, whatever the hints say: for storage, which makes the hints.
 *
 * Differs: where `current` ends early, all buckets that `previous` has beyond are looked at. Upstream's detectReset looks
 * at the first of them again and again, and misses the reset if that one is empty (`histograms.test.ts`).
 */
export function countsDecreased(current: Histogram, previous: Histogram): boolean {
  if (current.count < previous.count) return true
  const custom = usesCustomBuckets(current)
  if (custom && !usesCustomBuckets(previous)) return true
  if (haveSameLayout(current, previous)) {
    return (
      current.zeroCount < previous.zeroCount ||
      decreasedInPlace(current.positiveSpans, current.positiveBuckets, previous.positiveBuckets) ||
      decreasedInPlace(current.negativeSpans, current.negativeBuckets, previous.negativeBuckets)
    )
  }
  const mine = listBuckets(current.positiveSpans, current.positiveBuckets)
  const theirs = listBuckets(previous.positiveSpans, previous.positiveBuckets)
  if (custom) {
    if (sameNumbers(current.customValues, previous.customValues)) return decreased(mine, theirs)
    const common = intersectBounds(current.customValues, previous.customValues)
    return decreased(
      mapToBounds(mine, current.customValues, common),
      mapToBounds(theirs, previous.customValues, common),
    )
  }
  if (usesCustomBuckets(previous)) return true
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true
  const mineNegative = listBuckets(current.negativeSpans, current.negativeBuckets)
  const theirsNegative = listBuckets(previous.negativeSpans, previous.negativeBuckets)
  const zero = zeroCountFor(
    { schema: previous.schema, positive: theirs, negative: theirsNegative },
    previous.zeroCount,
    previous.zeroThreshold,
    current.zeroThreshold,
  )
  // The new threshold cuts a populated bucket, which no counter does without a restart.
  if (zero.threshold !== current.zeroThreshold || current.zeroCount < zero.count) return true
  const comparable = (list: BucketList) =>
    trimBelow(reduceResolution(list, previous.schema, current.schema), current.schema, current.zeroThreshold)
  return decreased(mine, comparable(theirs)) || decreased(mineNegative, comparable(theirsNegative))
}

/**
 * Bucket for bucket, so that their counts may be compared as they stand. Not so where the zero bucket covers others.
 * Of custom buckets, which have no zero bucket and no negative ones, neither may say otherwise.
 */
function haveSameLayout(a: Histogram, b: Histogram): boolean {
  if (
    a.schema !== b.schema ||
    a.zeroThreshold !== b.zeroThreshold ||
    !sameSpans(a.positiveSpans, b.positiveSpans) ||
    !sameSpans(a.negativeSpans, b.negativeSpans) ||
    a.positiveBuckets.length !== b.positiveBuckets.length ||
    a.negativeBuckets.length !== b.negativeBuckets.length
  ) {
    return false
  }
  if (usesCustomBuckets(a)) {
    return sameNumbers(a.customValues, b.customValues) && a.zeroCount === b.zeroCount && a.negativeSpans.length === 0
  }
  return (
    a.zeroThreshold === 0 ||
    (startsAbove(a.positiveSpans, a.schema, a.zeroThreshold) && startsAbove(a.negativeSpans, a.schema, a.zeroThreshold))
  )
}

function startsAbove(spans: readonly Span[], schema: number, threshold: number): boolean {
  return spans.length === 0 || exponentialBound(spans[0]!.offset - 1, schema) >= threshold
}

function decreasedInPlace(spans: readonly Span[], current: readonly number[], previous: readonly number[]): boolean {
  const size = coverOf(spans, current)
  for (let i = 0; i < size; i++) if (current[i]! < previous[i]!) return true
  return false
}

function decreased(current: BucketList, previous: BucketList): boolean {
  let i = 0
  for (let j = 0; j < previous.index.length; j++) {
    while (i < current.index.length && current.index[i]! < previous.index[j]!) i++
    const count = current.index[i] === previous.index[j] ? current.count[i]! : 0
    if (count < previous.count[j]!) return true
  }
  return false
}

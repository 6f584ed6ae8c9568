/**
 * Quantiles and fractions of native histograms. Interpolation is linear in custom and zero buckets, exponential in
 * exponential ones. Semantics: Prometheus promql/quantile.go, HistogramQuantile and HistogramFraction (v3.14).
 */
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import {
  allBuckets,
  type Bucket,
  coverOf,
  negativeBucketAt,
  positiveBucketAt,
  usesCustomBuckets,
  zeroBucket,
} from './buckets.ts'

/** What the NaN observations of a histogram did to the answer. */
export type NaNNote = 'result' | 'skew' | null

export function histogramQuantile(q: number, h: Histogram): { value: number; note: NaNNote } {
  if (q < 0) return { value: -Infinity, note: null }
  if (q > 1) return { value: Infinity, note: null }
  if (h.count === 0 || Number.isNaN(q)) return { value: NaN, note: null }
  const sumIsNaN = Number.isNaN(h.sum)
  const forward = sumIsNaN || q < 0.5
  const layout = layoutOf(h)
  const { size } = layout
  let rank = (forward ? q : 1 - q) * h.count
  let count = 0
  let at = 0
  let own = 0
  for (; at < size; at++) {
    own = countAt(h, layout, forward ? at : size - 1 - at)
    if (own === 0) continue
    count += own
    if (count >= rank) break
  }
  const found = Math.min(at, size - 1)
  // Only the one bucket that matters gets its bounds computed.
  const bucket = bucketAt(h, layout, forward ? found : size - 1 - found)
  const custom = usesCustomBuckets(h)
  if (custom) {
    if (bucket.lower === -Infinity) {
      if (bucket.upper <= 0) return { value: bucket.upper, note: null }
      bucket.lower = 0
    } else if (bucket.upper === Infinity) return { value: bucket.lower, note: null }
  } else if (bucket.lower < 0 && bucket.upper > 0) narrowZeroBucket(h, bucket)
  if (count > h.count) count = h.count
  if (count < rank) {
    return sumIsNaN ? { value: NaN, note: 'result' } : { value: bucket.upper, note: null }
  }
  rank = forward ? rank - (count - bucket.count) : count - rank
  let note: NaNNote = null
  if (sumIsNaN) {
    for (let i = at + 1; i < size; i++) count += countAt(h, layout, i)
    if (count < h.count) note = 'skew'
  }
  return { value: within(bucket, rank / bucket.count, custom), note }
}

/** How many buckets there are below, at and above zero: those of allBuckets, by their place in it. */
type Layout = { readonly below: number; readonly zero: number; readonly size: number }

function layoutOf(h: Histogram): Layout {
  const below = coverOf(h.negativeSpans, h.negativeBuckets)
  const zero = h.zeroCount > 0 ? 1 : 0
  return { below, zero, size: below + zero + coverOf(h.positiveSpans, h.positiveBuckets) }
}

function countAt(h: Histogram, { below, zero }: Layout, at: number): number {
  if (at < below) return h.negativeBuckets[below - 1 - at]!
  return at < below + zero ? h.zeroCount : h.positiveBuckets[at - below - zero]!
}

function bucketAt(h: Histogram, { below, zero, size }: Layout, at: number): Bucket {
  if (size === 0) return { lower: 0, upper: 0, count: 0, lowerInclusive: false, upperInclusive: false }
  if (at < below) return negativeBucketAt(h, below - 1 - at)
  return at < below + zero ? zeroBucket(h) : positiveBucketAt(h, at - below - zero)
}

function within(bucket: Bucket, fraction: number, custom: boolean): number {
  const { lower, upper } = bucket
  if (custom || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction)
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)))
}

/** A zero bucket next to buckets of one sign only holds observations of that sign. */
function narrowZeroBucket(h: Histogram, bucket: Bucket): void {
  if (h.negativeBuckets.length === 0 && h.positiveBuckets.length > 0) bucket.lower = 0
  else if (h.positiveBuckets.length === 0 && h.negativeBuckets.length > 0) bucket.upper = 0
}

/** `hasNaN` = there are NaN observations, which count in no fraction. */
export function histogramFraction(lower: number, upper: number, h: Histogram): { value: number; hasNaN: boolean } {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return { value: NaN, hasNaN: false }
  if (lower >= upper) return { value: 0, hasNaN: false }
  const custom = usesCustomBuckets(h)
  let rank = 0
  let lowerRank: number | null = null
  let upperRank: number | null = null
  const buckets = allBuckets(h)
  for (const bucket of buckets) {
    const zero = bucket.lower <= 0 && bucket.upper >= 0
    if (zero) narrowZeroBucket(h, bucket)
    const linear = custom || zero
    if (lowerRank === null && bucket.lower >= lower) lowerRank = rank
    if (upperRank === null && bucket.lower >= upper) upperRank = rank
    if (lowerRank === null && bucket.upper > lower) lowerRank = rankAt(bucket, rank, lower, linear)
    if (upperRank === null && bucket.upper > upper) upperRank = rankAt(bucket, rank, upper, linear)
    if (lowerRank !== null && upperRank !== null) break
    rank += bucket.count
  }
  let count = h.count
  let hasNaN = false
  if (Number.isNaN(h.sum)) {
    count = buckets.reduce((total, bucket) => total + bucket.count, 0)
    hasNaN = count < h.count
  }
  const from = lowerRank === null || lowerRank > count ? count : lowerRank
  const to = upperRank === null || upperRank > count ? count : upperRank
  return { value: (to - from) / h.count, hasNaN }
}

/** How many observations lie below `value`, which is inside `bucket`, when `rank` lie below the bucket. */
function rankAt(bucket: Bucket, rank: number, value: number, linear: boolean): number {
  const { lower, upper, count } = bucket
  if (linear) {
    // Nothing is known about the spread towards -Inf: the bucket counts whole, as upstream has it.
    return lower === -Infinity ? count : rank + (count * (value - lower)) / (upper - lower)
  }
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  const logValue = Math.log2(Math.abs(value))
  const fraction =
    value > 0 ? (logValue - logLower) / (logUpper - logLower) : 1 - (logValue - logUpper) / (logLower - logUpper)
  return rank + count * fraction
}

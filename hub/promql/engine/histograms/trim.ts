/**
 * `histogram </ x` and `histogram >/ x`: only the observations below or above x. The bucket around x is split by
 * interpolation, the sum is estimated anew from the middle of what is left.
 * Semantics: Prometheus model/histogram/float_histogram.go, TrimBuckets (v3.14).
 */
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import { compact } from './arithmetic.ts'
import { type Bucket, negativeBuckets, positiveBuckets, usesCustomBuckets, zeroBucket } from './buckets.ts'

type Kept = { readonly count: number; readonly middle: number }

export function trimHistogram(h: Histogram, at: number, keepBelow: boolean): Histogram {
  const linear = usesCustomBuckets(h)
  const positive = trimSide(positiveBuckets(h), at, keepBelow, true, linear)
  const negative = trimSide(negativeBuckets(h), at, keepBelow, false, linear)
  let trimmed = positive.trimmed || negative.trimmed
  let count = positive.count + negative.count
  let sum = positive.sum + negative.sum
  let zeroCount = h.zeroCount
  if (zeroCount > 0) {
    const kept = trimZero(zeroBucket(h), at, keepBelow, negative.any, positive.any)
    if (kept.count !== zeroCount) trimmed = true
    zeroCount = kept.count
    sum += kept.middle * kept.count
    count += kept.count
  }
  if (!trimmed) return h
  return compact({
    ...h,
    isFloat: true,
    count,
    sum,
    zeroCount,
    positiveBuckets: positive.counts,
    negativeBuckets: negative.counts,
  })
}

function trimSide(buckets: readonly Bucket[], at: number, keepBelow: boolean, positive: boolean, linear: boolean) {
  const out = { counts: [] as number[], count: 0, sum: 0, any: false, trimmed: false }
  for (const bucket of buckets) {
    if (bucket.count === 0) {
      out.counts.push(0)
      continue
    }
    out.any = true
    const kept = trimBucket(bucket, at, keepBelow, positive, linear)
    out.counts.push(kept.count)
    if (kept.count !== bucket.count) out.trimmed = true
    out.count += kept.count
    out.sum += kept.middle * kept.count
  }
  return out
}

function trimBucket(bucket: Bucket, at: number, keepBelow: boolean, positive: boolean, linear: boolean): Kept {
  const { lower, upper, count } = bucket
  const whole = keepBelow ? upper <= at : lower >= at
  if (whole) return { count, middle: middleOf(lower, upper, positive, linear) }
  const touched = keepBelow ? lower < at : upper > at
  if (!touched) return { count: 0, middle: 0 }
  if (lower === -Infinity) return trimFromMinusInfinity(bucket, at, keepBelow)
  if (upper === Infinity) return trimToInfinity(bucket, at, keepBelow)
  const below = count * fractionBelow(bucket, at, positive, linear)
  return keepBelow
    ? { count: below, middle: middleOf(lower, at, positive, linear) }
    : { count: count - below, middle: middleOf(at, upper, positive, linear) }
}

/** Nothing is known of the spread towards -Inf, unless the bucket reaches above 0: then 0 is taken as its start. */
function trimFromMinusInfinity({ upper, count }: Bucket, at: number, keepBelow: boolean): Kept {
  const finite = upper !== Infinity
  if (keepBelow) {
    if (at > 0 && upper > 0 && finite) return { count: (count * at) / upper, middle: at / 2 }
    if (upper <= 0) return { count, middle: at }
    return { count: 0, middle: 0 }
  }
  if (at === -Infinity) return { count, middle: 0 }
  if (at >= 0 && upper > at && finite) return { count: count * (1 - at / upper), middle: (at + upper) / 2 }
  return { count: 0, middle: 0 }
}

function trimToInfinity({ lower, count }: Bucket, at: number, keepBelow: boolean): Kept {
  return !keepBelow && at >= lower ? { count, middle: at } : { count: 0, middle: 0 }
}

function fractionBelow({ lower, upper }: Bucket, at: number, positive: boolean, linear: boolean): number {
  if (linear) return (at - lower) / (upper - lower)
  const logLower = Math.log2(Math.abs(lower))
  const logUpper = Math.log2(Math.abs(upper))
  const logAt = Math.log2(Math.abs(at))
  return positive ? (logAt - logLower) / (logUpper - logLower) : 1 - (logAt - logUpper) / (logLower - logUpper)
}

function trimZero(bucket: Bucket, at: number, keepBelow: boolean, hasNegative: boolean, hasPositive: boolean): Kept {
  const { count } = bucket
  const lower = hasPositive && !hasNegative ? 0 : bucket.lower
  const upper = hasNegative && !hasPositive ? 0 : bucket.upper
  const middle = (lower + upper) / 2
  if (keepBelow) {
    if (at <= lower) return { count: 0, middle: 0 }
    if (at >= upper) return { count, middle }
    return { count: (count * (at - lower)) / (upper - lower), middle: (lower + at) / 2 }
  }
  if (at <= lower) return { count, middle }
  if (at >= upper) return { count: 0, middle: 0 }
  return { count: (count * (upper - at)) / (upper - lower), middle: (at + upper) / 2 }
}

function middleOf(lower: number, upper: number, positive: boolean, linear: boolean): number {
  if (!Number.isFinite(lower)) {
    if (!Number.isFinite(upper)) return 0
    return upper > 0 ? upper / 2 : upper
  }
  if (!Number.isFinite(upper)) return lower
  if (linear) return (lower + upper) / 2
  const mean = Math.sqrt(Math.abs(lower * upper))
  return positive ? mean : -mean
}

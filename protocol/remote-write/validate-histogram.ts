/**
 * Whether a native histogram is one: what is wrong with it would be found by the first query that walks its buckets.
 * Semantics: Prometheus model/histogram, Histogram.Validate and FloatHistogram.Validate (v3.5); schemas as of v3.14.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../samples/mod.ts'

const SCHEMA_MIN = -4
const SCHEMA_MAX = 8
/** A histogram with more is refused: upstream's largest have some hundred. */
const BUCKETS_MAX = 1 << 16

/** What is wrong, in upstream's words; null when nothing is. */
export function histogramProblem(h: Histogram): string | null {
  if (h.isStale) return null
  return shapeProblem(h) ?? countProblem(h)
}

function shapeProblem(h: Histogram): string | null {
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) return customProblem(h)
  if (!Number.isInteger(h.schema) || h.schema < SCHEMA_MIN || h.schema > SCHEMA_MAX)
    return `histogram has an invalid schema, which must be between ${SCHEMA_MIN} and ${SCHEMA_MAX} for exponential buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${h.schema}`
  const positive = spansProblem(h.positiveSpans, h.positiveBuckets.length)
  if (positive !== null) return `positive side: ${positive}`
  const negative = spansProblem(h.negativeSpans, h.negativeBuckets.length)
  if (negative !== null) return `negative side: ${negative}`
  const counts = bucketsProblem('negative', h.negativeBuckets)
  if (counts !== null) return counts
  return h.customValues.length > 0 ? 'histogram with exponential schema must not have custom bounds' : null
}

function customProblem(h: Histogram): string | null {
  const bounds = h.customValues
  for (let i = 1; i < bounds.length; i++)
    if (bounds[i]! <= bounds[i - 1]!)
      return `custom buckets: previous bound is ${asPercentF(bounds[i - 1]!)} and current is ${asPercentF(bounds[i]!)}: histogram custom bounds must be in strictly increasing order`
  if (bounds.at(-1) === Number.POSITIVE_INFINITY)
    return 'custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite'
  if (bounds.some((bound) => Number.isNaN(bound))) return 'custom buckets: a bound is NaN'
  // The first offset is one from the first bound, so that it cannot be negative either.
  if ((h.positiveSpans[0]?.offset ?? 0) < 0)
    return `custom buckets: span number 1 with offset ${h.positiveSpans[0]!.offset}: histogram has a span whose offset is negative`
  const spans = spansProblem(h.positiveSpans, h.positiveBuckets.length)
  if (spans !== null) return `custom buckets: ${spans}`
  const total = h.positiveSpans.reduce((sum, { offset, length }) => sum + offset + length, 0)
  if (bounds.length + 1 < total)
    return `custom buckets: only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${total}: histogram custom bounds are too few`
  if (h.zeroCount !== 0) return 'custom buckets: must have zero count of 0'
  if (h.zeroThreshold !== 0) return 'custom buckets: must have zero threshold of 0'
  if (h.negativeSpans.length > 0) return 'custom buckets: must not have negative spans'
  if (h.negativeBuckets.length > 0) return 'custom buckets: must not have negative buckets'
  return null
}

function spansProblem(spans: readonly Span[], buckets: number): string | null {
  let wanted = 0
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0)
      return `span number ${i + 1} with offset ${offset}: histogram has a span whose offset is negative`
    wanted += length
  }
  if (wanted !== buckets)
    return `spans need ${wanted} buckets, have ${buckets} buckets: histogram spans specify different number of buckets than provided`
  return buckets > BUCKETS_MAX ? `${buckets} buckets, at most ${BUCKETS_MAX} are allowed` : null
}

function bucketsProblem(side: string, buckets: readonly number[]): string | null {
  const at = buckets.findIndex((count) => count < 0)
  if (at < 0) return null
  return `${side} side: bucket number ${at + 1} has observation count of ${buckets[at]}: histogram has a bucket whose observation count is negative`
}

/** As Go's `%f`. */
function asPercentF(value: number): string {
  if (Number.isFinite(value)) return value.toFixed(6)
  return value > 0 ? '+Inf' : '-Inf'
}

function countProblem(h: Histogram): string | null {
  const problem = bucketsProblem('negative', h.negativeBuckets) ?? bucketsProblem('positive', h.positiveBuckets)
  if (problem !== null) return problem
  let inBuckets = h.zeroCount
  for (const count of h.negativeBuckets) inBuckets += count
  for (const count of h.positiveBuckets) inBuckets += count
  // Of floats, the sum is not exact.
  if (h.isFloat || !Number.isSafeInteger(inBuckets)) return null
  const found = `${inBuckets} observations found in buckets, but the Count field is ${h.count}`
  if (Number.isNaN(h.sum))
    // NaN is observed, and falls into no bucket.
    return inBuckets > h.count
      ? `${found}: histogram's observation count should be at least the number of observations found in the buckets`
      : null
  return inBuckets === h.count
    ? null
    : `${found}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`
}

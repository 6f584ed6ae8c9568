/**
 * Buckets of native histograms: spans to sorted index/count lists and back, bounds, changes of resolution, and the
 * walk over all buckets from low to high. Semantics: Prometheus model/histogram, generic.go and float_histogram.go.
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../../../../protocol/samples/mod.ts'
import { exponentialBound } from './bounds.ts'

/** Ascending bucket indices with their counts: the working form of one side of a histogram. */
export type BucketList = { readonly index: number[]; readonly count: number[] }

/** A bucket with its bounds, as a walk over a histogram sees it. */
export type Bucket = {
  lower: number
  upper: number
  readonly count: number
  readonly lowerInclusive: boolean
  readonly upperInclusive: boolean
}

export const usesCustomBuckets = (h: Pick<Histogram, 'schema'>): boolean => h.schema === CUSTOM_BUCKETS_SCHEMA

export function listBuckets(spans: readonly Span[], counts: readonly number[]): BucketList {
  // In their final size at once: 0.09 µs for 22 buckets, where lists that grow as they are filled took 0.3.
  const count = counts.slice()
  const index = counts.slice()
  let at = 0
  let next = 0
  for (const span of spans) {
    at += span.offset
    for (let i = 0; i < span.length && next < counts.length; i++) index[next++] = at++
  }
  // Spans that cover less than there are counts.
  if (next < count.length) count.length = index.length = next
  return { index, count }
}

/** Spans and counts without empty buckets: what Compact(0) gives. */
export function packBuckets(list: BucketList): { spans: Span[]; counts: number[] } {
  const spans: { offset: number; length: number }[] = []
  const counts: number[] = []
  let end = 0
  for (let i = 0; i < list.index.length; i++) {
    const count = list.count[i]!
    if (count === 0) continue
    const at = list.index[i]!
    const last = spans[spans.length - 1]
    if (last !== undefined && at === end) last.length++
    else spans.push({ offset: last === undefined ? at : at - end, length: 1 })
    counts.push(count)
    end = at + 1
  }
  return { spans, counts }
}

/** The same observations at a lower resolution; `target` <= `schema`. */
export function reduceResolution(list: BucketList, schema: number, target: number): BucketList {
  if (schema === target) return list
  const factor = 2 ** (schema - target)
  const index: number[] = []
  const count: number[] = []
  for (let i = 0; i < list.index.length; i++) {
    const at = Math.floor((list.index[i]! - 1) / factor) + 1
    if (index.length > 0 && index[index.length - 1] === at) count[count.length - 1]! += list.count[i]!
    else {
      index.push(at)
      count.push(list.count[i]!)
    }
  }
  return { index, count }
}

export function customBound(index: number, bounds: readonly number[]): number {
  if (index < 0) return -Infinity
  return index < bounds.length ? bounds[index]! : Infinity
}

export function positiveBuckets(h: Histogram): Bucket[] {
  const { index, count } = listBuckets(h.positiveSpans, h.positiveBuckets)
  const custom = usesCustomBuckets(h)
  return index.map((at, i) => {
    const lower = custom ? customBound(at - 1, h.customValues) : exponentialBound(at - 1, h.schema)
    const upper = custom ? customBound(at, h.customValues) : exponentialBound(at, h.schema)
    return { lower, upper, count: count[i]!, lowerInclusive: custom ? at === 0 : false, upperInclusive: true }
  })
}

/** From the bucket next to zero downwards. */
export function negativeBuckets(h: Histogram): Bucket[] {
  const { index, count } = listBuckets(h.negativeSpans, h.negativeBuckets)
  return index.map((at, i) => ({
    lower: -exponentialBound(at, h.schema),
    upper: -exponentialBound(at - 1, h.schema),
    count: count[i]!,
    lowerInclusive: true,
    upperInclusive: false,
  }))
}

export function zeroBucket(h: Histogram): Bucket {
  return {
    lower: -h.zeroThreshold,
    upper: h.zeroThreshold,
    count: h.zeroCount,
    lowerInclusive: true,
    upperInclusive: true,
  }
}

/** All buckets in ascending order; those that overlap the zero bucket are cut at its threshold. */
export function allBuckets(h: Histogram): Bucket[] {
  const threshold = h.zeroThreshold
  const out: Bucket[] = []
  const negative = negativeBuckets(h)
  for (let i = negative.length - 1; i >= 0; i--) {
    const bucket = negative[i]!
    if (bucket.upper < 0 && bucket.upper > -threshold) bucket.upper = -threshold
    out.push(bucket)
  }
  if (h.zeroCount > 0) out.push(zeroBucket(h))
  for (const bucket of positiveBuckets(h)) {
    if (bucket.lower > 0 && bucket.lower < threshold) bucket.lower = threshold
    out.push(bucket)
  }
  return out
}

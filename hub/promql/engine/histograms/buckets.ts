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
  const size = coverOf(spans, counts)
  return { index: listIndices(spans, size), count: size === counts.length ? counts.slice() : counts.slice(0, size) }
}

/** Of the first `size` buckets. */
export function listIndices(spans: readonly Span[], size: number): number[] {
  const index = new Array<number>(size)
  let at = 0
  let next = 0
  for (let s = 0; s < spans.length; s++) {
    const span = spans[s]!
    at += span.offset
    for (let i = 0; i < span.length && next < size; i++) index[next++] = at++
  }
  return index
}

/** How many buckets there are: spans may cover fewer, or more, than there are counts. */
export function coverOf(spans: readonly Span[], counts: readonly number[]): number {
  let covered = 0
  for (let i = 0; i < spans.length; i++) covered += spans[i]!.length
  return covered < counts.length ? covered : counts.length
}

export function sameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i]!.length !== b[i]!.length || a[i]!.offset !== b[i]!.offset) return false
  return true
}

/** Such spans as packBuckets makes: none is empty, none adjoins the next. */
export function isPacked(spans: readonly Span[]): boolean {
  for (let i = 0; i < spans.length; i++) {
    if (spans[i]!.length <= 0 || (i > 0 && spans[i]!.offset <= 0)) return false
  }
  return true
}

/** Lists of doubles by their length: a copy of one is a fifth of the time of a list that grows as it is filled. */
const blanks: number[][] = []
const BLANKS_MAX = 256

/** A list to be filled, of undefined content. */
export function newCounts(size: number): number[] {
  if (size >= BLANKS_MAX) return new Array<number>(size)
  let blank = blanks[size]
  if (blank === undefined) {
    blank = []
    // Not 0, which would make it a list of small integers.
    while (blank.length < size) blank.push(0.5)
    blanks[size] = blank
  }
  return blank.slice()
}

export type PackedBuckets = { readonly spans: readonly Span[]; readonly counts: number[] }

/** Spans and counts, which without the empty buckets are what Compact(0) gives. `count` may go on behind the end of `index`. */
export function packBuckets(
  list: { readonly index: readonly number[]; readonly count: ArrayLike<number> },
  keepsEmpty = false,
): PackedBuckets {
  const { index, count: all } = list
  let kept = 0
  for (let i = 0; i < index.length; i++) if (all[i] !== 0 || keepsEmpty) kept++
  const spans: { offset: number; length: number }[] = []
  const counts = newCounts(kept)
  let to = 0
  let end = 0
  for (let i = 0; i < index.length; i++) {
    const count = all[i]!
    if (count === 0 && !keepsEmpty) continue
    const at = index[i]!
    if (to > 0 && at === end) spans[spans.length - 1]!.length++
    else spans.push({ offset: to === 0 ? at : at - end, length: 1 })
    counts[to++] = count
    end = at + 1
  }
  return { spans, counts }
}

/** The same without a look at the layout where nothing is to be left out. */
export function packSide(spans: readonly Span[], counts: readonly number[]): PackedBuckets {
  if (coverOf(spans, counts) === counts.length && !counts.includes(0) && isPacked(spans)) {
    return { spans, counts: counts as number[] }
  }
  return packBuckets(listBuckets(spans, counts))
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
  return listIndices(h.positiveSpans, coverOf(h.positiveSpans, h.positiveBuckets)).map((at, i) =>
    positiveBucket(h, at, h.positiveBuckets[i]!),
  )
}

/** From the bucket next to zero downwards. */
export function negativeBuckets(h: Histogram): Bucket[] {
  return listIndices(h.negativeSpans, coverOf(h.negativeSpans, h.negativeBuckets)).map((at, i) =>
    negativeBucket(h, at, h.negativeBuckets[i]!),
  )
}

function positiveBucket(h: Histogram, at: number, count: number): Bucket {
  const custom = usesCustomBuckets(h)
  const lower = custom ? customBound(at - 1, h.customValues) : exponentialBound(at - 1, h.schema)
  const upper = custom ? customBound(at, h.customValues) : exponentialBound(at, h.schema)
  return { lower, upper, count, lowerInclusive: custom ? at === 0 : false, upperInclusive: true }
}

function negativeBucket(h: Histogram, at: number, count: number): Bucket {
  const lower = -exponentialBound(at, h.schema)
  const upper = -exponentialBound(at - 1, h.schema)
  return { lower, upper, count, lowerInclusive: true, upperInclusive: false }
}

/** The i-th of the positive buckets, cut where it overlaps the zero bucket. */
export function positiveBucketAt(h: Histogram, i: number): Bucket {
  return cutBelow(positiveBucket(h, indexAt(h.positiveSpans, i), h.positiveBuckets[i]!), h.zeroThreshold)
}

/** The i-th from zero downwards of the negative buckets, cut where it overlaps the zero bucket. */
export function negativeBucketAt(h: Histogram, i: number): Bucket {
  return cutAbove(negativeBucket(h, indexAt(h.negativeSpans, i), h.negativeBuckets[i]!), -h.zeroThreshold)
}

function indexAt(spans: readonly Span[], i: number): number {
  let at = 0
  let left = i
  for (let s = 0; s < spans.length; s++) {
    const { offset, length } = spans[s]!
    at += offset
    if (left < length) return at + left
    at += length
    left -= length
  }
  return at
}

function cutBelow(bucket: Bucket, bound: number): Bucket {
  if (bucket.lower > 0 && bucket.lower < bound) bucket.lower = bound
  return bucket
}

function cutAbove(bucket: Bucket, bound: number): Bucket {
  if (bucket.upper < 0 && bucket.upper > bound) bucket.upper = bound
  return bucket
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
  const out: Bucket[] = []
  const negative = negativeBuckets(h)
  for (let i = negative.length - 1; i >= 0; i--) out.push(cutAbove(negative[i]!, -h.zeroThreshold))
  if (h.zeroCount > 0) out.push(zeroBucket(h))
  for (const bucket of positiveBuckets(h)) out.push(cutBelow(bucket, h.zeroThreshold))
  return out
}

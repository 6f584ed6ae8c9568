/**
 * The sum of two exponential histograms: at the coarser of their scales, or a coarser one still where it would have more
 * than 160 buckets, with the wider of their zero buckets.
 * Semantics: OpenTelemetry collector contrib, processor/deltatocumulativeprocessor, internal/data/add.go and expo.
 */
import type { OtlpBuckets, OtlpPoint } from './model.ts'

const MAX_BUCKETS = 160

export function addExponential(a: OtlpPoint, b: OtlpPoint): OtlpPoint {
  const scale = Math.min(a.scale, b.scale)
  const shift = Math.max(
    shiftFor(coarser(a.positive, a.scale - scale), coarser(b.positive, b.scale - scale)),
    shiftFor(coarser(a.negative, a.scale - scale), coarser(b.negative, b.scale - scale)),
  )
  const threshold = Math.max(a.zeroThreshold, b.zeroThreshold)
  const left = widenZero(atScale(a, scale - shift), threshold)
  const right = widenZero(atScale(b, scale - shift), threshold)
  return {
    ...left,
    zeroThreshold: Math.max(left.zeroThreshold, right.zeroThreshold),
    count: a.count + b.count,
    sum: a.sum === null || b.sum === null ? null : a.sum + b.sum,
    zeroCount: left.zeroCount + right.zeroCount,
    positive: merge(left.positive, right.positive),
    negative: merge(left.negative, right.negative),
  }
}

function atScale(point: OtlpPoint, scale: number): OtlpPoint {
  const by = point.scale - scale
  if (by === 0) return point
  return { ...point, scale, positive: coarser(point.positive, by), negative: coarser(point.negative, by) }
}

/** Each step puts two neighbours together: buckets 2i and 2i+1 are i. */
function coarser({ offset, counts }: OtlpBuckets, steps: number): OtlpBuckets {
  const first = indexAfter(offset, steps)
  if (steps === 0 || counts.length === 0) return { offset: first, counts }
  const out = new Array<number>(indexAfter(offset + counts.length - 1, steps) - first + 1).fill(0)
  for (const [i, count] of counts.entries()) {
    const at = indexAfter(offset + i, steps) - first
    out[at] = out[at]! + count
  }
  return { offset: first, counts: out }
}

/** No shift, which would take the number of steps modulo 32: scales may be as far from one another as they like. */
const indexAfter = (index: number, steps: number): number => Math.floor(index / 2 ** Math.min(steps, 64))

/** How many steps coarser the two must be for their sum to keep to the limit. */
function shiftFor(a: OtlpBuckets, b: OtlpBuckets): number {
  let [low, high] = filledRange([a, b])
  if (low > high) return 0
  let shift = 0
  for (; high - low > MAX_BUCKETS; shift++) {
    low = indexAfter(low, 1)
    high = indexAfter(high, 1)
  }
  return shift
}

/** Puts what is not beyond `threshold` into the zero bucket, which then ends where a bucket does. */
function widenZero(point: OtlpPoint, threshold: number): OtlpPoint {
  if (threshold <= point.zeroThreshold) return point
  const last = indexOf(threshold, point.scale)
  let { zeroCount } = point
  const rest = ({ offset, counts }: OtlpBuckets): OtlpBuckets => {
    const gone = Math.max(0, Math.min(counts.length, last + 1 - offset))
    for (let i = 0; i < gone; i++) zeroCount += counts[i]!
    return { offset: offset + gone, counts: counts.slice(gone) }
  }
  const positive = rest(point.positive)
  const negative = rest(point.negative)
  return { ...point, positive, negative, zeroCount, zeroThreshold: lowerBound(last + 1, point.scale) }
}

/** Of the bucket `(lower, upper]` that the value falls into. */
function indexOf(value: number, scale: number): number {
  const exponent = Math.log2(value)
  // Powers of two are upper bounds of their buckets, and exact.
  if (Number.isInteger(exponent) && 2 ** exponent === value) return Math.ceil(exponent * 2 ** scale) - 1
  return Math.floor(exponent * 2 ** scale)
}

const lowerBound = (index: number, scale: number): number => 2 ** (index * 2 ** -scale)

/** Of `shiftFor`, so that what is between the first and the last that are not empty is short. */
function merge(a: OtlpBuckets, b: OtlpBuckets): OtlpBuckets {
  if (a.counts.length === 0) return b
  if (b.counts.length === 0) return a
  const [low, high] = filledRange([a, b])
  if (low > high) return a
  const counts = new Array<number>(high - low).fill(0)
  for (const { offset, counts: added } of [a, b])
    for (const [i, count] of added.entries()) if (count !== 0) counts[offset - low + i]! += count
  return { offset: low, counts }
}

/** From the first bucket that is not empty to behind the last; the wrong way round when there is none. */
function filledRange(all: readonly OtlpBuckets[]): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { offset, counts } of all)
    for (const [i, count] of counts.entries())
      if (count !== 0) {
        low = Math.min(low, offset + i)
        high = Math.max(high, offset + i + 1)
      }
  return [low, high]
}

/**
 * Arithmetic on whole native histograms; every result is a new value without empty buckets.
 * Semantics: Prometheus model/histogram/float_histogram.go.
 */
import { CounterResetHint, type Histogram, type Span } from '../../../../protocol/samples/mod.ts'
import { HistogramAccumulator, sameNumbers } from './accumulator.ts'
import {
  coverOf,
  isPacked,
  listIndices,
  newCounts,
  type PackedBuckets,
  packBuckets,
  packSide,
  sameSpans,
} from './buckets.ts'

export type Combined = { readonly h: Histogram; readonly collision: boolean; readonly reconciled: boolean }

const total = new HistogramAccumulator()

/** a + b or a - b; null when one is exponential and the other has custom buckets. */
export function combine(a: Histogram, b: Histogram, sign: 1 | -1): Combined | null {
  const added = total.start(a).add(b, sign)
  return added === 'incompatible' ? null : { h: total.result(), ...added }
}

export function compact(h: Histogram): Histogram {
  const positive = packSide(h.positiveSpans, h.positiveBuckets)
  const negative = packSide(h.negativeSpans, h.negativeBuckets)
  return {
    ...h,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  }
}

/** A negative factor makes a gauge. */
export function multiply(h: Histogram, factor: number): Histogram {
  return scaled(h, factor, 1)
}

/** As multiply() by -1, but for the empty buckets, which stay: a quantile of a negative histogram may end in one. */
export function negate(h: Histogram): Histogram {
  return {
    ...h,
    isFloat: true,
    counterResetHint: CounterResetHint.gauge,
    zeroCount: -h.zeroCount,
    count: -h.count,
    sum: -h.sum,
    positiveBuckets: h.positiveBuckets.map((count) => -count),
    negativeBuckets: h.negativeBuckets.map((count) => -count),
  }
}

/** Division by zero removes the buckets. */
export function divide(h: Histogram, divisor: number): Histogram {
  const out = scaled(h, 1, divisor)
  if (divisor !== 0) return out
  return { ...out, positiveSpans: [], positiveBuckets: [], negativeSpans: [], negativeBuckets: [] }
}

export function withHint(h: Histogram, hint: CounterResetHint): Histogram {
  return h.counterResetHint === hint ? h : { ...h, counterResetHint: hint }
}

/** Equality of data, bit for bit; the reset hint does not count. As FloatHistogram.Equals. */
export function equalHistograms(a: Histogram, b: Histogram): boolean {
  if (
    a.schema !== b.schema ||
    !Object.is(a.count, b.count) ||
    !Object.is(a.sum, b.sum) ||
    a.zeroThreshold !== b.zeroThreshold ||
    !Object.is(a.zeroCount, b.zeroCount) ||
    !sameNumbers(a.customValues, b.customValues)
  ) {
    return false
  }
  return (
    sameBits(a.positiveBuckets, b.positiveBuckets) &&
    sameBits(a.negativeBuckets, b.negativeBuckets) &&
    sameLayout(a.positiveSpans, b.positiveSpans, a.positiveBuckets) &&
    sameLayout(a.negativeSpans, b.negativeSpans, a.negativeBuckets)
  )
}

/** Different spans may still mean the same buckets. */
function sameLayout(a: readonly Span[], b: readonly Span[], counts: readonly number[]): boolean {
  return sameSpans(a, b) || sameNumbers(listIndices(a, coverOf(a, counts)), listIndices(b, coverOf(b, counts)))
}

function sameBits(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => Object.is(x, b[i]))
}

/** One of the two numbers is 1. */
function scaled(h: Histogram, factor: number, divisor: number): Histogram {
  const positive = scaledSide(h.positiveSpans, h.positiveBuckets, factor, divisor)
  const negative = scaledSide(h.negativeSpans, h.negativeBuckets, factor, divisor)
  return {
    isFloat: true,
    isStale: h.isStale,
    counterResetHint: factor < 0 || divisor < 0 ? CounterResetHint.gauge : h.counterResetHint,
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: (h.zeroCount * factor) / divisor,
    count: (h.count * factor) / divisor,
    sum: (h.sum * factor) / divisor,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
    customValues: h.customValues,
  }
}

function scaledSide(spans: readonly Span[], counts: readonly number[], factor: number, divisor: number): PackedBuckets {
  const size = coverOf(spans, counts)
  const out = newCounts(size)
  let hasEmpty = false
  for (let i = 0; i < size; i++) {
    const count = (counts[i]! * factor) / divisor
    if (count === 0) hasEmpty = true
    out[i] = count
  }
  if (!hasEmpty && size === counts.length && isPacked(spans)) return { spans, counts: out }
  return packBuckets({ index: listIndices(spans, size), count: out })
}

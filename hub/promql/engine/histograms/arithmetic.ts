/**
 * Arithmetic on whole native histograms; every result is a new value without empty buckets.
 * Semantics: Prometheus model/histogram/float_histogram.go.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { HistogramAccumulator, sameNumbers } from './accumulator.ts'
import { listBuckets, packBuckets } from './buckets.ts'

export type Combined = { readonly h: Histogram; readonly collision: boolean; readonly reconciled: boolean }

/** a + b or a - b; null when one is exponential and the other has custom buckets. */
export function combine(a: Histogram, b: Histogram, sign: 1 | -1): Combined | null {
  const sum = new HistogramAccumulator(a)
  const added = sum.add(b, sign)
  return added === 'incompatible' ? null : { h: sum.result(), ...added }
}

export function compact(h: Histogram): Histogram {
  const positive = packBuckets(listBuckets(h.positiveSpans, h.positiveBuckets))
  const negative = packBuckets(listBuckets(h.negativeSpans, h.negativeBuckets))
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
  return scaled(h, (x) => x * factor, factor < 0)
}

/** Division by zero removes the buckets. */
export function divide(h: Histogram, divisor: number): Histogram {
  const out = scaled(h, (x) => x / divisor, divisor < 0)
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
    sameNumbers(
      listBuckets(a.positiveSpans, a.positiveBuckets).index,
      listBuckets(b.positiveSpans, b.positiveBuckets).index,
    ) &&
    sameNumbers(
      listBuckets(a.negativeSpans, a.negativeBuckets).index,
      listBuckets(b.negativeSpans, b.negativeBuckets).index,
    )
  )
}

function sameBits(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => Object.is(x, b[i]))
}

function scaled(h: Histogram, f: (x: number) => number, gauge: boolean): Histogram {
  const out = {
    ...h,
    isFloat: true,
    counterResetHint: gauge ? CounterResetHint.gauge : h.counterResetHint,
    zeroCount: f(h.zeroCount),
    count: f(h.count),
    sum: f(h.sum),
    positiveBuckets: h.positiveBuckets.map(f),
    negativeBuckets: h.negativeBuckets.map(f),
  }
  return compact(out)
}

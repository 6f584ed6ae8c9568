/**
 * Exponential and explicit histograms as native ones.
 * Semantics: Prometheus storage/remote/otlptranslator/prometheusremotewrite/histograms.go (v3.14).
 */
import { CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../samples/mod.ts'
import type { OtlpPoint } from './model.ts'

const DEFAULT_ZERO_THRESHOLD = 1e-128
const MAX_SCHEMA = 8
const MIN_SCHEMA = -4
/** Smaller gaps between buckets are filled with empty ones: a span costs more. */
const MAX_GAP = 2

/** @throws Error for a scale that cannot be represented */
export function exponentialHistogram(point: OtlpPoint): Histogram {
  if (point.scale < MIN_SCHEMA)
    throw new Error(
      `cannot convert exponential to native histogram. Scale must be >= ${MIN_SCHEMA}, was ${point.scale}`,
    )
  const scaleDown = Math.max(0, point.scale - MAX_SCHEMA)
  const positive = layout(point.positive.counts, point.positive.offset, scaleDown, 1)
  const negative = layout(point.negative.counts, point.negative.offset, scaleDown, 1)
  return {
    ...common(point),
    schema: Math.min(point.scale, MAX_SCHEMA),
    zeroThreshold: point.zeroThreshold === 0 ? DEFAULT_ZERO_THRESHOLD : point.zeroThreshold,
    zeroCount: point.zeroCount,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
    customValues: [],
  }
}

export function customBucketsHistogram(point: OtlpPoint): Histogram {
  const first = Math.max(
    0,
    point.bucketCounts.findIndex((count) => count !== 0),
  )
  const { spans, counts } = layout(point.bucketCounts.slice(first), first, 0, 0)
  return {
    ...common(point),
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    positiveSpans: spans,
    positiveBuckets: counts,
    negativeSpans: [],
    negativeBuckets: [],
    customValues: point.bounds,
  }
}

function common(point: OtlpPoint): Pick<Histogram, 'isFloat' | 'isStale' | 'counterResetHint' | 'count' | 'sum'> {
  return {
    isFloat: false,
    isStale: (point.flags & 1) !== 0,
    counterResetHint: CounterResetHint.unknown,
    count: point.count,
    sum: point.sum ?? 0,
  }
}

/** @param shift bucket 0 of OTLP is (1, base], which is bucket 1 of Prometheus */
function layout(
  dense: readonly number[],
  offset: number,
  scaleDown: number,
  shift: number,
): { spans: Span[]; counts: number[] } {
  const merged = new Map<number, number>()
  // More than that changes nothing, and shifts take their count modulo 32.
  const steps = Math.min(scaleDown, 31)
  for (let i = 0; i < dense.length; i++) {
    if (dense[i] === 0) continue
    const index = ((offset + i) >> steps) + shift
    merged.set(index, (merged.get(index) ?? 0) + dense[i]!)
  }
  const spans: { offset: number; length: number }[] = []
  const counts: number[] = []
  let next = 0
  for (const [index, count] of merged) {
    const gap = index - next
    if (spans.length === 0 || gap > MAX_GAP) spans.push({ offset: gap, length: 0 })
    else
      for (let i = 0; i < gap; i++) {
        counts.push(0)
        spans.at(-1)!.length++
      }
    counts.push(count)
    spans.at(-1)!.length++
    next = index + 1
  }
  return { spans, counts }
}

/** Equality as test scripts mean it: nearly equal floats, histograms without empty buckets. */

import type { Histogram, Span } from '../../../protocol/samples/mod.ts'
import { isStaleAt } from '../../../protocol/samples/mod.ts'
import { compact } from '../engine/histograms/arithmetic.ts'
import { printHistogram, type SequenceValue } from '../series-description/mod.ts'

const EPSILON = 1e-6
const MIN_NORMAL = 2.2250738585072014e-308

/** Semantics: Prometheus util/almost.Equal. */
export function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true
  const difference = Math.abs(a - b)
  const sum = Math.abs(a) + Math.abs(b)
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < EPSILON * MIN_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON
}

/** What a query gave at one step of one series. */
export type Point =
  | { readonly kind: 'float'; readonly value: number; readonly stale: boolean }
  | { readonly kind: 'histogram'; readonly histogram: Histogram }

/** @returns what differs, or null */
export function comparePoint(want: SequenceValue, got: Point): string | null {
  if (want.kind === 'histogram') {
    if (got.kind !== 'histogram') return `expected histogram ${printHistogram(want.histogram)} but got ${got.value}`
    if (sameHistogram(want.histogram, got.histogram, want.hintSet)) return null
    return `expected ${printHistogram(want.histogram)} but got ${printHistogram(compact(got.histogram))}`
  }
  const wanted = want.kind === 'float' ? String(want.value) : want.kind
  if (got.kind === 'histogram') return `expected float ${wanted} but got histogram ${printHistogram(got.histogram)}`
  if (want.kind === 'stale') return got.stale ? null : `expected a stale marker but got ${got.value}`
  if (want.kind === 'float' && !got.stale && almostEqual(want.value, got.value)) return null
  return `expected ${wanted} but got ${got.stale ? 'a stale marker' : got.value}`
}

export function pointAt(
  values: Float64Array<ArrayBufferLike>,
  histograms: readonly (Histogram | undefined)[] | null,
  i: number,
): Point {
  const histogram = histograms?.[i]
  if (histogram) return { kind: 'histogram', histogram }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  return { kind: 'float', value: values[i]!, stale: isStaleAt(words, i) }
}

export function sameHistogram(wantRaw: Histogram, gotRaw: Histogram, withHint: boolean): boolean {
  const want = compact(wantRaw)
  const got = compact(gotRaw)
  return (
    want.schema === got.schema &&
    almostEqual(want.count, got.count) &&
    almostEqual(want.sum, got.sum) &&
    want.zeroThreshold === got.zeroThreshold &&
    almostEqual(want.zeroCount, got.zeroCount) &&
    sameList(want.customValues, got.customValues, (a, b) => a === b) &&
    sameSpans(want.positiveSpans, got.positiveSpans) &&
    sameSpans(want.negativeSpans, got.negativeSpans) &&
    sameList(want.positiveBuckets, got.positiveBuckets, almostEqual) &&
    sameList(want.negativeBuckets, got.negativeBuckets, almostEqual) &&
    (!withHint || want.counterResetHint === got.counterResetHint)
  )
}

function sameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return sameList(a, b, (x, y) => x.offset === y.offset && x.length === y.length)
}

function sameList<T>(a: readonly T[], b: readonly T[], equal: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((x, i) => equal(x, b[i]!))
}

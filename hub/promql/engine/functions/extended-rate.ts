/**
 * rate(), increase(), delta() over `anchored` and `smoothed` ranges: no extrapolation; the value at each bound is the
 * sample at or before it (anchored) or interpolated (smoothed).
 * Semantics: Prometheus promql/functions.go, extendedRate and extendedHistogramRate (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { combine, divide, multiply } from '../histograms/arithmetic.ts'
import { usesCustomBuckets } from '../histograms/buckets.ts'
import { detectReset } from '../histograms/resets.ts'
import { FLOAT, type Series, setHistogram } from '../types.ts'
import type { Windows } from '../windows.ts'
import {
  infoReconciled,
  type Notes,
  notesOf,
  type RangeCall,
  warnMixed,
  warnMixedSchemas,
  warnNotCounter,
  warnNotGauge,
} from './range-call.ts'

type Kind = { readonly isCounter: boolean; readonly isRate: boolean }

export function extendedRate(kind: Kind, w: Windows, out: Series, call: RangeCall): void {
  for (let i = w.from; i < w.to; i++) {
    const floats = w.hi[i]! - w.lo[i]!
    const histograms = w.hhi[i]! - w.hlo[i]!
    if (floats > 0 && histograms > 0) warnMixed(notesOf(call))
    else if (floats > 0) floatsAt(kind, w, i, out, call.smoothed)
    else if (histograms > 0) histogramsAt(kind, w, i, out, call)
  }
}

/** First and last sample that matter: the one at or before the start, and for smoothed the one at or after the end. */
export function extendedBounds(
  times: Float64Array,
  lo: number,
  hi: number,
  start: number,
  end: number,
  smoothed: boolean,
): { first: number; last: number } {
  let first = lo
  while (first < hi - 1 && times[first]! <= start) first++
  first = Math.max(lo, first - 1)
  let last = hi - 1
  if (smoothed) {
    last = lo
    while (last < hi - 1 && times[last]! < end) last++
  }
  return { first, last }
}

function floatsAt({ isCounter, isRate }: Kind, w: Windows, i: number, out: Series, smoothed: boolean): void {
  const { times, values } = w
  const end = w.first + i * w.step
  const start = end - w.rangeMs
  let { first, last } = extendedBounds(times, w.lo[i]!, w.hi[i]!, start, end, smoothed)
  if (times[last]! <= start || (smoothed && times[first]! > end)) return
  const left = smoothed && times[first]! < start ? interpolate(w, first, first + 1, start, isCounter) : values[first]!
  const right =
    smoothed && last > w.lo[i]! && times[last]! > end ? interpolate(w, last - 1, last, end, isCounter) : values[last]!
  let result = right - left
  if (isCounter) {
    if (times[first]! <= start) first++
    if (times[last]! >= end) last--
    let previous = left
    for (let j = first; j <= last; j++) {
      if (values[j]! < previous) result += previous
      previous = values[j]!
    }
    if (right < previous) result += previous
  }
  out.values[i] = isRate ? result / (w.rangeMs / 1000) : result
  out.present[i] = FLOAT
}

/** Between two samples; a counter that was reset between them is taken to have grown from 0. */
export function interpolate(w: Windows, a: number, b: number, time: number, isCounter: boolean): number {
  const { times, values } = w
  const y2 = values[b]!
  const y1 = isCounter && y2 < values[a]! ? 0 : values[a]!
  return y1 + ((y2 - y1) * (time - times[a]!)) / (times[b]! - times[a]!)
}

type HPoint = { readonly h: Histogram; readonly t: number }

/** Null when the schemas do not go together (annotated). */
export function interpolateHistograms(a: HPoint, b: HPoint, t: number, isCounter: boolean, notes: Notes) {
  if (t === a.t) return a.h
  if (t === b.t) return b.h
  if (usesCustomBuckets(a.h) !== usesCustomBuckets(b.h)) {
    warnMixedSchemas(notes)
    return null
  }
  const fraction = (t - a.t) / (b.t - a.t)
  if (isCounter && detectReset(b.h, a.h)) return multiply(b.h, fraction)
  const difference = combineNoted(b.h, a.h, -1, notes)
  return difference === null ? null : combineNoted(multiply(difference, fraction), a.h, 1, notes)
}

function combineNoted(a: Histogram, b: Histogram, sign: 1 | -1, notes: Notes): Histogram | null {
  const combined = combine(a, b, sign)
  if (combined === null) {
    warnMixedSchemas(notes)
    return null
  }
  if (combined.reconciled) infoReconciled(notes, sign === 1 ? 'addition' : 'subtraction')
  return combined.h
}

function histogramsAt({ isCounter, isRate }: Kind, w: Windows, i: number, out: Series, call: RangeCall): void {
  const notes = notesOf(call)
  const { htimes, histograms } = w
  const { smoothed } = call
  const end = w.first + i * w.step
  const start = end - w.rangeMs
  const { first, last } = extendedBounds(htimes, w.hlo[i]!, w.hhi[i]!, start, end, smoothed)
  if (htimes[last]! <= start || (smoothed && htimes[first]! > end)) return
  if (!sameKind(histograms, first, last, isCounter, notes)) return
  const point = (j: number): HPoint => ({ h: histograms[j]!, t: htimes[j]! })
  const left =
    smoothed && htimes[first]! < start
      ? interpolateHistograms(point(first), point(first + 1), start, isCounter, notes)
      : histograms[first]!
  if (left === null) return
  const right =
    smoothed && last > w.hlo[i]! && htimes[last]! > end
      ? interpolateHistograms(point(last - 1), point(last), end, isCounter, notes)
      : histograms[last]!
  if (right === null) return
  if (
    !isCounter &&
    (left.counterResetHint !== CounterResetHint.gauge || right.counterResetHint !== CounterResetHint.gauge)
  ) {
    warnNotGauge(notes)
  }
  let result = combineNoted(right, left, -1, notes)
  if (isCounter && result !== null) {
    const spanned = smoothed && htimes[first]! < start && detectReset(histograms[first + 1]!, histograms[first]!)
    result = addResets(result, histograms, { first, last, spanned }, left, right, notes)
  }
  if (result === null) return
  if (isRate) result = divide(result, w.rangeMs / 1000)
  setHistogram(out, i, { ...result, counterResetHint: CounterResetHint.gauge })
}

function sameKind(
  histograms: readonly Histogram[],
  first: number,
  last: number,
  isCounter: boolean,
  notes: Notes,
): boolean {
  const custom = usesCustomBuckets(histograms[first]!)
  for (let i = first; i <= last; i++) {
    const h = histograms[i]!
    if (usesCustomBuckets(h) !== custom) {
      warnMixedSchemas(notes)
      return false
    }
    if (isCounter && h.counterResetHint === CounterResetHint.gauge) warnNotCounter(notes)
  }
  return true
}

/**
 * `spanned`: the left bound was interpolated across a reset, which is thereby accounted for. The last sample is left
 * out of the walk, as `right` stands for it and carries its reset hint.
 */
function addResets(
  result: Histogram,
  histograms: readonly Histogram[],
  bounds: { readonly first: number; readonly last: number; readonly spanned: boolean },
  left: Histogram,
  right: Histogram,
  notes: Notes,
): Histogram | null {
  let previous = left
  let from = bounds.first + 1
  if (bounds.spanned) previous = histograms[from++]!
  if (from > bounds.last) return result
  let sum: Histogram | null = result
  for (let i = from; i < bounds.last && sum !== null; i++) {
    const current = histograms[i]!
    if (detectReset(current, previous)) sum = combineNoted(sum, previous, 1, notes)
    previous = current
  }
  if (sum !== null && detectReset(right, previous)) sum = combineNoted(sum, previous, 1, notes)
  return sum
}

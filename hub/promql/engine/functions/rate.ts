/**
 * rate(), increase(), delta(): the difference over a window, extrapolated to its bounds.
 * Semantics: Prometheus promql/functions.go, extrapolatedRate (v3.14), with start timestamps.
 */
import type { HistogramAccumulator } from '../histograms/accumulator.ts'
import { combine, multiply } from '../histograms/arithmetic.ts'
import { FLOAT, type Series, setHistogram } from '../types.ts'
import type { Windows } from '../windows.ts'
import { extendedRate } from './extended-rate.ts'
import { histogramRise } from './histogram-rate.ts'
import {
  infoReconciled,
  isStartReset,
  type Notes,
  notesOf,
  type RangeCall,
  type RangeFunction,
  startsOverlap,
  warnMixed,
  warnMixedSchemas,
  warnStartOverlap,
} from './range-call.ts'

export type RateKind = { readonly isCounter: boolean; readonly isRate: boolean }

/** One object each, not one a series. */
const RATE: RateKind = { isCounter: true, isRate: true }
const INCREASE: RateKind = { isCounter: true, isRate: false }
const DELTA: RateKind = { isCounter: false, isRate: false }

export const rate: RangeFunction = (w, out, call) => rateOf(RATE, w, out, call)
export const increase: RangeFunction = (w, out, call) => rateOf(INCREASE, w, out, call)
export const delta: RangeFunction = (w, out, call) => rateOf(DELTA, w, out, call)

function rateOf(kind: RateKind, w: Windows, out: Series, call: RangeCall): void {
  if (call.anchored || call.smoothed) extendedRate(kind, w, out, call)
  else if (w.hcount === 0 && w.startTimes === null) plainFloatRate(kind, w, out)
  else generalRate(kind, w, out, call)
}

/** Counter resets before each sample, so that a window without one is known at once. */
let resetsBefore = new Int32Array(1024)

/** What extrapolation needs of the times in each window, in seconds; the same for all series that have these times. */
type Extrapolation = {
  readonly sampled: Float64Array
  readonly toStart: Float64Array
  readonly toEnd: Float64Array
  /** By what to multiply the difference, unless the counter's zero point is nearer than `toStart`. */
  readonly factor: Float64Array
  readonly leastSampled: number
  readonly mostToStart: number
  /** Every window has two samples. */
  readonly isFull: boolean
}

/** More than rounding can take away from a product. */
const CLEARLY = 1 + 1e-9
/** Steps that are judged together: whether there is a reset among their samples, and how far from zero these are. */
const STRETCH_STEPS = 64

/** Floats only, no start timestamps. Hot: bench/hub/engine.bench.ts */
function plainFloatRate(kind: RateKind, w: Windows, out: Series): void {
  const { count, values, lo, hi, rising, from: firstStep, to: endStep } = w
  const { isCounter } = kind
  if (resetsBefore.length < count) resetsBefore = new Int32Array(2 * count)
  const resets = resetsBefore
  // The slices after the first find the counts as the first left them.
  const isRising = isCounter && firstStep === 0 && countResets(values, count, rising, resets)
  const perSecond = kind.isRate ? w.rangeMs / 1000 : 1
  w.ofTimes ??= extrapolationOf(w, perSecond)
  const extrapolation = w.ofTimes as Extrapolation
  if (!isCounter || (isRising && isFarFromZero(values[0]!, values[count - 1]!, extrapolation))) {
    differences(w, out, extrapolation, firstStep, endStep)
    return
  }
  const hasResets = count > 0 && resets[count - 1] !== 0
  for (let from = firstStep; from < endStep; from += STRETCH_STEPS) {
    const to = Math.min(from + STRETCH_STEPS, endStep)
    // Windows advance, so these are the first and the last sample of all.
    const first = lo[from]!
    const last = hi[to - 1]! - 1
    const rises = last > first && (!hasResets || resets[last] === resets[first])
    if (rises && isFarFromZero(values[first]!, values[last]!, extrapolation))
      differences(w, out, extrapolation, from, to)
    else counterRates(w, out, extrapolation, { perSecond, resets: hasResets ? resets : null, from, to })
  }
}

/** With resets, and near zero. */
function counterRates(
  { values, lo, hi }: Windows,
  { values: target, present }: Series,
  { sampled, toStart, toEnd, factor }: Extrapolation,
  {
    perSecond,
    resets,
    from: firstStep,
    to: endStep,
  }: { readonly perSecond: number; readonly resets: Int32Array | null; readonly from: number; readonly to: number },
): void {
  for (let i = firstStep; i < endStep; i++) {
    const from = lo[i]!
    const last = hi[i]! - 1
    if (last <= from) continue
    const first = values[from]!
    let result = values[last]! - first
    if (resets !== null && resets[last] !== resets[from]) {
      for (let j = from; j < last; j++) if (values[j + 1]! < values[j]!) result += values[j]!
    }
    present[i] = FLOAT
    // A counter cannot be negative: do not extrapolate beyond its zero point. Most are far from it, and need no division.
    if (result > 0 && first >= 0 && sampled[i]! * first <= toStart[i]! * result * CLEARLY) {
      const toZero = sampled[i]! * (first / result)
      if (toZero < toStart[i]!) {
        target[i] = result * ((sampled[i]! + toZero + toEnd[i]!) / sampled[i]! / perSecond)
        continue
      }
    }
    target[i] = result * factor[i]!
  }
}

/**
 * No window's extrapolation reaches the counter's zero point, where samples rise from `first` to `last`: all windows see
 * at least the first of them, and rise by no more than all do.
 */
function isFarFromZero(first: number, last: number, { leastSampled, mostToStart }: Extrapolation): boolean {
  return first > 0 && leastSampled * first > mostToStart * (last - first) * CLEARLY
}

function differences(
  { lo, hi, values }: Windows,
  { values: target, present }: Series,
  { factor, isFull }: Extrapolation,
  firstStep: number,
  endStep: number,
): void {
  if (isFull) {
    present.fill(FLOAT, firstStep, endStep)
    for (let i = firstStep; i < endStep; i++) target[i] = (values[hi[i]! - 1]! - values[lo[i]!]!) * factor[i]!
    return
  }
  for (let i = firstStep; i < endStep; i++) {
    const from = lo[i]!
    const last = hi[i]! - 1
    if (last <= from) continue
    target[i] = (values[last]! - values[from]!) * factor[i]!
    present[i] = FLOAT
  }
}

function extrapolationOf({ steps, times, lo, hi, first, step, rangeMs }: Windows, perSecond: number): Extrapolation {
  const out = {
    sampled: new Float64Array(steps),
    toStart: new Float64Array(steps),
    toEnd: new Float64Array(steps),
    factor: new Float64Array(steps),
    leastSampled: Infinity,
    mostToStart: 0,
    isFull: true,
  }
  for (let i = 0, end = first; i < steps; i++, end += step) {
    const from = lo[i]!
    const last = hi[i]! - 1
    if (last <= from) {
      out.isFull = false
      continue
    }
    const sampled = (times[last]! - times[from]!) / 1000
    const average = sampled / (last - from)
    const threshold = average * 1.1
    let toStart = (times[from]! - (end - rangeMs)) / 1000
    let toEnd = (end - times[last]!) / 1000
    if (toStart >= threshold) toStart = average / 2
    if (toEnd >= threshold) toEnd = average / 2
    out.leastSampled = Math.min(out.leastSampled, sampled)
    out.mostToStart = Math.max(out.mostToStart, toStart)
    out.sampled[i] = sampled
    out.toStart[i] = toStart
    out.toEnd[i] = toEnd
    out.factor[i] = (sampled + toStart + toEnd) / sampled / perSecond
  }
  return out
}

/**
 * True when the values only rise; then `into` has no more than its last entry, as nobody will look at others. NaN counts as
 * a reset before and after it: only between equal counts do values rise. The first `rising` are known to.
 */
function countResets(values: Float64Array, count: number, rising: number, into: Int32Array): boolean {
  let at = Math.max(1, rising)
  let before = count > 0 ? values[at - 1]! : 0
  for (; at < count; at++) {
    const value = values[at]!
    // Not so of NaN either.
    if (!(value >= before)) break
    before = value
  }
  if (at >= count) {
    if (count > 0) into[count - 1] = 0
    return count > 1
  }
  let seen = 0
  into.fill(0, 0, at)
  for (let i = at; i < count; i++) {
    if (!(values[i]! >= values[i - 1]!)) seen++
    into[i] = seen
  }
  return false
}

function generalRate(kind: RateKind, w: Windows, out: Series, call: RangeCall): void {
  const notes = notesOf(call)
  for (let i = w.from; i < w.to; i++) {
    const floats = w.hi[i]! - w.lo[i]!
    const histograms = w.hhi[i]! - w.hlo[i]!
    if (floats > 0 && histograms > 0) warnMixed(notes)
    else if (floats > 0) floatRateAt(kind, w, i, out, call)
    else if (histograms > 0) histogramRateAt(kind, w, i, out, notes)
  }
}

function floatRateAt(kind: RateKind, w: Windows, i: number, out: Series, call: RangeCall): void {
  const { times, values, startTimes } = w
  const from = w.lo[i]!
  const last = w.hi[i]! - 1
  let result = values[last]! - values[from]!
  if (kind.isCounter) {
    let overlapped = false
    for (let j = from; j < last; j++) {
      const prevStart = startTimes === null ? 0 : startTimes[j]!
      const start = startTimes === null ? 0 : startTimes[j + 1]!
      if (!overlapped && startsOverlap(prevStart, times[j]!, start)) {
        warnStartOverlap(notesOf(call))
        overlapped = true
      }
      if (values[j + 1]! < values[j]! || isStartReset(prevStart, times[j]!, start, times[j + 1]!)) {
        result += values[j]!
      }
    }
  }
  const first = { time: times[from]!, start: startTimes === null ? 0 : startTimes[from]!, zero: values[from]! }
  const bounds = windowBounds(w, i)
  const factor = extrapolation(kind, first, times[last]!, last - from, result, bounds)
  if (factor === null) return
  if (factor.fromStart) result += values[from]!
  out.values[i] = result * (kind.isRate ? factor.value / (w.rangeMs / 1000) : factor.value)
  out.present[i] = FLOAT
}

function histogramRateAt(kind: RateKind, w: Windows, i: number, out: Series, notes: Notes): void {
  const { htimes, histograms, hstartTimes } = w
  const from = w.hlo[i]!
  const last = w.hhi[i]! - 1
  let rise: HistogramAccumulator | null = null
  if (last > from) {
    rise = histogramRise(kind.isCounter, w, from, last, notes)
    if (rise === null) return
  } else if (hstartTimes === null) return
  const head = histograms[from]!
  const first = { time: htimes[from]!, start: hstartTimes === null ? 0 : hstartTimes[from]!, zero: head.count }
  const factor = extrapolation(kind, first, htimes[last]!, last - from, rise?.count ?? 0, windowBounds(w, i))
  if (factor === null) return
  const scale = kind.isRate ? factor.value / (w.rangeMs / 1000) : factor.value
  if (!factor.fromStart) {
    if (rise !== null) setHistogram(out, i, rise.result(scale))
    return
  }
  let result = head
  if (rise !== null) {
    const sum = combine(rise.result(), head, 1)
    if (sum === null) {
      warnMixedSchemas(notes)
      return
    }
    if (sum.reconciled) infoReconciled(notes, 'addition')
    result = sum.h
  }
  setHistogram(out, i, multiply(result, scale))
}

function windowBounds(w: Windows, i: number): { start: number; end: number } {
  const end = w.first + i * w.step
  return { start: end - w.rangeMs, end }
}

/**
 * By what the difference between first and last sample is to be multiplied. `fromStart`: the first sample's own value
 * is to be added, as its start timestamp says that it grew from zero inside the window. Null: too few samples.
 */
function extrapolation(
  kind: RateKind,
  first: { readonly time: number; readonly start: number; readonly zero: number },
  lastTime: number,
  intervals: number,
  result: number,
  bounds: { readonly start: number; readonly end: number },
): { readonly value: number; readonly fromStart: boolean } | null {
  let toStart = (first.time - bounds.start) / 1000
  let toEnd = (bounds.end - lastTime) / 1000
  let sampled = (lastTime - first.time) / 1000
  const average = intervals > 0 ? sampled / intervals : 0
  const threshold = average * 1.1
  const fromStart = kind.isCounter && first.start !== 0 && first.start > bounds.start && first.start < first.time
  if (fromStart) {
    toStart = 0
    sampled = (lastTime - first.start) / 1000
  } else if (intervals === 0) return null
  else {
    if (toStart >= threshold) toStart = average / 2
    if (kind.isCounter && result > 0 && first.zero >= 0) {
      const toZero = sampled * (first.zero / result)
      if (toZero < toStart) toStart = toZero
    }
  }
  if (toEnd >= threshold) toEnd = average / 2
  return { value: sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled, fromStart }
}

/**
 * deriv(), predict_linear(), double_exponential_smoothing().
 * Semantics: Prometheus promql/functions.go, linearRegression (v3.14).
 */
import { QueryError } from '../../contract.ts'
import { type Kahan, kahanAdd } from '../kahan.ts'
import { FLOAT } from '../types.ts'
import type { Windows } from '../windows.ts'
import { infoHistogramsIgnored, notesOf, type RangeCall, type RangeFunction } from './range-call.ts'

export const deriv: RangeFunction = (w, out, call) => {
  for (let i = w.from; i < w.to; i++) {
    if (!enoughFloats(w, i, call)) continue
    // Relative to a time close by: large timestamps would cost precision.
    out.values[i] = linearRegression(w, w.lo[i]!, w.hi[i]!, w.times[w.lo[i]!]!).slope
    out.present[i] = FLOAT
  }
}

export const predictLinear: RangeFunction = (w, out, call) => {
  const ahead = call.params[0]!
  for (let i = w.from; i < w.to; i++) {
    if (!enoughFloats(w, i, call)) continue
    const now = call.evalStart + i * call.evalStep
    const { slope, intercept } = linearRegression(w, w.lo[i]!, w.hi[i]!, now)
    out.values[i] = slope * ahead[i]! + intercept
    out.present[i] = FLOAT
  }
}

export const doubleExponentialSmoothing: RangeFunction = (w, out, call) => {
  for (let i = w.from; i < w.to; i++) {
    if (w.hi[i] === w.lo[i] && w.hhi[i] === w.hlo[i]) continue
    const smoothing = call.params[0]![i]!
    const trend = call.params[1]![i]!
    if (smoothing <= 0 || smoothing >= 1) fail('smoothing', 'sf', smoothing)
    if (trend <= 0 || trend >= 1) fail('trend', 'tf', trend)
    if (!enoughFloats(w, i, call)) continue
    out.values[i] = smooth(w.values, w.lo[i]!, w.hi[i]!, smoothing, trend)
    out.present[i] = FLOAT
  }
}

function fail(what: string, symbol: string, got: number): never {
  throw new QueryError('execution', `invalid ${what} factor. Expected: 0 < ${symbol} < 1, got: ${fixed(got)}`)
}

/** As Go's %f. */
function fixed(value: number): string {
  if (Math.abs(value) === Infinity) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0.000000'
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`
}

function enoughFloats(w: Windows, i: number, call: RangeCall): boolean {
  const floats = w.hi[i]! - w.lo[i]!
  if (floats > 0 && w.hhi[i]! > w.hlo[i]!) infoHistogramsIgnored(notesOf(call))
  return floats >= 2
}

function smooth(values: Float64Array, from: number, to: number, smoothing: number, trend: number): number {
  let previous = 0
  let current = values[from]!
  let slope = values[from + 1]! - values[from]!
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) slope = trend * (current - previous) + (1 - trend) * slope
    const next = smoothing * values[i]! + (1 - smoothing) * (current + slope)
    previous = current
    current = next
  }
  return current
}

function linearRegression(w: Windows, from: number, to: number, interceptTime: number) {
  const { times, values } = w
  const x: Kahan = { sum: 0, c: 0 }
  const y: Kahan = { sum: 0, c: 0 }
  const xy: Kahan = { sum: 0, c: 0 }
  const xx: Kahan = { sum: 0, c: 0 }
  const first = values[from]!
  let constant = true
  for (let i = from; i < to; i++) {
    const value = values[i]!
    if (i > from && value !== first) constant = false
    const time = (times[i]! - interceptTime) / 1e3
    kahanAdd(x, time)
    kahanAdd(y, value)
    kahanAdd(xy, time * value)
    kahanAdd(xx, time * time)
  }
  if (constant) {
    if (first === Infinity || first === -Infinity) return { slope: NaN, intercept: NaN }
    return { slope: 0, intercept: first }
  }
  const n = to - from
  const sumX = x.sum + x.c
  const sumY = y.sum + y.c
  const slope = (xy.sum + xy.c - (sumX * sumY) / n) / (xx.sum + xx.c - (sumX * sumX) / n)
  return { slope, intercept: sumY / n - (slope * sumX) / n }
}

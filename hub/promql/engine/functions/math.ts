/**
 * Functions of one float at a time: rounding, logarithms, trigonometry, clamping. Histograms are dropped.
 * Semantics: Prometheus promql/functions.go, simpleFloatFunc; edge cases as in Go's math package.
 */
import { FLOAT, NONE, type Series } from '../types.ts'

export const FLOAT_FUNCTIONS: Readonly<Record<string, (x: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (x) => (x * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (x) => (x * Math.PI) / 180,
  sgn: (x) => (x < 0 ? -1 : x > 0 ? 1 : x),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
}

/** In place. */
export function mapFloats(series: Series, f: (x: number) => number): void {
  const { values, present } = series
  for (let i = 0; i < present.length; i++) {
    if (present[i] === FLOAT) values[i] = f(values[i]!)
    else present[i] = NONE
  }
  series.histograms = null
}

/** Ties go up. `toNearest` is inverted first, which loses less precision. */
export function roundFloats(series: Series, toNearest: Float64Array | null): void {
  const { values, present } = series
  for (let i = 0; i < present.length; i++) {
    if (present[i] === FLOAT) {
      const inverse = toNearest === null ? 1 : 1 / toNearest[i]!
      values[i] = Math.floor(values[i]! * inverse + 0.5) / inverse
    } else present[i] = NONE
  }
  series.histograms = null
}

/** Nothing is left at a step where max < min. */
export function clampFloats(series: Series, min: Float64Array | null, max: Float64Array | null): void {
  const { values, present } = series
  for (let i = 0; i < present.length; i++) {
    const low = min === null ? -Infinity : min[i]!
    const high = max === null ? Infinity : max[i]!
    if (present[i] === FLOAT && !(high < low)) values[i] = goMax(low, goMin(high, values[i]!))
    else present[i] = NONE
  }
  series.histograms = null
}

/** An infinity in the direction of the comparison beats NaN. */
export function goMin(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b)
}

export function goMax(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b)
}

/** As math.Pow: 1 to any power is 1, and -1 to an infinite one. */
export function goPow(x: number, y: number): number {
  if (x === 1 || (x === -1 && (y === Infinity || y === -Infinity))) return 1
  return x ** y
}

/**
 * quantile_over_time() and mad_over_time(), and the quantile of a list that the quantile aggregation shares.
 * Semantics: Prometheus promql/quantile.go, quantile, and promql/functions.go.
 */
import type { Position } from '../../ast.ts'
import { formatG, type QueryContext } from '../context.ts'
import { FLOAT } from '../types.ts'
import { infoHistogramsIgnored, notesOf, type RangeFunction } from './range-call.ts'

/** Below so many a sort of the runtime's costs no more than picking. */
const PICK_FROM = 24

/** Reorders the first `count` of `values` in place: NaN first, as upstream's heap orders them. */
export function quantileOf(q: number, values: Float64Array, count: number): number {
  if (count === 0 || Number.isNaN(q)) return NaN
  if (q < 0) return -Infinity
  if (q > 1) return Infinity
  const rank = q * (count - 1)
  const lower = Math.max(0, Math.floor(rank))
  const upper = Math.min(count - 1, lower + 1)
  const weight = rank - Math.floor(rank)
  if (count >= PICK_FROM && !hasNaN(values, count)) {
    const low = pick(values, lower, count)
    // What stands behind the picked one is no smaller: the next in order is the least of it.
    let high = upper === lower ? low : values[upper]!
    for (let i = upper + 1; i < count; i++) if (values[i]! < high) high = values[i]!
    return low * (1 - weight) + (upper === lower ? low : high) * weight
  }
  const sorted = values.subarray(0, count)
  // Typed-array order puts NaN last and -0 before 0; only the place of NaN matters.
  sorted.sort()
  let nans = 0
  while (nans < count && Number.isNaN(sorted[count - 1 - nans]!)) nans++
  const at = (i: number) => (i < nans ? NaN : sorted[i - nans]!)
  return at(lower) * (1 - weight) + at(upper) * weight
}

function hasNaN(values: Float64Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (Number.isNaN(values[i]!)) return true
  return false
}

/**
 * The k-th smallest of the first `count`, which are reordered around it (Hoare's selection; the pivot is a median of
 * three, so that sorted runs, which samples often are, do not make it quadratic).
 */
function pick(values: Float64Array, k: number, count: number): number {
  let left = 0
  let right = count - 1
  while (left < right) {
    const middle = (left + right) >>> 1
    const a = values[left]!
    const b = values[middle]!
    const c = values[right]!
    const pivot = a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b
    let i = left
    let j = right
    while (i <= j) {
      while (values[i]! < pivot) i++
      while (values[j]! > pivot) j--
      if (i > j) break
      const held = values[i]!
      values[i++] = values[j]!
      values[j--] = held
    }
    if (k <= j) right = j
    else if (k >= i) left = i
    else break
  }
  return values[k]!
}

export function warnQuantile(ctx: QueryContext, q: number, pos: Position): void {
  if (Number.isNaN(q) || q < 0 || q > 1) {
    ctx.warn(`quantile value should be between 0 and 1, got ${formatG(q)}`, pos)
  }
}

export const quantileOverTime: RangeFunction = (w, out, call) => {
  const scratch = new Float64Array(w.count)
  const quantiles = call.params[0]!
  for (let i = w.from; i < w.to; i++) {
    const from = w.lo[i]!
    const to = w.hi[i]!
    if (to === from) continue
    warnQuantile(call.ctx, quantiles[i]!, call.firstPos)
    if (w.hhi[i]! > w.hlo[i]!) infoHistogramsIgnored(notesOf(call))
    scratch.set(w.values.subarray(from, to))
    out.values[i] = quantileOf(quantiles[i]!, scratch, to - from)
    out.present[i] = FLOAT
  }
}

/** The median of the distances from the median; there is none of what is not a number. */
export const madOverTime: RangeFunction = (w, out, call) => {
  const scratch = new Float64Array(w.count)
  for (let i = w.from; i < w.to; i++) {
    const from = w.lo[i]!
    const count = w.hi[i]! - from
    if (count === 0) continue
    if (w.hhi[i]! > w.hlo[i]!) infoHistogramsIgnored(notesOf(call))
    scratch.set(w.values.subarray(from, from + count))
    out.values[i] = hasNaN(scratch, count) ? NaN : medianDistance(scratch, count)
    out.present[i] = FLOAT
  }
}

/** Of the first `count`, which are overwritten. */
function medianDistance(values: Float64Array, count: number): number {
  const median = quantileOf(0.5, values, count)
  for (let i = 0; i < count; i++) values[i] = Math.abs(values[i]! - median)
  return quantileOf(0.5, values, count)
}

/**
 * limitk: any k series of each group; limit_ratio: a share of all series, chosen by the hash of their labels, with
 * the rest for the negative ratio. Semantics: Prometheus promql/engine.go, aggregationK and HashRatioSampler (v3.14).
 */
import type { AggregateExpr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { formatG, type QueryContext } from '../context.ts'
import { anyPresent, type Emit, type Frame, NONE, type Series } from '../types.ts'
import { collectVector } from '../vector.ts'
import { GroupTable } from './groups.ts'
import { hashLabels } from './hash.ts'

/** The largest double below 2^63. */
const MAX_INT64 = 2 ** 63 - 1024

/** k at each step. @throws QueryError for NaN and for what no 64-bit integer holds */
export function limitsOf(param: Float64Array): number[] {
  return Array.from(param, (k) => {
    if (Number.isNaN(k)) throw new QueryError('execution', 'Parameter value is NaN')
    if (!(k <= MAX_INT64 && k >= -(2 ** 63))) {
      throw new QueryError('execution', `Scalar value ${formatG(k)} overflows int64`)
    }
    return Math.trunc(k)
  })
}

/**
 * What is chosen at an instant comes group by group, each in the order of a binary heap of values that is never popped:
 * no order that means anything, but the one that upstream's users see.
 */
class EmissionHeap {
  readonly #series: Series[] = []

  get size(): number {
    return this.#series.length
  }

  push(series: Series): void {
    const heap = this.#series
    heap.push(series)
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!isLess(heap[at]!, heap[parent]!)) return
      const other = heap[parent]!
      heap[parent] = heap[at]!
      heap[at] = other
      at = parent
    }
  }

  emit(emit: Emit): void {
    for (const series of this.#series) emit(series)
  }
}

/** As vectorByValueHeap in Prometheus promql/engine.go; a histogram counts as 0. */
function isLess(a: Series, b: Series): boolean {
  return Number.isNaN(a.values[0]!) || a.values[0]! < b.values[0]!
}

export function streamLimitK(
  ctx: QueryContext,
  expr: AggregateExpr,
  param: Float64Array,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  const limits = limitsOf(param)
  const all = collectVector(ctx, expr.expr, frame)
  done()
  if (frame.steps === 1) {
    const heaps = new GroupTable(ctx, expr, () => new EmissionHeap())
    for (const series of all) {
      const heap = heaps.of(series)
      if (series.present[0] !== NONE && heap.size < limits[0]!) heap.push(series)
    }
    for (const heap of heaps.values()) heap.emit(emit)
    return
  }
  const groups = new GroupTable(ctx, expr, () => ({ taken: new Float64Array(frame.steps) }))
  for (const series of all) {
    const { taken } = groups.of(series)
    for (let i = 0; i < frame.steps; i++) {
      if (series.present[i] === NONE) continue
      if (taken[i]! < limits[i]!) taken[i]!++
      else series.present[i] = NONE
    }
    if (anyPresent(series.present)) emit(series)
  }
}

export function streamLimitRatio(
  ctx: QueryContext,
  expr: AggregateExpr,
  param: Float64Array,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  if (param.some(Number.isNaN)) throw new QueryError('execution', 'Ratio value is NaN')
  const ratios = param.map((ratio) => Math.max(-1, Math.min(1, ratio)))
  const max = param.reduce((a, b) => Math.max(a, b))
  const min = param.reduce((a, b) => Math.min(a, b))
  if (max > 1) warnRatio(ctx, expr, max, 1)
  if (min < -1) warnRatio(ctx, expr, min, -1)
  const all: Series[] = collectVector(ctx, expr.expr, frame)
  done()
  const heaps = frame.steps === 1 ? new GroupTable(ctx, expr, () => new EmissionHeap()) : null
  for (const series of all) {
    const heap = heaps?.of(series)
    const place = Number(hashLabels(ctx.labelsOf(series))) / 2 ** 64
    for (let i = 0; i < frame.steps; i++) {
      const ratio = ratios[i]!
      const chosen = ratio >= 0 ? place < ratio : place >= 1 + ratio
      if (!chosen || ratio === 0) series.present[i] = NONE
    }
    if (!anyPresent(series.present)) continue
    if (heap === undefined) emit(series)
    else heap.push(series)
  }
  if (heaps !== null) for (const heap of heaps.values()) heap.emit(emit)
}

function warnRatio(ctx: QueryContext, expr: AggregateExpr, ratio: number, capped: number): void {
  ctx.warn(
    `ratio value should be between -1 and 1, got ${formatG(ratio)}, capping to ${formatG(capped)}`,
    expr.param!.pos,
  )
}

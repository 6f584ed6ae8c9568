/**
 * limitk: any k series of each group; limit_ratio: a share of all series, chosen by the hash of their labels, with
 * the rest for the negative ratio. Semantics: Prometheus promql/engine.go, aggregationK and HashRatioSampler (v3.14).
 */
import type { AggregateExpr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import { formatG, type QueryContext } from '../context.ts'
import { withoutUnwanted } from '../early.ts'
import { goMax, goMin } from '../functions/math.ts'
import { anyPresent, type Emit, type Frame, NONE, type Series } from '../types.ts'
import { streamVector } from '../vector.ts'
import { GroupTable } from './groups.ts'
import { hashPlace } from './hash.ts'

/** The largest double below 2^63: from it on, and from -2^63 down, upstream refuses. */
const MAX_INT64 = 2 ** 63 - 1024
const MIN_INT64 = -(2 ** 63)

/**
 * k at each step.
 * @throws QueryError for NaN and for what no 64-bit integer holds, unless no step asks for any series; before that, what
 *   the inside of the aggregation throws
 */
export function limitsOf(ctx: QueryContext, expr: AggregateExpr, param: Float64Array, frame: Frame): number[] {
  try {
    return wholeNumbers(param)
  } catch (error) {
    streamVector(ctx, expr.expr, frame, false, () => {})
    throw error
  }
}

function wholeNumbers(param: Float64Array): number[] {
  const [most, least] = [param.reduce(goMax, -Number.MAX_VALUE), param.reduce(goMin, Number.MAX_VALUE)]
  if (most < 1) return Array.from(param, () => 0)
  if (param.some(Number.isNaN)) throw new QueryError('execution', 'Parameter value is NaN')
  if (least <= MIN_INT64) throw new QueryError('execution', `Scalar value ${formatG(least)} underflows int64`)
  if (most >= MAX_INT64) throw new QueryError('execution', `Scalar value ${formatG(most)} overflows int64`)
  return Array.from(param, Math.trunc)
}

/**
 * What is chosen at an instant comes group by group, each in the order of a binary heap of values that is never popped:
 * no order that means anything, but the one that upstream's users see.
 */
class EmissionHeap {
  readonly #series: Series[] = []

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
  const limits = limitsOf(ctx, expr, param, frame)
  const most = limits.reduce((a, b) => Math.max(a, b))
  const groups = new GroupTable(ctx, expr, () => new LimitedGroup(limits))
  const taken: Series[] = []
  const isUnwanted = (series: Series): boolean => most < 1 || groups.known(series)?.isFull === true
  withoutUnwanted(ctx, expr.expr, isUnwanted, () =>
    streamVector(ctx, expr.expr, frame, true, (series) => {
      const group = groups.of(series)
      if (group.isFull) return
      group.take(series.present)
      if (!anyPresent(series.present)) return
      if (frame.steps === 1) group.heap.push(series)
      else taken.push(series)
    }),
  )
  done()
  for (const series of taken) emit(series)
  for (const { heap } of groups.values()) heap.emit(emit)
}

class LimitedGroup {
  readonly heap = new EmissionHeap()
  isFull: boolean
  readonly #limits: readonly number[]
  readonly #taken: Float64Array

  constructor(limits: readonly number[]) {
    this.#limits = limits
    this.#taken = new Float64Array(limits.length)
    this.isFull = limits.every((k) => k < 1)
  }

  /** Clears what is too much, step by step. */
  take(present: Uint8Array): void {
    let isFull = true
    for (let i = 0; i < present.length; i++) {
      const limit = this.#limits[i]!
      if (present[i] !== NONE) {
        if (this.#taken[i]! < limit) this.#taken[i]!++
        else present[i] = NONE
      }
      if (this.#taken[i]! < limit) isFull = false
    }
    this.isFull = isFull
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
  if (param.some(Number.isNaN)) {
    streamVector(ctx, expr.expr, frame, false, () => {})
    throw new QueryError('execution', 'Ratio value is NaN')
  }
  const ratios = param.map((ratio) => Math.max(-1, Math.min(1, ratio)))
  const max = param.reduce((a, b) => Math.max(a, b))
  const min = param.reduce((a, b) => Math.min(a, b))
  if (max > 1) warnRatio(ctx, expr, max, 1)
  if (min < -1) warnRatio(ctx, expr, min, -1)
  const heaps = new GroupTable(ctx, expr, () => new EmissionHeap())
  const chosen: Series[] = []
  const placeOf = (series: Series): number => hashPlace(ctx.labelsOf(series))
  // At an instant groups come in the order of their first series, chosen or not.
  const isOrdered = frame.steps === 1 && (expr.without || expr.grouping.length > 0)
  const isUnwanted = (series: Series): boolean => {
    const place = placeOf(series)
    return !isOrdered && !ratios.some((ratio) => isChosen(place, ratio))
  }
  withoutUnwanted(ctx, expr.expr, isUnwanted, () =>
    streamVector(ctx, expr.expr, frame, true, (series) => {
      const heap = frame.steps === 1 ? heaps.of(series) : null
      const place = placeOf(series)
      for (let i = 0; i < frame.steps; i++) if (!isChosen(place, ratios[i]!)) series.present[i] = NONE
      if (!anyPresent(series.present)) return
      if (heap === null) chosen.push(series)
      else heap.push(series)
    }),
  )
  done()
  for (const series of chosen) emit(series)
  for (const heap of heaps.values()) heap.emit(emit)
}

/** @param place of the series' hash, from 0 to 1 */
function isChosen(place: number, ratio: number): boolean {
  if (ratio === 0) return false
  return ratio > 0 ? place < ratio : place >= 1 + ratio
}

function warnRatio(ctx: QueryContext, expr: AggregateExpr, ratio: number, capped: number): void {
  ctx.warn(
    `ratio value should be between -1 and 1, got ${formatG(ratio)}, capping to ${formatG(capped)}`,
    unwrap(expr.param!).pos,
  )
}

/**
 * `and`, `or`, `unless`: which series have a partner on the other side, step by step.
 * Semantics: Prometheus promql/engine.go, VectorAnd, VectorOr, VectorUnless.
 */
import type { BinaryExpr } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { isStored, type Key, makeKeyer } from '../keys.ts'
import { anyPresent, type Emit, type Frame, NONE, type Series } from '../types.ts'
import { mergeSameLabels } from '../unique.ts'
import { collectVector } from '../vector.ts'

export function streamSetOperator(ctx: QueryContext, expr: BinaryExpr, frame: Frame, emit: Emit): void {
  const { matching } = expr
  const spec = { names: matching?.labels ?? [], include: matching?.on ?? false }
  const keyOf = makeKeyer(ctx, spec, isStored(expr.lhs) && isStored(expr.rhs))
  const lhs = collectVector(ctx, expr.lhs, frame)
  const rhs = collectVector(ctx, expr.rhs, frame)
  if (expr.op === 'or') {
    const covered = presence(lhs, keyOf, frame.steps)
    for (const series of rhs) clearWhere(series, covered.get(keyOf(series)), true)
    const all = [...lhs, ...rhs.filter((series) => anyPresent(series.present))]
    for (const series of frame.steps > 1 ? mergeSameLabels(ctx, all) : all) emit(series)
    return
  }
  const partners = presence(rhs, keyOf, frame.steps)
  for (const series of lhs) {
    clearWhere(series, partners.get(keyOf(series)), expr.op === 'unless')
    if (anyPresent(series.present)) emit(series)
  }
}

/** Per key, the steps at which a series of that key holds something. */
function presence(all: readonly Series[], keyOf: (series: Series) => Key, steps: number): Map<Key, Uint8Array> {
  const out = new Map<Key, Uint8Array>()
  for (const series of all) {
    const key = keyOf(series)
    let mask = out.get(key)
    if (mask === undefined) {
      mask = new Uint8Array(steps)
      out.set(key, mask)
    }
    for (let i = 0; i < steps; i++) mask[i]! |= series.present[i]!
  }
  return out
}

/** Empties the steps where the mask is set, or those where it is not. */
function clearWhere({ present }: Series, mask: Uint8Array | undefined, set: boolean): void {
  for (let i = 0; i < present.length; i++) {
    const covered = mask !== undefined && mask[i] !== NONE
    if (covered === set) present[i] = NONE
  }
}

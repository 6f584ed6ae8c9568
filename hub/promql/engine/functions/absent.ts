/**
 * absent() and absent_over_time(): 1 where nothing else is, with the labels that the selector pins down.
 * Semantics: Prometheus promql/functions.go, createLabelsForAbsentFunction.
 */
import { EMPTY_LABELS, type Labels, labelsFrom, METRIC_NAME } from '../../../../protocol/labels/mod.ts'
import type { Expr } from '../../ast.ts'
import { unwrap } from '../../parser/mod.ts'
import { NONE, newSeries, type Series, setFloat } from '../types.ts'

/** `seen[i]` is not 0 where something was present. Null when it is everywhere. */
export function absentSeries(arg: Expr, seen: Uint8Array): Series | null {
  if (!seen.includes(NONE)) return null
  const series = newSeries(seen.length, -1, absentLabels(arg))
  for (let i = 0; i < seen.length; i++) if (seen[i] === NONE) setFloat(series, i, 1)
  return series
}

function absentLabels(arg: Expr): Labels {
  const expr = unwrap(arg)
  const matchers =
    expr.kind === 'vector-selector' ? expr.matchers : expr.kind === 'matrix-selector' ? expr.selector.matchers : null
  if (matchers === null) return EMPTY_LABELS
  const pinned = new Map<string, string>()
  const seen = new Set<string>()
  for (const { name, op, value } of matchers) {
    if (name === METRIC_NAME) continue
    if (op === '=' && !seen.has(name)) {
      pinned.set(name, value)
      seen.add(name)
    } else pinned.delete(name)
  }
  return labelsFrom(pinned)
}

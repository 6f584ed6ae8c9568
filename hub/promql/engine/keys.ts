/**
 * Keys that are equal exactly when chosen labels of two series are: for grouping and for matching. Where every series
 * of a stream is a stored one, keys are made of symbol ids and no string is built.
 */
import { METRIC_NAME } from '../../../protocol/labels/mod.ts'
import type { Expr } from '../ast.ts'
import { unwrap } from '../parser/mod.ts'
import type { QueryContext } from './context.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { RANGE_FUNCTIONS } from './functions/range-functions.ts'
import type { Series } from './types.ts'

/** `names` are the labels that count (`on`, `by`), or those that do not (`ignoring`, `without`). */
export type KeySpec = { readonly names: readonly string[]; readonly include: boolean }
export type Key = string | number
export type Keyer = (series: Series) => Key

/** With `ids` every series given must be a stored one without labels of its own (see `isStored`). */
export function makeKeyer(ctx: QueryContext, spec: KeySpec, ids: boolean): Keyer {
  if (spec.include && spec.names.length === 0) return () => 0
  return ids ? idKeyer(ctx, spec) : textKeyer(ctx, spec)
}

function textKeyer(ctx: QueryContext, spec: KeySpec): Keyer {
  const names = new Set(spec.names)
  const { include } = spec
  // The metric name never tells apart what is grouped without, or matched ignoring, other labels.
  if (!include) names.add(METRIC_NAME)
  return (series) => {
    const labels = ctx.labelsOf(series)
    let key = ''
    for (let i = 0; i < labels.length; i += 2) {
      if (names.has(labels[i]!) === include) key += `${labels[i]}\xff${labels[i + 1]}\xff`
    }
    return key
  }
}

function idKeyer(ctx: QueryContext, spec: KeySpec): Keyer {
  const { reader } = ctx
  const { include } = spec
  const metricName = reader.symbolId(METRIC_NAME)
  const wanted = new Set(spec.names.map((name) => reader.symbolId(name)))
  if (!include) wanted.add(metricName)
  if (include && spec.names.length === 1 && !wanted.has(metricName)) return oneIdKeyer(ctx, [...wanted][0]!)
  return (series) => {
    const ids = reader.labelIds(series.ref)
    let key = ''
    for (let i = 0; i < ids.length; i += 2) {
      const name = ids[i]!
      if (wanted.has(name) !== include || (series.nameless && name === metricName)) continue
      key += `${name},${ids[i + 1]},`
    }
    return key
  }
}

function oneIdKeyer(ctx: QueryContext, wanted: number): Keyer {
  const { reader } = ctx
  return (series) => {
    const ids = reader.labelIds(series.ref)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === wanted) return ids[i + 1]!
    return -1
  }
}

/** True when each series of the expression's result is a stored one whose labels were not touched. */
export function isStored(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
    case 'matrix-selector':
      return true
    case 'paren':
    case 'unary':
      return isStored(expr.expr)
    case 'call':
      // What is absent has the labels of its selector.
      if (expr.func === 'absent_over_time') return false
      if (expr.func in RANGE_FUNCTIONS) return expr.args.some((arg) => unwrap(arg).kind === 'matrix-selector')
      return expr.func in FLOAT_FUNCTIONS && isStored(expr.args[0]!)
    default:
      return false
  }
}

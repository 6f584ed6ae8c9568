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
  if (include && !wanted.has(metricName)) {
    const [first, second, third] = wanted
    if (second === undefined) return oneIdKeyer(ctx, first!)
    if (third === undefined) return twoIdsKeyer(ctx, first!, second)
  }
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

type IdKeyer = (series: Series) => number

function oneIdKeyer(ctx: QueryContext, wanted: number): IdKeyer {
  const { reader } = ctx
  if (reader.valueId !== undefined) return ({ ref }) => reader.valueId!(ref, wanted)
  return (series) => {
    const ids = reader.labelIds(series.ref)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === wanted) return ids[i + 1]!
    return -1
  }
}

/** Both ids in one number, as long as they are small enough for it; ids of extra symbols are not. */
const ID_MAX = 2 ** 26 - 2

function twoIdsKeyer(ctx: QueryContext, first: number, second: number): Keyer {
  const [one, two] = [oneIdKeyer(ctx, first), oneIdKeyer(ctx, second)] as [IdKeyer, IdKeyer]
  return (series) => {
    const a = one(series)
    const b = two(series)
    return a <= ID_MAX && b <= ID_MAX ? (a + 1) * 2 ** 26 + b + 1 : `${a},${b}`
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

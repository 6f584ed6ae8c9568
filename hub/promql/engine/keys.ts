/**
 * Keys that are equal exactly when chosen labels of two series are: for grouping and for matching. Where every series
 * of a stream is a stored one, keys are made of symbol ids and no string is built.
 */
import { METRIC_NAME } from '../../../protocol/labels/mod.ts'
import type { BinaryExpr, Expr } from '../ast.ts'
import { unwrap } from '../parser/mod.ts'
import { ARITHMETIC } from './binary/operators.ts'
import type { QueryContext } from './context.ts'
import { HISTOGRAM_FUNCTIONS } from './functions/histogram-functions.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { METADATA_LABELS } from './labels.ts'
import type { Series } from './types.ts'
import { hasOneName } from './unique.ts'
import { isScalar } from './vector.ts'

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
  /** What goes with the name. */
  const described = new Set([...METADATA_LABELS].map((name) => reader.symbolId(name)))
  const wanted = new Set(spec.names.map((name) => reader.symbolId(name)))
  if (!include) wanted.add(reader.symbolId(METRIC_NAME))
  if (include && !spec.names.some((name) => METADATA_LABELS.has(name))) {
    const [first, second, third] = wanted
    if (second === undefined) return oneIdKeyer(ctx, first!)
    if (third === undefined) return twoIdsKeyer(ctx, first!, second)
  }
  return (series) => {
    const ids = reader.labelIds(series.ref)
    let key = ''
    for (let i = 0; i < ids.length; i += 2) {
      const name = ids[i]!
      if (wanted.has(name) !== include || (series.nameless && described.has(name))) continue
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

/** True when each series of the expression's result is a stored one whose labels, but for the name, were not touched. */
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
      if (!(expr.func in FLOAT_FUNCTIONS || expr.func in HISTOGRAM_FUNCTIONS || IN_PLACE.has(expr.func))) return false
      return isStored(expr.args[0]!)
    case 'aggregate':
      return SELECTIONS.has(expr.op) && isStored(expr.expr)
    case 'binary': {
      let answer = known.get(expr)
      if (answer === undefined) known.set(expr, (answer = isStoredBinary(expr)))
      return answer
    }
    default:
      return false
  }
}

/** Of operators, which stand in chains: every link asks of all before it. */
const known = new WeakMap<Expr, boolean>()

function isStoredBinary(expr: BinaryExpr): boolean {
  if (isScalar(expr.lhs)) return !isScalar(expr.rhs) && isStored(expr.rhs)
  if (isScalar(expr.rhs) || expr.op === 'and' || expr.op === 'unless') return isStored(expr.lhs)
  if (expr.op === 'or') return isStored(expr.lhs) && isStored(expr.rhs)
  return keptSide(expr) !== null
}

/** Functions that change columns in place. */
const IN_PLACE: ReadonlySet<string> = new Set(['clamp', 'clamp_max', 'clamp_min', 'round', 'sort', 'sort_desc'])
const SELECTIONS: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio'])

/**
 * The side of an operator between vectors whose series, without their names, are those of the result, one for one: no two
 * of them can become the same. Null when there is none.
 */
export function keptSide({ op, lhs, rhs, matching }: BinaryExpr): Expr | null {
  if (ARITHMETIC[op] === undefined) return null
  const many = matching?.card === 'one-to-many' ? rhs : lhs
  if (matching !== null) {
    const { card, fillLeft, fillRight, include, labels, on } = matching
    if (fillLeft !== null || fillRight !== null || include.length > 0) return null
    if (card === 'one-to-one' && (on || labels.length > 0)) return null
  }
  return isStored(many) && hasOneName(many) ? many : null
}

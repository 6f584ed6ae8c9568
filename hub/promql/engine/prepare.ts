/**
 * Makes a parsed expression ready for evaluation over a known range: duration expressions, `@ start()`/`@ end()` and
 * the functions start(), end(), range(), step() become numbers, what can be computed or narrowed before it runs is, and
 * the parts that give the same answer at every step, or stand in several places, are marked. Semantics: Prometheus promql/durations.go, folding of query context functions, PreprocessExpr.
 */
import type { AtModifier, DurationExpr, Expr, Offset, VectorSelector } from '../ast.ts'
import { QueryError, type QueryRange } from '../contract.ts'
import { childrenOf } from '../parser/mod.ts'
import { isDistributive } from './aggregations/mod.ts'
import { foldConstants } from './fold.ts'
import { goMax, goMin, goPow } from './functions/math.ts'
import { type Fused, fuseAggregations, stillShared } from './fuse.ts'
import { propagateMatchers } from './propagate.ts'
import { shareRepeated } from './share.ts'
import { markStatsOnly } from './stats-only.ts'

export type Prepared = {
  readonly expr: Expr
  readonly invariant: ReadonlySet<Expr>
  /** Nodes that stand in several places of the tree. */
  readonly shared: ReadonlySet<Expr>
  readonly fused: Fused
}

/** Functions whose value depends on the evaluation time even when their arguments do not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'hour',
  'minute',
  'month',
  'year',
  'predict_linear',
  'time',
  'timestamp',
  'start_timestamp',
])

/**
 * Of trees that say nothing of the range: who parses a text once (hub/query/parsed-queries.ts) has it prepared once. All
 * of it is read only.
 */
const known = new WeakMap<Expr, Prepared>()

/** @throws QueryError bad_data for a duration that is not positive where it must be, or cannot be computed */
export function prepare(expr: Expr, range: QueryRange): Prepared {
  let prepared = known.get(expr)
  if (prepared !== undefined) return prepared
  prepared = preparedFor(expr, range)
  if (!asksForRange(expr)) known.set(expr, prepared)
  return prepared
}

function preparedFor(expr: Expr, range: QueryRange): Prepared {
  const { expr: resolved, shared: repeated } = shareRepeated(
    markStatsOnly(propagateMatchers(foldConstants(resolve(expr, range)))),
  )
  const fused = fuseAggregations(resolved, isDistributive)
  const shared = stillShared(resolved, repeated, fused)
  const invariant = new Set<Expr>()
  markInvariant(resolved, invariant)
  return { expr: resolved, invariant, shared, fused }
}

const OF_RANGE: ReadonlySet<string> = new Set(['start', 'end', 'range', 'step'])

/** Whether `resolve` would give something else for another range. */
function asksForRange(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
      return isOfRange(expr)
    case 'matrix-selector':
      return expr.rangeExpr !== null || isOfRange(expr.selector)
    case 'subquery':
      return expr.rangeExpr !== null || expr.stepExpr !== null || isOfRange(expr) || asksForRange(expr.expr)
    case 'call':
      return OF_RANGE.has(expr.func) || expr.args.some(asksForRange)
    default:
      return childrenOf(expr).some(asksForRange)
  }
}

const isOfRange = ({ offset, at }: Pick<VectorSelector, 'offset' | 'at'>): boolean =>
  offset.expr !== null || (at !== null && at.kind !== 'at-timestamp')

function resolve(expr: Expr, range: QueryRange): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr
    case 'paren':
      return { ...expr, expr: resolve(expr.expr, range) }
    case 'unary':
      return { ...expr, expr: resolve(expr.expr, range) }
    case 'vector-selector':
      return resolveSelector(expr, range)
    case 'matrix-selector':
      return {
        ...expr,
        selector: resolveSelector(expr.selector, range),
        rangeMs: expr.rangeExpr === null ? expr.rangeMs : durationMs(expr.rangeExpr, range, false),
        rangeExpr: null,
      }
    case 'subquery':
      return {
        ...expr,
        expr: resolve(expr.expr, range),
        rangeMs: expr.rangeExpr === null ? expr.rangeMs : durationMs(expr.rangeExpr, range, false),
        rangeExpr: null,
        stepMs: expr.stepExpr === null ? expr.stepMs : durationMs(expr.stepExpr, range, false),
        stepExpr: null,
        offset: resolveOffset(expr.offset, range),
        at: resolveAt(expr.at, range),
      }
    case 'binary':
      return { ...expr, lhs: resolve(expr.lhs, range), rhs: resolve(expr.rhs, range) }
    case 'aggregate':
      return {
        ...expr,
        expr: resolve(expr.expr, range),
        param: expr.param === null ? null : resolve(expr.param, range),
      }
    case 'call': {
      const context = contextNumber(expr.func, range)
      if (context !== null) return { kind: 'number', value: context, duration: false, pos: expr.pos }
      return { ...expr, args: expr.args.map((arg) => resolve(arg, range)) }
    }
  }
}

/** Of the functions `OF_RANGE`. */
function contextNumber(func: string, range: QueryRange): number | null {
  if (func === 'start') return range.startMs / 1000
  if (func === 'end') return range.endMs / 1000
  if (func === 'range') return (range.endMs - range.startMs) / 1000
  if (func === 'step') return range.instant ? 0 : range.stepMs / 1000
  return null
}

function resolveSelector(selector: VectorSelector, range: QueryRange): VectorSelector {
  return { ...selector, offset: resolveOffset(selector.offset, range), at: resolveAt(selector.at, range) }
}

function resolveOffset(offset: Offset, range: QueryRange): Offset {
  if (offset.expr === null) return offset
  return { offsetMs: offset.offsetMs + durationMs(offset.expr, range, true), expr: null }
}

function resolveAt(at: AtModifier | null, range: QueryRange): AtModifier | null {
  if (at === null || at.kind === 'at-timestamp') return at
  return { kind: 'at-timestamp', timestampMs: at.kind === 'at-start' ? range.startMs : range.endMs }
}

function durationMs(expr: DurationExpr, range: QueryRange, allowNegative: boolean): number {
  const seconds = durationSeconds(expr, range)
  if (!Number.isFinite(seconds)) refuse(expr, 'duration is NaN or infinite')
  if (seconds <= 0 && !allowNegative) refuse(expr, 'duration must be greater than 0')
  if (Math.abs(seconds) >= 2 ** 63 / 1e9) refuse(expr, 'duration is out of range')
  return Math.trunc(seconds * 1000)
}

/** Upstream names the bytes from and to, which no other error does. */
function refuse({ pos }: DurationExpr, problem: string): never {
  throw new QueryError('bad_data', `${pos.start}:${pos.end}: ${problem}`)
}

function durationSeconds(expr: DurationExpr, range: QueryRange): number {
  if (expr.kind === 'duration-literal') return expr.seconds
  if (expr.op === 'step') return range.instant ? 0 : range.stepMs / 1000
  if (expr.op === 'range') return (range.endMs - range.startMs) / 1000
  const lhs = expr.lhs === null ? 0 : durationSeconds(expr.lhs, range)
  const rhs = expr.rhs === null ? 0 : durationSeconds(expr.rhs, range)
  switch (expr.op) {
    case '+':
      return lhs + rhs
    case '-':
      return lhs - rhs
    case '*':
      return lhs * rhs
    case '/':
      if (rhs === 0) refuse(expr, 'division by zero')
      return lhs / rhs
    case '%':
      if (rhs === 0) refuse(expr, 'modulo by zero')
      return lhs % rhs
    case '^':
      return goPow(lhs, rhs)
    case 'min':
      return goMin(lhs, rhs)
    case 'max':
      return goMax(lhs, rhs)
  }
}

/** Returns whether `expr` is the same at every step; adds it and what of it is to `into`. */
function markInvariant(expr: Expr, into: Set<Expr>): boolean {
  const same = isInvariant(expr, into)
  if (same) into.add(expr)
  return same
}

function isInvariant(expr: Expr, into: Set<Expr>): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true
    case 'paren':
    case 'unary':
      return markInvariant(expr.expr, into)
    case 'vector-selector':
      return expr.at !== null
    case 'matrix-selector':
      return expr.selector.at !== null
    case 'subquery':
      markInvariant(expr.expr, into)
      return expr.at !== null
    case 'binary': {
      const lhs = markInvariant(expr.lhs, into)
      const rhs = markInvariant(expr.rhs, into)
      return lhs && rhs
    }
    case 'aggregate': {
      const param = expr.param === null || markInvariant(expr.param, into)
      return markInvariant(expr.expr, into) && param
    }
    case 'call': {
      let same = !TIME_DEPENDENT.has(expr.func)
      for (const arg of expr.args) if (!markInvariant(arg, into)) same = false
      return same
    }
  }
}

/**
 * The same query pinned to its time with `@`, to be evaluated at other times with the same result.
 * Semantics: Prometheus promql/promqltest/test.go atModifierTestCases, promql.AtModifierUnsafeFunctions.
 */
import type { AtModifier, Expr, VectorSelector } from '../ast.ts'
import { ALL_FEATURES, childrenOf, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'

/** Functions whose value depends on the evaluation time. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'days_in_month',
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'end',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'range',
  'start',
  'step',
  'time',
  'timestamp',
  'year',
])

export type AtVariant = { readonly query: string; readonly timeMs: number }

/** None for queries that depend on the evaluation time. */
export function atVariants(query: string, timeMs: number): AtVariant[] {
  const expr = parseExpr(query, ALL_FEATURES)
  if (callsTimeDependent(expr)) return []
  const pinned = printExpr(pin(expr, { kind: 'at-timestamp', timestampMs: timeMs }))
  const times = timeMs === 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs]
  return times.map((time) => ({ query: pinned, timeMs: time }))
}

function callsTimeDependent(expr: Expr): boolean {
  return (expr.kind === 'call' && TIME_DEPENDENT.has(expr.func)) || childrenOf(expr).some(callsTimeDependent)
}

/** A pinned subquery is the same at any time, so what is inside stays. */
function pin(expr: Expr, at: AtModifier): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr
    case 'vector-selector':
      return pinSelector(expr, at)
    case 'matrix-selector':
      return { ...expr, selector: pinSelector(expr.selector, at) }
    case 'subquery':
      return expr.at?.kind === 'at-timestamp' ? expr : { ...expr, at }
    case 'paren':
    case 'unary':
      return { ...expr, expr: pin(expr.expr, at) }
    case 'binary':
      return { ...expr, lhs: pin(expr.lhs, at), rhs: pin(expr.rhs, at) }
    case 'aggregate':
      return { ...expr, expr: pin(expr.expr, at), param: expr.param && pin(expr.param, at) }
    case 'call':
      return { ...expr, args: expr.args.map((arg) => pin(arg, at)) }
  }
}

/** `@ start()` and `@ end()` are the evaluation time of an instant query, so they are replaced, too. */
function pinSelector(selector: VectorSelector, at: AtModifier): VectorSelector {
  return selector.at?.kind === 'at-timestamp' ? selector : { ...selector, at }
}

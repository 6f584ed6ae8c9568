/** Going through trees. */
import type { Matcher } from '../../../protocol/matchers/mod.ts'
import type { Expr } from '../ast.ts'
import { assertNever } from './types.ts'

/** In the order of the text. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector-selector':
      return []
    case 'paren':
    case 'unary':
    case 'subquery':
      return [expr.expr]
    case 'matrix-selector':
      return [expr.selector]
    case 'binary':
      return [expr.lhs, expr.rhs]
    case 'aggregate':
      return expr.param ? [expr.expr, expr.param] : [expr.expr]
    case 'call':
      return expr.args
    default:
      return assertNever(expr)
  }
}

/** The same node over changed children; the selector inside of a range selector is left alone. */
export function withChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'subquery':
      return { ...expr, expr: change(expr.expr) }
    case 'binary':
      return { ...expr, lhs: change(expr.lhs), rhs: change(expr.rhs) }
    case 'aggregate':
      return { ...expr, expr: change(expr.expr), param: expr.param === null ? null : change(expr.param) }
    case 'call':
      return { ...expr, args: expr.args.map(change) }
    default:
      return expr
  }
}

/** Without parentheses around it. */
export function unwrap(expr: Expr): Expr {
  let inner = expr
  while (inner.kind === 'paren') inner = inner.expr
  return inner
}

/** The matchers of every selector in the query. As parser.ExtractSelectors. */
export function extractSelectors(expr: Expr): (readonly Matcher[])[] {
  if (expr.kind === 'vector-selector') return [expr.matchers]
  return childrenOf(expr).flatMap(extractSelectors)
}

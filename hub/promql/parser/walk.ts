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

/** What an expression evaluates to. Semantics: Prometheus promql/parser/ast.go, the Type methods. */
import type { BinaryOp, Expr, ValueType } from '../ast.ts'
import { FUNCTIONS } from '../functions.ts'

export function typeOf(expr: Expr): ValueType {
  let node = expr
  while (node.kind === 'paren' || node.kind === 'unary') node = node.expr
  switch (node.kind) {
    case 'number':
      return 'scalar'
    case 'string':
      return 'string'
    case 'vector-selector':
    case 'aggregate':
      return 'vector'
    case 'matrix-selector':
    case 'subquery':
      return 'matrix'
    case 'call':
      return FUNCTIONS.get(node.func)?.returnType ?? 'none'
    case 'binary':
      return typeOf(node.lhs) === 'scalar' && typeOf(node.rhs) === 'scalar' ? 'scalar' : 'vector'
    default:
      return assertNever(node)
  }
}

export function isComparison(op: BinaryOp): boolean {
  return op === '==' || op === '!=' || op === '<' || op === '>' || op === '<=' || op === '>='
}

export function isSetOperator(op: BinaryOp): boolean {
  return op === 'and' || op === 'or' || op === 'unless'
}

export function assertNever(value: never): never {
  throw new Error(`BUG: unhandled case ${JSON.stringify(value)}`)
}

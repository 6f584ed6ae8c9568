/** Arithmetic between constants is done once, before the plan runs, by the operators that would do it at every step. */
import type { Expr } from '../ast.ts'
import { unwrap, withChildren } from '../parser/mod.ts'
import { scalarBinary } from './binary/scalar.ts'
import { goMax, goMin } from './functions/math.ts'

export function foldConstants(root: Expr): Expr {
  const expr = withChildren(root, foldConstants)
  const value = constantOf(expr)
  return value === null ? expr : { kind: 'number', value, duration: false, pos: expr.pos }
}

/** Of an expression whose parts are folded; parentheses stay, as some annotations point at them. */
function constantOf(expr: Expr): number | null {
  if (expr.kind === 'unary') {
    const value = numberOf(expr.expr)
    return value === null || expr.op === '+' ? value : -value
  }
  if (expr.kind === 'binary') {
    const lhs = numberOf(expr.lhs)
    const rhs = numberOf(expr.rhs)
    if (lhs === null || rhs === null) return null
    return scalarBinary(expr.op, Float64Array.of(lhs), Float64Array.of(rhs))[0]!
  }
  if (expr.kind !== 'call') return null
  if (expr.func === 'pi') return Math.PI
  if (expr.func !== 'min_of' && expr.func !== 'max_of') return null
  const numbers = expr.args.map(numberOf)
  return numbers.every((value) => value !== null) ? numbers.reduce(expr.func === 'min_of' ? goMin : goMax) : null
}

function numberOf(expr: Expr): number | null {
  const inner = unwrap(expr)
  return inner.kind === 'number' ? inner.value : null
}

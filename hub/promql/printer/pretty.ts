/**
 * Trees to indented text: a node goes over several lines when it does not fit in one.
 * Semantics: Prometheus promql/parser/prettier.go (v3.14).
 */
import type { Expr } from '../ast.ts'
import { printAggregation, printExpr, printOperator, printSubquerySuffix } from './print.ts'

export type PrettyOptions = {
  /** Longest text, in bytes, that stays on one line. Default 100. */
  readonly maxCharactersPerLine?: number
}

/** @example prettyExpr(parseExpr('sum by (job) (rate(up[5m]))'), { maxCharactersPerLine: 20 }) */
export function prettyExpr(expr: Expr, { maxCharactersPerLine = 100 }: PrettyOptions = {}): string {
  return pretty(expr, 0, maxCharactersPerLine)
}

const encoder = new TextEncoder()

function pretty(expr: Expr, level: number, width: number): string {
  const indent = '  '.repeat(level)
  if (expr.kind === 'unary') return `${indent}${expr.op}${pretty(expr.expr, level, width).trim()}`
  const line = printExpr(expr)
  const fits = encoder.encode(line).length <= width
  if (expr.kind === 'subquery') {
    // A subquery that fits stands without indentation, as upstream has it.
    return fits ? line : pretty(expr.expr, level, width) + printSubquerySuffix(expr)
  }
  if (fits) return indent + line
  const inner = (child: Expr) => pretty(child, level + 1, width)
  switch (expr.kind) {
    case 'aggregate': {
      const args = expr.param ? [expr.param, expr.expr] : [expr.expr]
      return `${indent}${printAggregation(expr)}(\n${args.map(inner).join(',\n')}\n${indent})`
    }
    case 'binary':
      return `${inner(expr.lhs)}\n${indent}${printOperator(expr)}\n${inner(expr.rhs)}`
    case 'call':
      return `${indent}${expr.func}(\n${expr.args.map(inner).join(',\n')}\n${indent})`
    case 'paren':
      return `${indent}(\n${inner(expr.expr)}\n${indent})`
    default:
      return indent + line
  }
}

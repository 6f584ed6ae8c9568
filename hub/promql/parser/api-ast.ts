/**
 * Trees as JSON: `/api/v1/parse_query`. Semantics: Prometheus web/api/v1/translate_ast.go (v3.14).
 */
import { formatFloat } from '../../../protocol/samples/mod.ts'
import type { AtModifier, DurationExpr, Expr, Offset, VectorMatching } from '../ast.ts'
import { FUNCTIONS } from '../functions.ts'
import { assertNever } from './types.ts'

export type ApiNode = { readonly type: string; readonly [field: string]: unknown }

export type ApiOptions = {
  /**
   * The conformance kit's form: `pos: [start, end]` (subqueries: `endPos`) in bytes is added, and `anchored`,
   * `smoothed` and `fillValues` are there only when they say something. The HTTP API has them always.
   */
  readonly positions?: boolean
}

/** @example exprToApi(parseExpr('1')) // { type: 'numberLiteral', val: '1' } */
export function exprToApi(expr: Expr, options: ApiOptions = {}): ApiNode {
  const { pos } = expr
  const at = options.positions ? { pos: [pos.start, pos.end] } : {}
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatFloat(expr.value), ...at }
    case 'string':
      return { type: 'stringLiteral', val: expr.value, ...at }
    case 'paren':
      return { type: 'parenExpr', expr: exprToApi(expr.expr, options), ...at }
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: exprToApi(expr.expr, options) }
    case 'aggregate':
      return {
        type: 'aggregation',
        op: expr.op,
        expr: exprToApi(expr.expr, options),
        param: expr.param && exprToApi(expr.param, options),
        grouping: expr.grouping,
        without: expr.without,
        ...at,
      }
    case 'binary':
      return {
        type: 'binaryExpr',
        op: expr.op,
        lhs: exprToApi(expr.lhs, options),
        rhs: exprToApi(expr.rhs, options),
        matching: matchingToApi(expr.matching, options),
        bool: expr.returnBool,
      }
    case 'call':
      return {
        type: 'call',
        func: functionToApi(expr.func),
        args: expr.args.map((arg) => exprToApi(arg, options)),
        ...at,
      }
    case 'subquery':
      return {
        type: 'subquery',
        expr: exprToApi(expr.expr, options),
        range: expr.rangeMs,
        rangeExpr: durationToApi(expr.rangeExpr, options),
        ...offsetToApi(expr.offset, options),
        step: expr.stepMs,
        stepExpr: durationToApi(expr.stepExpr, options),
        ...atToApi(expr.at),
        ...(options.positions ? { endPos: pos.end } : {}),
      }
    case 'matrix-selector': {
      const { type: _type, pos: _pos, ...selector } = exprToApi(expr.selector, options)
      return {
        type: 'matrixSelector',
        ...selector,
        range: expr.rangeMs,
        rangeExpr: durationToApi(expr.rangeExpr, options),
        ...at,
      }
    }
    case 'vector-selector':
      return {
        type: 'vectorSelector',
        name: expr.name,
        ...offsetToApi(expr.offset, options),
        matchers: expr.matchers.map(({ name, op, value }) => ({ type: op, name, value })),
        ...atToApi(expr.at),
        ...(expr.anchored || !options.positions ? { anchored: expr.anchored } : {}),
        ...(expr.smoothed || !options.positions ? { smoothed: expr.smoothed } : {}),
        ...at,
      }
    default:
      return assertNever(expr)
  }
}

function functionToApi(func: string): Record<string, unknown> {
  const signature = FUNCTIONS.get(func)
  if (!signature) throw new Error(`BUG: unknown function ${func} in a tree`)
  const { name, argTypes, variadic, returnType } = signature
  return { name, argTypes, variadic, returnType }
}

function matchingToApi(matching: VectorMatching | null, { positions }: ApiOptions): Record<string, unknown> | null {
  if (!matching) return null
  const { card, labels, on, include, fillLeft, fillRight } = matching
  const bare = positions && fillLeft === null && fillRight === null
  return { card, labels, on, include, ...(bare ? {} : { fillValues: { lhs: fillLeft, rhs: fillRight } }) }
}

function offsetToApi(offset: Offset, options: ApiOptions): { offset: number; offsetExpr: ApiNode | null } {
  return { offset: offset.offsetMs, offsetExpr: durationToApi(offset.expr, options) }
}

function atToApi(at: AtModifier | null): { timestamp: number | null; startOrEnd: 'start' | 'end' | null } {
  if (at === null) return { timestamp: null, startOrEnd: null }
  if (at.kind === 'at-timestamp') return { timestamp: at.timestampMs, startOrEnd: null }
  return { timestamp: null, startOrEnd: at.kind === 'at-start' ? 'start' : 'end' }
}

function durationToApi(expr: DurationExpr | null, options: ApiOptions): ApiNode | null {
  if (expr === null) return null
  if (expr.kind === 'duration-literal') {
    return {
      type: 'numberLiteral',
      val: formatFloat(expr.seconds),
      ...(expr.duration ? { duration: true } : {}),
      ...(options.positions ? { pos: [expr.pos.start, expr.pos.end] } : {}),
    }
  }
  const op = expr.op === 'max' || expr.op === 'min' ? `${expr.op}_of` : expr.op
  return {
    type: 'durationExpr',
    op,
    lhs: durationToApi(expr.lhs, options),
    rhs: durationToApi(expr.rhs, options),
    wrapped: expr.wrapped,
  }
}

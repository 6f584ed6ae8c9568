/**
 * Durations in brackets and after `offset`: literals, arithmetic, `step()`, `range()`, `max_of`, `min_of`.
 * Semantics: Prometheus promql/parser/generated_parser.y (v3.14), duration_expr, offset_duration_expr.
 */
import type { DurationExpr, NumberLiteral, Position } from '../ast.ts'
import { LiteralError, parseDurationSeconds, parseNumber } from './literals.ts'
import { asDurationExpr, type DurationNode, isDurationExpr, NO_POSITION } from './nodes.ts'
import { rangeOf, type TokenStream } from './stream.ts'
import type { Token, TokenType } from './tokens.ts'

type DurationOp = Extract<DurationExpr, { kind: 'duration-op' }>['op']

/** int64 nanoseconds, in seconds. Differs: NaN is out of range; upstream makes an arbitrary duration of it. */
const MAX_SECONDS = 2 ** 63 / 1e9
const UNARY_PRECEDENCE = 3
const PRECEDENCE: Partial<Record<TokenType, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 }

export const startsDuration = (type: TokenType): boolean =>
  startsLiteral(type) || type === '+' || type === '-' || type === '(' || startsCall(type)
const startsLiteral = (type: TokenType): boolean => type === 'number' || type === 'duration'
const startsCall = (type: TokenType): type is 'step' | 'range' | 'max_of' | 'min_of' =>
  type === 'step' || type === 'range' || type === 'max_of' || type === 'min_of'

/** A number token, or a duration token in seconds. */
export function literalSeconds(s: TokenStream, token: Token): number {
  try {
    return token.type === 'duration' ? parseDurationSeconds(token.val) : parseNumber(token.val)
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error
    // Upstream reports numbers at the token it has read last, durations at their own.
    if (token.type === 'duration') s.issue(rangeOf(token), error.message)
    else s.issue(rangeOf(token), `error parsing number: ${error.message}`)
    if (token.type !== 'duration' && error.message.endsWith('out of range')) return Infinity
    return 0
  }
}

/** `5` or `5m` as a number. */
export function parseNumberLiteral(s: TokenStream): NumberLiteral {
  const token = s.take()
  return {
    kind: 'number',
    value: literalSeconds(s, token),
    duration: token.type === 'duration',
    pos: rangeOf(token),
  }
}

/** Between brackets: a literal must be above zero. */
export function parsePositiveDuration(s: TokenStream): DurationNode {
  const node = parseDurationExpr(s)
  if (isDurationExpr(node) || node.value > 0) return node
  s.issue(node.pos, 'duration must be greater than 0')
  return zero()
}

/**
 * After `offset`. A signed literal, a call, or a signed parenthesis ends there, so that `foo offset -2^2` is
 * `(foo offset -2)^2`; an unsigned parenthesis goes on as an expression.
 */
export function parseOffsetDuration(s: TokenStream): DurationNode {
  s.settle(startsDuration)
  const type = s.peek()
  if (startsLiteral(type)) return inRange(s, parseNumberLiteral(s))
  if (startsCall(type)) return parseCall(s)
  if (type !== '+' && type !== '-') return parseDurationExpr(s)
  const sign = s.take()
  s.settle(startsDuration)
  const next = s.peek()
  if (startsLiteral(next)) return applySign(s, sign, parseNumberLiteral(s))
  if (startsCall(next)) {
    const call = parseCall(s)
    return operation(sign.type as '+' | '-', null, call, { start: sign.pos, end: call.pos.end })
  }
  if (next === '(') {
    const paren = parseParen(s, false)
    return applySign(s, sign, paren)
  }
  // Two signs in a row.
  return parseOperators(s, applySign(s, sign, parseDurationExpr(s, UNARY_PRECEDENCE)), 1)
}

export function parseDurationExpr(s: TokenStream, minPrecedence = 1): DurationNode {
  s.enter()
  try {
    return parseOperators(s, parseOperand(s), minPrecedence)
  } finally {
    s.leave()
  }
}

function parseOperators(s: TokenStream, first: DurationNode, minPrecedence: number): DurationNode {
  let lhs = first
  for (;;) {
    const op = s.peek()
    const precedence = PRECEDENCE[op] ?? 0
    if (precedence < minPrecedence || precedence === 0) return lhs
    const token = s.take()
    const rhs = parseDurationExpr(s, op === '^' ? precedence : precedence + 1)
    requireFeature(s, lhs)
    lhs = combine(s, token, lhs, rhs)
  }
}

function combine(s: TokenStream, op: Token, lhs: DurationNode, rhs: DurationNode): DurationNode {
  if ((op.type === '/' || op.type === '%') && !isDurationExpr(rhs) && rhs.value === 0) {
    s.issue(rangeOf(op), op.type === '/' ? 'division by zero' : 'modulo by zero')
    return zero()
  }
  return operation(op.type as DurationOp, lhs, rhs, { start: lhs.pos.start, end: rhs.pos.end })
}

function parseOperand(s: TokenStream): DurationNode {
  s.settle(startsDuration)
  const type = s.peek()
  if (startsLiteral(type)) return inRange(s, parseNumberLiteral(s))
  if (startsCall(type)) return parseCall(s)
  if (type === '(') return parseParen(s, true)
  const sign = s.take()
  return applySign(s, sign, parseDurationExpr(s, UNARY_PRECEDENCE))
}

/** `step()`, `range()`, `max_of(a, b)`, `min_of(a, b)`. */
function parseCall(s: TokenStream): DurationExpr {
  const name = s.take()
  const op = name.type as 'step' | 'range' | 'max_of' | 'min_of'
  s.expect('(')
  if (op === 'step' || op === 'range') {
    const close = s.expect(')')
    const node = operation(op, null, null, { start: name.pos, end: close.pos + 1 })
    requireFeature(s, node)
    return node
  }
  const lhs = parseDurationExpr(s)
  s.expect(',')
  const rhs = parseDurationExpr(s)
  const close = s.expect(')')
  const node = operation(op === 'max_of' ? 'max' : 'min', lhs, rhs, { start: name.pos, end: close.pos + 1 })
  requireFeature(s, node)
  return node
}

function parseParen(s: TokenStream, check: boolean): DurationNode {
  const open = s.take()
  const inner = parseDurationExpr(s)
  const close = s.expect(')')
  if (check) requireFeature(s, inner)
  if (isDurationExpr(inner) && inner.kind === 'duration-op') return { ...inner, wrapped: true }
  return { ...operation('+', null, inner, { start: open.pos, end: close.pos + 1 }), wrapped: true }
}

function applySign(s: TokenStream, sign: Token, node: DurationNode): DurationNode {
  if (isDurationExpr(node)) {
    return sign.type === '-' ? operation('-', null, node, { start: sign.pos, end: node.pos.end }) : node
  }
  const value = sign.type === '-' ? -node.value : node.value
  return inRange(s, { ...node, value, pos: { start: sign.pos, end: node.pos.end } }, rangeOf(sign))
}

function inRange(s: TokenStream, literal: NumberLiteral, complain: Position = literal.pos): NumberLiteral {
  if (literal.value <= MAX_SECONDS && literal.value >= -MAX_SECONDS) return literal
  s.issue(complain, 'duration out of range')
  return zero()
}

function operation(op: DurationOp, lhs: DurationNode | null, rhs: DurationNode | null, pos: Position) {
  return {
    kind: 'duration-op',
    op,
    lhs: lhs && asDurationExpr(lhs),
    rhs: rhs && asDurationExpr(rhs),
    wrapped: false,
    pos,
  } as const
}

function requireFeature(s: TokenStream, node: DurationNode): void {
  if (!s.features.durationExpressions) s.issue(node.pos, 'experimental duration expression is not enabled')
}

const zero = (): NumberLiteral => ({ kind: 'number', value: 0, duration: false, pos: NO_POSITION })

/**
 * Vector selectors with their matchers, and what follows a selector: ranges, subqueries, `offset`, `@`, `anchored`.
 * Semantics: Prometheus promql/parser/generated_parser.y and parse.go (v3.14).
 */
import {
  compileRegex,
  literalAlternatives,
  type Matcher,
  MatcherError,
  type MatchOp,
} from '../../../protocol/matchers/mod.ts'
import type { AtModifier, Expr, MatrixSelector, Position, SubqueryExpr, VectorSelector } from '../ast.ts'
import { literalSeconds, parseOffsetDuration, parsePositiveDuration, startsDuration } from './durations.ts'
import { LiteralError, unquote } from './literals.ts'
import {
  asDurationExpr,
  type DurationNode,
  endAt,
  isDurationExpr,
  literalMs,
  type Mutable,
  modifierTarget,
  NO_OFFSET,
} from './nodes.ts'
import { rangeOf, type TokenStream } from './stream.ts'
import type { Token, TokenType } from './tokens.ts'

const isMatchOp = (type: TokenType): type is MatchOp => type === '=' || type === '!=' || type === '=~' || type === '!~'
const DURATION_EXPECTED = 'number, duration, step(), or range()'

/** @param name the metric name before the braces, if any */
export function parseVectorSelector(s: TokenStream, name: Token | null): VectorSelector {
  const text = name === null ? '' : s.text(name)
  let matchers: Matcher[] = []
  let pos: Position = name === null ? { start: 0, end: 0 } : rangeOf(name)
  if (s.peek() === '{') {
    const open = s.take()
    matchers = parseMatchers(s)
    const close = s.expect('}')
    pos = { start: name === null ? open.pos : name.pos, end: close.pos + 1 }
  }
  if (text !== '') matchers.push({ name: '__name__', op: '=', value: text })
  return {
    kind: 'vector-selector',
    name: text,
    matchers,
    offset: NO_OFFSET,
    at: null,
    anchored: false,
    smoothed: false,
    pos,
  }
}

/** Up to the closing brace, which stays. */
function parseMatchers(s: TokenStream): Matcher[] {
  const matchers: Matcher[] = []
  for (;;) {
    if (!s.accepts((type) => type === 'identifier' || type === 'string' || type === '}')) {
      s.unexpected('label matching', 'identifier or "}"')
    } else if (s.peek() === '}') return matchers
    else {
      const matcher = parseMatcher(s)
      if (matcher) matchers.push(matcher)
    }
    while (!s.accepts((type) => type === ',' || type === '}')) s.unexpected('label matching', '"," or "}"')
    if (s.peek() === '}') return matchers
    s.take()
  }
}

/** null when it is broken. */
function parseMatcher(s: TokenStream): Matcher | null {
  const label = s.take()
  let name = s.text(label)
  if (label.type === 'string') {
    name = unquoteToken(s, label)
    if (!isMatchOp(s.peek())) return { name: '__name__', op: '=', value: name }
  } else if (!s.accepts(isMatchOp)) {
    s.unexpected('label matching', 'label matching operator')
    return null
  }
  const op = s.take().type as MatchOp
  if (!s.accepts((type) => type === 'string')) {
    s.unexpected('label matching', 'string')
    return null
  }
  const literal = s.take()
  const value = unquoteToken(s, literal)
  if (op === '=~' || op === '!~') checkRegex(s, value, { start: label.pos, end: literal.pos + literal.val.length })
  return { name, op, value }
}

function checkRegex(s: TokenStream, pattern: string, pos: Position): void {
  if (literalAlternatives(pattern)) return
  try {
    compileRegex(pattern)
  } catch (error) {
    if (!(error instanceof MatcherError)) throw error
    s.issue(pos, error.message)
  }
}

export function unquoteToken(s: TokenStream, token: Token): string {
  try {
    return unquote(token.val)
  } catch (error) {
    if (!(error instanceof LiteralError)) throw error
    s.issue(s.lastRange(), `error unquoting string ${s.text(token)}: ${error.message}`)
    return ''
  }
}

export const isPostfix = (type: TokenType): boolean =>
  type === '[' || type === 'offset' || type === '@' || type === 'anchored' || type === 'smoothed'

/** One modifier after `expr`; the next token is one (`isPostfix`). */
export function parsePostfix(s: TokenStream, expr: Expr): Expr {
  switch (s.peek()) {
    case '[':
      return parseBrackets(s, expr)
    case 'offset':
      return parseOffset(s, expr)
    case '@':
      return parseAt(s, expr)
    default:
      return setExtended(s, expr, s.take().type as 'anchored' | 'smoothed')
  }
}

function parseBrackets(s: TokenStream, expr: Expr): Expr {
  const open = s.take()
  if (!s.accepts(startsDuration)) {
    s.unexpected('subquery or range selector', DURATION_EXPECTED)
    return expr
  }
  const range = s.attempt(
    () => parsePositiveDuration(s),
    () => {
      s.unexpected('subquery or range selector', DURATION_EXPECTED)
      return null
    },
  )
  if (range === null) return expr
  if (!s.accepts((type) => type === ':' || type === ']')) {
    s.unexpected('subquery or range', '":" or "]"')
    return expr
  }
  const next = s.take()
  return next.type === ']' ? rangeSelector(s, expr, range, open, next) : parseSubquery(s, expr, range)
}

function rangeSelector(s: TokenStream, expr: Expr, range: DurationNode, open: Token, close: Token): MatrixSelector {
  let problem = ''
  if (expr.kind !== 'vector-selector') problem = 'ranges only allowed for vector selectors'
  else if (expr.offset.offsetMs !== 0 || expr.offset.expr !== null) {
    problem = 'no offset modifiers allowed before range'
  } else if (expr.at !== null) problem = 'no @ modifiers allowed before range'
  if (problem !== '') s.issue({ start: open.pos, end: close.pos + 1 }, problem)
  return {
    kind: 'matrix-selector',
    // Of another kind only when an issue has been noted; then the tree does not leave the parser.
    selector: expr as VectorSelector,
    ...rangeFields(range),
    pos: { start: expr.pos.start, end: s.lastClosing },
  }
}

function parseSubquery(s: TokenStream, expr: Expr, range: DurationNode): Expr {
  const afterColon = () => s.unexpected('subquery selector', 'number, duration, step(), range(), or "]"')
  if (!s.accepts((type) => type === ']' || startsDuration(type))) {
    afterColon()
    return expr
  }
  let step: DurationNode | null = null
  if (s.peek() !== ']') {
    step = s.attempt(
      () => parsePositiveDuration(s),
      () => {
        afterColon()
        return null
      },
    )
    if (step === null) return expr
    if (!s.accepts((type) => type === ']')) {
      s.unexpected('subquery selector', '"]"')
      return expr
    }
  }
  const close = s.take()
  const { rangeMs: stepMs, rangeExpr: stepExpr } = step ? rangeFields(step) : { rangeMs: 0, rangeExpr: null }
  return {
    kind: 'subquery',
    expr,
    ...rangeFields(range),
    stepMs,
    stepExpr,
    offset: NO_OFFSET,
    at: null,
    pos: { start: expr.pos.start, end: close.pos + 1 },
  }
}

function rangeFields(node: DurationNode): Pick<MatrixSelector, 'rangeMs' | 'rangeExpr'> {
  if (isDurationExpr(node)) return { rangeMs: 0, rangeExpr: asDurationExpr(node) }
  return { rangeMs: literalMs(node.value), rangeExpr: null }
}

function parseOffset(s: TokenStream, expr: Expr): Expr {
  s.take()
  const offset = s.attempt(
    () => parseOffsetDuration(s),
    () => {
      s.unexpected('offset', DURATION_EXPECTED)
      return null
    },
  )
  if (offset === null) return expr
  const target = modifierTarget(expr)
  if (typeof target === 'string') {
    s.issue(
      expr.pos,
      target === 'not a vector selector'
        ? 'ranges only allowed for vector selectors'
        : 'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    )
    return expr
  }
  const { holder, node } = target
  if (holder.offset.offsetMs !== 0 || holder.offset.expr !== null) {
    s.issue(expr.pos, 'offset may not be set multiple times')
  } else {
    holder.offset = isDurationExpr(offset)
      ? { offsetMs: 0, expr: offset }
      : { offsetMs: literalMs(offset.value), expr: null }
  }
  endAt(node, s.lastClosing)
  return expr
}

function parseAt(s: TokenStream, expr: Expr): Expr {
  s.take()
  const at = s.attempt<AtModifier | number | null>(
    () => parseAtValue(s),
    () => {
      s.unexpected('@', 'timestamp')
      return null
    },
  )
  if (at === null) return expr
  if (typeof at === 'number' && !(Math.abs(at) < 2 ** 63)) {
    s.issue(expr.pos, `timestamp out of bounds for @ modifier: ${formatFixed6(at)}`)
  }
  const target = modifierTarget(expr)
  if (typeof target === 'string') {
    s.issue(
      expr.pos,
      target === 'not a vector selector'
        ? 'ranges only allowed for vector selectors'
        : '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
    )
    return expr
  }
  if (target.holder.at !== null) {
    s.issue(expr.pos, '@ <timestamp> may not be set multiple times')
    return expr
  }
  target.holder.at = typeof at === 'number' ? { kind: 'at-timestamp', timestampMs: roundHalfAway(at * 1000) } : at
  endAt(target.node, s.lastClosing)
  return expr
}

function parseAtValue(s: TokenStream): AtModifier | number {
  s.settle(
    (type) =>
      type === 'number' || type === 'duration' || type === '+' || type === '-' || type === 'start' || type === 'end',
  )
  const first = s.take()
  if (first.type === 'start' || first.type === 'end') {
    s.expect('(')
    s.expect(')')
    return { kind: first.type === 'start' ? 'at-start' : 'at-end' }
  }
  if (first.type !== '+' && first.type !== '-') return literalSeconds(s, first)
  s.settle((type) => type === 'number' || type === 'duration')
  const seconds = literalSeconds(s, s.take())
  return first.type === '-' ? -seconds : seconds
}

/** As timestamp.FromFloatSeconds: math.Round, halves away from zero. */
const roundHalfAway = (value: number): number => Math.sign(value) * Math.round(Math.abs(value)) || 0

/** As Go's `%f`. */
function formatFixed6(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  return `${BigInt(Math.trunc(value))}.000000`
}

function setExtended(s: TokenStream, expr: Expr, modifier: 'anchored' | 'smoothed'): Expr {
  if (!s.features.extendedRangeSelectors) {
    s.issue(expr.pos, `${modifier} modifier is experimental and not enabled`)
    return expr
  }
  if (expr.kind === 'subquery') {
    s.issue(expr.pos, `${modifier} modifier is not supported for subqueries`)
    return expr
  }
  const target = modifierTarget(expr)
  if (typeof target === 'string') {
    if (target === 'not a selector') s.issue(expr.pos, `${modifier} modifier not implemented`)
    return expr
  }
  const holder = target.holder as Mutable<VectorSelector>
  holder[modifier] = true
  if (holder.anchored && holder.smoothed) {
    s.issue(expr.pos, 'anchored and smoothed modifiers cannot be used together')
  }
  return expr
}

export type { SubqueryExpr }

/**
 * Expressions: operators by precedence, aggregations, calls, literals.
 * Semantics: Prometheus promql/parser/generated_parser.y and parse.go (v3.14).
 */
import { quote } from '../../../protocol/labels/mod.ts'
import type {
  AggregateExpr,
  AggregateOp,
  BinaryExpr,
  BinaryOp,
  Call,
  Expr,
  NumberLiteral,
  VectorMatching,
} from '../ast.ts'
import { FUNCTIONS } from '../functions.ts'
import { literalSeconds, parseNumberLiteral } from './durations.ts'
import { NO_POSITION } from './nodes.ts'
import { isPostfix, parsePostfix, parseVectorSelector, unquoteToken } from './selectors.ts'
import { rangeOf, type TokenStream } from './stream.ts'
import { isAggregator, isGroupingLabel, isMetricName, isPreprocessor, type Token, type TokenType } from './tokens.ts'

const POWER = 6
const PRECEDENCE: Partial<Record<TokenType, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '>=': 3,
  '>': 3,
  '<': 3,
  '<=': 3,
  '!=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': POWER,
}

const startsExpr = (type: TokenType): boolean =>
  type === 'number' ||
  type === 'duration' ||
  type === 'string' ||
  type === '(' ||
  type === '{' ||
  type === '+' ||
  type === '-' ||
  isMetricName(type)

export function parseExpression(s: TokenStream, minPrecedence = 1): Expr {
  s.enter()
  try {
    let lhs = parseUnary(s)
    for (;;) {
      const op = s.peek()
      const precedence = PRECEDENCE[op] ?? 0
      if (precedence === 0 || precedence < minPrecedence) return lhs
      s.take()
      const modifiers = parseBinaryModifiers(s)
      const rhs = parseExpression(s, op === '^' ? precedence : precedence + 1)
      lhs = binaryExpr(s, op as BinaryOp, lhs, rhs, modifiers)
    }
  } finally {
    s.leave()
  }
}

function parseUnary(s: TokenStream): Expr {
  s.settle(startsExpr)
  const type = s.peek()
  if (type !== '+' && type !== '-') {
    let expr = parsePrimary(s)
    while (isPostfix(s.peek())) expr = parsePostfix(s, expr)
    return expr
  }
  const sign = s.take()
  // Binds as `*`, so only powers belong to the operand.
  const operand = parseExpression(s, POWER)
  const pos = { start: sign.pos, end: operand.pos.end }
  if (operand.kind !== 'number') return { kind: 'unary', op: type, expr: operand, pos }
  return { ...operand, value: type === '-' ? -operand.value : operand.value, pos }
}

function parsePrimary(s: TokenStream): Expr {
  const type = s.peek()
  if (type === 'number' || type === 'duration') return parseNumberLiteral(s)
  if (type === '{') return parseVectorSelector(s, null)
  if (type === 'string') {
    const token = s.take()
    return { kind: 'string', value: unquoteToken(s, token), pos: rangeOf(token) }
  }
  if (type === '(') {
    const open = s.take()
    const expr = parseExpression(s)
    const close = s.expect(')')
    return { kind: 'paren', expr, pos: { start: open.pos, end: close.pos + 1 } }
  }
  const name = s.take()
  const next = s.peek()
  if (isAggregator(type)) {
    if (next === '(' || next === 'by' || next === 'without') return parseAggregate(s, name)
  } else if (next === '(' && (type === 'identifier' || isPreprocessor(type))) return parseCall(s, name)
  return parseVectorSelector(s, name)
}

type BinaryModifiers = VectorMatching & { readonly returnBool: boolean }

function parseBinaryModifiers(s: TokenStream): BinaryModifiers {
  const returnBool = s.peek() === 'bool'
  if (returnBool) s.take()
  const modifiers = {
    returnBool,
    card: 'one-to-one' as VectorMatching['card'],
    labels: [] as readonly string[],
    on: false,
    include: [] as readonly string[],
    fillLeft: null as number | null,
    fillRight: null as number | null,
  }
  if (s.peek() === 'on' || s.peek() === 'ignoring') {
    modifiers.on = s.take().type === 'on'
    modifiers.labels = parseGroupingLabels(s)
    const side = s.peek()
    if (side === 'group_left' || side === 'group_right') {
      s.take()
      modifiers.card = side === 'group_left' ? 'many-to-one' : 'one-to-many'
      // What cannot follow is an error of the labels that are left out.
      const follows = s.peek()
      if (follows === '(' || !(startsExpr(follows) || isFill(follows))) modifiers.include = parseGroupingLabels(s)
    }
  }
  const fill = s.peek()
  if (fill === 'fill') {
    s.take()
    modifiers.fillLeft = parseFillValue(s)
    modifiers.fillRight = modifiers.fillLeft
  } else if (fill === 'fill_left') {
    s.take()
    modifiers.fillLeft = parseFillValue(s)
    if (s.peek() === 'fill_right') {
      s.take()
      modifiers.fillRight = parseFillValue(s)
    }
  } else if (fill === 'fill_right') {
    s.take()
    modifiers.fillRight = parseFillValue(s)
    if (s.peek() === 'fill_left') {
      s.take()
      modifiers.fillLeft = parseFillValue(s)
    }
  }
  return modifiers
}

function isFill(type: TokenType): boolean {
  return type === 'fill' || type === 'fill_left' || type === 'fill_right'
}

function parseFillValue(s: TokenStream): number {
  s.expect('(')
  s.settle((type) => type === 'number' || type === 'duration' || type === '+' || type === '-')
  let sign = 1
  if (s.peek() === '+' || s.peek() === '-') sign = s.take().type === '-' ? -1 : 1
  s.settle((type) => type === 'number' || type === 'duration')
  const value = literalSeconds(s, s.take())
  s.expect(')')
  return sign * value
}

function binaryExpr(s: TokenStream, op: BinaryOp, lhs: Expr, rhs: Expr, modifiers: BinaryModifiers): BinaryExpr {
  const { returnBool, ...matching } = modifiers
  const pos = { start: lhs.pos.start, end: rhs.pos.end }
  if (!s.features.binopFillModifiers && (matching.fillLeft !== null || matching.fillRight !== null)) {
    s.issue(pos, 'binop fill modifiers are experimental and not enabled')
  }
  return { kind: 'binary', op, lhs, rhs, matching, returnBool, pos }
}

/** `(a, b)` after `by`, `on` and their kin. */
function parseGroupingLabels(s: TokenStream): string[] {
  if (!s.accepts((type) => type === '(')) {
    s.unexpected('grouping opts', '"("')
    return []
  }
  s.take()
  const labels: string[] = []
  const fits = (type: TokenType) => type === ')' || type === 'string' || isGroupingLabel(type)
  for (;;) {
    if (!s.accepts(fits)) {
      s.unexpected('grouping opts', 'label')
      labels.push('')
    } else if (s.peek() === ')') break
    else labels.push(groupingLabel(s, s.take()))
    while (!s.accepts((type) => type === ',' || type === ')')) s.unexpected('grouping opts', '"," or ")"')
    if (s.peek() === ')') break
    s.take()
  }
  s.take()
  return labels
}

function groupingLabel(s: TokenStream, token: Token): string {
  const label = token.type === 'string' ? unquoteToken(s, token) : s.text(token)
  if (label === '') s.issue(rangeOf(token), `invalid label name for grouping: ${quote(label)}`)
  return label
}

function parseAggregate(s: TokenStream, op: Token): AggregateExpr {
  return s.attempt(
    () => {
      let modifier = parseAggregateModifier(s)
      const args = parseArguments(s)
      let overread = false
      if (modifier === null) {
        modifier = parseAggregateModifier(s)
        // To see that no modifier follows, one token more has been read.
        overread = modifier === null
      }
      return aggregateExpr(s, op, modifier ?? { grouping: [], without: false }, args, overread)
    },
    () => {
      s.unexpected('aggregation', '')
      return aggregateExpr(s, op, { grouping: [], without: false }, [], false)
    },
  )
}

type AggregateModifier = Pick<AggregateExpr, 'grouping' | 'without'>

function parseAggregateModifier(s: TokenStream): AggregateModifier | null {
  const type = s.peek()
  if (type !== 'by' && type !== 'without') return null
  s.take()
  return { grouping: parseGroupingLabels(s), without: type === 'without' }
}

const PARAMETRIC: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
])

function aggregateExpr(
  s: TokenStream,
  token: Token,
  { grouping, without }: AggregateModifier,
  args: readonly Expr[],
  overread: boolean,
): AggregateExpr {
  const op = token.type as AggregateOp
  const end = overread ? s.lexer.previousRightParen(s.lastClosing) : s.lastClosing
  const pos = { start: token.pos, end }
  const parametric = PARAMETRIC.has(op)
  const wanted = parametric ? 2 : 1
  if (args.length === 0) s.issue(pos, 'no arguments for aggregate expression provided')
  else if (!s.features.experimentalFunctions && (op === 'limitk' || op === 'limit_ratio')) {
    s.issue(pos, `${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`)
  } else if (args.length !== wanted) {
    s.issue(pos, `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`)
  }
  // Without its argument the tree does not leave the parser.
  const expr = args[wanted - 1] ?? MISSING
  return { kind: 'aggregate', op, expr, param: parametric ? (args[0] ?? null) : null, grouping, without, pos }
}

const MISSING: NumberLiteral = { kind: 'number', value: 0, duration: false, pos: NO_POSITION }

function parseCall(s: TokenStream, name: Token): Call {
  const args = parseArguments(s)
  const func = s.text(name)
  const signature = FUNCTIONS.get(func)
  if (!signature) s.issue(rangeOf(name), `unknown function with name ${quote(func)}`)
  else if (signature.experimental && !s.features.experimentalFunctions) {
    s.issue(rangeOf(name), `function ${quote(func)} is not enabled`)
  }
  return { kind: 'call', func, args, pos: { start: name.pos, end: s.lastClosing } }
}

/** `(a, b)`; does not look past the closing parenthesis. */
function parseArguments(s: TokenStream): Expr[] {
  s.expect('(')
  const args: Expr[] = []
  s.settle((type) => type === ')' || startsExpr(type))
  if (s.peek() === ')') {
    s.take()
    return args
  }
  args.push(parseExpression(s))
  for (;;) {
    s.settle((type) => type === ',' || type === ')')
    const token = s.take()
    if (token.type === ')') return args
    if (startsExpr(s.peek())) args.push(parseExpression(s))
    else s.issue(rangeOf(token), 'trailing commas not allowed in function call args')
  }
}

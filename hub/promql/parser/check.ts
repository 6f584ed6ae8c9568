/**
 * Types: what a query may combine with what, once it has no syntax errors.
 * Semantics: Prometheus promql/parser/parse.go (v3.14), checkAST.
 */
import { quote } from '../../../protocol/labels/mod.ts'
import { compileMatcher } from '../../../protocol/matchers/mod.ts'
import type { BinaryExpr, Call, Expr, Position, ValueType, VectorSelector } from '../ast.ts'
import { FUNCTIONS, type FunctionSignature } from '../functions.ts'
import type { Mutable } from './nodes.ts'
import type { TokenStream } from './stream.ts'
import { assertNever, isComparison, isSetOperator, typeOf } from './types.ts'

/** The name of a type in messages. */
export function documentedType(type: ValueType): string {
  return type === 'vector' ? 'instant vector' : type === 'matrix' ? 'range vector' : type
}

/** Notes every issue in `expr`, innermost first; sets the matching of binary operators to what it means. */
export function checkTypes(s: TokenStream, expr: Expr): ValueType {
  const type = typeOf(expr)
  switch (expr.kind) {
    case 'number':
    case 'string':
      break
    case 'paren':
      checkTypes(s, expr.expr)
      break
    case 'unary': {
      const operand = checkTypes(s, expr.expr)
      if (operand !== 'scalar' && operand !== 'vector') {
        const got = quote(documentedType(operand))
        s.issue(expr.pos, `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`)
      }
      break
    }
    case 'aggregate':
      expectType(s, expr.expr, 'vector', 'aggregation expression')
      if (expr.param) {
        expectType(s, expr.param, expr.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter')
      }
      break
    case 'binary':
      checkBinary(s, expr)
      break
    case 'call':
      checkCall(s, expr)
      break
    case 'subquery': {
      const inner = checkTypes(s, expr.expr)
      if (inner !== 'vector') {
        s.issue(expr.pos, `subquery is only allowed on instant vector, got ${inner} instead`)
      }
      break
    }
    case 'matrix-selector':
      checkTypes(s, expr.selector)
      break
    case 'vector-selector':
      checkSelector(s, expr)
      break
    default:
      assertNever(expr)
  }
  return type
}

function expectType(s: TokenStream, expr: Expr, want: ValueType, context: string): void {
  const type = checkTypes(s, expr)
  if (type !== want) {
    s.issue(expr.pos, `expected type ${documentedType(want)} in ${context}, got ${documentedType(type)}`)
  }
}

function checkBinary(s: TokenStream, expr: BinaryExpr): void {
  const node = expr as Mutable<BinaryExpr>
  const left = checkTypes(s, node.lhs)
  const right = checkTypes(s, node.rhs)
  const { op } = node
  const isSet = isSetOperator(op)
  if (node.returnBool && !isComparison(op)) {
    s.issue(operatorRange(s, node), 'bool modifier can only be used on comparison operators')
  }
  if (isComparison(op) && !node.returnBool && left === 'scalar' && right === 'scalar') {
    s.issue(operatorRange(s, node), 'comparisons between scalars must use BOOL modifier')
  }
  let matching = node.matching
  if (!matching) throw new Error('BUG: a binary expression was checked twice')
  if (isSet && matching.card === 'one-to-one') matching = { ...matching, card: 'many-to-many' }
  node.matching = matching
  if (matching.on) {
    for (const label of matching.labels) {
      for (const included of matching.include) {
        if (label !== included) continue
        s.issue(operatorRange(s, node), `label ${quote(label)} must not occur in ON and GROUP clause at once`)
      }
    }
  }
  for (const [side, type] of [[node.lhs, left] as const, [node.rhs, right] as const]) {
    if (type !== 'scalar' && type !== 'vector') {
      s.issue(side.pos, 'binary expression must contain only scalar and instant vector types')
    }
  }
  const fills = matching.fillLeft !== null || matching.fillRight !== null
  if (left !== 'vector' || right !== 'vector') {
    if (matching.labels.length > 0) s.issue(node.pos, 'vector matching only allowed between instant vectors')
    if (fills) s.issue(node.pos, 'filling in missing series only allowed between instant vectors')
    node.matching = null
  } else if (isSet) {
    if (matching.card !== 'many-to-many') {
      s.issue(node.pos, `no grouping allowed for ${quote(op)} operation`)
      s.issue(node.pos, 'set operations must always be many-to-many')
    }
    if (fills) s.issue(node.pos, 'filling in missing series not allowed for set operators')
  }
  if (isSet && (left === 'scalar' || right === 'scalar')) {
    s.issue(node.pos, `set operator ${quote(op)} not allowed in binary scalar expression`)
  }
}

/** The text between the operands, without the space around it (the end is one short, as upstream's). */
function operatorRange({ source }: TokenStream, { lhs, rhs }: BinaryExpr): Position {
  let start = lhs.pos.end
  while (start < source.length && ' \t\n\r'.includes(source[start]!)) start++
  let end = rhs.pos.start - 1
  while (end > 0 && ' \t\n\r'.includes(source[end] ?? '\0')) end--
  return { start, end }
}

function checkCall(s: TokenStream, call: Call): void {
  const signature = FUNCTIONS.get(call.func)
  if (!signature) throw new Error(`BUG: call of unknown function ${quote(call.func)} passed the parser`)
  checkArgumentCount(s, call, signature)
  const { argTypes, variadic } = signature
  const infoArgument = call.func === 'info' && call.args.length > 1 ? call.args[1]! : null
  if (infoArgument) checkInfoSelector(s, call, infoArgument)
  for (const [i, arg] of call.args.entries()) {
    if (i >= argTypes.length && variadic === 0) break
    const want = argTypes[Math.min(i, argTypes.length - 1)]!
    const type = arg === infoArgument && arg.kind === 'vector-selector' ? 'vector' : checkTypes(s, arg)
    if (type !== want) {
      const func = quote(call.func)
      s.issue(arg.pos, `expected type ${documentedType(want)} in call to function ${func}, got ${documentedType(type)}`)
    }
  }
}

function checkArgumentCount(s: TokenStream, { func, args, pos }: Call, signature: FunctionSignature): void {
  const { argTypes, variadic } = signature
  const wanted = argTypes.length
  const name = quote(func)
  if (variadic === 0) {
    if (args.length !== wanted) {
      s.issue(pos, `expected ${wanted} argument(s) in call to ${name}, got ${args.length}`)
    }
    return
  }
  const least = wanted - 1
  const most = least + variadic
  if (args.length < least) {
    s.issue(pos, `expected at least ${least} argument(s) in call to ${name}, got ${args.length}`)
  } else if (variadic > 0 && args.length > most) {
    s.issue(pos, `expected at most ${most} argument(s) in call to ${name}, got ${args.length}`)
  }
}

/** The second argument of `info()` picks labels, so it is a selector without a name, and may match everything. */
function checkInfoSelector(s: TokenStream, call: Call, arg: Expr): void {
  const type = typeOf(arg)
  if (type !== 'vector') {
    s.issue(call.pos, `expected type instant vector in call to function "info", got ${documentedType(type)}`)
  }
  if (arg.kind !== 'vector-selector') s.issue(arg.pos, 'expected label selectors only')
  else if (arg.name !== '') {
    s.issue(arg.pos, 'expected label selectors only, got vector selector instead')
    checkSelector(s, arg)
  }
}

function checkSelector(s: TokenStream, { name, matchers, pos }: VectorSelector): void {
  if (name !== '') {
    for (const matcher of matchers.slice(0, -1)) {
      if (matcher.name === '__name__') {
        s.issue(pos, `metric name must not be set twice: ${quote(name)} or ${quote(matcher.value)}`)
      }
    }
    return
  }
  if (!matchers.some((matcher) => !compileMatcher(matcher)(''))) {
    s.issue(pos, 'vector selector must contain at least one non-empty matcher')
  }
}

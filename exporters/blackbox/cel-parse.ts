/**
 * The Common Expression Language as far as checks of a JSON body need it: literals, fields and indexes, operators, the
 * conditional, lists and maps, the functions of strings and times, conversions, and the macros. Semantics: cel-spec
 * doc/langdef.md.
 */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { DURATION_PARTS, TIME_PARTS } from './cel-time.ts'
import { CelBytes, CelType, type CelValue, TYPE_NAMES } from './cel-value.ts'

export type CelNode =
  | { readonly kind: 'literal'; readonly value: CelValue; readonly isUnsigned?: boolean }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'select'; readonly of: CelNode; readonly field: string; readonly isTest: boolean }
  | { readonly kind: 'index'; readonly of: CelNode; readonly index: CelNode }
  | { readonly kind: 'unary'; readonly op: '!' | '-'; readonly of: CelNode }
  | { readonly kind: 'binary'; readonly op: string; readonly left: CelNode; readonly right: CelNode }
  | { readonly kind: 'if'; readonly test: CelNode; readonly yes: CelNode; readonly no: CelNode }
  | { readonly kind: 'list'; readonly items: readonly CelNode[] }
  | { readonly kind: 'map'; readonly entries: readonly (readonly [key: CelNode, value: CelNode])[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly CelNode[] }
  | {
      readonly kind: 'macro'
      readonly name: string
      readonly of: CelNode
      readonly variable: string
      readonly args: readonly CelNode[]
    }

/** How many arguments each function takes; those of strings have the string before them. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  ...{ size: 1, int: 1, uint: 1, double: 1, string: 1, bool: 1, bytes: 1, dyn: 1, type: 1, timestamp: 1, duration: 1 },
}
const METHODS: Readonly<Record<string, readonly number[]>> = {
  ...{ contains: [2], startsWith: [2], endsWith: [2], matches: [2], size: [1] },
  ...Object.fromEntries([...TIME_PARTS, ...DURATION_PARTS].map((name) => [name, [1, 2]])),
}
const MACROS: Readonly<Record<string, readonly number[]>> = {
  all: [2],
  exists: [2],
  exists_one: [2],
  filter: [2],
  map: [2, 3],
}
const MAX_DEPTH = 100
/** No names of fields, unless in backticks. */
const WORDS = ['in', 'true', 'false', 'null']
const RELATIONS = ['==', '!=', '<=', '>=', '<', '>', 'in']

type Token = {
  readonly kind: 'number' | 'string' | 'field' | 'name' | 'op' | 'end'
  readonly text: string
  readonly at: number
}
const TOKEN =
  /\s+|\/\/[^\n]*|(?<number>0[xX][\da-fA-F]+[uU]?|\d+\.\d+(?:[eE][+-]?\d+)?|\.?\d+(?:[eE][+-]?\d+)?[uU]?)|(?<string>[bB]?[rR](?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*')|[bB]?(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|(?<field>`[\w.\-/ ]+`)|(?<name>[A-Za-z_]\w*)|(?<op>\|\||&&|[=!<>]=|[-+*/%<>!?:.,()[\]{}])/y

/** @param names variables that may be used @throws Error with what is wrong and where */
export function parseCel(source: string, names: readonly string[]): CelNode {
  const tokens = tokenize(source)
  const scope = new Set(names)
  let next = 0
  let depth = 0

  const peek = (): Token => tokens[next]!
  const isOp = (text: string): boolean => peek().text === text && (peek().kind === 'op' || text === 'in')
  const fail = (token: Token, problem: string): never => {
    throw new Error(`${problem} at offset ${token.at}`)
  }
  const expect = (text: string): void => {
    if (!isOp(text)) fail(peek(), `expected "${text}", got "${peek().text || 'the end'}"`)
    next++
  }
  const take = (text: string): boolean => {
    if (!isOp(text)) return false
    next++
    return true
  }

  function expression(): CelNode {
    if (++depth > MAX_DEPTH) fail(peek(), 'the expression is nested too deeply')
    const test = leftToRight(0)
    let node = test
    if (take('?')) {
      const yes = leftToRight(0)
      expect(':')
      node = { kind: 'if', test, yes, no: expression() }
    }
    depth--
    return node
  }

  const LEVELS = [['||'], ['&&'], RELATIONS, ['+', '-'], ['*', '/', '%']]
  function leftToRight(level: number): CelNode {
    const ops = LEVELS[level]
    if (ops === undefined) return unary()
    let left = leftToRight(level + 1)
    for (;;) {
      const op = ops.find(isOp)
      if (op === undefined) return left
      next++
      left = { kind: 'binary', op, left, right: leftToRight(level + 1) }
    }
  }

  function unary(): CelNode {
    const op = isOp('!') ? '!' : isOp('-') ? '-' : null
    if (op === null) return member()
    next++
    if (++depth > MAX_DEPTH) fail(peek(), 'the expression is nested too deeply')
    const isNumber = peek().kind === 'number'
    const of = unary()
    depth--
    const isSigned = isNumber && of.kind === 'literal' && of.isUnsigned !== true
    if (op === '-' && isSigned && (typeof of.value === 'bigint' || typeof of.value === 'number'))
      return { ...of, value: -of.value }
    return { kind: 'unary', op, of }
  }

  function member(): CelNode {
    let node = primary()
    for (;;) {
      if (take('[')) {
        node = { kind: 'index', of: node, index: expression() }
        expect(']')
      } else if (take('.')) {
        const token = peek()
        if (token.kind === 'field') {
          next++
          node = { kind: 'select', of: node, field: token.text.slice(1, -1), isTest: false }
          continue
        }
        if (token.kind !== 'name' || WORDS.includes(token.text)) fail(token, 'expected a field')
        next++
        node = isOp('(') ? method(node, token) : { kind: 'select', of: node, field: token.text, isTest: false }
      } else return node
    }
  }

  function method(of: CelNode, token: Token): CelNode {
    const name = token.text
    const counts = Object.hasOwn(MACROS, name) ? MACROS[name] : undefined
    if (counts !== undefined) {
      expect('(')
      const variable = peek()
      if (variable.kind !== 'name') fail(variable, `${name}() needs the name of a variable`)
      next++
      const isNew = !scope.has(variable.text)
      scope.add(variable.text)
      const args: CelNode[] = []
      while (take(',')) args.push(expression())
      expect(')')
      if (isNew) scope.delete(variable.text)
      if (!counts.includes(args.length + 1)) fail(token, `wrong number of arguments to ${name}()`)
      return { kind: 'macro', name, of, variable: variable.text, args }
    }
    const args = [of, ...argumentsOf()]
    if (!Object.hasOwn(METHODS, name) || !METHODS[name]!.includes(args.length))
      fail(token, `undeclared reference to '${name}' with ${args.length - 1} arguments`)
    return { kind: 'call', name, args }
  }

  function argumentsOf(): CelNode[] {
    expect('(')
    const args: CelNode[] = []
    while (!take(')')) {
      if (args.length > 0) expect(',')
      args.push(expression())
    }
    return args
  }

  function primary(): CelNode {
    const token = peek()
    next++
    if (token.kind === 'number') return numberOf(token)
    if (token.kind === 'string') return { kind: 'literal', value: textOf(token) }
    if (token.kind === 'name') return nameOrCall(token)
    if (token.text === '(') {
      const node = expression()
      expect(')')
      return node
    }
    if (token.text === '[') return { kind: 'list', items: itemsUntil(']', expression) }
    if (token.text === '{')
      return {
        kind: 'map',
        entries: itemsUntil('}', () => {
          const key = expression()
          expect(':')
          return [key, expression()] as const
        }),
      }
    return fail(token, `unexpected "${token.text || 'end'}"`)
  }

  function itemsUntil<T>(close: string, item: () => T): T[] {
    const out: T[] = []
    while (!take(close)) {
      if (out.length > 0) {
        expect(',')
        if (take(close)) break
      }
      out.push(item())
    }
    return out
  }

  function nameOrCall(token: Token): CelNode {
    const { text } = token
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true' }
    if (text === 'null') return { kind: 'literal', value: null }
    if (isOp('(')) {
      const args = argumentsOf()
      const [first] = args
      if (text === 'has') {
        if (args.length !== 1 || first?.kind !== 'select') return fail(token, 'has() needs one field')
        return { ...first, isTest: true }
      }
      const isKnown = Object.hasOwn(FUNCTIONS, text)
        ? FUNCTIONS[text] === args.length
        : text === 'matches' && args.length === 2
      if (!isKnown) fail(token, `undeclared reference to '${text}' with ${args.length} arguments`)
      return { kind: 'call', name: text, args }
    }
    if (!scope.has(text) && (TYPE_NAMES as readonly string[]).includes(text))
      return { kind: 'literal', value: new CelType(text) }
    if (!scope.has(text)) fail(token, `undeclared reference to '${text}'`)
    return { kind: 'name', name: text }
  }

  const node = expression()
  if (peek().kind !== 'end') fail(peek(), `unexpected "${peek().text}"`)
  return node
}

function tokenize(source: string): Token[] {
  const out: Token[] = []
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < source.length; ) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(source)
    if (match === null) throw new Error(`unexpected ${JSON.stringify(source[at])} at offset ${at}`)
    for (const [kind, text] of Object.entries(match.groups!))
      if (text !== undefined) out.push({ kind: kind as Token['kind'], text, at })
  }
  out.push({ kind: 'end', text: '', at: source.length })
  return out
}

function numberOf({ text, at }: Token): CelNode {
  if (!/^(?:0[xX][\da-fA-F]+|\d+)[uU]?$/.test(text)) return { kind: 'literal', value: Number(text) }
  const isUnsigned = /[uU]$/.test(text)
  const value = BigInt(text.replace(/[uU]$/, ''))
  // One more than there is, for the least of all after its sign.
  if (value > (isUnsigned ? 2n ** 64n - 1n : 2n ** 63n)) throw new Error(`invalid int literal at offset ${at}`)
  return { kind: 'literal', value, ...(isUnsigned && { isUnsigned }) }
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' },
  ...{ '\\': '\\', '"': '"', "'": "'", '`': '`', '?': '?' },
}
const ESCAPE = /\\(?:[xX]([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))/g

/** Of a literal of bytes the escapes of numbers are bytes, of a string they are characters. */
function textOf({ text, at }: Token): string | CelBytes {
  const prefix = /^[a-zA-Z]*/.exec(text)![0].toLowerCase()
  const quoted = text.slice(prefix.length)
  const width = /^(?:"""|''')/.test(quoted) ? 3 : 1
  const inner = quoted.slice(width, -width)
  const isBytes = prefix.includes('b')
  if (prefix.includes('r')) return isBytes ? new CelBytes(new TextEncoder().encode(inner)) : inner
  const parts: Uint8Array[] = []
  let plain = ''
  let last = 0
  for (const match of inner.matchAll(ESCAPE)) {
    const [whole, x, u, U, o, c] = match
    plain += inner.slice(last, match.index)
    last = match.index + whole.length
    const code = x || u || U ? Number.parseInt(x ?? u ?? U!, 16) : o ? Number.parseInt(o, 8) : null
    if ((code === null && ESCAPES[c!] === undefined) || (isBytes && (u || U)))
      throw new Error(`unknown escape ${whole} at offset ${at}`)
    if (code === null) plain += ESCAPES[c!]
    else if (!isBytes) plain += String.fromCodePoint(code)
    else {
      parts.push(new TextEncoder().encode(plain), Uint8Array.of(code))
      plain = ''
    }
  }
  plain += inner.slice(last)
  if (!isBytes) return plain
  return new CelBytes(joinBytes([...parts, new TextEncoder().encode(plain)]))
}

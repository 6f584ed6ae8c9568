/** Expressions of CEL over a JSON body, which they know as `body`. Semantics: cel-spec doc/langdef.md; cel-go. */
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { type CelNode, type CelValue, parseCel } from './cel-parse.ts'

export type CelProgram = {
  readonly expression: string
  /** @throws Error: no such key, no such overload… */
  evaluate(body: CelValue): CelValue
}

/** Of one evaluation: an expression of many macros within each other must not hold up the process. */
const MAX_STEPS = 200_000
const STEPS_OF_A_REGEX = 200
const MAX_REGEXES = 16

type Regex = ReturnType<typeof compileRegex>

/** @throws Error when the expression cannot be read, or uses what is not there */
export function compileCel(expression: string): CelProgram {
  const node = parseCel(expression, ['body'])
  const regexes = new Map<string, Regex>()
  return { expression, evaluate: (body) => new Evaluation({ body }, regexes).value(node) }
}

/** A parsed JSON text: its numbers are doubles. */
export const celOfJson = (text: string): CelValue => JSON.parse(text) as CelValue

class Evaluation {
  readonly #scope: Record<string, CelValue>
  /** Most are literals, asked of each item of a list; to make one takes as long as a hundred uses. */
  readonly #regexes: Map<string, Regex>
  #steps = 0

  constructor(scope: Readonly<Record<string, CelValue>>, regexes: Map<string, Regex>) {
    this.#scope = { ...scope }
    this.#regexes = regexes
  }

  value(node: CelNode): CelValue {
    if (++this.#steps > MAX_STEPS) throw new Error('operation cancelled: actual cost limit exceeded')
    switch (node.kind) {
      case 'literal':
        return node.value
      case 'name':
        return this.#scope[node.name]!
      case 'select':
        return this.#select(node)
      case 'index':
        return indexed(this.value(node.of), this.value(node.index))
      case 'unary':
        return this.#unary(node)
      case 'binary':
        return node.op === '&&' || node.op === '||'
          ? this.#logical(node)
          : binary(node.op, this.value(node.left), this.value(node.right))
      case 'if':
        return this.value(truth(this.value(node.test)) ? node.yes : node.no)
      case 'list':
        return node.items.map((item) => this.value(item))
      case 'map':
        return Object.fromEntries(node.entries.map(([key, value]) => [String(this.value(key)), this.value(value)]))
      case 'call':
        return this.#call(
          node.name,
          node.args.map((arg) => this.value(arg)),
        )
      case 'macro':
        return this.#macro(node)
    }
  }

  #call(name: string, args: readonly CelValue[]): CelValue {
    const [text, pattern] = args
    if (name !== 'matches' || typeof text !== 'string' || typeof pattern !== 'string') return call(name, args)
    let regex = this.#regexes.get(pattern)
    if (regex === undefined) {
      // Those that a body brings are paid for, and not kept.
      this.#steps += STEPS_OF_A_REGEX
      regex = compileRegex(pattern)
      if (this.#regexes.size < MAX_REGEXES) this.#regexes.set(pattern, regex)
    }
    return regex.test(text)
  }

  #select({ of, field, isTest }: Extract<CelNode, { kind: 'select' }>): CelValue {
    const container = this.value(of)
    if (!isMap(container)) throw new Error('no such overload: field selection')
    const isThere = Object.hasOwn(container, field)
    if (isTest) return isThere
    if (!isThere) throw new Error(`no such key: ${field}`)
    return container[field]!
  }

  #unary({ op, of }: Extract<CelNode, { kind: 'unary' }>): CelValue {
    const value = this.value(of)
    if (op === '!') return !truth(value)
    if (typeof value === 'bigint') return checkedInt(-value)
    if (typeof value === 'number') return -value
    throw new Error('no such overload: -')
  }

  /** Either side may decide alone, whatever becomes of the other. */
  #logical({ op, left, right }: Extract<CelNode, { kind: 'binary' }>): CelValue {
    const decides = op === '||'
    let problem: unknown
    for (const side of [left, right])
      try {
        if (truth(this.value(side)) === decides) return decides
      } catch (error) {
        if (this.#steps > MAX_STEPS) throw error
        problem = error
      }
    if (problem !== undefined) throw problem
    return !decides
  }

  #macro({ name, of, variable, args }: Extract<CelNode, { kind: 'macro' }>): CelValue {
    const range = this.value(of)
    const items: readonly CelValue[] = Array.isArray(range) ? range : isMap(range) ? Object.keys(range) : noRange(name)
    const had = Object.hasOwn(this.#scope, variable)
    const before = this.#scope[variable]
    const each =
      (node: CelNode) =>
      (item: CelValue): CelValue => {
        this.#scope[variable] = item
        return this.value(node)
      }
    const test = (item: CelValue): boolean => truth(each(args[0]!)(item))
    try {
      switch (name) {
        case 'all':
          return items.every(test)
        case 'exists':
          return items.some(test)
        case 'exists_one':
          return items.filter(test).length === 1
        case 'filter':
          return items.filter(test)
        default:
          return args.length === 1 ? items.map(each(args[0]!)) : items.filter(test).map(each(args[1]!))
      }
    } finally {
      if (had) this.#scope[variable] = before!
      else delete this.#scope[variable]
    }
  }
}

function noRange(name: string): never {
  throw new Error(`no such overload: ${name}() of neither a list nor a map`)
}

const isMap = (value: CelValue): value is { readonly [key: string]: CelValue } =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

function truth(value: CelValue): boolean {
  if (typeof value !== 'boolean') throw new Error('no such overload: a boolean is wanted')
  return value
}

function checkedInt(value: bigint): bigint {
  if (value !== BigInt.asIntN(64, value)) throw new Error('integer overflow')
  return value
}

function indexed(container: CelValue, key: CelValue): CelValue {
  if (Array.isArray(container)) {
    const index = typeof key === 'bigint' || (typeof key === 'number' && Number.isInteger(key)) ? Number(key) : -1
    if (index < 0 || index >= container.length) throw new Error(`index out of bounds: ${String(key)}`)
    return container[index]
  }
  if (!isMap(container)) throw new Error('no such overload: index')
  if (typeof key !== 'string' || !Object.hasOwn(container, key)) throw new Error(`no such key: ${String(key)}`)
  return container[key]!
}

function binary(op: string, left: CelValue, right: CelValue): CelValue {
  switch (op) {
    case '==':
      return isEqual(left, right)
    case '!=':
      return !isEqual(left, right)
    case 'in':
      if (Array.isArray(right)) return right.some((item) => isEqual(item, left))
      if (isMap(right)) return typeof left === 'string' && Object.hasOwn(right, left)
      throw new Error('no such overload: in')
    case '<':
    case '<=':
    case '>':
    case '>=':
      return compare(op, left, right)
    default:
      return arithmetic(op, left, right)
  }
}

function isEqual(a: CelValue, b: CelValue): boolean {
  if (isNumber(a) && isNumber(b)) return Number(a) === Number(b) && (typeof a !== typeof b || a === b)
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i] as CelValue))
  if (isMap(a)) {
    if (!isMap(b)) return false
    const keys = Object.keys(a)
    return (
      keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key]!, b[key]!))
    )
  }
  return a === b
}

const isNumber = (value: CelValue): value is bigint | number => typeof value === 'bigint' || typeof value === 'number'

function compare(op: string, left: CelValue, right: CelValue): boolean {
  const isComparable =
    (isNumber(left) && isNumber(right)) || (typeof left === typeof right && ['string', 'boolean'].includes(typeof left))
  if (!isComparable) throw new Error(`no such overload: ${op}`)
  const [a, b] = [left as number, right as number]
  return op === '<' ? a < b : op === '<=' ? a <= b : op === '>' ? a > b : a >= b
}

function arithmetic(op: string, left: CelValue, right: CelValue): CelValue {
  if (typeof left === 'bigint' && typeof right === 'bigint') {
    if ((op === '/' || op === '%') && right === 0n) throw new Error(op === '/' ? 'division by zero' : 'modulus by zero')
    if (op === '+') return checkedInt(left + right)
    if (op === '-') return checkedInt(left - right)
    if (op === '*') return checkedInt(left * right)
    return checkedInt(op === '/' ? left / right : left % right)
  }
  if (typeof left === 'number' && typeof right === 'number' && op !== '%') {
    if (op === '+') return left + right
    if (op === '-') return left - right
    return op === '*' ? left * right : left / right
  }
  if (op === '+' && typeof left === 'string' && typeof right === 'string') return left + right
  if (op === '+' && Array.isArray(left) && Array.isArray(right)) return [...left, ...right]
  throw new Error(`no such overload: ${op}`)
}

function call(name: string, [first = null, second = null]: readonly CelValue[]): CelValue {
  if (typeof first === 'string' && typeof second === 'string') {
    if (name === 'contains') return first.includes(second)
    if (name === 'startsWith') return first.startsWith(second)
    if (name === 'endsWith') return first.endsWith(second)
  }
  if (name === 'dyn') return first
  if (name === 'size') {
    if (typeof first === 'string') return BigInt([...first].length)
    if (Array.isArray(first)) return BigInt(first.length)
    if (isMap(first)) return BigInt(Object.keys(first).length)
  }
  return convert(name, first)
}

function convert(name: string, value: CelValue): CelValue {
  const number =
    typeof value === 'string' && value.trim() !== '' ? Number(value) : isNumber(value) ? Number(value) : Number.NaN
  if (name === 'double' && (isNumber(value) || !Number.isNaN(number))) return number
  if ((name === 'int' || name === 'uint') && Number.isFinite(number)) {
    const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(number))
    if (name === 'uint' && whole < 0n) throw new Error('unsigned integer overflow')
    return checkedInt(whole)
  }
  if (name === 'string' && (typeof value === 'string' || typeof value === 'boolean' || isNumber(value)))
    return String(value)
  if (name === 'bool' && (typeof value === 'boolean' || value === 'true' || value === 'false'))
    return value === true || value === 'true'
  throw new Error(`no such overload: ${name}()`)
}

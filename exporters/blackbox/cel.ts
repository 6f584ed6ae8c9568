/** Expressions of CEL over a JSON body, which they know as `body`. Semantics: cel-spec doc/langdef.md; cel-go. */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { formatGoFloat, readGoFloat } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { checkCel } from './cel-check.ts'
import { type CelNode, parseCel } from './cel-parse.ts'
import {
  DURATION_PARTS,
  duration,
  durationPart,
  formatDuration,
  formatTimestamp,
  isKnownZone,
  parseDuration,
  parseTimestamp,
  secondsOf,
  TIME_PARTS,
  timePart,
  timestamp,
  timestampOfSeconds,
} from './cel-time.ts'
import { CelBytes, CelDuration, CelTimestamp, CelType, type CelValue, isMap, isNumber, typeOf } from './cel-value.ts'

export type { CelValue } from './cel-value.ts'

export type CelProgram = {
  readonly expression: string
  /** @throws Error: no such key, no such overload… */
  evaluate(body: CelValue): CelValue
}

/** Of one evaluation: an expression of many macros within each other must not hold up the process. */
const MAX_STEPS = 200_000
const STEPS_OF_A_REGEX = 200
const STEPS_OF_A_ZONE = 200
/** So much of what one operator or function looks through takes as long as a step. */
const ITEMS_A_STEP = 32
const CHARACTERS_A_STEP = 1024
const MAX_REGEXES = 16
const TOO_LONG = 'operation cancelled: actual cost limit exceeded'

type Regex = ReturnType<typeof compileRegex>

/** @throws Error when the expression cannot be read, or uses what is not there */
export function compileCel(expression: string): CelProgram {
  const node = parseCel(expression, ['body'])
  checkCel(node, ['body'])
  const regexes = new Map<string, Regex>()
  return { expression, evaluate: (body) => new Evaluation({ body }, regexes).value(node) }
}

/** A number that a double may not hold: to look at all of them takes longer than to read the text. */
const MAY_OVERFLOW = /[eE]\+?\d{3}|\d{309}/

/** A parsed JSON text: its numbers are doubles. @throws Error */
export function celOfJson(text: string): CelValue {
  if (!MAY_OVERFLOW.test(text)) return JSON.parse(text) as CelValue
  return JSON.parse(text, (_, value: CelValue) => {
    if (value === Infinity || value === -Infinity) throw new Error('json: cannot unmarshal number into float64')
    return value
  }) as CelValue
}

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
    if (++this.#steps > MAX_STEPS) throw new Error(TOO_LONG)
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
          : this.#binary(node.op, this.value(node.left), this.value(node.right))
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

  /** What a body makes long is paid for by its length, or some lists of it would hold up the process. */
  #spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > MAX_STEPS) throw new Error(TOO_LONG)
  }

  #binary(op: string, left: CelValue, right: CelValue): CelValue {
    if (op === '==' || op === '!=') this.#spend(itemsIn(left) / ITEMS_A_STEP)
    else if (op !== 'in') this.#spend(lengthInSteps(left) + lengthInSteps(right))
    else if (Array.isArray(right)) this.#spend(lengthInSteps(right))
    return binary(op, left, right)
  }

  #call(name: string, args: readonly CelValue[]): CelValue {
    const [text, pattern] = args
    for (const arg of args) this.#spend(lengthInSteps(arg))
    if (text instanceof CelTimestamp && typeof pattern === 'string' && !isKnownZone(pattern))
      this.#spend(STEPS_OF_A_ZONE)
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
    if (isTest && !isMap(container)) return false
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
    this.#spend(lengthInSteps(range))
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

function lengthInSteps(value: CelValue): number {
  if (typeof value === 'string') return value.length / CHARACTERS_A_STEP
  if (value instanceof CelBytes) return value.bytes.length / CHARACTERS_A_STEP
  if (Array.isArray(value)) return value.length / ITEMS_A_STEP
  return isMap(value) ? Object.keys(value).length / ITEMS_A_STEP : 0
}

/** At any depth. */
function itemsIn(value: CelValue): number {
  if (!Array.isArray(value) && !isMap(value)) return lengthInSteps(value)
  let items = 1
  for (const item of Object.values(value) as readonly CelValue[]) items += itemsIn(item)
  return items
}

function noRange(name: string): never {
  throw new Error(`no such overload: ${name}() of neither a list nor a map`)
}

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
  if (a instanceof CelType) return b instanceof CelType && a.name === b.name
  const [left, right] = [order(a), order(b)]
  if (left !== null && right !== null && typeOf(a) === typeOf(b)) return left === right
  return a === b
}

/** What kinds that JSON has not are compared by; null for others. */
function order(value: CelValue): bigint | string | null {
  if (value instanceof CelTimestamp || value instanceof CelDuration) return value.ns
  return value instanceof CelBytes ? Array.from(value.bytes, (byte) => String.fromCharCode(byte)).join('') : null
}

function compare(op: string, left: CelValue, right: CelValue): boolean {
  const isComparable =
    (isNumber(left) && isNumber(right)) ||
    (typeof left === typeof right && ['string', 'boolean'].includes(typeof left)) ||
    (order(left) !== null && typeOf(left) === typeOf(right))
  if (!isComparable) throw new Error(`no such overload: ${op}`)
  const [a, b] = [(order(left) ?? left) as number, (order(right) ?? right) as number]
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
  if (op === '+' && left instanceof CelBytes && right instanceof CelBytes)
    return new CelBytes(joinBytes([left.bytes, right.bytes]))
  return timeArithmetic(op, left, right)
}

function timeArithmetic(op: string, left: CelValue, right: CelValue): CelValue {
  const isTime = (value: CelValue): value is CelTimestamp => value instanceof CelTimestamp
  const isSpan = (value: CelValue): value is CelDuration => value instanceof CelDuration
  const sign = op === '+' ? 1n : -1n
  if (op === '+' || op === '-') {
    if (isSpan(left) && isSpan(right)) return duration(left.ns + sign * right.ns)
    if (isTime(left) && isSpan(right)) return timestamp(left.ns + sign * right.ns)
    if (op === '+' && isSpan(left) && isTime(right)) return timestamp(left.ns + right.ns)
    if (op === '-' && isTime(left) && isTime(right)) return duration(left.ns - right.ns)
  }
  throw new Error(`no such overload: ${op}`)
}

function call(name: string, [first = null, second = null]: readonly CelValue[]): CelValue {
  if (typeof first === 'string' && typeof second === 'string') {
    if (name === 'contains') return first.includes(second)
    if (name === 'startsWith') return first.startsWith(second)
    if (name === 'endsWith') return first.endsWith(second)
  }
  if (name === 'dyn') return first
  if (name === 'type') return new CelType(typeOf(first))
  if (first instanceof CelTimestamp && TIME_PARTS.includes(name))
    return timePart(name, first, typeof second === 'string' ? second : undefined)
  if (first instanceof CelDuration && DURATION_PARTS.includes(name)) return durationPart(name, first)
  if (name === 'size') {
    if (typeof first === 'string') return BigInt([...first].length)
    if (Array.isArray(first)) return BigInt(first.length)
    if (isMap(first)) return BigInt(Object.keys(first).length)
    if (first instanceof CelBytes) return BigInt(first.bytes.length)
  }
  return convert(name, first)
}

/** Go's strconv.ParseBool. */
const TRUE = /^(?:1|t|T|true|TRUE|True)$/
const FALSE = /^(?:0|f|F|false|FALSE|False)$/

/** As Go reads what becomes a number of that name; NaN for what it refuses. */
function numberOf(name: string, text: string): number {
  if (name !== 'double') return /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  const value = readGoFloat(text)
  return typeof value === 'number' ? value : Number.NaN
}

function convert(name: string, value: CelValue): CelValue {
  const special = convertTime(name, value)
  if (special !== null) return special
  const number = typeof value === 'string' ? numberOf(name, value) : isNumber(value) ? Number(value) : Number.NaN
  if (name === 'double' && (isNumber(value) || !Number.isNaN(number))) return number
  if ((name === 'int' || name === 'uint') && Number.isFinite(number)) {
    const isWhole = typeof value === 'bigint' || typeof value === 'string'
    const whole = isWhole
      ? BigInt(typeof value === 'string' ? value.replace('+', '') : value)
      : BigInt(Math.trunc(number))
    if (name === 'uint' && whole < 0n) throw new Error('unsigned integer overflow')
    return checkedInt(whole)
  }
  if (name === 'string' && typeof value === 'number') return formatGoFloat(value)
  if (name === 'string' && (typeof value === 'string' || typeof value === 'boolean' || isNumber(value)))
    return String(value)
  if (name === 'bool' && typeof value === 'boolean') return value
  if (name === 'bool' && typeof value === 'string' && TRUE.test(value)) return true
  if (name === 'bool' && typeof value === 'string' && FALSE.test(value)) return false
  throw new Error(`no such overload: ${name}()`)
}

/** null: it is none of these conversions. */
function convertTime(name: string, value: CelValue): CelValue | null {
  if (typeof value === 'string' && name === 'timestamp') return parseTimestamp(value)
  if (typeof value === 'string' && name === 'duration') return parseDuration(value)
  if (typeof value === 'string' && name === 'bytes') return new CelBytes(new TextEncoder().encode(value))
  if (typeof value === 'bigint' && name === 'timestamp') return timestampOfSeconds(value)
  if (value instanceof CelTimestamp) {
    if (name === 'timestamp') return value
    if (name === 'int') return secondsOf(value)
    if (name === 'string') return formatTimestamp(value)
  }
  if (value instanceof CelDuration) {
    if (name === 'duration') return value
    if (name === 'int') return value.ns
    if (name === 'string') return formatDuration(value)
  }
  if (value instanceof CelBytes) {
    if (name === 'bytes') return value
    if (name === 'string') return new TextDecoder('utf-8', { fatal: true }).decode(value.bytes)
  }
  return null
}

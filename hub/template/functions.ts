/** How functions are given to templates, and those that Go itself has. Semantics: Go text/template/funcs.go. */

import { escapeHtml } from './html.ts'
import { sprint, sprintf, sprintln } from './printf.ts'
import { durationOf, instantOf } from './time.ts'
import { GoList, GoMap, isTrue, typeName, type Value } from './values.ts'

export type TemplateFunction = {
  /** Types of the parameters as Go names them; `any` takes all. */
  readonly params: readonly ParamType[]
  /** Any number of further arguments of this type. */
  readonly rest?: ParamType
  readonly call: (args: readonly Value[]) => Value
}
export type ParamType = 'any' | 'string' | 'int' | 'float64' | 'bool' | OwnType
/** Types of rule templates. There are no constants of them. */
type OwnType = '*template.sample' | 'template.queryResult'
export type Functions = Readonly<Record<string, TemplateFunction>>

/** The problem with the arguments, in Go's words, or null. */
export function checkArity(name: string, { params, rest }: TemplateFunction, given: number): string | null {
  const { length } = params
  const isRight = rest === undefined ? given === length : given >= length
  return isRight
    ? null
    : `wrong number of args for ${name}: want ${rest === undefined ? '' : 'at least '}${length} got ${given}`
}

/** What is wrong with the value of the argument at `index`, or null. */
export function checkArgument({ params, rest }: TemplateFunction, index: number, value: Value): string | null {
  const want = params[index] ?? rest!
  if (want === 'any' || typeName(value) === want) return null
  // A constant without a point is a float where one is wanted.
  if (want === 'float64' && typeof value === 'bigint') return null
  if (value === null) return `invalid value; expected ${want}`
  return `wrong type for value; expected ${want}; got ${typeName(value)}`
}

const CONSTANTS: Readonly<Record<string, string>> = { string: 'string', float64: 'float', bool: 'bool', int: 'integer' }

/** The same of a constant, which Go reads as what is wanted: a literal's text in place of its type. */
export function checkConstant(
  { params, rest }: TemplateFunction,
  index: number,
  value: Value,
  shown: string,
): string | null {
  const want = params[index] ?? rest!
  if (checkArgument({ params, ...(rest !== undefined && { rest }), call: () => null }, index, value) === null)
    return null
  if (value === null) return `cannot assign nil to ${want}`
  if (!(want in CONSTANTS)) return `can't handle ${shown} for arg of type ${want}`
  return `expected ${CONSTANTS[want]}; found ${shown}`
}

const any = (count: number): readonly ParamType[] => Array.from({ length: count }, () => 'any' as const)
const f = (params: readonly ParamType[], call: TemplateFunction['call'], rest?: ParamType): TemplateFunction =>
  rest === undefined ? { params, call } : { params, call, rest }

/** `and` and `or` are not here: they do not evaluate all of their arguments. */
export const BUILTINS: Functions = {
  call: f(
    any(1),
    ([value]) => {
      throw new Error(value === null ? 'call of nil' : `non-function of type ${typeName(value!)}`)
    },
    'any',
  ),
  not: f(any(1), ([value]) => !isTrue(value!)),
  len: f(any(1), ([value]) => length(value!)),
  index: f(any(1), ([value, ...path]) => path.reduce<Value>(index, value!), 'any'),
  slice: f(any(1), ([value, ...bounds]) => slice(value!, bounds), 'any'),
  print: f([], sprint, 'any'),
  printf: f(['string'], ([format, ...args]) => sprintf(format as string, args), 'any'),
  println: f([], sprintln, 'any'),
  html: f([], (args) => escapeHtml(sprint(args)).replaceAll('&#43;', '+'), 'any'),
  js: f([], (args) => escapeJs(sprint(args)), 'any'),
  urlquery: f([], (args) => queryEscape(sprint(args)), 'any'),
  eq: f(
    any(1),
    ([first, ...others]) => {
      if (others.length === 0) throw new Error('missing argument for comparison')
      return others.some((other) => equal(first!, other))
    },
    'any',
  ),
  ne: f(any(2), ([a, b]) => !equal(a!, b!)),
  lt: f(any(2), ([a, b]) => compare(a!, b!) < 0),
  le: f(any(2), ([a, b]) => compare(a!, b!) <= 0),
  gt: f(any(2), ([a, b]) => compare(b!, a!) < 0),
  ge: f(any(2), ([a, b]) => compare(b!, a!) <= 0),
}

/** As url.QueryEscape. */
export function queryEscape(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}

function length(value: Value): Value {
  if (typeof value === 'string') return BigInt(new TextEncoder().encode(value).length)
  if (value instanceof GoList) return BigInt(value.items.length)
  if (value instanceof GoMap) return BigInt(value.entries.size)
  if (value === null) throw new Error('len of nil pointer')
  throw new Error(`len of type ${typeName(value)}`)
}

function index(value: Value, key: Value): Value {
  if (value === null) throw new Error('index of untyped nil')
  if (value instanceof GoMap) {
    if (typeof key !== 'string') throw new Error(`value has type ${typeName(key)}; should be string`)
    return value.entries.get(key) ?? value.zero
  }
  const size = value instanceof GoList ? value.items.length : typeof value === 'string' ? byteLength(value) : -1
  if (size < 0) throw new Error(`can't index item of type ${typeName(value)}`)
  if (typeof key !== 'bigint') throw new Error(`cannot index slice/array with type ${typeName(key)}`)
  if (key < 0n || key >= BigInt(size)) throw new Error(`index out of range: ${key}`)
  if (value instanceof GoList) return value.items[Number(key)]!
  return BigInt(new TextEncoder().encode(value as string)[Number(key)]!)
}

function slice(value: Value, bounds: readonly Value[]): Value {
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`)
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : null
  const size = bytes?.length ?? (value instanceof GoList ? value.items.length : -1)
  if (size < 0) throw new Error(`can't slice item of type ${typeName(value)}`)
  const at = bounds.map((bound) => {
    if (typeof bound !== 'bigint') throw new Error(`cannot index slice/array with type ${typeName(bound)}`)
    if (bound < 0n || bound > BigInt(size)) throw new Error(`index out of range: ${bound}`)
    return Number(bound)
  })
  const [from = 0, to = size] = at
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`)
  if (bytes) return new TextDecoder().decode(bytes.subarray(from, to))
  const list = value as GoList
  return new GoList(list.items.slice(from, to), list.typeName)
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length

type Basic = 'bool' | 'int' | 'float' | 'string'
function basicKind(value: Value): Basic {
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return 'float'
  if (typeof value === 'string') return 'string'
  throw new Error('invalid type for comparison')
}

const incompatible = (a: Value, b: Value): Error =>
  new Error(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`)

function equal(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b
  const [at, bt] = [instantOf(a), instantOf(b)]
  if (at && bt) return at.ns === bt.ns
  const [ad, bd] = [durationOf(a), durationOf(b)]
  if (ad !== null && bd !== null) return ad === bd
  if (basicKind(a) !== basicKind(b)) throw incompatible(a, b)
  return a === b
}

function compare(a: Value, b: Value): number {
  const [ad, bd] = [durationOf(a), durationOf(b)]
  if (ad !== null && bd !== null) return ad < bd ? -1 : ad > bd ? 1 : 0
  const kind = basicKind(a)
  if (kind !== basicKind(b)) throw incompatible(a, b)
  if (kind === 'bool') throw new Error('invalid type for comparison')
  if (kind === 'string') return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string))
  return (a as number) < (b as number) ? -1 : a === b ? 0 : 1
}

function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\p{Cc}]/gu, (char) => {
    if (char === '\\' || char === "'" || char === '"') return `\\${char}`
    return `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
  })
}

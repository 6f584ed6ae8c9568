/**
 * Types of an expression before it is run: what cannot be of any body is refused where the file is read. What comes of
 * the body is `dyn`, which fits everything. Semantics: cel-go checker and its standard library.
 */
import type { CelNode } from './cel-parse.ts'
import { DURATION_PARTS, TIME_PARTS } from './cel-time.ts'
import { CelBytes, CelType } from './cel-value.ts'

type Simple =
  | 'dyn'
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'null'
  | 'timestamp'
  | 'duration'
  | 'type'
type Type = Simple | { readonly list: Type } | { readonly key: Type; readonly value: Type }

/**
 * What is nested more deeply fits everything: a map of a map to a map has twice as much of a type at each level, and to
 * compare or to show it takes as long.
 */
const MAX_TYPE_DEPTH = 10
const depths = new WeakMap<object, number>()
const depthOf = (type: Type): number => (typeof type === 'object' ? depths.get(type)! : 0)

function nested<T extends Exclude<Type, Simple>>(type: T, inner: readonly Type[]): T | 'dyn' {
  const depth = Math.max(...inner.map(depthOf)) + 1
  if (depth > MAX_TYPE_DEPTH) return 'dyn'
  depths.set(type, depth)
  return type
}

const listOf = (list: Type): Type => nested({ list }, [list])
const mapOf = (key: Type, value: Type): Type => nested({ key, value }, [key, value])
type Scope = ReadonlyMap<string, Type>
type Overload = readonly [args: readonly Simple[], result: Simple]

const ORDERED: readonly Simple[] = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration']
const same = (types: readonly Simple[]): Overload[] => types.map((type) => [[type, type], type])
const COMPARISONS: readonly Overload[] = ORDERED.map((type) => [[type, type], 'bool'])

const OPERATORS: Readonly<Record<string, readonly Overload[]>> = {
  '<': COMPARISONS,
  '<=': COMPARISONS,
  '>': COMPARISONS,
  '>=': COMPARISONS,
  '&&': [[['bool', 'bool'], 'bool']],
  '||': [[['bool', 'bool'], 'bool']],
  '+': [
    ...same(['int', 'uint', 'double', 'string', 'bytes', 'duration']),
    [['timestamp', 'duration'], 'timestamp'],
    [['duration', 'timestamp'], 'timestamp'],
  ],
  '-': [
    ...same(['int', 'uint', 'double', 'duration']),
    [['timestamp', 'duration'], 'timestamp'],
    [['timestamp', 'timestamp'], 'duration'],
  ],
  '*': same(['int', 'uint', 'double']),
  '/': same(['int', 'uint', 'double']),
  '%': same(['int', 'uint']),
}

const from = (types: readonly Simple[], result: Simple): Overload[] => types.map((type) => [[type], result])
const OF_STRINGS: readonly Overload[] = [[['string', 'string'], 'bool']]
const FUNCTIONS: Readonly<Record<string, readonly Overload[]>> = {
  __proto__: null as never,
  matches: OF_STRINGS,
  contains: OF_STRINGS,
  startsWith: OF_STRINGS,
  endsWith: OF_STRINGS,
  int: from(['int', 'uint', 'double', 'string', 'timestamp', 'duration'], 'int'),
  uint: from(['uint', 'int', 'double', 'string'], 'uint'),
  double: from(['double', 'int', 'uint', 'string'], 'double'),
  string: from(['string', 'bool', 'int', 'uint', 'double', 'bytes', 'timestamp', 'duration'], 'string'),
  bytes: from(['bytes', 'string'], 'bytes'),
  bool: from(['bool', 'string'], 'bool'),
  timestamp: from(['timestamp', 'string', 'int'], 'timestamp'),
  duration: from(['duration', 'string'], 'duration'),
  ...Object.fromEntries(TIME_PARTS.map((name) => [name, timeOverloads(name)])),
}

function timeOverloads(name: string): Overload[] {
  const ofTimes: Overload[] = [
    [['timestamp'], 'int'],
    [['timestamp', 'string'], 'int'],
  ]
  return DURATION_PARTS.includes(name) ? [...ofTimes, [['duration'], 'int']] : ofTimes
}

/** @throws Error where no function or operator takes what it is given */
export function checkCel(node: CelNode, variables: readonly string[]): void {
  typeOf(node, new Map(variables.map((name) => [name, 'dyn'])))
}

function typeOf(node: CelNode, scope: Scope): Type {
  switch (node.kind) {
    case 'literal':
      return literalType(node)
    case 'name':
      return scope.get(node.name) ?? 'dyn'
    case 'select':
      return selected(node, typeOf(node.of, scope))
    case 'index':
      return indexed(typeOf(node.of, scope), typeOf(node.index, scope))
    case 'unary':
      return node.op === '!'
        ? resolved('!', [[['bool'], 'bool']], [typeOf(node.of, scope)])
        : resolved('-', from(['int'], 'int').concat(from(['double'], 'double')), [typeOf(node.of, scope)])
    case 'binary':
      return binary(node.op, typeOf(node.left, scope), typeOf(node.right, scope))
    case 'if': {
      resolved('?:', [[['bool'], 'bool']], [typeOf(node.test, scope)])
      const [yes, no] = [typeOf(node.yes, scope), typeOf(node.no, scope)]
      return fits(yes, no) ? joined([yes, no]) : noOverload('?:', [yes, no])
    }
    case 'list':
      return listOf(joined(node.items.map((item) => typeOf(item, scope))))
    case 'map':
      return mapOf(
        joined(node.entries.map(([key]) => typeOf(key, scope))),
        joined(node.entries.map(([, value]) => typeOf(value, scope))),
      )
    case 'call':
      return called(
        node.name,
        node.args.map((arg) => typeOf(arg, scope)),
      )
    case 'macro':
      return macro(node, scope)
  }
}

function literalType({ value, isUnsigned }: Extract<CelNode, { kind: 'literal' }>): Type {
  if (value === null) return 'null'
  if (value instanceof CelBytes) return 'bytes'
  if (value instanceof CelType) return 'type'
  if (typeof value === 'bigint') {
    if (isUnsigned === true) return 'uint'
    if (value >= 2n ** 63n) throw new Error('invalid int literal')
    return 'int'
  }
  if (typeof value === 'number') return 'double'
  return typeof value === 'boolean' ? 'bool' : 'string'
}

function selected({ field, isTest }: Extract<CelNode, { kind: 'select' }>, of: Type): Type {
  const isMapOfStrings = typeof of === 'object' && 'key' in of && fits(of.key, 'string')
  if (of !== 'dyn' && !isMapOfStrings) throw new Error(`type '${shown(of)}' does not support field selection: ${field}`)
  if (isTest) return 'bool'
  return isMapOfStrings ? of.value : 'dyn'
}

function indexed(of: Type, index: Type): Type {
  if (of === 'dyn') return 'dyn'
  if (typeof of === 'object' && 'list' in of && fits(index, 'int')) return of.list
  if (typeof of === 'object' && 'key' in of && fits(index, of.key)) return of.value
  return noOverload('_[_]', [of, index])
}

function binary(op: string, left: Type, right: Type): Type {
  if (op === '==' || op === '!=') return fits(left, right) ? 'bool' : noOverload(op, [left, right])
  if (op === 'in') {
    if (right === 'dyn') return 'bool'
    const items = typeof right === 'object' ? ('list' in right ? right.list : right.key) : null
    return items !== null && fits(left, items) ? 'bool' : noOverload(op, [left, right])
  }
  const lists = [left, right].filter((type) => typeof type === 'object' && 'list' in type)
  if (op === '+' && lists.length > 0) return fits(left, right) ? joined(lists) : noOverload(op, [left, right])
  return resolved(op, OPERATORS[op]!, [left, right])
}

function called(name: string, args: readonly Type[]): Type {
  const [first = 'dyn'] = args
  if (name === 'dyn') return 'dyn'
  if (name === 'type') return 'type'
  if (name === 'size') {
    const isSized = typeof first === 'object' || first === 'dyn' || first === 'string' || first === 'bytes'
    return isSized ? 'int' : noOverload(name, args)
  }
  return resolved(name, FUNCTIONS[name] ?? [], args)
}

function macro({ name, of, variable, args }: Extract<CelNode, { kind: 'macro' }>, scope: Scope): Type {
  const range = typeOf(of, scope)
  if (range !== 'dyn' && typeof range !== 'object')
    throw new Error(`expression of type '${shown(range)}' cannot be range of a comprehension`)
  const item = range === 'dyn' ? 'dyn' : 'list' in range ? range.list : range.key
  const inner = new Map([...scope, [variable, item]])
  const types = args.map((arg) => typeOf(arg, inner))
  const tests = name === 'map' ? types.slice(0, -1) : types
  for (const test of tests) if (!fits(test, 'bool')) noOverload(name, [test])
  if (name === 'map') return listOf(types.at(-1)!)
  return name === 'filter' ? listOf(item) : 'bool'
}

/** Of several that what is `dyn` might choose the result is `dyn`, where they differ. */
function resolved(name: string, overloads: readonly Overload[], args: readonly Type[]): Type {
  const results = overloads
    .filter(([wanted]) => wanted.length === args.length && wanted.every((type, i) => fits(type, args[i]!)))
    .map(([, result]) => result)
  if (results.length === 0) return noOverload(name, args)
  return results.every((result) => result === results[0]) ? results[0]! : 'dyn'
}

function fits(a: Type, b: Type): boolean {
  if (a === 'dyn' || b === 'dyn' || a === b) return true
  // Null stands for a timestamp or a duration that is not there.
  for (const [one, other] of [
    [a, b],
    [b, a],
  ])
    if (one === 'null' && (other === 'timestamp' || other === 'duration')) return true
  if (typeof a === 'string' || typeof b === 'string') return false
  if ('list' in a) return 'list' in b && fits(a.list, b.list)
  return 'key' in b && fits(a.key, b.key) && fits(a.value, b.value)
}

/** What holds all of them: their type where it is one. */
function joined(types: readonly Type[]): Type {
  const [first = 'dyn'] = types
  return types.every((type) => shown(type) === shown(first)) ? first : 'dyn'
}

function shown(type: Type): string {
  if (typeof type === 'string') return type
  return 'list' in type ? `list(${shown(type.list)})` : `map(${shown(type.key)}, ${shown(type.value)})`
}

function noOverload(name: string, args: readonly Type[]): never {
  throw new Error(`found no matching overload for '${name}' applied to '(${args.map(shown).join(', ')})'`)
}

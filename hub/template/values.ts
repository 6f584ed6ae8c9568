/**
 * Values of templates with the types that Go gives them, as far as output and messages depend on them: whole numbers
 * are bigint (int), others number (float64).
 */
import { compareStrings } from '../../protocol/labels/mod.ts'

export type Value = null | boolean | bigint | number | string | GoList | GoMap | GoStruct | SafeText

export class GoList {
  readonly typeName: string
  readonly items: readonly Value[]
  readonly methods: Methods
  constructor(items: readonly Value[], typeName = '[]interface {}', methods: Methods = {}) {
    this.items = items
    this.typeName = typeName
    this.methods = methods
  }
}

/** A map with string keys. */
export class GoMap {
  readonly typeName: string
  readonly entries: ReadonlyMap<string, Value>
  /** What an absent key gives: `''` in a map of strings. */
  readonly zero: Value
  readonly methods: Methods
  constructor(
    entries: Iterable<readonly [string, Value]>,
    { typeName = 'map[string]interface {}', zero = null as Value, methods = {} as Methods } = {},
  ) {
    this.entries = new Map(entries)
    this.typeName = typeName
    this.zero = zero
    this.methods = methods
  }

  /** In the order in which Go's templates and fmt go through maps. */
  sorted(): (readonly [string, Value])[] {
    return [...this.entries].sort(([a], [b]) => compareStrings(a, b))
  }
}

export type Method = (...args: Value[]) => Value
export type Methods = Readonly<Record<string, Method>>

export class GoStruct {
  readonly typeName: string
  readonly fields: Readonly<Record<string, Value>>
  /** `String` is how it prints. */
  readonly methods: Methods
  constructor(typeName: string, fields: Readonly<Record<string, Value>>, methods: Methods = {}) {
    this.typeName = typeName
    this.fields = fields
    this.methods = methods
  }
}

/** Text that an HTML template takes as it is: markup or an address. */
export class SafeText {
  readonly kind: 'html' | 'url'
  readonly text: string
  constructor(kind: 'html' | 'url', text: string) {
    this.kind = kind
    this.text = text
  }
}

export const stringMap = (values: Readonly<Record<string, string>>, typeName = 'map[string]string'): GoMap =>
  new GoMap(Object.entries(values), { typeName, zero: '' })

export function typeName(value: Value): string {
  if (value === null) return '<nil>'
  if (value instanceof GoList || value instanceof GoMap || value instanceof GoStruct) return value.typeName
  if (value instanceof SafeText) return value.kind === 'html' ? 'template.HTML' : 'template.URL'
  return { boolean: 'bool', bigint: 'int', number: 'float64', string: 'string' }[typeof value as 'string']
}

/** Semantics: Go text/template, IsTrue. */
export function isTrue(value: Value): boolean {
  if (value === null) return false
  if (value instanceof GoList) return value.items.length > 0
  if (value instanceof GoMap) return value.entries.size > 0
  if (value instanceof GoStruct) return true
  if (value instanceof SafeText) return value.text !== ''
  if (typeof value === 'number') return value !== 0
  return Boolean(value)
}

/** Go's %v. */
export function formatValue(value: Value): string {
  if (value === null) return '<nil>'
  if (typeof value === 'string') return value
  if (typeof value === 'number') return formatFloat64(value)
  if (value instanceof SafeText) return value.text
  if (value instanceof GoList || value instanceof GoMap || value instanceof GoStruct) {
    const own = value.methods['String']
    if (own) return String(own())
  }
  if (value instanceof GoList) return `[${value.items.map(formatValue).join(' ')}]`
  if (value instanceof GoMap)
    return `map[${value
      .sorted()
      .map(([name, item]) => `${name}:${formatValue(item)}`)
      .join(' ')}]`
  if (value instanceof GoStruct) return `{${Object.values(value.fields).map(formatValue).join(' ')}}`
  return String(value)
}

/** %v of a float64: the shortest digits, with an exponent below 1e-4 and from 1e6. */
export function formatFloat64(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0'
  const [digits = '', power = '0'] = value.toExponential().split('e')
  const exponent = Number(power)
  if (value !== 0 && (exponent < -4 || exponent >= 6)) return `${digits}e${twoDigits(exponent)}`
  return plain(value)
}

/** Never with an exponent. */
function plain(value: number): string {
  const text = String(value)
  if (!text.includes('e')) return text
  const [mantissa = '', power = '0'] = text.split('e')
  const negative = mantissa.startsWith('-')
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  const exponent = Number(power)
  const out =
    exponent < 0 ? `0.${'0'.repeat(-exponent - 1)}${whole}${fraction}` : `${whole}${fraction.padEnd(exponent, '0')}`
  return (negative ? '-' : '') + out
}

/** An exponent as Go writes it: a sign and at least two digits. */
export function twoDigits(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
}

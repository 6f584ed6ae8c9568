/**
 * Histogram literals: `{{schema:1 sum:0.3 count:3 buckets:[5 10 7] offset:-3}}`.
 * Semantics: Prometheus promql/parser/generated_parser.y histogram_desc_map, parse.go buildHistogramFromMap.
 */
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../../protocol/samples/mod.ts'
import { HISTOGRAM_KEYS, type TokenStream, type TokenType } from '../parser/mod.ts'
import { parseSignedNumber, parseUint, parseUnsignedNumber, startsNumber } from './numbers.ts'

export type HistogramLiteral = { readonly histogram: Histogram; readonly hintSet: boolean }

type Fields = {
  schema?: number
  sum?: number
  count?: number
  z_bucket?: number
  z_bucket_w?: number
  custom_values?: number[]
  buckets?: number[]
  offset?: number
  n_buckets?: number[]
  n_offset?: number
  counter_reset_hint?: CounterResetHint
}
type Key = keyof Fields

const keys: ReadonlySet<string> = new Set(HISTOGRAM_KEYS)
const isKey = (type: TokenType): boolean => keys.has(type)

const HINTS: Partial<Record<TokenType, CounterResetHint>> = {
  'hint unknown': CounterResetHint.unknown,
  'hint reset': CounterResetHint.reset,
  'hint not_reset': CounterResetHint.notReset,
  'hint gauge': CounterResetHint.gauge,
}

/** From `{{` to `}}`. */
export function parseHistogram(s: TokenStream): HistogramLiteral {
  s.expect('{{')
  s.settle((type) => type === '}}' || type === ' ' || isKey(type))
  const fields: Fields = {}
  if (isKey(s.peek())) parseFields(s, fields)
  else if (s.peek() === ' ') s.take()
  s.expect('}}')
  return { histogram: build(fields), hintSet: fields.counter_reset_hint !== undefined }
}

/** All fields, and the space after the last. */
function parseFields(s: TokenStream, fields: Fields): void {
  parseField(s, fields)
  for (;;) {
    if (!s.accepts((type) => type === ' ' || type === '}}')) {
      complain(s)
      continue
    }
    if (s.peek() === '}}') return
    s.take()
    const done = s.attempt(
      () => {
        s.settle((type) => type === '}}' || isKey(type))
        if (s.peek() === '}}') return true
        parseField(s, fields)
        return false
      },
      () => {
        complain(s)
        return false
      },
    )
    if (done) return
  }
}

const complain = (s: TokenStream) =>
  s.unexpected('histogram description', 'histogram description key, e.g. buckets:[5 10 7]')

function parseField(s: TokenStream, fields: Fields): void {
  const key = s.take().type.slice(0, -1) as Key
  s.expect(':')
  const value = parseValue(s, key)
  if (fields[key] !== undefined) s.issue({ start: 0, end: 0 }, `duplicate key "${key}" in histogram`)
  else Object.assign(fields, { [key]: value })
}

function parseValue(s: TokenStream, key: Key): number | number[] {
  switch (key) {
    case 'schema':
    case 'offset':
    case 'n_offset':
      return parseInteger(s)
    case 'sum':
    case 'count':
    case 'z_bucket':
      return parseSignedNumber(s)
    case 'z_bucket_w':
      return parseUnsignedNumber(s)
    case 'counter_reset_hint':
      s.settle((type) => HINTS[type] !== undefined)
      return HINTS[s.take().type]!
    default:
      return parseList(s)
  }
}

function parseInteger(s: TokenStream): number {
  s.settle((type) => type === '-' || type === 'number')
  if (s.peek() === 'number') return parseUint(s)
  s.take()
  // Not -0, which Go's integers do not have.
  return 0 - parseUint(s)
}

/** `[5 10 7]` */
function parseList(s: TokenStream): number[] {
  s.expect('[')
  const list = [parseSignedNumber(s)]
  for (;;) {
    if (!s.accepts((type) => type === ' ' || type === ']')) continue
    if (s.peek() === ']') break
    s.take()
    const done = s.attempt(
      () => {
        s.settle((type) => type === ']' || startsNumber(type))
        if (s.peek() === ']') return true
        list.push(parseSignedNumber(s))
        return false
      },
      () => false,
    )
    if (done) break
  }
  s.expect(']')
  return list
}

function build(fields: Fields): Histogram {
  const span = (buckets: readonly number[] | undefined, offset = 0) =>
    buckets && buckets.length > 0 ? [{ offset, length: buckets.length }] : []
  return {
    ...EMPTY_HISTOGRAM,
    counterResetHint: fields.counter_reset_hint ?? CounterResetHint.unknown,
    schema: fields.schema ?? 0,
    zeroThreshold: fields.z_bucket_w ?? 0,
    zeroCount: fields.z_bucket ?? 0,
    count: fields.count ?? 0,
    sum: fields.sum ?? 0,
    positiveSpans: span(fields.buckets, fields.offset),
    positiveBuckets: fields.buckets ?? [],
    negativeSpans: span(fields.n_buckets, fields.n_offset),
    negativeBuckets: fields.n_buckets ?? [],
    customValues: fields.custom_values ?? [],
  }
}

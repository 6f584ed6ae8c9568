/**
 * Values of literals: numbers as Go's strconv reads them, durations, quoted strings.
 * Semantics: Prometheus promql/parser/parse.go number, util/strutil Unquote, prometheus/common model.ParseDuration.
 */
import { quote } from '../../../protocol/labels/mod.ts'
import { fromByteString } from './bytes.ts'

export class LiteralError extends Error {}

const INTEGER = /^[+-]?(?:0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/
const FLOAT = /^[+-]?(?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?$/
const SPECIAL = /^([+-]?)(inf(?:inity)?|nan)$/i
const MAX_INT = 2n ** 63n

/** @throws LiteralError with Go's text */
export function parseNumber(text: string): number {
  if (INTEGER.test(text)) {
    const value = parseInteger(text)
    if (value !== null) return value
  }
  const special = SPECIAL.exec(text)
  if (special) {
    if (special[2]!.toLowerCase() === 'nan') return NaN
    return special[1] === '-' ? -Infinity : Infinity
  }
  if (!FLOAT.test(text)) throw new LiteralError(`strconv.ParseFloat: parsing ${quote(text)}: invalid syntax`)
  const value = Number(text.replaceAll('_', ''))
  if (!Number.isFinite(value)) {
    throw new LiteralError(`strconv.ParseFloat: parsing ${quote(text)}: value out of range`)
  }
  return value
}

/** As ParseInt(text, 0, 64); null when it does not fit. */
function parseInteger(text: string): number | null {
  const negative = text.startsWith('-')
  let digits = text.replace(/^[+-]/, '').replaceAll('_', '').toLowerCase()
  if (/^0\d/.test(digits)) digits = `0o${digits.slice(1)}`
  const value = BigInt(digits)
  if (negative ? value > MAX_INT : value >= MAX_INT) return null
  const number = Number(value)
  return negative && number !== 0 ? -number : number
}

const DURATION_UNITS: ReadonlyMap<string, readonly [order: number, ns: bigint]> = new Map([
  ['y', [1, 365n * 86_400_000_000_000n]],
  ['w', [2, 7n * 86_400_000_000_000n]],
  ['d', [3, 86_400_000_000_000n]],
  ['h', [4, 3_600_000_000_000n]],
  ['m', [5, 60_000_000_000n]],
  ['s', [6, 1_000_000_000n]],
  ['ms', [7, 1_000_000n]],
])

/** @returns seconds @throws LiteralError with upstream's text */
export function parseDurationSeconds(text: string): number {
  if (text === '0') return 0
  if (text === '') throw new LiteralError('empty duration string')
  const invalid = () => new LiteralError(`not a valid duration string: ${quote(text)}`)
  let ns = 0n
  let lastOrder = 0
  const part = /(\d+)(\D+)/y
  while (part.lastIndex < text.length) {
    const match = part.exec(text)
    if (!match) throw invalid()
    const unit = DURATION_UNITS.get(match[2]!)
    if (!unit) throw new LiteralError(`unknown unit ${quote(match[2]!)} in duration ${quote(text)}`)
    if (unit[0] <= lastOrder) throw invalid()
    lastOrder = unit[0]
    ns += BigInt(match[1]!) * unit[1]
    if (ns >= MAX_INT) throw new LiteralError('duration out of range')
  }
  return Number(ns / 1_000_000_000n) + Number(ns % 1_000_000_000n) / 1e9
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 }

/**
 * The value of a quoted string that the lexer has accepted.
 * @param literal a byte string with its quotes
 * @throws LiteralError
 */
export function unquote(literal: string): string {
  const mark = literal[0]!
  const body = literal.slice(1, -1)
  if (mark === '`') return fromByteString(body)
  if (!body.includes('\\')) return fromByteString(body)
  // Escapes may name single bytes, so the value is put together as bytes.
  let bytes = ''
  for (let i = 0; i < body.length; i++) {
    const char = body[i]!
    if (char !== '\\') {
      bytes += char
      continue
    }
    const kind = body[++i]!
    const simple = ESCAPES[kind]
    if (simple !== undefined) bytes += String.fromCharCode(simple)
    else if (kind === '\\' || kind === mark) bytes += kind
    else if (kind === 'x') {
      bytes += String.fromCharCode(Number.parseInt(body.slice(i + 1, i + 3), 16))
      i += 2
    } else if (kind === 'u' || kind === 'U') {
      const digits = kind === 'u' ? 4 : 8
      const rune = String.fromCodePoint(Number.parseInt(body.slice(i + 1, i + 1 + digits), 16))
      bytes += String.fromCharCode(...new TextEncoder().encode(rune))
      i += digits
    } else if (kind >= '0' && kind <= '7') {
      bytes += String.fromCharCode(Number.parseInt(body.slice(i, i + 3), 8))
      i += 2
    } else throw new LiteralError('invalid syntax')
  }
  return fromByteString(bytes)
}

/** Numbers as Go reads them, and as OpenMetrics prints label values that are numbers. */
import { formatGoFloat } from './family.ts'

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const INFINITE = /^([+-]?)inf(?:inity)?$/i

const HEXADECIMAL = /^([+-]?)0x(?=\.?[\da-f])([\da-f]*)\.?([\da-f]*)p([+-]?\d+)$/i

/**
 * All that Go takes for a float64: hexadecimal floats and `_` between digits too.
 * Semantics: Go strconv.ParseFloat, readFloat and underscoreOK (atof_test.go).
 * @example readGoFloat('1_000') // 1000
 */
export function readGoFloat(text: string): number | 'syntax' | 'range' {
  if (text.includes('_')) {
    // Each stands between digits, of which the base prefix may be one.
    const isSpaced = /^[+-]?(?:0x_?)?[\da-f.+\-p_]*$/i.test(text) && !/[^\da-fx]_|_[^\da-f]|^_|_$/i.test(text)
    const isHex = /^[+-]?0x/i.test(text)
    if (!isSpaced || (!isHex && /[^\d]_|_[^\d]/.test(text))) return 'syntax'
    return readGoFloat(text.replaceAll('_', ''))
  }
  if (/^[+-]?nan$/i.test(text)) return /^[+-]/.test(text) ? 'syntax' : Number.NaN
  const infinite = INFINITE.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  const value = DECIMAL.test(text) ? Number(text) : hexFloat(text)
  if (value === null) return 'syntax'
  return Number.isFinite(value) ? value : 'range'
}

function hexFloat(text: string): number | null {
  const match = HEXADECIMAL.exec(text)
  if (match === null) return null
  const [, sign, whole, fraction, exponent] = match
  // Exact to 13 digits, and to less than an ulp beyond.
  let value = 0
  for (const digit of whole! + fraction!) value = value * 16 + Number.parseInt(digit, 16)
  value *= 2 ** (Number(exponent) - 4 * fraction!.length)
  return sign === '-' ? -value : value
}

/** Why a text is no number, as Go's strconv says it. */
export type FloatFault = 'unsupported character in float' | `strconv.ParseFloat: parsing ${string}`

/**
 * Semantics: Prometheus model/textparse/promparse.go, parseFloat; Go strconv.ParseFloat.
 * @returns the number, or the fault as a string
 */
export function parseGoFloat(text: string, quoted: (text: string) => string): number | FloatFault {
  if (DECIMAL.test(text)) {
    const value = Number(text)
    if (Number.isFinite(value)) return value
    return `strconv.ParseFloat: parsing ${quoted(text)}: value out of range`
  }
  // Hexadecimal floats and digit separators came with Go 1.13 and are refused.
  if (/[pP_]/.test(text)) return 'unsupported character in float'
  if (/^nan$/i.test(text)) return Number.NaN
  const infinite = INFINITE.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  return `strconv.ParseFloat: parsing ${quoted(text)}: invalid syntax`
}

/**
 * A bound or quantile as a label value: always with a point or an exponent.
 * Semantics: Prometheus model/textparse, formatOpenMetricsFloat.
 * @example formatOpenMetricsFloat(1) // '1.0'
 */
export function formatOpenMetricsFloat(value: number): string {
  const text = formatGoFloat(value)
  return /[.eN]|Inf/.test(text) ? text : `${text}.0`
}

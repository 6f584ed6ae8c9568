/** Numbers as Go reads them, and as OpenMetrics prints label values that are numbers. */
import { formatGoFloat } from './family.ts'

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const INFINITE = /^([+-]?)inf(?:inity)?$/i

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

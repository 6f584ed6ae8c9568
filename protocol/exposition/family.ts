/**
 * Metric families: what an exporter publishes and the text writer prints. One `Metric` is one line of the page, so
 * that a family costs a few small objects and no maps; histograms and summaries are runs of lines with a `suffix`.
 */
import type { MetricType } from '../samples/mod.ts'

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'

export type Metric = {
  /**
   * Flat pairs `[name, value, name, value…]`, printed in this order (client_golang sorts them by name: exporters that
   * must match it byte for byte do so too). Empty values are printed. `le` and `quantile` come last.
   */
  readonly labels: readonly string[]
  readonly value: number
  /** Appended to the family's name: `_bucket`, `_sum`, `_count`; absent for a plain line. */
  readonly suffix?: '_bucket' | '_sum' | '_count'
  readonly timestampMs?: number
}

/** Names of families given to one writer are unique; `help: null` prints no HELP line, '' an empty one. */
export type MetricFamily = {
  readonly name: string
  readonly help: string | null
  readonly type: FamilyType
  /** Any order: the writer sorts them. The lines of one histogram or summary stand together. */
  readonly metrics: readonly Metric[]
}

/** The type as metadata knows it. */
export function metricTypeOf(type: FamilyType): MetricType {
  return type === 'untyped' ? 'unknown' : type
}

/** @example counter('requests_total', 'Requests served.', [{ labels: ['code', '200'], value: 3 }]) */
export function counter(name: string, help: string, metrics: readonly Metric[]): MetricFamily {
  return { name, help, type: 'counter', metrics }
}

/** @example gauge('up', 'Whether it is up.', [{ labels: [], value: 1 }]) */
export function gauge(name: string, help: string, metrics: readonly Metric[]): MetricFamily {
  return { name, help, type: 'gauge', metrics }
}

/**
 * The lines of one histogram. A `+Inf` bucket equal to `count` is added when the last bound is finite.
 * @param buckets flat pairs `[upper bound, cumulative count, …]`, ascending
 */
export function histogramLines(
  labels: readonly string[],
  buckets: readonly number[],
  sum: number,
  count: number,
): Metric[] {
  const lines: Metric[] = []
  for (let i = 0; i < buckets.length; i += 2) {
    lines.push({ labels: [...labels, 'le', formatGoFloat(buckets[i]!)], value: buckets[i + 1]!, suffix: '_bucket' })
  }
  if (buckets.at(-2) !== Infinity) lines.push({ labels: [...labels, 'le', '+Inf'], value: count, suffix: '_bucket' })
  lines.push({ labels, value: sum, suffix: '_sum' }, { labels, value: count, suffix: '_count' })
  return lines
}

/**
 * The lines of one summary.
 * @param quantiles flat pairs `[quantile, value, …]`, ascending; may be empty
 */
export function summaryLines(
  labels: readonly string[],
  quantiles: readonly number[],
  sum: number,
  count: number,
): Metric[] {
  const lines: Metric[] = []
  for (let i = 0; i < quantiles.length; i += 2) {
    lines.push({ labels: [...labels, 'quantile', formatGoFloat(quantiles[i]!)], value: quantiles[i + 1]! })
  }
  lines.push({ labels, value: sum, suffix: '_sum' }, { labels, value: count, suffix: '_count' })
  return lines
}

/**
 * Go's strconv.FormatFloat(v, 'g', -1, 64), as client_golang prints values, bounds and quantiles: the shortest digits
 * that read back as the same number, with an exponent (of two digits or more) below 1e-4 and from 1e6.
 * Semantics: prometheus/common expfmt/text_create.go, writeFloat; Go strconv/ftoa.go, formatDigits.
 * @example formatGoFloat(1000000) // '1e+06'
 */
export function formatGoFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const magnitude = Math.abs(value)
  if (magnitude < 1e6 && magnitude >= 1e-4) return String(value)
  const text = value.toExponential()
  const e = text.indexOf('e')
  // JavaScript writes e+6 where Go pads the exponent to two digits.
  return text.length - e > 3 ? text : `${text.slice(0, e + 2)}0${text.slice(e + 2)}`
}

/** What is pushed, as families with the labels of their group. Semantics: pushgateway storage/diskmetricstore.go (v1.11). */
import {
  type FamilyType,
  formatGoFloat,
  histogramLines,
  type Metric,
  summaryLines,
} from '../../protocol/exposition/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'

/** Between the parts of a key: half of a character, which no text that was pushed can have. */
export const SEPARATOR = '\ud800'

/** Of a histogram or summary: bounds or quantiles with their values, in the order pushed. */
export type PushedMetric = {
  /** Flat pairs; of what is kept sorted by name. */
  labels: readonly string[]
  value: number
  readonly points: [bound: number, value: number][]
  sum: number
  count: number
  /** As protobuf's text: what it has instead of a value of its family's type. */
  foreign?: string
}

export type PushedFamily = {
  readonly name: string
  readonly type: FamilyType
  readonly help: string
  readonly metrics: readonly PushedMetric[]
}

export type Pushed = {
  readonly families: ReadonlyMap<string, PushedFamily>
  readonly hasTimestamps: boolean
  /** Native histograms without classic buckets, for which a page of text has no form. */
  readonly nativeDropped: number
}

export class PushError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PushError'
  }
}

/** Of groups and series: the answer is 429. */
export class PushLimitError extends PushError {
  override name = 'PushLimitError'
}

export const tooManySeries = (max: number): PushLimitError =>
  new PushLimitError(`there would be more than ${max} series (heliograph.max-series)`)

/** Labels of the group on every metric, and an instance, if need be an empty one. */
export function withGroupLabels(family: PushedFamily, group: ReadonlyMap<string, string>): PushedFamily {
  const metrics = family.metrics.map((metric) => {
    const labels = new Map<string, string>([['instance', '']])
    for (let i = 0; i < metric.labels.length; i += 2) labels.set(metric.labels[i]!, metric.labels[i + 1]!)
    for (const [name, value] of group) labels.set(name, value)
    return { ...metric, labels: [...labels].sort(([a], [b]) => compareStrings(a, b)).flat() }
  })
  return { ...family, metrics }
}

/** As lines of a page. */
export function linesOf({ type, metrics }: PushedFamily): Metric[] {
  if (type !== 'histogram' && type !== 'summary') return metrics.map(({ labels, value }) => ({ labels, value }))
  return metrics.flatMap(({ labels, points, sum, count }) => {
    const flat = [...points].sort(([a], [b]) => a - b).flat()
    return type === 'histogram' ? histogramLines(labels, flat, sum, count) : summaryLines(labels, flat, sum, count)
  })
}

/** As upstream's errors show a metric: protobuf's text. */
export function metricText(type: FamilyType, { labels, value, points, sum, count, foreign }: PushedMetric): string {
  const parts: string[] = []
  for (let i = 0; i < labels.length; i += 2)
    parts.push(`label:{name:${JSON.stringify(labels[i])}  value:${JSON.stringify(labels[i + 1])}}`)
  const number = (one: number): string => formatGoFloat(one).toLowerCase().replace('+inf', 'inf')
  if (foreign !== undefined) parts.push(...(foreign === '' ? [] : [foreign]))
  else if (type === 'histogram' || type === 'summary') {
    const each = points.map(([bound, one]) =>
      type === 'histogram'
        ? `bucket:{cumulative_count:${number(one)}  upper_bound:${number(bound)}}`
        : `quantile:{quantile:${number(bound)}  value:${number(one)}}`,
    )
    parts.push(`${type}:{${[`sample_count:${number(count)}`, `sample_sum:${number(sum)}`, ...each].join('  ')}}`)
  } else parts.push(`${type}:{value:${number(value)}}`)
  return `{ ${parts.join('  ')}}`
}

/** As the query API shows it: numbers as Go prints them. */
export function metricJson(type: FamilyType, { labels, value, points, sum, count }: PushedMetric): object {
  const record: Record<string, string> = Object.create(null)
  for (let i = 0; i < labels.length; i += 2) record[labels[i]!] = labels[i + 1]!
  if (type !== 'histogram' && type !== 'summary') return { labels: record, value: formatGoFloat(value) }
  const pairs = Object.fromEntries(points.map(([bound, each]) => [formatGoFloat(bound), formatGoFloat(each)]))
  return {
    labels: record,
    [type === 'histogram' ? 'buckets' : 'quantiles']: pairs,
    count: formatGoFloat(count),
    sum: formatGoFloat(sum),
  }
}

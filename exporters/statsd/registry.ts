/**
 * The series that events made, by name and labels, with their time to live. One name is of one type: an event that
 * would make another is a conflict, also where a summary's `_sum` or `_count` would be a counter's name.
 * Semantics: statsd_exporter pkg/registry/registry.go (v0.30). Differs: a name whose series all expired is free again.
 */
import { histogramLines, type Metric, type MetricFamily, summaryLines } from '../../protocol/exposition/mod.ts'
import type { SummaryOptions } from './mapping-config.ts'
import { Summary } from './summary.ts'

export type SeriesType = 'counter' | 'gauge' | 'histogram' | 'summary'

export type SeriesRequest = {
  readonly name: string
  readonly type: SeriesType
  readonly help: string
  readonly labels: ReadonlyMap<string, string>
  readonly ttlMs: number
  readonly buckets: readonly number[]
  readonly summary: SummaryOptions
}

export type Series = {
  readonly labels: readonly string[]
  ttlMs: number
  lastMs: number
  /** Of counters and gauges. */
  value: number
  readonly histogram: Histogram | null
  readonly summary: Summary | null
}

type Family = { readonly type: SeriesType; readonly help: string; readonly series: Map<string, Series> }

const SUFFIXES: Readonly<Record<SeriesType, readonly string[]>> = {
  counter: [],
  gauge: [],
  histogram: ['_sum', '_count', '_bucket'],
  summary: ['_sum', '_count'],
}
/** Names that the type gives its own lines. */
const RESERVED_LABEL: Readonly<Partial<Record<SeriesType, string>>> = { histogram: 'le', summary: 'quantile' }

export class Registry {
  readonly #families = new Map<string, Family>()
  readonly #maxSeries: number
  #seriesCount = 0

  constructor(options: { readonly maxSeries: number }) {
    this.#maxSeries = options.maxSeries
  }

  /** How many names there are of each type. */
  get familyCounts(): ReadonlyMap<SeriesType, number> {
    const out = new Map<SeriesType, number>()
    for (const { type } of this.#families.values()) out.set(type, (out.get(type) ?? 0) + 1)
    return out
  }

  get seriesCount(): number {
    return this.#seriesCount
  }

  /** The series of a request, made when it is new; `conflict` and `full` say why there is none. */
  get(request: SeriesRequest, nowMs: number): Series | 'conflict' | 'full' {
    const { name, type, labels } = request
    let family = this.#families.get(name)
    const key = keyOf(labels)
    const known = family?.type === type ? family.series.get(key) : undefined
    if (known !== undefined && !isExpired(known, nowMs)) {
      known.lastMs = nowMs
      return known
    }
    if (known === undefined && this.#seriesCount >= this.#maxSeries) return 'full'
    if (family === undefined) {
      if (this.#collides(name, type)) return 'conflict'
      family = { type, help: request.help, series: new Map() }
    } else if (family.type !== type) return 'conflict'
    for (const label of labels.keys()) if (label.startsWith('__') || label === RESERVED_LABEL[type]) return 'conflict'
    this.#families.set(name, family)
    if (known === undefined) this.#seriesCount++
    const series: Series = {
      labels: [...labels].sort(([a], [b]) => (a < b ? -1 : 1)).flat(),
      ttlMs: request.ttlMs,
      lastMs: nowMs,
      value: 0,
      histogram: type === 'histogram' ? new Histogram(request.buckets) : null,
      summary: type === 'summary' ? new Summary(request.summary, nowMs) : null,
    }
    family.series.set(key, series)
    return series
  }

  removeStale(nowMs: number): void {
    for (const [name, { series }] of this.#families) {
      for (const [key, one] of series) {
        if (!isExpired(one, nowMs)) continue
        series.delete(key)
        this.#seriesCount--
      }
      if (series.size === 0) this.#families.delete(name)
    }
  }

  families(nowMs: number): MetricFamily[] {
    this.removeStale(nowMs)
    return [...this.#families].map(([name, { type, help, series }]) => ({
      name,
      type,
      help,
      metrics: [...series.values()].flatMap((one) => linesOf(one, nowMs)),
    }))
  }

  #collides(name: string, type: SeriesType): boolean {
    if (SUFFIXES[type].some((suffix) => this.#families.has(name + suffix))) return true
    for (const suffix of SUFFIXES.histogram) {
      if (!name.endsWith(suffix)) continue
      const owner = this.#families.get(name.slice(0, -suffix.length))
      if (owner !== undefined && SUFFIXES[owner.type].includes(suffix)) return true
    }
    return false
  }
}

/** Cumulative only when it is printed: an observation is one increment. */
export class Histogram {
  readonly bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0
  count = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number, times: number): void {
    let i = 0
    while (i < this.bounds.length && !(value <= this.bounds[i]!)) i++
    this.counts[i]! += times
    this.sum += value * times
    this.count += times
  }
}

function linesOf({ labels, value, histogram, summary }: Series, nowMs: number): Metric[] {
  if (summary) return summaryLines(labels, summary.values(nowMs), summary.sum, summary.count)
  if (!histogram) return [{ labels, value }]
  let cumulative = 0
  const pairs = histogram.bounds.flatMap((bound, i) => [bound, (cumulative += histogram.counts[i]!)])
  return histogramLines(labels, pairs, histogram.sum, histogram.count)
}

const isExpired = ({ ttlMs, lastMs }: Series, nowMs: number): boolean => ttlMs > 0 && lastMs + ttlMs < nowMs

/** Of names and values, whatever their order; lengths keep neighbours apart. */
function keyOf(labels: ReadonlyMap<string, string>): string {
  if (labels.size === 0) return ''
  const parts: string[] = []
  for (const [name, value] of labels) parts.push(`${name}=${value.length}:${value}`)
  return (parts.length === 1 ? parts : parts.sort()).join(',')
}

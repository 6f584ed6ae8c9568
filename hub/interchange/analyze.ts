/**
 * Where the series come from, and what a sample costs.
 * Semantics: Prometheus cmd/promtool/tsdb.go, analyzeBlock (v3.5). Differs: it looks at a block or at all that is
 * stored, head included; it ends with the bytes a sample takes.
 */
import { formatGoDuration } from '../../protocol/durations/mod.ts'
import { labelsFromSorted, METRIC_NAME } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { createSampleBuffer, type SeriesReader, type TimeRange } from '../tsdb/mod.ts'
import { sortSeries } from './sorted-series.ts'

export type AnalyzeOptions = {
  readonly reader: SeriesReader
  readonly matchers: readonly Matcher[]
  readonly range: TimeRange
  /** Rows of each list. */
  readonly limit: number
  readonly title: string
  /** On disk, of the samples that are counted; null: not known. */
  readonly sizeBytes: number | null
}

class Tally {
  readonly counts = new Map<string, number>()

  add(key: string, by: number): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + by)
  }

  /** Largest first; of equal ones by name. */
  top(limit: number, divisor = 1): string {
    return [...this.counts]
      .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([key, count]) => `${Math.floor(count / divisor)} ${key}\n`)
      .join('')
  }
}

export function analyze({ reader, matchers, range, limit, title, sizeBytes }: AnalyzeOptions): string {
  const series = sortSeries(reader, reader.select(matchers, range))
  const span = Math.max(1, range.maxTime - range.minTime + 1)
  const pairsChurn = new Tally()
  const namesChurn = new Tally()
  const pairs = new Tally()
  const metrics = new Tally()
  const values = new Map<string, Set<string>>()
  const buffer = createSampleBuffer(1024)
  let entries = 0
  let samples = 0
  let histograms = 0
  let shown = 0
  for (let n = 0; n < series.count; n++) {
    reader.read(series.ref(n), range, buffer)
    if (buffer.count === 0) continue
    shown++
    samples += buffer.count
    if (buffer.mixed) for (let i = 0; i < buffer.count; i++) if (buffer.flags[i] === 2) histograms++
    // Of the time, what this series does not cover.
    const uncovered = Math.max(0, span - (buffer.times[buffer.count - 1]! - buffer.times[0]!))
    const labels = labelsFromSorted(Array.from(series.labels(n), (symbol) => series.symbols[symbol]!))
    for (let i = 0; i < labels.length; i += 2) {
      const [name, value] = [labels[i]!, labels[i + 1]!]
      const pair = `${name}=${value}`
      entries++
      pairs.add(pair, 1)
      pairsChurn.add(pair, uncovered)
      namesChurn.add(name, uncovered)
      if (name === METRIC_NAME) metrics.add(value, 1)
      let known = values.get(name)
      if (!known) values.set(name, (known = new Set()))
      known.add(value)
    }
  }
  const lengths = new Tally()
  const cardinality = new Tally()
  for (const [name, all] of values) {
    cardinality.add(name, all.size)
    for (const value of all) lengths.add(name, new TextEncoder().encode(value).length)
  }
  const lists: readonly (readonly [string, string])[] = [
    ['Label pairs most involved in churning', pairsChurn.top(limit, span)],
    ['Label names most involved in churning', namesChurn.top(limit, span)],
    ['Most common label pairs', pairs.top(limit)],
    ['Label names with highest cumulative label value length', lengths.top(limit)],
    ['Highest cardinality labels', cardinality.top(limit)],
    ['Highest cardinality metric names', metrics.top(limit)],
  ]
  return [
    `${title}\n`,
    `Duration: ${formatGoDuration(span)}\n`,
    `Total Series: ${shown}\n`,
    `Label names: ${values.size}\n`,
    `Postings (unique label pairs): ${pairs.counts.size}\n`,
    `Postings entries (total label pairs): ${entries}\n`,
    `Samples: ${samples}, of which histograms: ${histograms}\n`,
    sizeBytes === null || samples === 0 ? '' : `Bytes per sample: ${(sizeBytes / samples).toFixed(3)}\n`,
    ...lists.map(([heading, rows]) => `\n${heading}:\n${rows}`),
  ].join('')
}

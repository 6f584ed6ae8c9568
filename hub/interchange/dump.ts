/**
 * Samples as text: promtool's format, or OpenMetrics.
 * Semantics: Prometheus cmd/promtool/tsdb.go, formatSeriesSet and formatSeriesSetOpenMetrics (v3.5). Differs: series
 * stand in the order of their labels.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import {
  formatLabels,
  isLegacyMetricName,
  type Labels,
  labelsFromSorted,
  labelValue,
  METRIC_NAME,
  quote,
} from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { formatHistogram } from '../promql/engine/mod.ts'
import { createSampleBuffer, type SampleBuffer, type SeriesReader, type TimeRange } from '../tsdb/mod.ts'
import { sortSeries } from './sorted-series.ts'

export type DumpOptions = {
  readonly reader: SeriesReader
  /** A series is shown when it matches all of one of these; none: all series. */
  readonly selectors: readonly (readonly Matcher[])[]
  readonly range: TimeRange
  readonly format: 'promtool' | 'openmetrics'
  /** May wait. */
  readonly write: (text: string) => void | Promise<void>
}

export type DumpReport = {
  samples: number
  /** OpenMetrics has no text for native histograms, nor for stale markers. */
  leftOut: number
}

const PIECE_CHARS = 1 << 16

export async function dump({ reader, selectors, range, format, write }: DumpOptions): Promise<DumpReport> {
  const report = { samples: 0, leftOut: 0 }
  const refs = new Set(
    (selectors.length === 0 ? [[]] : selectors).flatMap((matchers) => [...reader.select(matchers, range)]),
  )
  const series = sortSeries(reader, Uint32Array.from(refs))
  const samples = createSampleBuffer(1024)
  const lines = format === 'promtool' ? promtoolLines : openMetricsLines
  let text = ''
  for (let n = 0; n < series.count; n++) {
    const labels = labelsFromSorted(Array.from(series.labels(n), (symbol) => series.symbols[symbol]!))
    reader.read(series.ref(n), range, samples)
    text += lines(labels, samples, report)
    if (text.length < PIECE_CHARS) continue
    await write(text)
    text = ''
  }
  await write(format === 'openmetrics' ? `${text}# EOF\n` : text)
  return report
}

function promtoolLines(labels: Labels, samples: SampleBuffer, report: DumpReport): string {
  const head = formatLabels(labels)
  let text = ''
  for (let i = 0; i < samples.count; i++) {
    const histogram = samples.flags[i] === 2 ? samples.histograms?.[i] : undefined
    text += `${head} ${histogram ? histogramText(histogram) : formatGoFloat(samples.values[i]!)} ${samples.times[i]!}\n`
  }
  report.samples += samples.count
  return text
}

const histogramText = (histogram: Histogram): string =>
  histogram.isStale ? '{count:0, sum:NaN}' : formatHistogram(histogram)

function openMetricsLines(labels: Labels, samples: SampleBuffer, report: DumpReport): string {
  const name = labelValue(labels, METRIC_NAME)
  const rest: string[] = []
  for (let i = 0; i < labels.length; i += 2) if (labels[i] !== METRIC_NAME) rest.push(labels[i]!, labels[i + 1]!)
  // Names that are not legacy ones stand inside of the braces.
  const inner = formatLabels(labelsFromSorted(rest)).slice(1, -1).replaceAll('", ', '",')
  const head = isLegacyMetricName(name)
    ? name + (inner === '' ? '' : `{${inner}}`)
    : `{${quote(name)}${inner === '' ? '' : `,${inner}`}}`
  let text = ''
  for (let i = 0; i < samples.count; i++) {
    if (samples.flags[i] !== 0) {
      report.leftOut++
      continue
    }
    report.samples++
    text += `${head} ${formatGoFloat(samples.values[i]!)} ${(samples.times[i]! / 1000).toFixed(3)}\n`
  }
  return text
}

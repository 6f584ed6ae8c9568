/**
 * Samples as text: promtool's format, or OpenMetrics.
 * Semantics: Prometheus cmd/promtool/tsdb.go, formatSeriesSet and formatSeriesSetOpenMetrics (v3.5). Differs: series
 * stand in the order of their labels.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import { formatLabels, type Labels, labelsFromSorted } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { formatHistogram } from '../promql/engine/mod.ts'
import { createSampleBuffer, type SampleBuffer, type SeriesReader, type TimeRange } from '../tsdb/mod.ts'
import { OpenMetricsText, type TextReport } from './openmetrics-text.ts'
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

export type DumpReport = TextReport

const PIECE_CHARS = 1 << 16

export async function dump({ reader, selectors, range, format, write }: DumpOptions): Promise<DumpReport> {
  const report = { samples: 0, leftOut: 0 }
  const refs = new Set(
    (selectors.length === 0 ? [[]] : selectors).flatMap((matchers) => [...reader.select(matchers, range)]),
  )
  const series = sortSeries(reader, Uint32Array.from(refs))
  const samples = createSampleBuffer(1024)
  const openMetrics = format === 'openmetrics' ? new OpenMetricsText(reader) : null
  let text = ''
  for (let n = 0; n < series.count; n++) {
    const labels = labelsFromSorted(Array.from(series.labels(n), (symbol) => series.symbols[symbol]!))
    const ref = series.ref(n)
    reader.read(ref, range, samples)
    text += openMetrics
      ? openMetrics.lines(labels, samples, reader.exemplars(ref, range), report)
      : promtoolLines(labels, samples, report)
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

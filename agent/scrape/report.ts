/**
 * The series that a scrape says of itself: `up` and the `scrape_*` ones.
 * Semantics: Prometheus scrape/scrape.go, report (v3.14).
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import type { ColumnWriter } from './column-writer.ts'
import { reportLabels } from './sample-labels.ts'
import type { SeriesCache } from './series-cache.ts'

export type ReportValues = {
  readonly up: boolean
  readonly durationSeconds: number
  readonly scraped: number
  readonly kept: number
  readonly added: number
  readonly timeoutSeconds: number
  readonly sampleLimit: number
  /** -1: the limit was exceeded; 0: the scrape failed. */
  readonly bodyBytes: number
}

type ReportMetric = {
  readonly name: string
  readonly metadata: Metadata
  readonly isExtra: boolean
  readonly value: (values: ReportValues) => number
}

const metric = (
  name: string,
  unit: string,
  help: string,
  value: ReportMetric['value'],
  isExtra = false,
): ReportMetric => ({ name, metadata: { type: 'gauge', help, unit }, isExtra, value })

const REPORT: readonly ReportMetric[] = [
  metric('up', 'targets', 'Health of the scrape target. 1 means the target is healthy, 0 if the scrape failed.', (v) =>
    v.up ? 1 : 0,
  ),
  metric('scrape_duration_seconds', 'seconds', 'Duration of the last scrape in seconds.', (v) => v.durationSeconds),
  metric('scrape_samples_scraped', 'samples', 'Number of samples last scraped.', (v) => v.scraped),
  metric(
    'scrape_samples_post_metric_relabeling',
    'samples',
    'Number of samples remaining after metric relabeling was applied.',
    (v) => v.kept,
  ),
  metric('scrape_series_added', 'series', 'Number of series in the last scrape.', (v) => v.added),
  metric(
    'scrape_timeout_seconds',
    'seconds',
    'The configured scrape timeout for a target.',
    (v) => v.timeoutSeconds,
    true,
  ),
  metric(
    'scrape_sample_limit',
    'samples',
    'The configured sample limit for a target. Returns zero if there is no limit configured.',
    (v) => v.sampleLimit,
    true,
  ),
  metric(
    'scrape_body_size_bytes',
    'bytes',
    'The uncompressed size of the last scrape response, if successful. Scrapes failing because body_size_limit is exceeded report -1, other scrape failures report 0.',
    (v) => v.bodyBytes,
    true,
  ),
]
/** Samples that one report may add. */
export const REPORT_SAMPLES = REPORT.length

export class Report {
  readonly #metrics: readonly { readonly metric: ReportMetric; readonly labels: Labels }[]
  /** Where the cache holds them; -1 unknown. */
  readonly #series: Int32Array
  constructor(target: Labels, withExtra: boolean) {
    this.#metrics = REPORT.filter(({ isExtra }) => withExtra || !isExtra).map((each) => ({
      metric: each,
      labels: reportLabels(each.name, target),
    }))
    this.#series = new Int32Array(this.#metrics.length).fill(-1)
  }

  /** Tells the cache that these series live; before its `writeStale`. */
  ids(cache: SeriesCache): number[] {
    return this.#metrics.map(({ metric: { metadata }, labels }, i) => {
      const series = cache.reportSeries(this.#series[i]!, labels, metadata)
      this.#series[i] = series
      return cache.idOf(series)
    })
  }

  write(columns: ColumnWriter, ids: readonly number[], values: ReportValues): void {
    this.#metrics.forEach(({ metric: { value } }, i) => {
      columns.number(ids[i]!, value(values))
    })
  }
}

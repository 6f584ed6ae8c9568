/** What the scrapes of this process count of themselves, under upstream's names. */

import type { MissReason } from '../../protocol/batch/types.ts'
import { formatGoDuration } from '../../protocol/durations/mod.ts'
import { counter, gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'

/** Interval lengths remembered for the quantiles of one interval. */
const LENGTHS = 512
const QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99]

/** Of the targets of one job. */
export type PoolCounts = {
  readonly targets: number
  /** Families whose metadata is known, target by target. */
  readonly metadata: number
  /** Targets that it may have; 0 = as many as there are. */
  readonly limit: number
}

export class ScrapeCounters {
  scrapes = 0
  failures = 0
  sampleDuplicate = 0
  sampleOutOfBounds = 0
  exceededSampleLimit = 0
  /** By soft sample limits. */
  refusedSamples = 0
  exceededBodySizeLimit = 0
  exceededLabelLimits = 0
  exceededTargetLimit = 0
  cacheFlushForced = 0
  reloads = 0
  readonly missedSlots = new Map<MissReason, number>()
  readonly #lengths = new Map<number, IntervalLengths>()

  missed(reason: MissReason, slots: number): void {
    this.missedSlots.set(reason, (this.missedSlots.get(reason) ?? 0) + slots)
  }

  /** Time between the starts of two scrapes of one target. */
  intervalLength(intervalMs: number, lengthMs: number): void {
    let lengths = this.#lengths.get(intervalMs)
    if (lengths === undefined) this.#lengths.set(intervalMs, (lengths = new IntervalLengths()))
    lengths.add(lengthMs / 1000)
  }

  families(jobs: ReadonlyMap<string, PoolCounts>, failureLinesLost: number): MetricFamily[] {
    const total = (name: string, help: string, value: number): MetricFamily =>
      counter(name, help, [{ labels: [], value }])
    const each = (value: (counts: PoolCounts) => number): Metric[] =>
      [...jobs].map(([job, counts]) => ({ labels: ['scrape_job', job], value: value(counts) }))
    return [
      total(
        'prometheus_target_scrapes_sample_duplicate_timestamp_total',
        'Total number of samples rejected due to duplicate timestamps but different values.',
        this.sampleDuplicate,
      ),
      // None is: samples are put where their time belongs.
      total(
        'prometheus_target_scrapes_sample_out_of_order_total',
        'Total number of samples rejected due to not being out of the expected order.',
        0,
      ),
      total(
        'prometheus_target_scrapes_sample_out_of_bounds_total',
        'Total number of samples rejected due to timestamp falling outside of the time bounds.',
        this.sampleOutOfBounds,
      ),
      total(
        'prometheus_target_scrapes_exceeded_sample_limit_total',
        'Total number of scrapes that hit the sample limit and were rejected.',
        this.exceededSampleLimit,
      ),
      total(
        'prometheus_target_scrapes_exceeded_body_size_limit_total',
        'Total number of scrapes that hit the body size limit.',
        this.exceededBodySizeLimit,
      ),
      total(
        'prometheus_target_scrape_pool_exceeded_label_limits_total',
        'Total number of times scrape pools hit the label limits, during sync or config reload.',
        this.exceededLabelLimits,
      ),
      total(
        'prometheus_target_scrape_pool_exceeded_target_limit_total',
        'Total number of times scrape pools hit the target limit, during sync or config reload.',
        this.exceededTargetLimit,
      ),
      total(
        'prometheus_target_scrapes_cache_flush_forced_total',
        'How many times a scrape cache was flushed due to getting big while scrapes are failing.',
        this.cacheFlushForced,
      ),
      total(
        'heliograph_scrape_refused_samples_total',
        'Samples of new series refused by sample limits in soft mode.',
        this.refusedSamples,
      ),
      total('heliograph_scrapes_total', 'Scrapes done, failed ones included.', this.scrapes),
      total('heliograph_scrape_failures_total', 'Scrapes that ended with up 0.', this.failures),
      total(
        'heliograph_scrape_failure_log_lost_total',
        'Failed scrapes that could not be written to the scrape failure log.',
        failureLinesLost,
      ),
      total('prometheus_target_scrape_pool_reloads_total', 'Total number of scrape pool reloads.', this.reloads),
      counter(
        'heliograph_scrape_missed_slots_total',
        'Scrape slots without a scrape, by reason.',
        [...this.missedSlots].map(([reason, value]) => ({ labels: ['reason', reason], value })),
      ),
      gauge(
        'prometheus_target_scrape_pool_targets',
        'Current number of targets in this scrape pool.',
        each(({ targets }) => targets),
      ),
      gauge(
        'prometheus_target_scrape_pool_target_limit',
        'Maximum number of targets allowed in this scrape pool.',
        each(({ limit }) => limit),
      ),
      gauge(
        'prometheus_target_metadata_cache_entries',
        'Total number of metric metadata entries in the cache',
        each(({ metadata }) => metadata),
      ),
      {
        name: 'prometheus_target_interval_length_seconds',
        help: 'Actual intervals between scrapes.',
        type: 'summary',
        metrics: [...this.#lengths].flatMap(([intervalMs, lengths]) => lengths.lines(intervalMs)),
      },
    ]
  }
}

/** Sum, count, and the last lengths for quantiles. */
class IntervalLengths {
  readonly #recent = new Float64Array(LENGTHS)
  #sum = 0
  #count = 0

  add(seconds: number): void {
    this.#recent[this.#count % LENGTHS] = seconds
    this.#sum += seconds
    this.#count++
  }

  lines(intervalMs: number): Metric[] {
    const labels = ['interval', formatGoDuration(intervalMs)]
    const sorted = this.#recent.slice(0, Math.min(this.#count, LENGTHS)).sort()
    const lines: Metric[] = QUANTILES.map((quantile) => ({
      labels: [...labels, 'quantile', String(quantile)],
      value: sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? Number.NaN,
    }))
    return [...lines, { labels, value: this.#sum, suffix: '_sum' }, { labels, value: this.#count, suffix: '_count' }]
  }
}

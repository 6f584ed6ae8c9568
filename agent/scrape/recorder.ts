/**
 * From the outcome of one fetch to what the sink gets: samples, markers and the report, all at the same slot.
 * Semantics: Prometheus scrape/scrape.go, scrapeAndReport (v3.14): a scrape counts as a whole or not at all; one that
 * failed ends all series of the target.
 */
import type { SampleSink, Scrape } from '../../protocol/batch/types.ts'
import { contentTypeFor } from '../../protocol/exposition/mod.ts'
import { ColumnPool, type ColumnWriter } from './column-writer.ts'
import type { ScrapeCounters } from './counters.ts'
import type { FetchError, Page } from './fetch-page.ts'
import type { PageColumns, PageOutcome } from './page-outcome.ts'
import type { Refused } from './refused-samples.ts'
import { REPORT_SAMPLES, Report } from './report.ts'
import { type LivingSeries, SeriesCache } from './series-cache.ts'
import type { ScrapeTargetConfig, TargetMetadata } from './target.ts'

/** When a scrape was due, when it ran. */
export type ScrapeTime = {
  readonly slotMs: number
  readonly timestampMs: number
  readonly nowMs: number
  readonly durationMs: number
}

export type RecordOutcome = { readonly error: string; readonly kept: number; readonly refused: Refused | null }

export class ScrapeRecorder {
  readonly #key: string
  readonly #config: ScrapeTargetConfig
  readonly #sink: SampleSink
  readonly #report: Report
  readonly #cache: SeriesCache
  readonly #columns: ColumnPool
  /** Series of a page that fails are new once, and not again in each scrape that fails as it did. */
  #hasFailed = false

  /** @param columns shared by all recorders of a sink */
  constructor(
    key: string,
    config: ScrapeTargetConfig,
    sink: SampleSink,
    counters: ScrapeCounters,
    columns = new ColumnPool(),
  ) {
    this.#columns = columns
    this.#key = key
    this.#config = config
    this.#sink = sink
    this.#report = new Report(config.labels, config.extraScrapeMetrics)
    this.#cache = new SeriesCache(sink, counters, columns)
  }

  get seriesCount(): number {
    return this.#cache.size
  }

  adopt(series: readonly LivingSeries[]): void {
    this.#cache.adopt(series)
  }

  living(): LivingSeries[] {
    return this.#cache.living()
  }

  isLiving(id: number): boolean {
    return this.#cache.isLiving(id)
  }

  get metadataCount(): number {
    return this.#cache.reader.metadata.size
  }

  metadata(): TargetMetadata[] {
    return [...this.#cache.reader.metadata].map(([family, { type, help, unit }]) => ({ family, type, help, unit }))
  }

  /** @param page null when there is none, for the reason `fault` */
  record(time: ScrapeTime, page: Page | null, fault: FetchError | string | null): RecordOutcome {
    const cache = this.#cache
    const config = this.#config
    cache.begin()
    let error = fault === null ? '' : typeof fault === 'string' ? fault : fault.message
    let counts: Omit<PageOutcome, 'error'> = { scraped: 0, kept: 0, added: 0, refused: null }
    let result: PageColumns | null = null
    const read = page !== null && error === '' ? this.#read(page) : null
    if (read !== null) {
      error = read.error
      counts = read
      if (error === '') result = cache.write(config, time.nowMs, time.timestampMs, REPORT_SAMPLES)
    }
    const columns = result?.columns ?? this.#columns.take(cache.staleBound + REPORT_SAMPLES)
    const reportIds = this.#report.ids(cache)
    cache.writeStale(columns)
    this.#report.write(columns, reportIds, {
      up: error === '',
      durationSeconds: time.durationMs / 1000,
      scraped: counts.scraped,
      kept: counts.kept,
      added: error !== '' && this.#hasFailed ? 0 : counts.added,
      timeoutSeconds: config.timeoutMs / 1000,
      sampleLimit: config.limits.samples,
      bodyBytes: this.#bodyBytes(page, fault),
    })
    this.#hasFailed = error !== ''
    this.#append(time, columns, result?.exemplars ?? null)
    for (const repeat of result?.repeats ?? []) this.#append(time, repeat, null)
    cache.compact()
    return { error, kept: counts.kept, refused: counts.refused }
  }

  /** An empty body is an empty scrape, whatever its Content-Type: null. */
  #read(page: Page): PageOutcome | null {
    const cache = this.#cache
    const config = this.#config
    // Whoever wants to know how long the text is gets it written.
    if (page.families !== undefined && !config.extraScrapeMetrics) {
      if (page.families.every(({ metrics }) => metrics.length === 0)) return null
      return cache.readFamilies(page.families, () => page.body, config)
    }
    if (page.verdict !== undefined) return cache.refusePage(page.verdict)
    if (page.body.length === 0) return null
    const { parser, error } = contentTypeFor(page.contentType, config.fallbackProtocol)
    if (parser === null) return { scraped: 0, kept: 0, added: 0, refused: null, error: error ?? 'unknown format' }
    return cache.readPage(page.body, parser, config)
  }

  /**
   * The target is gone: everything it showed ends at `slotMs`, but what another target has taken over. Markers alone, or
   * nothing at all, tell that it ended: see `isTargetEnd`.
   */
  end(slotMs: number, isTakenOver: (id: number) => boolean): void {
    const cache = this.#cache
    cache.begin()
    const columns = this.#columns.take(cache.staleBound)
    cache.writeStale(columns, isTakenOver)
    this.#append({ slotMs, timestampMs: slotMs, nowMs: slotMs, durationMs: 0 }, columns, null)
  }

  #bodyBytes(page: Page | null, fault: FetchError | string | null): number {
    if (page !== null) return this.#config.extraScrapeMetrics ? (page.verdict?.bytes ?? page.body.length) : 0
    return fault !== null && typeof fault !== 'string' && fault.code === 'body_size_limit' ? -1 : 0
  }

  #append(time: ScrapeTime, columns: ColumnWriter, exemplars: Scrape['exemplars']): void {
    const { count } = columns
    this.#sink.append({
      target: this.#key,
      slotMs: time.slotMs,
      intervalMs: this.#config.intervalMs,
      timestampMs: time.timestampMs,
      ids: columns.ids.slice(0, count),
      values: columns.values.slice(0, count),
      timestamps: columns.timestamps?.slice(0, count) ?? null,
      startTimestamps: columns.startTimestamps?.slice(0, count) ?? null,
      histograms: columns.histograms,
      exemplars,
    })
  }
}

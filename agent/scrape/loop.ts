/**
 * The life of one target: wait for its slot, fetch, record, again. One scrape at a time; a scrape that takes longer
 * than the interval misses slots, which the sink is told.
 * Semantics: Prometheus scrape/scrape.go, scrapeLoop.run (v3.14).
 * Differs: the marker of a removed target is written at its next slot and not two intervals later; batches carry their
 * own order, so a target that comes back is not undone by it.
 */
import type { MissReason, SampleSink } from '../../protocol/batch/types.ts'
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import type { ColumnPool } from './column-writer.ts'
import type { ScrapeCounters } from './counters.ts'
import type { FailureLog } from './failure-log.ts'
import { FetchError, type Page, type PageFetcher } from './fetch-page.ts'
import type { Phases } from './phases.ts'
import { ScrapeRecorder } from './recorder.ts'
import type { Refused } from './refused-samples.ts'
import type { LivingSeries } from './series-cache.ts'
import { alignTimestamp, lastSlot, nextSlot, slotOffset } from './slots.ts'
import { type ScrapeTargetConfig, slotHash, type TargetHealth, type TargetStatus, targetUrl } from './target.ts'
import type { Turns } from './turns.ts'

/** A timer may fire this much early: it is the slot's all the same. */
const EARLY_MS = 1
/** Of a page that was cut for want of memory, before its size is known: large. */
const CUT_PAGE_BYTES = 1024 * 1024

export type LoopDeps = {
  readonly clock: Clock
  readonly log: Logger
  readonly sink: SampleSink
  readonly fetcher: PageFetcher
  readonly counters: ScrapeCounters
  readonly columns: ColumnPool
  readonly phases: Phases
  readonly turns: Turns
  readonly failureLog: FailureLog
  readonly offsetSeed: string
  /** Whether another target's last scrape had the series. */
  readonly isTakenOver: (id: number) => boolean
  /** A removed target has written its markers. */
  readonly onEnded: (loop: ScrapeLoop) => void
}

/** What a loop leaves to its successor for the same target. */
export type Handover = { readonly living: readonly LivingSeries[]; readonly coveredMs: number }

export class ScrapeLoop {
  readonly key: string
  /** Replaced by a reload when only functions and discovered labels differ. */
  config: ScrapeTargetConfig
  /** Fails all scrapes with this text (`target_limit`); '' when there is none. */
  forcedError = ''

  readonly #deps: LoopDeps
  readonly #recorder: ScrapeRecorder
  readonly #offsetMs: number
  readonly #abort = new AbortController()
  #timer: Timer | null = null
  #state: 'idle' | 'waiting' | 'scraping' | 'stopped' = 'idle'
  /** Shutting down: what is still under way is not recorded. */
  #isCut = false
  #running: Promise<void> = Promise.resolve()
  #dueMs = 0
  /** Last slot that was scraped or reported as missed. */
  #coveredMs = Number.NEGATIVE_INFINITY
  #lastStartMono: number | null = null
  #health: TargetHealth = 'unknown'
  #lastError = ''
  #warning = ''
  #toldOffender = ''
  #lastScrapeMs: number | null = null
  #lastDurationMs = 0
  /** Of the last page; null before the first. */
  #pageBytes: number | null = null
  #samples = 0

  constructor(key: string, config: ScrapeTargetConfig, deps: LoopDeps, handover: Handover) {
    this.key = key
    this.config = config
    this.#deps = deps
    this.#offsetMs = slotOffset(slotHash(config), deps.offsetSeed, config.intervalMs)
    this.#recorder = new ScrapeRecorder(key, config, deps.sink, deps.counters, deps.columns)
    this.#recorder.adopt(handover.living)
    this.#coveredMs = handover.coveredMs
  }

  start(): void {
    const { intervalMs } = this.config
    const coveredMs = this.#coveredMs
    // A successor goes on after the slot that its predecessor has covered, which may have taken its time for it.
    const isOfSameSlots = Number.isFinite(coveredMs) && lastSlot(coveredMs, this.#offsetMs, intervalMs) === coveredMs
    if (isOfSameSlots) this.#goOnAfter(coveredMs)
    else this.#waitFor(nextSlot(Math.max(this.#deps.clock.now(), coveredMs + 1), this.#offsetMs, intervalMs))
  }

  /**
   * A scrape under way is finished and recorded, except at shutdown.
   * `removed`: all series end at the target's next slot. `replaced`: the successor takes them over, see `handover`.
   * `shutdown`: nothing more is written; the slots to come are the agent's absence.
   */
  async stop(reason: 'removed' | 'replaced' | 'shutdown'): Promise<void> {
    const wasScraping = this.#state === 'scraping'
    this.#state = 'stopped'
    this.#timer?.cancel()
    this.#timer = null
    if (reason === 'shutdown') {
      this.#isCut = true
      this.#abort.abort()
    }
    await this.#running
    // By now the agent may be shutting down, whatever this stop is for.
    if (this.#isCut) {
      if (wasScraping) this.#missed(this.#dueMs, this.#dueMs, 'shutdown')
    } else if (reason === 'removed') this.#endAtNextSlot()
  }

  handover(): Handover {
    return { living: this.#recorder.living(), coveredMs: this.#coveredMs }
  }

  isLiving(id: number): boolean {
    return this.#state !== 'stopped' && this.#recorder.isLiving(id)
  }

  /** Families whose metadata is known. */
  get metadataCount(): number {
    return this.#recorder.metadataCount
  }

  status(): TargetStatus {
    const { config } = this
    return {
      key: this.key,
      job: config.job,
      url: targetUrl(config.source),
      labels: config.labels,
      discoveredLabels: config.discoveredLabels,
      intervalMs: config.intervalMs,
      timeoutMs: config.timeoutMs,
      health: this.#health,
      lastError: this.#lastError,
      warning: this.#warning,
      lastScrapeMs: this.#lastScrapeMs,
      lastScrapeDurationMs: this.#lastDurationMs,
      nextSlotMs: this.#dueMs,
      samples: this.#samples,
      series: this.#recorder.seriesCount,
      metadata: () => this.#recorder.metadata(),
    }
  }

  #waitFor(slotMs: number): void {
    this.#state = 'waiting'
    this.#dueMs = slotMs
    this.#timer = this.#deps.phases.at(slotMs, (nowMs) => this.#onTimer(nowMs))
  }

  /** The wall clock decides, not the timer: it may have been set, or the host may have slept. */
  #onTimer(nowMs: number): void {
    const { intervalMs } = this.config
    const latest = lastSlot(nowMs + EARLY_MS, this.#offsetMs, intervalMs)
    if (latest < this.#dueMs) {
      // Set back: the slots of the new time are as good as any.
      this.#waitFor(nextSlot(nowMs, this.#offsetMs, intervalMs))
      return
    }
    if (latest > this.#dueMs) this.#missed(this.#dueMs, latest - intervalMs, 'suspended')
    this.#dueMs = latest
    const { turns } = this.#deps
    const pageBytes = this.#pageBytes ?? turns.usual(this.config.job)
    this.#timer = turns.take(pageBytes, nowMs, intervalMs, (nowMs) => this.#begin(latest, nowMs, pageBytes))
  }

  /** One reading of the clock decides slot and timestamp: two could put a late scrape at the next slot's time. */
  #begin(slotMs: number, nowMs: number, pageBytes: number): void {
    this.#state = 'scraping'
    this.#dueMs = slotMs
    const { phases, turns } = this.#deps
    phases.began()
    this.#running = this.#scrape(slotMs, nowMs).then(() => {
      turns.ended(pageBytes)
      this.#afterScrape(slotMs)
    })
  }

  #afterScrape(slotMs: number): void {
    this.#deps.phases.ended()
    if (!this.#isCut) this.#coveredMs = slotMs
    if (this.#state === 'scraping') this.#goOnAfter(slotMs)
  }

  #goOnAfter(slotMs: number): void {
    const { clock } = this.#deps
    const { intervalMs } = this.config
    const latest = lastSlot(clock.now(), this.#offsetMs, intervalMs)
    if (latest <= slotMs) {
      // Usual, or the clock was set back while scraping.
      const behind = latest < slotMs - intervalMs
      this.#waitFor(behind ? latest + intervalMs : slotMs + intervalMs)
      return
    }
    // Late for one slot: at once, as a pending tick upstream. Those before it are gone.
    if (latest > slotMs + intervalMs) this.#missed(slotMs + intervalMs, latest - intervalMs, 'overrun')
    this.#state = 'waiting'
    this.#dueMs = latest
    this.#timer = clock.setTimer(0, () => {
      if (this.#state === 'waiting') this.#onTimer(clock.now())
    })
  }

  async #scrape(slotMs: number, nowMs: number): Promise<void> {
    const { clock, counters, log } = this.#deps
    const { config } = this
    const startMono = clock.monotonic()
    if (this.#lastStartMono !== null) counters.intervalLength(config.intervalMs, startMono - this.#lastStartMono)
    this.#lastStartMono = startMono
    const isCollector = config.source.kind === 'collect'
    const timestampMs = alignTimestamp(nowMs, { slotMs, intervalMs: config.intervalMs, isCollector })
    const fetched = this.forcedError === '' ? await this.#fetchPage() : this.forcedError
    if (this.#isCut) return
    const isPage = typeof fetched !== 'string' && !(fetched instanceof FetchError)
    const durationMs = clock.monotonic() - startMono
    const time = { slotMs, timestampMs, nowMs, durationMs }
    counters.scrapes++
    const outcome = this.#recorder.record(time, isPage ? fetched : null, isPage ? null : fetched)
    this.#lastScrapeMs = nowMs
    this.#lastDurationMs = durationMs
    this.#lastError = outcome.error
    this.#health = outcome.error === '' ? 'up' : 'down'
    this.#samples = outcome.error === '' ? outcome.kept : 0
    this.#tellRefused(outcome.error === '' ? outcome.refused : null)
    if (outcome.error === '') return
    counters.failures++
    if (!isPage && typeof fetched !== 'string' && fetched.code === 'body_size_limit') counters.exceededBodySizeLimit++
    this.#deps.failureLog.add(config, nowMs, outcome.error)
    log.debug('Scrape failed', { target: this.key, url: targetUrl(config.source), error: outcome.error })
  }

  /** In the log once per offender; on the targets page at every scrape. */
  #tellRefused(refused: Refused | null): void {
    if (refused === null) {
      this.#warning = ''
      this.#toldOffender = ''
      return
    }
    const { samples, offender, ofOffender } = refused
    const limit = this.config.limits.samples
    this.#warning = `sample_limit of ${limit} reached: ${samples} samples of new series refused, ${ofOffender} of them of "${offender}"`
    if (this.#toldOffender === offender) return
    this.#toldOffender = offender
    this.#deps.log.warn('Sample limit reached: the series already known stay, new ones are refused', {
      target: this.key,
      limit,
      refused: samples,
      offender,
      ofOffender,
    })
  }

  async #fetchPage(): Promise<Page | FetchError> {
    try {
      const page = await this.#deps.fetcher.fetchPage(this.config, this.#abort.signal)
      if (this.config.source.kind === 'http') this.#sawPage(page.body.length)
      return page
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      if (error.code === 'crowded') this.#sawPage(Math.max(this.#pageBytes ?? 0, CUT_PAGE_BYTES))
      return error
    }
  }

  #sawPage(bytes: number): void {
    this.#pageBytes = bytes
    this.#deps.turns.saw(this.config.job, bytes)
  }

  #missed(fromMs: number, toMs: number, reason: MissReason): void {
    const { intervalMs } = this.config
    // A clock that was set forth and back may pass a slot twice; it is missed once.
    const from = Math.max(fromMs, this.#coveredMs + intervalMs)
    if (from > toMs) return
    this.#coveredMs = toMs
    this.#deps.counters.missed(reason, Math.round((toMs - from) / intervalMs) + 1)
    this.#deps.sink.missed({ target: this.key, fromMs: from, toMs, intervalMs, reason })
  }

  #endAtNextSlot(): void {
    const { clock, isTakenOver, onEnded } = this.#deps
    const slotMs = nextSlot(clock.now(), this.#offsetMs, this.config.intervalMs)
    const end = (): void => {
      this.#recorder.end(slotMs, isTakenOver)
      onEnded(this)
    }
    this.#timer = clock.setTimer(Math.max(0, slotMs - clock.now()), end, { unref: true })
  }

  /** No marker after all: the process ends first. */
  cancelEnd(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

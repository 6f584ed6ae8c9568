/**
 * All scrape loops of an agent. A reload touches only the targets that changed: the others keep their loop, their
 * caches and their phase.
 * Semantics: Prometheus scrape/manager.go and scrapePool.Sync (v3.14).
 */
import type { SampleSink } from '../../protocol/batch/types.ts'
import type { Clock, Disk, Logger, Net } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import { ColumnPool } from './column-writer.ts'
import { type PoolCounts, ScrapeCounters } from './counters.ts'
import { type DepartedTarget, endDeparted } from './departed.ts'
import { FailureLog } from './failure-log.ts'
import { collectFetcher, httpFetcher, type PageFetcher } from './fetch-page.ts'
import { type Handover, type LoopDeps, ScrapeLoop } from './loop.ts'
import { Phases } from './phases.ts'
import { configFingerprint, type ScrapeTargetConfig, type TargetStatus, targetKey } from './target.ts'
import { Turns } from './turns.ts'

export type ScrapeManagerOptions = {
  readonly clock: Clock
  readonly net: Net
  readonly disk: Disk
  readonly log: Logger
  readonly sink: SampleSink
  /** Of this agent: two agents with the same targets scrape them at different moments. */
  readonly offsetSeed: string
  /** For instance `Heliograph/1.0`. */
  readonly userAgent: string
  /** Series that an earlier life of the agent last saw of a target: what is gone is marked at the first scrape. */
  readonly initialSeries?: (targetKey: string) => readonly Labels[]
}

type Entry = { readonly loop: ScrapeLoop; readonly fingerprint: string }

export class ScrapeManager {
  readonly counters = new ScrapeCounters()
  readonly #options: ScrapeManagerOptions
  readonly #fetchPage: PageFetcher
  readonly #columns = new ColumnPool()
  readonly #phases: Phases
  readonly #turns: Turns
  readonly #failureLog: FailureLog
  readonly #entries = new Map<string, Entry>()
  /** Removed, but their markers are not written yet. */
  readonly #ending = new Map<string, ScrapeLoop>()
  /** Removed or replaced, and perhaps still scraping. */
  readonly #leaving = new Set<ScrapeLoop>()
  #queue: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(options: ScrapeManagerOptions) {
    this.#options = options
    this.#failureLog = new FailureLog(options.disk, options.log)
    this.#phases = new Phases(options.clock, () => options.sink.settled?.())
    this.#turns = new Turns(options.clock)
    this.#fetchPage = httpFetcher(options.net, options.userAgent)
  }

  /**
   * Makes these the targets; two with the same labels and URL are one. Resolves when the loops that had to go have
   * ended their scrapes.
   */
  apply(targets: readonly ScrapeTargetConfig[]): Promise<void> {
    this.#queue = this.#queue.then(() => this.#apply(targets))
    return this.#queue
  }

  /** Ends the series of an earlier life's target, unless it is one of today's (which compares for itself). */
  endDeparted(target: DepartedTarget): void {
    if (this.#isStopped || this.#entries.has(target.key) || this.#ending.has(target.key)) return
    endDeparted(this.#options.sink, target, this.#options.clock.now(), (id) => this.#isLiving(id))
  }

  targets(): TargetStatus[] {
    return [...this.#entries.values()].map(({ loop }) => loop.status())
  }

  families(): MetricFamily[] {
    const jobs = new Map<string, PoolCounts>()
    for (const { loop } of this.#entries.values()) {
      const { job, limits } = loop.config
      const { targets = 0, metadata = 0 } = jobs.get(job) ?? {}
      jobs.set(job, { targets: targets + 1, metadata: metadata + loop.metadataCount, limit: limits.targets })
    }
    return this.counters.families(jobs, this.#failureLog.lost)
  }

  /** Lines for scrape failure logs that could not be written. */
  get failureLinesLost(): number {
    return this.#failureLog.lost
  }

  /** Ends all scrapes, those under way too; no markers are written. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const loop of this.#ending.values()) loop.cancelEnd()
    this.#ending.clear()
    const loops = [...this.#leaving, ...[...this.#entries.values()].map(({ loop }) => loop)]
    await Promise.all(loops.map((loop) => loop.stop('shutdown')))
    this.#entries.clear()
    await this.#queue
  }

  async #apply(targets: readonly ScrapeTargetConfig[]): Promise<void> {
    if (this.#isStopped) return
    this.counters.reloads++
    const wanted = new Map<string, ScrapeTargetConfig>()
    for (const config of targets) {
      const key = targetKey(config)
      if (!wanted.has(key)) wanted.set(key, config)
    }
    const stopping = this.#stopChanged(wanted)
    // Only successors wait for scrapes that are under way, each for its predecessor's.
    for (const [key, config] of wanted) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) entry.loop.config = config
      else if (!stopping.has(key)) this.#startLoop(key, config, this.#handoverFor(key))
    }
    const started = Array.from(stopping, async ([key, stopped]) => {
      const handover = await stopped
      const config = wanted.get(key)
      if (config !== undefined && !this.#isStopped) this.#startLoop(key, config, handover)
    })
    await Promise.all(started)
    this.#enforceTargetLimits()
  }

  /** Stops what is gone or has changed; resolves, by key, to what the loop leaves. */
  #stopChanged(wanted: ReadonlyMap<string, ScrapeTargetConfig>): Map<string, Promise<Handover>> {
    const stopping = new Map<string, Promise<Handover>>()
    for (const [key, { loop, fingerprint }] of [...this.#entries]) {
      const config = wanted.get(key)
      if (config !== undefined && configFingerprint(config) === fingerprint) continue
      this.#entries.delete(key)
      if (config === undefined) this.#ending.set(key, loop)
      this.#leaving.add(loop)
      const stopped = loop.stop(config === undefined ? 'removed' : 'replaced').then(() => {
        this.#leaving.delete(loop)
        return loop.handover()
      })
      stopping.set(key, stopped)
    }
    return stopping
  }

  /** A target that comes back before its markers were written goes on as if it had stayed. */
  #handoverFor(key: string): Handover {
    const ending = this.#ending.get(key)
    if (ending !== undefined) {
      ending.cancelEnd()
      this.#ending.delete(key)
      return ending.handover()
    }
    const series = this.#options.initialSeries?.(key) ?? []
    return { living: series.map((labels) => ({ labels, metadata: null })), coveredMs: Number.NEGATIVE_INFINITY }
  }

  #startLoop(key: string, config: ScrapeTargetConfig, handover: Handover): void {
    const { clock, log, sink, offsetSeed } = this.#options
    const deps: LoopDeps = {
      clock,
      log,
      sink,
      offsetSeed,
      counters: this.counters,
      columns: this.#columns,
      phases: this.#phases,
      turns: this.#turns,
      failureLog: this.#failureLog,
      fetcher: config.source.kind === 'http' ? this.#fetchPage : collectFetcher(clock),
      isTakenOver: (id) => this.#isLiving(id),
      onEnded: (loop) => {
        if (this.#ending.get(key) === loop) this.#ending.delete(key)
      },
    }
    const loop = new ScrapeLoop(key, config, deps, handover)
    this.#entries.set(key, { loop, fingerprint: configFingerprint(config) })
    loop.start()
  }

  #isLiving(id: number): boolean {
    for (const { loop } of this.#entries.values()) if (loop.isLiving(id)) return true
    return false
  }

  /** As upstream, a job with too many targets scrapes none of them. */
  #enforceTargetLimits(): void {
    const jobs = new Map<string, ScrapeLoop[]>()
    for (const { loop } of this.#entries.values()) {
      const loops = jobs.get(loop.config.job)
      if (loops === undefined) jobs.set(loop.config.job, [loop])
      else loops.push(loop)
    }
    for (const loops of jobs.values()) {
      const limit = loops[0]!.config.limits.targets
      const isExceeded = limit > 0 && loops.length > limit
      if (isExceeded) this.counters.exceededTargetLimit++
      const error = `target_limit exceeded (number of targets: ${loops.length}, limit: ${limit})`
      for (const loop of loops) loop.forcedError = isExceeded ? error : ''
    }
  }
}

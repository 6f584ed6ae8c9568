/**
 * Decides when blocks are cut, merged and removed, and tells queries which there are. The order that keeps every
 * sample in sight: close the head's time, cut, share the blocks with queries, evict from the head, checkpoint the log.
 * Semantics of the times: Prometheus tsdb/db.go (a block once its range ended half a range ago).
 */
import type { Env, Timer, WorkerHandle } from '../../protocol/env/mod.ts'
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { type BlocksState, type FromBlocks, planCuts, type RetentionLimits, type ToBlocks } from '../block/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import type { BlockView } from '../query/mod.ts'
import { evictedUntil, openReader } from '../tsdb/mod.ts'

export type BlockKeeperOptions = {
  readonly env: Pick<Env, 'clock' | 'log' | 'pool'>
  readonly ingest: Ingest
  readonly directory: string
  readonly blockMs: number
  readonly logLevel: string
  readonly logFormat: string
  /** Of all that is stored; the log's bytes count against the size. */
  readonly limits: () => RetentionLimits
}

const ROUND_MS_MAX = 60_000
/** What came late for ranges that are blocks already is cut together, so often at most. */
const LATE_EVERY_MS = 600_000

const STOP_MS = 1000

const NONE: BlocksState = {
  blocks: [],
  paths: [],
  generation: 0,
  sizeBytes: 0,
  counters: { cut: 0, compacted: 0, removed: 0, damagedBlocks: 0, damagedRuns: 0 },
}

export class BlockKeeper {
  readonly #options: BlockKeeperOptions
  readonly #worker: WorkerHandle
  readonly #waiting = new Map<number, { resolve: (isMore: boolean) => void; reject: (error: Error) => void }>()
  #nextId = 1
  #state: BlocksState = NONE
  #view: BlockView
  #timer: Timer | null = null
  #round: Promise<void> = Promise.resolve()
  #isStopped = false
  #lateCutMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #damageFound = 0

  /** Resolves once the blocks on disk are known. Rejects when their directory cannot be read. */
  static open(options: BlockKeeperOptions): Promise<BlockKeeper> {
    return new Promise((resolve, reject) => {
      const keeper: BlockKeeper = new BlockKeeper(options, () => resolve(keeper), reject)
    })
  }

  private constructor(options: BlockKeeperOptions, onReady: () => void, onFailed: (error: Error) => void) {
    this.#options = options
    const { env, directory, logLevel, logFormat } = options
    // What the head had evicted when it was saved stands in blocks since before.
    this.#view = { paths: [], coveredUntil: evictedUntil(options.ingest.share()) }
    this.#worker = env.pool.spawn({
      url: new URL('../env/block-worker.ts', import.meta.url).href,
      name: 'blocks',
      data: { directory, logLevel, logFormat },
    })
    this.#worker.onMessage((message) => this.#receive(message as FromBlocks, onReady))
    this.#worker.onExit((error) => {
      const reason = error ?? new Error('The block thread has ended')
      for (const { reject } of this.#waiting.values()) reject(reason)
      this.#waiting.clear()
      onFailed(reason)
      if (!this.#isStopped)
        env.log.error('The block thread ended; blocks are read, but none is cut until the next start', { err: reason })
      this.#isStopped = true
    })
  }

  start(): void {
    if (this.#isStopped) return
    const { env, blockMs } = this.#options
    const delayMs = Math.min(ROUND_MS_MAX, blockMs / 2)
    this.#timer = env.clock.setTimer(
      delayMs,
      () => {
        this.#round = this.#runRound().finally(() => this.start())
      },
      { unref: true },
    )
  }

  /** A cut or merge under way gets a moment; one that is interrupted leaves nothing behind that counts. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    if (this.#isStopped) return
    this.#isStopped = true
    await Promise.race([this.#round, this.#options.env.clock.sleep(STOP_MS)])
    await this.#worker.terminate()
    await this.#round
  }

  view(): BlockView {
    return this.#view
  }

  state(): BlocksState {
    return this.#state
  }

  /** A query worker has found something that is not what was written. */
  sawDamage(what: string): void {
    this.#damageFound++
    this.#options.env.log.error('Damaged data in a block is not served; the rest is', { what })
  }

  families(): MetricFamily[] {
    const { blocks, counters, sizeBytes } = this.#state
    const one = (value: number) => [{ labels: [], value }]
    const oldest = blocks[0]
    return [
      gauge('prometheus_tsdb_blocks_loaded', 'Number of currently loaded data blocks', one(blocks.length)),
      gauge(
        'prometheus_tsdb_storage_blocks_bytes',
        'The number of bytes that are currently used for local storage by all blocks.',
        one(sizeBytes),
      ),
      gauge(
        'prometheus_tsdb_lowest_timestamp_seconds',
        'Lowest timestamp value stored in the database.',
        one(oldest ? oldest.minTime / 1000 : 0),
      ),
      counter(
        'prometheus_tsdb_compactions_total',
        'Total number of compactions that were executed for the partition.',
        one(counters.cut + counters.compacted),
      ),
      counter(
        'prometheus_tsdb_compactions_failed_total',
        'Total number of compactions that failed for the partition.',
        one(this.#failures),
      ),
      counter(
        'prometheus_tsdb_reloads_total',
        'Number of times the database reloaded block data from disk.',
        one(this.#state.generation),
      ),
      counter('prometheus_tsdb_reloads_failures_total', 'Number of times the database failed to reload.', one(0)),
      counter(
        'heliograph_blocks_removed_total',
        'Blocks removed because they were beyond retention.',
        one(counters.removed),
      ),
      gauge('heliograph_blocks_damaged', 'Blocks set aside since the start.', one(counters.damagedBlocks)),
      counter(
        'heliograph_block_damage_found_total',
        'Runs of chunks, and blocks, found damaged on reading.',
        one(counters.damagedRuns + this.#damageFound),
      ),
    ]
  }

  async #runRound(): Promise<void> {
    const { env, limits, blockMs } = this.#options
    try {
      await this.#cutIfDue()
      let isMore = true
      while (isMore && !this.#isStopped) {
        const nowMs = env.clock.now()
        isMore = await this.#ask((id) => ({ kind: 'maintain', id, nowMs, limits: limits(), blockMs }))
        this.#share(this.#view.coveredUntil)
      }
    } catch (err) {
      if (this.#isStopped) return
      this.#failures++
      env.log.error('Blocks could not be brought up to date; it is tried again', { err })
    }
  }

  async #cutIfDue(): Promise<void> {
    const { env, ingest, blockMs } = this.#options
    const now = env.clock.monotonic()
    const due = this.#due()
    const evicted = evictedUntil(ingest.share())
    const isFresh = due.some(({ maxTime }) => maxTime > evicted)
    if (due.length === 0 || (!isFresh && now - this.#lateCutMs < LATE_EVERY_MS)) return
    const closed = await ingest.closeBefore(due.at(-1)!.maxTime)
    const reader = openReader(ingest.share())
    const range = reader.timeRange()
    reader.release()
    // All that is closed now: what came while we asked, too.
    const ranges = planCuts(range, closed + 1, 0, blockMs)
    await this.#ask((id) => ({ kind: 'cut', id, share: ingest.share(), ranges }))
    this.#share(closed)
    await ingest.evict()
    await ingest.checkpoint()
    this.#lateCutMs = now
  }

  #due(): ReturnType<typeof planCuts> {
    const { env, ingest, blockMs } = this.#options
    const reader = openReader(ingest.share())
    const range = reader.timeRange()
    reader.release()
    return planCuts(range, env.clock.now(), blockMs / 2, blockMs)
  }

  /** Before the head evicts. */
  #share(coveredUntil: number): void {
    this.#view = { paths: this.#state.paths, coveredUntil: Math.max(coveredUntil, this.#view.coveredUntil) }
  }

  #ask(message: (id: number) => ToBlocks): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve, reject })
      this.#worker.post(message(id))
    })
  }

  #receive(message: FromBlocks, onReady: () => void): void {
    this.#state = message.state
    if (message.kind === 'ready') {
      this.#share(this.#view.coveredUntil)
      onReady()
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'done') waiting?.resolve(message.isMore)
    else waiting?.reject(new Error(message.message))
  }
}

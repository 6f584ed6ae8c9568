/**
 * Decides when blocks are cut, merged and removed, and tells queries which there are. The order that keeps every
 * sample in sight: close the head's time, cut, share the blocks with queries, evict from the head, checkpoint the log.
 * Semantics of the times: Prometheus tsdb/db.go (a block once its range ended half a range ago).
 */
import type { DownsamplingLevel } from '../../protocol/config/mod.ts'
import type { Env, Timer, WorkerHandle } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import {
  BLOCKS_FOLDER,
  type BlocksState,
  ChunkSizes,
  type Damage,
  deletionOf,
  type Floors,
  type FromBlocks,
  type Hidden,
  type InForce,
  planCuts,
  type RetentionLimits,
  TOMBSTONES_FILE,
  type ToBlocks,
  TombstoneFile,
} from '../block/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import type { BlockView } from '../query/mod.ts'
import { evictedUntil, openReader, type TimeRange } from '../tsdb/mod.ts'
import { BlockMetrics } from './block-metrics.ts'

export type BlockKeeperOptions = {
  readonly env: Pick<Env, 'clock' | 'disk' | 'log' | 'pool' | 'random'>
  readonly ingest: Ingest
  /** Of all data; the blocks have a folder in it. */
  readonly directory: string
  readonly blockMs: number
  readonly logLevel: string
  readonly logFormat: string
  /** Of all that is stored; the log's bytes count against the size. */
  readonly limits: () => RetentionLimits
  /** What retention by series hides. */
  readonly floors: (nowMs: () => number) => Floors
  /** Of blocks of which age. */
  readonly downsampling: () => readonly DownsamplingLevel[]
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
  counters: {
    cut: 0,
    compacted: 0,
    overlapping: 0,
    rewritten: 0,
    removed: 0,
    timeRetentions: 0,
    sizeRetentions: 0,
    damagedBlocks: 0,
    damagedRuns: 0,
  },
  chunkSizes: new ChunkSizes().state,
  damages: [],
  hasRetired: false,
}
/** Of the list that is shown; all are counted. */
const DAMAGES_MAX = 1000
export const SNAPSHOTS_FOLDER = 'snapshots'

export class BlockKeeper {
  readonly #options: BlockKeeperOptions
  readonly #worker: WorkerHandle
  readonly #waiting = new Map<number, { resolve: (isMore: boolean) => void; reject: (error: Error) => void }>()
  #nextId = 1
  #state: BlocksState = NONE
  readonly #tombstones: TombstoneFile
  readonly #metrics = new BlockMetrics()
  readonly #damages = new Map<string, Damage>()
  #coveredUntil: number
  #paths: readonly string[] = []
  #deletes: readonly number[] = []
  #timer: Timer | null = null
  #round: Promise<void> = Promise.resolve()
  #isStopped = false
  #lateCutMs = Number.NEGATIVE_INFINITY
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
    this.#coveredUntil = evictedUntil(options.ingest.share())
    this.#tombstones = new TombstoneFile(env.disk, `${directory}/${TOMBSTONES_FILE}`, env.log)
    this.#worker = env.pool.spawn({
      url: new URL('../env/block-worker.ts', import.meta.url).href,
      name: 'blocks',
      data: { directory: `${directory}/${BLOCKS_FOLDER}`, logLevel, logFormat },
    })
    this.#worker.onMessage((message) => this.#receive(message as FromBlocks, onReady))
    options.ingest.onShare((share) => {
      if (!this.#isStopped) this.#worker.post({ kind: 'share', share })
    })
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
    return {
      paths: this.#paths,
      deletes: this.#deletes,
      hidden: this.#hidden(),
      coveredUntil: this.#coveredUntil,
    }
  }

  state(): BlocksState {
    return this.#state
  }

  /** A query worker has found something that is not what was written. */
  sawDamage(what: string): void {
    this.#damageFound++
    const [, path = '', piece = what, why = ''] = /"([^"]*)", (.*): (.*); it is set aside/.exec(what) ?? []
    if (this.#damages.size < DAMAGES_MAX)
      this.#damages.set(what, { block: path.slice(path.lastIndexOf('/') + 1), piece, why })
    this.#options.env.log.error('Damaged data in a block is not served; the rest is', { what })
  }

  /** What is set aside, or not served, as far as anybody has come upon it. */
  damages(): readonly Damage[] {
    return [...this.#state.damages, ...this.#damages.values()]
  }

  families(): MetricFamily[] {
    const found = this.#state.counters.damagedRuns + this.#damageFound
    return this.#metrics.families(this.#state, this.#options.limits(), found, this.#tombstones.list().length)
  }

  /**
   * Hides samples from all answers, from the moment it returns and for good; they leave the disk when their blocks are
   * next written. @throws DiskError
   */
  deleteSeries(selectors: readonly (readonly Matcher[])[], range: TimeRange): void {
    const newest = this.#newestSample()
    const deletions = selectors
      .map((matchers) => deletionOf(matchers, range, newest))
      .filter((deletion) => deletion !== null)
    if (deletions.length > 0) this.#tombstones.add(deletions)
  }

  /** Rewrites blocks until none holds what was deleted. The head lets go of it when it is next cut. */
  async cleanTombstones(): Promise<void> {
    const { clock } = this.#options.env
    const startedMs = clock.monotonic()
    let isMore = true
    while (isMore) {
      isMore = await this.#ask((id) => ({ kind: 'clean', id, inForce: this.#inForce() }))
      this.#share(this.#coveredUntil)
    }
    this.#metrics.cleanups.observe((clock.monotonic() - startedMs) / 1000)
  }

  /** @returns the name of a new folder under `snapshots/` that a hub can be started on */
  async snapshot(skipHead: boolean): Promise<string> {
    const { env, directory, blockMs, ingest } = this.#options
    const name = snapshotName(env.clock.now(), env.random.bytes(8))
    const folder = `${directory}/${SNAPSHOTS_FOLDER}`
    env.disk.makeDirectory(folder)
    env.disk.syncDirectory(directory)
    const share = skipHead ? null : ingest.share()
    const target = `${folder}/${name}`
    await this.#ask((id) => ({ kind: 'snapshot', id, target, share, blockMs, inForce: this.#inForce() }))
    return name
  }

  async #runRound(): Promise<void> {
    const { env, limits, blockMs } = this.#options
    try {
      await this.#cutIfDue()
      let isMore = true
      while (isMore && !this.#isStopped) {
        const nowMs = this.#nowForRetention()
        const startedMs = env.clock.monotonic()
        const before = this.#compactions()
        const inForce = this.#inForce()
        isMore = await this.#ask((id) => ({ kind: 'maintain', id, nowMs, limits: limits(), blockMs, inForce }))
        if (this.#compactions() > before) this.#metrics.durations.observe((env.clock.monotonic() - startedMs) / 1000)
        this.#share(this.#coveredUntil)
      }
      if (!this.#state.hasRetired) this.#tombstones.prune(null, this.#state.blocks)
    } catch (err) {
      if (this.#isStopped) return
      this.#metrics.failures++
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
    // All that is closed now: what came while we asked, too.
    const ranges = planCuts(this.#headRange(), closed + 1, 0, blockMs)
    const startedMs = env.clock.monotonic()
    await this.#ask((id) => ({ kind: 'cut', id, share: ingest.share(), ranges, inForce: this.#inForce() }))
    this.#metrics.durations.observe((env.clock.monotonic() - startedMs) / 1000)
    this.#share(closed)
    this.#metrics.headTruncations++
    this.#metrics.failedTruncations++
    const evictedMs = env.clock.monotonic()
    await ingest.evict()
    this.#metrics.evictions.observe((env.clock.monotonic() - evictedMs) / 1000)
    await ingest.checkpoint()
    this.#metrics.failedTruncations--
    this.#lateCutMs = now
    // Only now would a restart not bring back to the head what was deleted from it.
    this.#tombstones.prune(this.#headRange()?.minTime ?? Number.POSITIVE_INFINITY, this.#state.blocks)
  }

  #due(): ReturnType<typeof planCuts> {
    const { env, blockMs } = this.#options
    return planCuts(this.#headRange(), env.clock.now(), blockMs / 2, blockMs)
  }

  #headRange(): TimeRange | null {
    const reader = openReader(this.#options.ingest.share())
    const range = reader.timeRange()
    reader.release()
    return range
  }

  #newestBlockTime(): number {
    return this.#state.blocks.reduce((newest, { maxTime }) => Math.max(newest, maxTime - 1), Number.NEGATIVE_INFINITY)
  }

  /**
   * Ages are counted from the newest sample, as upstream: a clock that jumps ahead must not remove anything, and what
   * gets no more samples stays as it is.
   */
  #nowForRetention(): number {
    return Math.min(this.#options.env.clock.now(), this.#newestSample())
  }

  #newestSample(): number {
    return Math.max(this.#headRange()?.maxTime ?? Number.NEGATIVE_INFINITY, this.#newestBlockTime())
  }

  #hidden(): Hidden {
    return { tombstones: this.#tombstones.list(), floors: this.#options.floors(() => this.#nowForRetention()) }
  }

  #inForce(): InForce {
    const now = this.#nowForRetention()
    const thinning = this.#options
      .downsampling()
      .map(({ afterMs, resolutionMs }) => ({ maxTime: now - afterMs, resolutionMs }))
    return { hidden: this.#hidden(), deletes: this.#tombstones.lastId, thinning }
  }

  #compactions(): number {
    const { compacted, rewritten } = this.#state.counters
    return compacted + rewritten
  }

  /** Before the head evicts. */
  #share(coveredUntil: number): void {
    const { blocks, paths } = this.#state
    const deletes = new Map(blocks.map((block) => [block.id, block.deletes ?? 0]))
    this.#paths = paths
    this.#deletes = paths.map((path) => deletes.get(path.slice(path.lastIndexOf('/') + 1)) ?? 0)
    this.#coveredUntil = Math.max(coveredUntil, this.#coveredUntil)
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
      this.#share(this.#coveredUntil)
      onReady()
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'done') waiting?.resolve(message.isMore)
    else waiting?.reject(new Error(message.message))
  }
}

/** As Prometheus names them: `20261130T010203Z-0123456789abcdef`. */
function snapshotName(nowMs: number, random: Uint8Array): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const number = [...random].map((byte, i) => (i === 0 ? byte & 0x7f : byte).toString(16).padStart(2, '0')).join('')
  return `${time}-${number}`
}

/**
 * Decides when blocks are cut, merged and removed, and tells queries which there are. The order that keeps every
 * sample in sight: close the head's time, cut, share the blocks with queries, evict from the head, checkpoint the log.
 * Semantics of the times: Prometheus tsdb/db.go (a block once its range ended half a range ago).
 */
import type { Env, Timer, WorkerHandle } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import {
  type Asked,
  BLOCKS_FOLDER,
  type BlocksDigest,
  type BlocksState,
  cutsUntil,
  type Damage,
  decodeShared,
  deletionOf,
  dueCuts,
  earlyCuts,
  type Floors,
  type FromBlocks,
  type RetentionLimits,
  SNAPSHOTS_FOLDER,
  TOMBSTONES_FILE,
  type ToBlocks,
  type Tombstone,
  TombstoneFile,
} from '../block/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import type { BlockView } from '../query/mod.ts'
import { evictedUntil, evictions, openReader, type TimeRange } from '../tsdb/mod.ts'
import { BlockMetrics } from './block-metrics.ts'
import { FoundDamage } from './found-damage.ts'
import { newestOf } from './newest-of.ts'

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
}

const ROUND_MS_MAX = 60_000
/** While the head is short of memory. */
const ROUND_MS_SHORT = 500
/** What came late for ranges that are blocks already is cut together, so often at most. */
const LATE_EVERY_MS = 600_000
/** While the head is short of memory, of which each late sample takes far more than it does in a block. */
const LATE_EVERY_MS_SHORT = 5000

const STOP_MS = 1000

type Done = FromBlocks & { readonly kind: 'done' }

export class BlockKeeper {
  readonly #options: BlockKeeperOptions
  readonly #worker: WorkerHandle
  readonly #waiting = new Map<number, { resolve: (done: Done) => void; reject: (error: Error) => void }>()
  #nextId = 1
  /** There from the moment that `open` resolves. */
  #digest!: BlocksDigest
  readonly #tombstones: TombstoneFile
  /** What the block thread knows of them. */
  #told: readonly Tombstone[] = []
  readonly #metrics = new BlockMetrics()
  readonly #damage: FoundDamage
  #coveredUntil: number
  /** Of the head, the next of the keeper's own included once its blocks are shared. */
  #evictions: number
  /** As queries are given them. */
  #shared: Pick<BlockView, 'paths' | 'deletes'> & { readonly generation: number } = {
    paths: [],
    deletes: [],
    generation: -1,
  }
  #timer: Timer | null = null
  #round: Promise<void> = Promise.resolve()
  #isStopped = false
  /** The head is short of memory, or will be soon. */
  #isMemoryHigh = false
  #isRunning = false
  #lateCutMs = Number.NEGATIVE_INFINITY
  #maintainedMs = Number.NEGATIVE_INFINITY

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
    this.#evictions = evictions(options.ingest.share())
    this.#damage = new FoundDamage(env.log)
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
    options.ingest.onMemoryHigh(() => {
      this.#isMemoryHigh = true
      // A round that is running sees it at its end.
      if (this.#timer !== null && !this.#isRunning) this.start()
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
    const delayMs = Math.min(this.#isMemoryHigh ? ROUND_MS_SHORT : ROUND_MS_MAX, blockMs / 2)
    this.#timer?.cancel()
    this.#timer = env.clock.setTimer(
      delayMs,
      () => {
        this.#isRunning = true
        this.#round = this.#runRound().finally(() => {
          this.#isRunning = false
          this.start()
        })
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
    const { paths, deletes } = this.#shared
    const hidden = { tombstones: this.#tombstones.list(), floors: this.#floors() }
    const lost = this.#damage.lost(this.#digest.damages)
    return { paths, deletes, hidden, lost, coveredUntil: this.#coveredUntil, evictions: this.#evictions }
  }

  /** `blocks` takes time in proportion to their number. */
  state(): BlocksState {
    const digest = this.#digest
    return {
      ...digest,
      get blocks() {
        return decodeShared(digest.list)
      },
    }
  }

  /** A query worker has found something that is not what was written. */
  sawDamage(damage: Damage): void {
    this.#damage.saw(damage)
  }

  /** What is set aside, or not served, as far as anybody has come upon it. */
  damages(): readonly Damage[] {
    return this.#damage.all(this.#digest.damages)
  }

  families(): MetricFamily[] {
    const found = this.#damage.count(this.#digest.damages, this.#digest.counters.damagesForgotten)
    return this.#metrics.families(this.#digest, this.#options.limits(), found, this.#tombstones.list().length)
  }

  /**
   * Hides samples from all answers, from the moment it returns and for good; they leave the disk when their blocks are
   * next written. @throws DiskError
   */
  deleteSeries(selectors: readonly (readonly Matcher[])[], range: TimeRange): void {
    // Blocks end with their window or an import's mistake: what comes until then is no business of this deletion.
    const inBlocks = Math.min(this.#digest.newestTime, this.#options.env.clock.now())
    const share = this.#options.ingest.share()
    const deletions = selectors
      .map((matchers) => {
        const inHead = Math.max(newestOf(share, matchers), inBlocks)
        return deletionOf(matchers, range, { inHead, inBlocks: this.#digest.newestTime })
      })
      .filter((deletion) => deletion !== null)
    if (deletions.length > 0) this.#tombstones.add(deletions)
  }

  /** Rewrites blocks until none holds what was deleted. The head lets go of it when it is next cut. */
  async cleanTombstones(): Promise<void> {
    const { clock } = this.#options.env
    const startedMs = clock.monotonic()
    let isMore = true
    while (isMore) {
      ;({ isMore } = await this.#ask((id) => ({ kind: 'clean', id, asked: this.#asked() })))
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
    await this.#ask((id) => ({ kind: 'snapshot', id, target, share, blockMs, asked: this.#asked() }))
    return name
  }

  async #runRound(): Promise<void> {
    const { env, limits, blockMs } = this.#options
    try {
      const isCut = await this.#cutIfDue()
      // Rounds that wait for something to be old enough come often, and there is nothing new to maintain.
      const restMs = Math.min(ROUND_MS_MAX, blockMs / 2)
      if (!isCut && this.#isMemoryHigh && env.clock.monotonic() - this.#maintainedMs < restMs) return
      this.#maintainedMs = env.clock.monotonic()
      for (let isMore = true; isMore && !this.#isStopped; ) {
        const nowMs = this.#nowForRetention()
        const startedMs = env.clock.monotonic()
        const before = this.#compactions()
        const maintain = { kind: 'maintain', nowMs, limits: limits(), blockMs, asked: this.#asked() } as const
        const done = await this.#ask((id) => ({ ...maintain, id }))
        if (this.#compactions() > before) this.#metrics.durations.observe((env.clock.monotonic() - startedMs) / 1000)
        this.#share(this.#coveredUntil)
        isMore = done.isMore
        if (!isMore) this.#prune(null, done)
      }
    } catch (err) {
      if (this.#isStopped) return
      this.#metrics.failures++
      env.log.error('Blocks could not be brought up to date; it is tried again', { err })
    }
  }

  /** Returns whether there was something to cut. */
  async #cutIfDue(): Promise<boolean> {
    const { env, ingest, blockMs } = this.#options
    const now = env.clock.monotonic()
    // Then to wait for what may still come late, or for a window's end, would mean to accept nothing before.
    const {
      isMemoryHigh,
      isMemoryFailing,
      isMemoryFull,
      head: { usedBytes, maxBytes, series },
    } = await ingest.status()
    const need = isMemoryFull ? 'by all' : isMemoryFailing ? 'by some' : 'soon'
    this.#isMemoryHigh = isMemoryHigh
    const cutUntil = evictedUntil(ingest.share())
    const head = this.#headRange()
    const due = isMemoryHigh
      ? earlyCuts(head, env.clock.now(), blockMs, cutUntil, need)
      : dueCuts(head, env.clock.now(), blockMs / 2, blockMs, cutUntil)
    if (due === null) {
      // Failing, too: series that found no room for a sample are there until the second sweep, and may be all that is.
      const isWanted = isMemoryFull || isMemoryFailing
      if (isWanted && now - this.#lateCutMs >= LATE_EVERY_MS_SHORT) await this.#sweep(now)
      return false
    }
    const isFresh = due.maxTime > cutUntil
    if (!isFresh && now - this.#lateCutMs < (isMemoryHigh ? LATE_EVERY_MS_SHORT : LATE_EVERY_MS)) return false
    const closed = await ingest.closeBefore(due.maxTime)
    // All that is closed now: what came while we asked, too.
    const range = this.#headRange()
    const closedNow = range && cutsUntil(range, closed, cutUntil, blockMs)
    const isEarly = due.maxTime % blockMs !== 0
    if (isEarly)
      env.log.warn('Memory of the head runs short: blocks are cut before their time', {
        usedBytes,
        maxBytes,
        series,
        need,
      })
    const startedMs = env.clock.monotonic()
    const cut = { kind: 'cut', share: ingest.share(), due: closedNow, asked: this.#asked() } as const
    const done = await this.#ask((id) => ({ ...cut, id }))
    this.#metrics.durations.observe((env.clock.monotonic() - startedMs) / 1000)
    this.#share(closed)
    this.#metrics.headTruncations++
    if (isEarly) this.#metrics.earlyCuts++
    this.#metrics.failedTruncations++
    await this.#sweep(now)
    await ingest.checkpoint()
    this.#metrics.failedTruncations--
    // Only now would a restart not bring back to the head what was deleted from it.
    this.#prune(this.#headRange()?.minTime ?? Number.POSITIVE_INFINITY, done)
    return true
  }

  /** Takes from the head what is in blocks, and series that are without samples, as what had no room for them leaves some. */
  async #sweep(now: number): Promise<void> {
    const { env, ingest } = this.#options
    this.#evictions = evictions(ingest.share()) + 1
    const startedMs = env.clock.monotonic()
    await ingest.evict()
    this.#isMemoryHigh = (await ingest.status()).isMemoryHigh
    this.#metrics.evictions.observe((env.clock.monotonic() - startedMs) / 1000)
    this.#lateCutMs = now
  }

  /** @param headMinTime null: not known */
  #prune(headMinTime: number | null, { digest, openDeletes, newestDelete }: Done): void {
    const open = new Set(openDeletes)
    // A block that waits for its removal is back in the list if the process ends before.
    const isOpen = ({ id }: Tombstone): boolean => digest.hasRetired || id > newestDelete || open.has(id)
    this.#tombstones.prune(headMinTime, isOpen)
  }

  #headRange(): TimeRange | null {
    const reader = openReader(this.#options.ingest.share())
    const range = reader.timeRange()
    reader.release()
    return range
  }

  /**
   * Ages are counted from the newest sample, as upstream: a clock that jumps ahead must not remove anything, and what
   * gets no more samples stays as it is.
   */
  #nowForRetention(): number {
    return Math.min(this.#options.env.clock.now(), this.#newestSample())
  }

  #newestSample(): number {
    return Math.max(this.#headRange()?.maxTime ?? Number.NEGATIVE_INFINITY, this.#digest.newestTime)
  }

  #floors(): Floors {
    return this.#options.floors(() => this.#nowForRetention())
  }

  #asked(): Asked {
    const all = this.#tombstones.list()
    const tombstones = all === this.#told ? undefined : all
    this.#told = all
    return { tombstones, floors: this.#floors(), deletes: this.#tombstones.lastId }
  }

  #compactions(): number {
    const { compacted, rewritten } = this.#digest.counters
    return compacted + rewritten
  }

  /** Before the head evicts. */
  #share(coveredUntil: number): void {
    const { generation, paths } = this.#digest
    if (generation !== this.#shared.generation) this.#shared = { ...decodeShared(paths), generation }
    this.#coveredUntil = Math.max(coveredUntil, this.#coveredUntil)
  }

  #ask(message: (id: number) => ToBlocks): Promise<Done> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve, reject })
      this.#worker.post(message(id))
    })
  }

  #receive(message: FromBlocks, onReady: () => void): void {
    this.#digest = message.digest
    if (message.kind === 'ready') {
      this.#share(this.#coveredUntil)
      onReady()
      return
    }
    const waiting = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.kind === 'done') waiting?.resolve(message)
    else waiting?.reject(new Error(message.message))
  }
}

/** As Prometheus names them: `20261130T010203Z-0123456789abcdef`. */
function snapshotName(nowMs: number, random: Uint8Array): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')
  const number = [...random].map((byte, i) => (i === 0 ? byte & 0x7f : byte).toString(16).padStart(2, '0')).join('')
  return `${time}-${number}`
}

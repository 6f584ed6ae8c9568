/**
 * The main thread's side of queries: a bounded, fair queue in front of the worker pool, deadlines, cancellation
 * through a word in shared memory (aborting a running piscina task would kill its worker), and the parts of a query
 * that is worth splitting over the workers.
 */
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import type { Damage } from '../block/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import type { ActiveQueries } from './active-queries.ts'
import {
  ApiError,
  type BlockView,
  FLAG_CANCELED,
  FLAG_TIMEOUT,
  NO_BLOCKS,
  type PartStats,
  type QueryPart,
  type QueryTask,
  type WorkerAnswer,
  type WorkerTask,
} from './contract.ts'
import { FairQueue } from './fair-queue.ts'
import { HeldAnswers } from './held-answers.ts'
import type { InPlace } from './in-place.ts'
import { costOfShards, firstOf, isShard, partialsOf } from './lead.ts'
import { NoWorkerError, type QueryPool } from './pool.ts'
import { zeroCounters } from './query-counters.ts'
import type { QueryLog, QueryOrigin } from './query-log.ts'
import { flagBytes, Mailboxes, ShardStates } from './shard-states.ts'
import { SplitTimes } from './split-times.ts'
import { inEvaluation, inQueue } from './stopped.ts'
import { charsOf } from './task-chars.ts'
import { canTry } from './trial.ts'

export type QueryServiceOptions = {
  readonly pool: QueryPool
  readonly clock: Clock
  readonly log: Logger
  readonly share: () => ReaderShare
  /** Taken after the share: no block that the head has evicted to may be missing for longer than a moment. */
  readonly blocks?: () => BlockView
  /** Hears what workers found damaged. */
  readonly onDamage?: (what: Damage) => void
  /** Ends the claims on the head's pages of a worker that died. */
  readonly releaseOwner: (owner: number) => void
  /** What may wait is this three times over, or WAITING_MAX. */
  readonly maxConcurrency: number
  /** Of large answers that clients have not read yet. */
  readonly maxHeldBytes?: number
  readonly queryLog?: QueryLog
  readonly activeQueries?: ActiveQueries
  /** Answers what is small at once. Without, everything goes to the workers. */
  readonly inPlace?: InPlace
}

export type RunOptions = {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Clients get workers in turn. */
  readonly client?: string
  /** For the query log. */
  readonly origin?: QueryOrigin
}

/**
 * Pages are announced before use, so once is rare and this often means a bug. Attempts that found blocks merged away
 * do not count: where many small ones are merged, the next may be so, and the deadline ends it.
 */
const MAX_STALE = 5
const SHOWN_QUERY_CHARS = 1000

/**
 * Upstream lets queries wait for as long as their timeout says, and bounds them by its 512 connections. Ours are fewer,
 * so that there are connections left for all else.
 */
const WAITING_MAX = 400
/** Of queries that run or wait: their texts are held meanwhile. */
const TEXT_MAX_CHARS = 32 << 20
/** Workers that have not come free for so long are held by heavy queries. */
const STALL_MS = 50
/** A worker that was told to stop says so within milliseconds, on a busy machine too; without it the query ends then. */
const STOPPING_MS = 1000
/** One that still has not stopped then never will. */
const STUCK_MS = 30_000

type Job = {
  readonly start: (place: Place) => void
  readonly refuse: (error: ApiError) => void
  /** May it go where small ones are tried? */
  readonly mayTry: boolean
}
type Place = 'worker' | 'trial'
type MoreOfTask = { readonly before?: PartStats | null; readonly mailboxes?: readonly SharedArrayBuffer[] }

/** A query under way: what its parts have in common. */
type Run = {
  readonly task: QueryTask
  readonly client: string
  readonly flags: SharedArrayBuffer
  readonly words: Int32Array
  share: ReaderShare
  blocks: BlockView
  /** Its jobs that wait for a worker. */
  readonly waiting: Set<Job>
  readonly cameMs: number
  /** Found to be so by a trial. */
  isLarge: boolean
  hasStarted: boolean
  startedMs: number
  activeSlot: number
  /** Lanes whose workers have a part of it. */
  readonly working: Set<number>
  /** Ends it, whatever these do. */
  giveUp: (error: ApiError) => void
  stopping: Timer | null
  isOver: boolean
}

export class QueryService {
  readonly counters = zeroCounters()
  readonly #options: QueryServiceOptions
  readonly #queue = new FairQueue<Job>()
  readonly #held: HeldAnswers
  readonly #splitTimes = new SplitTimes()
  readonly #mailboxes = new Mailboxes()
  #queries = 0
  #chars = 0
  #busyWorkers = 0
  #cameFreeMs = 0
  #isTrying = false
  #stallTimer: Timer | null = null

  constructor(options: QueryServiceOptions) {
    this.#options = options
    this.#held = new HeldAnswers(options.maxHeldBytes)
  }

  get threads(): number {
    return this.#options.pool.threads
  }

  /** What is small is answered here and now; null: `run` it. */
  runAtOnce(task: QueryTask, origin?: QueryOrigin): WorkerAnswer | null {
    const { inPlace, clock, queryLog } = this.#options
    if (inPlace === undefined) return null
    const startedMs = clock.monotonic()
    const answer = inPlace.answer(task)
    if (answer === null) return null
    this.counters.started++
    this.counters.inPlace++
    this.counters.seconds += (clock.monotonic() - startedMs) / 1000
    queryLog?.write(task, answer, origin ?? null)
    return answer
  }

  /** @throws ApiError when the queue is full, the deadline passes or the client goes while it waits */
  async run(task: QueryTask, { timeoutMs, signal, client = '', origin }: RunOptions): Promise<WorkerAnswer> {
    const { activeQueries, blocks, clock, pool, queryLog, share } = this.#options
    const small = this.runAtOnce(task, origin)
    if (small !== null) return small
    const chars = charsOf(task)
    this.#refuseBeyond(chars)
    const flags = new SharedArrayBuffer(flagBytes(pool.threads))
    const run: Run = {
      task,
      client,
      flags,
      words: new Int32Array(flags),
      share: share(),
      blocks: blocks?.() ?? NO_BLOCKS,
      waiting: new Set(),
      cameMs: clock.monotonic(),
      isLarge: false,
      hasStarted: false,
      startedMs: 0,
      activeSlot: -1,
      working: new Set(),
      giveUp: () => {},
      stopping: null,
      isOver: false,
    }
    const timer = clock.setTimer(timeoutMs, () => this.#stop(run, FLAG_TIMEOUT), { unref: true })
    const onAbort = (): void => this.#stop(run, FLAG_CANCELED)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#queries++
    this.#chars += chars
    this.counters.waiting++
    try {
      if (signal?.aborted) throw inQueue(FLAG_CANCELED)
      const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
        run.giveUp = reject
        this.#answer(run).then(resolve, reject)
      })
      this.#count(answer.error?.type)
      if (!this.#held.admit(answer.body)) throw this.#noRoom()
      queryLog?.write(task, answer, origin ?? null)
      return answer
    } catch (error) {
      if (error instanceof ApiError) this.#count(error.type)
      this.#endOthers(run)
      throw error
    } finally {
      run.isOver = true
      timer.cancel()
      run.stopping?.cancel()
      signal?.removeEventListener('abort', onAbort)
      this.#queries--
      this.#chars -= chars
      activeQueries?.end(run.activeSlot)
      if (run.hasStarted) this.counters.active--
      else this.counters.waiting--
      this.counters.seconds += (clock.monotonic() - run.cameMs) / 1000
    }
  }

  /** @throws ApiError */
  #refuseBeyond(chars: number): void {
    const { maxConcurrency } = this.#options
    const limit = Math.max(WAITING_MAX, 3 * maxConcurrency)
    if (this.#queries < limit && this.#chars + chars <= TEXT_MAX_CHARS) return
    this.counters.rejected++
    const bound =
      this.#queries < limit
        ? `limit ${TEXT_MAX_CHARS} characters of their texts`
        : `limit ${limit}; with --query.max-concurrency=${maxConcurrency} it is ${WAITING_MAX}, or three times as many`
    throw new ApiError('unavailable', `too many queries are waiting (${bound}); try again later`)
  }

  #noRoom(): ApiError {
    this.counters.rejected++
    return new ApiError(
      'unavailable',
      `clients have yet to read ${this.#held.bytes()} bytes of other answers, and there is no room for one more that is large; try again later, or ask for less`,
    )
  }

  async close(): Promise<void> {
    this.#stallTimer?.cancel()
    for (const job of this.#queue.clear()) job.refuse(new ApiError('unavailable', 'the hub is stopping'))
    await this.#options.pool.close()
  }

  #count(type: string | undefined): void {
    if (type === 'canceled') this.counters.canceled++
    if (type === 'timeout') this.counters.timedOut++
  }

  async #answer(run: Run): Promise<WorkerAnswer> {
    let answer = await this.#attempt(run)
    for (let again = 0; answer.isStale && again < MAX_STALE; ) {
      const before = run.blocks.paths
      run.share = this.#options.share()
      run.blocks = this.#options.blocks?.() ?? NO_BLOCKS
      const { paths } = run.blocks
      if (before.every((path) => paths.includes(path))) again++
      answer = await this.#attempt(run)
    }
    return answer
  }

  async #attempt(run: Run): Promise<WorkerAnswer> {
    const { clock } = this.#options
    const count = this.#threadsFor()
    const isAlone = count > 1 && this.#queries === 1 && this.#busyWorkers === 0
    let way = count > 1 ? this.#splitTimes.wayOf(run.task) : 'whole'
    let startedMs = clock.monotonic()
    let answer: WorkerAnswer | null = null
    if (way !== 'together') {
      answer = await this.#part(run, { kind: 'whole', threads: way === 'whole' ? 1 : count }, 0)
      way = answer.split === true && !answer.isStale ? 'together' : 'whole'
    }
    if (way === 'together') {
      startedMs = clock.monotonic()
      answer = await this.#together(run, this.#threadsFor())
    }
    const isGood = answer!.error === undefined && answer!.isStale !== true
    if (isAlone && this.#queries === 1 && isGood)
      this.#splitTimes.note(run.task, way as 'whole' | 'together', clock.monotonic() - startedMs)
    return answer!
  }

  /** One worker leads, and those that are free by then help it. */
  async #together(run: Run, most: number): Promise<WorkerAnswer> {
    await this.#enter(run, false)
    const helpers = Math.min(most - 1, this.threads - this.#busyWorkers)
    if (helpers < 1) return this.#onWorker(run, { kind: 'whole', threads: 1 }, 0)
    this.counters.split++
    const count = helpers + 1
    const states = new ShardStates(run.words)
    states.reset()
    const mailboxes = this.#mailboxes.take(helpers)
    const leading = this.#onWorker(run, { kind: 'lead', count }, 0, { mailboxes })
    const helping: Promise<WorkerAnswer>[] = []
    for (let lane = 1; lane < count; lane++) {
      this.#busyWorkers++
      const help = this.#onWorker(run, { kind: 'help', count }, lane, { mailboxes })
      help.catch(() => states.died(lane))
      helping.push(help)
    }
    void Promise.allSettled([leading, ...helping]).then(() => this.#mailboxes.giveBack(mailboxes))
    const answer = await firstOf(leading, helping)
    if (answer.isUncut === true) this.#splitTimes.cannot(run.task)
    if (answer.isStale) {
      // The next attempt has the same words.
      await Promise.allSettled(helping)
      return answer
    }
    if (answer.error !== undefined) this.#endOthers(run)
    if (answer.shards === undefined) return answer
    const helped = await Promise.all(helping)
    const shards = answer.shards.map((shard, index) => shard ?? helped.find((each) => each.shard === index)!)
    const failed = shards.find((shard) => !isShard(shard))
    if (failed) return failed
    const cost = costOfShards(shards, this.#options.clock.monotonic() - run.startedMs)
    return this.#part(run, { kind: 'merge', partials: partialsOf(shards) }, 0, cost)
  }

  /** Whoever still computes a part does it for nobody, and no deadline would end it. */
  #endOthers({ words }: Run): void {
    Atomics.compareExchange(words, 0, 0, FLAG_CANCELED)
  }

  /** A query's share of the workers. */
  #threadsFor(): number {
    return Math.max(1, Math.floor(this.threads / Math.max(1, this.#queries)))
  }

  /** Waits for a worker, and runs the part on it. */
  async #part(run: Run, part: QueryPart, lane: number, before: PartStats | null = null): Promise<WorkerAnswer> {
    const { pool } = this.#options
    const { task } = run
    const mayTry = pool.tryOut !== undefined && part.kind === 'whole' && !run.isLarge && canTry(task)
    if ((await this.#enter(run, mayTry)) === 'trial') {
      const answer = await this.#try(run)
      if (answer !== null) return answer
      await this.#enter(run, false)
    }
    return this.#onWorker(run, part, lane, { before })
  }

  /** On a worker that was given to it, which comes free at the end. */
  async #onWorker(run: Run, part: QueryPart, lane: number, more: MoreOfTask = {}): Promise<WorkerAnswer> {
    run.working.add(lane)
    try {
      return this.#heard(await this.#options.pool.run(this.#workerTask(run, part, lane, more)))
    } catch (error) {
      throw this.#crashed(run, lane, error)
    } finally {
      run.working.delete(lane)
      this.#leave()
    }
  }

  /** Null: it is not small. */
  async #try(run: Run): Promise<WorkerAnswer | null> {
    run.working.add(0)
    try {
      const part = { kind: 'whole', threads: 1 } as const
      const answer = await this.#options.pool.tryOut!({ ...this.#workerTask(run, part, 0), isTrial: true })
      if (answer.isLarge !== true) {
        this.counters.overtook++
        return this.#heard(answer)
      }
    } catch {
      // That worker has less memory than the others, who are asked next.
      this.#releaseClaims(run, 0)
    } finally {
      run.working.delete(0)
      this.#isTrying = false
      this.#watchStall()
    }
    run.isLarge = true
    this.#end(run)
    return null
  }

  #workerTask(run: Run, part: QueryPart, lane: number, { before = null, mailboxes }: MoreOfTask = {}): WorkerTask {
    const { task, share, blocks, flags, words } = run
    // Whose claims the lane's last part had is no concern of this one, whose worker may die before it has any.
    Atomics.store(words, 1 + lane, 0)
    const queuedMs = run.startedMs - run.cameMs
    return { task, part, share, blocks, flags, lane, queuedMs, before, ...(mailboxes && { mailboxes }) }
  }

  #heard(answer: WorkerAnswer): WorkerAnswer {
    for (const what of answer.damage ?? []) this.#options.onDamage?.(what)
    return answer
  }

  #releaseClaims({ words }: Run, lane: number): void {
    const owner = Atomics.load(words, 1 + lane)
    if (owner !== 0) this.#options.releaseOwner(owner)
  }

  #crashed(run: Run, lane: number, error: unknown): ApiError {
    const { log } = this.#options
    const { task } = run
    this.#releaseClaims(run, lane)
    const reason = error instanceof Error ? error.message : String(error)
    if (error instanceof NoWorkerError) {
      log.error('A query has no worker thread', { kind: task.kind, err: error })
      return new ApiError('unavailable', reason, { cause: error })
    }
    this.counters.crashed++
    const query = 'query' in task ? task.query.slice(0, SHOWN_QUERY_CHARS) : task.kind
    log.error('A query ended its worker thread; other queries go on', { kind: task.kind, query, err: error })
    return new ApiError('execution', `the query ended its worker thread: ${reason}`, { cause: error })
  }

  async #enter(run: Run, mayTry: boolean): Promise<Place> {
    const stopped = Atomics.load(run.words, 0)
    if (stopped !== 0) throw run.hasStarted ? inEvaluation(stopped) : inQueue(stopped)
    let place: Place = 'worker'
    if (this.#busyWorkers < this.threads) this.#busyWorkers++
    else {
      place = await new Promise<Place>((resolve, reject) => {
        const job: Job = { start: resolve, refuse: reject, mayTry }
        run.waiting.add(job)
        // What has begun holds memory: it comes before the client's next query, and so does what was tried.
        this.#queue.push(run.client, job, run.hasStarted || run.isLarge)
        this.#watchStall()
      })
    }
    this.#begin(run)
    return place
  }

  #begin(run: Run): void {
    if (run.hasStarted) return
    run.hasStarted = true
    const { task } = run
    if ('query' in task) run.activeSlot = this.#options.activeQueries?.begin(task.query) ?? -1
    run.startedMs = this.#options.clock.monotonic()
    if (!run.isLarge) this.counters.started++
    this.counters.waiting--
    this.counters.active++
  }

  /** What was tried waits again. */
  #end(run: Run): void {
    if (run.isOver) return
    run.hasStarted = false
    this.#options.activeQueries?.end(run.activeSlot)
    run.activeSlot = -1
    this.counters.waiting++
    this.counters.active--
  }

  /** The place goes straight to the next in turn. */
  #leave(): void {
    this.#cameFreeMs = this.#options.clock.monotonic()
    const next = this.#queue.shift()
    if (next) next.start('worker')
    else this.#busyWorkers--
  }

  /** While no worker comes free, what waits is tried in turn. */
  #watchStall(): void {
    const { clock, pool } = this.#options
    if (pool.tryOut === undefined || this.#isTrying || this.#stallTimer !== null || this.#queue.size === 0) return
    const leftMs = this.#cameFreeMs + STALL_MS - clock.monotonic()
    if (leftMs <= 0) {
      const next = this.#queue.shift(({ mayTry }) => mayTry)
      if (next === undefined) return
      this.#isTrying = true
      next.start('trial')
      return
    }
    const again = (): void => {
      this.#stallTimer = null
      this.#watchStall()
    }
    this.#stallTimer = clock.setTimer(leftMs, again, { unref: true })
  }

  /** What runs is told by the flag; what waits leaves the queue. */
  #stop(run: Run, flag: number): void {
    // Pairs with Atomics.load in engineOptions().interrupted.
    if (Atomics.compareExchange(run.words, 0, 0, flag) !== 0) return
    for (const job of run.waiting) {
      if (this.#queue.remove(run.client, job)) job.refuse(run.hasStarted ? inEvaluation(flag) : inQueue(flag))
    }
    if (run.working.size === 0) return
    const { clock } = this.#options
    run.stopping = clock.setTimer(STOPPING_MS, () => this.#giveUp(run, flag), { unref: true })
  }

  /** Workers that are stuck, or are not even there, keep no query beyond its time, nor their places. */
  #giveUp(run: Run, flag: number): void {
    const { clock, pool } = this.#options
    run.giveUp(inEvaluation(flag))
    const end = (): void => {
      for (const lane of run.working) pool.end?.(Atomics.load(run.words, 1 + lane))
    }
    clock.setTimer(STUCK_MS, end, { unref: true })
  }
}

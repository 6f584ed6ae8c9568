/**
 * The main thread's side of queries: a bounded, fair queue in front of the worker pool, deadlines, and cancellation
 * through a word in shared memory (aborting a running piscina task would kill its worker).
 */
import type { Clock } from '../../protocol/env/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import {
  ApiError,
  FLAG_CANCELED,
  FLAG_TIMEOUT,
  type QueryTask,
  type WorkerAnswer,
  type WorkerTask,
} from './contract.ts'

/** The worker pool; the production one is piscina (`hub/env/query-pool.ts`). */
export interface QueryPool {
  run(task: WorkerTask): Promise<WorkerAnswer>
  readonly threads: number
  close(): Promise<void>
}

export type QueryServiceOptions = {
  readonly pool: QueryPool
  readonly clock: Clock
  readonly share: () => ReaderShare
  /** At once, in workers or waiting for one. More wait; twice as many more are refused. */
  readonly maxConcurrency: number
}

export type RunOptions = { readonly timeoutMs: number; readonly signal?: AbortSignal }

export type QueryCounters = {
  started: number
  active: number
  waiting: number
  rejected: number
  canceled: number
  timedOut: number
  seconds: number
}

/** Pages are announced before use, so once is rare and this often means a bug. */
const MAX_STALE = 5

type Waiting = { readonly start: () => void; readonly refuse: (error: ApiError) => void }

export class QueryService {
  readonly counters: QueryCounters = {
    started: 0,
    active: 0,
    waiting: 0,
    rejected: 0,
    canceled: 0,
    timedOut: 0,
    seconds: 0,
  }
  readonly #options: QueryServiceOptions
  readonly #queue: Waiting[] = []

  constructor(options: QueryServiceOptions) {
    this.#options = options
  }

  get threads(): number {
    return this.#options.pool.threads
  }

  /** @throws ApiError when the queue is full, the deadline passes or the client goes while it waits */
  async run(task: QueryTask, { timeoutMs, signal }: RunOptions): Promise<WorkerAnswer> {
    const { clock, pool, share } = this.#options
    const startedMs = clock.monotonic()
    await this.#enter(timeoutMs, signal)
    const flags = new SharedArrayBuffer(4)
    const words = new Int32Array(flags)
    const cancel = (flag: number): void => {
      // Pairs with Atomics.load in engineOptions().interrupted.
      Atomics.compareExchange(words, 0, 0, flag)
    }
    const onAbort = (): void => cancel(FLAG_CANCELED)
    const timer = clock.setTimer(Math.max(0, timeoutMs - (clock.monotonic() - startedMs)), () => cancel(FLAG_TIMEOUT), {
      unref: true,
    })
    signal?.addEventListener('abort', onAbort, { once: true })
    this.counters.started++
    try {
      let answer = await pool.run({ task, share: share(), flags })
      for (let again = 0; answer.isStale && again < MAX_STALE; again++)
        answer = await pool.run({ task, share: share(), flags })
      if (answer.error?.type === 'canceled') this.counters.canceled++
      if (answer.error?.type === 'timeout') this.counters.timedOut++
      return answer
    } finally {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      this.counters.seconds += (clock.monotonic() - startedMs) / 1000
      this.#leave()
    }
  }

  async close(): Promise<void> {
    for (const waiting of this.#queue.splice(0)) waiting.refuse(new ApiError('unavailable', 'the hub is stopping'))
    await this.#options.pool.close()
  }

  async #enter(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { maxConcurrency, clock } = this.#options
    if (this.counters.active < maxConcurrency) {
      this.counters.active++
      return
    }
    if (this.#queue.length >= 2 * maxConcurrency) {
      this.counters.rejected++
      throw new ApiError(
        'unavailable',
        `too many queries are waiting (limit ${3 * maxConcurrency}, --query.max-concurrency=${maxConcurrency})`,
      )
    }
    this.counters.waiting++
    try {
      await new Promise<void>((resolve, reject) => {
        const leaveQueue = (error: ApiError): void => {
          const at = this.#queue.indexOf(waiting)
          if (at >= 0) this.#queue.splice(at, 1)
          reject(error)
        }
        const timer = clock.setTimer(
          timeoutMs,
          () => leaveQueue(new ApiError('timeout', 'query timed out in query queue')),
          { unref: true },
        )
        const onAbort = (): void => leaveQueue(new ApiError('canceled', 'query was canceled in query queue'))
        const done = (): void => {
          timer.cancel()
          signal?.removeEventListener('abort', onAbort)
        }
        const waiting: Waiting = {
          start: () => {
            done()
            resolve()
          },
          refuse: (error) => {
            done()
            reject(error)
          },
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        this.#queue.push(waiting)
      })
    } finally {
      this.counters.waiting--
    }
  }

  /** The place goes straight to the next in line. */
  #leave(): void {
    const next = this.#queue.shift()
    if (next) next.start()
    else this.counters.active--
  }
}

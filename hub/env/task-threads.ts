/**
 * Worker threads for tasks, on piscina. It starts a worker when a task comes and none is free, but none in place of one
 * that died before it was ready: what waited for that would wait for ever. Here it gets another one, and when several
 * have died in a row, an error.
 */
import type { Worker } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { NoWorkerError } from '../query/mod.ts'

export type TaskThreadsOptions<Task> = {
  readonly filename: string
  readonly maxThreads: number
  readonly maxHeapMb: number
  readonly idleMs: number
  /** To give to a worker when there is nothing to do. */
  readonly nothing: Task
}

/** Workers that die one after another before any is ready. */
const LOSSES_MAX = 3

export class TaskThreads<Task, Answer> {
  readonly #pool: Piscina<Task, Answer>
  readonly #options: TaskThreadsOptions<Task>
  /** How to tell whoever waits for an answer that none will come. */
  readonly #waiting = new Set<(error: Error) => void>()
  #losses = 0
  #lastError: unknown = null
  #isClosed = false

  constructor(options: TaskThreadsOptions<Task>) {
    this.#options = options
    const { filename, maxThreads, maxHeapMb, idleMs } = options
    this.#pool = new Piscina({
      filename,
      name: 'work',
      minThreads: 0,
      maxThreads,
      idleTimeout: idleMs,
      concurrentTasksPerWorker: 1,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    })
    // Of a worker that died without a task.
    this.#pool.on('error', (error) => {
      this.#lastError = error
    })
    this.#pool.on('workerCreate', () => {
      this.#losses = 0
    })
    // It is told before the pool has forgotten it.
    this.#pool.on('workerDestroy', () => queueMicrotask(() => this.#lookAfterWaiting()))
  }

  /** Also those that are not ready yet. */
  get threads(): readonly Worker[] {
    return this.#pool.threads
  }

  /** @throws Error of the worker, when it died; NoWorkerError */
  run(task: Task, transferList: readonly ArrayBuffer[] = []): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      this.#pool.run(task, { transferList: transferList as never }).then(
        (answer) => {
          this.#waiting.delete(reject)
          resolve(answer)
        },
        (error: unknown) => {
          this.#waiting.delete(reject)
          reject(error)
        },
      )
    })
  }

  /** Ends a thread whatever it does; its task is told that it died. */
  end(threadId: number): void {
    void this.threads.find((worker) => worker.threadId === threadId)?.terminate()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#pool.close({ force: true })
  }

  #lookAfterWaiting(): void {
    const { maxThreads, nothing } = this.#options
    const { length } = this.#pool.threads
    // Where there are as many as may be, the next that comes free takes what waits.
    if (this.#isClosed || this.#pool.queueSize === 0 || length >= maxThreads) return
    if (this.#losses < LOSSES_MAX) {
      this.#losses++
      // What comes while others wait gets a worker of its own.
      this.#pool.run(nothing).catch(() => {})
      return
    }
    // Others come free, or die and are seen here.
    if (length > 0) return
    this.#losses = 0
    const why = this.#lastError instanceof Error ? this.#lastError.message : String(this.#lastError)
    for (const tell of this.#waiting) tell(new NoWorkerError(`no worker thread could be started: ${why}`))
    this.#waiting.clear()
  }
}

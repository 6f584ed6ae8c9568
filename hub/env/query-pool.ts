/** Query workers on piscina. Its tasks are never aborted while they run: that would kill the worker. */
import os from 'node:os'
import { Piscina } from 'piscina'
import { type QueryPool, taskBuffers, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'

/** As in query-worker.ts, which nobody may import but the pool's threads. */
const COLLECT = 'collect'
/** Labels and syntax trees live on a worker's heap (samples do not): a query that wants more ends its worker alone. */
const MAX_HEAP_MB = 2048
/** Of the worker for small queries: one that wants more is for the others. */
const TRIAL_HEAP_MB = 256
/** An idle one weighs 30 MB, and starts in 0.15 s: small queries need none (in-place.ts). */
const IDLE_MS = 60_000
const TRIAL_IDLE_MS = 20_000

type Workers = Piscina<WorkerTask | typeof COLLECT, WorkerAnswer>

export type QueryPoolOptions = { readonly threads?: number; readonly maxHeapMb?: number }

/** For one head: its workers remember the memory that they were first given. */
export function createQueryPool(options: QueryPoolOptions = {}): QueryPool {
  const threads = options.threads ?? Math.max(1, os.availableParallelism())
  const maxHeapMb = options.maxHeapMb ?? MAX_HEAP_MB
  const pool = workers(threads, maxHeapMb, IDLE_MS)
  const trials = workers(1, Math.min(maxHeapMb, TRIAL_HEAP_MB), TRIAL_IDLE_MS)
  const runOn = async (on: Workers, collectSoon: () => void, task: WorkerTask): Promise<WorkerAnswer> => {
    const answer = await on.run(task, { transferList: taskBuffers(task) as never })
    if (answer.leavesGarbage === true) collectSoon()
    return answer
  }
  return {
    threads,
    run: runOn.bind(null, pool, collectorOf(pool)),
    tryOut: runOn.bind(null, trials, collectorOf(trials)),
    close: async () => {
      await Promise.all([pool.close({ force: true }), trials.close({ force: true })])
    },
  }
}

function workers(maxThreads: number, maxHeapMb: number, idleTimeout: number): Workers {
  const pool: Workers = new Piscina({
    filename: new URL('./query-worker.ts', import.meta.url).href,
    name: 'work',
    minThreads: 0,
    maxThreads,
    idleTimeout,
    concurrentTasksPerWorker: 1,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  })
  // Of a worker that died idle: no query is concerned, and the next task gets a new one.
  pool.on('error', () => {})
  return pool
}

/** A task for each worker; one that is busy collects at the end of its query. */
function collectorOf(pool: Workers): () => void {
  let isCollecting = false
  let isWanted = false
  return function collectSoon(): void {
    isWanted = true
    if (isCollecting) return
    isCollecting = true
    isWanted = false
    const all = pool.threads.map(() => pool.run(COLLECT))
    void Promise.allSettled(all).then(() => {
      isCollecting = false
      if (isWanted) collectSoon()
    })
  }
}

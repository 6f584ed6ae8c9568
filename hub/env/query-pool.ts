/** Query workers on piscina. Its tasks are never aborted while they run: that would kill the worker. */
import os from 'node:os'
import { Piscina } from 'piscina'
import { type QueryPool, taskBuffers, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'

/** As in query-worker.ts, which nobody may import but the pool's threads. */
const COLLECT = 'collect'
/** Labels and syntax trees live on a worker's heap (samples do not): a query that wants more ends its worker alone. */
const MAX_HEAP_MB = 2048

/** For one head: its workers remember the memory that they were first given. */
export function createQueryPool(options: { readonly threads?: number; readonly maxHeapMb?: number } = {}): QueryPool {
  const threads = options.threads ?? Math.max(1, os.availableParallelism())
  const pool = new Piscina<WorkerTask | typeof COLLECT, WorkerAnswer>({
    filename: new URL('./query-worker.ts', import.meta.url).href,
    name: 'work',
    // An idle one weighs 30 MB, and starts in 0.15 s: small queries need none (in-place.ts).
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 60_000,
    concurrentTasksPerWorker: 1,
    resourceLimits: { maxOldGenerationSizeMb: options.maxHeapMb ?? MAX_HEAP_MB },
  })
  // Of a worker that died idle: no query is concerned, and the next task gets a new one.
  pool.on('error', () => {})
  let isCollecting = false
  let isWanted = false
  /** A task for each worker; one that is busy collects at the end of its query. */
  const collectSoon = (): void => {
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
  return {
    threads,
    run: async (task) => {
      const answer = await pool.run(task, { transferList: taskBuffers(task) as never })
      if (answer.leavesGarbage === true) collectSoon()
      return answer
    },
    close: () => pool.close({ force: true }),
  }
}

/** Query workers on piscina. Its tasks are never aborted while they run: that would kill the worker. */
import os from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { type QueryPool, taskBuffers, type WorkerAnswer, type WorkerTask } from '../query/mod.ts'
import { ListsOut, type PackedTask } from './block-lists.ts'
import { TaskThreads } from './task-threads.ts'

/** As in query-worker.ts, which nobody may import but the pool's threads. */
const COLLECT = 'collect'
/** Labels and syntax trees live on a worker's heap (samples do not): a query that wants more ends its worker alone. */
const MAX_HEAP_MB = 2048
/** Of the worker for small queries: one that wants more is for the others. */
const TRIAL_HEAP_MB = 256
/**
 * An idle one weighs 30 MB; small queries need none (in-place.ts). A new one starts in 0.15 s, and then needs about fifty
 * runs before a query costs a third of what the first ones do: dashboards that come back within minutes find it warm.
 */
const IDLE_MS = 600_000
/**
 * What V8's young space grows to of its own accord where labels and results are made by the megabyte; here from the
 * beginning, because main.ts lets none grow. What it does for the process, `resourceLimits` undo for all other threads.
 */
const YOUNG_SPACE_MB = 16
const TRIAL_IDLE_MS = 20_000

type Workers = TaskThreads<PackedTask | typeof COLLECT, WorkerAnswer>

export type QueryPoolOptions = {
  readonly threads?: number
  readonly maxHeapMb?: number
  /** The first worker loads its code now, for it costs the first query most of what it waits for. */
  readonly isAhead?: boolean
}

/** For one head: its workers remember the memory that they were first given. */
export function createQueryPool(options: QueryPoolOptions = {}): QueryPool {
  const threads = options.threads ?? Math.max(1, os.availableParallelism())
  const maxHeapMb = options.maxHeapMb ?? MAX_HEAP_MB
  const pool = workers(threads, maxHeapMb, IDLE_MS)
  const trials = workers(1, Math.min(maxHeapMb, TRIAL_HEAP_MB), TRIAL_IDLE_MS)
  // Nothing is owed to whoever closes before it is there.
  if (options.isAhead === true) pool.run(COLLECT).catch(() => {})
  const lists = new ListsOut()
  const runOn = async (on: Workers, collectSoon: () => void, task: WorkerTask): Promise<WorkerAnswer> => {
    const answer = await on.run(lists.pack(task), taskBuffers(task))
    if (answer.leavesGarbage === true) collectSoon()
    return answer
  }
  return {
    threads,
    run: runOn.bind(null, pool, collectorOf(pool)),
    tryOut: runOn.bind(null, trials, collectorOf(trials)),
    end: (owner) => {
      for (const each of [pool, trials]) each.end(owner)
    },
    close: async () => {
      await Promise.all([pool.close(), trials.close()])
    },
  }
}

function workers(maxThreads: number, maxHeapMb: number, idleMs: number): Workers {
  setFlagsFromString(`--min-semi-space-size=${YOUNG_SPACE_MB}`)
  const filename = new URL('./query-worker.ts', import.meta.url).href
  return new TaskThreads({ filename, maxThreads, maxHeapMb, idleMs, nothing: COLLECT })
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

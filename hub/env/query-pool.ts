/** Query workers on piscina. Its tasks are never aborted while they run: that would kill the worker. */
import os from 'node:os'
import { Piscina } from 'piscina'
import type { QueryPool, WorkerAnswer, WorkerTask } from '../query/mod.ts'

export function createQueryPool(options: { readonly threads?: number } = {}): QueryPool {
  const threads = options.threads ?? Math.max(1, os.availableParallelism())
  const pool = new Piscina<WorkerTask, WorkerAnswer>({
    filename: new URL('./query-worker.ts', import.meta.url).href,
    name: 'work',
    minThreads: 1,
    maxThreads: threads,
    idleTimeout: 60_000,
    concurrentTasksPerWorker: 1,
  })
  return {
    threads,
    run: (task) => pool.run(task),
    close: () => pool.close({ force: true }),
  }
}

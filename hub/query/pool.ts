/** The workers, as the query service knows them. */
import type { WorkerAnswer, WorkerTask } from './contract.ts'

/** The production one is piscina (`hub/env/query-pool.ts`). */
export interface QueryPool {
  /** Rejects when the worker died; with NoWorkerError, when none could be started. */
  run(task: WorkerTask): Promise<WorkerAnswer>
  /** As `run`, on one more worker: started when it is first needed, ended soon after. Takes trials only. */
  tryOut?(task: WorkerTask): Promise<WorkerAnswer>
  /** Ends a worker that does not stop, by its name as an owner of head pages; its `run` rejects. */
  end?(owner: number): void
  readonly threads: number
  close(): Promise<void>
}

/** No thread is there to run a task, and none can be started. */
export class NoWorkerError extends Error {}

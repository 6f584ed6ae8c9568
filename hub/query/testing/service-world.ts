/** A query service over a pool whose tasks end when the test says so. */
import type { LogFields, Logger } from '../../../protocol/env/mod.ts'
import { ApiError, type BlockView, type QueryTask, type WorkerAnswer, type WorkerTask } from '../contract.ts'
import type { InPlace } from '../in-place.ts'
import type { QueryPool } from '../pool.ts'
import { QueryService } from '../service.ts'
import { ManualClock } from './manual-clock.ts'
import { SETTINGS } from './settings.ts'

export const instant = (query: string): QueryTask => ({
  kind: 'instant',
  query,
  timeMs: 0,
  limit: 0,
  settings: SETTINGS,
})
export const ok = (text = ''): WorkerAnswer => ({
  status: 200,
  contentType: 'application/json',
  body: new TextEncoder().encode(text),
})
export const text = ({ body }: WorkerAnswer): string => new TextDecoder().decode(body)
export const queryOf = ({ task }: WorkerTask): string => (task as { query: string }).query
export const flagOf = ({ flags }: WorkerTask): number => Atomics.load(new Int32Array(flags), 0)

export type Call = { readonly task: WorkerTask; finish(answer: WorkerAnswer): void; die(error: Error): void }

/** A pool whose tasks end when the test says so. */
export class ManualPool implements QueryPool {
  readonly threads: number
  readonly calls: Call[] = []
  /** Names of workers that were ended. */
  readonly ended: number[] = []
  constructor(threads: number) {
    this.threads = threads
  }
  run(task: WorkerTask): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => this.calls.push({ task, finish: resolve, die: reject }))
  }
  end(owner: number): void {
    this.ended.push(owner)
  }
  async close(): Promise<void> {}
}

/** With the worker for small queries beside. */
export class TryingPool extends ManualPool {
  readonly trials: Call[] = []
  tryOut(task: WorkerTask): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => this.trials.push({ task, finish: resolve, die: reject }))
  }
}

export type WorldOptions<Pool> = {
  readonly threads?: number
  readonly maxConcurrency?: number
  readonly pool?: Pool
  readonly maxHeldBytes?: number
  readonly blocks?: () => BlockView
  /** Texts that are answered at once. */
  readonly small?: readonly string[]
}

export function world<Pool extends ManualPool = ManualPool>(options: WorldOptions<Pool> = {}) {
  const clock = new ManualClock()
  const pool = options.pool ?? (new ManualPool(options.threads ?? 1) as Pool)
  const logged: [string, LogFields | undefined][] = []
  const released: number[] = []
  const log = { error: (message: string, fields?: LogFields) => void logged.push([message, fields]) } as Logger
  let shares = 0
  const service = new QueryService({
    pool,
    clock,
    log,
    share: () => ({ control: new SharedArrayBuffer(4), pages: new Array(shares++) }),
    releaseOwner: (owner) => released.push(owner),
    maxConcurrency: options.maxConcurrency ?? 4,
    maxHeldBytes: options.maxHeldBytes ?? 1 << 30,
    ...(options.blocks && { blocks: options.blocks }),
    ...(options.small && {
      inPlace: {
        answer: (task: QueryTask) => ('query' in task && options.small!.includes(task.query) ? ok(task.query) : null),
      } as unknown as InPlace,
    }),
  })
  return { clock, pool, service, logged, released }
}

/** Lets promises settle. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

export const refusal = (type: string, message: RegExp) => (error: unknown) =>
  error instanceof ApiError && error.type === type && message.test(error.message)

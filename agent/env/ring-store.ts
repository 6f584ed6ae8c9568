/** The production ring: SQLite in a worker thread of its own, behind messages. */
import { type Pool, type RingStore, RingStoreError, type WorkerHandle } from '../../protocol/env/mod.ts'
import type { SqliteRingOptions } from './ring-store-sqlite.ts'

export type RingStoreOptions = SqliteRingOptions & {
  readonly pool: Pool
  /** Where the worker's entry is; default beside this file (a compiled single file embeds it elsewhere). */
  readonly workerUrl?: string
}

type Method = keyof RingStore
export type RingCall = { readonly id: number; readonly method: Method; readonly args: readonly unknown[] }
export type RingAnswer = {
  readonly id: number
  readonly value: unknown
  readonly error: { readonly code: string; readonly message: string } | null
}

/**
 * Starts the worker; `open` comes next. A worker that dies rejects all that is under way with code `IO`.
 * @example const ring = sqliteRingStore({ pool, directory: '/var/lib/heliograph/ring', capBytes: 256e6 })
 */
export function sqliteRingStore(options: RingStoreOptions): RingStore {
  const { pool, directory, capBytes, maxAgeMs = 0 } = options
  const worker = pool.spawn({
    url: options.workerUrl ?? new URL('./ring-worker.ts', import.meta.url).href,
    name: 'ring',
    data: { directory, capBytes, maxAgeMs } satisfies SqliteRingOptions,
  })
  const call = caller(worker)
  return {
    open: (nowMs) => call('open', nowMs),
    beginEpoch: (nowMs) => call('beginEpoch', nowMs),
    append: (group) => call('append', group),
    heads: (query) => call('heads', query),
    read: (epoch, sequences, maxBytes) => call('read', epoch, sequences, maxBytes),
    acknowledge: (epoch, sequences) => call('acknowledge', epoch, sequences),
    refuse: (epoch, sequences) => call('refuse', epoch, sequences),
    discard: (epoch, base) => call('discard', epoch, base),
    stats: () => call('stats'),
    close: (nowMs) => call('close', nowMs),
  }
}

function caller(worker: WorkerHandle): <T>(method: Method, ...args: unknown[]) => Promise<T> {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let nextId = 1
  let gone: RingStoreError | null = null
  worker.onMessage((message) => {
    const { id, value, error } = message as RingAnswer
    const { resolve, reject } = waiting.get(id)!
    waiting.delete(id)
    if (error) reject(new RingStoreError(error.code, error.message))
    else resolve(value as never)
  })
  worker.onExit((cause) => {
    gone = cause
      ? new RingStoreError('IO', `Cannot use the ring: its worker died: ${cause.message}`, { cause })
      : new RingStoreError('CLOSED', 'Cannot use the ring: it is closed')
    for (const { reject } of waiting.values()) reject(gone)
    waiting.clear()
  })
  return (method, ...args) =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone)
      const id = nextId++
      waiting.set(id, { resolve, reject })
      worker.post({ id, method, args } satisfies RingCall)
    })
}

/**
 * The production ring: SQLite in a worker thread of its own, behind messages. Every message wakes a sleeping thread,
 * which costs more than most of what they ask for, so acknowledgements wait for the next call and go with it.
 */
import type { SequenceInterval } from '../../protocol/batch/mod.ts'
import { type Pool, type RingStore, RingStoreError, type WorkerHandle } from '../../protocol/env/mod.ts'
import type { SqliteRingOptions } from './ring-store-sqlite.ts'

export type RingStoreOptions = SqliteRingOptions & {
  readonly pool: Pool
  /** Where the worker's entry is; default beside this file (a compiled single file embeds it elsewhere). */
  readonly workerUrl?: string
}

type Method = keyof RingStore
export type RingAck = readonly [epoch: number, sequences: readonly SequenceInterval[]]
export type RingCall = {
  readonly id: number
  readonly method: Method
  readonly args: readonly unknown[]
  /** Came before this call, and count before it. */
  readonly acks: readonly RingAck[]
}
export type RingAnswer = {
  readonly id: number
  readonly value: unknown
  readonly error: { readonly code: string; readonly message: string } | null
}

/** The longest that acknowledgements wait for a call, and how many. Until then a crash costs what it cost before: a resend. */
const ACK_WAIT_MS = 10_000
const ACKS_MAX = 64

/**
 * Starts the worker; `open` comes next. A worker that dies rejects all that is under way with code `IO`.
 * @example const ring = sqliteRingStore({ pool, directory: '/var/lib/heliograph/ring', capBytes: 256e6 })
 */
export function sqliteRingStore(options: RingStoreOptions): RingStore {
  const { pool, directory, capBytes, maxAgeMs = 0 } = options
  const worker = pool.spawn({
    url: options.workerUrl ?? new URL('./ring-worker.ts', import.meta.url).href,
    name: 'ring',
    isPlain: true,
    data: { directory, capBytes, maxAgeMs } satisfies SqliteRingOptions,
  })
  const calls = new Calls(worker)
  const call = <T>(method: Method, ...args: unknown[]): Promise<T> => calls.call(method, args)
  return {
    open: (nowMs) => call('open', nowMs),
    beginEpoch: (nowMs) => call('beginEpoch', nowMs),
    append: (group) => call('append', group),
    heads: (query) => call('heads', query),
    read: (epoch, sequences, maxBytes) => call('read', epoch, sequences, maxBytes),
    acknowledge: (epoch, sequences) => calls.acknowledge([epoch, sequences]),
    refuse: (epoch, sequences) => call('refuse', epoch, sequences),
    discard: (epoch, base) => call('discard', epoch, base),
    stats: () => call('stats'),
    close: (nowMs) => call('close', nowMs),
  }
}

class Calls {
  private readonly worker: WorkerHandle
  private readonly waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  private nextId = 1
  private acks: RingAck[] = []
  private ackTimer: NodeJS.Timeout | null = null
  private gone: RingStoreError | null = null

  constructor(worker: WorkerHandle) {
    this.worker = worker
    worker.onMessage((message) => this.takeAnswer(message as RingAnswer))
    worker.onExit((cause) => this.end(cause))
  }

  call<T>(method: Method, args: readonly unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.gone) return reject(this.gone)
      const id = this.nextId++
      this.waiting.set(id, { resolve, reject })
      this.worker.post({ id, method, args, acks: this.takeAcks() } satisfies RingCall)
    })
  }

  /** Resolves when it is noted: every later call finds it done. */
  async acknowledge(ack: RingAck): Promise<void> {
    if (this.gone) throw this.gone
    this.acks.push(ack)
    if (this.acks.length >= ACKS_MAX) await this.sendAcks()
    else this.ackTimer ??= setTimeout(() => void this.sendAcks().catch(() => {}), ACK_WAIT_MS).unref()
  }

  private async sendAcks(): Promise<void> {
    const [epoch, sequences] = this.acks.pop()!
    await this.call('acknowledge', [epoch, sequences])
  }

  private takeAcks(): readonly RingAck[] {
    if (this.ackTimer) clearTimeout(this.ackTimer)
    this.ackTimer = null
    const acks = this.acks
    if (acks.length > 0) this.acks = []
    return acks
  }

  private takeAnswer({ id, value, error }: RingAnswer): void {
    const { resolve, reject } = this.waiting.get(id)!
    this.waiting.delete(id)
    if (error) reject(new RingStoreError(error.code, error.message))
    else resolve(value as never)
  }

  private end(cause: Error | null): void {
    this.gone = cause
      ? new RingStoreError('IO', `Cannot use the ring: its worker died: ${cause.message}`, { cause })
      : new RingStoreError('CLOSED', 'Cannot use the ring: it is closed')
    this.takeAcks()
    for (const { reject } of this.waiting.values()) reject(this.gone)
    this.waiting.clear()
  }
}

/** The main thread's handle on the ingest thread. */
import type { Cursor } from '../../protocol/batch/mod.ts'
import type { SampleSink, Scrape, SeriesDefinition } from '../../protocol/batch/types.ts'
import type { Env, WorkerHandle } from '../../protocol/env/mod.ts'
import type { WriteKind } from '../../protocol/remote-write/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import { DirectoryLockedError, FatalDiskError, type ReplayReport } from '../wal/mod.ts'
import type { KnownAgent } from './batches.ts'
import type { Gap } from './ledger.ts'
import type { BatchAnswer, FromIngest, SentError, ToIngest } from './messages.ts'
import type { LocalRecord, RuleResults } from './records.ts'
import { DirectSink } from './sink.ts'
import type { IngestStatus } from './status.ts'
import type { IngestWorkerData } from './worker-data.ts'
import { REMOTE_WRITE_1, refused, type WriteAnswer } from './write-answer.ts'

/** Bytes handed to the ingest thread and not yet answered; beyond it, the main thread answers for it. */
const MAX_INFLIGHT_BYTES = 64 << 20

export type IngestOptions = IngestWorkerData & {
  /** Entry module of the thread; default hub/env/ingest-worker.ts. */
  readonly workerUrl?: string
}

/** The ingest thread is gone, or going: nothing that was not answered may be taken for stored. */
export class IngestFailedError extends Error {
  readonly code: string
  constructor(error: SentError) {
    super(error.message)
    this.name = 'IngestFailedError'
    this.code = error.code
  }
}

export interface Ingest {
  readonly replay: ReplayReport
  /** Replaces the list of agents whose batches are accepted. */
  setAgents(agents: readonly KnownAgent[]): void
  /**
   * @param bytes handed over: a view of a whole ArrayBuffer is detached
   * @returns the acknowledgement to publish, once the batch is durable; or what else to do, see `BatchAnswer`
   */
  submitBatch(subject: string, bytes: Uint8Array): Promise<BatchAnswer>
  /** Of an agent in this process; the arrays are handed over. False: dropped for want of room. */
  submitScrape(
    source: { readonly name: string; readonly epoch: number },
    definitions: readonly SeriesDefinition[],
    scrape: Scrape,
  ): Promise<boolean>
  localSink(source: string): SampleSink
  /** Undefined while batches are taken; else resolves when they are again (the bus holds its PubAcks back on it). */
  whenRoom(): Promise<void> | undefined
  /** @param body as received */
  remoteWrite(body: Uint8Array, kind?: WriteKind): Promise<WriteAnswer>
  /** False on a full disk. */
  appendRuleResults(results: RuleResults): Promise<boolean>
  share(): ReaderShare
  /** Called with the new share whenever the head has more pages. */
  onShare(fn: (share: ReaderShare) => void): void
  /** Called when the head is about to be short of memory, so that blocks should be cut. */
  onMemoryHigh(fn: () => void): void
  cursor(agent: string): Promise<Cursor>
  ledger(agent: string, fromMs: number, toMs: number): Promise<readonly Gap[]>
  status(): Promise<IngestStatus & { readonly overloaded: number }>
  /** Writes a checkpoint now. */
  checkpoint(): Promise<void>
  /** Retention: forgets samples and gaps before `minTimeMs`. */
  trim(minTimeMs: number): void
  /**
   * Before blocks are cut. Resolves, when all that was accepted so far is visible to readers, to the time before which
   * they must be cut.
   */
  closeBefore(maxTimeMs: number): Promise<number>
  /** The blocks are on disk, and every new query reads them: the head forgets what they hold. */
  evict(): Promise<void>
  /** Called once if the thread dies: the process must stop, and recover from disk at its next start. */
  onFatal(fn: (error: Error) => void): void
  /** Commits what is pending, and ends the thread. */
  close(): Promise<void>
}

/** Resolves once the log is replayed. @throws DirectoryLockedError, FatalDiskError, IngestFailedError */
export function createIngest(env: Env, options: IngestOptions): Promise<Ingest> {
  const { workerUrl, ...data } = options
  const url = workerUrl ?? new URL('../env/ingest-worker.ts', import.meta.url).href
  const worker = env.pool.spawn({ url, name: 'ingest', data })
  return new Promise((resolve, reject) => void new ThreadIngest(env, worker, resolve, reject))
}

type Waiting = {
  readonly resolve: (value: never) => void
  readonly reject: (error: Error) => void
  readonly bytes: number
}

class ThreadIngest implements Ingest {
  readonly #env: Env
  readonly #worker: WorkerHandle
  readonly #waiting = new Map<number, Waiting>()
  readonly #onShare: ((share: ReaderShare) => void)[] = []
  readonly #onFatal: ((error: Error) => void)[] = []
  readonly #onMemoryHigh: (() => void)[] = []
  readonly #sinks = new Map<string, DirectSink>()
  #onRoom: (() => void)[] = []
  #wasMemoryHigh = false
  #nextId = 1
  #inflightBytes = 0
  #overloaded = 0
  #share: ReaderShare | null = null
  #replay: ReplayReport | null = null
  #failure: Error | null = null
  #closing = false
  #closed = false

  constructor(env: Env, worker: WorkerHandle, ready: (ingest: Ingest) => void, failed: (error: Error) => void) {
    this.#env = env
    this.#worker = worker
    worker.onMessage((message) => this.#receive(message as FromIngest, () => ready(this)))
    worker.onExit((error) => {
      if (!this.#closed && (!this.#closing || error))
        this.#fail(error ?? new IngestFailedError({ code: 'EXITED', message: 'The ingest thread has ended' }))
    })
    this.#onFatal.push(failed)
  }

  get replay(): ReplayReport {
    return this.#replay!
  }

  setAgents(agents: readonly KnownAgent[]): void {
    this.#post({ kind: 'agents', agents })
  }

  submitBatch(subject: string, bytes: Uint8Array): Promise<BatchAnswer> {
    if (this.#isOverloaded()) return Promise.resolve(null)
    const owned = whole(bytes)
    return this.#ask((id) => ({ kind: 'batch', id, subject, bytes: owned }), owned.length, [owned.buffer])
  }

  submitScrape(
    source: { readonly name: string; readonly epoch: number },
    definitions: readonly SeriesDefinition[],
    scrape: Scrape,
  ): Promise<boolean> {
    if (this.#isOverloaded()) return Promise.resolve(false)
    return this.#local({ source: source.name, epoch: source.epoch, definitions, scrape, missed: [] })
  }

  localSink(source: string): SampleSink {
    // One per source: two dictionaries under one name would contradict each other.
    let sink = this.#sinks.get(source)
    if (!sink) {
      sink = new DirectSink(source, this.#env.clock.now, (record) => {
        if (this.#failure || this.#isOverloaded()) return false
        // What comes of it shows in the counters and the ledger: a scrape has nobody to tell.
        this.#local(record).catch(() => {})
        return true
      })
      this.#sinks.set(source, sink)
    }
    return sink
  }

  whenRoom(): Promise<void> | undefined {
    if (this.#inflightBytes <= MAX_INFLIGHT_BYTES || this.#failure) return undefined
    return new Promise((resolve) => void this.#onRoom.push(resolve))
  }

  remoteWrite(body: Uint8Array, write: WriteKind = REMOTE_WRITE_1): Promise<WriteAnswer> {
    if (this.#isOverloaded())
      return Promise.resolve(refused(429, 'too many writes are waiting to be stored; try again later'))
    const owned = whole(body)
    return this.#ask((id) => ({ kind: 'remote-write', id, write, body: owned }), owned.length, [owned.buffer])
  }

  appendRuleResults(results: RuleResults): Promise<boolean> {
    return this.#ask((id) => ({ kind: 'rules', id, results }), results.values.byteLength)
  }

  share(): ReaderShare {
    return this.#share!
  }

  onShare(fn: (share: ReaderShare) => void): void {
    this.#onShare.push(fn)
  }

  onMemoryHigh(fn: () => void): void {
    this.#onMemoryHigh.push(fn)
    if (this.#wasMemoryHigh) fn()
  }

  cursor(agent: string): Promise<Cursor> {
    return this.#ask((id) => ({ kind: 'cursor', id, agent }))
  }

  ledger(agent: string, fromMs: number, toMs: number): Promise<readonly Gap[]> {
    return this.#ask((id) => ({ kind: 'ledger', id, agent, fromMs, toMs }))
  }

  async status(): Promise<IngestStatus & { overloaded: number }> {
    const status = await this.#ask<IngestStatus>((id) => ({ kind: 'status', id }))
    return { ...status, overloaded: this.#overloaded }
  }

  checkpoint(): Promise<void> {
    return this.#ask((id) => ({ kind: 'checkpoint', id }))
  }

  trim(minTimeMs: number): void {
    this.#post({ kind: 'trim', minTimeMs })
  }

  closeBefore(maxTimeMs: number): Promise<number> {
    return this.#ask((id) => ({ kind: 'close-before', id, maxTimeMs }))
  }

  evict(): Promise<void> {
    return this.#ask((id) => ({ kind: 'evict', id }))
  }

  onFatal(fn: (error: Error) => void): void {
    this.#onFatal.push(fn)
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await this.#ask((id) => ({ kind: 'close', id }))
    // All is on disk: how the thread ends no longer matters.
    this.#closed = true
    await this.#worker.terminate()
  }

  #local(record: LocalRecord): Promise<boolean> {
    const { scrape } = record
    const columns = scrape
      ? [scrape.ids, scrape.values, scrape.timestamps, scrape.startTimestamps].filter((column) => column !== null)
      : []
    const bytes = columns.reduce((sum, column) => sum + column.byteLength, 200 * record.definitions.length)
    return this.#ask((id) => ({ kind: 'local', id, record }), bytes)
  }

  #isOverloaded(): boolean {
    if (this.#inflightBytes <= MAX_INFLIGHT_BYTES) return false
    this.#overloaded++
    return true
  }

  #ask<T>(message: (id: number) => ToIngest, bytes = 0, transfer?: readonly ArrayBuffer[]): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure)
    return new Promise<T>((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject, bytes })
      this.#inflightBytes += bytes
      this.#post(message(id), transfer)
    })
  }

  #post(message: ToIngest, transfer?: readonly ArrayBuffer[]): void {
    if (!this.#failure) this.#worker.post(message, transfer)
  }

  #receive(message: FromIngest, ready: () => void): void {
    switch (message.kind) {
      case 'ready':
        this.#replay = message.replay
        this.#share = message.share
        // From here on a failure is news to the owner, not to the caller of createIngest.
        this.#onFatal.length = 0
        ready()
        return
      case 'share':
        this.#share = message.share
        for (const fn of this.#onShare) fn(message.share)
        return
      case 'memory-high':
        this.#wasMemoryHigh = true
        for (const fn of this.#onMemoryHigh) fn()
        return
      case 'renew':
        this.#sinks.get(message.source)?.renew()
        return
      case 'answers':
        for (const [id, value] of message.answers) this.#take(id)?.resolve(value as never)
        return
      case 'failed':
        this.#take(message.id)?.reject(new IngestFailedError(message.error))
        return
      case 'fatal':
        this.#fail(rebuild(message.error))
        return
    }
  }

  #take(id: number): Waiting | null {
    const waiting = this.#waiting.get(id)
    if (!waiting) return null
    this.#waiting.delete(id)
    this.#inflightBytes -= waiting.bytes
    if (this.#onRoom.length > 0 && this.#inflightBytes <= MAX_INFLIGHT_BYTES) this.#tellRoom()
    return waiting
  }

  #tellRoom(): void {
    const waiting = this.#onRoom
    this.#onRoom = []
    for (const resolve of waiting) resolve()
  }

  #fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    this.#tellRoom()
    for (const fn of this.#onFatal) fn(error)
  }
}

function rebuild(error: SentError): Error {
  if (error.code === 'DIRECTORY_LOCKED') return new DirectoryLockedError(error.path ?? '')
  if (error.code === 'FATAL_DISK') return FatalDiskError.rebuild(error.path ?? '', error.message)
  return new IngestFailedError(error)
}

/** The bytes in an ArrayBuffer of their own, which can be transferred; pooled or partial views are copied. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
  return isWhole ? new Uint8Array(bytes.buffer as ArrayBuffer) : new Uint8Array(bytes)
}

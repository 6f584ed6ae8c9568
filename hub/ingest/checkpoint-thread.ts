/** The checkpoint thread, and the ingest thread's handle on it: one thread per checkpoint, whose memory goes with it. */
import type { Disk, WorkerHandle } from '../../protocol/env/mod.ts'
import type { ReaderShare } from '../tsdb/mod.ts'
import { type CheckpointTarget, DiskFullError, FatalDiskError } from '../wal/mod.ts'
import { CheckpointCopier, type Checkpointer, type CheckpointRecord, type PageCopies } from './checkpointer.ts'
import { type SentError, sentError } from './messages.ts'

export type ToCheckpoint =
  | { readonly kind: 'copy'; readonly target: CheckpointTarget; readonly share: ReaderShare }
  | { readonly kind: 'finish'; readonly index: number; readonly records: readonly CheckpointRecord[] }

export type FromCheckpoint =
  | { readonly kind: 'copied'; readonly copies: PageCopies }
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly error: SentError }

/**
 * Answers a message; the thread's loop.
 * @param trimMemory gives the system back what the process has freed: this thread's end is a good time for it
 */
export function createCheckpointThread(
  disk: Disk,
  trimMemory: () => void = () => {},
): (message: ToCheckpoint) => FromCheckpoint {
  let copier: CheckpointCopier | null = null
  return (message) => {
    try {
      if (message.kind === 'copy') {
        copier = new CheckpointCopier(disk, message.target)
        return { kind: 'copied', copies: copier.copy(message.share) }
      }
      copier!.finish(message.index, message.records)
      trimMemory()
      return { kind: 'finished' }
    } catch (error) {
      if (sentError(error).code === 'DISK_FULL') copier?.abort()
      return { kind: 'failed', error: sentError(error) }
    }
  }
}

type Waiting = { readonly resolve: (message: FromCheckpoint) => void; readonly reject: (error: Error) => void }

export class ThreadCheckpointer implements Checkpointer {
  readonly #spawn: () => WorkerHandle
  #worker: WorkerHandle | null = null
  #waiting: Waiting | null = null

  constructor(spawn: () => WorkerHandle) {
    this.#spawn = spawn
  }

  async copy(target: CheckpointTarget, share: ReaderShare): Promise<PageCopies> {
    this.abort()
    const worker = this.#spawn()
    this.#worker = worker
    worker.onMessage((message) => this.#settle((waiting) => waiting.resolve(message as FromCheckpoint)))
    worker.onExit((error) => {
      if (this.#worker !== worker) return
      this.#worker = null
      this.#settle((waiting) => waiting.reject(error ?? new Error('The checkpoint thread has ended')))
    })
    const answer = await this.#ask({ kind: 'copy', target, share })
    if (answer.kind !== 'copied') throw new Error(`BUG: the checkpoint thread answered ${answer.kind}`)
    return answer.copies
  }

  async finish(index: number, records: readonly CheckpointRecord[]): Promise<void> {
    await this.#ask({ kind: 'finish', index, records })
    this.abort()
  }

  abort(): void {
    const worker = this.#worker
    this.#worker = null
    this.#settle((waiting) => waiting.reject(new Error('The checkpoint was given up')))
    void worker?.terminate()
  }

  async #ask(message: ToCheckpoint): Promise<FromCheckpoint> {
    const worker = this.#worker
    if (!worker) throw new Error('The checkpoint thread has ended')
    const answer = await new Promise<FromCheckpoint>((resolve, reject) => {
      this.#waiting = { resolve, reject }
      const parts = message.kind === 'finish' ? message.records.map(([, payload]) => payload.buffer as ArrayBuffer) : []
      worker.post(message, [...new Set(parts)])
    })
    if (answer.kind !== 'failed') return answer
    this.abort()
    throw rebuilt(answer.error)
  }

  #settle(fn: (waiting: Waiting) => void): void {
    const waiting = this.#waiting
    this.#waiting = null
    if (waiting) fn(waiting)
  }
}

function rebuilt({ code, message, path = '' }: SentError): Error {
  if (code === 'DISK_FULL') return new DiskFullError(path)
  if (code === 'FATAL_DISK') return FatalDiskError.rebuild(path, message)
  return new Error(message)
}

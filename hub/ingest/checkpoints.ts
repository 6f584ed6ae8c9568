/** When checkpoints are written, and how: one at a time, beside ingest, in proportion to what a restart would cost. */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { DiskFullError, FatalDiskError, type Wal } from '../wal/mod.ts'
import { type Checkpointer, type CheckpointRecord, CopiesOnDisk } from './checkpointer.ts'
import type { IngestCounters } from './counters.ts'
import type { IngestHead } from './head.ts'
import { RecordType } from './records.ts'

/** Default of `newSeries`. */
const NEW_SERIES = 100_000
const LOOK_EVERY_MS = 1000
const PAUSE_MS = 10_000
/** A checkpoint may take this part of the time. */
const SHARE_OF_TIME = 0.1
const FULL_DISK_PAUSE_MS = 60_000

export type CheckpointsOptions = {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Logger
  readonly head: IngestHead
  readonly wal: Wal
  readonly counters: IngestCounters
  /** Without one, checkpoints are written in place. */
  readonly checkpointer?: Checkpointer
  /** Log since the last checkpoint that brings about the next. */
  readonly checkpointBytes: number
  /** New series that do so, too: to make them anew one by one takes far longer than to read them back in a snapshot. */
  readonly newSeries?: number
  /** Bytes that may be written before the reserve is touched: a checkpoint must not be what fills the disk. */
  readonly room: () => number
  /** All that is not the head. */
  readonly records: () => Iterable<CheckpointRecord>
}

export class Checkpoints {
  readonly #options: CheckpointsOptions
  #running: Promise<void> | null = null
  #waiting: Promise<void> | null = null
  #lookMs = Number.NEGATIVE_INFINITY
  /** Series ever made, as of the last checkpoint. */
  #seriesBefore = 0

  constructor(options: CheckpointsOptions) {
    this.#options = options
  }

  /** The head is what the last checkpoint had, and nothing has been added to it. */
  restored(): void {
    this.#seriesBefore = this.#seriesMade()
  }

  /** Holds everything until it is there. @throws DiskFullError, FatalDiskError */
  inPlace(): void {
    const { wal, head, counters, records } = this.#options
    wal.checkpoint((add) => {
      for (const piece of head.serialize()) add(RecordType.head, [piece])
      for (const [type, payload] of records()) add(type, [payload])
    })
    this.restored()
    counters.checkpoints++
  }

  /**
   * Ingest is held only while what has changed meanwhile is gathered. Whoever asks while one is under way gets the next
   * one, so that it has what was there when they asked. Rejects with DiskFullError, FatalDiskError.
   */
  aside(): Promise<void> {
    if (!this.#running) return this.#start()
    this.#waiting ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#waiting = null
        return this.#start()
      })
    return this.#waiting
  }

  /** To be called after each commit. */
  ifDue(): void {
    const { clock, log, wal, checkpointBytes, newSeries = NEW_SERIES } = this.#options
    const now = clock.monotonic()
    if (this.#running || now < this.#lookMs) return
    this.#lookMs = now + LOOK_EVERY_MS
    const isLong = wal.bytesSinceCheckpoint >= checkpointBytes
    if (!isLong && this.#seriesMade() - this.#seriesBefore < newSeries) return
    this.aside().then(
      () => this.#pause(now, PAUSE_MS),
      (error) => {
        this.#pause(now, error instanceof DiskFullError ? FULL_DISK_PAUSE_MS : PAUSE_MS)
        // A fatal one is met again by the next commit.
        log.warn('No checkpoint could be written; it is tried again', { err: error })
      },
    )
  }

  close(): void {
    this.#options.checkpointer?.abort()
  }

  #pause(beganMs: number, atLeastMs: number): void {
    const now = this.#options.clock.monotonic()
    this.#lookMs = now + Math.max(atLeastMs, (now - beganMs) / SHARE_OF_TIME)
  }

  #start(): Promise<void> {
    const run = this.#attempt()
    this.#running = run
    const end = (): void => {
      if (this.#running === run) this.#running = null
    }
    run.then(end, end)
    return run
  }

  async #attempt(): Promise<void> {
    const { checkpointer, wal } = this.#options
    try {
      if (checkpointer) await this.#with(checkpointer)
      else this.inPlace()
    } catch (error) {
      if (error instanceof FatalDiskError) wal.fail(error)
      throw error
    }
  }

  async #with(checkpointer: Checkpointer): Promise<void> {
    const { clock, counters, head, log, room, wal } = this.#options
    const target = wal.checkpointTarget()
    if (head.stats().pageBytes > room()) throw new DiskFullError(target.directory)
    const copies = await checkpointer.copy(target, head.share())
    const beganMs = clock.monotonic()
    const seriesMade = this.#seriesMade()
    let index: number
    let records: CheckpointRecord[]
    try {
      index = wal.cutForCheckpoint()
      records = this.#gather(copies)
    } catch (error) {
      checkpointer.abort()
      throw error
    }
    const heldMs = clock.monotonic() - beganMs
    await checkpointer.finish(index, records)
    wal.checkpointFinished(index)
    this.#seriesBefore = seriesMade
    counters.checkpoints++
    log.info('Checkpoint written', { index, heldMs: Math.round(heldMs) })
  }

  /** Of the state as it is at the end of the segment that was just closed: nothing is awaited in here. */
  #gather(copies: Awaited<ReturnType<Checkpointer['copy']>>): CheckpointRecord[] {
    const { disk, head, records } = this.#options
    const comparison = new CopiesOnDisk(disk, copies)
    try {
      const pieces = [...head.serialize(comparison)].map((piece) => [RecordType.head, piece] as const)
      // Copied, because their buffers, which encoders share, move to the other thread.
      return [...pieces, ...[...records()].map(([type, payload]) => [type, payload.slice()] as const)]
    } finally {
      comparison.close()
    }
  }

  #seriesMade(): number {
    const { series, seriesRemoved } = this.#options.head.stats()
    return series + seriesRemoved
  }
}

/** When checkpoints are written, and how: one at a time, beside ingest, in proportion to what a restart would cost. */
import type { Clock, Disk, Logger, Timer } from '../../protocol/env/mod.ts'
import { DiskFullError, FatalDiskError, type Wal } from '../wal/mod.ts'
import { type Checkpointer, type CheckpointRecord, CopiesOnDisk } from './checkpointer.ts'
import type { IngestCounters } from './counters.ts'
import type { IngestHead } from './head.ts'
import { RecordType } from './record-types.ts'

/** Default of `newSeries`. */
const NEW_SERIES = 100_000
/**
 * What a sample counts as at least, when the log is weighed: its bytes as rows of a remote write. Agents' batches take a
 * twentieth of that in the log, and no less time to replay (about 8,000,000 samples a second).
 */
const BYTES_PER_SAMPLE = 10
/** A head that is smaller than this part of `checkpointBytes` gets its checkpoints as if it were that large. */
const SMALLEST_HEAD = 1 / 16
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
  /**
   * Log since the last checkpoint that brings about the next; less, where the head is smaller: then a checkpoint writes
   * no more than the log has written since the one before.
   */
  readonly checkpointBytes: number
  /** New series that do so, too: to make them anew one by one takes far longer than to read them back in a snapshot. */
  readonly newSeries?: number
  /** Bytes that may be written before the reserve is touched: a checkpoint must not be what fills the disk. */
  readonly room: () => number
  /** Called while one is finished: what brought it about, such as many new series, left garbage that V8 may keep for hours. */
  readonly collectGarbage?: () => void
  /** All that is not the head. */
  readonly records: () => Iterable<CheckpointRecord>
}

export class Checkpoints {
  readonly #options: CheckpointsOptions
  #running: Promise<void> | null = null
  #waiting: Promise<void> | null = null
  #lookMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null
  /** As of the last checkpoint. */
  #before: Made = { series: 0, samples: 0 }

  constructor(options: CheckpointsOptions) {
    this.#options = options
  }

  /** The head is what the last checkpoint had, and nothing has been added to it. */
  restored(): void {
    this.#before = this.#made()
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

  /** To be called after each commit; what came last is looked at, too, when nothing follows it. */
  ifDue(): void {
    const { clock, log } = this.#options
    const now = clock.monotonic()
    if (this.#running) return
    if (now < this.#lookMs) {
      this.#lookLater(now)
      return
    }
    this.#lookMs = now + LOOK_EVERY_MS
    if (!this.#isDue()) return
    this.aside().then(
      () => this.#pause(now, PAUSE_MS),
      (error) => {
        this.#pause(now, error instanceof DiskFullError ? FULL_DISK_PAUSE_MS : PAUSE_MS)
        // A fatal one is met again by the next commit.
        log.warn('No checkpoint could be written; it is tried again', { err: error })
      },
    )
  }

  /** Whether to replay the log would take so long that it is worth a checkpoint. */
  #isDue(): boolean {
    const { head, wal, checkpointBytes, newSeries = NEW_SERIES } = this.#options
    const { series, samples } = this.#made()
    if (series - this.#before.series >= newSeries) return true
    const weight = Math.max(wal.bytesSinceCheckpoint, BYTES_PER_SAMPLE * (samples - this.#before.samples))
    return weight >= Math.max(SMALLEST_HEAD * checkpointBytes, Math.min(checkpointBytes, head.stats().pageBytes))
  }

  close(): void {
    this.#timer?.cancel()
    this.#options.checkpointer?.abort()
  }

  #pause(beganMs: number, atLeastMs: number): void {
    const now = this.#options.clock.monotonic()
    this.#lookMs = now + Math.max(atLeastMs, (now - beganMs) / SHARE_OF_TIME)
    this.#lookLater(now)
  }

  #lookLater(now: number): void {
    this.#timer ??= this.#options.clock.setTimer(
      this.#lookMs - now,
      () => {
        this.#timer = null
        this.ifDue()
      },
      { unref: true },
    )
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
    const made = this.#made()
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
    const finished = checkpointer.finish(index, records)
    // Before the other thread is done: it gives what is free back to the system.
    this.#options.collectGarbage?.()
    await finished
    wal.checkpointFinished(index)
    this.#before = made
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

  #made(): Made {
    const { series, seriesRemoved, samplesAppended } = this.#options.head.stats()
    return { series: series + seriesRemoved, samples: samplesAppended }
  }
}

/** Ever. */
type Made = { readonly series: number; readonly samples: number }

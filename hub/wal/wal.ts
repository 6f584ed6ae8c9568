/**
 * The write-ahead log: what the hub acknowledged, and nothing that it would have to guess after a crash.
 *
 *     DIRECTORY/lock                       held while the log is open
 *     DIRECTORY/wal/00000007.wal           segments, in order; a new process begins a new one
 *     DIRECTORY/wal/checkpoint-00000005.wal  all that segments before 5 said
 *     DIRECTORY/wal/quarantine/            damaged ranges, put aside
 *
 * Invariants: a record is durable exactly when the `commit` after it returned; a segment is durable before the next
 * exists; a checkpoint is durable under its name before what it replaces is removed, and the generation before it is
 * kept, so that one bad sector in a checkpoint costs nothing. The file format is in record.ts.
 */
import { type Clock, type Disk, DiskError, type DiskLock, type Logger, type Random } from '../../protocol/env/mod.ts'
import { CheckpointFile, type CheckpointTarget } from './checkpoint-file.ts'
import { DirectoryLockedError, DiskFullError, FatalDiskError } from './errors.ts'
import { checkpointName, listFiles, segmentName } from './names.ts'
import type { RecordVisitor } from './reader.ts'
import type { FileKey } from './record.ts'
import { type ReplayReport, replayDirectory } from './replay.ts'
import { droppable } from './retained.ts'
import type { SyncedEnd } from './synced.ts'
import { fatally, GroupBuffer, LogFile } from './writer.ts'

export const DEFAULT_SEGMENT_BYTES = 128 << 20

export type WalOptions = {
  readonly disk: Disk
  /** Without one, nothing is timed. */
  readonly clock?: Pick<Clock, 'monotonic'>
  readonly random: Random
  readonly log: Logger
  /** The data directory; created if need be. */
  readonly directory: string
  readonly segmentBytes?: number
  /** Told of every sync; says what is kept for followers. */
  readonly synced?: SyncedEnd
}

export type WalStats = {
  readonly segmentIndex: number
  readonly segments: number
  readonly records: number
  readonly commits: number
  readonly bytesWritten: number
  readonly checkpoints: number
  /** Of the files of the log, checkpoints and what was put aside included. */
  readonly sizeBytes: number
  /** Whether no lock was left by a process that was killed. */
  readonly isCleanStart: boolean
  /** Reading the log at the start, and applying it. */
  readonly replaySeconds: number
  /** Of all checkpoints together: writing them, and dropping what they replace. */
  readonly checkpointSeconds: number
}

export type AddRecord = (type: number, parts: readonly Uint8Array[]) => void

export interface Wal {
  /**
   * Hands every recovered record to `visit`, in the order of their commits; payloads are borrowed until it returns.
   * Called exactly once, before anything is appended.
   * @param startOver a checkpoint proved damaged: what was visited so far is void, an older one follows
   */
  replay(visit: RecordVisitor, startOver?: () => void): ReplayReport
  /** Frames a record into the pending group; `parts` are concatenated and copied. Types are 0…0xfffffffe. */
  append(type: number, parts: readonly Uint8Array[]): void
  readonly pendingBytes: number
  /**
   * Makes the pending group durable. One that finds no room stays pending.
   * @throws DiskFullError try again later
   * @throws FatalDiskError stop: every later call throws it too
   */
  commit(): void
  /** Bytes in segments since the last checkpoint: what a restart would have to replay. */
  readonly bytesSinceCheckpoint: number
  /**
   * Writes what `write` adds as the checkpoint of all that was committed so far, then drops what it replaces.
   * @throws DiskFullError nothing has changed
   * @throws FatalDiskError
   */
  checkpoint(write: (add: AddRecord) => void): void
  /**
   * The same in steps, for a checkpoint that another thread writes while the log goes on: `CheckpointFile` at this
   * target, the cut when the state is taken (returns its index), and the end once the file is finished.
   * @throws DiskFullError nothing has changed
   * @throws FatalDiskError
   */
  checkpointTarget(): CheckpointTarget
  cutForCheckpoint(): number
  checkpointFinished(index: number): void
  /**
   * Drops what was kept for followers and is needed no more, without waiting for the next checkpoint: where the disk is
   * full there is none.
   * @throws DiskError, FatalDiskError
   */
  dropReleased(): void
  /** Another thread has seen the disk fail: every later call throws. */
  fail(error: FatalDiskError): void
  stats(): WalStats
  /** Commits what is pending, closes, and gives the lock back. */
  close(): void
}

/** @throws DirectoryLockedError, DiskError */
export function openWal(options: WalOptions): Wal {
  const { disk, directory } = options
  disk.makeDirectory(directory)
  const isCleanStart = disk.stat(`${directory}/lock`, { followLinks: false }) === null
  const lock = disk.lock(`${directory}/lock`)
  if (!lock) throw new DirectoryLockedError(directory)
  try {
    makeDurableDirectory(disk, `${directory}/wal`)
    return new DiskWal(options, lock, isCleanStart)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** A name is durable once the directory that holds it is synced; which of them are new, a crash may have hidden. */
function makeDurableDirectory(disk: Disk, path: string): void {
  disk.makeDirectory(path)
  for (let at = path; at !== '/' && at !== '.'; ) {
    const slash = at.lastIndexOf('/')
    at = slash < 0 ? '.' : slash === 0 ? '/' : at.slice(0, slash)
    try {
      disk.syncDirectory(at)
    } catch (error) {
      // Above the data directory are folders that the hub may not even read: it did not make those.
      if (!(error instanceof DiskError) || (error.code !== 'EACCES' && error.code !== 'EPERM')) throw error
    }
  }
}

class DiskWal implements Wal {
  readonly #disk: Disk
  readonly #log: Logger
  readonly #directory: string
  readonly #segmentBytes: number
  readonly #synced: SyncedEnd | null
  readonly #lock: DiskLock
  readonly #isCleanStart: boolean
  readonly #now: () => number
  readonly #key: Omit<FileKey, 'index'>
  readonly #group = new GroupBuffer()
  #replayed = false
  /** Created by the first commit: a hub must be able to start, and to answer, on a full disk. */
  #segment: LogFile | null = null
  /** Of `#segment`, or of the last one before it. */
  #segmentIndex = -1
  #failure: FatalDiskError | null = null
  #records = 0
  #commits = 0
  #bytesWritten = 0
  #checkpoints = 0
  #replayMs = 0
  #checkpointMs = 0
  /** That is finished and whole; -1: none. */
  #newestCheckpoint = -1
  /** What followers needed when files were dropped last; undefined: none was. */
  #neededAtDrop: number | null | undefined
  /** When the checkpoint under way was begun. */
  #checkpointBeganMs = 0
  #bytesSinceCheckpoint = 0
  /** Of them, those that a checkpoint under way will stand for. */
  #bytesBeforeCut = 0

  constructor(options: WalOptions, lock: DiskLock, isCleanStart: boolean) {
    this.#isCleanStart = isCleanStart
    this.#now = () => options.clock?.monotonic() ?? 0
    this.#disk = options.disk
    this.#log = options.log
    this.#directory = `${options.directory}/wal`
    this.#segmentBytes = options.segmentBytes ?? DEFAULT_SEGMENT_BYTES
    this.#synced = options.synced ?? null
    this.#lock = lock
    const view = new DataView(options.random.bytes(8).slice().buffer)
    // Zero would take every hole in a file for the start of a record.
    this.#key = { sync: view.getUint32(0, true) | 1, salt: view.getUint32(4, true) }
  }

  get pendingBytes(): number {
    return this.#group.length
  }

  get bytesSinceCheckpoint(): number {
    return this.#bytesSinceCheckpoint
  }

  replay(visit: RecordVisitor, startOver: () => void = () => {}): ReplayReport {
    if (this.#replayed) throw new Error('BUG: replay() called twice')
    this.#replayed = true
    const beganMs = this.#now()
    return this.#guard(() => {
      const report = replayDirectory({ disk: this.#disk, log: this.#log, directory: this.#directory }, visit, startOver)
      const files = listFiles(this.#disk.readDirectory(this.#directory))
      for (const name of files.temporary) this.#disk.unlink(`${this.#directory}/${name}`)
      this.#newestCheckpoint = report.checkpoint ?? -1
      this.#segmentIndex = Math.max(-1, ...files.segments, ...files.checkpoints)
      for (const index of files.segments)
        if (index >= (report.checkpoint ?? 0)) this.#bytesSinceCheckpoint += this.#bytesOfSegment(index)
      const last = files.segments.at(-1)
      if (last !== undefined) this.#synced?.publish(last, this.#bytesOfSegment(last))
      this.#replayMs = this.#now() - beganMs
      return report
    })
  }

  append(type: number, parts: readonly Uint8Array[]): void {
    if (!this.#replayed) throw new Error('BUG: append() before replay()')
    if (this.#failure) throw this.#failure
    this.#group.add({ ...this.#key, index: 0 }, type, parts)
  }

  commit(): void {
    if (this.#failure) throw this.#failure
    if (this.#group.length === 0) return
    this.#guard(() => {
      let segment = this.#segment
      if (!segment || segment.sizeBytes >= this.#segmentBytes) segment = this.#startSegment(this.#segmentIndex + 1)
      const group = this.#group.view()
      segment.write(group)
      segment.sync()
      segment.sizeBytes += group.length
      this.#synced?.publish(this.#segmentIndex, segment.sizeBytes)
      this.#bytesWritten += group.length
      this.#bytesSinceCheckpoint += group.length
      this.#records += this.#group.records
      this.#commits++
      this.#group.clear()
    })
  }

  checkpoint(write: (add: AddRecord) => void): void {
    this.commit()
    this.#guard(() => {
      const target = this.checkpointTarget()
      const index = this.#cut()
      const file = new CheckpointFile(this.#disk, target)
      try {
        write((type, parts) => void file.add(type, parts))
        file.finish(index)
      } catch (error) {
        file.abort()
        throw error
      }
      this.#checkpointed(index)
    })
  }

  checkpointTarget(): CheckpointTarget {
    this.#checkpointBeganMs = this.#now()
    return { directory: this.#directory, key: this.#key }
  }

  cutForCheckpoint(): number {
    this.commit()
    return this.#guard(() => this.#cut())
  }

  checkpointFinished(index: number): void {
    this.#guard(() => this.#checkpointed(index))
  }

  dropReleased(): void {
    const needed = this.#synced?.neededSegment
    if (this.#failure || this.#newestCheckpoint < 0 || needed === undefined || needed === this.#neededAtDrop) return
    this.#guard(() => this.#dropReplaced(this.#newestCheckpoint))
  }

  fail(error: FatalDiskError): void {
    this.#failure ??= error
  }

  stats(): WalStats {
    const names = this.#disk.readDirectory(this.#directory)
    return {
      segmentIndex: this.#segmentIndex,
      segments: listFiles(names).segments.length,
      records: this.#records,
      commits: this.#commits,
      bytesWritten: this.#bytesWritten,
      checkpoints: this.#checkpoints,
      sizeBytes: this.#sizeOf(this.#directory, names),
      isCleanStart: this.#isCleanStart,
      replaySeconds: this.#replayMs / 1000,
      checkpointSeconds: this.#checkpointMs / 1000,
    }
  }

  close(): void {
    try {
      if (!this.#failure && this.#replayed) this.commit()
    } catch (error) {
      // Nobody was told that it is stored.
      if (!(error instanceof DiskFullError)) throw error
      this.#log.warn('Closed the WAL with a group that found no room', { bytes: this.#group.length })
    } finally {
      this.#segment?.close()
      this.#lock.release()
    }
  }

  #startSegment(index: number): LogFile {
    const next = new LogFile(this.#disk, this.#directory, segmentName(index), { ...this.#key, index })
    this.#segment?.close()
    this.#segment = next
    this.#segmentIndex = index
    this.#synced?.publish(index, next.sizeBytes)
    return next
  }

  #cut(): number {
    this.#startSegment(this.#segmentIndex + 1)
    this.#bytesBeforeCut = this.#bytesSinceCheckpoint
    return this.#segmentIndex
  }

  #checkpointed(index: number): void {
    this.#bytesSinceCheckpoint -= this.#bytesBeforeCut
    this.#bytesBeforeCut = 0
    this.#checkpoints++
    this.#dropReplaced(index)
    this.#checkpointMs += this.#now() - this.#checkpointBeganMs
  }

  /** What neither a restart nor a follower needs any more. */
  #dropReplaced(newest: number): void {
    const files = listFiles(this.#disk.readDirectory(this.#directory))
    this.#newestCheckpoint = newest
    this.#neededAtDrop = this.#synced?.neededSegment ?? null
    const drop = droppable(files, newest, this.#neededAtDrop, (index) => this.#bytesOfSegment(index))
    if (drop.isOverdrawn)
      this.#log.error('WAL segments that a follower still needs are removed: it is too far behind', {
        from: drop.segments[0],
      })
    const names = [...drop.checkpoints.map(checkpointName), ...drop.segments.map(segmentName)]
    if (names.length === 0) return
    for (const name of names) this.#disk.unlink(`${this.#directory}/${name}`)
    fatally(this.#directory, 'sync directory', () => this.#disk.syncDirectory(this.#directory))
  }

  #bytesOfSegment(index: number): number {
    return this.#disk.stat(`${this.#directory}/${segmentName(index)}`)?.sizeBytes ?? 0
  }

  #sizeOf(directory: string, names: readonly string[]): number {
    let bytes = 0
    for (const name of names) {
      const path = `${directory}/${name}`
      const stat = this.#disk.stat(path)
      bytes += stat?.isDirectory ? this.#sizeOf(path, this.#disk.readDirectory(path)) : (stat?.sizeBytes ?? 0)
    }
    return bytes
  }

  /** Remembers a fatal failure, so that nothing is acknowledged after it. */
  #guard<T>(fn: () => T): T {
    try {
      return fn()
    } catch (error) {
      if (error instanceof FatalDiskError) this.#failure = error
      throw error
    }
  }
}

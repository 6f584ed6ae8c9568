/**
 * Reads the log from a position on, in steps, as far as it is on disk. Before the first step it goes back to the newest
 * checkpoint that is not after the position, for what the records that follow stand on: series, dictionaries, keyframes.
 */
import { type Disk, DiskError, type DiskFile, type Logger } from '../../protocol/env/mod.ts'
import { LogView, type LogViewOptions } from '../ingest/view_mod.ts'
import {
  byteOf,
  CHECKPOINT_END,
  checkpointName,
  decodeHeaderPage,
  type FileKey,
  HEADER_PAGE_BYTES,
  listFiles,
  positionOf,
  scanFile,
  scanRange,
  segmentName,
  segmentOf,
  startOf,
  type WalPosition,
} from '../wal/mod.ts'
import { type SampleTaker, Tap } from './tap.ts'

export type FollowerOptions = Omit<LogViewOptions, 'heads' | 'onLost'> & {
  readonly disk: Disk
  readonly log: Logger
  /** Of the log's files. */
  readonly directory: string
}

type Segment = { readonly index: number; readonly file: DiskFile; readonly key: FileKey | null }

export class Follower {
  readonly #options: FollowerOptions
  #tap = new Tap()
  #view: LogView
  #segment: Segment | null = null
  #position: WalPosition = 0
  /** Of the checkpoint that was gone back to; -1: the beginning of the log. */
  checkpoint = -1
  /** Stretches of the log that were gone. */
  gaps = 0
  lostRecords = 0
  /** Of records, since `open`. */
  bytesRead = 0

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#view = this.#newView()
  }

  /** What is read next. */
  get position(): WalPosition {
    return this.#position
  }

  get table() {
    return this.#tap.table
  }

  get families() {
    return this.#tap.families
  }

  /** Of the newest checkpoint up to here, if it is newer than the one that was gone back to: `open` would forget more. */
  get newerCheckpoint(): number | null {
    const { checkpoints } = listFiles(this.#options.disk.readDirectory(this.#options.directory))
    const newest = checkpoints.filter((index) => index <= segmentOf(this.#position)).at(-1)
    return newest !== undefined && newest > this.checkpoint ? newest : null
  }

  /** Makes all anew: refs and families are others afterwards. */
  open(position: WalPosition): void {
    this.close()
    this.checkpoint = -1
    this.#view = this.#newView()
    const { segments, checkpoints } = listFiles(this.#options.disk.readDirectory(this.#options.directory))
    const oldest = segments[0] ?? 0
    let from = Math.max(position, startOf(oldest))
    const isKnown = this.#restoreFirst(checkpoints.filter((index) => index <= segmentOf(from)).reverse())
    // What the oldest records stand on is gone, with what came before them.
    if (!isKnown && oldest > 0 && this.#restoreFirst(checkpoints.filter((index) => index > segmentOf(from))))
      from = startOf(this.checkpoint)
    if (from > position) this.#gap(position, from)
    this.#position = startOf(this.checkpoint < 0 ? oldest : this.checkpoint)
    this.#tap.taker = null
    if (from > this.#position) this.read(from, Number.POSITIVE_INFINITY, NOBODY)
    this.#position = Math.max(this.#position, from)
    this.#view.caughtUp()
    this.bytesRead = 0
  }

  /**
   * Reads up to `end`, or until the reader says that it has enough, or about `maxBytes` are read.
   * @returns whether there was something to read
   */
  read(end: WalPosition, maxBytes: number, reader: LogReader): boolean {
    this.#tap.taker = reader.taker
    let left = maxBytes
    let isEnough = false
    const before = this.#position
    while (this.#position < end && left > 0 && !isEnough) {
      const index = segmentOf(this.#position)
      const segment = this.#open(index)
      if (segment === null) {
        this.#toNext(index, end, true)
        continue
      }
      const toByte = index === segmentOf(end) ? byteOf(end) : segment.file.size()
      const fromByte = byteOf(this.#position)
      if (segment.key && fromByte < toByte) {
        const { damaged, soundBytes } = scanRange(
          segment.file,
          segment.key,
          { fromByte, toByte },
          (type, payload, at) => {
            reader.onRecord(positionOf(index, at))
            this.#view.read(type, payload)
            left -= payload.length
            this.bytesRead += payload.length
            isEnough = reader.isEnough()
            return left > 0 && !isEnough
          },
        )
        for (const [from, to] of damaged) this.#damage(index, from, to)
        const stopped = left <= 0 || isEnough
        if (!stopped && soundBytes < toByte) this.#damage(index, soundBytes, toByte)
        this.#position = positionOf(index, stopped ? soundBytes : toByte)
      } else if (fromByte < toByte) {
        this.#damage(index, fromByte, toByte)
        this.#position = positionOf(index, toByte)
      }
      if (byteOf(this.#position) >= toByte && index < segmentOf(end)) this.#toNext(index, end, false)
    }
    this.#tap.taker = null
    return this.#position > before
  }

  close(): void {
    this.#segment?.file.close()
    this.#segment = null
  }

  #toNext(index: number, end: WalPosition, isGap: boolean): void {
    const { segments } = listFiles(this.#options.disk.readDirectory(this.#options.directory))
    const next = segments.find((each) => each > index)
    const to = next === undefined ? end : Math.min(end, startOf(next))
    if (isGap || (next !== undefined && next > index + 1)) this.#gap(this.#position, to)
    this.#position = to
  }

  #open(index: number): Segment | null {
    if (this.#segment?.index === index) return this.#segment
    this.close()
    const { disk, directory } = this.#options
    try {
      const file = disk.open(`${directory}/${segmentName(index)}`, 'r')
      const page = new Uint8Array(HEADER_PAGE_BYTES)
      const n = file.read(page, 0, page.length, 0)
      this.#segment = { index, file, key: decodeHeaderPage(page.subarray(0, n))?.key ?? null }
      return this.#segment
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return null
      throw error
    }
  }

  /** The first of them that is whole. */
  #restoreFirst(checkpoints: readonly number[]): boolean {
    this.checkpoint = checkpoints.find((index) => this.#restore(index)) ?? -1
    return this.checkpoint >= 0
  }

  /** False, with nothing changed, for one that is damaged. */
  #restore(index: number): boolean {
    const { disk, directory } = this.#options
    this.#view = this.#newView()
    const file = disk.open(`${directory}/${checkpointName(index)}`, 'r')
    try {
      const page = new Uint8Array(HEADER_PAGE_BYTES)
      const header = decodeHeaderPage(page.subarray(0, file.read(page, 0, page.length, 0)))
      let last = 0
      const result = header
        ? scanFile(file, header.key, (type, payload) => {
            last = type
            if (type !== CHECKPOINT_END) this.#view.read(type, payload)
          })
        : null
      if (result && last === CHECKPOINT_END && result.damaged.length === 0) return true
      this.#view = this.#newView()
      return false
    } finally {
      file.close()
    }
  }

  #newView(): LogView {
    this.#tap = new Tap()
    return new LogView({
      ...this.#options,
      heads: this.#tap,
      onLost: (record, why) => {
        this.lostRecords++
        this.#options.log.error('Cannot read a record of the log', { record, why })
      },
    })
  }

  #gap(from: WalPosition, to: WalPosition): void {
    this.gaps++
    this.#options.log.error('A part of the log is gone before it was read: what was in it is not sent', {
      fromSegment: segmentOf(from),
      fromByte: byteOf(from),
      toSegment: segmentOf(to),
    })
  }

  #damage(segment: number, fromByte: number, toByte: number): void {
    this.lostRecords++
    this.#options.log.error('A part of the log is damaged: what was in it is not sent', { segment, fromByte, toByte })
  }
}

export interface LogReader {
  readonly taker: SampleTaker | null
  /** Before what it says is taken. */
  onRecord(position: WalPosition): void
  isEnough(): boolean
}

const NOBODY: LogReader = { taker: null, onRecord: () => {}, isEnough: () => false }

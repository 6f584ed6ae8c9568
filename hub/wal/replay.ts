/**
 * Recovery: the newest sound checkpoint, then every segment from it on, in order.
 *
 * A torn tail can only be in the last segment (each one is synced before the next is created): it is cut off, and
 * said so. Any other range without a sound record is damage: copied to `quarantine/`, counted, and stepped over.
 * A damaged checkpoint gives way to the one before it while the segments since that one are still there.
 */
import { type Disk, DiskError, type DiskFile, type Logger } from '../../protocol/env/mod.ts'
import { CHECKPOINT_END } from './checkpoint-file.ts'
import { checkpointName, type Listing, listFiles, QUARANTINE, segmentName } from './names.ts'
import { type RecordVisitor, type ScanResult, scanFile } from './reader.ts'
import { decodeHeaderPage, type FileKey, HEADER_PAGE_BYTES } from './record.ts'
import { fatally } from './writer.ts'

const MAX_QUARANTINE_BYTES = 256 << 20
const HARMLESS = { isHarmless: true } as const

export type Damage = {
  readonly file: string
  readonly fromByte: number
  readonly toByte: number
  readonly what: string
  /** Where the bytes were put aside; null when the quarantine is full or the file is missing. */
  readonly quarantine: string | null
  /** What stood there stands elsewhere, too: nothing is lost. */
  readonly isHarmless?: true
}

export type ReplayReport = {
  readonly records: number
  readonly segments: number
  /** Index of the checkpoint that was used, or null. */
  readonly checkpoint: number | null
  /** Cut off the last segment. */
  readonly tornBytes: number
  readonly damages: readonly Damage[]
}

export type ReplayOptions = { readonly disk: Disk; readonly log: Logger; readonly directory: string }

/** @param startOver a checkpoint proved damaged: what was visited so far is void */
export function replayDirectory(options: ReplayOptions, visit: RecordVisitor, startOver: () => void): ReplayReport {
  return new Replay(options, visit, startOver).run()
}

class Replay {
  readonly #disk: Disk
  readonly #log: Logger
  readonly #directory: string
  readonly #visit: RecordVisitor
  readonly #startOver: () => void
  readonly #damages: Damage[] = []
  #records = 0
  #tornBytes = 0

  constructor(options: ReplayOptions, visit: RecordVisitor, startOver: () => void) {
    this.#visit = visit
    this.#startOver = startOver
    this.#disk = options.disk
    this.#log = options.log
    this.#directory = options.directory
  }

  run(): ReplayReport {
    const files = listFiles(this.#disk.readDirectory(this.#directory))
    const checkpoint = this.#applyCheckpoint(files)
    const from = checkpoint ?? files.segments[0] ?? 0
    const segments = files.segments.filter((index) => index >= from)
    this.#reportMissing(from, segments, checkpoint)
    for (const [i, index] of segments.entries()) this.#scan(segmentName(index), i === segments.length - 1)
    return {
      records: this.#records,
      segments: segments.length,
      checkpoint,
      tornBytes: this.#tornBytes,
      damages: this.#damages,
    }
  }

  /**
   * Applies the newest checkpoint; if it proves damaged, the one before it, and so on while the segments since are there.
   * The last resort is applied as far as it can be read.
   */
  #applyCheckpoint(files: Listing): number | null {
    for (let i = files.checkpoints.length - 1; i >= 0; i--) {
      const index = files.checkpoints[i]!
      // Before the first checkpoint there were only segments, from 0 on.
      const canStepBack = files.segments.includes(files.checkpoints[i - 1] ?? 0)
      if (this.#isRestored(checkpointName(index), canStepBack)) return index
      this.#records = 0
      this.#startOver()
      this.#quarantineFile(checkpointName(index), 'checkpoint is damaged, the one before it is used')
    }
    return null
  }

  /** @param mayGiveUp else what is left of a damaged one is used */
  #isRestored(name: string, mayGiveUp: boolean): boolean {
    const file = this.#disk.open(`${this.#directory}/${name}`, 'r')
    try {
      const header = this.#header(file)
      const isWhole = header !== null && this.#applyWhole(file, header.key)
      if (header) this.#checkHeader(name, header.whole)
      if (!isWhole && !mayGiveUp) this.#note(name, 0, 0, 'checkpoint is damaged, what is left of it is used', null)
      return isWhole || !mayGiveUp
    } finally {
      file.close()
    }
  }

  #applyWhole(file: DiskFile, key: FileKey): boolean {
    let last = 0
    const result = scanFile(file, key, (type, payload) => {
      last = type
      if (type === CHECKPOINT_END) return
      this.#records++
      this.#visit(type, payload)
    })
    return last === CHECKPOINT_END && result.damaged.length === 0 && result.soundBytes === result.sizeBytes
  }

  #scan(name: string, isLast: boolean): void {
    const path = `${this.#directory}/${name}`
    const file = this.#disk.open(path, isLast ? 'r+' : 'r')
    try {
      const header = this.#header(file)
      const size = file.size()
      // A file that never got past its header page was being created when the power went.
      if (!header && isLast && size <= HEADER_PAGE_BYTES) {
        this.#removeUnborn(path, size)
        return
      }
      if (!header) {
        this.#quarantineRange(file, name, 0, size, 'header page is unreadable')
        return
      }
      const result = scanFile(file, header.key, (type, payload) => {
        this.#records++
        this.#visit(type, payload)
      })
      if (!header.whole && isLast && result.records === 0) {
        this.#removeUnborn(path, size)
        return
      }
      this.#checkHeader(name, header.whole)
      for (const [from, to] of result.damaged)
        this.#quarantineRange(file, name, from, to, 'checksum of a record does not match')
      this.#applyTail(file, name, isLast, result)
    } finally {
      file.close()
    }
  }

  #applyTail(file: DiskFile, name: string, isLast: boolean, result: ScanResult): void {
    const { soundBytes, sizeBytes } = result
    if (soundBytes >= sizeBytes) return
    if (isLast) this.#cutTail(file, `${this.#directory}/${name}`, soundBytes, sizeBytes)
    else this.#quarantineRange(file, name, soundBytes, sizeBytes, 'end of the file is unreadable')
  }

  #cutTail(file: DiskFile, path: string, soundBytes: number, sizeBytes: number): void {
    this.#log.warn('Cut off the torn tail of the last WAL segment', {
      file: path,
      fromByte: soundBytes,
      bytes: sizeBytes - soundBytes,
    })
    this.#tornBytes += sizeBytes - soundBytes
    // Durable before the next segment exists: from then on a bad tail here would count as damage.
    fatally(path, 'truncate', () => {
      file.truncate(soundBytes)
      file.datasync()
    })
  }

  #removeUnborn(path: string, sizeBytes: number): void {
    this.#log.warn('Removed a WAL segment whose creation was cut short', { file: path, bytes: sizeBytes })
    this.#tornBytes += sizeBytes
    fatally(path, 'remove', () => this.#disk.unlink(path))
    fatally(this.#directory, 'sync directory', () => this.#disk.syncDirectory(this.#directory))
  }

  #header(file: DiskFile): ReturnType<typeof decodeHeaderPage> {
    const page = new Uint8Array(HEADER_PAGE_BYTES)
    const n = file.read(page, 0, page.length, 0)
    return decodeHeaderPage(page.subarray(0, n))
  }

  #checkHeader(name: string, isWhole: boolean): void {
    if (!isWhole)
      this.#note(name, 0, HEADER_PAGE_BYTES, 'header page is damaged in part, its copy is used', null, HARMLESS)
  }

  #reportMissing(from: number, segments: readonly number[], checkpoint: number | null): void {
    // A checkpoint is written after its first segment was created, so that segment must be there.
    let expected = from
    if (checkpoint !== null && segments.length === 0) this.#note(segmentName(from), 0, 0, 'segment is missing', null)
    for (const index of segments) {
      while (expected < index) this.#note(segmentName(expected++), 0, 0, 'segment is missing', null)
      expected = index + 1
    }
  }

  #quarantineFile(name: string, what: string): void {
    const directory = `${this.#directory}/${QUARANTINE}`
    this.#disk.makeDirectory(directory)
    const path = `${this.#directory}/${name}`
    const sizeBytes = this.#disk.stat(path)?.sizeBytes ?? 0
    this.#disk.rename(path, `${directory}/${name}`)
    fatally(this.#directory, 'sync directory', () => this.#disk.syncDirectory(this.#directory))
    this.#note(name, 0, sizeBytes, what, `${directory}/${name}`, HARMLESS)
  }

  #quarantineRange(file: DiskFile, name: string, from: number, to: number, what: string): void {
    this.#note(name, from, to, what, this.#copyAside(file, name, from, to))
  }

  #copyAside(file: DiskFile, name: string, from: number, to: number): string | null {
    try {
      const directory = `${this.#directory}/${QUARANTINE}`
      this.#disk.makeDirectory(directory)
      let used = to - from
      for (const entry of this.#disk.readDirectory(directory))
        used += this.#disk.stat(`${directory}/${entry}`)?.sizeBytes ?? 0
      if (used > MAX_QUARANTINE_BYTES) return null
      const bytes = new Uint8Array(to - from)
      const n = file.read(bytes, 0, bytes.length, from)
      const path = `${directory}/${name}-${from}-${to}`
      this.#disk.writeFileAtomic(path, bytes.subarray(0, n))
      return path
    } catch (error) {
      // No room, or sectors that cannot be read: the copy is a help, not a condition of serving the rest.
      if (error instanceof DiskError) return null
      throw error
    }
  }

  #note(
    file: string,
    fromByte: number,
    toByte: number,
    what: string,
    quarantine: string | null,
    more: Pick<Damage, 'isHarmless'> = {},
  ): void {
    const damage: Damage = { file: `${this.#directory}/${file}`, fromByte, toByte, what, quarantine, ...more }
    this.#damages.push(damage)
    this.#log.error('WAL is damaged, the rest is served', { ...damage })
  }
}

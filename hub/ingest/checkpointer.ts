/**
 * Checkpoints beside ingest. The pages of the head are copied to the file while ingest writes to them; then, at one
 * moment between two commits, the ingest thread compares pages and file, and hands over what has changed, together with
 * the rest of its state. The file is finished and synced while ingest goes on. What is handed over is plain data.
 */
import type { Disk, DiskFile } from '../../protocol/env/mod.ts'
import { COPY_BYTES_MAX, type Copied, copyPages, type ReaderShare, SECTION_HEADER_BYTES } from '../tsdb/mod.ts'
import { CheckpointFile, type CheckpointTarget } from '../wal/mod.ts'
import { RecordType } from './record-types.ts'

/** What a checkpoint file has of the pages, so that it can be compared with them. */
export type PageCopies = {
  readonly path: string
  readonly sections: number
  readonly pages: number
  /** By page: where in the file the newest copy of each piece begins; 0 there is none. */
  readonly offsets: readonly Float64Array[]
  readonly lengths: readonly Uint32Array[]
}

/** Payload of a record. */
export type CheckpointRecord = readonly [type: number, payload: Uint8Array]

/** Writes one checkpoint at a time, elsewhere. Everything rejects with DiskFullError or FatalDiskError, or `code` of these. */
export interface Checkpointer {
  /** Begins a file. */
  copy(target: CheckpointTarget, share: ReaderShare): Promise<PageCopies>
  /** Resolves when the checkpoint is durable under its name. */
  finish(index: number, records: readonly CheckpointRecord[]): Promise<void>
  /** Gives up the file that was begun. */
  abort(): void
}

/** The writing side, in whatever thread. */
export class CheckpointCopier {
  readonly #disk: Disk
  readonly #file: CheckpointFile
  readonly #offsets: Float64Array[] = []
  readonly #lengths: Uint32Array[] = []
  #sections = 0

  /** @throws DiskFullError, FatalDiskError */
  constructor(disk: Disk, target: CheckpointTarget) {
    this.#disk = disk
    this.#file = new CheckpointFile(disk, target)
  }

  /** @throws DiskFullError, FatalDiskError */
  copy(share: ReaderShare): PageCopies {
    this.#round(share)
    // What changed while the first round took its time; while this one takes its, less does, and that is left to ingest.
    this.#round(share)
    return this.#copies()
  }

  /** @throws DiskFullError, FatalDiskError */
  finish(index: number, records: readonly CheckpointRecord[]): void {
    for (const [type, payload] of records) this.#file.add(type, [payload])
    this.#file.finish(index)
  }

  abort(): void {
    this.#file.abort()
  }

  #round(share: ReaderShare): void {
    const comparison = new CopiesOnDisk(this.#disk, this.#copies())
    try {
      for (const { section, page, from } of copyPages(share, comparison)) {
        const at = this.#file.add(RecordType.head, [section])
        this.#sections++
        if (from < 0) {
          this.#addPage(section)
          continue
        }
        const piece = from / COPY_BYTES_MAX
        this.#offsets[page]![piece] = at + SECTION_HEADER_BYTES
        this.#lengths[page]![piece] = section.length - SECTION_HEADER_BYTES
      }
    } finally {
      comparison.close()
    }
    this.#file.flush()
  }

  #addPage(section: Uint8Array): void {
    const pageBytes = new DataView(section.buffer, section.byteOffset).getUint32(12, true)
    const pieces = Math.ceil(pageBytes / COPY_BYTES_MAX)
    this.#offsets.push(new Float64Array(pieces))
    this.#lengths.push(new Uint32Array(pieces))
  }

  #copies(): PageCopies {
    const { path } = this.#file
    const [offsets, lengths] = [this.#offsets, this.#lengths]
    return { path, sections: this.#sections, pages: offsets.length, offsets, lengths }
  }
}

/** Compares pages with their copies in the file. Hot: bench/crash/recovery.bench.ts */
export class CopiesOnDisk implements Copied {
  readonly sections: number
  readonly pages: number
  readonly #copies: PageCopies
  readonly #file: DiskFile
  readonly #bytes = new Uint8Array(COPY_BYTES_MAX)

  /** @throws DiskError */
  constructor(disk: Disk, copies: PageCopies) {
    this.#copies = copies
    this.sections = copies.sections
    this.pages = copies.pages
    this.#file = disk.open(copies.path, 'r')
  }

  isHeld(page: number, from: number, bytes: Uint8Array): boolean {
    const piece = from / COPY_BYTES_MAX
    if (this.#copies.lengths[page]?.[piece] !== bytes.length) return false
    const at = this.#copies.offsets[page]![piece]!
    if (this.#file.read(this.#bytes, 0, bytes.length, at) !== bytes.length) return false
    // Native, and several times as fast as any loop.
    return Buffer.compare(this.#bytes.subarray(0, bytes.length), bytes) === 0
  }

  close(): void {
    this.#file.close()
  }
}

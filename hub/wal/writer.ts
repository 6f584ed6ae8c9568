/**
 * Writes one log file in groups. Records are framed into memory by `append`; `commit` makes the group durable with one
 * write and one `datasync`. A group that found no room stays in memory, to be committed again later.
 */
import { type Disk, DiskError, type DiskFile } from '../../protocol/env/mod.ts'
import { DiskFullError, FatalDiskError } from './errors.ts'
import { encodeHeaderPage, encodeRecord, type FileKey, HEADER_PAGE_BYTES, recordBytes } from './record.ts'

export class GroupBuffer {
  #bytes = new Uint8Array(1 << 16)
  #length = 0
  records = 0

  get length(): number {
    return this.#length
  }

  add(key: FileKey, type: number, parts: readonly Uint8Array[]): void {
    let payload = 0
    for (const part of parts) payload += part.length
    const needed = this.#length + recordBytes(payload)
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#length = encodeRecord(this.#bytes, this.#length, key, type, parts)
    this.records++
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
    this.records = 0
    if (this.#bytes.length > 16 << 20) this.#bytes = new Uint8Array(1 << 16)
  }
}

export class LogFile {
  readonly path: string
  /** Durable bytes: all before it survives a loss of power. */
  sizeBytes = HEADER_PAGE_BYTES
  readonly #file: DiskFile

  /** Creates the file with its header page; durable, directory entry included, when this returns. */
  constructor(disk: Disk, directory: string, name: string, key: FileKey) {
    this.path = `${directory}/${name}`
    this.#file = step(this.path, 'create', () => disk.open(this.path, 'wx'))
    try {
      step(this.path, 'write', () => this.#file.write(encodeHeaderPage(key), 0))
    } catch (error) {
      this.#file.close()
      if (error instanceof DiskFullError) step(this.path, 'remove', () => disk.unlink(this.path))
      throw error
    }
    this.sync()
    fatally(directory, 'sync directory', () => disk.syncDirectory(directory))
  }

  /** Writes behind the durable bytes; `sizeBytes` moves once `sync` has succeeded. */
  write(group: Uint8Array): void {
    try {
      step(this.path, 'write', () => this.#file.write(group, this.sizeBytes))
    } catch (error) {
      // What a full disk left of the group is cut off, so that the next attempt starts from the same place.
      if (error instanceof DiskFullError) fatally(this.path, 'truncate', () => this.#file.truncate(this.sizeBytes))
      throw error
    }
  }

  /** Not durable before the next `sync`. */
  rewriteHeader(key: FileKey): void {
    step(this.path, 'write', () => this.#file.write(encodeHeaderPage(key), 0))
  }

  sync(): void {
    fatally(this.path, 'sync', () => this.#file.datasync())
  }

  close(): void {
    this.#file.close()
  }
}

/** Runs a step whose only harmless failure is a full disk. */
export function step<T>(path: string, what: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
      throw new DiskFullError(path, error)
    throw error instanceof FatalDiskError ? error : new FatalDiskError(path, what, error)
  }
}

/** Runs a step after whose failure nothing about the disk is known: a full disk is no excuse. */
export function fatally<T>(path: string, what: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    throw new FatalDiskError(path, what, error)
  }
}

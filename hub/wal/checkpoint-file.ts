/**
 * Writes a checkpoint under a temporary name, record by record, through to the disk in groups, so that memory stays
 * flat whatever the head's size. It counts from `finish` on: whole, synced, and under its own name, durably.
 */
import type { Disk } from '../../protocol/env/mod.ts'
import { checkpointName, TEMPORARY_SUFFIX } from './names.ts'
import { type FileKey, RECORD_HEADER_BYTES } from './record.ts'
import { fatally, GroupBuffer, LogFile, step } from './writer.ts'

/** Last record of a whole checkpoint. */
export const CHECKPOINT_END = 0xffffffff
const GROUP_BYTES = 4 << 20

/** Where a checkpoint is to be written; plain data, so that another thread can do it. */
export type CheckpointTarget = { readonly directory: string; readonly key: Omit<FileKey, 'index'> }

export class CheckpointFile {
  readonly path: string
  readonly #disk: Disk
  readonly #target: CheckpointTarget
  readonly #file: LogFile
  readonly #key: FileKey
  readonly #group = new GroupBuffer()

  /** @throws DiskFullError, FatalDiskError */
  constructor(disk: Disk, target: CheckpointTarget) {
    this.#disk = disk
    this.#target = target
    this.#key = { ...target.key, index: 0 }
    const name = `checkpoint${TEMPORARY_SUFFIX}`
    this.path = `${target.directory}/${name}`
    if (disk.stat(this.path)) step(this.path, 'remove', () => disk.unlink(this.path))
    this.#file = new LogFile(disk, target.directory, name, this.#key)
  }

  /** Returns where in the file the payload begins. @throws DiskFullError, FatalDiskError */
  add(type: number, parts: readonly Uint8Array[]): number {
    const at = this.#file.sizeBytes + this.#group.length + RECORD_HEADER_BYTES
    this.#group.add(this.#key, type, parts)
    if (this.#group.length >= GROUP_BYTES) this.flush()
    return at
  }

  /** After it, all that was added can be read from the file. @throws DiskFullError, FatalDiskError */
  flush(): void {
    this.#file.write(this.#group.view())
    this.#file.sizeBytes += this.#group.length
    this.#group.clear()
  }

  /** As the checkpoint of all that segments before `index` said. @throws DiskFullError, FatalDiskError */
  finish(index: number): void {
    this.add(CHECKPOINT_END, [])
    this.flush()
    this.#file.rewriteHeader({ ...this.#key, index })
    this.#file.sync()
    this.#file.close()
    const { directory } = this.#target
    step(this.path, 'rename', () => this.#disk.rename(this.path, `${directory}/${checkpointName(index)}`))
    fatally(directory, 'sync directory', () => this.#disk.syncDirectory(directory))
  }

  /** What was written is taken away; a restart would do it, too. */
  abort(): void {
    this.#file.close()
    if (this.#disk.stat(this.path)) this.#disk.unlink(this.path)
  }
}

/**
 * How far an endpoint has got, on disk, twice: `KEY.json`, which is synced now and then, survives a loss of power;
 * `KEY.recent`, which is not and costs next to nothing, is nearer to the truth after a kill.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Disk, DiskError, type DiskFile, type Logger } from '../../protocol/env/mod.ts'
import { byteOf, positionOf, segmentOf, type WalPosition } from '../wal/mod.ts'

const FOLDER = 'remote-write'
const SYNCED = '.json'
const RECENT = '.recent'
/** segment u32, byte u32, crc32c of both u32; little endian. */
const RECENT_BYTES = 12

export class CursorFile {
  readonly #disk: Disk
  readonly #log: Logger
  readonly #path: string
  #saved: WalPosition | null = null
  #noted: WalPosition | null = null
  #recent: DiskFile | null = null

  constructor(disk: Disk, log: Logger, directory: string, key: string) {
    this.#disk = disk
    this.#log = log
    if (disk.stat(`${directory}/${FOLDER}`) === null) {
      disk.makeDirectory(`${directory}/${FOLDER}`)
      // What is saved in it is only as durable as its name.
      disk.syncDirectory(directory)
    }
    this.#path = `${directory}/${FOLDER}/${key}`
  }

  /** As it would be found after a loss of power; null: it was never saved. */
  get saved(): WalPosition | null {
    return this.#saved
  }

  /** Null: it was never saved. 0, the beginning of the log, where what was saved cannot be read. */
  load(): WalPosition | null {
    const path = `${this.#path}${SYNCED}`
    if (this.#disk.stat(path) === null) return null
    try {
      const { segment, byte } = JSON.parse(this.#disk.readText(path)) as Record<string, unknown>
      if (!isWord(segment) || !isWord(byte)) throw new Error('segment and byte must be numbers')
      this.#saved = positionOf(segment, byte)
    } catch (err) {
      this.#log.error('Cannot read how far was sent: some of what the log has may be sent again', { file: path, err })
    }
    return Math.max(this.#saved ?? 0, this.#readRecent())
  }

  /** Where it cannot be saved, what was sent since may be sent again. */
  save(position: WalPosition): void {
    this.note(position)
    if (position === this.#saved) return
    const path = `${this.#path}${SYNCED}`
    const text = `${JSON.stringify({ segment: segmentOf(position), byte: byteOf(position) })}\n`
    try {
      this.#disk.writeFileAtomic(path, text)
      this.#saved = position
    } catch (err) {
      if (!(err instanceof DiskError)) throw err
      this.#log.warn('Cannot save how far was sent', { file: path, err })
    }
  }

  /** Without waiting for the disk. */
  note(position: WalPosition): void {
    if (position === this.#noted) return
    const bytes = new Uint8Array(RECENT_BYTES)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, segmentOf(position), true)
    view.setUint32(4, byteOf(position), true)
    view.setUint32(8, crc32c(bytes.subarray(0, 8)), true)
    try {
      this.#recent ??= this.#disk.open(`${this.#path}${RECENT}`, 'w')
      this.#recent.write(bytes, 0)
      this.#noted = position
    } catch (err) {
      if (!(err instanceof DiskError)) throw err
      // `save` says so, if it is still so then.
    }
  }

  close(): void {
    this.#recent?.close()
    this.#recent = null
  }

  forget(): void {
    this.close()
    for (const ending of [SYNCED, RECENT])
      if (this.#disk.stat(`${this.#path}${ending}`) !== null) this.#disk.unlink(`${this.#path}${ending}`)
  }

  /** 0 where it says nothing. */
  #readRecent(): WalPosition {
    const path = `${this.#path}${RECENT}`
    if (this.#disk.stat(path) === null) return 0
    try {
      const bytes = this.#disk.readFile(path)
      if (bytes.length !== RECENT_BYTES) return 0
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
      if (view.getUint32(8, true) !== crc32c(bytes.subarray(0, 8))) return 0
      return positionOf(view.getUint32(0, true), view.getUint32(4, true))
    } catch (err) {
      if (err instanceof DiskError) return 0
      throw err
    }
  }
}

/** Cursors of endpoints that are configured no more go. */
export function forgetOthers(disk: Disk, directory: string, keys: ReadonlySet<string>): void {
  const folder = `${directory}/${FOLDER}`
  if (disk.stat(folder) === null) return
  for (const name of disk.readDirectory(folder)) {
    const ending = [SYNCED, RECENT].find((each) => name.endsWith(each))
    if (ending && !keys.has(name.slice(0, -ending.length))) disk.unlink(`${folder}/${name}`)
  }
}

const isWord = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32

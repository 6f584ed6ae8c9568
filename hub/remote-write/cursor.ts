/** How far an endpoint has got, on disk. */
import { type Disk, DiskError, type Logger } from '../../protocol/env/mod.ts'
import { byteOf, positionOf, segmentOf, type WalPosition } from '../wal/mod.ts'

const FOLDER = 'remote-write'

export class CursorFile {
  readonly #disk: Disk
  readonly #log: Logger
  readonly #path: string
  #saved: WalPosition | null = null

  constructor(disk: Disk, log: Logger, directory: string, key: string) {
    this.#disk = disk
    this.#log = log
    disk.makeDirectory(`${directory}/${FOLDER}`)
    this.#path = `${directory}/${FOLDER}/${key}.json`
  }

  /** As it is on disk; null: it was never saved. */
  get saved(): WalPosition | null {
    return this.#saved
  }

  load(): WalPosition | null {
    if (this.#disk.stat(this.#path) === null) return null
    try {
      const { segment, byte } = JSON.parse(this.#disk.readText(this.#path)) as Record<string, unknown>
      if (!isWord(segment) || !isWord(byte)) throw new Error('segment and byte must be numbers')
      this.#saved = positionOf(segment, byte)
    } catch (err) {
      this.#log.error('Cannot read how far was sent; only what is stored from now on is', { file: this.#path, err })
    }
    return this.#saved
  }

  /** Where it cannot be saved, what was sent since may be sent again. */
  save(position: WalPosition): void {
    if (position === this.#saved) return
    const text = `${JSON.stringify({ segment: segmentOf(position), byte: byteOf(position) })}\n`
    try {
      this.#disk.writeFileAtomic(this.#path, text)
      this.#saved = position
    } catch (err) {
      if (!(err instanceof DiskError)) throw err
      this.#log.warn('Cannot save how far was sent', { file: this.#path, err })
    }
  }

  forget(): void {
    if (this.#disk.stat(this.#path) !== null) this.#disk.unlink(this.#path)
  }
}

/** Cursors of endpoints that are configured no more go. */
export function forgetOthers(disk: Disk, directory: string, keys: ReadonlySet<string>): void {
  const folder = `${directory}/${FOLDER}`
  if (disk.stat(folder) === null) return
  for (const name of disk.readDirectory(folder))
    if (name.endsWith('.json') && !keys.has(name.slice(0, -'.json'.length))) disk.unlink(`${folder}/${name}`)
}

const isWord = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32

/**
 * The file of deletions that are not yet carried out in every block. It is on disk before a deletion is answered; with
 * a byte changed it is set aside, and what was deleted comes back to light rather than the hub failing to start.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Disk, DiskError, type Logger } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { BlockMeta } from './contract.ts'
import type { Tombstone } from './hiding.ts'

export const TOMBSTONES_FILE = 'tombstones.json'
/** Each costs every query of its time; `clean_tombstones` takes them away. */
const TOMBSTONES_MAX = 10_000

type Saved = { readonly version: 1; readonly lastId: number; readonly tombstones: readonly Tombstone[] }

export class TombstoneFile {
  readonly #disk: Disk
  readonly path: string
  #list: readonly Tombstone[] = []
  #lastId = 0
  isDamaged = false

  /** @throws DiskError */
  constructor(disk: Disk, path: string, log: Logger) {
    this.#disk = disk
    this.path = path
    try {
      const { lastId, tombstones } = decode(disk.readText(path))
      this.#lastId = lastId
      this.#list = tombstones
    } catch (err) {
      if (err instanceof DiskError) {
        if (err.code === 'ENOENT') return
        throw err
      }
      this.isDamaged = true
      log.error('The list of deletions is damaged and set aside; deleted samples that were not cleaned up are back', {
        file: path,
        err,
      })
      disk.rename(path, `${path}.damaged`)
    }
  }

  list(): readonly Tombstone[] {
    return this.#list
  }

  /** Of the newest, ever. */
  get lastId(): number {
    return this.#lastId
  }

  /** Durable when it returns. @throws DiskError, and Error when there are too many */
  add(deletions: readonly Omit<Tombstone, 'id' | 'inHead'>[]): void {
    if (this.#list.length + deletions.length > TOMBSTONES_MAX)
      throw new Error(
        `there are ${this.#list.length} deletions that are not cleaned up, and at most ${TOMBSTONES_MAX} are kept; call clean_tombstones first`,
      )
    const more = deletions.map((each, i) => ({ id: this.#lastId + 1 + i, ...each, inHead: true }))
    this.#save([...this.#list, ...more], this.#lastId + more.length)
  }

  /**
   * Forgets deletions that no block shows any more. A gap between ids is of no consequence.
   * @param headMinTime the head, and what the log would bring back, has nothing before it; null: not known
   * @param isOpen whether a block that is on disk under its name may still show what was deleted
   */
  prune(headMinTime: number | null, isOpen: (deletion: Tombstone) => boolean): void {
    const kept: Tombstone[] = []
    for (const each of this.#list) {
      const inHead = each.inHead && !(headMinTime !== null && headMinTime > inHeadUntil(each))
      if (inHead || isOpen(each)) kept.push(inHead === each.inHead ? each : { ...each, inHead })
    }
    if (kept.length < this.#list.length || kept.some((each, i) => each !== this.#list[i]))
      this.#save(kept, this.#lastId)
  }

  #save(tombstones: readonly Tombstone[], lastId: number): void {
    writeTombstones(this.#disk, this.path, tombstones, lastId)
    this.#list = tombstones
    this.#lastId = lastId
  }
}

/** What is wrong with a list of deletions; null: nothing, or there is none. @throws DiskError */
export function tombstonesDamage(disk: Disk, path: string): string | null {
  if (!disk.stat(path)) return null
  const text = disk.readText(path)
  try {
    decode(text)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/** Durable when it returns. @throws DiskError */
export function writeTombstones(disk: Disk, path: string, tombstones: readonly Tombstone[], lastId: number): void {
  disk.writeFileAtomic(path, encode({ version: 1, lastId, tombstones }))
}

const inHeadUntil = ({ headMaxTime, maxTime }: Tombstone): number => headMaxTime ?? maxTime

/** Whether the block may hold samples that the tombstone hides. */
export function isOpenIn({ id, minTime, maxTime }: Tombstone, block: BlockMeta): boolean {
  return id > (block.deletes ?? 0) && minTime < block.maxTime && maxTime >= block.minTime
}

/**
 * All series, or those that the matchers select, in a range that ends no later than the newest sample.
 * @param newest what comes later is no business of this deletion: to the head, and in blocks that are not there yet
 */
export function deletionOf(
  matchers: readonly Matcher[],
  { minTime, maxTime }: { readonly minTime: number; readonly maxTime: number },
  newest: { readonly inHead: number; readonly inBlocks: number },
): Omit<Tombstone, 'id' | 'inHead'> | null {
  const from = Math.max(minTime, Number.MIN_SAFE_INTEGER)
  const to = Math.min(maxTime, Math.max(newest.inHead, newest.inBlocks))
  if (from > to) return null
  return { matchers, minTime: from, maxTime: to, ...(newest.inHead < to && { headMaxTime: newest.inHead }) }
}

function encode(saved: Saved): string {
  const body = JSON.stringify(saved)
  return `${JSON.stringify({ crc32c: crc32c(new TextEncoder().encode(body)) })}\n${body}\n`
}

function decode(text: string): Saved {
  const saved = JSON.parse(text.split('\n')[1] ?? '') as Saved
  if (encode(saved) !== text) throw new Error('wrong checksum')
  if (saved.version !== 1) throw new Error(`version ${saved.version}, which this hub does not know`)
  return saved
}

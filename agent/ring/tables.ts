/**
 * What the ring's policy needs from a storage engine: batches by id, a few named state values, transactions, and how
 * much room is left. Synchronous: the SQLite adapter lives in a worker of its own. Every value is stored with a
 * CRC32C over its key and bytes, and verified on every read (`ringChecksum`).
 */
import { crc32c } from '../../protocol/crc/mod.ts'

export interface RingTables {
  /** Commits when `fn` returns, rolls back when it throws. @throws RingDamage, or RingStoreError `IO` or `FULL` */
  transaction<T>(fn: () => T): T
  putBatch(id: number, head: Uint8Array, body: Uint8Array): void
  deleteBatch(id: number): void
  /** Null when there is none. @throws RingDamage */
  head(id: number): Uint8Array | null
  body(id: number): Uint8Array | null
  /** In ascending order of id. */
  heads(): Iterable<readonly [id: number, head: Uint8Array]>
  state(key: string): Uint8Array | null
  putState(key: string, value: Uint8Array): void
  deleteState(key: string): void
  stateKeys(prefix: string): string[]
  /** Bytes of batches that may still be put before the cap; counts what this transaction has freed. */
  freeBytes(): number
  /** All files together. */
  fileBytes(): number
  close(): void
}

/** A damaged file, read as far as it goes: what cannot be read or does not match its checksum is left out. */
export interface SalvageSource {
  /** Every id that shows up in either table, ascending. */
  ids(): number[]
  head(id: number): Uint8Array | null
  body(id: number): Uint8Array | null
  state(key: string): Uint8Array | null
  stateKeys(prefix: string): string[]
}

/** Where tables come from, and where damaged ones go. */
export interface RingFiles {
  readonly capBytes: number
  /** @throws RingDamage, or RingStoreError `LOCKED` or `IO` */
  open(): RingTables
  /**
   * Puts new tables in the place of the old ones, which are kept under another name (the last such file only).
   * `copy` fills the new tables; a crash before it has returned leaves the old file in place.
   */
  replace(reason: string, copy: (from: SalvageSource, to: RingTables) => void): { tables: RingTables; file: string }
  /** Survives the loss of the tables, so that an epoch is never used twice. 0 when unknown. */
  readEpoch(): number
  writeEpoch(epoch: number): void
}

/** Stored bytes that cannot be what was written. */
export class RingDamage extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RingDamage'
  }
}

const encoder = new TextEncoder()

/** Over the key too, so that a value that turns up in another's place is noticed. */
export function ringChecksum(key: string | number, bytes: Uint8Array): number {
  const prefix = encoder.encode(`${key}:`)
  return crc32c(bytes, 0, bytes.length, crc32c(prefix))
}

/** @throws RingDamage */
export function verified(what: string, key: string | number, bytes: unknown, checksum: unknown): Uint8Array {
  if (!(bytes instanceof Uint8Array)) throw new RingDamage(`Cannot read ${what} "${key}" of the ring: not bytes`)
  const found = ringChecksum(key, bytes)
  if (found !== checksum)
    throw new RingDamage(`Cannot read ${what} "${key}" of the ring: checksum ${checksum} expected, got ${found}`)
  return bytes
}

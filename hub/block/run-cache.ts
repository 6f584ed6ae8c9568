/**
 * What a thread keeps of inflated runs and decoded times between queries, within a number of bytes. What was used since
 * it last stood first in the line to go gets another turn: a hit costs one look-up, and moves nothing.
 */

type Entry = { readonly value: unknown; readonly bytes: number; isUsed: boolean }

export class RunCache {
  readonly #maxBytes: number
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  hits = 0
  misses = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Undefined when it is not there. */
  find(key: string): unknown {
    const known = this.#entries.get(key)
    if (known === undefined) return undefined
    this.hits++
    known.isUsed = true
    return known.value
  }

  /** What `make` gave for the key, now or before. It is not kept when it throws. */
  get<T>(key: string, make: () => T, bytesOf: (value: T) => number): T {
    const known = this.find(key)
    if (known !== undefined) return known as T
    this.misses++
    const value = make()
    const bytes = bytesOf(value)
    this.#entries.set(key, { value, bytes, isUsed: false })
    this.#bytes += bytes
    this.#makeRoom(key)
    return value
  }

  #makeRoom(newest: string): void {
    if (this.#bytes <= this.#maxBytes) return
    // Those that get another turn come again at the end of this very walk, and go if all were used.
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) return
      if (oldest === newest && this.#entries.size === 1) return
      this.#entries.delete(oldest)
      if (entry.isUsed || oldest === newest) {
        entry.isUsed = false
        this.#entries.set(oldest, entry)
      } else this.#bytes -= entry.bytes
    }
  }

  /** Forgets what is of the block. */
  forget(prefix: string): void {
    for (const [key, entry] of this.#entries) {
      if (!key.startsWith(prefix)) continue
      this.#entries.delete(key)
      this.#bytes -= entry.bytes
    }
  }
}

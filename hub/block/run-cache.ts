/** What a thread keeps of inflated runs and decoded times between queries: the last used, within a number of bytes. */

export class RunCache {
  readonly #maxBytes: number
  readonly #entries = new Map<string, { readonly value: unknown; readonly bytes: number }>()
  #bytes = 0
  hits = 0
  misses = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What `make` gave for the key, now or before. It is not kept when it throws. */
  get<T>(key: string, make: () => T, bytesOf: (value: T) => number): T {
    const known = this.#entries.get(key)
    if (known) {
      this.hits++
      this.#entries.delete(key)
      this.#entries.set(key, known)
      return known.value as T
    }
    this.misses++
    const value = make()
    const bytes = bytesOf(value)
    this.#entries.set(key, { value, bytes })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break
      this.#entries.delete(oldest)
      this.#bytes -= entry.bytes
    }
    return value
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

/** Short byte strings by number, kept one after the other in a few large buffers; never moved, freed all at once. */
const CHUNK_BYTES = 1 << 20
/** None yet. */
const NOWHERE = 0xffffffff

export class ByteArena {
  readonly #maxBytes: number
  readonly #chunks: Uint8Array[] = []
  #used = CHUNK_BYTES
  #at = new Uint32Array(1024).fill(NOWHERE)
  #lengths = new Uint32Array(1024)

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** A view; null where there is nothing. */
  get(n: number): Uint8Array | null {
    if (n >= this.#at.length || this.#at[n] === NOWHERE) return null
    const at = this.#at[n]!
    const from = at % CHUNK_BYTES
    return this.#chunks[Math.floor(at / CHUNK_BYTES)]!.subarray(from, from + this.#lengths[n]!)
  }

  /** Copied. False: there is no room for it. */
  put(n: number, bytes: Uint8Array): boolean {
    if (bytes.length > CHUNK_BYTES) return false
    if (this.#chunks.length === 0 || this.#used + bytes.length > CHUNK_BYTES) {
      if ((this.#chunks.length + 1) * CHUNK_BYTES > this.#maxBytes) return false
      this.#chunks.push(new Uint8Array(CHUNK_BYTES))
      this.#used = 0
    }
    if (n >= this.#at.length) this.#grow(n)
    this.#chunks.at(-1)!.set(bytes, this.#used)
    this.#at[n] = (this.#chunks.length - 1) * CHUNK_BYTES + this.#used
    this.#lengths[n] = bytes.length
    this.#used += bytes.length
    return true
  }

  #grow(n: number): void {
    const size = Math.max(n + 1, 2 * this.#at.length)
    const at = new Uint32Array(size).fill(NOWHERE)
    at.set(this.#at)
    this.#at = at
    const lengths = new Uint32Array(size)
    lengths.set(this.#lengths)
    this.#lengths = lengths
  }
}

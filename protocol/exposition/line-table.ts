/**
 * The lines that a target has shown, as bytes: a series' name and labels, or a whole meta line. Each has a small
 * number, its *slot*, and remembers which slot followed it in the last scrape, so that the reader compares instead of
 * looking up.
 *
 *     arena   │name{a="b"}│# TYPE x gauge\n│name{a="c"}│…      starts[slot], lengths[slot]
 *
 * Slot 0 is no line: it is what "follows" nothing and precedes the first line.
 */
export const LineKind = { none: 0, series: 1, help: 2, type: 3, unit: 4, comment: 5, created: 6 } as const
export type LineKind = (typeof LineKind)[keyof typeof LineKind]

export class LineTable {
  arena = new Uint8Array(4096)
  view = new DataView(this.arena.buffer)
  starts = new Int32Array(64)
  lengths = new Int32Array(64)
  kinds = new Uint8Array(64)
  /** Slot that followed in the last scrape; 0 unknown. */
  next = new Int32Array(64)
  /** Scrape that saw the line last. */
  seen = new Int32Array(64)
  /** One past the last slot. */
  count = 1
  #hashes = new Int32Array(64)
  /** Open addressing over slots; a power of two, at most half full. */
  #buckets = new Int32Array(128)
  #arenaBytes = 0

  /** Bytes held: arena and columns. */
  get sizeBytes(): number {
    return this.arena.length + this.starts.length * 21 + this.#buckets.length * 4
  }

  /** The slot of the line `page[from, to)`, or 0. */
  find(page: Uint8Array, from: number, to: number): number {
    const hash = hashBytes(page, from, to)
    const mask = this.#buckets.length - 1
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = this.#buckets[i]!
      if (slot === 0) return 0
      if (this.#hashes[slot] === hash && this.#equals(slot, page, from, to)) return slot
    }
  }

  /** Whether the slot's line is `page[0, length)`. @param view over `page` */
  is(slot: number, page: Uint8Array, view: DataView, length: number): boolean {
    if (slot === 0 || this.lengths[slot] !== length) return false
    const start = this.starts[slot]!
    let i = 0
    for (const words = length - 3; i < words; i += 4)
      if (view.getInt32(i, true) !== this.view.getInt32(start + i, true)) return false
    for (; i < length; i++) if (page[i] !== this.arena[start + i]) return false
    return true
  }

  /** Adds a line that `find` does not know. */
  add(page: Uint8Array, from: number, to: number, kind: LineKind): number {
    const slot = this.count
    if (slot === this.starts.length) this.#growColumns()
    if (2 * slot >= this.#buckets.length) this.#rehash(4 * slot)
    const length = to - from
    this.#reserve(length)
    this.arena.set(page.subarray(from, to), this.#arenaBytes)
    this.starts[slot] = this.#arenaBytes
    this.lengths[slot] = length
    this.kinds[slot] = kind
    this.next[slot] = 0
    this.seen[slot] = -1
    this.#hashes[slot] = hashBytes(page, from, to)
    this.#arenaBytes += length
    this.count++
    this.#insert(slot)
    return slot
  }

  /**
   * Forgets the lines that were last seen by other scrapes than these two. Slots move.
   * @returns old slot → new slot, 0 for forgotten ones; length is the old count
   */
  retain(scrape: number, other: number): Int32Array {
    const map = new Int32Array(this.count)
    const oldCount = this.count
    let bytes = 0
    let kept = 1
    for (let slot = 1; slot < oldCount; slot++) {
      const seen = this.seen[slot]!
      if (seen !== scrape && seen !== other) continue
      map[slot] = kept
      const from = this.starts[slot]!
      const length = this.lengths[slot]!
      this.arena.copyWithin(bytes, from, from + length)
      this.starts[kept] = bytes
      this.lengths[kept] = length
      this.kinds[kept] = this.kinds[slot]!
      this.seen[kept] = seen
      this.#hashes[kept] = this.#hashes[slot]!
      this.next[kept] = this.next[slot]!
      bytes += length
      kept++
    }
    this.count = kept
    this.#arenaBytes = bytes
    for (let slot = 0; slot < kept; slot++) this.next[slot] = map[this.next[slot]!]!
    this.#shrink()
    return map
  }

  #equals(slot: number, page: Uint8Array, from: number, to: number): boolean {
    const length = to - from
    if (this.lengths[slot] !== length) return false
    const start = this.starts[slot]!
    for (let i = 0; i < length; i++) if (this.arena[start + i] !== page[from + i]) return false
    return true
  }

  #insert(slot: number): void {
    const mask = this.#buckets.length - 1
    let i = this.#hashes[slot]! & mask
    while (this.#buckets[i] !== 0) i = (i + 1) & mask
    this.#buckets[i] = slot
  }

  #rehash(atLeast: number): void {
    let size = 128
    while (size < atLeast) size *= 2
    this.#buckets = new Int32Array(size)
    for (let slot = 1; slot < this.count; slot++) this.#insert(slot)
  }

  #reserve(bytes: number): void {
    if (this.#arenaBytes + bytes <= this.arena.length) return
    this.#moveArena(Math.max(2 * this.arena.length, this.#arenaBytes + bytes))
  }

  #moveArena(size: number): void {
    const arena = new Uint8Array(size)
    arena.set(this.arena.subarray(0, this.#arenaBytes))
    this.arena = arena
    this.view = new DataView(arena.buffer)
  }

  #growColumns(): void {
    this.#resizeColumns(2 * this.starts.length)
  }

  #shrink(): void {
    if (4 * this.count < this.starts.length) this.#resizeColumns(Math.max(64, 2 * this.count))
    if (4 * this.#arenaBytes < this.arena.length) this.#moveArena(Math.max(4096, 2 * this.#arenaBytes))
    this.#rehash(4 * this.count)
  }

  #resizeColumns(size: number): void {
    this.starts = resized(this.starts, size)
    this.lengths = resized(this.lengths, size)
    this.next = resized(this.next, size)
    this.seen = resized(this.seen, size)
    this.#hashes = resized(this.#hashes, size)
    const kinds = new Uint8Array(size)
    kinds.set(this.kinds.subarray(0, size))
    this.kinds = kinds
  }
}

function resized(column: Int32Array<ArrayBuffer>, size: number): Int32Array<ArrayBuffer> {
  const out = new Int32Array(size)
  out.set(column.subarray(0, size))
  return out
}

/** FNV-1a, finished so that the low bits are good. */
function hashBytes(page: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5 | 0
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ page[i]!, 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) | 0
}

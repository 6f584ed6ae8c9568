/**
 * Series refs by the hash of their labels as a remote writer encodes them (protocol/remote-write/label-hash.ts): a
 * known series costs one probe, and no string. Typed arrays, 5 bytes a slot and 8 a ref, so nothing of it is on the heap.
 *
 * Hashes stand by ref, not by slot: writers send series in the order in which they came first, so the hashes that are
 * compared follow each other, and free slots weigh less. A byte of it by slot keeps a look-up from others' hashes, and that
 * of a new series from all. Of a series that comes in two encodings only the last is known.
 */
import type { SeriesRef } from '../tsdb/contract.ts'

const FIRST_SLOTS = 1024
/** 16 M slots, 84 MB, and 90 of hashes: beyond it the cache begins anew rather than grow. */
const MAX_SLOTS = 1 << 24
/** Log2 of the refs whose hashes are together; of refs that are all dead they are given back. */
const PART_SHIFT = 13
const PART_MASK = (1 << PART_SHIFT) - 1

export class RefCache {
  /** See `tagOf`; 0 free. */
  #tags = new Uint8Array(FIRST_SLOTS)
  #refs = new Uint32Array(FIRST_SLOTS)
  #used = 0
  /** Two words a ref, never both 0 (see there) for one that is in a slot. */
  #parts: (Uint32Array | undefined)[] = []

  get size(): number {
    return this.#used
  }

  get byteLength(): number {
    return this.#parts.reduce(
      (sum, part) => sum + (part?.byteLength ?? 0),
      this.#tags.byteLength + this.#refs.byteLength,
    )
  }

  /** -1 when unknown. Hot. */
  get(low: number, high: number): SeriesRef {
    const tags = this.#tags
    const mask = tags.length - 1
    const wanted = tagOf(high)
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const tag = tags[slot]!
      if (tag === 0) return -1
      if (tag !== wanted) continue
      const ref = this.#refs[slot]!
      const part = this.#parts[ref >>> PART_SHIFT]!
      const at = 2 * (ref & PART_MASK)
      if (part[at] === low && part[at + 1] === high) return ref
    }
  }

  set(low: number, high: number, ref: SeriesRef): void {
    if ((this.#used + 1) * 3 > this.#refs.length * 2) this.#grow()
    const parts = this.#parts
    // Without holes, which would make a slow array of it.
    while (parts.length <= ref >>> PART_SHIFT) parts.push(undefined)
    parts[ref >>> PART_SHIFT] ??= new Uint32Array(2 << PART_SHIFT)
    const part = parts[ref >>> PART_SHIFT]!
    part[2 * (ref & PART_MASK)] = low
    part[2 * (ref & PART_MASK) + 1] = high
    this.#put(low, high, ref)
  }

  /** Retention has removed series: their refs are void. */
  forgetDead(isLive: (ref: SeriesRef) => boolean): void {
    let live = 0
    this.#forEach((ref) => {
      if (isLive(ref)) live++
    })
    if (live < this.#used) this.#rebuild(slotsFor(live), isLive)
  }

  #grow(): void {
    if (this.#refs.length >= MAX_SLOTS) this.#rebuild(FIRST_SLOTS, () => false)
    else this.#rebuild(this.#refs.length * 2, () => true)
  }

  #rebuild(slotCount: number, keep: (ref: SeriesRef) => boolean): void {
    this.#tags = new Uint8Array(slotCount)
    this.#refs = new Uint32Array(slotCount)
    this.#used = 0
    const kept = new Set<number>()
    this.#forEach((ref, part, at) => {
      if (keep(ref)) {
        kept.add(ref >>> PART_SHIFT)
        this.#put(part[at]!, part[at + 1]!, ref)
      } else part.fill(0, at, at + 2)
    })
    this.#parts.forEach((_, i, parts) => {
      if (!kept.has(i)) parts[i] = undefined
    })
  }

  /** Calls `visit` with each ref that has a hash, ascending, and where that is. */
  #forEach(visit: (ref: SeriesRef, part: Uint32Array, at: number) => void): void {
    this.#parts.forEach((part, i) => {
      if (part === undefined) return
      for (let at = 0; at < part.length; at += 2)
        if (part[at] !== 0 || part[at + 1] !== 0) visit((i << PART_SHIFT) + (at >>> 1), part, at)
    })
  }

  /** It may be there: of a series that comes in two encodings by turns. */
  #put(low: number, high: number, ref: SeriesRef): void {
    const tags = this.#tags
    const refs = this.#refs
    const mask = tags.length - 1
    let slot = low & mask
    while (tags[slot] !== 0 && refs[slot] !== ref) slot = (slot + 1) & mask
    if (tags[slot] === 0) this.#used++
    tags[slot] = tagOf(high)
    refs[slot] = ref
  }
}

function tagOf(high: number): number {
  return high & 255 || 255
}

function slotsFor(count: number): number {
  let slots = FIRST_SLOTS
  while ((count + 1) * 3 > slots * 2) slots *= 2
  return slots
}

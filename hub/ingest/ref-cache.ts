/**
 * Series refs by the hash of their labels as a remote writer encodes them (protocol/remote-write/label-hash.ts): a
 * known series costs one probe, and no string. Typed arrays, 4 bytes a slot and 8 a ref, so nothing of it is on the heap.
 *
 * Hashes stand by ref, not by slot: writers send series in the order in which they came first, so the hashes that are
 * compared follow each other, and free slots weigh less. Of a series that comes in two encodings only the last is known.
 */
import type { SeriesRef } from '../tsdb/contract.ts'

const FIRST_SLOTS = 1024
/** 16 M slots, 64 MB, and 90 of hashes: beyond it the cache begins anew rather than grow. */
const MAX_SLOTS = 1 << 24
/** Log2 of the refs whose hashes are together; of refs that are all dead they are given back. */
const PART_SHIFT = 13
const PART_MASK = (1 << PART_SHIFT) - 1

export class RefCache {
  /** Ref + 1; 0 free. */
  #slots = new Uint32Array(FIRST_SLOTS)
  #used = 0
  /** Two words a ref, never both 0 (see there) for one that is in `#slots`. */
  #parts: (Uint32Array | undefined)[] = []

  get size(): number {
    return this.#used
  }

  get byteLength(): number {
    return this.#parts.reduce((sum, part) => sum + (part?.byteLength ?? 0), this.#slots.byteLength)
  }

  /** -1 when unknown. Hot. */
  get(low: number, high: number): SeriesRef {
    const slots = this.#slots
    const parts = this.#parts
    const mask = slots.length - 1
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const ref = slots[slot]! - 1
      if (ref < 0) return -1
      const part = parts[ref >>> PART_SHIFT]!
      const at = 2 * (ref & PART_MASK)
      if (part[at] === low && part[at + 1] === high) return ref
    }
  }

  set(low: number, high: number, ref: SeriesRef): void {
    if ((this.#used + 1) * 3 > this.#slots.length * 2) this.#grow()
    const parts = this.#parts
    // Without holes, which would make a slow array of it.
    while (parts.length <= ref >>> PART_SHIFT) parts.push(undefined)
    parts[ref >>> PART_SHIFT] ??= new Uint32Array(2 << PART_SHIFT)
    const part = parts[ref >>> PART_SHIFT]!
    part[2 * (ref & PART_MASK)] = low
    part[2 * (ref & PART_MASK) + 1] = high
    this.#put(low, ref)
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
    if (this.#slots.length >= MAX_SLOTS) this.#rebuild(FIRST_SLOTS, () => false)
    else this.#rebuild(this.#slots.length * 2, () => true)
  }

  #rebuild(slotCount: number, keep: (ref: SeriesRef) => boolean): void {
    this.#slots = new Uint32Array(slotCount)
    this.#used = 0
    const kept = new Set<number>()
    this.#forEach((ref, part, at) => {
      if (keep(ref)) {
        kept.add(ref >>> PART_SHIFT)
        this.#put(part[at]!, ref)
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
  #put(low: number, ref: SeriesRef): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = low & mask
    while (slots[slot] !== 0 && slots[slot] !== ref + 1) slot = (slot + 1) & mask
    if (slots[slot] === 0) this.#used++
    slots[slot] = ref + 1
  }
}

function slotsFor(count: number): number {
  let slots = FIRST_SLOTS
  while ((count + 1) * 3 > slots * 2) slots *= 2
  return slots
}

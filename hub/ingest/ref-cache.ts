/**
 * Series refs by the hash of their labels as a remote writer encodes them (protocol/remote-write/label-hash.ts): a
 * known series costs one probe, and no string. Typed arrays, 12 bytes a slot, so nothing of it is on the heap.
 */
import type { SeriesRef } from '../tsdb/contract.ts'

const FIRST_SLOTS = 1024
/** 16 M slots, 200 MB: beyond it the cache begins anew rather than grow. */
const MAX_SLOTS = 1 << 24

export class RefCache {
  /** Two words a slot. */
  #keys = new Uint32Array(2 * FIRST_SLOTS)
  /** Ref + 1; 0 free. */
  #refs = new Uint32Array(FIRST_SLOTS)
  #used = 0

  get size(): number {
    return this.#used
  }

  /** -1 when unknown. Hot. */
  get(low: number, high: number): SeriesRef {
    const keys = this.#keys
    const refs = this.#refs
    const mask = refs.length - 1
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const ref = refs[slot]!
      if (ref === 0) return -1
      if (keys[2 * slot] === low && keys[2 * slot + 1] === high) return ref - 1
    }
  }

  set(low: number, high: number, ref: SeriesRef): void {
    if ((this.#used + 1) * 3 > this.#refs.length * 2) this.#grow()
    this.#put(low, high, ref)
  }

  /** Retention has removed series: their refs are void. */
  forgetDead(isLive: (ref: SeriesRef) => boolean): void {
    let live = 0
    for (const ref of this.#refs) if (ref !== 0 && isLive(ref - 1)) live++
    if (live < this.#used) this.#rebuild(slotsFor(live), isLive)
  }

  #grow(): void {
    if (this.#refs.length >= MAX_SLOTS) this.#rebuild(FIRST_SLOTS, () => false)
    else this.#rebuild(this.#refs.length * 2, () => true)
  }

  #rebuild(slots: number, keep: (ref: SeriesRef) => boolean): void {
    const keys = this.#keys
    const refs = this.#refs
    this.#keys = new Uint32Array(2 * slots)
    this.#refs = new Uint32Array(slots)
    this.#used = 0
    for (let slot = 0; slot < refs.length; slot++) {
      const ref = refs[slot]!
      if (ref !== 0 && keep(ref - 1)) this.#put(keys[2 * slot]!, keys[2 * slot + 1]!, ref - 1)
    }
  }

  #put(low: number, high: number, ref: SeriesRef): void {
    const mask = this.#refs.length - 1
    let slot = low & mask
    while (this.#refs[slot] !== 0) slot = (slot + 1) & mask
    this.#keys[2 * slot] = low
    this.#keys[2 * slot + 1] = high
    this.#refs[slot] = ref + 1
    this.#used++
  }
}

function slotsFor(count: number): number {
  let slots = FIRST_SLOTS
  while ((count + 1) * 3 > slots * 2) slots *= 2
  return slots
}

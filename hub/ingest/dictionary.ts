/** Dictionary ids of one (agent, epoch) as refs of the head: integers in, integers out, once the labels were seen. */
import type { SeriesRef } from '../tsdb/contract.ts'

/** The id was never defined here. */
export const UNDEFINED = 0xffffffff
/** A limit refused the series: its samples are counted and dropped. */
export const REFUSED = 0xfffffffe

/** Ids are dense; one further off than this is no honest dictionary. */
export const MAX_SERIES_ID = 1 << 24

export class Dictionary {
  #refs = new Uint32Array(0)
  /** Ids that have a ref. */
  size = 0

  ref(id: number): number {
    return id < this.#refs.length ? this.#refs[id]! : UNDEFINED
  }

  /** @param ref a ref, or `REFUSED` */
  set(id: number, ref: SeriesRef): void {
    if (id >= this.#refs.length) {
      const grown = new Uint32Array(Math.max(64, id + 1, this.#refs.length * 2)).fill(UNDEFINED)
      grown.set(this.#refs)
      this.#refs = grown
    }
    const known = this.#refs[id]!
    if (known >= REFUSED && ref < REFUSED) this.size++
    this.#refs[id] = ref
  }

  /** Refuses the ids whose series is gone; returns how many there were. */
  refuseDead(isLive: (ref: SeriesRef) => boolean): number {
    let dead = 0
    const refs = this.#refs
    for (let id = 0; id < refs.length; id++) {
      if (refs[id]! >= REFUSED || isLive(refs[id]!)) continue
      refs[id] = REFUSED
      this.size--
      dead++
    }
    return dead
  }

  save(): Uint8Array {
    return new Uint8Array(this.#refs.slice().buffer)
  }

  static load(refs: Uint8Array): Dictionary {
    const dictionary = new Dictionary()
    dictionary.#refs = new Uint32Array(new Uint8Array(refs).buffer)
    for (const ref of dictionary.#refs) if (ref < REFUSED) dictionary.size++
    return dictionary
  }

  /**
   * Refs of `ids` into `out`, which has their length.
   * @returns how many are refused; -1 if one is undefined
   */
  resolve(ids: Uint32Array, out: Uint32Array): number {
    const refs = this.#refs
    const length = refs.length
    let refused = 0
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      const ref = id < length ? refs[id]! : UNDEFINED
      if (ref >= REFUSED) {
        if (ref === UNDEFINED) return -1
        refused++
      }
      out[i] = ref
    }
    return refused
  }
}

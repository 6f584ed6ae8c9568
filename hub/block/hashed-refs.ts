/** Series of a reader by the hash of their labels, which is that of `label-hash.ts` for all readers. */
import type { SeriesReader } from '../tsdb/mod.ts'
import { HASH_START, hashNext, hashText } from './label-hash.ts'

/** Selected refs with a hash table over their labels. */
export class HashedRefs {
  readonly refs: Uint32Array
  readonly #hashes: Uint32Array
  readonly #slots: Int32Array
  readonly #chain: Int32Array

  constructor(refs: Uint32Array, hashes: Uint32Array) {
    this.refs = refs
    this.#hashes = hashes
    const size = 2 ** Math.ceil(Math.log2(refs.length + 2))
    this.#slots = new Int32Array(size).fill(-1)
    this.#chain = new Int32Array(refs.length)
    for (let i = 0; i < refs.length; i++) {
      const slot = hashes[i]! & (size - 1)
      this.#chain[i] = this.#slots[slot]!
      this.#slots[slot] = i
    }
  }

  /** Position of a ref with the hash; -1 when there is none. */
  find(hash: number): number {
    return this.#match(this.#slots[hash & (this.#slots.length - 1)]!, hash)
  }

  next(position: number, hash: number): number {
    return this.#match(this.#chain[position]!, hash)
  }

  /** The refs ascend. */
  has(ref: number): boolean {
    let low = 0
    let high = this.refs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.refs[middle]! < ref) low = middle + 1
      else high = middle
    }
    return this.refs[low] === ref
  }

  #match(position: number, hash: number): number {
    let i = position
    while (i >= 0 && this.#hashes[i] !== hash) i = this.#chain[i]!
    return i
  }
}

/** Of a reader's symbols, or of its series. */
class Hashes {
  #hashes = new Uint32Array(0)
  #known = new Uint8Array(0)

  has(id: number): boolean {
    return this.#known[id] === 1
  }

  get(id: number): number {
    return this.#hashes[id]!
  }

  set(id: number, hash: number): number {
    if (id >= this.#known.length) {
      const size = Math.max(id + 1, this.#known.length * 2, 1024)
      const [hashes, known] = [new Uint32Array(size), new Uint8Array(size)]
      hashes.set(this.#hashes)
      known.set(this.#known)
      this.#hashes = hashes
      this.#known = known
    }
    this.#hashes[id] = hash
    this.#known[id] = 1
    return hash
  }
}

/** Of series, from query to query of this thread, by `refIdentity`: 5 bytes for each ref below. */
const knownHashes = new WeakMap<object, Hashes>()
const KNOWN_REFS_MAX = 1 << 22

/** Hashes label sets of a reader, each of its symbols once. */
export class LabelHasher {
  readonly #reader: SeriesReader
  /** Symbols may be given out anew after the query. */
  readonly #ofSymbol = new Hashes()
  #ofRef = new Hashes()

  constructor(reader: SeriesReader) {
    this.#reader = reader
  }

  under(identity: object): void {
    const known = knownHashes.get(identity)
    if (known !== undefined) this.#ofRef = known
    else knownHashes.set(identity, (this.#ofRef = new Hashes()))
  }

  hash(ref: number): number {
    if (hasLabelHash(this.#reader)) return this.#reader.labelHash(ref)
    if (this.#ofRef.has(ref)) return this.#ofRef.get(ref)
    const known = this.#ofSymbol
    let hash = HASH_START
    const ids = this.#reader.labelIds(ref)
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      hash = hashNext(hash, known.has(id) ? known.get(id) : known.set(id, hashText(this.#reader.symbol(id))))
    }
    return ref < KNOWN_REFS_MAX ? this.#ofRef.set(ref, hash) : hash
  }
}

export function hasLabelHash(reader: SeriesReader): reader is SeriesReader & { labelHash(ref: number): number } {
  return 'labelHash' in reader
}

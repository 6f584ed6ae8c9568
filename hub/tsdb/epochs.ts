/**
 * When memory that readers may still look at can be used again. A reader writes the epoch in which it began into a
 * slot; the writer unlinks a block, tags it with the epoch, raises the epoch, and frees the block once every taken
 * slot holds a later one. A reader that began later cannot have found the block: its slot is stored (sequentially
 * consistent) before it loads any root, and the unlinking was stored before the epoch was raised.
 */
import { type Allocator, roundUp } from './allocator.ts'
import { TooManyReadersError } from './errors.ts'
import { C_EPOCH, C_SLOTS, READER_SLOTS } from './layout.ts'
import type { Memory } from './memory.ts'

/**
 * Takes a reader slot. `owner` (> 0) names the thread, so that all its slots can be cleared when it dies.
 * @throws TooManyReadersError
 */
export function enterEpoch(mem: Memory, owner: number): number {
  const { control } = mem
  for (let slot = 0; slot < READER_SLOTS; slot++) {
    const at = C_SLOTS + 2 * slot
    // The claim pins everything (1 is the first epoch) until the true epoch is stored: never too little.
    if (Atomics.load(control, at) !== 0 || Atomics.compareExchange(control, at, 0, 1) !== 0) continue
    Atomics.store(control, at + 1, owner)
    Atomics.store(control, at, Atomics.load(control, C_EPOCH))
    return slot
  }
  throw new TooManyReadersError(READER_SLOTS)
}

export function leaveEpoch(mem: Memory, slot: number): void {
  Atomics.store(mem.control, C_SLOTS + 2 * slot + 1, 0)
  Atomics.store(mem.control, C_SLOTS + 2 * slot, 0)
}

/** Ends all claims of a thread that died; returns how many. */
export function clearOwner(mem: Memory, owner: number): number {
  let cleared = 0
  for (let slot = 0; slot < READER_SLOTS; slot++) {
    if (Atomics.load(mem.control, C_SLOTS + 2 * slot + 1) !== owner) continue
    leaveEpoch(mem, slot)
    cleared++
  }
  return cleared
}

export function activeReaders(mem: Memory): number {
  let active = 0
  for (let slot = 0; slot < READER_SLOTS; slot++) if (Atomics.load(mem.control, C_SLOTS + 2 * slot) !== 0) active++
  return active
}

function oldestEpoch(mem: Memory): number {
  let oldest = Infinity
  for (let slot = 0; slot < READER_SLOTS; slot++) {
    const epoch = Atomics.load(mem.control, C_SLOTS + 2 * slot)
    if (epoch !== 0 && epoch < oldest) oldest = epoch
  }
  return oldest
}

/** Of an entry that is an id, from here on: of so many tables. */
const ID_WORDS = 0xfffffff1

/** What waits: blocks by (address, words), or ids of a table by (id, 0) with the callback that recycles them. */
export class Limbo {
  readonly #mem: Memory
  readonly #alloc: Allocator
  /** epoch, address or id, words or (0xffffffff - table). A ring would save the copying in `reclaim`, at no gain. */
  #entries = new Uint32Array(3 * 256)
  #count = 0
  #recycle: ((id: number) => void)[] = []

  constructor(mem: Memory, alloc: Allocator) {
    this.#mem = mem
    this.#alloc = alloc
  }

  /** Of the blocks. */
  get bytes(): number {
    let words = 0
    for (let i = 0; i < this.#count; i++) {
      const each = this.#entries[3 * i + 2]!
      if (each < ID_WORDS) words += roundUp(each)
    }
    return 4 * words
  }

  get size(): number {
    return this.#count
  }

  /** For a snapshot. */
  get entries(): Uint32Array {
    return this.#entries.subarray(0, 3 * this.#count)
  }

  /** Entries of a snapshot: nobody reads that memory any more. */
  adopt(entries: Uint32Array): void {
    this.#entries = new Uint32Array(Math.max(entries.length, 3 * 256))
    this.#entries.set(entries)
    this.#count = entries.length / 3
    this.reclaim()
  }

  onRecycle(table: number, fn: (id: number) => void): void {
    this.#recycle[table] = fn
  }

  block(addr: number, words: number): void {
    this.#push(addr, words)
  }

  id(table: number, id: number): void {
    this.#push(id, 0xffffffff - table)
  }

  /** Frees what no reader can see any more; returns how many entries. */
  reclaim(): number {
    if (this.#count === 0) return 0
    const entries = this.#entries
    const epoch = this.#mem.control[C_EPOCH]!
    if (entries[3 * (this.#count - 1)] === epoch) Atomics.store(this.#mem.control, C_EPOCH, epoch + 1)
    const oldest = oldestEpoch(this.#mem)
    let freed = 0
    while (freed < this.#count && entries[3 * freed]! < oldest) this.#release(freed++)
    entries.copyWithin(0, 3 * freed, 3 * this.#count)
    this.#count -= freed
    return freed
  }

  #release(index: number): void {
    const what = this.#entries[3 * index + 1]!
    const words = this.#entries[3 * index + 2]!
    if (words >= ID_WORDS) this.#recycle[0xffffffff - words]!(what)
    else this.#alloc.free(what, words)
  }

  #push(what: number, words: number): void {
    if (3 * this.#count === this.#entries.length) {
      const grown = new Uint32Array(this.#entries.length * 2)
      grown.set(this.#entries)
      this.#entries = grown
    }
    const at = 3 * this.#count++
    this.#entries[at] = this.#mem.control[C_EPOCH]!
    this.#entries[at + 1] = what
    this.#entries[at + 2] = words
  }
}

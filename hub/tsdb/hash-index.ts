/**
 * Open-addressed hash tables of ids in shared memory. One writer inserts and removes; readers probe at any time: an
 * entry is one word, and a table that must grow is filled anew and swapped by one store.
 *
 *   block: mask | used (live + removed) | entries… (0 free, 1 removed, else id + 2)
 */
import type { Allocator } from './allocator.ts'
import type { Limbo } from './epochs.ts'
import type { Memory } from './memory.ts'
import { allocZeroed } from './table.ts'

const MASK = 0
const USED = 1
const HEADER = 2
const REMOVED = 1
const FIRST_SIZE = 1024

/** The id for which `same(id)` holds among those with this hash; -1 when there is none. `root` is a control word. */
export function findInHash(mem: Memory, root: number, hash: number, same: (id: number) => boolean): number {
  const table = Atomics.load(mem.control, root) // pairs with the store in `#grow`
  if (table === 0) return -1
  const mask = mem.get(table + MASK)
  for (let i = hash & mask, probes = 0; probes <= mask; i = (i + 1) & mask, probes++) {
    const entry = mem.load(table + HEADER + i) // pairs with the store in `insert`: the record is visible
    if (entry === 0) return -1
    if (entry !== REMOVED && same(entry - 2)) return entry - 2
  }
  return -1
}

export class HashWriter {
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #root: number
  readonly #hashOf: (id: number) => number

  constructor(mem: Memory, alloc: Allocator, limbo: Limbo, root: number, hashOf: (id: number) => number) {
    this.#mem = mem
    this.#alloc = alloc
    this.#limbo = limbo
    this.#root = root
    this.#hashOf = hashOf
  }

  find(hash: number, same: (id: number) => boolean): number {
    return findInHash(this.#mem, this.#root, hash, same)
  }

  /** Makes room for one more, so that `insert` cannot fail. @throws HeadFullError */
  reserve(): void {
    const table = this.#mem.control[this.#root]!
    if (table === 0) this.#grow(0, FIRST_SIZE)
    else if ((this.#mem.get(table + USED) + 1) * 8 > (this.#mem.get(table + MASK) + 1) * 5) this.#rebuild(table)
  }

  /** After `reserve`. The id's record must be complete: it is visible at once. */
  insert(id: number): void {
    const table = this.#mem.control[this.#root]!
    this.#mem.set(table + USED, this.#mem.get(table + USED) + 1)
    this.#put(table, id)
  }

  remove(id: number): void {
    const table = this.#mem.control[this.#root]!
    const mask = this.#mem.get(table + MASK)
    for (let i = this.#hashOf(id) & mask, probes = 0; probes <= mask; i = (i + 1) & mask, probes++) {
      if (this.#mem.get(table + HEADER + i) !== id + 2) continue
      this.#mem.publish(table + HEADER + i, REMOVED)
      return
    }
    throw new Error(`BUG: id ${id} is not in the hash table`)
  }

  #put(table: number, id: number): void {
    const mask = this.#mem.get(table + MASK)
    let i = this.#hashOf(id) & mask
    while (this.#mem.get(table + HEADER + i) !== 0) i = (i + 1) & mask
    this.#mem.publish(table + HEADER + i, id + 2)
  }

  #rebuild(table: number): void {
    const size = this.#mem.get(table + MASK) + 1
    let live = 0
    for (let i = 0; i < size; i++) if (this.#mem.get(table + HEADER + i) > REMOVED) live++
    this.#grow(table, live * 8 > size * 3 ? size * 2 : size)
  }

  #grow(old: number, size: number): void {
    const table = allocZeroed(this.#alloc, HEADER + size)
    this.#mem.set(table + MASK, size - 1)
    let used = 0
    const oldSize = old === 0 ? 0 : this.#mem.get(old + MASK) + 1
    for (let i = 0; i < oldSize; i++) {
      const entry = this.#mem.get(old + HEADER + i)
      if (entry <= REMOVED) continue
      this.#put(table, entry - 2)
      used++
    }
    this.#mem.set(table + USED, used)
    Atomics.store(this.#mem.control, this.#root, table)
    if (old !== 0) this.#limbo.block(old, HEADER + oldSize)
  }
}

/** The writer's label pairs and their postings lists. */
import { type Allocator, roundUp } from './allocator.ts'
import type { SeriesRef, SymbolId } from './contract.ts'
import type { Limbo } from './epochs.ts'
import { HashWriter } from './hash-index.ts'
import {
  C_PAIR_HASH,
  L_CAPACITY,
  L_HEADER,
  L_NEXT,
  L_USED,
  NO_NAME,
  P_COUNT,
  P_DEAD,
  P_HEAD,
  P_NAME,
  P_NEXT,
  P_PREVIOUS,
  P_TAIL,
  P_VALUE,
  PAGE_MASK,
  PAGE_SHIFT,
  PAIRS,
  Y_PAIRS,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { copyPostings, findPair, type PairId, pairHash, RefList } from './postings.ts'
import type { SymbolWriter } from './symbol-writer.ts'
import { TableWriter } from './table.ts'

const BLOCK_REFS_FIRST = 1
const BLOCK_WORDS_MAX = 1024
const CACHE_SLOTS = 1 << 14

export class PostingsWriter {
  readonly table: TableWriter
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #symbols: SymbolWriter
  readonly #hash: HashWriter
  #freeIds: PairId[] = []
  /** Pairs that were found lately: name + 1, value, pair. The hash table in shared memory costs three times as much. */
  readonly #cache = new Uint32Array(3 * CACHE_SLOTS)

  constructor(mem: Memory, alloc: Allocator, limbo: Limbo, symbols: SymbolWriter, onReuse: () => void) {
    this.#mem = mem
    this.#alloc = alloc
    this.#limbo = limbo
    this.#symbols = symbols
    this.table = new TableWriter(mem, PAIRS, alloc)
    this.#hash = new HashWriter(mem, alloc, limbo, C_PAIR_HASH, (id) => {
      const record = this.table.addr(id)
      return pairHash(mem.get(record + P_NAME), mem.get(record + P_VALUE))
    })
    // Until no reader can hold the id, the record keeps its names for labels of series that died under a query.
    limbo.onRecycle(PAIRS.index, (id) => {
      mem.set(this.table.addr(id) + P_NAME, NO_NAME)
      this.#freeIds.push(id)
      onReuse()
    })
    for (let id = 0; id < this.table.count; id++) {
      if (mem.get(this.table.addr(id) + P_NAME) === NO_NAME) this.#freeIds.push(id)
    }
  }

  get count(): number {
    return this.table.count - this.#freeIds.length
  }

  /** -1 when there is none. */
  find(name: SymbolId, value: SymbolId): PairId {
    const at = 3 * (pairHash(name, value) & (CACHE_SLOTS - 1))
    const cache = this.#cache
    if (cache[at] === name + 1 && cache[at + 1] === value) return cache[at + 2]!
    const found = findPair(this.#mem, this.table, name, value)
    if (found < 0) return -1
    cache[at] = name + 1
    cache[at + 1] = value
    cache[at + 2] = found
    return found
  }

  #forget(name: SymbolId, value: SymbolId): void {
    const at = 3 * (pairHash(name, value) & (CACHE_SLOTS - 1))
    if (this.#cache[at] === name + 1 && this.#cache[at + 1] === value) this.#cache[at] = 0
  }

  /** Refs in the pair's list that are not dead. */
  live(pair: PairId): number {
    const record = this.table.addr(pair)
    return this.#mem.get(record + P_COUNT) - this.#mem.get(record + P_DEAD)
  }

  /** @throws HeadFullError; the pair may then exist, with an empty list */
  pair(name: SymbolId, value: SymbolId): PairId {
    const found = this.find(name, value)
    return found >= 0 ? found : this.#create(name, value)
  }

  /** Makes room in the pair's list, so that `append` cannot fail. @throws HeadFullError. Hot, as `append`: bench storage */
  reserve(pair: PairId): void {
    const { u32 } = this.#mem
    const record = this.table.addr(pair)
    const tail = u32[record >>> PAGE_SHIFT]![(record & PAGE_MASK) + P_TAIL]!
    let capacity = BLOCK_REFS_FIRST
    if (tail !== 0) {
      const page = u32[tail >>> PAGE_SHIFT]!
      const at = tail & PAGE_MASK
      capacity = page[at + L_CAPACITY]!
      if (page[at + L_USED]! < capacity || page[at + L_NEXT] !== 0) return
    }
    const words = tail === 0 ? L_HEADER + capacity : Math.min(roundUp((capacity + L_HEADER) * 1.5), BLOCK_WORDS_MAX)
    const block = this.#block(words)
    if (tail === 0) {
      this.#mem.set(record + P_TAIL, block)
      this.#mem.publish(record + P_HEAD, block)
    } else this.#mem.publish(tail + L_NEXT, block)
  }

  /** After `reserve`; `ref` is larger than all in the list. */
  append(pair: PairId, ref: SeriesRef): void {
    const { u32 } = this.#mem
    const record = this.table.addr(pair)
    const fields = u32[record >>> PAGE_SHIFT]!
    const from = record & PAGE_MASK
    let tail = fields[from + P_TAIL]!
    let page = u32[tail >>> PAGE_SHIFT]!
    let at = tail & PAGE_MASK
    let used = page[at + L_USED]!
    if (used === page[at + L_CAPACITY]) {
      tail = page[at + L_NEXT]!
      fields[from + P_TAIL] = tail
      page = u32[tail >>> PAGE_SHIFT]!
      at = tail & PAGE_MASK
      used = page[at + L_USED]!
    }
    page[at + L_HEADER + used] = ref
    Atomics.store(page, at + L_USED, used + 1) // pairs with the load in copyPostings: the ref is visible
    fields[from + P_COUNT] = fields[from + P_COUNT]! + 1
  }

  /** One of the pair's series is dead; true when the list is worth a rebuild. */
  bury(pair: PairId): boolean {
    const record = this.table.addr(pair)
    const dead = this.#mem.get(record + P_DEAD) + 1
    this.#mem.set(record + P_DEAD, dead)
    const count = this.#mem.get(record + P_COUNT)
    return dead === count || dead * 4 > count
  }

  /** Drops dead refs from the list, or the pair itself when nothing is left. @throws HeadFullError, nothing changed */
  rebuild(pair: PairId, isLive: (ref: SeriesRef) => boolean): void {
    const record = this.table.addr(pair)
    if (this.#mem.get(record + P_COUNT) === 0) return
    const list = new RefList(this.#mem.get(record + P_COUNT))
    copyPostings(this.#mem, this.table, pair, list)
    let live = 0
    for (let i = 0; i < list.count; i++) if (isLive(list.refs[i]!)) list.refs[live++] = list.refs[i]!
    if (live === 0) {
      this.#remove(pair)
      return
    }
    const { head, tail } = this.#build(list.refs, live)
    const old = this.#mem.get(record + P_HEAD)
    this.#mem.set(record + P_TAIL, tail)
    this.#mem.set(record + P_COUNT, live)
    this.#mem.set(record + P_DEAD, 0)
    this.#mem.publish(record + P_HEAD, head)
    this.#dropList(old)
  }

  #build(refs: Uint32Array, count: number): { head: number; tail: number } {
    let head = 0
    let tail = 0
    let end = count
    // From the back, so that a list is linked before it is seen and only the last block has room.
    while (end > 0 || head === 0) {
      const n = end % (BLOCK_WORDS_MAX - L_HEADER) || Math.min(end, BLOCK_WORDS_MAX - L_HEADER)
      let block: number
      try {
        block = this.#block(roundUp(L_HEADER + n))
      } catch (error) {
        for (let at = head; at !== 0; ) at = this.#freeBlock(at)
        throw error
      }
      for (let i = 0; i < n; i++) this.#mem.set(block + L_HEADER + i, refs[end - n + i]!)
      this.#mem.set(block + L_USED, n)
      this.#mem.set(block + L_NEXT, head)
      head = block
      if (tail === 0) tail = block
      end -= n
    }
    return { head, tail }
  }

  #freeBlock(block: number): number {
    const next = this.#mem.get(block + L_NEXT)
    this.#alloc.free(block, L_HEADER + this.#mem.get(block + L_CAPACITY))
    return next
  }

  #remove(pair: PairId): void {
    const record = this.table.addr(pair)
    this.#hash.remove(pair)
    const name = this.#mem.get(record + P_NAME)
    const value = this.#mem.get(record + P_VALUE)
    this.#forget(name, value)
    const next = this.#mem.get(record + P_NEXT)
    const previous = this.#mem.get(record + P_PREVIOUS)
    // The record keeps its own P_NEXT: a reader that stands on it walks on into the live list.
    if (previous === 0) this.#mem.publish(this.#symbols.table.addr(name) + Y_PAIRS, next)
    else this.#mem.publish(this.table.addr(previous - 1) + P_NEXT, next)
    if (next !== 0) this.#mem.set(this.table.addr(next - 1) + P_PREVIOUS, previous)
    this.#dropList(this.#mem.get(record + P_HEAD))
    this.#mem.set(record + P_TAIL, 0)
    this.#limbo.id(PAIRS.index, pair)
    this.#symbols.release(value)
    this.#symbols.release(name)
    this.#mem.set(record + P_COUNT, 0)
    this.#mem.set(record + P_DEAD, 0)
    this.#mem.publish(record + P_HEAD, 0)
  }

  #dropList(head: number): void {
    for (let block = head; block !== 0; block = this.#mem.get(block + L_NEXT)) {
      this.#limbo.block(block, L_HEADER + this.#mem.get(block + L_CAPACITY))
    }
  }

  #create(name: SymbolId, value: SymbolId): PairId {
    this.#hash.reserve()
    const id = this.#freeIds.pop() ?? this.table.add()
    const record = this.table.addr(id)
    const symbol = this.#symbols.table.addr(name)
    const next = this.#mem.get(symbol + Y_PAIRS)
    this.#mem.set(record + P_NAME, name)
    this.#mem.set(record + P_VALUE, value)
    for (const field of [P_HEAD, P_TAIL, P_COUNT, P_DEAD, P_PREVIOUS]) this.#mem.set(record + field, 0)
    this.#mem.set(record + P_NEXT, next)
    this.table.publishCount()
    if (next !== 0) this.#mem.set(this.table.addr(next - 1) + P_PREVIOUS, id + 1)
    this.#symbols.use(name)
    this.#symbols.use(value)
    this.#hash.insert(id)
    this.#mem.publish(symbol + Y_PAIRS, id + 1)
    return id
  }

  #block(words: number): number {
    const block = this.#alloc.alloc(words)
    this.#mem.set(block + L_NEXT, 0)
    this.#mem.set(block + L_USED, 0)
    this.#mem.set(block + L_CAPACITY, words - L_HEADER)
    return block
  }
}

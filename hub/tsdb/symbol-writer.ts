/** The writer's symbols: interns strings, counts who uses them, takes back the unused. */
import type { Allocator } from './allocator.ts'
import type { SymbolId } from './contract.ts'
import type { Limbo } from './epochs.ts'
import { HashWriter } from './hash-index.ts'
import { C_SYMBOL_HASH, PAGE_MASK, PAGE_SHIFT, SYMBOLS, Y_BYTES, Y_HASH, Y_PAIRS, Y_USES } from './layout.ts'
import type { Memory } from './memory.ts'
import { findSymbol, symbolWords, Utf8Scratch } from './symbols.ts'
import { TableWriter } from './table.ts'

/** Strings whose ids are kept at hand; the table in shared memory is the truth. */
const INTERN_MAX = 1 << 16

export class SymbolWriter {
  readonly table: TableWriter
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #hash: HashWriter
  readonly #scratch = new Utf8Scratch()
  #interned = new Map<string, SymbolId>()
  #freeIds: SymbolId[] = []

  constructor(mem: Memory, alloc: Allocator, limbo: Limbo, onReuse: () => void) {
    this.#mem = mem
    this.#alloc = alloc
    this.#limbo = limbo
    this.table = new TableWriter(mem, SYMBOLS, alloc)
    this.#hash = new HashWriter(mem, alloc, limbo, C_SYMBOL_HASH, (id) => mem.get(this.table.addr(id) + Y_HASH))
    // Until no reader can hold the id, the text stays for labels of series that died under a query.
    limbo.onRecycle(SYMBOLS.index, (id) => {
      const record = this.table.addr(id)
      const block = mem.get(record + Y_BYTES)
      mem.set(record + Y_BYTES, 0)
      alloc.free(block, symbolWords(mem.get(block)))
      this.#freeIds.push(id)
      onReuse()
    })
    for (let id = 0; id < this.table.count; id++) {
      if (mem.get(this.table.addr(id) + Y_BYTES) === 0) this.#freeIds.push(id)
    }
  }

  get count(): number {
    return this.table.count - this.#freeIds.length
  }

  /**
   * The id of `text`, made if need be; it lasts while someone `use`s it.
   * @throws HeadFullError
   */
  intern(text: string): SymbolId {
    const known = this.#interned.get(text)
    if (known !== undefined) return known
    this.#scratch.set(text)
    const found = findSymbol(this.#mem, this.table, this.#scratch)
    const id = found >= 0 ? found : this.#create()
    this.#remember(text, id)
    return id
  }

  /** -1 when there is none. */
  find(text: string): SymbolId {
    const known = this.#interned.get(text)
    if (known !== undefined) return known
    this.#scratch.set(text)
    const found = findSymbol(this.#mem, this.table, this.#scratch)
    if (found >= 0) this.#remember(text, found)
    return found
  }

  use(id: SymbolId): void {
    const record = this.table.addr(id)
    this.#mem.set(record + Y_USES, this.#mem.get(record + Y_USES) + 1)
  }

  /** The last release removes the symbol. */
  release(id: SymbolId): void {
    const record = this.table.addr(id)
    const uses = this.#mem.get(record + Y_USES) - 1
    this.#mem.set(record + Y_USES, uses)
    if (uses > 0) return
    this.#hash.remove(id)
    this.#limbo.id(SYMBOLS.index, id)
    this.#interned.clear()
  }

  #remember(text: string, id: SymbolId): void {
    if (this.#interned.size >= INTERN_MAX) this.#interned.clear()
    this.#interned.set(text, id)
  }

  #create(): SymbolId {
    const { bytes, length, hash } = this.#scratch
    this.#hash.reserve()
    const block = this.#alloc.alloc(symbolWords(length))
    let id = this.#freeIds.pop()
    if (id === undefined) {
      try {
        id = this.table.add()
      } catch (error) {
        this.#alloc.free(block, symbolWords(length))
        throw error
      }
    }
    this.#mem.set(block, length)
    this.#mem.u8[block >>> PAGE_SHIFT]!.set(bytes.subarray(0, length), ((block & PAGE_MASK) + 1) * 4)
    const record = this.table.addr(id)
    this.#mem.set(record + Y_HASH, hash)
    this.#mem.set(record + Y_PAIRS, 0)
    this.#mem.set(record + Y_USES, 0)
    this.#mem.publish(record + Y_BYTES, block)
    this.table.publishCount()
    this.#hash.insert(id)
    return id
  }
}

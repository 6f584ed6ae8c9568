/** Tables of fixed records in segments, found through two levels of directory, so that a table grows without moving. */
import type { Allocator } from './allocator.ts'
import { C_DIRECTORIES, C_TABLES, DIRECTORY_BLOCK, DIRECTORY_TOP, type TableSpec } from './layout.ts'
import type { Memory } from './memory.ts'

export class Table {
  readonly mem: Memory
  readonly spec: TableSpec
  readonly #mask: number
  /** Addresses of segments, a copy of the directory; 0 = not looked up or not there. */
  #segments = new Uint32Array(16)

  constructor(mem: Memory, spec: TableSpec) {
    this.mem = mem
    this.spec = spec
    this.#mask = (1 << spec.shift) - 1
  }

  /** Ids that were ever given out are below it. Pairs with the store in `TableWriter.add`. */
  get count(): number {
    return Atomics.load(this.mem.control, C_TABLES + this.spec.index)
  }

  /** Of the record; 0 when its segment is gone. `id` < count. */
  addr(id: number): number {
    const segment = id >>> this.spec.shift
    let base = segment < this.#segments.length ? this.#segments[segment]! : 0
    if (base === 0) base = this.#lookUp(segment)
    return base === 0 ? 0 : base + (id & this.#mask) * this.spec.words
  }

  forget(): void {
    this.#segments.fill(0)
  }

  #lookUp(segment: number): number {
    const entry = directoryEntry(this.mem, this.spec, segment)
    const base = entry === 0 ? 0 : this.mem.load(entry)
    if (segment >= this.#segments.length) {
      const grown = new Uint32Array(Math.max(segment + 1, this.#segments.length * 2))
      grown.set(this.#segments)
      this.#segments = grown
    }
    this.#segments[segment] = base
    return base
  }
}

/** Address of the word that holds the segment's address; 0 when its directory block is not there. */
function directoryEntry(mem: Memory, spec: TableSpec, segment: number): number {
  const block = Atomics.load(mem.control, topEntry(spec, segment))
  return block === 0 ? 0 : block + (segment & (DIRECTORY_BLOCK - 1))
}

function topEntry(spec: TableSpec, segment: number): number {
  const top = Math.floor(segment / DIRECTORY_BLOCK)
  if (top >= DIRECTORY_TOP) throw new Error(`BUG: table ${spec.index} has no room for segment ${segment}`)
  return C_DIRECTORIES + spec.index * DIRECTORY_TOP + top
}

/**
 * The writer's side: gives out ids. The caller fills the record, which starts as zeros, before it makes the id known;
 * readers that walk a table meet records that are still zero and must skip them.
 */
export class TableWriter extends Table {
  readonly #alloc: Allocator
  #count: number

  constructor(mem: Memory, spec: TableSpec, alloc: Allocator) {
    super(mem, spec)
    this.#alloc = alloc
    this.#count = super.count
  }

  override get count(): number {
    return this.#count
  }

  add(): number {
    const id = this.#count
    const segment = id >>> this.spec.shift
    if (this.addr(id) === 0) this.#openSegment(segment)
    this.#count++
    return id
  }

  /** Makes all added records known. */
  publishCount(): void {
    Atomics.store(this.mem.control, C_TABLES + this.spec.index, this.#count)
  }

  get segmentWords(): number {
    return this.spec.words << this.spec.shift
  }

  /** Unlinks a segment whose records are all dead and returns its address, for the limbo; 0 when there is none. */
  closeSegment(segment: number): number {
    const entry = directoryEntry(this.mem, this.spec, segment)
    if (entry === 0) return 0
    const base = this.mem.get(entry)
    this.mem.publish(entry, 0)
    this.forget()
    return base
  }

  #openSegment(segment: number): void {
    const top = topEntry(this.spec, segment)
    if (this.mem.control[top] === 0) {
      Atomics.store(this.mem.control, top, allocZeroed(this.#alloc, DIRECTORY_BLOCK))
    }
    const base = allocZeroed(this.#alloc, this.segmentWords)
    this.mem.publish(directoryEntry(this.mem, this.spec, segment), base)
  }
}

export function allocZeroed(alloc: Allocator, words: number): number {
  const addr = alloc.alloc(words)
  const { mem } = alloc
  for (let i = 0; i < words; i += 4096) {
    const at = addr + i
    const n = Math.min(4096, words - i)
    mem.u32[at >>> 22]!.fill(0, at & 0x3fffff, (at & 0x3fffff) + n)
  }
  return addr
}

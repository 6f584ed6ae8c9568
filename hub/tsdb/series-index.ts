/** The writer's way from labels to a series, and the making and removing of series. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Allocator } from './allocator.ts'
import type { SeriesRef } from './contract.ts'
import type { Limbo } from './epochs.ts'
import { HeadFullError } from './errors.ts'
import { C_GENERATION, C_LIVE_SERIES, DEAD, S_HASH, S_LABELS, S_LAST_TIME_F64, S_STATE, SERIES } from './layout.ts'
import type { Memory } from './memory.ts'
import type { PairId } from './postings.ts'
import type { PostingsWriter } from './postings-writer.ts'
import type { SymbolWriter } from './symbol-writer.ts'
import { mix } from './symbols.ts'
import { TableWriter } from './table.ts'

const REMOVED = 0xffffffff
/** Parts of the hash table that are filled one after the other: each fits the nearest cache. */
const PARTS_LOG2 = 8

export class SeriesIndex {
  readonly table: TableWriter
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #limbo: Limbo
  readonly #symbols: SymbolWriter
  readonly #postings: PostingsWriter
  /** Pair ids of the labels that were looked up last. */
  #pairs = new Uint32Array(64)
  /** How many of them `find` had found. */
  #found = 0
  /**
   * Open addressing by labels: ref + 1, 0 free. Only the writer needs it, so it is not shared; typed, so not on the heap.
   * Empty until it is first needed: a restart answers queries before anyone looks for labels.
   */
  #hash = new Uint32Array(0)
  #hashUsed = 0
  #live = 0
  readonly #rebuild = new Set<PairId>()

  constructor(mem: Memory, alloc: Allocator, limbo: Limbo, symbols: SymbolWriter, postings: PostingsWriter) {
    this.#mem = mem
    this.#alloc = alloc
    this.#limbo = limbo
    this.#symbols = symbols
    this.#postings = postings
    this.table = new TableWriter(mem, SERIES, alloc)
    // The labels are freed next: whoever still has the ref finds none, rather than another's.
    limbo.onRecycle(SERIES.index, (ref) => {
      const record = this.table.addr(ref)
      if (record !== 0) mem.set(record + S_LABELS, 0)
    })
    this.#live = mem.control[C_LIVE_SERIES]!
  }

  get live(): number {
    return this.#live
  }

  /** Of a live series; 0 for one that was removed or never made. */
  record(ref: SeriesRef): number {
    if (ref >= this.table.count) return 0
    const record = this.table.addr(ref)
    if (record === 0 || (this.#mem.get(record + S_STATE) & DEAD) !== 0) return 0
    return this.#mem.get(record + S_LABELS) === 0 ? 0 : record
  }

  /** How many live series have the label. */
  liveWith(name: string, value: string): number {
    const symbol = this.#symbols.find(name)
    const text = symbol < 0 ? -1 : this.#symbols.find(value)
    const pair = text < 0 ? -1 : this.#postings.find(symbol, text)
    return pair < 0 ? 0 : this.#postings.live(pair)
  }

  /** -1 when there is no such series. */
  find(labels: Labels): SeriesRef {
    const n = labels.length >>> 1
    if (this.#pairs.length < n) this.#pairs = new Uint32Array(2 * n)
    for (let i = 0; i < n; i++) {
      const name = this.#symbols.find(labels[2 * i]!)
      const value = name < 0 ? -1 : this.#symbols.find(labels[2 * i + 1]!)
      const pair = value < 0 ? -1 : this.#postings.find(name, value)
      if (pair < 0) {
        this.#found = i
        return -1
      }
      this.#pairs[i] = pair
    }
    this.#found = n
    return this.#lookUp(n, this.#hashOf(n))
  }

  /** At once after `find` of the same labels returned -1. @throws HeadFullError; symbols and pairs may then stay behind, without a series */
  create(labels: Labels): SeriesRef {
    const n = labels.length >>> 1
    for (let i = this.#found; i < n; i++) {
      const name = this.#symbols.intern(labels[2 * i]!)
      this.#pairs[i] = this.#postings.pair(name, this.#symbols.intern(labels[2 * i + 1]!))
    }
    for (let i = 0; i < n; i++) this.#postings.reserve(this.#pairs[i]!)
    const block = this.#alloc.alloc(1 + n)
    let ref: SeriesRef
    try {
      ref = this.table.add()
    } catch (error) {
      this.#alloc.free(block, 1 + n)
      throw error
    }
    this.#mem.set(block, n)
    for (let i = 0; i < n; i++) this.#mem.set(block + 1 + i, this.#pairs[i]!)
    const record = this.table.addr(ref)
    this.#mem.set(record + S_HASH, this.#hashOf(n))
    this.#mem.setF64(record, S_LAST_TIME_F64, -Infinity)
    this.#mem.publish(record + S_LABELS, block)
    this.table.publishCount()
    for (let i = 0; i < n; i++) this.#postings.append(this.#pairs[i]!, ref)
    this.#insert(ref)
    this.#setLive(this.#live + 1)
    return ref
  }

  /** The series' samples are gone already. Its labels stay for readers that hold the ref until they are done. */
  remove(ref: SeriesRef): void {
    const mem = this.#mem
    const record = this.table.addr(ref)
    this.#unhash(ref, mem.get(record + S_HASH))
    mem.publish(record + S_STATE, mem.get(record + S_STATE) | DEAD)
    const block = mem.get(record + S_LABELS)
    const n = mem.get(block)
    for (let i = 1; i <= n; i++) {
      const pair = mem.get(block + i)
      if (this.#postings.bury(pair)) this.#rebuild.add(pair)
    }
    this.#limbo.id(SERIES.index, ref)
    this.#limbo.block(block, 1 + n)
    this.#setLive(this.#live - 1)
  }

  /** After removals: shortens postings lists, drops pairs and symbols without series, closes dead segments. */
  sweep(): void {
    for (const pair of this.#rebuild) {
      try {
        this.#postings.rebuild(pair, (ref) => this.record(ref) !== 0)
        this.#rebuild.delete(pair)
      } catch (error) {
        if (!(error instanceof HeadFullError)) throw error // a list that stays long is only slower; next time
      }
    }
    const { shift } = this.table.spec
    const size = 1 << shift
    for (let segment = 0; (segment + 1) << shift <= this.table.count; segment++) {
      if (this.table.addr(segment << shift) === 0) continue
      let live = false
      for (let i = 0; i < size && !live; i++) live = this.record((segment << shift) + i) !== 0
      if (live) continue
      Atomics.add(this.#mem.control, C_GENERATION, 1)
      this.#limbo.block(this.table.closeSegment(segment), this.table.segmentWords)
    }
  }

  #setLive(live: number): void {
    this.#live = live
    Atomics.store(this.#mem.control, C_LIVE_SERIES, live)
  }

  #hashOf(n: number): number {
    let hash = n
    for (let i = 0; i < n; i++) hash = Math.imul(hash ^ this.#pairs[i]!, 0x9e3779b1) ^ (hash >>> 15)
    return mix(hash)
  }

  #lookUp(n: number, hash: number): SeriesRef {
    const mem = this.#mem
    if (this.#hash.length === 0) this.#rehash()
    const mask = this.#hash.length - 1
    for (let i = hash & mask; this.#hash[i] !== 0; i = (i + 1) & mask) {
      const entry = this.#hash[i]!
      if (entry === REMOVED) continue
      const record = this.table.addr(entry - 1)
      if (mem.get(record + S_HASH) === hash && this.#hasPairs(mem.get(record + S_LABELS), n)) return entry - 1
    }
    return -1
  }

  #hasPairs(block: number, n: number): boolean {
    if (this.#mem.get(block) !== n) return false
    for (let i = 0; i < n; i++) if (this.#mem.get(block + 1 + i) !== this.#pairs[i]) return false
    return true
  }

  #insert(ref: SeriesRef): void {
    if ((this.#hashUsed + 1) * 8 > this.#hash.length * 5) this.#rehash(ref)
    this.#put(ref)
  }

  #put(ref: SeriesRef): void {
    place(this.#hash, ref, this.#mem.get(this.table.addr(ref) + S_HASH))
    this.#hashUsed++
  }

  /** All live series but `except` anew, in a table of the right size. */
  #rehash(except = -1): void {
    let size = 1024
    while (size < this.#live * 2) size *= 2
    // One part of the table after the other: in the order of the refs, each store would miss all caches.
    const shift = Math.max(0, 32 - Math.clz32(size - 1) - PARTS_LOG2)
    const partOf = (hash: number): number => (hash & (size - 1)) >>> shift
    const starts = new Uint32Array((1 << PARTS_LOG2) + 1)
    this.#eachLive(except, (_, hash) => void starts[partOf(hash) + 1]!++)
    for (let part = 1; part < starts.length; part++) starts[part]! += starts[part - 1]!
    const total = starts[starts.length - 1]!
    const refs = new Uint32Array(total)
    const hashes = new Uint32Array(total)
    this.#eachLive(except, (ref, hash) => {
      const at = starts[partOf(hash)]!++
      refs[at] = ref
      hashes[at] = hash
    })
    this.#hash = new Uint32Array(size)
    for (let i = 0; i < total; i++) place(this.#hash, refs[i]!, hashes[i]!)
    this.#hashUsed = total
  }

  #eachLive(except: SeriesRef, fn: (ref: SeriesRef, hash: number) => void): void {
    const mem = this.#mem
    for (let ref = 0; ref < this.table.count; ref++) {
      const record = ref === except ? 0 : this.record(ref)
      if (record !== 0) fn(ref, mem.get(record + S_HASH))
    }
  }

  #unhash(ref: SeriesRef, hash: number): void {
    if (this.#hash.length === 0) return
    const mask = this.#hash.length - 1
    let i = hash & mask
    while (this.#hash[i] !== ref + 1) {
      if (this.#hash[i] === 0) throw new Error(`BUG: series ${ref} is not in the hash table`)
      i = (i + 1) & mask
    }
    this.#hash[i] = REMOVED
  }
}

/** Hot: bench/crash/recovery.bench.ts */
function place(table: Uint32Array, ref: SeriesRef, hash: number): void {
  const mask = table.length - 1
  let i = hash & mask
  while (table[i] !== 0) i = (i + 1) & mask
  table[i] = ref + 1
}

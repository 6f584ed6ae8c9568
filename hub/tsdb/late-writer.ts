/**
 * Samples that arrive after a newer one of their series: a sorted buffer that grows to 16, then chunks of own times,
 * newest chunk first in the list and overlapping as they come. Reading merges all by time (late-reader.ts).
 * The caller has made sure that no sample of that time exists.
 */
import type { Allocator } from './allocator.ts'
import { Cursor } from './bits.ts'
import { lastValueOfChunk } from './chunk-reader.ts'
import { type ChunkWriter, lock, unlock } from './chunk-writer.ts'
import { K_NEXT, K_PREV, Kind, O_CAPACITY, O_HEADER, O_USED, RUN, S_OOO, S_OOO_RAW } from './layout.ts'
import type { Memory } from './memory.ts'

const CAPACITY_FIRST = 4

export function lateWords(capacity: number): number {
  return O_HEADER + 6 * capacity
}

export class LateWriter {
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #chunks: ChunkWriter
  readonly #cursor = new Cursor()

  constructor(mem: Memory, alloc: Allocator, chunks: ChunkWriter) {
    this.#mem = mem
    this.#alloc = alloc
    this.#chunks = chunks
  }

  /** @throws HeadFullError, nothing visible changed */
  append(record: number, time: number, low: number, high: number, start: number): void {
    const mem = this.#mem
    const buffer = this.#room(record)
    const used = mem.get(buffer + O_USED)
    const capacity = mem.get(buffer + O_CAPACITY)
    let at = used
    while (at > 0 && mem.getF64(buffer, at) > time) at-- // element i is double i + 1 of the block
    lock(mem, record)
    for (const column of [0, 1, 2]) {
      const first = buffer + O_HEADER + 2 * capacity * column
      const words = mem.u32[first >>> 22]!
      const from = first & 0x3fffff
      words.copyWithin(from + 2 * (at + 1), from + 2 * at, from + 2 * used)
    }
    mem.setF64(buffer, 1 + at, time)
    mem.set(buffer + O_HEADER + 2 * (capacity + at), low)
    mem.set(buffer + O_HEADER + 2 * (capacity + at) + 1, high)
    mem.setF64(buffer, 1 + 2 * capacity + at, start)
    mem.set(buffer + O_USED, used + 1)
    unlock(mem, record)
  }

  /** @throws HeadFullError, nothing visible changed */
  appendHistogram(record: number, time: number, start: number, payload: Uint8Array): void {
    const mem = this.#mem
    this.#alloc.ensure(1, payload.length / 4 + 300)
    lock(mem, record)
    const head = mem.get(record + S_OOO)
    const chunk = this.#chunks.appendHistogram(head, time, start, payload)
    if (chunk !== head) this.#prepend(record, chunk)
    unlock(mem, record)
  }

  drop(record: number): void {
    const mem = this.#mem
    const buffer = mem.get(record + S_OOO_RAW)
    if (buffer === 0) return
    lock(mem, record)
    mem.set(record + S_OOO_RAW, 0)
    unlock(mem, record)
    this.#alloc.free(buffer, lateWords(mem.get(buffer + O_CAPACITY)))
  }

  /** A buffer with room for one more. */
  #room(record: number): number {
    const mem = this.#mem
    const buffer = mem.get(record + S_OOO_RAW)
    if (buffer === 0) return this.#replace(record, 0, CAPACITY_FIRST)
    const used = mem.get(buffer + O_USED)
    const capacity = mem.get(buffer + O_CAPACITY)
    if (used < capacity) return buffer
    if (capacity < RUN) return this.#replace(record, buffer, capacity * 2)
    this.#seal(record, buffer)
    return buffer
  }

  #replace(record: number, old: number, capacity: number): number {
    const mem = this.#mem
    const buffer = this.#alloc.alloc(lateWords(capacity))
    const used = old === 0 ? 0 : mem.get(old + O_USED)
    const oldCapacity = old === 0 ? 0 : mem.get(old + O_CAPACITY)
    mem.set(buffer + O_USED, used)
    mem.set(buffer + O_CAPACITY, capacity)
    for (const column of [0, 1, 2]) {
      for (let i = 0; i < 2 * used; i++) {
        mem.set(buffer + O_HEADER + 2 * capacity * column + i, mem.get(old + O_HEADER + 2 * oldCapacity * column + i))
      }
    }
    lock(mem, record)
    mem.set(record + S_OOO_RAW, buffer)
    unlock(mem, record)
    // At once: a reader that still copies from it will find the lock's version changed.
    if (old !== 0) this.#alloc.free(old, lateWords(oldCapacity))
    return buffer
  }

  #seal(record: number, buffer: number): void {
    const mem = this.#mem
    const { words, times, starts } = this.#chunks
    let kind: Kind = Kind.own
    for (let i = 0; i < RUN; i++) {
      times[i] = mem.getF64(buffer, 1 + i)
      words[2 * i] = mem.get(buffer + O_HEADER + 2 * (RUN + i))
      words[2 * i + 1] = mem.get(buffer + O_HEADER + 2 * (RUN + i) + 1)
      starts[i] = mem.getF64(buffer, 1 + 2 * RUN + i)
      if (starts[i] !== 0) kind = Kind.ownStart
    }
    const runs = this.#chunks.planOwn(kind, RUN)
    this.#chunks.ensure(runs)
    const run = RUN / runs
    lock(mem, record)
    for (let from = 0; from < RUN; from += run) {
      const head = mem.get(record + S_OOO)
      const before = this.#valueBefore(head, from)
      const chunk = this.#chunks.appendOwn(head, kind, from, run, before.low, before.high)
      if (chunk !== head) this.#prepend(record, chunk)
    }
    mem.set(buffer + O_USED, 0)
    unlock(mem, record)
  }

  /** The value from which the next run of the chunk is encoded; a first value of its own when there is no chunk. */
  #valueBefore(head: number, from: number): Cursor {
    const mem = this.#mem
    const cursor = this.#cursor
    if (head !== 0 && this.#chunks.kindOf(head) !== Kind.histogram) {
      cursor.low = mem.get(head + K_PREV)
      cursor.high = mem.get(head + K_PREV + 1)
      lastValueOfChunk(mem, head, cursor)
    } else {
      cursor.low = this.#chunks.words[2 * from]!
      cursor.high = this.#chunks.words[2 * from + 1]!
    }
    return cursor
  }

  #prepend(record: number, chunk: number): void {
    this.#mem.set(chunk + K_NEXT, this.#mem.get(record + S_OOO))
    this.#mem.publish(record + S_OOO, chunk)
  }
}

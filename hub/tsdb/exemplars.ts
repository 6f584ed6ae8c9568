/** Exemplars: a circular buffer of slots in shared memory, so that the newest survive and memory is bounded. */
import type { Exemplar } from '../../protocol/samples/mod.ts'
import type { Allocator } from './allocator.ts'
import type { SeriesRef, TimeRange } from './contract.ts'
import {
  C_EXEMPLAR_SLOTS,
  C_EXEMPLARS_WRITTEN,
  E_BYTES,
  E_HAS_TIME,
  E_PAYLOAD,
  E_REF,
  E_TIME_F64,
  E_VALUE_F64,
  E_VERSION,
  EXEMPLARS,
  PAGE_MASK,
  PAGE_SHIFT,
} from './layout.ts'
import { waitForWriter } from './lock-wait.ts'
import type { Memory } from './memory.ts'
import { type Table, TableWriter } from './table.ts'

const PAYLOAD_BYTES = (EXEMPLARS.words - E_PAYLOAD) * 4
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class ExemplarWriter {
  readonly #mem: Memory
  readonly #table: TableWriter
  readonly #bytes = new Uint8Array(PAYLOAD_BYTES)
  /** Not kept: labels over 352 bytes (OpenMetrics allows 128 characters), or a buffer of no slots. */
  dropped = 0

  /** Taken since the start. */
  appended = 0
  /** How many each series has in the buffer. */
  readonly #bySeries = new Map<SeriesRef, number>()
  /** Slot of the newest exemplar that came for each series. */
  readonly #newest = new Map<SeriesRef, number>()

  /** Exemplars that the buffer has room for. */
  get slots(): number {
    return this.#mem.control[C_EXEMPLAR_SLOTS]!
  }

  /** Series that have exemplars in the buffer. */
  get seriesCount(): number {
    return this.#bySeries.size
  }

  /** Of the exemplar that has been in the buffer for longest; null: there is none, or it has no time. */
  get oldestMs(): number | null {
    const { count } = this.#table
    if (count === 0) return null
    // The next to go is the oldest, once every slot is in use.
    const slots = this.slots
    const record = this.#table.addr(count < slots ? 0 : this.#mem.control[C_EXEMPLARS_WRITTEN]! % slots)
    return this.#mem.get(record + E_HAS_TIME) === 1 ? this.#mem.getF64(record, E_TIME_F64) : null
  }

  /** Exemplars in the buffer. */
  get count(): number {
    return this.#table.count
  }

  constructor(mem: Memory, alloc: Allocator, slots: number) {
    this.#mem = mem
    this.#table = new TableWriter(mem, EXEMPLARS, alloc)
    mem.control[C_EXEMPLAR_SLOTS] = Math.max(slots, this.#table.count)
    const { count } = this.#table
    // By age, so that the newest slot of a series is the last that is noted.
    const oldest = count < this.slots ? 0 : mem.control[C_EXEMPLARS_WRITTEN]! % this.slots
    for (let i = 0; i < count; i++) {
      const slot = (oldest + i) % count
      const ref = mem.get(this.#table.addr(slot) + E_REF) - 1
      this.#note(ref, 1)
      this.#newest.set(ref, slot)
    }
  }

  /**
   * Returns false for an exemplar that is not kept, as one that equals the newest of its series: senders repeat them.
   * Semantics: Prometheus tsdb/exemplar.go, validateExemplar (v3.14). Differs: an older one than the newest is kept, as a
   * backlog brings them.
   * @throws HeadFullError
   */
  append(ref: SeriesRef, exemplar: Exemplar): boolean {
    const { control } = this.#mem
    const slots = control[C_EXEMPLAR_SLOTS]!
    const length = this.#encode(exemplar.labels)
    if (slots === 0 || length < 0) {
      this.dropped++
      return false
    }
    if (this.#isRepeated(ref, exemplar, length)) return false
    const written = control[C_EXEMPLARS_WRITTEN]!
    const slot = written % slots
    const isNew = slot >= this.#table.count
    if (isNew) this.#table.add()
    const record = this.#table.addr(slot)
    if (!isNew) this.#forget(this.#mem.get(record + E_REF) - 1, slot)
    this.#note(ref, 1)
    this.#newest.set(ref, slot)
    this.appended++
    const words = this.#mem.u32[record >>> PAGE_SHIFT]!
    const version = (record & PAGE_MASK) + E_VERSION
    Atomics.add(words, version, 1)
    this.#mem.set(record + E_REF, ref + 1)
    this.#mem.setF64(record, E_TIME_F64, exemplar.timestampMs ?? 0)
    this.#mem.setF64(record, E_VALUE_F64, exemplar.value)
    this.#mem.set(record + E_BYTES, length)
    this.#mem.set(record + E_HAS_TIME, exemplar.timestampMs === null ? 0 : 1)
    this.#mem.u8[record >>> PAGE_SHIFT]!.set(this.#bytes.subarray(0, length), ((record & PAGE_MASK) + E_PAYLOAD) * 4)
    Atomics.add(words, version, 1)
    this.#table.publishCount()
    control[C_EXEMPLARS_WRITTEN] = written + 1 >= 2 * slots ? written + 1 - slots : written + 1
    return true
  }

  /** @param length of the labels, which `#bytes` holds */
  #isRepeated(ref: SeriesRef, { value, timestampMs }: Exemplar, length: number): boolean {
    const slot = this.#newest.get(ref)
    if (slot === undefined) return false
    const mem = this.#mem
    const record = this.#table.addr(slot)
    if (mem.get(record + E_BYTES) !== length || mem.get(record + E_HAS_TIME) !== (timestampMs === null ? 0 : 1))
      return false
    if (mem.getF64(record, E_TIME_F64) !== (timestampMs ?? 0)) return false
    if (!Object.is(mem.getF64(record, E_VALUE_F64), value)) return false
    const from = ((record & PAGE_MASK) + E_PAYLOAD) * 4
    const known = mem.u8[record >>> PAGE_SHIFT]!
    for (let i = 0; i < length; i++) if (known[from + i] !== this.#bytes[i]) return false
    return true
  }

  #forget(ref: SeriesRef, slot: number): void {
    this.#note(ref, -1)
    if (this.#newest.get(ref) === slot) this.#newest.delete(ref)
  }

  #note(ref: SeriesRef, change: number): void {
    const count = (this.#bySeries.get(ref) ?? 0) + change
    if (count > 0) this.#bySeries.set(ref, count)
    else this.#bySeries.delete(ref)
  }

  /** Strings as two-byte length and UTF-8; -1 when they do not fit. */
  #encode(labels: readonly string[]): number {
    let at = 0
    for (const text of labels) {
      if (at + 2 > PAYLOAD_BYTES) return -1
      const { read, written } = encoder.encodeInto(text, this.#bytes.subarray(at + 2))
      if (read < text.length) return -1
      this.#bytes[at] = written & 0xff
      this.#bytes[at + 1] = written >>> 8
      at += 2 + written
    }
    return at
  }
}

/** By time. Exemplars without a time are always in range. */
export function readExemplars(mem: Memory, table: Table, ref: SeriesRef, range: TimeRange): Exemplar[] {
  const found: Exemplar[] = []
  const count = table.count
  for (let slot = 0; slot < count; slot++) {
    const record = table.addr(slot)
    if (mem.get(record + E_REF) !== ref + 1) continue
    const exemplar = readSlot(mem, record, ref)
    if (exemplar === null) continue
    const time = exemplar.timestampMs
    if (time === null || (time >= range.minTime && time <= range.maxTime)) found.push(exemplar)
  }
  return found.sort((a, b) => (a.timestampMs ?? 0) - (b.timestampMs ?? 0))
}

/** Null when the slot was taken over by another series meanwhile. */
function readSlot(mem: Memory, record: number, ref: SeriesRef): Exemplar | null {
  const words = mem.u32[record >>> PAGE_SHIFT]!
  const version = (record & PAGE_MASK) + E_VERSION
  for (let looks = 0; ; ) {
    const before = Atomics.load(words, version) // pairs with the adds in ExemplarWriter.append
    if (before & 1) {
      waitForWriter(mem, looks++)
      continue
    }
    looks = 0
    if (mem.get(record + E_REF) !== ref + 1) return null
    const timestampMs = mem.get(record + E_HAS_TIME) === 1 ? mem.getF64(record, E_TIME_F64) : null
    const value = mem.getF64(record, E_VALUE_F64)
    const from = ((record & PAGE_MASK) + E_PAYLOAD) * 4
    const bytes = mem.u8[record >>> PAGE_SHIFT]!.slice(from, from + Math.min(mem.get(record + E_BYTES), PAYLOAD_BYTES))
    if (Atomics.add(words, version, 0) === before) return { labels: decodeStrings(bytes), value, timestampMs }
  }
}

function decodeStrings(bytes: Uint8Array): string[] {
  const texts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]! | (bytes[at + 1]! << 8)
    texts.push(decoder.decode(bytes.subarray(at + 2, at + 2 + length)))
    at += 2 + length
  }
  return texts
}

/**
 * Decoded chunks of a head, kept by a thread between queries: dashboards and rules ask for the same hours again and
 * again, and to decode them was a quarter of most queries. A chunk that is met for the second time is kept, so what is
 * read once (a cut of blocks, a look at last year) costs and drives out nothing.
 *
 * A chunk is known by its address, its series, and how much is in it: what was appended stays as it is. Addresses are
 * given out anew only after chunks were taken away, and all is forgotten then: C_DROPS is odd while the writer takes
 * some away, and nothing is kept or found meanwhile. What was decoded while the writer changed the series is forgotten
 * by `undo`, as the read is done again. Hot: bench/query/in-process.ts
 *
 *   entry, 32 bytes: chunk | series record | K_META | K_USED | place of the values, 8 bytes | column's slot, traits | column's number
 */
import { Cursor } from './bits.ts'
import { ChunkTarget, decodeGroupChunk, decodeOwnChunk, type TickRange } from './chunk-reader.ts'
import { DecodedValues } from './decoded-values.ts'
import {
  C_DROPS,
  CHUNK_SAMPLES_MAX,
  K_COUNT_SHIFT,
  K_END_TICK,
  K_META,
  K_TICK,
  K_USED,
  KIND_MASK,
  Kind,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { createSampleBuffer, ensureCapacity } from './sample-buffer.ts'
import { newColumn, type TimesTrail } from './times-key.ts'

/** Of two entries each, neighbours in memory: of chunks that fall into one set more drive each other out. */
const SETS = 1 << 15
const SET_SHIFT = 17
const ENTRY_WORDS = 8
const E_CHUNK = 0
const E_RECORD = 1
const E_META = 2
const E_USED = 3
const E_PLACE_F64 = 2
/** Slot of the column (bits 0-15) and traits. */
const E_SLOT = 6
const TRAITS_SHIFT = 16
/** 0 for chunks of a group. */
const E_COLUMN = 7
/** Columns of times: 4096 of them, with so many times together. */
const COLUMN_SHIFT = 20
const COLUMN_TIMES_MAX = 1 << 19
const HASH_FACTOR = 0x9e3779b1
const OTHER_FACTOR = 0x85ebca6b
/** So many chunks that would share a column's slot, and have other times, go without before one gets it. */
const PATIENCE = 8
/** Fewer are sooner copied one by one. */
const FEW = 64

/** Traits: none of the values is NaN; and none is less than the one before. */
const IS_NUMBERS = 1
const RISES = 2

/** Of chunks of own times, which most series of a target have in common. */
type Column = {
  /** For `TimesTrail`. */
  readonly id: number
  /** Not 0; no other column that this thread kept of the head has it. */
  readonly number: number
  readonly times: Float64Array
  left: number
}

export class KeptChunks {
  readonly #mem: Memory
  readonly #values: DecodedValues
  readonly #cursor = new Cursor()
  readonly #target = new ChunkTarget(createSampleBuffer(16))
  readonly #allTicks: TickRange = { group: -1, from: 0, to: 0, times: new Float64Array(0) }
  #drops = -1
  /** By set: the two chunks that were looked for last and not found. */
  #met = new Uint32Array(0)
  #entries = new Uint32Array(0)
  #entriesF64 = new Float64Array(0)
  readonly #columns: (Column | undefined)[] = []
  #columnsMade = 0
  /** Of all columns. */
  #times = 0
  /** Where those are looked for that make room. */
  #hand = 0
  /** Entry of the last chunk that was appended. */
  found = -1
  /** Entries that this read has made. */
  readonly #fresh: number[] = []

  constructor(mem: Memory, maxBytes: number) {
    this.#mem = mem
    this.#values = new DecodedValues(maxBytes)
  }

  /** Of all that is kept. */
  get bytes(): number {
    return this.#values.bytes + 8 * this.#times + this.#entries.byteLength + this.#met.byteLength
  }

  /** As C_DROPS was at the last `begin`. */
  get drops(): number {
    return this.#drops
  }

  /** Before each read. False: this one is to go without. */
  begin(): boolean {
    const drops = Atomics.load(this.#mem.control, C_DROPS) // pairs with the adds in Head.#sweep
    if (drops !== this.#drops) {
      this.#drops = drops
      this.#entries.fill(0)
      this.#columns.length = 0
      this.#times = 0
    }
    if (this.#fresh.length > 0) this.#fresh.length = 0
    return (drops & 1) === 0
  }

  /** The series has changed while it was read. */
  undo(): void {
    for (const entry of this.#fresh) this.#entries[entry + E_CHUNK] = 0
    this.#fresh.length = 0
  }

  /**
   * Appends what is wanted of a chunk of floats to the target. False: it is not kept, and nothing was done.
   * @param ticks that are wanted, of a chunk of a group; null for one of own times
   */
  append(record: number, chunk: number, ticks: TickRange | null, target: ChunkTarget, trail: TimesTrail): boolean {
    const entry = this.#entryOf(record, chunk)
    if (entry < 0) return false
    this.found = entry
    this.appendEntry(entry, ticks, ticks === null ? 0 : this.#mem.get(chunk + K_TICK), target, trail)
    return true
  }

  /** Whether what was `found` for the chunk is there still; the chunk itself has not changed since. */
  holds(entry: number, record: number, chunk: number): boolean {
    const entries = this.#entries
    return (
      entries[entry + E_CHUNK] === chunk &&
      entries[entry + E_RECORD] === record &&
      this.#values.has(this.#entriesF64[(entry >>> 1) + E_PLACE_F64]!) &&
      this.#hasTimes(entry)
    )
  }

  /** Samples of the chunk. */
  countOf(entry: number): number {
    return this.#entries[entry + E_META]! >>> K_COUNT_SHIFT
  }

  /** Time of the first of a chunk of own times. */
  firstTimeOf(entry: number): number {
    return this.#columns[this.#entries[entry + E_SLOT]! & 0xffff]!.times[0]!
  }

  /** @param tick of a chunk of a group: its first */
  appendEntry(entry: number, ticks: TickRange | null, tick: number, target: ChunkTarget, trail: TimesTrail): void {
    const n = this.countOf(entry)
    const slot = this.#entries[entry + E_SLOT]!
    const { out } = target
    const { count } = out
    let from = 0
    let to = n
    if (ticks === null) {
      const { id, times } = this.#columns[slot & 0xffff]!
      if (times[0]! < target.minTime) from = firstFrom(times, target.minTime, n)
      if (times[n - 1]! > target.maxTime) to = firstFrom(times, Math.floor(target.maxTime) + 1, n)
      if (from >= to) return
      copy(times, from, to, out.times, count)
      trail.add(out, id, from, to)
    } else {
      from = Math.max(0, ticks.from - tick)
      to = Math.min(n, ticks.to - tick)
      if (from >= to) return
      const first = tick - ticks.from
      copy(ticks.times, first + from, first + to, out.times, count)
      trail.addTicks(out, ticks.group, tick + from, tick + to)
    }
    const traits = slot >>> TRAITS_SHIFT
    this.#copyValues(entry, from, to, traits, target)
    const end = count + to - from
    const { values } = out
    if ((traits & IS_NUMBERS) !== 0 && target.numbers === count) target.numbers = end
    if ((traits & RISES) !== 0 && out.rising === count && (count === 0 || values[count]! >= values[count - 1]!))
      out.rising = end
    out.count = end
  }

  #copyValues(entry: number, from: number, to: number, traits: number, { out }: ChunkTarget): void {
    const kept = this.#values
    let place = this.#entriesF64[(entry >>> 1) + E_PLACE_F64]!
    if (kept.isOld(place)) {
      place = kept.move(place, this.#entries[entry + E_META]! >>> K_COUNT_SHIFT)
      this.#entriesF64[(entry >>> 1) + E_PLACE_F64] = place
    }
    const segment = kept.segmentOf(place)
    const at = kept.offsetOf(place)
    // Only bytes may move where one may be a stale marker.
    if ((traits & IS_NUMBERS) !== 0) copy(segment, at + from, at + to, out.values, out.count)
    else out.values.set(segment.subarray(at + from, at + to), out.count)
  }

  /** Where the chunk is kept as it is now; -1: it is not. */
  #entryOf(record: number, chunk: number): number {
    const mem = this.#mem
    const set = Math.imul(chunk, HASH_FACTOR) >>> SET_SHIFT
    if (this.#entries.length === 0) this.#allocate()
    const entries = this.#entries
    const first = 2 * ENTRY_WORDS * set
    const entry = entries[first + E_CHUNK] === chunk ? first : first + ENTRY_WORDS
    const meta = mem.get(chunk + K_META)
    const used = mem.get(chunk + K_USED)
    const isKnown = entries[entry + E_CHUNK] === chunk && entries[entry + E_RECORD] === record
    if (
      isKnown &&
      entries[entry + E_META] === meta &&
      entries[entry + E_USED] === used &&
      this.#values.has(this.#entriesF64[(entry >>> 1) + E_PLACE_F64]!) &&
      this.#hasTimes(entry)
    )
      return entry
    if (!isKnown && !this.#hasMet(set, chunk)) return -1
    const victim = isKnown ? entry : this.#victimOf(first)
    return this.#keep(victim, record, chunk, meta, used) ? victim : -1
  }

  /** Before; from now on it has. */
  #hasMet(set: number, chunk: number): boolean {
    const met = this.#met
    if (met[2 * set] === chunk || met[2 * set + 1] === chunk) return true
    met[2 * set + 1] = met[2 * set]!
    met[2 * set] = chunk
    return false
  }

  /** Of a set: the one whose values were kept first. */
  #victimOf(first: number): number {
    const second = first + ENTRY_WORDS
    const placeOf = (entry: number): number =>
      this.#entries[entry + E_CHUNK] === 0 ? 0 : this.#entriesF64[(entry >>> 1) + E_PLACE_F64]!
    return placeOf(first) <= placeOf(second) ? first : second
  }

  #hasTimes(entry: number): boolean {
    const id = this.#entries[entry + E_COLUMN]!
    if (id === 0) return true
    const column = this.#columns[this.#entries[entry + E_SLOT]! & 0xffff]
    if (column === undefined || column.number !== id) return false
    column.left = PATIENCE
    return true
  }

  #keep(entry: number, record: number, chunk: number, meta: number, used: number): boolean {
    const n = meta >>> K_COUNT_SHIFT
    // Only where the writer is changing it.
    if (n === 0 || n > CHUNK_SAMPLES_MAX) return false
    const isGroup = (meta & KIND_MASK) === Kind.group
    const target = this.#target
    ensureCapacity(target.out, n)
    target.refresh(target.out)
    target.out.count = 0
    if (isGroup) {
      const ticks = this.#allTicks
      ticks.from = this.#mem.get(chunk + K_TICK)
      ticks.to = this.#mem.get(chunk + K_END_TICK)
      // One that has gaps is left to be decoded.
      if (ticks.to - ticks.from !== n) return false
      if (ticks.times.length < n) ticks.times = new Float64Array(2 * n)
      decodeGroupChunk(this.#mem, chunk, this.#cursor, ticks, target)
    } else {
      target.minTime = -Infinity
      target.maxTime = Infinity
      decodeOwnChunk(this.#mem, chunk, this.#cursor, target)
    }
    const { count, times, values } = target.out
    if (count !== n) return false
    const slot = isGroup ? -1 : columnSlotOf(times, n)
    if (slot >= 0 && !this.#holds(slot, times, n)) return false
    const place = this.#values.claim(n)
    this.#values.segmentOf(place).set(values.subarray(0, n), this.#values.offsetOf(place))
    const entries = this.#entries
    entries[entry + E_CHUNK] = chunk
    entries[entry + E_RECORD] = record
    entries[entry + E_META] = meta
    entries[entry + E_USED] = used
    this.#entriesF64[(entry >>> 1) + E_PLACE_F64] = place
    entries[entry + E_SLOT] = (traitsOf(values, n) << TRAITS_SHIFT) | Math.max(0, slot)
    entries[entry + E_COLUMN] = slot < 0 ? 0 : this.#columns[slot]!.number
    this.#fresh.push(entry)
    return true
  }

  /** False: others need the slot more. */
  #holds(slot: number, times: Float64Array, n: number): boolean {
    const known = this.#columns[slot]
    if (known !== undefined && isColumn(known, times, n)) return true
    if (known !== undefined && known.left-- > 0) return false
    this.#dropColumn(slot)
    while (this.#times + n > COLUMN_TIMES_MAX) this.#dropColumn(this.#hand++ % this.#columns.length)
    this.#columns[slot] = { id: newColumn(), number: ++this.#columnsMade, times: times.slice(0, n), left: PATIENCE }
    this.#times += n
    return true
  }

  #dropColumn(slot: number): void {
    this.#times -= this.#columns[slot]?.times.length ?? 0
    this.#columns[slot] = undefined
  }

  #allocate(): void {
    this.#met = new Uint32Array(2 * SETS)
    this.#entries = new Uint32Array(2 * SETS * ENTRY_WORDS)
    this.#entriesF64 = new Float64Array(this.#entries.buffer)
  }
}

function copy(from: Float64Array, at: number, end: number, to: Float64Array, count: number): void {
  const n = end - at
  if (n < FEW) for (let i = 0; i < n; i++) to[count + i] = from[at + i]!
  else to.set(at === 0 && end === from.length ? from : from.subarray(at, end), count)
}

function columnSlotOf(times: Float64Array, n: number): number {
  return (Math.imul(times[0]! % 2 ** 31, HASH_FACTOR) + Math.imul(n, OTHER_FACTOR)) >>> COLUMN_SHIFT
}

function isColumn({ times: known }: Column, times: Float64Array, n: number): boolean {
  if (known.length !== n) return false
  for (let i = 0; i < n; i++) if (known[i] !== times[i]) return false
  return true
}

function traitsOf(values: Float64Array, n: number): number {
  let rises = RISES
  for (let i = 0; i < n; i++) {
    if (Number.isNaN(values[i]!)) return 0
    if (i > 0 && values[i]! < values[i - 1]!) rises = 0
  }
  return IS_NUMBERS | rises
}

/** Index of the first of n times that is not before `time`. */
function firstFrom(times: Float64Array, time: number, n: number): number {
  let low = 0
  let high = n
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < time) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Seals open runs into chunks. A chunk is a header (layout.ts) and runs as bytes:
 *
 *   frame: samples (bits 0-4; 0 = long constant run) | gap (bit 7)
 *   kind group:     [gap: ticks skipped, LEB128] then long constant: u16 samples; else values (value-codec.ts)
 *   kind own:       time deltas (bits.ts, from the last time in the chunk), values
 *   kind ownStart:  time deltas, first start time as f64, deltas of the others, values
 *
 * Every function that can fail allocates before it changes anything.
 */
import { type Allocator, classOf, classWords, roundUp } from './allocator.ts'
import { packDeltas } from './bits.ts'
import type { GroupWriter } from './groups.ts'
import {
  CHUNK_SAMPLES_MAX,
  COUNT_SHIFT,
  K_BASE_F64,
  K_CLASS_SHIFT,
  K_COUNT_SHIFT,
  K_END_TICK,
  K_GROUP,
  K_HEADER,
  K_LAST_OFFSET,
  K_META,
  K_NEXT,
  K_PREV,
  K_TICK,
  K_USED,
  KIND_MASK,
  Kind,
  PAGE_MASK,
  PAGE_SHIFT,
  RUN,
  S_BASE_F64,
  S_FIRST,
  S_GROUP,
  S_LAST,
  S_LAST_TIME_F64,
  S_PREV,
  S_RAW,
  S_STATE,
  S_TICK,
  S_VERSION,
} from './layout.ts'
import type { Memory } from './memory.ts'
import { RunEncoder, writeDouble } from './value-codec.ts'

export const FRAME_COUNT = 0x1f
export const FRAME_GAP = 0x80
/** A chunk is made for this many runs of the size of its first. */
const RUNS_PLANNED = 8
const PAYLOAD_WORDS_MIN = 8
const PAYLOAD_WORDS_MAX = 256
const OFFSET_MAX = 0xffffffff

/** Words of the open run's buffer: values, then (own) time offsets, then (ownStart) start times. */
export const RAW_TIMES = 2 * RUN
export const RAW_STARTS = 3 * RUN
export function rawWords(kind: number): number {
  return kind === Kind.group ? 2 * RUN : kind === Kind.own ? 3 * RUN : 5 * RUN
}

/** Readers retry what they read while a lock is held or after it was. */
export function lock(mem: Memory, record: number): void {
  Atomics.add(mem.u32[record >>> PAGE_SHIFT]!, (record & PAGE_MASK) + S_VERSION, 1)
}
export const unlock = lock

export class ChunkWriter {
  readonly encoder = new RunEncoder()
  /** The samples that are being sealed. */
  readonly words = new Uint32Array(2 * RUN)
  readonly times = new Float64Array(RUN)
  readonly starts = new Float64Array(RUN)
  readonly #startWords = new Uint32Array(this.starts.buffer)
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #groups: GroupWriter
  readonly #bytes = new Uint8Array(512)
  readonly #offsets = new Float64Array(RUN)
  /** Payload bytes in use by all chunks. */
  payloadBytes = 0
  /** Chunks that there are, and that were made since the start. */
  live = 0
  created = 0

  constructor(mem: Memory, alloc: Allocator, groups: GroupWriter) {
    this.#mem = mem
    this.#alloc = alloc
    this.#groups = groups
  }

  /** Moves the open run of the series into its chunks. @throws HeadFullError, nothing changed */
  sealOpen(record: number): void {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const n = state >>> COUNT_SHIFT
    if (n === 0) return
    if ((state & KIND_MASK) === Kind.group) this.#sealGroup(record, state, n)
    else this.#sealOwn(record, state, n)
  }

  #sealGroup(record: number, state: number, n: number): void {
    const mem = this.#mem
    const raw = mem.get(record + S_RAW)
    const low = mem.get(record + S_PREV)
    const high = mem.get(record + S_PREV + 1)
    const group = mem.get(record + S_GROUP)
    const tick = mem.get(record + S_TICK)
    if (raw !== 0) this.encoder.words.set(this.#slice(raw, 2 * n))
    const constant = raw === 0 || this.encoder.isConstant(n, low, high)
    const last = mem.get(record + S_LAST)
    const follows =
      last !== 0 &&
      this.#kind(last) === Kind.group &&
      mem.get(last + K_GROUP) === group &&
      this.#count(last) + n <= CHUNK_SAMPLES_MAX
    const gap = follows ? tick - mem.get(last + K_END_TICK) : 0
    const longRun = follows ? mem.get(last + K_USED) >>> 16 : 0
    if (constant && longRun !== 0 && gap === 0) {
      lock(mem, record)
      this.#extend(last, longRun - 1, n)
    } else {
      let target = last
      let length = this.#encodeGroup(n, gap, constant, low, high)
      const fits = follows && this.#room(last) >= length
      if (!fits) {
        length = this.#encodeGroup(n, 0, constant, low, high)
        target = this.#create(Kind.group, length, low, high)
        mem.set(target + K_GROUP, group)
        mem.set(target + K_TICK, tick)
        this.#groups.use(group)
      }
      lock(mem, record)
      this.#put(target, length, n)
      mem.set(target + K_END_TICK, tick + n)
      if (constant) mem.set(target + K_USED, mem.get(target + K_USED) | ((this.#used(target) - 2 + 1) << 16))
      if (!fits) this.link(record, target)
    }
    mem.setF64(record, S_LAST_TIME_F64, this.#groups.timeOf(group, tick + n - 1))
    if (!constant) {
      mem.set(record + S_PREV, mem.get(raw + 2 * n - 2))
      mem.set(record + S_PREV + 1, mem.get(raw + 2 * n - 1))
    }
    mem.set(record + S_STATE, state & ((1 << COUNT_SHIFT) - 1))
    // A whole run without a change: back to a run that needs no buffer.
    if (constant && raw !== 0 && n === RUN) mem.set(record + S_RAW, 0)
    unlock(mem, record)
    if (constant && raw !== 0 && n === RUN) this.#alloc.free(raw, rawWords(Kind.group))
  }

  #encodeGroup(n: number, gap: number, constant: boolean, low: number, high: number): number {
    const bytes = this.#bytes
    bytes[0] = (constant ? 0 : n) | (gap > 0 ? FRAME_GAP : 0)
    let at = 1
    if (gap > 0) {
      let rest = gap
      for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
      bytes[at++] = rest
    }
    if (!constant) return this.encoder.encode(n, low, high, bytes, at)
    bytes[at] = n & 0xff
    bytes[at + 1] = n >>> 8
    return at + 2
  }

  #sealOwn(record: number, state: number, n: number): void {
    const mem = this.#mem
    const kind = (state & KIND_MASK) as Kind
    const raw = mem.get(record + S_RAW)
    const base = mem.getF64(record, S_BASE_F64)
    this.words.set(this.#slice(raw, 2 * n))
    for (let i = 0; i < n; i++) this.times[i] = base + mem.get(raw + RAW_TIMES + i)
    for (let i = 0; i < n; i++) this.starts[i] = kind === Kind.ownStart ? mem.getF64(raw + RAW_STARTS, i) : 0
    const runs = this.planOwn(kind, n)
    this.ensure(runs)
    const run = n / runs
    lock(mem, record)
    for (let from = 0; from < n; from += run) {
      const last = mem.get(record + S_LAST)
      const target = this.appendOwn(last, kind, from, run, mem.get(record + S_PREV), mem.get(record + S_PREV + 1))
      if (target !== last) this.link(record, target)
      mem.set(record + S_PREV, this.words[2 * (from + run) - 2]!)
      mem.set(record + S_PREV + 1, this.words[2 * (from + run) - 1]!)
    }
    mem.set(record + S_STATE, kind)
    unlock(mem, record)
  }

  /** Memory for `runs` calls of `appendOwn`. @throws HeadFullError */
  ensure(runs: number): void {
    this.#alloc.ensure(runs, K_HEADER + PAYLOAD_WORDS_MAX)
  }

  /** 1 when the n samples can be one run; n (each its own run) when their times or start times are too far apart. */
  planOwn(kind: Kind, n: number): number {
    for (let i = 1; i < n; i++) if (this.times[i]! - this.times[0]! >= OFFSET_MAX / 2) return n
    if (kind !== Kind.ownStart) return 1
    return packDeltas(this.starts, 1, n - 1, this.starts[0]!, this.#bytes, 0) < 0 ? n : 1
  }

  /**
   * Appends samples [from, from + n) as one run of an own-time kind to the chunk `last`, or to a new one when it does
   * not suit; (low, high) is the value before. Returns the chunk used.
   * @throws HeadFullError
   */
  appendOwn(last: number, kind: Kind, from: number, n: number, low: number, high: number): number {
    const mem = this.#mem
    const lastTime = this.times[from + n - 1]!
    let target = last
    if (last !== 0 && this.#suits(last, kind, n, from, lastTime)) {
      const before = mem.get(last + K_LAST_OFFSET)
      const length = this.#encodeOwn(kind, from, n, mem.getF64(last, K_BASE_F64), before, low, high)
      if (length >= 0 && this.#room(last) >= length) {
        this.#put(last, length, n)
        mem.set(last + K_LAST_OFFSET, lastTime - mem.getF64(last, K_BASE_F64))
        return last
      }
    }
    const base = this.times[from]!
    const length = this.#encodeOwn(kind, from, n, base, 0, low, high)
    if (length < 0) throw new Error('BUG: a planned run of own times cannot be encoded')
    target = this.#create(kind, length, low, high)
    mem.setF64(target, K_BASE_F64, base)
    this.#put(target, length, n)
    mem.set(target + K_LAST_OFFSET, lastTime - base)
    return target
  }

  #suits(chunk: number, kind: Kind, n: number, from: number, lastTime: number): boolean {
    const base = this.#mem.getF64(chunk, K_BASE_F64)
    return (
      this.#kind(chunk) === kind &&
      this.#count(chunk) + n <= CHUNK_SAMPLES_MAX &&
      lastTime - base < OFFSET_MAX &&
      this.times[from]! > base + this.#mem.get(chunk + K_LAST_OFFSET)
    )
  }

  #encodeOwn(kind: Kind, from: number, n: number, base: number, before: number, low: number, high: number): number {
    const bytes = this.#bytes
    for (let i = 0; i < n; i++) this.#offsets[i] = this.times[from + i]! - base
    for (let i = 0; i < 2 * n; i++) this.encoder.words[i] = this.words[2 * from + i]!
    bytes[0] = n
    let at = packDeltas(this.#offsets, 0, n, before, bytes, 1)
    if (at < 0) return -1
    if (kind === Kind.ownStart) {
      writeDouble(this.#startWords[2 * from]!, this.#startWords[2 * from + 1]!, bytes, at)
      at = packDeltas(this.starts, from + 1, n - 1, this.starts[from]!, bytes, at + 8)
      if (at < 0) return -1
    }
    return this.encoder.encode(n, low, high, bytes, at)
  }

  /** A histogram's record goes to the chunk `last`, or to a new one; returns the chunk used. @throws HeadFullError */
  appendHistogram(last: number, time: number, start: number, payload: Uint8Array): number {
    const mem = this.#mem
    const length = HISTOGRAM_HEADER + ((payload.length + 3) & ~3)
    let target = last
    let base = last === 0 ? time : mem.getF64(last, K_BASE_F64)
    const fits =
      last !== 0 &&
      this.#kind(last) === Kind.histogram &&
      time - base < OFFSET_MAX &&
      time > base + mem.get(last + K_LAST_OFFSET) &&
      this.#roomOfHistograms(last) >= length
    if (!fits) {
      base = time
      const words = Math.max(length / 4, Math.min(PAYLOAD_WORDS_MAX, length))
      target = this.#createWords(Kind.histogram, roundUp(K_HEADER + words))
      mem.setF64(target, K_BASE_F64, base)
    }
    const used = mem.get(target + K_USED)
    const at = target + K_HEADER + (used >>> 2)
    mem.setF64(at, 0, time)
    mem.setF64(at, 1, start)
    mem.set(at + 4, payload.length)
    mem.u8[at >>> PAGE_SHIFT]!.set(payload, (at & PAGE_MASK) * 4 + HISTOGRAM_HEADER)
    // Records stay on 8-byte borders for their times.
    mem.set(target + K_USED, used + ((length + 7) & ~7))
    mem.set(target + K_META, mem.get(target + K_META) + (1 << K_COUNT_SHIFT))
    mem.set(target + K_LAST_OFFSET, time - base)
    this.payloadBytes += length
    return target
  }

  /** Words of the chunk's block, for freeing it. */
  blockWords(chunk: number): number {
    return classWords((this.#mem.get(chunk + K_META) >>> K_CLASS_SHIFT) & 0xff)
  }

  kindOf(chunk: number): Kind {
    return this.#kind(chunk)
  }

  countOf(chunk: number): number {
    return this.#count(chunk)
  }

  usedBytes(chunk: number): number {
    return this.#kind(chunk) === Kind.histogram ? this.#mem.get(chunk + K_USED) : this.#used(chunk)
  }

  /** Puts the chunk last in the list of the series. */
  link(record: number, chunk: number): void {
    const mem = this.#mem
    const last = mem.get(record + S_LAST)
    if (last === 0) mem.publish(record + S_FIRST, chunk)
    else mem.publish(last + K_NEXT, chunk)
    mem.set(record + S_LAST, chunk)
  }

  #create(kind: Kind, length: number, low: number, high: number): number {
    const planned = Math.max(PAYLOAD_WORDS_MIN, Math.min(PAYLOAD_WORDS_MAX, Math.ceil((length * RUNS_PLANNED) / 4)))
    const chunk = this.#createWords(kind, roundUp(K_HEADER + Math.max(planned, Math.ceil(length / 4))))
    this.#mem.set(chunk + K_PREV, low)
    this.#mem.set(chunk + K_PREV + 1, high)
    return chunk
  }

  #createWords(kind: Kind, words: number): number {
    const chunk = this.#alloc.alloc(words)
    for (let i = 0; i < K_HEADER; i++) this.#mem.set(chunk + i, 0)
    this.#mem.set(chunk + K_META, kind | (classOf(words) << K_CLASS_SHIFT))
    this.live++
    this.created++
    return chunk
  }

  #put(chunk: number, length: number, n: number): void {
    const mem = this.#mem
    const used = this.#used(chunk)
    const bytes = mem.u8[chunk >>> PAGE_SHIFT]!
    const at = ((chunk & PAGE_MASK) + K_HEADER) * 4 + used
    for (let i = 0; i < length; i++) bytes[at + i] = this.#bytes[i]!
    mem.set(chunk + K_USED, used + length)
    mem.set(chunk + K_META, mem.get(chunk + K_META) + (n << K_COUNT_SHIFT))
    this.payloadBytes += length
  }

  #extend(chunk: number, at: number, n: number): void {
    const mem = this.#mem
    const bytes = mem.u8[chunk >>> PAGE_SHIFT]!
    const p = ((chunk & PAGE_MASK) + K_HEADER) * 4 + at
    const count = bytes[p]! + (bytes[p + 1]! << 8) + n
    bytes[p] = count & 0xff
    bytes[p + 1] = count >>> 8
    mem.set(chunk + K_META, mem.get(chunk + K_META) + (n << K_COUNT_SHIFT))
    mem.set(chunk + K_END_TICK, mem.get(chunk + K_END_TICK) + n)
  }

  #kind(chunk: number): Kind {
    return (this.#mem.get(chunk + K_META) & KIND_MASK) as Kind
  }

  #count(chunk: number): number {
    return this.#mem.get(chunk + K_META) >>> K_COUNT_SHIFT
  }

  #used(chunk: number): number {
    return this.#mem.get(chunk + K_USED) & 0xffff
  }

  #room(chunk: number): number {
    return (this.blockWords(chunk) - K_HEADER) * 4 - this.#used(chunk)
  }

  #roomOfHistograms(chunk: number): number {
    return (this.blockWords(chunk) - K_HEADER) * 4 - this.#mem.get(chunk + K_USED)
  }

  #slice(addr: number, words: number): Uint32Array<SharedArrayBuffer> {
    const at = addr & PAGE_MASK
    return this.#mem.u32[addr >>> PAGE_SHIFT]!.subarray(at, at + words)
  }
}

/** Time and start time as doubles, payload length. */
export const HISTOGRAM_HEADER = 20

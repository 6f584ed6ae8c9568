/**
 * Appends samples to series records. The newest samples of a series are its open run: a buffer of 16 values, or, while
 * all of them are equal, nothing but a count. Full runs are sealed into chunks (chunk-writer.ts). Samples older than
 * the newest go to a second sorted run (late-writer.ts).
 *
 * What readers see: an append inside a run is one store of `S_STATE` after the value; anything else happens under the
 * record's lock. Ticks of groups count only once published.
 */

import { STALE_HIGH, STALE_LOW } from '../../protocol/samples/mod.ts'
import type { Allocator } from './allocator.ts'
import { type ChunkWriter, lock, RAW_STARTS, RAW_TIMES, rawWords, unlock } from './chunk-writer.ts'
import { AppendResult } from './contract.ts'
import type { GroupWriter } from './groups.ts'
import {
  CHUNK_SAMPLES_MAX,
  COUNT_ONE,
  COUNT_SHIFT,
  K_GROUP,
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
} from './layout.ts'
import type { Memory } from './memory.ts'

const OFFSET_MAX = 0xffffffff
/** A series whose chunk of a group is shorter when another group takes it over is better off with its own times. */
const SAMPLES_PER_GROUP_MIN = 4
/** Own-time runs that a column may fill before the series joins the column's group. */
const OWN_SAMPLES_BEFORE_GROUP = 8 * RUN

export class SeriesWriter {
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #groups: GroupWriter
  readonly chunks: ChunkWriter

  constructor(mem: Memory, alloc: Allocator, groups: GroupWriter, chunks: ChunkWriter) {
    this.#mem = mem
    this.#alloc = alloc
    this.#groups = groups
    this.chunks = chunks
  }

  /** Of the newest sample; -Infinity when the series has never had one. */
  lastTime(record: number): number {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const n = state >>> COUNT_SHIFT
    if (n > 0 && (state & KIND_MASK) === Kind.group) {
      return this.#groups.timeOf(mem.get(record + S_GROUP), mem.get(record + S_TICK) + n - 1)
    }
    return mem.getF64(record, S_LAST_TIME_F64)
  }

  /** A sample newer than `lastTime`, at a tick of a group. @throws HeadFullError, nothing changed */
  appendTick(record: number, group: number, tick: number, time: number, low: number, high: number): AppendResult {
    if (!this.mayJoin(record, group)) return this.appendOwn(record, time, low, high, 0)
    return this.joinTick(record, group, tick, low, high)
  }

  /** The same, whatever the series did before. @throws HeadFullError, nothing changed */
  joinTick(record: number, group: number, tick: number, low: number, high: number): AppendResult {
    const mem = this.#mem
    let state = mem.get(record + S_STATE)
    let n = state >>> COUNT_SHIFT
    const isOpen =
      n > 0 &&
      (state & KIND_MASK) === Kind.group &&
      mem.get(record + S_GROUP) === group &&
      mem.get(record + S_TICK) + n === tick
    let raw = mem.get(record + S_RAW)
    const same = mem.get(record + S_PREV) === low && mem.get(record + S_PREV + 1) === high
    if (isOpen && raw === 0 && !same && n < RUN) raw = this.#materialise(record, n)
    else if (!isOpen || (raw === 0 ? !same || n >= CHUNK_SAMPLES_MAX : n >= RUN)) {
      this.chunks.sealOpen(record)
      this.#open(record, group, tick, low, high)
      n = 0
      raw = mem.get(record + S_RAW)
    }
    state = mem.get(record + S_STATE)
    if (raw !== 0) {
      mem.set(raw + 2 * n, low)
      mem.set(raw + 2 * n + 1, high)
    }
    mem.publish(record + S_STATE, state + COUNT_ONE)
    if (high === STALE_HIGH && low === STALE_LOW) this.#close(record)
    return AppendResult.stored
  }

  /** A sample newer than `lastTime`, with its own time. @throws HeadFullError, nothing changed */
  appendOwn(record: number, time: number, low: number, high: number, start: number): AppendResult {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const openKind = state & KIND_MASK
    let n = state >>> COUNT_SHIFT
    const kind = start !== 0 || (openKind === Kind.ownStart && n > 0) ? Kind.ownStart : Kind.own
    const base = mem.getF64(record, S_BASE_F64)
    if (n === 0 || n >= RUN || openKind !== kind || time - base >= OFFSET_MAX / 2) {
      this.chunks.sealOpen(record)
      this.#openOwn(record, kind, time, low, high)
      n = 0
    }
    const raw = mem.get(record + S_RAW)
    mem.set(raw + 2 * n, low)
    mem.set(raw + 2 * n + 1, high)
    mem.set(raw + RAW_TIMES + n, time - mem.getF64(record, S_BASE_F64))
    if (kind === Kind.ownStart) mem.setF64(raw + RAW_STARTS, n, start)
    mem.setF64(record, S_LAST_TIME_F64, time)
    mem.publish(record + S_STATE, mem.get(record + S_STATE) + COUNT_ONE) // pairs with the load in series-reader.ts
    if (high === STALE_HIGH && low === STALE_LOW) this.#close(record)
    return AppendResult.stored
  }

  /** A histogram newer than `lastTime`, encoded. @throws HeadFullError, nothing visible changed */
  appendHistogram(record: number, time: number, start: number, payload: Uint8Array): AppendResult {
    const mem = this.#mem
    this.#close(record)
    this.#alloc.ensure(1, payload.length / 4 + 300)
    lock(mem, record)
    const last = mem.get(record + S_LAST)
    const chunk = this.chunks.appendHistogram(last, time, start, payload)
    if (chunk !== last) this.chunks.link(record, chunk)
    this.#leaveGroup(record)
    mem.set(record + S_STATE, Kind.histogram)
    mem.setF64(record, S_LAST_TIME_F64, time)
    unlock(mem, record)
    return AppendResult.stored
  }

  /** Frees what a series that is removed holds beside its chunks. */
  drop(record: number): void {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const raw = mem.get(record + S_RAW)
    lock(mem, record)
    this.#leaveGroup(record)
    mem.set(record + S_RAW, 0)
    mem.set(record + S_STATE, Kind.none)
    unlock(mem, record)
    if (raw !== 0) this.#alloc.free(raw, rawWords(state & KIND_MASK))
  }

  /** A column's series joins the column's group, unless it goes back and forth between groups. */
  mayJoin(record: number, group: number): boolean {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const kind = state & KIND_MASK
    const n = state >>> COUNT_SHIFT
    const last = mem.get(record + S_LAST)
    if (kind === Kind.none || kind === Kind.histogram) return true
    if (kind === Kind.group) {
      if (mem.get(record + S_GROUP) === group) return true
      const sealed = last !== 0 && this.chunks.kindOf(last) === Kind.group ? this.chunks.countOf(last) : 0
      return n + sealed >= SAMPLES_PER_GROUP_MIN
    }
    const sealed = last !== 0 && this.chunks.kindOf(last) === kind ? this.chunks.countOf(last) : 0
    return n + sealed >= OWN_SAMPLES_BEFORE_GROUP
  }

  /** Opens an empty run of kind group at `tick`. */
  #open(record: number, group: number, tick: number, low: number, high: number): void {
    const mem = this.#mem
    const kind = mem.get(record + S_STATE) & KIND_MASK
    const oldRaw = mem.get(record + S_RAW)
    const last = mem.get(record + S_LAST)
    const continues = last !== 0 && this.chunks.kindOf(last) === Kind.group && mem.get(last + K_GROUP) === group
    // Without a chunk to continue, the value before the run is ours to choose, and best equal to the first.
    const isSame = !continues || (mem.get(record + S_PREV) === low && mem.get(record + S_PREV + 1) === high)
    const keepRaw = oldRaw !== 0 && kind === Kind.group && continues
    const raw = keepRaw ? oldRaw : isSame ? 0 : this.#alloc.alloc(rawWords(Kind.group))
    lock(mem, record)
    if (!continues) {
      mem.set(record + S_PREV, low)
      mem.set(record + S_PREV + 1, high)
    }
    if (kind !== Kind.group || mem.get(record + S_GROUP) !== group) {
      this.#leaveGroup(record)
      this.#groups.use(group)
    }
    mem.set(record + S_STATE, Kind.group)
    mem.set(record + S_GROUP, group)
    mem.set(record + S_TICK, tick)
    mem.set(record + S_RAW, raw)
    unlock(mem, record)
    if (oldRaw !== 0 && !keepRaw) this.#alloc.free(oldRaw, rawWords(kind))
  }

  #openOwn(record: number, kind: Kind, time: number, low: number, high: number): void {
    const mem = this.#mem
    const openKind = mem.get(record + S_STATE) & KIND_MASK
    const oldRaw = mem.get(record + S_RAW)
    const keepRaw = oldRaw !== 0 && openKind === kind
    const raw = keepRaw ? oldRaw : this.#alloc.alloc(rawWords(kind))
    lock(mem, record)
    this.#leaveGroup(record)
    if (mem.get(record + S_FIRST) === 0) {
      mem.set(record + S_PREV, low)
      mem.set(record + S_PREV + 1, high)
    }
    mem.set(record + S_STATE, kind)
    mem.set(record + S_RAW, raw)
    mem.setF64(record, S_BASE_F64, time)
    unlock(mem, record)
    if (oldRaw !== 0 && !keepRaw) this.#alloc.free(oldRaw, rawWords(openKind))
  }

  /** Gives a run of equal values its buffer; returns it. */
  #materialise(record: number, n: number): number {
    const mem = this.#mem
    const raw = this.#alloc.alloc(rawWords(Kind.group))
    const words = mem.u32[raw >>> PAGE_SHIFT]!
    const at = raw & PAGE_MASK
    for (let i = 0; i < n; i++) {
      words[at + 2 * i] = mem.get(record + S_PREV)
      words[at + 2 * i + 1] = mem.get(record + S_PREV + 1)
    }
    lock(mem, record)
    mem.set(record + S_RAW, raw)
    unlock(mem, record)
    return raw
  }

  /** Seals the open run and gives its buffer back: the series may be silent for long. */
  #close(record: number): void {
    const mem = this.#mem
    const kind = mem.get(record + S_STATE) & KIND_MASK
    this.chunks.sealOpen(record)
    const raw = mem.get(record + S_RAW)
    if (raw === 0) return
    lock(mem, record)
    mem.set(record + S_RAW, 0)
    unlock(mem, record)
    this.#alloc.free(raw, rawWords(kind))
  }

  /** Inside a lock, before the kind changes. */
  #leaveGroup(record: number): void {
    const mem = this.#mem
    if ((mem.get(record + S_STATE) & KIND_MASK) === Kind.group) this.#groups.release(mem.get(record + S_GROUP))
  }
}

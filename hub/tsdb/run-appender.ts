/**
 * The fast ways of columns and of a remote writer's samples: each sample goes to the next place of its series' open run,
 * while the series shares the group of the column, or of the sample before. Everything else is the caller's.
 * Hot: bench/hub/head.bench.ts, bench storage.
 */
import { STALE_HIGH } from '../../protocol/samples/mod.ts'
import { AppendResult } from './contract.ts'
import {
  CHUNK_SAMPLES_MAX,
  COUNT_ONE,
  COUNT_SHIFT,
  Kind,
  LIVE_KIND_MASK,
  PAGE_MASK,
  PAGE_SHIFT,
  RUN,
  S_GROUP,
  S_PREV,
  S_RAW,
  S_STATE,
  S_TICK,
} from './layout.ts'
import type { Memory } from './memory.ts'
import type { SharedTimes } from './shared-times.ts'
import type { TableWriter } from './table.ts'

/** The slow ways, for what is out of line. */
export type SlowAppends = {
  readonly one: (ref: number, time: number, low: number, high: number, group: number, tick: number) => AppendResult
  /** `n` samples of its time come together. */
  readonly shared: (ref: number, time: number, low: number, high: number, n: number) => AppendResult
}

export class RunAppender {
  readonly #mem: Memory
  readonly #table: TableWriter
  readonly #shared: SharedTimes
  readonly #slow: SlowAppends

  constructor(mem: Memory, table: TableWriter, shared: SharedTimes, slow: SlowAppends) {
    this.#mem = mem
    this.#table = table
    this.#shared = shared
    this.#slow = slow
  }

  /** As `Appender.appendColumn`, at a tick of a group that no reader knows yet. */
  appendColumn(group: number, tick: number, time: number, refs: Uint32Array, values: Float64Array, n: number): number {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
    const { u32 } = this.#mem
    const table = this.#table
    const count = table.count
    let stored = 0
    for (let i = 0; i < n; i++) {
      const ref = refs[i]!
      const low = words[2 * i]!
      const high = words[2 * i + 1]!
      const record = ref < count ? table.addr(ref) : 0
      if (record !== 0) {
        const page = u32[record >>> PAGE_SHIFT]!
        const at = record & PAGE_MASK
        const state = page[at + S_STATE]!
        const length = state >>> COUNT_SHIFT
        const follows =
          (state & LIVE_KIND_MASK) === Kind.group &&
          page[at + S_GROUP] === group &&
          page[at + S_TICK]! + length === tick
        if (follows && high !== STALE_HIGH) {
          const raw = page[at + S_RAW]!
          // Readers see the sample once the group's tick is published; until then the order of stores is free.
          if (raw !== 0) {
            if (length < RUN) {
              const rawPage = u32[raw >>> PAGE_SHIFT]!
              const to = (raw & PAGE_MASK) + 2 * length
              rawPage[to] = low
              rawPage[to + 1] = high
              page[at + S_STATE] = state + COUNT_ONE
              stored++
              continue
            }
          } else if (length < CHUNK_SAMPLES_MAX && page[at + S_PREV] === low && page[at + S_PREV + 1] === high) {
            page[at + S_STATE] = state + COUNT_ONE
            stored++
            continue
          }
        }
      }
      if (this.#slow.one(ref, time, low, high, group, tick) === AppendResult.stored) stored++
    }
    return stored
  }

  /** As `Appender.appendRun`. */
  append(time: number, refs: Uint32Array, values: Float64Array, from: number, n: number, results: Uint8Array): number {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
    const shared = this.#shared
    shared.begin()
    const { u32 } = this.#mem
    const table = this.#table
    const count = table.count
    let stored = 0
    for (let i = from; i < from + n; i++) {
      const ref = refs[i]!
      const low = words[2 * i]!
      const high = words[2 * i + 1]!
      const record = ref < count ? table.addr(ref) : 0
      if (record !== 0 && shared.tick >= 0) {
        const page = u32[record >>> PAGE_SHIFT]!
        const at = record & PAGE_MASK
        const state = page[at + S_STATE]!
        const length = state >>> COUNT_SHIFT
        const raw = page[at + S_RAW]!
        const follows =
          (state & LIVE_KIND_MASK) === Kind.group &&
          page[at + S_GROUP] === shared.group &&
          page[at + S_TICK]! + length === shared.tick &&
          high !== STALE_HIGH &&
          (raw !== 0
            ? length < RUN
            : length < CHUNK_SAMPLES_MAX && page[at + S_PREV] === low && page[at + S_PREV + 1] === high)
        if (follows) {
          if (raw !== 0) {
            const rawPage = u32[raw >>> PAGE_SHIFT]!
            const to = (raw & PAGE_MASK) + 2 * length
            rawPage[to] = low
            rawPage[to + 1] = high
          }
          // An earlier call may have had the tick published: then the value must be there before the count.
          if (shared.isPublished) Atomics.store(page, at + S_STATE, state + COUNT_ONE)
          else page[at + S_STATE] = state + COUNT_ONE
          results[i] = AppendResult.stored
          stored++
          continue
        }
      }
      const result = this.#slow.shared(ref, time, low, high, n)
      results[i] = result
      if (result === AppendResult.stored) stored++
    }
    return stored
  }
}

/**
 * Where to begin to look for a time in a series' lists of chunks. A list is walked from one end; for each late sample
 * that was most of what it cost where a series has hundreds of chunks (histograms whose layout changes, scrapes of a
 * second). The writer notes marks in its heap as it walks long lists, for those series alone; `clear` them whenever
 * chunks are taken away. Chunks get longer only at the end of their list to which samples are added: that one gets no
 * mark. Method: skip pointers, kept outside of the list.
 */
import { K_BASE_F64, K_END_TICK, K_GROUP, K_LAST_OFFSET, K_META, K_NEXT, K_TICK, KIND_MASK, Kind } from './layout.ts'
import type { Memory } from './memory.ts'

/** Chunks between two marks. */
const STRIDE = 32
/** Series with marks; beyond it all are forgotten. */
const SERIES_MAX = 100_000

/** Ticks of a group at a time: `from` is the first tick at or after it, `to` the first after it. */
export type TicksAt = (group: number) => { readonly from: number; readonly to: number }

/** In-order chunks ascend, and do not overlap. */
type InOrderMarks = { readonly chunks: number[] }
/** Late ones overlap as they come, newest first: `ends` is the last time of the marked chunk and of all behind it. */
type LateMarks = { readonly chunks: number[]; readonly ends: number[] }

export class ChunkMarks {
  readonly #mem: Memory
  readonly #inOrder = new Map<number, InOrderMarks>()
  readonly #late = new Map<number, LateMarks>()

  constructor(mem: Memory) {
    this.#mem = mem
  }

  clear(): void {
    this.#inOrder.clear()
    this.#late.clear()
  }

  /** Chunks of the in-order list from `first` on that may have a sample of that time, into `out`. */
  findInOrder(record: number, first: number, time: number, ticksAt: TicksAt, out: number[]): void {
    const mem = this.#mem
    const marks = this.#inOrder.get(record)
    const mark = marks === undefined ? -1 : this.#lastNotAfter(marks.chunks, time, ticksAt)
    const isPastMarks = mark === (marks?.chunks.length ?? 0) - 1
    let steps = 0
    for (let chunk = mark < 0 ? first : marks!.chunks[mark]!; chunk !== 0; ) {
      const next = mem.get(chunk + K_NEXT)
      if (this.#isAfter(chunk, time, ticksAt)) return
      if (this.#overlaps(chunk, time, ticksAt)) out.push(chunk)
      if (isPastMarks && next !== 0 && steps === STRIDE) {
        this.#marksOf(this.#inOrder, record, () => ({ chunks: [] })).chunks.push(chunk)
        steps = 0
      }
      steps++
      chunk = next
    }
  }

  /** As `findInOrder`, of the late list. */
  findLate(record: number, head: number, time: number, out: number[]): void {
    const mem = this.#mem
    const marks = this.#late.get(record)
    let mark = (marks?.chunks.length ?? 0) - 1
    let steps = 0
    let unmarkedEnd = -Infinity
    let isUnmarked = true
    for (let chunk = head; chunk !== 0; chunk = mem.get(chunk + K_NEXT)) {
      if (mark >= 0 && chunk === marks!.chunks[mark]) {
        isUnmarked = false
        if (marks!.ends[mark]! < time) break
        mark--
      }
      if (this.#overlaps(chunk, time, NO_TICKS)) out.push(chunk)
      if (isUnmarked && chunk !== head) {
        steps++
        unmarkedEnd = Math.max(unmarkedEnd, this.#lastTime(chunk))
      }
    }
    if (steps < STRIDE) return
    const { chunks, ends } = this.#marksOf(this.#late, record, () => ({ chunks: [], ends: [] }))
    ends.push(Math.max(unmarkedEnd, ends.at(-1) ?? -Infinity))
    chunks.push(mem.get(head + K_NEXT))
  }

  #marksOf<T>(all: Map<number, T>, record: number, create: () => T): T {
    let marks = all.get(record)
    if (marks === undefined) {
      if (all.size >= SERIES_MAX) all.clear()
      all.set(record, (marks = create()))
    }
    return marks
  }

  /** Index of the last chunk that does not begin after the time; -1: none. */
  #lastNotAfter(chunks: readonly number[], time: number, ticksAt: TicksAt): number {
    let from = 0
    let to = chunks.length
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#isAfter(chunks[middle]!, time, ticksAt)) to = middle
      else from = middle + 1
    }
    return from - 1
  }

  #isAfter(chunk: number, time: number, ticksAt: TicksAt): boolean {
    const mem = this.#mem
    if ((mem.get(chunk + K_META) & KIND_MASK) !== Kind.group) return mem.getF64(chunk, K_BASE_F64) > time
    return mem.get(chunk + K_TICK) >= ticksAt(mem.get(chunk + K_GROUP)).to
  }

  #overlaps(chunk: number, time: number, ticksAt: TicksAt): boolean {
    const mem = this.#mem
    if ((mem.get(chunk + K_META) & KIND_MASK) !== Kind.group)
      return mem.getF64(chunk, K_BASE_F64) <= time && this.#lastTime(chunk) >= time
    const { from, to } = ticksAt(mem.get(chunk + K_GROUP))
    return mem.get(chunk + K_TICK) < to && mem.get(chunk + K_END_TICK) > from
  }

  #lastTime(chunk: number): number {
    return this.#mem.getF64(chunk, K_BASE_F64) + this.#mem.get(chunk + K_LAST_OFFSET)
  }
}

/** Late chunks have times of their own. */
const NO_TICKS: TicksAt = () => {
  throw new Error('BUG: a late chunk of a group')
}

/** Retention of one series: unlinks chunks that are wholly before a time. The blocks go to the limbo, not to use. */
import { type ChunkWriter, lock, unlock } from './chunk-writer.ts'
import type { Limbo } from './epochs.ts'
import type { GroupWriter } from './groups.ts'
import type { LateWriter } from './late-writer.ts'
import {
  K_BASE_F64,
  K_END_TICK,
  K_GROUP,
  K_LAST_OFFSET,
  K_NEXT,
  Kind,
  O_USED,
  S_FIRST,
  S_LAST,
  S_OOO,
  S_OOO_RAW,
} from './layout.ts'
import type { Memory } from './memory.ts'
import type { SeriesWriter } from './series-writer.ts'

export class Trimmer {
  readonly #mem: Memory
  readonly #limbo: Limbo
  readonly #groups: GroupWriter
  readonly #chunks: ChunkWriter
  readonly #series: SeriesWriter
  readonly #late: LateWriter

  constructor(mem: Memory, limbo: Limbo, groups: GroupWriter, series: SeriesWriter, late: LateWriter) {
    this.#mem = mem
    this.#limbo = limbo
    this.#groups = groups
    this.#chunks = series.chunks
    this.#series = series
    this.#late = late
  }

  /** Returns whether samples are left. */
  trim(record: number, minTime: number): boolean {
    this.#trimChunks(record, minTime)
    this.#trimLate(record, minTime)
    const mem = this.#mem
    const isOld = this.#series.lastTime(record) < minTime
    if (isOld) this.#series.drop(record)
    return !isOld || mem.get(record + S_OOO) !== 0 || mem.get(record + S_OOO_RAW) !== 0
  }

  /**
   * Takes away what blocks hold: in-order samples before `minTime`, and late ones too unless some of them came since
   * the blocks were cut. Returns whether samples are left.
   */
  evict(record: number, minTime: number, keepLate: boolean): boolean {
    this.#trimChunks(record, minTime)
    if (!keepLate) this.#trimLate(record, minTime)
    const mem = this.#mem
    const lastTime = this.#series.lastTime(record)
    const isOld = lastTime < minTime || lastTime === Number.NEGATIVE_INFINITY
    if (isOld) this.#series.drop(record)
    return !isOld || mem.get(record + S_OOO) !== 0 || mem.get(record + S_OOO_RAW) !== 0
  }

  /** Of the late samples; Infinity when there are none. */
  firstLateTime(record: number): number {
    const mem = this.#mem
    let first = Infinity
    for (let chunk = mem.get(record + S_OOO); chunk !== 0; chunk = mem.get(chunk + K_NEXT))
      first = Math.min(first, mem.getF64(chunk, K_BASE_F64))
    const buffer = mem.get(record + S_OOO_RAW)
    if (buffer !== 0 && mem.get(buffer + O_USED) > 0) first = Math.min(first, mem.getF64(buffer, 1))
    return first
  }

  #trimChunks(record: number, minTime: number): void {
    const mem = this.#mem
    const first = mem.get(record + S_FIRST)
    let keep = first
    while (keep !== 0 && this.#lastTime(keep) < minTime) keep = mem.get(keep + K_NEXT)
    if (keep === first) return
    lock(mem, record)
    mem.set(record + S_FIRST, keep)
    if (keep === 0) mem.set(record + S_LAST, 0)
    unlock(mem, record)
    for (let chunk = first; chunk !== keep; chunk = mem.get(chunk + K_NEXT)) this.#drop(chunk)
  }

  #trimLate(record: number, minTime: number): void {
    const mem = this.#mem
    let before = 0
    for (let chunk = mem.get(record + S_OOO); chunk !== 0; ) {
      const next = mem.get(chunk + K_NEXT)
      if (this.#lastTime(chunk) < minTime) {
        lock(mem, record)
        if (before === 0) mem.set(record + S_OOO, next)
        else mem.set(before + K_NEXT, next)
        unlock(mem, record)
        this.#drop(chunk)
      } else before = chunk
      chunk = next
    }
    const buffer = mem.get(record + S_OOO_RAW)
    if (buffer === 0) return
    const used = mem.get(buffer + O_USED)
    // Element i of the sorted times is double i + 1 of the block.
    if (used === 0 || mem.getF64(buffer, used) < minTime) this.#late.drop(record)
  }

  #lastTime(chunk: number): number {
    const mem = this.#mem
    if (this.#chunks.kindOf(chunk) !== Kind.group) return mem.getF64(chunk, K_BASE_F64) + mem.get(chunk + K_LAST_OFFSET)
    return this.#groups.timeOf(mem.get(chunk + K_GROUP), mem.get(chunk + K_END_TICK) - 1)
  }

  #drop(chunk: number): void {
    const mem = this.#mem
    if (this.#chunks.kindOf(chunk) === Kind.group) this.#groups.release(mem.get(chunk + K_GROUP))
    this.#chunks.live--
    this.#chunks.payloadBytes -= this.#chunks.usedBytes(chunk)
    this.#limbo.block(chunk, this.#chunks.blockWords(chunk))
  }
}

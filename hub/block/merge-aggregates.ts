/** The stored windows of many readers as those of one: for writing the block that takes the place of theirs. */
import {
  type AggregateBuffer,
  ALL_AGGREGATES,
  clearRows,
  createAggregateBuffer,
  type SeriesReader,
  type SeriesRef,
  type StoredAggregates,
  type TimeRange,
} from '../tsdb/mod.ts'
import { appendRows, joinRows, overlay } from './aggregate.ts'

/** One of the readers that are merged. */
export type Part = {
  readonly reader: SeriesReader
  readonly minTime: number
  readonly maxTime: number
  /** Of two with a sample at one time, the smaller has the say. */
  readonly rank: number
  /** Undefined: it does not have the series. */
  refOf(ref: SeriesRef): SeriesRef | undefined
}

export class MergedAggregates implements StoredAggregates {
  /** In the order of time. */
  readonly #parts: readonly Part[]
  readonly #part = createAggregateBuffer()
  readonly #scratch = createAggregateBuffer()

  constructor(parts: readonly Part[]) {
    this.#parts = [...parts].sort((a, b) => a.minTime - b.minTime)
  }

  allWidths(): readonly number[] {
    return [...new Set(this.#parts.flatMap(({ reader }) => reader.stored?.allWidths() ?? []))].sort((a, b) => a - b)
  }

  /** Nobody asks: what stands for what is chosen reader by reader. */
  widths(): readonly number[] {
    return []
  }

  goneBefore(ref: SeriesRef): number {
    let before = Number.NEGATIVE_INFINITY
    for (const { reader, refOf } of this.#parts) {
      const own = refOf(ref)
      if (own !== undefined && reader.stored) before = Math.max(before, reader.stored.goneBefore(own))
    }
    return before
  }

  /** All columns: rows of readers are joined. */
  read(ref: SeriesRef, range: TimeRange, width: number, _: number, out: AggregateBuffer): boolean {
    clearRows(out)
    let isWhole = true
    let until = Number.NEGATIVE_INFINITY
    for (const { reader, minTime, maxTime, refOf } of this.#parts) {
      const own = reader.stored ? refOf(ref) : undefined
      if (own === undefined) continue
      isWhole = reader.stored!.read(own, range, width, ALL_AGGREGATES, this.#part) && isWhole
      if (this.#part.count > 0 && out.count > 0 && minTime <= until) {
        // They may have the same samples, so of each window the fuller one stands for both.
        overlay(out, this.#part, width, this.#scratch)
        clearRows(out)
        appendRows(out, this.#scratch)
      } else joinRows(out, this.#part)
      until = Math.max(until, maxTime)
    }
    return isWhole
  }
}

/**
 * What chooses among windows, made when a query has some in its range. Most have none, and the buffers that rows are put
 * together in would cost them as much as reading a hundred series does.
 */
import type { ChosenAggregates, ChosenBuffer, SeriesRef, TimeRange } from '../tsdb/mod.ts'
import type { Part } from './merge-aggregates.ts'

export class WhenChosen implements ChosenAggregates {
  readonly #parts: readonly Part[]
  readonly #make: () => ChosenAggregates
  #made: ChosenAggregates | null = null

  constructor(parts: readonly Part[], make: () => ChosenAggregates) {
    this.#parts = parts
    this.#make = make
  }

  has(range: TimeRange): boolean {
    return this.#parts.some(
      ({ reader, minTime, maxTime }) =>
        minTime <= range.maxTime && maxTime >= range.minTime && (reader.stored?.allWidths().length ?? 0) > 0,
    )
  }

  widest(range: TimeRange): number {
    return this.has(range) ? this.#chosen.widest(range) : 0
  }

  read(ref: SeriesRef, range: TimeRange, alignedMs: number, columns: number, out: ChosenBuffer): boolean {
    return this.#chosen.read(ref, range, alignedMs, columns, out)
  }

  get #chosen(): ChosenAggregates {
    return (this.#made ??= this.#make())
  }
}

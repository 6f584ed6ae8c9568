/**
 * A head that goes on growing while a block is cut from it: a chain of chunks may lead into a page that came after the
 * reader was opened. Then the page is fetched, and the question asked again.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import { type SampleBuffer, type SeriesReader, type Shard, StalePagesError, type TimeRange } from '../tsdb/mod.ts'

/** Pages may grow again while one question is answered, but hardly so often. */
const ATTEMPTS_MAX = 100

/** @param grow makes the newest pages known to the reader; false when there are none */
export function growingHead(head: SeriesReader, grow: () => boolean): SeriesReader {
  return new GrowingHead(head, grow)
}

class GrowingHead implements SeriesReader {
  readonly #head: SeriesReader
  readonly #grow: () => boolean

  constructor(head: SeriesReader, grow: () => boolean) {
    this.#head = head
    this.#grow = grow
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    return this.#ask(() => this.#head.select(matchers, range, shard))
  }

  labels(ref: number): Labels {
    return this.#ask(() => this.#head.labels(ref))
  }

  labelIds(ref: number): Uint32Array {
    return this.#ask(() => this.#head.labelIds(ref))
  }

  symbol(id: number): string {
    return this.#ask(() => this.#head.symbol(id))
  }

  symbolId(text: string): number {
    return this.#ask(() => this.#head.symbolId(text))
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    this.#ask(() => this.#head.read(ref, range, out))
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#ask(() => this.#head.labelNames(matchers, range))
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    return this.#ask(() => this.#head.labelValues(name, matchers, range))
  }

  exemplars(ref: number, range: TimeRange): Exemplar[] {
    return this.#ask(() => this.#head.exemplars(ref, range))
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.#ask(() => this.#head.metadata())
  }

  get seriesCount(): number {
    return this.#head.seriesCount
  }

  timeRange(): TimeRange | null {
    return this.#head.timeRange()
  }

  release(): void {
    this.#head.release()
  }

  /** @throws StalePagesError when the pages do not come */
  #ask<T>(question: () => T): T {
    for (let attempt = 1; ; attempt++) {
      try {
        return question()
      } catch (error) {
        if (!(error instanceof StalePagesError) || attempt === ATTEMPTS_MAX || !this.#grow()) throw error
      }
    }
  }
}

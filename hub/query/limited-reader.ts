/** A reader that lets one query, or one shard of it, select so many series and no more. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import { QueryError } from '../promql/contract.ts'
import type { SampleBuffer, SeriesReader, SeriesRef, Shard, SymbolId, TimeRange } from '../tsdb/contract.ts'

const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

const keyOf = (matchers: readonly Matcher[]): string => JSON.stringify(matchers)

export class LimitedReader implements SeriesReader {
  readonly #reader: SeriesReader
  readonly #maxSeries: number
  #selected = 0
  samplesRead = 0
  /** What `countSeries` found by regular expressions, which cost more than all else of a small query. */
  readonly #found = new Map<string, Uint32Array>()

  constructor(reader: SeriesReader, maxSeries: number) {
    this.#reader = reader
    this.#maxSeries = maxSeries
  }

  /** @throws QueryError 'execution' */
  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = (!shard && this.#found.get(keyOf(matchers))) || this.#reader.select(matchers, range, shard)
    this.#selected += refs.length
    if (this.#selected > this.#maxSeries) {
      throw new QueryError(
        'execution',
        `the query selects more than ${this.#maxSeries} series (--query.max-series); narrow its selectors`,
      )
    }
    return refs
  }

  /** Series of any time that match. */
  countSeries(matchers: readonly Matcher[]): number {
    const refs = this.#reader.select(matchers, EVER)
    // More than a query would select: series that had ended before its range begins have no samples in it.
    if (matchers.some(({ op }) => op === '=~' || op === '!~')) this.#found.set(keyOf(matchers), refs)
    return refs.length
  }

  labels(ref: SeriesRef): Labels {
    return this.#reader.labels(ref)
  }

  labelIds(ref: SeriesRef): Uint32Array {
    return this.#reader.labelIds(ref)
  }

  symbol(id: SymbolId): string {
    return this.#reader.symbol(id)
  }

  symbolId(text: string): SymbolId {
    return this.#reader.symbolId(text)
  }

  read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    this.#reader.read(ref, range, out)
    this.samplesRead += out.count
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#reader.labelNames(matchers, range)
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#reader.labelValues(name, matchers, range)
  }

  exemplars(ref: SeriesRef, range: TimeRange): Exemplar[] {
    return this.#reader.exemplars(ref, range)
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.#reader.metadata()
  }

  get seriesCount(): number {
    return this.#reader.seriesCount
  }

  timeRange(): TimeRange | null {
    return this.#reader.timeRange()
  }

  release(): void {
    this.#reader.release()
  }
}

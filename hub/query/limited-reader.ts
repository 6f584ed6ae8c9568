/** A reader that lets one query, or one shard of it, select so many series and no more. */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { QueryError } from '../promql/contract.ts'
import type { SeriesReader, Shard, TimeRange } from '../tsdb/contract.ts'
import { DelegatingReader } from './delegating-reader.ts'

export class LimitedReader extends DelegatingReader {
  readonly #maxSeries: number
  #selected = 0

  constructor(reader: SeriesReader, maxSeries: number) {
    super(reader)
    this.#maxSeries = maxSeries
  }

  /** @throws QueryError 'execution' */
  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = this.reader.select(matchers, range, shard)
    this.#selected += refs.length
    if (this.#selected > this.#maxSeries) {
      throw new QueryError(
        'execution',
        `the query selects more than ${this.#maxSeries} series (--query.max-series); narrow its selectors`,
      )
    }
    return refs
  }

  /** Series that match, beside the limit. */
  countSeries(matchers: readonly Matcher[], range: TimeRange): number {
    return this.reader.select(matchers, range).length
  }
}

/** A reader that lets one query, or one shard of it, select so many series and no more. */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { QueryError } from '../promql/contract.ts'
import type { SeriesReader, Shard, TimeRange } from '../tsdb/contract.ts'
import { DelegatingReader } from './delegating-reader.ts'

const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

const keyOf = (matchers: readonly Matcher[]): string => JSON.stringify(matchers)

export class LimitedReader extends DelegatingReader {
  readonly #maxSeries: number
  #selected = 0
  /** What `countSeries` found by regular expressions, which cost more than all else of a small query. */
  readonly #found = new Map<string, Uint32Array>()

  constructor(reader: SeriesReader, maxSeries: number) {
    super(reader)
    this.#maxSeries = maxSeries
  }

  /** @throws QueryError 'execution' */
  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const refs = (!shard && this.#found.get(keyOf(matchers))) || this.reader.select(matchers, range, shard)
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
    const refs = this.reader.select(matchers, EVER)
    // More than a query would select: series that had ended before its range begins have no samples in it.
    if (matchers.some(({ op }) => op === '=~' || op === '!~')) this.#found.set(keyOf(matchers), refs)
    return refs.length
  }
}

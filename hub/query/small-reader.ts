/** Readers of queries that are answered in place: they end what would hold the thread for more than a moment. */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import {
  type SampleBuffer,
  type SeriesReader,
  type SeriesRef,
  type Shard,
  STILL_MATCHING,
  type TimeRange,
  type ValuesLimits,
} from '../tsdb/contract.ts'
import { DelegatingReader } from './delegating-reader.ts'

/** Postings that the cheapest matcher of a selector has. */
const SERIES_MAX = 1000
/** Samples, of all series together: what takes a millisecond in warm code, or a few with what is computed of them. */
const READ_MAX = 50_000
/** Shorter ranges of one series hold no more than a thread may read at once, whatever they hold. */
const LOOKED_AT_FROM_MS = 300_000
/** A histogram that was read, in samples. */
const HISTOGRAM_SAMPLES = 50
const LABELS_PER_LOOK = 64
/** What sorts and looks for a millisecond each, and is written in another. */
const VALUES_LIMITS: ValuesLimits = { values: 20_000, sorted: 1500, looks: 50_000 }

/** Ends the query, as an error that nobody sees. */
export class TooLarge extends Error {}

/** On the head itself, below all that hides parts of it: what is hidden is found by selecting, too. */
export class BoundedReader extends DelegatingReader {
  readonly #isLate: () => boolean
  #read = 0
  #labels = 0
  /** It was too large as long as not all values of a label have been looked at, which goes on the next time. */
  isStillMatching = false

  constructor(head: SeriesReader, isLate: () => boolean) {
    super(head)
    this.#isLate = isLate
  }

  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    this.#bound(matchers)
    return this.reader.select(matchers, range, shard)
  }

  override labels(ref: SeriesRef): Labels {
    if (++this.#labels % LABELS_PER_LOOK === 0 && this.#isLate()) throw new TooLarge()
    return this.reader.labels(ref)
  }

  override read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    const isLong = range.maxTime - range.minTime > LOOKED_AT_FROM_MS
    if (isLong && this.#read + this.readWeight(ref, range) > READ_MAX) throw new TooLarge()
    this.reader.read(ref, range, out)
    this.#count(out)
  }

  override readNewest(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void {
    const isShort = range.maxTime - range.minTime <= LOOKED_AT_FROM_MS
    if (!isShort || this.reader.readNewest === undefined) this.read(ref, range, out)
    else {
      this.reader.readNewest(ref, range, out)
      this.#count(out)
    }
  }

  #count(out: SampleBuffer): void {
    this.#read += out.count * (out.histograms === null ? 1 : HISTOGRAM_SAMPLES)
    if (this.#read > READ_MAX) throw new TooLarge()
  }

  override labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    this.#bound(matchers)
    return this.reader.labelNames(matchers, range)
  }

  override labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    if (matchers.length === 0 && this.reader.valuesWithin !== undefined) return this.#allValues(name, range)
    this.#bound(matchers)
    return this.reader.labelValues(name, matchers, range)
  }

  #allValues(name: string, range: TimeRange): readonly string[] {
    if (this.#isLate()) throw new TooLarge()
    const values = this.reader.valuesWithin!(name, range, VALUES_LIMITS)
    if (values === 'later') this.isStillMatching = true
    if (values === 'later' || values === 'many') throw new TooLarge()
    return values
  }

  #bound(matchers: readonly Matcher[]): void {
    const series =
      matchers.length === 0 ? this.seriesCount : (this.reader.matchBound?.(matchers) ?? Number.POSITIVE_INFINITY)
    if (series === STILL_MATCHING) this.isStillMatching = true
    // What finds nothing asks nobody else whether it is late.
    if (series > SERIES_MAX || this.#isLate()) throw new TooLarge()
  }
}

/** Reads no blocks: a range that may have samples in them is not for this thread. */
export class NewestReader extends DelegatingReader {
  readonly #blocksUntil: number

  /** @param blocksUntil samples up to that time may be in blocks; -Infinity: none are */
  constructor(reader: SeriesReader, blocksUntil: number) {
    super(reader)
    this.#blocksUntil = blocksUntil
  }

  override select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    this.#newest(range)
    return this.reader.select(matchers, range, shard)
  }

  override labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    this.#newest(range)
    return this.reader.labelNames(matchers, range)
  }

  override labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    this.#newest(range)
    return this.reader.labelValues(name, matchers, range)
  }

  #newest({ minTime }: TimeRange): void {
    if (minTime <= this.#blocksUntil && this.#blocksUntil > Number.NEGATIVE_INFINITY) throw new TooLarge()
  }
}

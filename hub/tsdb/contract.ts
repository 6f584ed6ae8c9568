/**
 * What the rest of the hub sees of stored series: one reader interface over head and blocks, in any thread.
 * The writer's side is `Appender`; there is one, in the ingest worker.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import type { Cardinality } from './cardinality.ts'

/** Index into the series table, stable for the life of the process: 0, 1, 2… */
export type SeriesRef = number
/** Index into the symbol table. */
export type SymbolId = number

/**
 * Decoded samples of one series, ascending in time, reused from series to series. The arrays are replaced when they
 * must grow: read the fields after the call, never keep them across calls.
 */
export interface SampleBuffer {
  count: number
  /** Milliseconds. */
  times: Float64Array
  /** Stale markers keep their bits here too (see protocol/samples), but use `flags`. */
  values: Float64Array
  /** Per sample: 0 float, 1 stale marker, 2 histogram (see `histograms`). */
  flags: Uint8Array
  /** True when any flag is not 0: kernels choose their fast path on it. */
  mixed: boolean
  /** Sparse by position; null when `mixed` is false or no sample is a histogram. */
  histograms: (Histogram | undefined)[] | null
  /** Start timestamps in ms (0 unknown); null when the series has none. */
  startTimes: Float64Array | null
}

export type Shard = { readonly index: number; readonly count: number }

/** Times are inclusive at both ends here; the engine does its own left-open arithmetic. */
export type TimeRange = { readonly minTime: number; readonly maxTime: number }

export interface SeriesReader {
  /**
   * Refs of the series that match all matchers and may have samples in the range, ascending. With `shard`, only those
   * of that shard (a partition of all series that is the same for every call in a process).
   * @throws MatcherError for a bad regular expression
   */
  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array
  /**
   * Not fewer than the series that can match, told by the lengths of postings without looking into them; Infinity when
   * only a look at all values of a label could tell. Readers that cannot say have no such method.
   */
  matchBound?(matchers: readonly Matcher[]): number
  labels(ref: SeriesRef): Labels
  /** Name and value symbols alternating, in label order; borrowed, do not change. */
  labelIds(ref: SeriesRef): Uint32Array
  /** The value's symbol of one label; -1 when the series lacks it. What `labelIds` would tell, for less. */
  valueId?(ref: SeriesRef, name: SymbolId): SymbolId
  symbol(id: SymbolId): string
  /** -1 when no series has ever had this string. */
  symbolId(text: string): SymbolId
  /** Decodes the samples with minTime <= t <= maxTime. Poll `cancelled` per chunk is the caller's business. */
  read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void
  /** Sorted. With matchers: only of matching series. */
  labelNames(matchers: readonly Matcher[], range: TimeRange): string[]
  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[]
  exemplars(ref: SeriesRef, range: TimeRange): Exemplar[]
  /** By metric family name. */
  metadata(): ReadonlyMap<string, readonly Metadata[]>
  readonly seriesCount: number
  /** What makes it large, the `limit` largest of each kind. The head's alone. */
  cardinality?(limit: number): Cardinality
  /** Of all stored samples; null when there are none. */
  timeRange(): TimeRange | null
  /** Ends this reader's claim on recycled pages; readers are cheap, one per query and thread. */
  release(): void
}

/** What crosses to query threads: shared memory only, plus names of block files in later issues. */
export type ReaderShare = { readonly control: SharedArrayBuffer; readonly pages: readonly SharedArrayBuffer[] }

/** `unknownSeries`: retention has removed the series since; ask `series()` for a new ref. */
export const AppendResult = {
  stored: 0,
  duplicate: 1,
  outOfOrder: 2,
  tooOld: 3,
  conflicting: 4,
  limit: 5,
  unknownSeries: 6,
} as const
export type AppendResult = (typeof AppendResult)[keyof typeof AppendResult]

export interface Appender {
  /** The ref of the series with these labels, created if need be; -1 when a series limit refuses it. */
  series(labels: Labels): SeriesRef
  setMetadata(family: string, metadata: Metadata): void
  /**
   * A scrape: `n` samples at one timestamp. `values` may hold stale markers (bits). Samples older than the newest of
   * their series are accepted (a second sorted run, merged on read); an equal sample is `duplicate`, another value at
   * the same time is `conflicting` and the first is kept. Returns how many were stored.
   */
  appendColumn(timestampMs: number, refs: Uint32Array, values: Float64Array, n: number): number
  /**
   * Samples [from, from + n) of a remote writer, all of one time: series that come with the same times again and again
   * share them, as those of a column do. `results[i]` (an `AppendResult`) is that of sample i. Returns how many were
   * stored.
   */
  appendRun(
    timestampMs: number,
    refs: Uint32Array,
    values: Float64Array,
    from: number,
    n: number,
    results: Uint8Array,
  ): number
  /** `values` index `at`: one float sample, bits preserved. `startMs` 0 = unknown. */
  appendFloat(ref: SeriesRef, timestampMs: number, values: Float64Array, at: number, startMs: number): AppendResult
  appendHistogram(ref: SeriesRef, timestampMs: number, histogram: Histogram, startMs: number): AppendResult
  appendExemplar(ref: SeriesRef, exemplar: Exemplar): void
  /** Makes all appended samples visible to readers (Atomics publish); cheap. */
  publish(): void
}

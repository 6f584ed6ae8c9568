/**
 * What the rest of the hub sees of stored series: one reader interface over head and blocks, in any thread.
 * The writer's side is `Appender`; there is one, in the ingest worker.
 */
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../protocol/samples/mod.ts'
import type { ChosenAggregates, StoredAggregates } from './aggregates.ts'
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
  /** The histogram ahead of the first sample, where the reader came by it: what resets of the first are told by. */
  before?: Histogram | undefined
  /** Start timestamps in ms (0 unknown); null when the series has none. */
  startTimes: Float64Array | null
  /** Set when some are the last ones of windows whose other samples are gone: the widest window, and the last's end. */
  sparse?: { readonly widthMs: number; readonly untilMs: number } | undefined
  /**
   * What some readers know of the samples without looking at each. Whoever asks sets both to 0 before the read, as other
   * readers leave them alone. Two reads of a thread with the same `timesKey`, not 0, gave the same times; of the first
   * `rising` samples all are floats, none NaN, and none less than the one before.
   */
  timesKey?: number
  rising?: number
}

export type Shard = { readonly index: number; readonly count: number }

/** Of `SeriesReader.valuesWithin`: all values that the label has, those that are sorted now, series that are looked at. */
export type ValuesLimits = { readonly values: number; readonly sorted: number; readonly looks: number }

/** Of `SeriesReader.matchBound`: more than any limit. */
export const STILL_MATCHING = Number.MAX_VALUE

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
   * Not fewer than the series that can match, told by the lengths of postings without looking into them. STILL_MATCHING
   * when many values of a label have yet to be looked at, or long ones by a long expression: a part of that has been done,
   * and is remembered. Readers that cannot say have no such method.
   */
  matchBound?(matchers: readonly Matcher[]): number
  labels(ref: SeriesRef): Labels
  /** Whether it is this reader alone that knows the series by this ref: others of the same store have another for it. */
  isOwnRef?(ref: SeriesRef): boolean
  /**
   * Where the series stands among all, for readers of the same store alike; refs of one `select` ascend with it. Where
   * there is no such method, it is the ref.
   */
  orderOf?(ref: SeriesRef): number
  /** A ref of this reader's own for a series of which another has told the labels, and of which nothing is to be read. */
  refFor?(labels: Labels): SeriesRef
  /**
   * While it is the same object, refs mean the series that they meant, in all queries of this thread. Readers whose refs are
   * good for one query have no such method.
   */
  refIdentity?(): object
  /** Name and value symbols alternating, in label order; borrowed, do not change. */
  labelIds(ref: SeriesRef): Uint32Array
  /** The value's symbol of one label; -1 when the series lacks it. What `labelIds` would tell, for less. */
  valueId?(ref: SeriesRef, name: SymbolId): SymbolId
  symbol(id: SymbolId): string
  /** -1 when no series has ever had this string. */
  symbolId(text: string): SymbolId
  /** Decodes the samples with minTime <= t <= maxTime. Poll `cancelled` per chunk is the caller's business. */
  read(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void
  /** As `read`, but samples older than the newest may be left out, which is much cheaper. Not all readers know how. */
  readNewest?(ref: SeriesRef, range: TimeRange, out: SampleBuffer): void
  /**
   * About what a read would decode, before it does: samples, of which a histogram counts as many. Readers that cannot
   * say have no such method.
   */
  readWeight?(ref: SeriesRef, range: TimeRange): number
  /** Sorted. With matchers: only of matching series. */
  labelNames(matchers: readonly Matcher[], range: TimeRange): string[]
  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[]
  /**
   * As `labelValues` without matchers, of readers that can stop: 'later' when more values have yet to be sorted, which goes
   * on the next time; 'many' when there are more than that, or more series would have to be looked at for one in the range.
   */
  valuesWithin?(name: string, range: TimeRange, limits: ValuesLimits): readonly string[] | 'later' | 'many'
  exemplars(ref: SeriesRef, range: TimeRange): Exemplar[]
  /** By metric family name. */
  metadata(): ReadonlyMap<string, readonly Metadata[]>
  readonly seriesCount: number
  /** What makes it large, the `limit` largest of each kind. The head's alone. */
  cardinality?(limit: number): Cardinality
  /** Of all stored samples; null when there are none. */
  timeRange(): TimeRange | null
  /** Of readers of blocks with downsampled windows (`aggregates.ts`): those, and what of a query they may answer. */
  readonly stored?: StoredAggregates | null
  readonly chosen?: ChosenAggregates | null
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

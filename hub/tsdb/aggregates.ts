/**
 * Downsampled series as readers give them: rows, each of which stands for the samples of one window
 * (time - width, time], or for one sample (width 0). A row has what sums, counts, averages, extremes, rises and the
 * first and last sample of any run of whole rows can be computed from, exactly as from the samples.
 */
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { SeriesRef, TimeRange } from './contract.ts'

/** Positions in `AggregateBuffer.columns`. */
export const AggregateColumn = {
  /** Floats in the window. 0: the other columns of floats mean nothing. */
  samples: 0,
  sum: 1,
  /** NaN only where all are. */
  min: 2,
  max: 3,
  first: 4,
  last: 5,
  /** Of the first and the last float, in ms. */
  firstTime: 6,
  lastTime: 7,
  /** What resets within the window add to the difference of last and first: the values before each fall. */
  resets: 8,
  /** Histograms in the window; the last of them, and its time, are kept. */
  histograms: 9,
  histogramTime: 10,
  /** When a stale marker ended the series after the window's last sample; 0: none did. */
  staleTime: 11,
} as const
export type AggregateColumn = (typeof AggregateColumn)[keyof typeof AggregateColumn]
export const AGGREGATE_COLUMNS = 12
/** A set of columns: bit `1 << column` for each. */
export const ALL_AGGREGATES = (1 << AGGREGATE_COLUMNS) - 1
/** Of histograms. */
export const HISTOGRAM_AGGREGATES = (1 << AggregateColumn.histograms) | (1 << AggregateColumn.histogramTime)

/** Ascending in time; as with `SampleBuffer`, arrays are replaced when they must grow. */
export interface AggregateBuffer {
  count: number
  /** Ends of windows, or the times of samples, in ms. */
  times: Float64Array
  /** Of each row's window, in ms; 0: a sample. */
  widths: Float64Array
  /** By `AggregateColumn`; those that were not asked for hold anything. */
  readonly columns: Float64Array[]
  /** Sparse by row: the window's last histogram. */
  histograms: (Histogram | undefined)[] | null
}

/** The windows that a block, or several, have stored. */
export interface StoredAggregates {
  /** Ascending widths of windows of which all that the series has in the range is stored, in ms. */
  widths(ref: SeriesRef, range: TimeRange): readonly number[]
  /** Ascending; whatever there is of the series. */
  allWidths(): readonly number[]
  /** Before this time, samples of the series may be gone of which there still are windows. */
  goneBefore(ref: SeriesRef): number
  /**
   * The rows of this width that end in the range, into `out`.
   * @param columns bits of those that are wanted
   * @returns false when some are damaged, and then they are missing
   */
  read(ref: SeriesRef, range: TimeRange, width: number, columns: number, out: AggregateBuffer): boolean
}

/** What of a query's range is answered by windows instead of samples. */
export interface ChosenAggregates {
  /** Whether anything in the range could be. */
  has(range: TimeRange): boolean
  /** Of the widest windows in the range that may stand for samples which are gone; 0: there are none. */
  widest(range: TimeRange): number
  /**
   * The series in the range as rows without histograms and without empty ones: windows where these give what the
   * samples would, or where samples are gone; samples elsewhere.
   * @param alignedMs the query's windows begin and end at multiples of this; 0: anywhere
   * @returns false when the samples are to be read instead: nothing is gained, or there are histograms
   */
  read(ref: SeriesRef, range: TimeRange, alignedMs: number, columns: number, out: ChosenBuffer): boolean
}

export interface ChosenBuffer extends AggregateBuffer {
  /** The widest window that stands for samples which are gone, where the query's windows are not made of whole ones. */
  goneWidth: number
}

export function createAggregateBuffer(capacity = 64): AggregateBuffer {
  return {
    count: 0,
    times: new Float64Array(capacity),
    widths: new Float64Array(capacity),
    columns: Array.from({ length: AGGREGATE_COLUMNS }, () => new Float64Array(capacity)),
    histograms: null,
  }
}

export function createChosenBuffer(): ChosenBuffer {
  return { ...createAggregateBuffer(), goneWidth: 0 }
}

/** Makes room for `capacity` rows; the first `count` are kept. */
export function ensureRows(out: AggregateBuffer, capacity: number): void {
  if (capacity <= out.times.length) return
  const size = Math.max(capacity, out.times.length * 2)
  const grown = (from: Float64Array): Float64Array => {
    const to = new Float64Array(size)
    to.set(from.subarray(0, out.count))
    return to
  }
  out.times = grown(out.times)
  out.widths = grown(out.widths)
  for (let i = 0; i < AGGREGATE_COLUMNS; i++) out.columns[i] = grown(out.columns[i]!)
}

export function clearRows(out: AggregateBuffer): void {
  out.count = 0
  out.histograms = null
}

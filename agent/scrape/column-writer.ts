/** Columns of one scrape while they are filled; copies bits, not numbers, so that NaNs stay what they were. */
import { type Histogram, setStaleAt } from '../../protocol/samples/mod.ts'

export class ColumnWriter {
  /** Longer than `count`: the sink gets `copyOf` them. */
  readonly ids: Uint32Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
  readonly #words: Uint32Array<ArrayBuffer>
  timestamps: Float64Array<ArrayBuffer> | null = null
  startTimestamps: Float64Array<ArrayBuffer> | null = null
  /** By position; the value there is 0. */
  histograms: Map<number, Histogram> | null = null
  count = 0

  constructor(capacity: number) {
    this.ids = new Uint32Array(capacity)
    this.values = new Float64Array(capacity)
    this.#words = new Uint32Array(this.values.buffer)
  }

  /** @param words of the column that holds the value, @param index of the value in it */
  copy(id: number, words: Uint32Array, index: number): void {
    const at = this.count++
    this.ids[at] = id
    this.#words[2 * at] = words[2 * index]!
    this.#words[2 * at + 1] = words[2 * index + 1]!
  }

  number(id: number, value: number): void {
    const at = this.count++
    this.ids[at] = id
    this.values[at] = value
  }

  stale(id: number): void {
    const at = this.count++
    this.ids[at] = id
    setStaleAt(this.#words, at)
  }

  /** The sample added last is this. */
  histogram(histogram: Histogram): void {
    this.histograms ??= new Map()
    this.histograms.set(this.count - 1, histogram)
  }

  /** Of the sample added last. */
  timestamp(timestampMs: number): void {
    this.timestamps ??= new Float64Array(this.ids.length).fill(Number.NaN)
    this.timestamps[this.count - 1] = timestampMs
  }

  startTimestamp(startMs: number): void {
    this.startTimestamps ??= new Float64Array(this.ids.length)
    this.startTimestamps[this.count - 1] = startMs
  }
}

/** Samples of a writer that is kept for the next scrape. */
const MAX_KEPT = 65_536

/**
 * One writer for all scrapes of an agent, since a scrape is recorded in one go and its columns are copied at their exact
 * length for the sink.
 */
export class ColumnPool {
  #kept = new ColumnWriter(256)

  /** An empty writer with room for `capacity` samples; it is the caller's until the next call. */
  take(capacity: number): ColumnWriter {
    const kept = this.#kept
    if (kept.ids.length < capacity) {
      const writer = new ColumnWriter(2 * capacity)
      if (writer.ids.length <= MAX_KEPT) this.#kept = writer
      return writer
    }
    kept.count = 0
    kept.timestamps = null
    kept.startTimestamps = null
    kept.histograms = null
    return kept
  }
}

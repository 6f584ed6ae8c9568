/**
 * One series' samples cut into chunks as Prometheus has them: floats and histograms apart, a new chunk where histograms
 * change their layout or are reset.
 * Semantics: Prometheus tsdb/head_append.go and chunkenc, appendable (v3.5). Differs: a histogram with other buckets
 * begins a new chunk, where upstream rewrites the old one.
 */
import { CounterResetHint, type Histogram, type Span } from '../samples/mod.ts'
import { ChunkEncoding } from './columns.ts'
import { HistogramChunkWriter } from './histogram-chunk.ts'
import { isSameLayout, isSameNumbers } from './histogram-layout.ts'
import { XorChunkWriter } from './xor-chunk.ts'

/** Columns as the hub's sample buffers have them. */
export type SampleColumns = {
  readonly count: number
  readonly times: Float64Array
  readonly values: Float64Array
  /** 1 a stale marker, 2 a histogram. */
  readonly flags: Uint8Array
  readonly histograms: readonly (Histogram | undefined)[] | null
}

export type EncodedChunk = {
  readonly encoding: ChunkEncoding
  readonly minTime: number
  readonly maxTime: number
  readonly samples: number
  readonly data: Uint8Array
}

const CHUNK_SAMPLES = 120
const HISTOGRAM_CHUNK_BYTES = 1024
const HISTOGRAM_SAMPLES_MIN = 10

/** Keep one: it reuses its buffers. */
export class SeriesChunker {
  readonly #floats = new XorChunkWriter()
  readonly #histograms = new HistogramChunkWriter()
  #last: Histogram | null = null
  /** Begins the chunk that is open: all others are compared with it. */
  #first: Histogram | null = null
  #encoding: ChunkEncoding | 0 = 0
  #minTime = 0
  #maxTime = 0

  chunks(samples: SampleColumns, out: (chunk: EncodedChunk) => void): void {
    const words = new Uint32Array(samples.values.buffer, samples.values.byteOffset, samples.values.length * 2)
    this.#last = null
    for (let i = 0; i < samples.count; i++) {
      const histogram = samples.flags[i] === 2 ? samples.histograms?.[i] : undefined
      if (histogram) this.#addHistogram(samples.times[i]!, histogram, out)
      else {
        this.#last = null
        if (this.#encoding !== ChunkEncoding.xor || this.#floats.count >= CHUNK_SAMPLES) {
          this.#close(out)
          this.#floats.reset()
          this.#open(ChunkEncoding.xor, samples.times[i]!)
        }
        this.#floats.add(samples.times[i]!, words, i)
      }
      this.#maxTime = samples.times[i]!
    }
    this.#close(out)
  }

  #addHistogram(timeMs: number, histogram: Histogram, out: (chunk: EncodedChunk) => void): void {
    const encoding = histogram.isFloat ? ChunkEncoding.floatHistogram : ChunkEncoding.histogram
    const hint = hintAfter(this.#last, histogram)
    const writer = this.#histograms
    const isFull =
      writer.count >= CHUNK_SAMPLES ||
      (writer.sizeBytes >= HISTOGRAM_CHUNK_BYTES && writer.count >= HISTOGRAM_SAMPLES_MIN)
    if (this.#encoding !== encoding || isFull || !this.#fits(histogram, hint)) {
      this.#close(out)
      writer.reset(histogram, hint)
      this.#first = histogram
      this.#open(encoding, timeMs)
    }
    writer.add(timeMs, histogram)
    this.#last = histogram
  }

  #fits(histogram: Histogram, hint: CounterResetHint): boolean {
    const first = this.#first
    const last = this.#last
    if (!first || !last) return false
    if (histogram.isStale) return true
    const isGauge = first.counterResetHint === CounterResetHint.gauge
    return (
      !last.isStale &&
      isSameLayout(first, histogram) &&
      (isGauge ? hint === CounterResetHint.gauge : hint === CounterResetHint.notReset)
    )
  }

  #open(encoding: ChunkEncoding, timeMs: number): void {
    this.#encoding = encoding
    this.#minTime = timeMs
  }

  #close(out: (chunk: EncodedChunk) => void): void {
    const encoding = this.#encoding
    if (encoding === 0) return
    const writer = encoding === ChunkEncoding.xor ? this.#floats : this.#histograms
    this.#encoding = 0
    this.#first = null
    out({ encoding, minTime: this.#minTime, maxTime: this.#maxTime, samples: writer.count, data: writer.finish() })
  }
}

/** What is known of a reset between two histograms that follow each other. */
function hintAfter(last: Histogram | null, next: Histogram): CounterResetHint {
  const { counterResetHint: given } = next
  if (given === CounterResetHint.gauge || given === CounterResetHint.reset) return given
  if (next.isStale) return CounterResetHint.notReset
  if (!last || last.isStale || last.counterResetHint === CounterResetHint.gauge) return CounterResetHint.unknown
  if (next.count < last.count) return CounterResetHint.reset
  if (last.schema !== next.schema || last.zeroThreshold !== next.zeroThreshold) return CounterResetHint.unknown
  if (!isSameNumbers(last.customValues, next.customValues) || next.zeroCount < last.zeroCount)
    return CounterResetHint.reset
  return hasFallen(last.positiveSpans, last.positiveBuckets, next.positiveSpans, next.positiveBuckets) ||
    hasFallen(last.negativeSpans, last.negativeBuckets, next.negativeSpans, next.negativeBuckets)
    ? CounterResetHint.reset
    : CounterResetHint.notReset
}

function hasFallen(
  spansA: readonly Span[],
  bucketsA: readonly number[],
  spansB: readonly Span[],
  bucketsB: readonly number[],
): boolean {
  const indexesB = bucketIndexes(spansB)
  let b = 0
  return bucketIndexes(spansA).some((index, a) => {
    while (b < indexesB.length && indexesB[b]! < index) b++
    const now = indexesB[b] === index ? bucketsB[b]! : 0
    return now < bucketsA[a]!
  })
}

function bucketIndexes(spans: readonly Span[]): number[] {
  const indexes: number[] = []
  let index = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) indexes.push(index++)
  }
  return indexes
}

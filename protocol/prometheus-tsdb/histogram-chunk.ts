/**
 * Chunks of native histograms, of whole numbers and of floats: number of samples (two bytes), flags (one byte: what is
 * known of counter resets), the layout, then the samples field by field.
 * Semantics: Prometheus tsdb/chunkenc/histogram.go and float_histogram.go (v3.5).
 */
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram, STALE_HIGH, STALE_LOW } from '../samples/mod.ts'
import { BitReader, BitWriter } from './bits.ts'
import type { ChunkColumns } from './columns.ts'
import { TsdbFormatError } from './errors.ts'
import { bucketCount, type Layout, readLayout, writeLayout } from './histogram-layout.ts'
import { XorReader, XorWriter } from './xor-value.ts'

const HEADER_BYTES = 3
const FLAGS_AT = 2
const RESET = 0b1000_0000
const NOT_RESET = 0b0100_0000
const GAUGE = 0b1100_0000

const words = new Uint32Array(2)
const double = new Float64Array(words.buffer)
const isStale = (value: XorReader): boolean => value.low === STALE_LOW && value.high === STALE_HIGH

/** @throws TsdbFormatError */
export function decodeHistogramChunk(bytes: Uint8Array, isFloat: boolean, out: ChunkColumns): void {
  if (bytes.length < HEADER_BYTES) throw new TsdbFormatError('', 0, 'the chunk is cut off')
  const n = (bytes[0]! << 8) | bytes[1]!
  const bits = new BitReader()
  bits.reset(bytes, HEADER_BYTES)
  const histograms: Histogram[] = []
  out.count = n
  out.histograms = histograms
  if (n === 0) return
  const layout = readLayout(bits)
  const fields = isFloat ? new FloatFields(layout) : new IntegerFields(layout)
  const flags = bytes[FLAGS_AT]! & GAUGE
  let time = 0
  let delta = 0
  for (let i = 0; i < n; i++) {
    if (i === 0) time = bits.varbitInt()
    else {
      delta += bits.varbitInt()
      time += delta
    }
    fields.read(bits, i === 0)
    bits.checkEnd()
    out.times[i] = time
    histograms.push(fields.histogram(hintOf(flags, i)))
  }
}

/** What is known of each histogram: upstream trusts no more of a chunk's first one. */
function hintOf(flags: number, at: number): CounterResetHint {
  if (flags === GAUGE) return CounterResetHint.gauge
  if (at > 0) return CounterResetHint.notReset
  return flags === RESET ? CounterResetHint.reset : CounterResetHint.unknown
}

const STALE: Histogram = { ...EMPTY_HISTOGRAM, isStale: true, sum: Number.NaN }

interface Fields {
  read(bits: BitReader, isFirst: boolean): void
  histogram(hint: CounterResetHint): Histogram
}

/** Counts, and the steps from bucket to bucket, as deltas of deltas. */
class IntegerFields implements Fields {
  readonly #layout: Layout
  readonly #positive: number
  /** count, zero count, then the steps of all buckets. */
  readonly #values: Float64Array
  readonly #deltas: Float64Array
  readonly #sum = new XorReader()

  constructor(layout: Layout) {
    this.#layout = layout
    this.#positive = bucketCount(layout.positiveSpans)
    const fields = 2 + this.#positive + bucketCount(layout.negativeSpans)
    this.#values = new Float64Array(fields)
    this.#deltas = new Float64Array(fields)
  }

  read(bits: BitReader, isFirst: boolean): void {
    const values = this.#values
    const deltas = this.#deltas
    for (let i = 0; i < values.length; i++) {
      if (i === 2) {
        if (isFirst) this.#sum.first(bits)
        else this.#sum.next(bits)
        // A stale marker has no buckets.
        if (isStale(this.#sum)) return
      }
      if (isFirst) values[i] = i < 2 ? bits.varbitUint() : bits.varbitInt()
      else {
        deltas[i] = deltas[i]! + bits.varbitInt()
        values[i] = values[i]! + deltas[i]!
      }
    }
    if (values.length > 2) return
    if (isFirst) this.#sum.first(bits)
    else this.#sum.next(bits)
  }

  histogram(hint: CounterResetHint): Histogram {
    if (isStale(this.#sum)) return { ...STALE, isFloat: false }
    words[0] = this.#sum.low
    words[1] = this.#sum.high
    const values = this.#values
    return {
      isFloat: false,
      isStale: false,
      counterResetHint: hint,
      ...this.#layout,
      count: values[0]!,
      zeroCount: values[1]!,
      sum: double[0]!,
      positiveBuckets: summedUp(values.subarray(2, 2 + this.#positive)),
      negativeBuckets: summedUp(values.subarray(2 + this.#positive)),
    }
  }
}

function summedUp(steps: Float64Array): number[] {
  let sum = 0
  return Array.from(steps, (step) => {
    sum += step
    return sum
  })
}

/** Everything as XOR. */
class FloatFields implements Fields {
  readonly #layout: Layout
  readonly #positive: number
  /** count, zero count, sum, then all buckets. */
  readonly #values: XorReader[]

  constructor(layout: Layout) {
    this.#layout = layout
    this.#positive = bucketCount(layout.positiveSpans)
    const fields = 3 + this.#positive + bucketCount(layout.negativeSpans)
    this.#values = Array.from({ length: fields }, () => new XorReader())
  }

  read(bits: BitReader, isFirst: boolean): void {
    for (let i = 0; i < this.#values.length; i++) {
      if (isFirst) this.#values[i]!.first(bits)
      else this.#values[i]!.next(bits)
      if (i === 2 && isStale(this.#values[2]!)) return
    }
  }

  histogram(hint: CounterResetHint): Histogram {
    if (isStale(this.#values[2]!)) return { ...STALE, isFloat: true }
    const values = this.#values.map(({ low, high }) => {
      words[0] = low
      words[1] = high
      return double[0]!
    })
    return {
      isFloat: true,
      isStale: false,
      counterResetHint: hint,
      ...this.#layout,
      count: values[0]!,
      zeroCount: values[1]!,
      sum: values[2]!,
      positiveBuckets: values.slice(3, 3 + this.#positive),
      negativeBuckets: values.slice(3 + this.#positive),
    }
  }
}

/** One chunk: all its histograms have the layout of the first, or are stale markers. */
export class HistogramChunkWriter {
  readonly #out = new BitWriter()
  #isFloat = false
  #flags = 0
  #time = 0
  #delta = 0
  #values = new Float64Array(0)
  #deltas = new Float64Array(0)
  #xors: XorWriter[] = []
  count = 0

  reset(first: Histogram, hint: CounterResetHint): void {
    this.#out.reset(HEADER_BYTES)
    this.#isFloat = first.isFloat
    this.#flags =
      hint === CounterResetHint.gauge
        ? GAUGE
        : hint === CounterResetHint.reset
          ? RESET
          : hint === CounterResetHint.notReset
            ? NOT_RESET
            : 0
    this.#delta = 0
    this.count = 0
  }

  get sizeBytes(): number {
    return this.#out.sizeBytes
  }

  add(timeMs: number, histogram: Histogram): void {
    const out = this.#out
    const isFirst = this.count === 0
    const given = histogram.isStale ? { ...STALE, isFloat: this.#isFloat } : histogram
    if (isFirst) {
      writeLayout(out, given)
      const buckets = given.positiveBuckets.length + given.negativeBuckets.length
      this.#values = new Float64Array(2 + buckets)
      this.#deltas = new Float64Array(2 + buckets)
      this.#xors = Array.from({ length: 3 + (this.#isFloat ? buckets : 0) }, () => new XorWriter())
      out.varbitInt(timeMs)
    } else {
      const delta = timeMs - this.#time
      out.varbitInt(delta - this.#delta)
      this.#delta = delta
    }
    this.#time = timeMs
    if (this.#isFloat) this.#floats(given, isFirst)
    else this.#integers(given, isFirst)
    this.count++
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#out.written()
    bytes[0] = this.count >>> 8
    bytes[1] = this.count & 255
    bytes[FLAGS_AT] = this.#flags
    return bytes
  }

  #floats(histogram: Histogram, isFirst: boolean): void {
    this.#xor(0, histogram.count, false, isFirst)
    this.#xor(1, histogram.zeroCount, false, isFirst)
    this.#xor(2, histogram.sum, histogram.isStale, isFirst)
    let at = 3
    for (const bucket of histogram.positiveBuckets) this.#xor(at++, bucket, false, isFirst)
    for (const bucket of histogram.negativeBuckets) this.#xor(at++, bucket, false, isFirst)
  }

  #integers(histogram: Histogram, isFirst: boolean): void {
    this.#field(0, histogram.count, isFirst, histogram.isStale)
    this.#field(1, histogram.zeroCount, isFirst, histogram.isStale)
    this.#xor(2, histogram.sum, histogram.isStale, isFirst)
    let at = 2
    for (const buckets of [histogram.positiveBuckets, histogram.negativeBuckets]) {
      let last = 0
      for (const bucket of buckets) {
        this.#field(at++, bucket - last, isFirst, false)
        last = bucket
      }
    }
  }

  #field(at: number, value: number, isFirst: boolean, isStaleMarker: boolean): void {
    const out = this.#out
    if (isFirst) {
      if (at < 2) out.varbitUint(value)
      else out.varbitInt(value)
      this.#values[at] = value
      return
    }
    // The counts of a stale marker mean nothing, and after it comes another one or nothing.
    const dod = isStaleMarker ? 0 : value - this.#values[at]! - this.#deltas[at]!
    out.varbitInt(dod)
    this.#deltas[at] = this.#deltas[at]! + dod
    this.#values[at] = this.#values[at]! + this.#deltas[at]!
  }

  #xor(at: number, value: number, isStaleMarker: boolean, isFirst: boolean): void {
    double[0] = value
    if (isStaleMarker) {
      words[0] = STALE_LOW
      words[1] = STALE_HIGH
    }
    if (isFirst) this.#xors[at]!.first(this.#out, words[0]!, words[1]!)
    else this.#xors[at]!.next(this.#out, words[0]!, words[1]!)
  }
}

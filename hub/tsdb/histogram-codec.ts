/**
 * Histograms as bytes: flags, varints and doubles; no reference to other samples, so that any one can be read alone.
 *
 *   flags: counts are f64 (0) | stale (1) | reset hint (2-3) | float histogram (4)
 *   schema zigzag | zero threshold f64 | zero count | count | sum f64 | spans and buckets, positive then negative |
 *   custom values: n, n * f64.         Counts and buckets are f64, or varints and deltas.
 */
import { type CounterResetHint, EMPTY_HISTOGRAM, type Histogram, type Span } from '../../protocol/samples/mod.ts'

class Writer {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(1024)
  view = new DataView(this.bytes.buffer)
  length = 0

  room(n: number): void {
    if (this.length + n <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + n))
    grown.set(this.bytes)
    this.bytes = grown
    this.view = new DataView(grown.buffer)
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.length++] = value
  }

  double(value: number): void {
    this.room(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  /** Whole numbers up to 2^53. */
  varint(value: number): void {
    this.room(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.length++] = rest
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }
}

/** The bytes are borrowed until the next call. */
export class HistogramEncoder {
  readonly #out = new Writer()

  encode(histogram: Histogram): Uint8Array<ArrayBuffer> {
    const out = this.#out
    out.length = 0
    // A count that is no whole number below 2^52 cannot be a varint: such a histogram is kept as floats.
    const asFloat = histogram.isFloat || !hasWholeCounts(histogram)
    const flags = (asFloat ? 1 : 0) | (histogram.isStale ? 2 : 0) | (histogram.counterResetHint << 2)
    out.byte(flags | (histogram.isFloat ? 16 : 0))
    if (histogram.isStale) return out.bytes.subarray(0, out.length)
    out.zigzag(histogram.schema)
    out.double(histogram.zeroThreshold)
    writeCount(out, histogram.zeroCount, asFloat)
    writeCount(out, histogram.count, asFloat)
    out.double(histogram.sum)
    writeBuckets(out, histogram.positiveSpans, histogram.positiveBuckets, asFloat)
    writeBuckets(out, histogram.negativeSpans, histogram.negativeBuckets, asFloat)
    out.varint(histogram.customValues.length)
    for (const bound of histogram.customValues) out.double(bound)
    return out.bytes.subarray(0, out.length)
  }
}

const WHOLE_MAX = 2 ** 51

function hasWholeCounts(histogram: Histogram): boolean {
  const isWhole = (x: number) => Number.isInteger(x) && Math.abs(x) <= WHOLE_MAX && !Object.is(x, -0)
  return (
    isWhole(histogram.zeroCount) &&
    histogram.zeroCount >= 0 &&
    isWhole(histogram.count) &&
    histogram.count >= 0 &&
    histogram.positiveBuckets.every(isWhole) &&
    histogram.negativeBuckets.every(isWhole)
  )
}

function writeCount(out: Writer, count: number, asFloat: boolean): void {
  if (asFloat) out.double(count)
  else out.varint(count)
}

function writeBuckets(out: Writer, spans: readonly Span[], buckets: readonly number[], asFloat: boolean): void {
  out.varint(spans.length)
  for (const span of spans) {
    out.zigzag(span.offset)
    out.varint(span.length)
  }
  out.varint(buckets.length)
  let last = 0
  for (const bucket of buckets) {
    if (asFloat) out.double(bucket)
    else out.zigzag(bucket - last)
    last = bucket
  }
}

/** Of the bytes of a buffer; kept from sample to sample, as the samples of a page are read in turn. */
class Reader {
  #bytes: Uint8Array<ArrayBufferLike> = new Uint8Array(0)
  #view: DataView<ArrayBufferLike> = new DataView(this.#bytes.buffer)
  #at = 0

  start(bytes: Uint8Array<ArrayBufferLike>): void {
    if (bytes.buffer !== this.#bytes.buffer) {
      this.#bytes = new Uint8Array(bytes.buffer)
      this.#view = new DataView(bytes.buffer)
    }
    this.#at = bytes.byteOffset
  }

  byte(): number {
    return this.#bytes[this.#at++]!
  }

  double(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  varint(): number {
    let value = this.#bytes[this.#at++]!
    if (value < 0x80) return value
    value &= 0x7f
    for (let factor = 128; ; factor *= 128) {
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  zigzag(): number {
    const value = this.varint()
    if (value < 2 ** 31) return (value >>> 1) ^ -(value & 1)
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }
}

const reader = new Reader()

/** Layouts of the sample before: those of a series are the same for long, and then they are one object. */
let positiveSpans: readonly Span[] = []
let negativeSpans: readonly Span[] = []
let customValues: readonly number[] = []
const NOTHING: readonly never[] = []

/** Bytes that `HistogramEncoder` wrote; trusts them. The arrays may be those of other histograms: not to be changed. */
export function decodeHistogram(bytes: Uint8Array<ArrayBufferLike>): Histogram {
  reader.start(bytes)
  const flags = reader.byte()
  const asFloat = (flags & 1) !== 0
  const isFloat = (flags & 16) !== 0
  const counterResetHint = ((flags >>> 2) & 3) as CounterResetHint
  if ((flags & 2) !== 0) return { ...EMPTY_HISTOGRAM, isFloat, isStale: true, counterResetHint }
  const schema = reader.zigzag()
  const zeroThreshold = reader.double()
  const zeroCount = asFloat ? reader.double() : reader.varint()
  const count = asFloat ? reader.double() : reader.varint()
  const sum = reader.double()
  positiveSpans = readSpans(positiveSpans)
  const positiveBuckets = readBuckets(asFloat)
  negativeSpans = readSpans(negativeSpans)
  const negativeBuckets = readBuckets(asFloat)
  customValues = readBounds(customValues)
  return {
    isFloat,
    isStale: false,
    counterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customValues,
  }
}

/** `known` itself when that is what is read. */
function readSpans(known: readonly Span[]): readonly Span[] {
  const n = reader.varint()
  let changed: Span[] | null = n === known.length ? null : []
  for (let i = 0; i < n; i++) {
    const offset = reader.zigzag()
    const length = reader.varint()
    if (changed === null) {
      const { offset: knownOffset, length: knownLength } = known[i]!
      if (offset === knownOffset && length === knownLength) continue
      changed = known.slice(0, i)
    }
    changed.push({ offset, length })
  }
  return changed ?? known
}

/** As `readSpans`. */
function readBounds(known: readonly number[]): readonly number[] {
  const n = reader.varint()
  let changed: number[] | null = n === known.length ? null : []
  for (let i = 0; i < n; i++) {
    const bound = reader.double()
    if (changed === null) {
      if (Object.is(bound, known[i])) continue
      changed = known.slice(0, i)
    }
    changed.push(bound)
  }
  return changed ?? known
}

function readBuckets(asFloat: boolean): readonly number[] {
  const n = reader.varint()
  if (n === 0) return NOTHING
  const buckets = new Array<number>(n)
  let last = 0
  for (let i = 0; i < n; i++) {
    last = asFloat ? reader.double() : last + reader.zigzag()
    buckets[i] = last
  }
  return buckets
}

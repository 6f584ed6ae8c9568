/**
 * Histograms as bytes: flags, varints and doubles; no reference to other samples, so that any one can be read alone.
 *
 *   flags: counts are f64 (0) | stale (1) | reset hint (2-3) | float histogram (4)
 *   schema zigzag | zero threshold f64 | zero count | count | sum f64 | spans and buckets, positive then negative |
 *   custom values: n, n * f64.         Counts and buckets are f64, or varints and deltas.
 */
import type { CounterResetHint, Histogram, Span } from '../../protocol/samples/mod.ts'

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

class Reader {
  readonly view: DataView
  at: number

  constructor(view: DataView, at: number) {
    this.view = view
    this.at = at
  }

  byte(): number {
    return this.view.getUint8(this.at++)
  }

  double(): number {
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }
}

/** Bytes that `HistogramEncoder` wrote; trusts them. */
export function decodeHistogram(bytes: Uint8Array<ArrayBufferLike>): Histogram {
  const reader = new Reader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0)
  const flags = reader.byte()
  const asFloat = (flags & 1) !== 0
  const isStale = (flags & 2) !== 0
  const schema = isStale ? 0 : reader.zigzag()
  const count = () => (asFloat ? reader.double() : reader.varint())
  const zeroThreshold = isStale ? 0 : reader.double()
  const zeroCount = isStale ? 0 : count()
  const total = isStale ? 0 : count()
  const sum = isStale ? 0 : reader.double()
  const positive = isStale ? NO_BUCKETS : readBuckets(reader, asFloat)
  const negative = isStale ? NO_BUCKETS : readBuckets(reader, asFloat)
  const customValues = isStale ? [] : Array.from({ length: reader.varint() }, () => reader.double())
  return {
    isFloat: (flags & 16) !== 0,
    isStale,
    counterResetHint: ((flags >>> 2) & 3) as CounterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count: total,
    sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
    customValues,
  }
}

type Buckets = { readonly spans: readonly Span[]; readonly buckets: readonly number[] }
const NO_BUCKETS: Buckets = { spans: [], buckets: [] }

function readBuckets(reader: Reader, asFloat: boolean): Buckets {
  const spans: Span[] = []
  for (let i = reader.varint(); i > 0; i--) spans.push({ offset: reader.zigzag(), length: reader.varint() })
  const buckets: number[] = []
  let last = 0
  for (let i = reader.varint(); i > 0; i--) {
    last = asFloat ? reader.double() : last + reader.zigzag()
    buckets.push(last)
  }
  return { spans, buckets }
}

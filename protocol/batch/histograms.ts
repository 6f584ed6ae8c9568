/**
 * Native histograms in a payload. A histogram whose layout (schema, zero threshold, spans, custom values, kind) is that of the
 * series' histogram before says so in one bit, and its counts are differences to that one:
 *
 *     flags  bit 0 float, bit 1 stale (nothing follows), bits 2-3 counter reset hint, bit 4 layout as before
 *     layout zigzag schema, zero threshold, spans (offset zigzag, length) of either side, custom values
 *     counts zero count, count, sum, buckets of either side
 *
 * A number is 0 and eight raw bytes, or 1 + zigzag of an integer difference.
 */
import { type CounterResetHint, EMPTY_HISTOGRAM, type Histogram, type Span } from '../samples/mod.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

const MAX_INTEGER = 2 ** 50
const Flag = { float: 1, stale: 2, hintShift: 2, sameLayout: 16 } as const

export const STALE_HISTOGRAM: Histogram = { ...EMPTY_HISTOGRAM, isFloat: false, isStale: true, sum: Number.NaN }

/** @param before the series' last histogram that was not stale, in this batch or its keyframe; null = none */
export function writeHistogram(out: ByteWriter, histogram: Histogram, before: Histogram | null): void {
  const same = before !== null && sameLayout(histogram, before)
  const kind = (histogram.isFloat ? Flag.float : 0) | (histogram.counterResetHint << Flag.hintShift)
  if (histogram.isStale) {
    out.byte(kind | Flag.stale)
    return
  }
  out.byte(kind | (same ? Flag.sameLayout : 0))
  if (!same) writeLayout(out, histogram)
  const base = same ? before : null
  writeNumber(out, histogram.zeroCount, base?.zeroCount ?? 0)
  writeNumber(out, histogram.count, base?.count ?? 0)
  writeNumber(out, histogram.sum, base?.sum ?? 0)
  writeNumbers(out, histogram.positiveBuckets, base?.positiveBuckets ?? null)
  writeNumbers(out, histogram.negativeBuckets, base?.negativeBuckets ?? null)
}

export function readHistogram(input: ByteReader, before: Histogram | null): Histogram {
  const flags = input.byte()
  if (flags > 31) input.fail('histogram flags are not known')
  const isFloat = (flags & Flag.float) !== 0
  const counterResetHint = ((flags >> Flag.hintShift) & 3) as CounterResetHint
  if ((flags & Flag.stale) !== 0) return { ...STALE_HISTOGRAM, isFloat, counterResetHint }
  const same = (flags & Flag.sameLayout) !== 0
  if (same && before === null) input.fail('a histogram refers to one that is not there')
  const layout = same ? before! : readLayout(input)
  const base = same ? before : null
  const histogram: Histogram = {
    isFloat,
    isStale: false,
    counterResetHint,
    schema: layout.schema,
    zeroThreshold: layout.zeroThreshold,
    zeroCount: readNumber(input, base?.zeroCount ?? 0),
    count: readNumber(input, base?.count ?? 0),
    sum: readNumber(input, base?.sum ?? 0),
    positiveSpans: layout.positiveSpans,
    positiveBuckets: readNumbers(input, base?.positiveBuckets ?? null),
    negativeSpans: layout.negativeSpans,
    negativeBuckets: readNumbers(input, base?.negativeBuckets ?? null),
    customValues: layout.customValues,
  }
  if (!isConsistent(histogram)) input.fail('the spans of a histogram do not cover its buckets')
  return histogram
}

/** Spans and buckets agree: what every user of a histogram relies on. */
export const isConsistent = (histogram: Histogram): boolean =>
  histogram.isStale ||
  (spanned(histogram.positiveSpans) === histogram.positiveBuckets.length &&
    spanned(histogram.negativeSpans) === histogram.negativeBuckets.length)

const spanned = (spans: readonly Span[]): number => spans.reduce((sum, { length }) => sum + length, 0)

/** Integer differences where both are integers, else raw bits: what exemplars and histograms are made of. */
export function writeNumber(out: ByteWriter, value: number, before: number): void {
  if (isInteger(value)) {
    const delta = value - (isInteger(before) ? before : 0)
    out.varint(1 + (delta < 0 ? -2 * delta - 1 : 2 * delta))
  } else {
    out.byte(0)
    out.float64(value)
  }
}

export function readNumber(input: ByteReader, before: number): number {
  const code = input.varint()
  if (code === 0) return input.float64()
  const z = code - 1
  return (z % 2 === 0 ? z / 2 : -(z + 1) / 2) + (isInteger(before) ? before : 0)
}

type HistogramLayout = Pick<Histogram, 'schema' | 'zeroThreshold' | 'positiveSpans' | 'negativeSpans' | 'customValues'>

function writeLayout(out: ByteWriter, histogram: HistogramLayout): void {
  out.zigzag(histogram.schema)
  out.float64(histogram.zeroThreshold)
  writeSpans(out, histogram.positiveSpans)
  writeSpans(out, histogram.negativeSpans)
  out.varint(histogram.customValues.length)
  for (const bound of histogram.customValues) out.float64(bound)
}

function readLayout(input: ByteReader): HistogramLayout {
  const schema = input.zigzag()
  const zeroThreshold = input.float64()
  const positiveSpans = readSpans(input)
  const negativeSpans = readSpans(input)
  const customValues = Array.from({ length: input.count(8) }, () => input.float64())
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues }
}

function writeSpans(out: ByteWriter, spans: readonly Span[]): void {
  out.varint(spans.length)
  for (const { offset, length } of spans) {
    out.zigzag(offset)
    out.varint(length)
  }
}

function readSpans(input: ByteReader): Span[] {
  return Array.from({ length: input.count(2) }, () => ({ offset: input.zigzag(), length: input.varint() }))
}

function writeNumbers(out: ByteWriter, values: readonly number[], before: readonly number[] | null): void {
  out.varint(values.length)
  for (let i = 0; i < values.length; i++) writeNumber(out, values[i]!, before?.[i] ?? 0)
}

function readNumbers(input: ByteReader, before: readonly number[] | null): number[] {
  return Array.from({ length: input.count() }, (_, i) => readNumber(input, before?.[i] ?? 0))
}

const isInteger = (value: number): boolean =>
  Number.isInteger(value) && Math.abs(value) <= MAX_INTEGER && !Object.is(value, -0)

function sameLayout(a: Histogram, b: Histogram): boolean {
  return (
    a.schema === b.schema &&
    a.isFloat === b.isFloat &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    sameSpans(a.positiveSpans, b.positiveSpans) &&
    sameSpans(a.negativeSpans, b.negativeSpans) &&
    a.customValues.length === b.customValues.length &&
    a.customValues.every((bound, i) => Object.is(bound, b.customValues[i]))
  )
}

const sameSpans = (a: readonly Span[], b: readonly Span[]): boolean =>
  a.length === b.length && a.every((span, i) => span.offset === b[i]!.offset && span.length === b[i]!.length)

/**
 * A native histogram message. Integer histograms come as deltas between buckets and leave as absolute counts.
 * Semantics: Prometheus prompb/codec.go, ToIntHistogram and ToFloatHistogram.
 */
import {
  atMostSchema8,
  type CounterResetHint,
  type Histogram,
  isTooFine,
  type Span,
  STALE_HIGH,
  STALE_LOW,
} from '../samples/mod.ts'
import { RemoteWriteError } from './errors.ts'
import { SpanTag, HistogramTag as Tag } from './fields.ts'
import type { ProtoReader } from './proto-reader.ts'
import { histogramProblem } from './validate-histogram.ts'

export type HistogramSample = {
  readonly timestampMs: number
  readonly histogram: Histogram
  /** Milliseconds, 0 unknown. */
  readonly startMs: number
}

/** Reads to the reader's `end`. @throws RemoteWriteError bad-histogram, when it is read and is none; bad-protobuf */
export function readHistogram(reader: ProtoReader): HistogramSample {
  let isFloat = false
  let isStale = false
  let counterResetHint = 0
  let timestampMs = 0
  let startMs = 0
  let [count, zeroCount, sum, schema, zeroThreshold] = [0, 0, 0, 0, 0]
  const positiveSpans: Span[] = []
  const negativeSpans: Span[] = []
  const deltas = { positive: [] as number[], negative: [] as number[] }
  const counts = { positive: [] as number[], negative: [] as number[] }
  const customValues: number[] = []
  while (reader.at < reader.end) {
    const tag = reader.tag()
    switch (tag) {
      case Tag.countInt:
        count = reader.uint64()
        isFloat = false
        break
      case Tag.countFloat:
        count = reader.double()
        isFloat = true
        break
      case Tag.sum:
        isStale = isStaleBits(reader, reader.at)
        sum = reader.double()
        break
      case Tag.schema:
        schema = reader.sint64()
        break
      case Tag.zeroThreshold:
        zeroThreshold = reader.double()
        break
      case Tag.zeroCountInt:
        zeroCount = reader.uint64()
        break
      case Tag.zeroCountFloat:
        zeroCount = reader.double()
        break
      case Tag.negativeSpan:
        addSpan(negativeSpans, readSpan(reader))
        break
      case Tag.positiveSpan:
        addSpan(positiveSpans, readSpan(reader))
        break
      case Tag.negativeDeltas:
      case Tag.negativeDelta:
        readDeltas(reader, tag === Tag.negativeDeltas, deltas.negative)
        break
      case Tag.positiveDeltas:
      case Tag.positiveDelta:
        readDeltas(reader, tag === Tag.positiveDeltas, deltas.positive)
        break
      case Tag.negativeCounts:
      case Tag.negativeCount:
        readDoubles(reader, tag === Tag.negativeCounts, counts.negative)
        break
      case Tag.positiveCounts:
      case Tag.positiveCount:
        readDoubles(reader, tag === Tag.positiveCounts, counts.positive)
        break
      case Tag.customValues:
      case Tag.customValue:
        readDoubles(reader, tag === Tag.customValues, customValues)
        break
      case Tag.resetHint:
        counterResetHint = reader.uint64()
        break
      case Tag.timestamp:
        timestampMs = reader.int64()
        break
      case Tag.start:
        startMs = reader.int64()
        break
      default:
        reader.skip(tag)
    }
  }
  const histogram: Histogram = {
    isFloat,
    isStale,
    counterResetHint: (counterResetHint <= 3 ? counterResetHint : 0) as CounterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    positiveBuckets: isFloat ? counts.positive : sums(deltas.positive),
    negativeSpans,
    negativeBuckets: isFloat ? counts.negative : sums(deltas.negative),
    customValues,
  }
  const problem = histogramProblem(isTooFine(histogram) ? { ...histogram, schema: 8 } : histogram)
  if (problem !== null) throw new RemoteWriteError('bad-histogram', problem, reader.at)
  return { timestampMs, histogram: atMostSchema8(histogram), startMs }
}

function isStaleBits(reader: ProtoReader, at: number): boolean {
  const { bytes } = reader
  const word = (i: number): number =>
    (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> 0
  return at + 8 <= reader.end && word(at) === STALE_LOW && word(at + 4) === STALE_HIGH
}

/** Empty spans only move the next one: none is kept, so there are never more than buckets. */
function addSpan(spans: Span[], span: Span): void {
  const last = spans.at(-1)
  if (last?.length === 0) spans[spans.length - 1] = { offset: last.offset + span.offset, length: span.length }
  else spans.push(span)
}

function readSpan(reader: ProtoReader): Span {
  const end = reader.lengthEnd()
  let offset = 0
  let length = 0
  while (reader.at < end) {
    const tag = reader.tag()
    if (tag === SpanTag.offset) offset = reader.sint64()
    else if (tag === SpanTag.length) length = reader.uint64()
    else reader.skip(tag)
  }
  if (reader.at !== end) reader.fail('a span reaches past its end')
  return { offset, length }
}

function readDeltas(reader: ProtoReader, packed: boolean, out: number[]): void {
  if (!packed) {
    out.push(reader.sint64())
    return
  }
  const end = reader.lengthEnd()
  while (reader.at < end) out.push(reader.sint64())
  if (reader.at !== end) reader.fail('a list reaches past its end')
}

function readDoubles(reader: ProtoReader, packed: boolean, out: number[]): void {
  if (!packed) {
    out.push(reader.double())
    return
  }
  const end = reader.lengthEnd()
  while (reader.at < end) out.push(reader.double())
  if (reader.at !== end) reader.fail('a list reaches past its end')
}

function sums(deltas: readonly number[]): number[] {
  let sum = 0
  return deltas.map((delta) => (sum += delta))
}

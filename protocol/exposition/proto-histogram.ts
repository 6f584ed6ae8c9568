/**
 * A Histogram message: its classic buckets, its native form if it has one, exemplars and start timestamp.
 * Semantics: Prometheus model/textparse/protobufparse.go (v3.14); model/histogram, Histogram.Validate.
 */
import type { ProtoReader } from '../remote-write/mod.ts'
import { CounterResetHint, type Exemplar, type Histogram, isTooFine, type Span } from '../samples/mod.ts'
import { BucketTag, SpanTag, HistogramTag as Tag } from './proto-fields.ts'
import { inner, readExemplar, readTimestampMs } from './proto-parts.ts'

export type ClassicBucket = { readonly bound: number; readonly count: number; readonly exemplar: Exemplar | null }

export type ProtoHistogram = {
  readonly count: number
  readonly sum: number
  readonly createdMs: number
  /** As sent: cumulative, ascending if the client is sound. */
  readonly buckets: readonly ClassicBucket[]
  readonly exemplars: readonly Exemplar[]
  /** null when it has no native part. */
  readonly native: Histogram | null
}

/** Reads to the reader's `end`. @param isGauge of a gauge histogram, whose counts may fall */
export function readProtoHistogram(reader: ProtoReader, isGauge: boolean): ProtoHistogram {
  let [count, countFloat, sum, createdMs, schema] = [0, 0, 0, 0, 0]
  let [zeroThreshold, zeroCount, zeroCountFloat] = [0, 0, 0]
  const buckets: ClassicBucket[] = []
  const exemplars: Exemplar[] = []
  const positiveSpans: Span[] = []
  const negativeSpans: Span[] = []
  const positive = { deltas: [] as number[], counts: [] as number[] }
  const negative = { deltas: [] as number[], counts: [] as number[] }
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === Tag.count) count = reader.uint64()
    else if (tag === Tag.countFloat) countFloat = reader.double()
    else if (tag === Tag.sum) sum = reader.double()
    else if (tag === Tag.bucket) buckets.push(inner(reader, readBucket))
    else if (tag === Tag.created) createdMs = inner(reader, readTimestampMs)
    else if (tag === Tag.exemplar) exemplars.push(inner(reader, readExemplar))
    else if (tag === Tag.schema) schema = reader.sint64()
    else if (tag === Tag.zeroThreshold) zeroThreshold = reader.double()
    else if (tag === Tag.zeroCount) zeroCount = reader.uint64()
    else if (tag === Tag.zeroCountFloat) zeroCountFloat = reader.double()
    else if (tag === Tag.positiveSpan) positiveSpans.push(inner(reader, readSpan))
    else if (tag === Tag.negativeSpan) negativeSpans.push(inner(reader, readSpan))
    else if (tag === Tag.positiveDelta) positive.deltas.push(reader.sint64())
    else if (tag === Tag.negativeDelta) negative.deltas.push(reader.sint64())
    else if (tag === Tag.positiveCount) positive.counts.push(reader.double())
    else if (tag === Tag.negativeCount) negative.counts.push(reader.double())
    else if (tag === Tag.positiveDeltas) readPacked(reader, positive.deltas, (r) => r.sint64())
    else if (tag === Tag.negativeDeltas) readPacked(reader, negative.deltas, (r) => r.sint64())
    else if (tag === Tag.positiveCounts) readPacked(reader, positive.counts, (r) => r.double())
    else if (tag === Tag.negativeCounts) readPacked(reader, negative.counts, (r) => r.double())
    else reader.skip(tag)
  }
  const isNative =
    positiveSpans.length > 0 || negativeSpans.length > 0 || zeroThreshold > 0 || zeroCount > 0 || zeroCountFloat > 0
  const isFloat = countFloat > 0 || zeroCountFloat > 0
  const native: Histogram | null = isNative
    ? {
        isFloat,
        isStale: false,
        counterResetHint: isGauge ? CounterResetHint.gauge : CounterResetHint.unknown,
        schema,
        zeroThreshold,
        zeroCount: isFloat ? zeroCountFloat : zeroCount,
        count: isFloat ? countFloat : count,
        sum,
        positiveSpans,
        positiveBuckets: isFloat ? positive.counts : runningSums(positive.deltas),
        negativeSpans,
        negativeBuckets: isFloat ? negative.counts : runningSums(negative.deltas),
        customValues: [],
      }
    : null
  return { count: countFloat > 0 ? countFloat : count, sum, createdMs, buckets, exemplars, native }
}

/** What is wrong with a native histogram, or ''. Semantics: Prometheus model/histogram, Validate. */
export function histogramFault(histogram: Histogram): string {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets, isFloat, count, zeroCount, sum } = histogram
  // Finer ones than 8 are kept as of schema 8.
  if (histogram.schema < -4 || (histogram.schema > 8 && !isTooFine(histogram)))
    return `histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema ${histogram.schema}`
  const spans =
    spanFault('positive', positiveSpans, positiveBuckets) || spanFault('negative', negativeSpans, negativeBuckets)
  if (spans !== '') return spans
  if (isFloat) return ''
  const total = zeroCount + sumOf(positiveBuckets) + sumOf(negativeBuckets)
  const isMismatch = Number.isNaN(sum) ? total > count : total !== count
  if (!isMismatch) return ''
  return `${total} observations found in buckets, but the Count field is ${count}: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)`
}

/** As the clients' libraries may send it, to as it is kept. Semantics: Prometheus model/histogram, Compact(0). */
export function withoutEmptyBuckets(histogram: Histogram): Histogram {
  const positive = occupied(histogram.positiveSpans, histogram.positiveBuckets)
  const negative = occupied(histogram.negativeSpans, histogram.negativeBuckets)
  return {
    ...histogram,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  }
}

function occupied(
  spans: readonly Span[],
  counts: readonly number[],
): { readonly spans: Span[]; readonly buckets: number[] } {
  const out: { offset: number; length: number }[] = []
  const buckets: number[] = []
  /** Buckets since the last occupied one; the first offset is an index, and may be negative. */
  let gap = 0
  let at = 0
  for (const { offset, length } of spans) {
    gap += offset
    for (let i = 0; i < length; i++) {
      const count = counts[at++]!
      if (count === 0) {
        gap++
        continue
      }
      if (gap !== 0 || out.length === 0) out.push({ offset: gap, length: 1 })
      else out.at(-1)!.length++
      gap = 0
      buckets.push(count)
    }
  }
  return { spans: out, buckets }
}

function spanFault(side: string, spans: readonly Span[], buckets: readonly number[]): string {
  let needed = 0
  for (const [i, { offset, length }] of spans.entries()) {
    if (i > 0 && offset < 0)
      return `${side} side: span number ${i + 1} with offset ${offset}: histogram has a span whose offset is negative`
    needed += length
  }
  if (needed !== buckets.length)
    return `${side} side: spans need ${needed} buckets, have ${buckets.length} buckets: histogram spans specify different number of buckets than provided`
  const negative = buckets.findIndex((bucket) => bucket < 0)
  if (negative < 0) return ''
  return `${side} side: bucket number ${negative + 1} has observation count of ${buckets[negative]}: histogram has a bucket whose observation count is negative`
}

function readBucket(reader: ProtoReader): ClassicBucket {
  let [count, countFloat, bound] = [0, 0, 0]
  let exemplar: Exemplar | null = null
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === BucketTag.count) count = reader.uint64()
    else if (tag === BucketTag.countFloat) countFloat = reader.double()
    else if (tag === BucketTag.bound) bound = reader.double()
    else if (tag === BucketTag.exemplar) exemplar = inner(reader, readExemplar)
    else reader.skip(tag)
  }
  return { bound, count: countFloat > 0 ? countFloat : count, exemplar }
}

function readSpan(reader: ProtoReader): Span {
  let [offset, length] = [0, 0]
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === SpanTag.offset) offset = reader.sint64()
    else if (tag === SpanTag.length) length = reader.uint64()
    else reader.skip(tag)
  }
  return { offset, length }
}

function readPacked(reader: ProtoReader, out: number[], read: (reader: ProtoReader) => number): void {
  const end = reader.lengthEnd()
  while (reader.at < end) out.push(read(reader))
  if (reader.at !== end) reader.fail('a list reaches past its end')
}

function runningSums(deltas: readonly number[]): number[] {
  let sum = 0
  return deltas.map((delta) => (sum += delta))
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0)

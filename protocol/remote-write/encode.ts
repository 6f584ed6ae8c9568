/** Remote write 1.0 the other way: for uplinks to other systems, benches and tests. */
import type { Labels } from '../labels/mod.ts'
import type { Exemplar, Histogram, Span } from '../samples/mod.ts'
import type { FamilyMetadata } from './columns.ts'
import { ExemplarTag, Label, MetadataTag, Request, Sample, Series, SpanTag, HistogramTag as Tag } from './fields.ts'
import { ProtoWriter } from './proto-writer.ts'
import { METRIC_TYPES } from './read-extras.ts'

export type WriteSeries = {
  readonly labels: Labels
  /** Milliseconds; as long as `values`. */
  readonly timestamps: ArrayLike<number>
  /** Bits are kept, stale markers included. */
  readonly values: Float64Array
  readonly histograms?: readonly { readonly timestampMs: number; readonly histogram: Histogram }[]
  readonly exemplars?: readonly Exemplar[]
}

/** The protobuf body, not compressed yet. */
export function encodeWriteRequest(series: Iterable<WriteSeries>, metadata: Iterable<FamilyMetadata> = []): Uint8Array {
  const out = new ProtoWriter()
  for (const item of series) writeSeries(out, item)
  for (const each of metadata) writeFamily(out, each)
  return out.bytes()
}

export function writeFamily(out: ProtoWriter, { family, metadata }: FamilyMetadata): void {
  const start = out.beginMessage(Request.metadata)
  out.varint(MetadataTag.type)
  out.varint(Math.max(0, METRIC_TYPES.indexOf(metadata.type)))
  writeText(out, MetadataTag.family, family)
  writeText(out, MetadataTag.help, metadata.help)
  writeText(out, MetadataTag.unit, metadata.unit)
  out.endMessage(start)
}

function writeSeries(out: ProtoWriter, series: WriteSeries): void {
  const start = out.beginMessage(Request.series)
  writeLabels(out, Series.label, series.labels)
  const bytes = new Uint8Array(series.values.buffer, series.values.byteOffset, 8 * series.values.length)
  for (let i = 0; i < series.values.length; i++) {
    const sample = out.beginMessage(Series.sample)
    out.varint(Sample.value)
    out.raw(bytes, 8 * i, 8)
    out.varint(Sample.timestamp)
    out.int64(series.timestamps[i]!)
    out.endMessage(sample)
  }
  for (const exemplar of series.exemplars ?? []) writeExemplar(out, exemplar)
  for (const { timestampMs, histogram } of series.histograms ?? []) {
    const nested = out.beginMessage(Series.histogram)
    writeHistogram(out, histogram)
    out.varint(Tag.timestamp)
    out.int64(timestampMs)
    out.endMessage(nested)
  }
  out.endMessage(start)
}

export function writeExemplar(out: ProtoWriter, { labels, value, timestampMs }: Exemplar): void {
  const nested = out.beginMessage(Series.exemplar)
  writeLabels(out, ExemplarTag.label, labels)
  writeDouble(out, ExemplarTag.value, value)
  if (timestampMs !== null) {
    out.varint(ExemplarTag.timestamp)
    out.int64(timestampMs)
  }
  out.endMessage(nested)
}

export function writeLabels(out: ProtoWriter, tag: number, labels: readonly string[]): void {
  for (let i = 0; i < labels.length; i += 2) {
    const start = out.beginMessage(tag)
    writeText(out, Label.name, labels[i]!)
    writeText(out, Label.value, labels[i + 1]!)
    out.endMessage(start)
  }
}

/** 0x7ff0000000000002, little-endian. */
const STALE_BYTES = Uint8Array.of(2, 0, 0, 0, 0, 0, 0xf0, 0x7f)

/** Into the message that was begun; without its time. */
export function writeHistogram(out: ProtoWriter, histogram: Histogram): void {
  const { isFloat } = histogram
  if (isFloat) writeDouble(out, Tag.countFloat, histogram.count)
  else writeVarint(out, Tag.countInt, histogram.count)
  out.varint(Tag.sum)
  if (histogram.isStale) out.raw(STALE_BYTES, 0, 8)
  else out.double(histogram.sum)
  out.varint(Tag.schema)
  out.sint64(histogram.schema)
  writeDouble(out, Tag.zeroThreshold, histogram.zeroThreshold)
  if (isFloat) writeDouble(out, Tag.zeroCountFloat, histogram.zeroCount)
  else writeVarint(out, Tag.zeroCountInt, histogram.zeroCount)
  writeSpans(out, Tag.negativeSpan, histogram.negativeSpans)
  if (isFloat) writeDoubles(out, Tag.negativeCounts, histogram.negativeBuckets)
  else writeDeltas(out, Tag.negativeDeltas, histogram.negativeBuckets)
  writeSpans(out, Tag.positiveSpan, histogram.positiveSpans)
  if (isFloat) writeDoubles(out, Tag.positiveCounts, histogram.positiveBuckets)
  else writeDeltas(out, Tag.positiveDeltas, histogram.positiveBuckets)
  writeVarint(out, Tag.resetHint, histogram.counterResetHint)
  writeDoubles(out, Tag.customValues, histogram.customValues)
}

function writeSpans(out: ProtoWriter, tag: number, spans: readonly Span[]): void {
  for (const { offset, length } of spans) {
    const start = out.beginMessage(tag)
    out.varint(SpanTag.offset)
    out.sint64(offset)
    writeVarint(out, SpanTag.length, length)
    out.endMessage(start)
  }
}

function writeDeltas(out: ProtoWriter, tag: number, counts: readonly number[]): void {
  if (counts.length === 0) return
  const start = out.beginMessage(tag)
  for (let i = 0; i < counts.length; i++) out.sint64(counts[i]! - (i === 0 ? 0 : counts[i - 1]!))
  out.endMessage(start)
}

function writeDoubles(out: ProtoWriter, tag: number, values: readonly number[]): void {
  if (values.length === 0) return
  const start = out.beginMessage(tag)
  for (const value of values) out.double(value)
  out.endMessage(start)
}

function writeText(out: ProtoWriter, tag: number, text: string): void {
  out.varint(tag)
  out.string(text)
}

function writeVarint(out: ProtoWriter, tag: number, value: number): void {
  out.varint(tag)
  out.varint(value)
}

function writeDouble(out: ProtoWriter, tag: number, value: number): void {
  out.varint(tag)
  out.double(value)
}

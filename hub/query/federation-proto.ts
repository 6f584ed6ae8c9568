/**
 * Samples as delimited protobuf families of io.prometheus.client: floats untyped, native histograms as floats. A metric
 * whose series differ in kind is several families, which is what upstream's readers take.
 * Semantics: Prometheus web/federate.go; prometheus/client_model metrics.proto.
 */
import { ProtoWriter } from '../../protocol/remote-write/mod.ts'
import { CounterResetHint, type Histogram, type Span } from '../../protocol/samples/mod.ts'
import type { Line, Pair } from './federation.ts'

const TYPE = { untyped: 3, histogram: 4, gaugeHistogram: 5 } as const
const FAMILY = { name: 10, type: 24, metric: 34 } as const
const METRIC = { label: 10, untyped: 42, timestamp: 48, histogram: 58 } as const
const LABEL = { name: 10, value: 18 } as const
const VALUE = 9
const HISTOGRAM = {
  sum: 17,
  countFloat: 33,
  schema: 40,
  zeroThreshold: 49,
  zeroCountFloat: 65,
  negativeSpan: 74,
  negativeCount: 89,
  positiveSpan: 98,
  positiveCount: 113,
} as const
const SPAN = { offset: 8, length: 16 } as const

/** @param lines by name. @param pairsOf the labels of a line */
export function familiesAsProto(lines: readonly Line[], pairsOf: (line: Line) => readonly Pair[]): Uint8Array {
  const out = new ProtoWriter()
  for (let from = 0; from < lines.length; ) {
    const { name, histogram } = lines[from]!
    const type = typeOf(histogram)
    const family = new ProtoWriter()
    family.varint(FAMILY.name)
    family.string(name)
    family.varint(FAMILY.type)
    family.varint(type)
    for (; from < lines.length; from++) {
      const line = lines[from]!
      if (line.name !== name || typeOf(line.histogram) !== type) break
      const start = family.beginMessage(FAMILY.metric)
      writeMetric(family, line, pairsOf(line))
      family.endMessage(start)
    }
    out.varint(family.length)
    out.raw(family.bytes(), 0, family.length)
  }
  return out.bytes()
}

function typeOf(histogram: Histogram | null): number {
  if (histogram === null) return TYPE.untyped
  return histogram.counterResetHint === CounterResetHint.gauge ? TYPE.gaugeHistogram : TYPE.histogram
}

function writeMetric(out: ProtoWriter, { value, histogram, timeMs }: Line, pairs: readonly Pair[]): void {
  for (const [name, text] of pairs) {
    const start = out.beginMessage(METRIC.label)
    out.varint(LABEL.name)
    out.string(name)
    out.varint(LABEL.value)
    out.string(text)
    out.endMessage(start)
  }
  const start = out.beginMessage(histogram ? METRIC.histogram : METRIC.untyped)
  if (histogram) writeHistogram(out, histogram)
  else double(out, VALUE, value)
  out.endMessage(start)
  out.varint(METRIC.timestamp)
  out.int64(timeMs)
}

function writeHistogram(out: ProtoWriter, h: Histogram): void {
  double(out, HISTOGRAM.countFloat, h.count)
  double(out, HISTOGRAM.sum, h.sum)
  out.varint(HISTOGRAM.schema)
  out.sint64(h.schema)
  double(out, HISTOGRAM.zeroThreshold, h.zeroThreshold)
  double(out, HISTOGRAM.zeroCountFloat, h.zeroCount)
  spans(out, HISTOGRAM.negativeSpan, h.negativeSpans)
  for (const count of h.negativeBuckets) double(out, HISTOGRAM.negativeCount, count)
  spans(out, HISTOGRAM.positiveSpan, h.positiveSpans)
  for (const count of h.positiveBuckets) double(out, HISTOGRAM.positiveCount, count)
}

function spans(out: ProtoWriter, tag: number, list: readonly Span[]): void {
  for (const { offset, length } of list) {
    const start = out.beginMessage(tag)
    out.varint(SPAN.offset)
    out.sint64(offset)
    out.varint(SPAN.length)
    out.varint(length)
    out.endMessage(start)
  }
}

function double(out: ProtoWriter, tag: number, value: number): void {
  out.varint(tag)
  out.double(value)
}

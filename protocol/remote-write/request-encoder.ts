/**
 * Requests made sample by sample, as a queue of a remote writer makes them: each sample is a series of its own in the
 * message, so that what came in one order is read in that order. Encoders are kept and used again: so is their memory.
 * Semantics: Prometheus storage/remote/queue_manager.go, populateTimeSeries and populateV2TimeSeries (v3.5).
 */
import type { Labels } from '../labels/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../samples/mod.ts'
import type { FamilyMetadata } from './columns.ts'
import { writeExemplar, writeFamily, writeHistogram, writeLabels } from './encode.ts'
import { Exemplar2, HistogramTag, Metadata2, Request, Request2, Sample, Sample2, Series, Series2 } from './fields.ts'
import { ProtoWriter } from './proto-writer.ts'
import { METRIC_TYPES } from './read-extras.ts'

/** What goes along with a sample. */
export type SampleExtras = {
  /** Milliseconds, 0 unknown. Of 2.0 alone. */
  readonly startMs: number
  /** Of 2.0 alone; 1.0 has families (`family`). */
  readonly metadata: Metadata | null
  readonly exemplars: readonly Exemplar[]
}

export interface RequestEncoder {
  /** @param values the sample is the one at `at`: its bits are kept, stale markers included */
  float(labels: Labels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void
  histogram(labels: Labels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void
  /** Of series of which the request has no sample. False where the message has no place for them. */
  exemplars(labels: Labels, exemplars: readonly Exemplar[]): boolean
  /** False where the message has no place for it. */
  family(metadata: FamilyMetadata): boolean
  /** The message, not compressed yet, borrowed until the next call: what comes then is of another request. */
  finish(): Uint8Array
}

export class WriteRequestEncoder implements RequestEncoder {
  readonly #out = new ProtoWriter()
  #isFinished = false

  float(labels: Labels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void {
    const out = this.#begin()
    const series = out.beginMessage(Request.series)
    writeLabels(out, Series.label, labels)
    const sample = out.beginMessage(Series.sample)
    out.varint(Sample.value)
    out.raw(bytesOf(values), 8 * at, 8)
    out.varint(Sample.timestamp)
    out.int64(timestampMs)
    out.endMessage(sample)
    for (const exemplar of extras.exemplars) writeExemplar(out, exemplar)
    out.endMessage(series)
  }

  histogram(labels: Labels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void {
    const out = this.#begin()
    const series = out.beginMessage(Request.series)
    writeLabels(out, Series.label, labels)
    for (const exemplar of extras.exemplars) writeExemplar(out, exemplar)
    const nested = out.beginMessage(Series.histogram)
    writeHistogram(out, histogram)
    out.varint(HistogramTag.timestamp)
    out.int64(timestampMs)
    out.endMessage(nested)
    out.endMessage(series)
  }

  exemplars(labels: Labels, exemplars: readonly Exemplar[]): boolean {
    const out = this.#begin()
    const series = out.beginMessage(Request.series)
    writeLabels(out, Series.label, labels)
    for (const exemplar of exemplars) writeExemplar(out, exemplar)
    out.endMessage(series)
    return true
  }

  family(metadata: FamilyMetadata): boolean {
    writeFamily(this.#begin(), metadata)
    return true
  }

  finish(): Uint8Array {
    const out = this.#begin()
    this.#isFinished = true
    return out.written()
  }

  #begin(): ProtoWriter {
    if (this.#isFinished) this.#out.clear()
    this.#isFinished = false
    return this.#out
  }
}

export class WriteRequest2Encoder implements RequestEncoder {
  /** Series; the symbols, which stand before them, are only known when all of them are written. */
  readonly #series = new ProtoWriter()
  readonly #whole = new ProtoWriter()
  readonly #refs = new ProtoWriter()
  #symbols = new Map<string, number>([['', 0]])
  #isFinished = false

  float(labels: Labels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void {
    const { out, series } = this.#begin(labels)
    const sample = out.beginMessage(Series2.sample)
    out.varint(Sample2.value)
    out.raw(bytesOf(values), 8 * at, 8)
    out.varint(Sample2.timestamp)
    out.int64(timestampMs)
    if (extras.startMs !== 0) {
      out.varint(Sample2.start)
      out.int64(extras.startMs)
    }
    out.endMessage(sample)
    this.#end(series, extras)
  }

  histogram(labels: Labels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void {
    const { out, series } = this.#begin(labels)
    const nested = out.beginMessage(Series2.histogram)
    writeHistogram(out, histogram)
    out.varint(HistogramTag.timestamp)
    out.int64(timestampMs)
    if (extras.startMs !== 0) {
      out.varint(HistogramTag.start)
      out.int64(extras.startMs)
    }
    out.endMessage(nested)
    this.#end(series, extras)
  }

  /** Receivers refuse a series without a sample. */
  exemplars(): boolean {
    return false
  }

  family(): boolean {
    return false
  }

  finish(): Uint8Array {
    this.#clearFinished()
    this.#isFinished = true
    const whole = this.#whole
    whole.clear()
    for (const symbol of this.#symbols.keys()) {
      whole.varint(Request2.symbol)
      whole.string(symbol)
    }
    whole.append(this.#series.written())
    return whole.written()
  }

  #begin(labels: Labels): { readonly out: ProtoWriter; readonly series: number } {
    this.#clearFinished()
    const out = this.#series
    const series = out.beginMessage(Request2.series)
    this.#writeRefs(out, Series2.labelRefs, labels)
    return { out, series }
  }

  #clearFinished(): void {
    if (!this.#isFinished) return
    this.#series.clear()
    this.#symbols = new Map([['', 0]])
    this.#isFinished = false
  }

  #end(series: number, { exemplars, metadata }: SampleExtras): void {
    const out = this.#series
    for (const exemplar of exemplars) this.#writeExemplar(out, exemplar)
    if (metadata) {
      const nested = out.beginMessage(Series2.metadata)
      out.varint(Metadata2.type)
      out.varint(Math.max(0, METRIC_TYPES.indexOf(metadata.type)))
      out.varint(Metadata2.help)
      out.varint(this.#symbol(metadata.help))
      out.varint(Metadata2.unit)
      out.varint(this.#symbol(metadata.unit))
      out.endMessage(nested)
    }
    out.endMessage(series)
  }

  #writeExemplar(out: ProtoWriter, { labels, value, timestampMs }: Exemplar): void {
    const nested = out.beginMessage(Series2.exemplar)
    this.#writeRefs(out, Exemplar2.labelRefs, labels)
    out.varint(Exemplar2.value)
    out.double(value)
    if (timestampMs !== null) {
      out.varint(Exemplar2.timestamp)
      out.int64(timestampMs)
    }
    out.endMessage(nested)
  }

  #writeRefs(out: ProtoWriter, tag: number, texts: readonly string[]): void {
    const refs = this.#refs
    refs.clear()
    for (let i = 0; i < texts.length; i++) refs.varint(this.#symbol(texts[i]!))
    out.varint(tag)
    out.varint(refs.length)
    out.append(refs.written())
  }

  #symbol(text: string): number {
    let ref = this.#symbols.get(text)
    if (ref === undefined) this.#symbols.set(text, (ref = this.#symbols.size))
    return ref
  }
}

const bytesOf = (values: Float64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

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

/** A series' labels, or what `prepare` of the same encoder has made of them. */
export type SeriesLabels = Labels | Uint8Array

export interface RequestEncoder {
  /** Labels in a form that is written several times as fast, to be kept by the caller; null: no more can be. */
  prepare(labels: Labels): Uint8Array | null
  /** @param values the sample is the one at `at`: its bits are kept, stale markers included */
  float(labels: SeriesLabels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void
  histogram(labels: SeriesLabels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void
  /** Of series of which the request has no sample. False where the message has no place for them. */
  exemplars(labels: Labels, exemplars: readonly Exemplar[]): boolean
  /** False where the message has no place for it. */
  family(metadata: FamilyMetadata): boolean
  /** The message, not compressed yet, borrowed until the next call: what comes then is of another request. */
  finish(): Uint8Array
}

export class WriteRequestEncoder implements RequestEncoder {
  readonly #out = new ProtoWriter()
  readonly #prepared = new ProtoWriter()
  #isFinished = false

  /** The fields as they stand in the message. */
  prepare(labels: Labels): Uint8Array {
    this.#prepared.clear()
    writeLabels(this.#prepared, Series.label, labels)
    return this.#prepared.bytes()
  }

  float(labels: SeriesLabels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void {
    const out = this.#begin()
    const series = out.beginMessage(Request.series)
    writeSeriesLabels(out, labels)
    const sample = out.beginMessage(Series.sample)
    out.varint(Sample.value)
    out.raw(bytesOf(values), 8 * at, 8)
    out.varint(Sample.timestamp)
    out.int64(timestampMs)
    out.endMessage(sample)
    for (const exemplar of extras.exemplars) writeExemplar(out, exemplar)
    out.endMessage(series)
  }

  histogram(labels: SeriesLabels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void {
    const out = this.#begin()
    const series = out.beginMessage(Request.series)
    writeSeriesLabels(out, labels)
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
  /** Of the request. */
  #symbols = new Map<string, number>([['', 0]])
  #isFinished = false
  /** Texts of what was prepared, by their ids. */
  readonly #ids = new Map<string, number>()
  readonly #texts: string[] = []
  /** By id: its symbol in the request of that number. */
  #symbolOf = new Uint32Array(1024)
  #requestOf = new Uint32Array(1024)
  #request = 1

  /** Ids of the texts, four bytes each. */
  prepare(labels: Labels): Uint8Array | null {
    if (this.#texts.length + labels.length > MAX_PREPARED_TEXTS) return null
    const ids = new Uint32Array(labels.length)
    for (let i = 0; i < labels.length; i++) ids[i] = this.#idOf(labels[i]!)
    return new Uint8Array(ids.buffer)
  }

  float(labels: SeriesLabels, timestampMs: number, values: Float64Array, at: number, extras: SampleExtras): void {
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

  histogram(labels: SeriesLabels, timestampMs: number, histogram: Histogram, extras: SampleExtras): void {
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

  #begin(labels: SeriesLabels): { readonly out: ProtoWriter; readonly series: number } {
    this.#clearFinished()
    const out = this.#series
    const series = out.beginMessage(Request2.series)
    if (labels instanceof Uint8Array) this.#writePrepared(out, labels)
    else this.#writeRefs(out, Series2.labelRefs, labels)
    return { out, series }
  }

  #clearFinished(): void {
    if (!this.#isFinished) return
    this.#series.clear()
    this.#symbols = new Map([['', 0]])
    this.#request++
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

  #writePrepared(out: ProtoWriter, ids: Uint8Array): void {
    const refs = this.#refs
    refs.clear()
    for (let at = 0; at < ids.length; at += 4) {
      const id = ids[at]! | (ids[at + 1]! << 8) | (ids[at + 2]! << 16) | (ids[at + 3]! << 24)
      if (this.#requestOf[id] !== this.#request) {
        this.#requestOf[id] = this.#request
        this.#symbolOf[id] = this.#symbol(this.#texts[id]!)
      }
      refs.varint(this.#symbolOf[id]!)
    }
    out.varint(Series2.labelRefs)
    out.varint(refs.length)
    out.append(refs.written())
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text)
    if (id !== undefined) return id
    id = this.#texts.length
    this.#ids.set(text, id)
    this.#texts.push(text)
    if (id >= this.#symbolOf.length) {
      this.#symbolOf = grown(this.#symbolOf)
      this.#requestOf = grown(this.#requestOf)
    }
    return id
  }

  #symbol(text: string): number {
    let ref = this.#symbols.get(text)
    if (ref === undefined) this.#symbols.set(text, (ref = this.#symbols.size))
    return ref
  }
}

function writeSeriesLabels(out: ProtoWriter, labels: SeriesLabels): void {
  if (labels instanceof Uint8Array) out.append(labels)
  else writeLabels(out, Series.label, labels)
}

/** Of what is prepared for 2.0: 100 bytes each. */
const MAX_PREPARED_TEXTS = 200_000

function grown(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(2 * words.length)
  out.set(words)
  return out
}

const bytesOf = (values: Float64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

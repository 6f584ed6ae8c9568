/**
 * Remote write 2.0: `io.prometheus.write.v2.Request` into columns. Strings stand once in a table of symbols; series
 * refer to them by number. Two passes, one that counts before anything is reserved, one that fills.
 * Semantics: Prometheus Remote-Write 2.0 specification (2.0-rc.4); storage/remote/write_handler.go, writeV2 (v3.14).
 */
import { labelValue, METRIC_NAME } from '../labels/mod.ts'
import { type Exemplar, familyOf, type Metadata, type MetricType } from '../samples/mod.ts'
import type { Complaint, FamilyMetadata, SeriesExemplar, SeriesHistogram, WriteColumns } from './columns.ts'
import { DEFAULT_WRITE_LIMITS, type WriteLimits } from './decode.ts'
import { checkLimit, RemoteWriteError } from './errors.ts'
import { Exemplar2, Metadata2, Request2, Sample2, Series2 } from './fields.ts'
import { ProtoReader } from './proto-reader.ts'
import { readHistogram } from './read-histogram.ts'
import { checkLabels, type LabelsResult } from './read-labels.ts'
import { shownLabels } from './shown-labels.ts'
import { StringCache } from './string-cache.ts'

/** By the numbers of Metadata.MetricType. */
const TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
]
const MAX_SYMBOLS = 2_000_000
/** More of them are not told. */
const MAX_COMPLAINTS = 100

/** Keep one per receiver: it remembers label strings. */
export class WriteRequest2Decoder {
  readonly #strings = new StringCache()
  readonly #limits: WriteLimits

  constructor(limits: WriteLimits = DEFAULT_WRITE_LIMITS) {
    this.#limits = limits
  }

  /**
   * @param bytes the inflated body; borrowed by the result
   * @param typeAndUnitLabels whether a series gets its metadata's type and unit as labels `__type__` and `__unit__`
   * @throws RemoteWriteError bad-protobuf, too-large
   */
  decode(bytes: Uint8Array, typeAndUnitLabels = false): WriteColumns {
    const counts = count(bytes)
    checkLimit(counts.series, this.#limits.maxSeries, 'series', 'maxSeries')
    checkLimit(counts.samples, this.#limits.maxSamples, 'samples', 'maxSamples')
    checkLimit(counts.symbols, MAX_SYMBOLS, 'symbols', 'maxSymbols')
    return new Request(bytes, counts, this.#strings, typeAndUnitLabels)
  }
}

type Counts = { readonly symbols: number; readonly series: number; readonly samples: number }

function count(bytes: Uint8Array): Counts {
  const reader = new ProtoReader(bytes)
  let [symbols, series, samples] = [0, 0, 0]
  while (reader.at < bytes.length) {
    const tag = reader.tag()
    if (tag === Request2.symbol) symbols++
    if (tag !== Request2.series) {
      reader.skip(tag)
      continue
    }
    reader.end = reader.lengthEnd()
    series++
    while (reader.at < reader.end) {
      const inner = reader.tag()
      if (inner === Series2.sample) samples++
      reader.skip(inner)
    }
    reader.end = bytes.length
  }
  return { symbols, series, samples }
}

class Request implements WriteColumns {
  readonly seriesCount: number
  readonly sampleStart: Uint32Array
  readonly timestamps: Float64Array
  readonly values: Float64Array
  startTimes: Float64Array | null = null
  readonly histograms: SeriesHistogram[] = []
  readonly exemplars: SeriesExemplar[] = []
  readonly metadata: FamilyMetadata[] = []
  readonly complaints: Complaint[] = []
  readonly isStrict = true
  readonly #bytes: Uint8Array
  readonly #strings: StringCache
  readonly #symbolStart: Uint32Array
  readonly #symbolEnd: Uint32Array
  /** By series: where its label references stand, all of them together. */
  readonly #refs: Uint32Array[] = []
  /** What is wrong with a series besides its labels: as a whole, or told once these are known to be right. */
  readonly #metadataFaults = new Map<number, string>()
  readonly #empty = new Set<number>()
  /** Labels that metadata gives to series; null: none. */
  readonly #given: Map<number, readonly string[]> | null
  #symbols = 0
  #sample = 0

  constructor(bytes: Uint8Array, counts: Counts, strings: StringCache, typeAndUnitLabels: boolean) {
    this.#bytes = bytes
    this.#given = typeAndUnitLabels ? new Map() : null
    this.#strings = strings
    this.seriesCount = counts.series
    this.sampleStart = new Uint32Array(counts.series + 1)
    this.timestamps = new Float64Array(counts.samples)
    this.values = new Float64Array(counts.samples)
    this.#symbolStart = new Uint32Array(counts.symbols)
    this.#symbolEnd = new Uint32Array(counts.symbols)
    const reader = new ProtoReader(bytes)
    this.#readSymbols(reader)
    reader.at = 0
    let series = 0
    while (reader.at < bytes.length) {
      const tag = reader.tag()
      if (tag !== Request2.series) {
        reader.skip(tag)
        continue
      }
      reader.end = reader.lengthEnd()
      this.#readSeries(reader, series++)
      reader.end = bytes.length
    }
  }

  labels(series: number): LabelsResult {
    const refs = this.#refs[series]!
    const fault = this.#refsFault(refs)
    if (fault !== null) return { labels: null, problem: `parsing labels for series ${list(refs)}: ${fault}` }
    const metadata = this.#metadataFaults.get(series)
    if (metadata !== undefined)
      return { labels: null, problem: `parsing metadata for series ${list(refs)}: ${metadata}` }
    const result = checkLabels(this.#pairs(refs, this.#given?.get(series) ?? []))
    if (result.labels === null || !this.#empty.has(series)) return result
    const problem = 'TimeSeries must contain at least one sample or histogram'
    return { labels: null, problem: `${problem} for series ${shownLabels(result.labels)}` }
  }

  /** Of the table, and those that are given in place of what is sent under their names. */
  #pairs(refs: Uint32Array, given: readonly string[]): (string | null)[] {
    const sent = Array.from(refs, (ref) => this.#symbol(ref))
    if (given.length === 0) return sent
    const isKept = (i: number): boolean => !TYPE_AND_UNIT.includes(sent[i - (i % 2)] ?? '')
    return [...sent.filter((_, i) => isKept(i)), ...given]
  }

  /** Semantics: Prometheus prompb/io/prometheus/write/v2/symbols.go, desymbolizeLabels (v3.14). */
  #refsFault(refs: Uint32Array | readonly number[]): string | null {
    if (refs.length % 2 !== 0) return `invalid labelRefs length ${refs.length}`
    for (let i = 0; i < refs.length; i += 2) {
      const [name, value] = [refs[i]!, refs[i + 1]!]
      if (Math.max(name, value) >= this.#symbols)
        return `labelRefs ${name} (name) = ${value} (value) outside of symbols table (size ${this.#symbols})`
    }
    return null
  }

  #readSymbols(reader: ProtoReader): void {
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag !== Request2.symbol) {
        reader.skip(tag)
        continue
      }
      const end = reader.lengthEnd()
      this.#symbolStart[this.#symbols] = reader.at
      this.#symbolEnd[this.#symbols++] = end
      reader.at = end
    }
  }

  #symbol(ref: number): string | null {
    return ref < this.#symbols ? this.#strings.text(this.#bytes, this.#symbolStart[ref]!, this.#symbolEnd[ref]!) : null
  }

  /** Reads to the reader's `end`. */
  #readSeries(reader: ProtoReader, series: number): void {
    const end = reader.end
    const firstSample = this.#sample
    const firstHistogram = this.histograms.length
    const refs: number[] = []
    const exemplars: Exemplar[] = []
    const faults: Fault[] = []
    let hasHistograms = false
    let metadata: Metadata | null = null
    let createdMs = 0
    while (reader.at < end) {
      const tag = reader.tag()
      if (tag === Series2.labelRefs || tag === Series2.labelRef) readRefs(reader, tag === Series2.labelRefs, refs)
      else if (tag === Series2.sample) this.#readSample(reader)
      else if (tag === Series2.created) createdMs = reader.int64()
      else if (tag === Series2.histogram || tag === Series2.exemplar || tag === Series2.metadata) {
        reader.end = reader.lengthEnd()
        if (tag === Series2.histogram) hasHistograms = this.#readHistogram(reader, series, faults)
        else if (tag === Series2.exemplar) {
          const exemplar = this.#readExemplar(reader)
          if (typeof exemplar === 'string') note(faults, { part: 'exemplar', text: exemplar })
          else if (exemplar !== null) exemplars.push(exemplar)
        } else metadata = this.#readMetadata(reader, series)
        reader.end = end
      } else reader.skip(tag)
    }
    this.#refs.push(Uint32Array.from(refs))
    this.sampleStart[series + 1] = this.#sample
    for (const exemplar of exemplars) this.exemplars.push({ series, exemplar })
    if (createdMs !== 0) this.#setCreated(createdMs, firstSample, firstHistogram)
    if (this.#sample === firstSample && !hasHistograms) this.#empty.add(series)
    if (faults.length > 0) this.#complain(series, faults)
    if (metadata !== null) this.#keepMetadata(series, metadata)
  }

  /** What is wrong with parts of a series is told when there is nothing wrong with the whole of it. */
  #complain(series: number, faults: readonly Fault[]): void {
    const room = MAX_COMPLAINTS - this.complaints.length
    if (room <= 0) return
    const { labels } = this.labels(series)
    if (labels === null) return
    const shown = shownLabels(labels)
    for (const { part, text } of faults.slice(0, room)) {
      const told = part === 'exemplar' ? `parsing exemplar for series ${shown}: ${text}` : `${text} for series ${shown}`
      this.complaints.push({ series, part, text: told })
    }
  }

  /** One that is invalid is left out; the others of the series are stored. */
  #readHistogram(reader: ProtoReader, series: number, faults: Fault[]): true {
    try {
      this.histograms.push({ series, ...readHistogram(reader) })
    } catch (error) {
      if (!(error instanceof RemoteWriteError) || error.code !== 'bad-histogram') throw error
      note(faults, { part: 'histogram', text: error.message })
    }
    return true
  }

  /** Senders of the first drafts say it once a series. */
  #setCreated(createdMs: number, firstSample: number, firstHistogram: number): void {
    if (this.#sample > firstSample) {
      this.startTimes ??= new Float64Array(this.timestamps.length)
      for (let i = firstSample; i < this.#sample; i++) this.startTimes[i] ||= createdMs
    }
    for (let i = firstHistogram; i < this.histograms.length; i++) {
      const sample = this.histograms[i]!
      if (sample.startMs === 0) this.histograms[i] = { ...sample, startMs: createdMs }
    }
  }

  #readSample(reader: ProtoReader): void {
    const end = reader.lengthEnd()
    const sample = this.#sample++
    const bytes = new Uint8Array(this.values.buffer, 8 * sample, 8)
    while (reader.at < end) {
      const tag = reader.tag()
      if (tag === Sample2.value) {
        const at = reader.fixed64()
        for (let i = 0; i < 8; i++) bytes[i] = reader.bytes[at + i]!
      } else if (tag === Sample2.timestamp) this.timestamps[sample] = reader.int64()
      else if (tag === Sample2.start) {
        this.startTimes ??= new Float64Array(this.timestamps.length)
        this.startTimes[sample] = reader.int64()
      } else reader.skip(tag)
    }
    if (reader.at !== end) reader.fail('a sample reaches past its end')
  }

  /** Why it cannot be read; null when a label is not valid UTF-8. */
  #readExemplar(reader: ProtoReader): Exemplar | string | null {
    const refs: number[] = []
    let value = 0
    let timestampMs = 0
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === Exemplar2.labelRefs || tag === Exemplar2.labelRef) readRefs(reader, tag === Exemplar2.labelRefs, refs)
      else if (tag === Exemplar2.value) value = reader.double()
      else if (tag === Exemplar2.timestamp) timestampMs = reader.int64()
      else reader.skip(tag)
    }
    const fault = this.#refsFault(refs)
    if (fault !== null) return fault
    const labels = refs.map((ref) => this.#symbol(ref))
    if (labels.includes(null)) return null
    return { labels: labels as string[], value, timestampMs: timestampMs === 0 ? null : timestampMs }
  }

  #readMetadata(reader: ProtoReader, series: number): Metadata {
    let [type, help, unit] = [0, 0, 0]
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (tag === Metadata2.type) type = reader.uint64()
      else if (tag === Metadata2.help) help = reader.uint64()
      else if (tag === Metadata2.unit) unit = reader.uint64()
      else reader.skip(tag)
    }
    const outside = [unit, help].find((ref) => ref >= this.#symbols && ref > 0)
    if (outside !== undefined)
      this.#metadataFaults.set(series, `symbol reference ${outside} outside of symbols table (size ${this.#symbols})`)
    const metadata = { type: TYPES[type] ?? 'unknown', help: this.#symbol(help) ?? '', unit: this.#symbol(unit) ?? '' }
    this.#given?.set(series, typeAndUnit(metadata))
    return metadata
  }

  /** Metadata comes with each series, and is kept by family. */
  #keepMetadata(series: number, metadata: Metadata): void {
    if (metadata.type === 'unknown' && metadata.help === '' && metadata.unit === '') return
    const { labels } = this.labels(series)
    if (labels === null) return
    const family = familyOf(labelValue(labels, METRIC_NAME), metadata.type)
    // The series of one family stand together.
    if (this.metadata.at(-1)?.family !== family) this.metadata.push({ family, metadata })
  }
}

function readRefs(reader: ProtoReader, isPacked: boolean, out: number[]): void {
  if (!isPacked) {
    out.push(reader.uint64())
    return
  }
  const end = reader.lengthEnd()
  while (reader.at < end) out.push(reader.uint64())
  if (reader.at !== end) reader.fail('a list reaches past its end')
}

const TYPE_AND_UNIT: readonly string[] = ['__type__', '__unit__']

/** Semantics: Prometheus schema/labels.go, Metadata.AddToLabels (v3.14). */
const typeAndUnit = ({ type, unit }: Metadata): string[] => [
  ...(type === 'unknown' ? [] : ['__type__', type]),
  ...(unit === '' ? [] : ['__unit__', unit]),
]

type Fault = Pick<Complaint, 'part' | 'text'>

function note(faults: Fault[], fault: Fault): void {
  if (faults.length < MAX_COMPLAINTS) faults.push(fault)
}

/** Of more than any series has the first. */
const list = (refs: Uint32Array): string => `[${refs.subarray(0, 1000).join(' ')}]`

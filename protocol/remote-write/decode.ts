/**
 * Remote write 1.0: `prometheus.WriteRequest` (protobuf) into columns, in two passes: one that counts, before anything
 * is reserved, one that fills.
 *
 * Labels stay bytes until someone asks: a receiver that knows a series by its `labelBytes` never makes a string.
 * Semantics: Prometheus prompb/types.proto, prompb/codec.go and storage/remote/write_handler.go (v3.14): labels are sorted
 * here; a series without a name, with an invalid or a repeated label is left out and counted, it is not an error.
 */
import type { FamilyMetadata, SeriesExemplar, SeriesHistogram, WriteColumns } from './columns.ts'
import { checkLimit } from './errors.ts'
import { Label, Request, Sample, Series } from './fields.ts'
import { hashLabelBytes } from './label-hash.ts'
import { ProtoReader } from './proto-reader.ts'
import { readExemplar, readMetadata } from './read-extras.ts'
import { readHistogram } from './read-histogram.ts'
import { checkLabels, type LabelsResult, readPairs } from './read-labels.ts'
import { StringCache } from './string-cache.ts'

export type WriteLimits = { readonly maxSeries: number; readonly maxSamples: number }
export const DEFAULT_WRITE_LIMITS: WriteLimits = { maxSeries: 1_000_000, maxSamples: 5_000_000 }

/** Keep one per receiver: it remembers label strings, and keeps the memory of its columns. */
export class WriteRequestDecoder {
  private readonly strings = new StringCache()
  private readonly columns = new ColumnMemory()
  private readonly limits: WriteLimits

  constructor(limits: WriteLimits = DEFAULT_WRITE_LIMITS) {
    this.limits = limits
  }

  /**
   * @param bytes the inflated body; borrowed by the result
   * @returns its columns are borrowed until the next call
   * @throws RemoteWriteError bad-protobuf, too-large
   */
  decode(bytes: Uint8Array): WriteRequest {
    const counts = count(bytes)
    checkLimit(counts.series, this.limits.maxSeries, 'series', 'maxSeries')
    checkLimit(counts.samples, this.limits.maxSamples, 'samples', 'maxSamples')
    const request = new WriteRequest(bytes, counts, this.columns, this.strings)
    fill(bytes, request, this.strings)
    return request
  }
}

/** @example decodeWriteRequest(snappyDecompress(body)).values */
export const decodeWriteRequest = (bytes: Uint8Array, limits?: WriteLimits): WriteRequest =>
  new WriteRequestDecoder(limits).decode(bytes)

type Counts = { readonly series: number; readonly samples: number }

/** Series s has the samples `[sampleStart[s], sampleStart[s + 1])`. */
export class WriteRequest implements WriteColumns {
  readonly seriesCount: number
  readonly sampleStart: Uint32Array
  /** Milliseconds. */
  readonly timestamps: Float64Array
  /** Bits as sent, stale markers included. */
  readonly values: Float64Array
  readonly startTimes = null
  readonly isStrict = false
  readonly histograms: SeriesHistogram[] = []
  readonly exemplars: SeriesExemplar[] = []
  readonly metadata: FamilyMetadata[] = []
  /** Byte offsets of each series' message, and of its labels in it. */
  readonly seriesStart: Uint32Array
  readonly seriesEnd: Uint32Array
  readonly labelStart: Uint32Array
  /** 0 when the labels do not stand together. */
  readonly labelEnd: Uint32Array
  readonly labelHashes: Uint32Array
  private readonly bytes: Uint8Array
  private readonly strings: StringCache

  constructor(bytes: Uint8Array, { series, samples }: Counts, memory: ColumnMemory, strings: StringCache) {
    this.bytes = bytes
    this.strings = strings
    this.seriesCount = series
    memory.reserve(series, samples)
    this.sampleStart = memory.sampleStart.subarray(0, series + 1)
    this.timestamps = memory.timestamps.subarray(0, samples)
    this.values = memory.values.subarray(0, samples)
    this.seriesStart = memory.seriesStart.subarray(0, series)
    this.seriesEnd = memory.seriesEnd.subarray(0, series)
    this.labelStart = memory.labelStart.subarray(0, series)
    this.labelEnd = memory.labelEnd.subarray(0, series)
    this.labelHashes = memory.labelHashes.subarray(0, 2 * series)
  }

  /** The encoded labels: equal bytes, equal labels. Borrowed; null when they do not stand together. */
  labelBytes(series: number): Uint8Array | null {
    const end = this.labelEnd[series]!
    return end === 0 ? null : this.bytes.subarray(this.labelStart[series]!, end)
  }

  labels(series: number): LabelsResult {
    const reader = new ProtoReader(this.bytes)
    reader.at = this.seriesStart[series]!
    reader.end = this.seriesEnd[series]!
    return checkLabels(readPairs(reader, Series.label, this.strings))
  }
}

/** Columns that are used again and again: fresh ones for each request would be most of what it leaves to collect. */
class ColumnMemory {
  sampleStart = new Uint32Array(1)
  timestamps = new Float64Array(0)
  values = new Float64Array(0)
  seriesStart = new Uint32Array(0)
  seriesEnd = new Uint32Array(0)
  labelStart = new Uint32Array(0)
  labelEnd = new Uint32Array(0)
  labelHashes = new Uint32Array(0)

  reserve(series: number, samples: number): void {
    if (this.seriesStart.length < series || series < this.seriesStart.length - KEPT_ENTRIES) {
      this.sampleStart = new Uint32Array(series + 1)
      this.seriesStart = new Uint32Array(series)
      this.seriesEnd = new Uint32Array(series)
      this.labelStart = new Uint32Array(series)
      this.labelEnd = new Uint32Array(series)
      this.labelHashes = new Uint32Array(2 * series)
    } else {
      this.sampleStart[0] = 0
      this.labelHashes.fill(0, 0, 2 * series)
    }
    if (this.values.length < samples || samples < this.values.length - KEPT_ENTRIES) {
      this.timestamps = new Float64Array(samples)
      this.values = new Float64Array(samples)
    } else {
      // What a message leaves out is zero.
      this.timestamps.fill(0, 0, samples)
      this.values.fill(0, 0, samples)
    }
  }
}

/** A request may be this much smaller than the columns at hand before they are given back. */
const KEPT_ENTRIES = 65_536

function count(bytes: Uint8Array): Counts {
  const reader = new ProtoReader(bytes)
  let series = 0
  let samples = 0
  while (reader.at < bytes.length) {
    const tag = reader.tag()
    if (tag !== Request.series) {
      reader.skip(tag)
      continue
    }
    reader.end = reader.lengthEnd()
    series++
    while (reader.at < reader.end) {
      const inner = reader.tag()
      if (inner === Series.sample) samples++
      reader.skip(inner)
    }
    reader.end = bytes.length
  }
  return { series, samples }
}

function fill(bytes: Uint8Array, request: WriteRequest, strings: StringCache): void {
  const reader = new ProtoReader(bytes)
  const filler = new SeriesFiller(reader, request, strings)
  let series = 0
  while (reader.at < bytes.length) {
    const tag = reader.tag()
    if (tag !== Request.series && tag !== Request.metadata) {
      reader.skip(tag)
      continue
    }
    reader.end = reader.lengthEnd()
    if (tag === Request.series) filler.series(series++)
    else {
      const metadata = readMetadata(reader, strings)
      if (metadata !== null) request.metadata.push(metadata)
    }
    reader.end = bytes.length
  }
}

/** Hot: bench/protocol/remote-write.bench.ts. */
class SeriesFiller {
  private readonly reader: ProtoReader
  private readonly request: WriteRequest
  private readonly strings: StringCache
  private readonly valueWords: Int32Array
  private sample = 0

  constructor(reader: ProtoReader, request: WriteRequest, strings: StringCache) {
    this.reader = reader
    this.request = request
    this.strings = strings
    const { buffer, byteOffset, length } = request.values
    this.valueWords = new Int32Array(buffer, byteOffset, 2 * length)
  }

  /** Reads to the reader's `end`. */
  series(series: number): void {
    const { reader, request } = this
    const end = reader.end
    request.seriesStart[series] = reader.at
    request.seriesEnd[series] = end
    let labelEnd = 0
    let together = true
    while (reader.at < end) {
      const from = reader.at
      const tag = reader.tag()
      if (tag === Series.label) {
        this.passLabel()
        if (labelEnd === 0) request.labelStart[series] = from
        else if (labelEnd !== from) together = false
        labelEnd = reader.at
      } else if (tag === Series.sample) this.readSample()
      else if (tag === Series.exemplar || tag === Series.histogram) this.readNested(series, tag)
      else reader.skip(tag)
    }
    if (together && labelEnd !== 0) {
      request.labelEnd[series] = labelEnd
      hashLabelBytes(reader.view, request.labelStart[series]!, labelEnd, request.labelHashes, 2 * series)
    }
    request.sampleStart[series + 1] = this.sample
  }

  /** Only proves it well-formed, so that `labels()` cannot fail later. */
  private passLabel(): void {
    const { reader } = this
    const end = reader.lengthEnd()
    const { bytes, at } = reader
    // What all senders write: a name, a value, each below 128 bytes. A read past the end is undefined, and no match.
    const value = at + 2 + bytes[at + 1]!
    if (bytes[at] === Label.name && bytes[value] === Label.value && value + 2 + bytes[value + 1]! === end) {
      if (bytes[at + 1]! < 128 && bytes[value + 1]! < 128) {
        reader.at = end
        return
      }
    }
    while (reader.at < end) reader.skip(reader.tag())
    if (reader.at !== end) reader.fail('a label reaches past its end')
  }

  private readSample(): void {
    const { reader, request, sample, valueWords } = this
    const end = reader.lengthEnd()
    if (reader.at + 16 === end && this.readUsualSample(sample, valueWords)) return
    while (reader.at < end) {
      const tag = reader.tag()
      if (tag === Sample.value) {
        const at = reader.fixed64()
        valueWords[2 * sample] = reader.view.getInt32(at, true)
        valueWords[2 * sample + 1] = reader.view.getInt32(at + 4, true)
      } else if (tag === Sample.timestamp) request.timestamps[sample] = reader.int64()
      else reader.skip(tag)
    }
    if (reader.at !== end) reader.fail('a sample reaches past its end')
    this.sample++
  }

  /** As all senders write the times of our days: a value, and a timestamp of six bytes. */
  private readUsualSample(sample: number, valueWords: Int32Array): boolean {
    const { reader, request } = this
    const { bytes, at, view } = reader
    if (bytes[at] !== Sample.value || bytes[at + 9] !== Sample.timestamp) return false
    const low = view.getUint32(at + 10, true)
    const high = view.getUint16(at + 14, true)
    if ((low & 0x80808080) !== (0x80808080 | 0) || (high & 0x8080) !== 0x80) return false
    const first = (low & 0x7f) | ((low >>> 1) & 0x3f80) | ((low >>> 2) & 0x1fc000) | ((low >>> 3) & 0xfe00000)
    request.timestamps[sample] = first + ((high & 0x7f) | ((high >>> 1) & 0x3f80)) * 268435456
    valueWords[2 * sample] = view.getInt32(at + 1, true)
    valueWords[2 * sample + 1] = view.getInt32(at + 5, true)
    reader.at = at + 16
    this.sample = sample + 1
    return true
  }

  private readNested(series: number, tag: number): void {
    const { reader, request } = this
    const outerEnd = reader.end
    reader.end = reader.lengthEnd()
    if (tag === Series.histogram) request.histograms.push({ series, ...readHistogram(reader) })
    else {
      const exemplar = readExemplar(reader, this.strings)
      if (exemplar !== null) request.exemplars.push({ series, exemplar })
    }
    reader.end = outerEnd
  }
}

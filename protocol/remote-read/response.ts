/**
 * What a reader gets: `prometheus.ReadResponse` (one snappy block), or `prometheus.ChunkedReadResponse` messages in
 * frames.
 *
 *     frame   length uvarint | crc32c of the message u32, big endian | message
 *
 * Semantics: Prometheus prompb/remote.proto, storage/remote/chunked.go and codec.go (v3.5).
 */
import { crc32c } from '../crc/mod.ts'
import type { Labels } from '../labels/mod.ts'
import { type EncodedChunk, type SampleColumns, SeriesChunker } from '../prometheus-tsdb/mod.ts'
import { encodeWriteRequest, ProtoWriter, snappyCompress, WireType, writeLabels } from '../remote-write/mod.ts'
import type { Histogram } from '../samples/mod.ts'

const bytesTag = (field: number): number => (field << 3) | WireType.bytes
const varintTag = (field: number): number => field << 3
const CRC_BYTES = 4
/** What a chunk's message has beside its data. */
const CHUNK_EXTRA_BYTES = 26

/** One series of a `QueryResult`, not compressed: results are as many of these as there are series, one after another. */
export function encodeTimeSeries(labels: Labels, samples: SampleColumns): Uint8Array {
  const { count, flags } = samples
  let floats = 0
  for (let i = 0; i < count; i++) if (flags[i] !== 2) floats++
  const timestamps = new Float64Array(floats)
  const values = new Float64Array(floats)
  // As words: stale markers do not survive as numbers.
  const to = new Uint32Array(values.buffer)
  const from = new Uint32Array(samples.values.buffer, samples.values.byteOffset, samples.values.length * 2)
  const histograms: { timestampMs: number; histogram: Histogram }[] = []
  for (let i = 0, at = 0; i < count; i++) {
    const histogram = flags[i] === 2 ? samples.histograms?.[i] : undefined
    if (histogram) histograms.push({ timestampMs: samples.times[i]!, histogram })
    else {
      timestamps[at] = samples.times[i]!
      to[2 * at] = from[2 * i]!
      to[2 * at + 1] = from[2 * i + 1]!
      at++
    }
  }
  // A QueryResult has its series under the number under which a WriteRequest has them.
  return encodeWriteRequest([{ labels, timestamps, values, histograms }])
}

/** A piece of a snappy block: what stands behind the length of the whole. Pieces may follow one another. */
export function snappyPiece(raw: Uint8Array): Uint8Array {
  const block = snappyCompress(raw)
  let head = 0
  while (block[head]! >= 0x80) head++
  return block.subarray(head + 1)
}

export type ResultPiece = { readonly rawBytes: number; readonly compressed: Uint8Array }

/** The body of an answer in samples: one list of pieces for each query. */
export function assembleReadResponse(results: readonly (readonly ResultPiece[])[]): Uint8Array {
  const parts: Uint8Array[] = []
  let rawBytes = 0
  for (const pieces of results) {
    const size = pieces.reduce((sum, piece) => sum + piece.rawBytes, 0)
    const head = new ProtoWriter()
    head.varint(bytesTag(1))
    head.varint(size)
    const bytes = head.bytes()
    rawBytes += bytes.length + size
    parts.push(snappyPiece(bytes), ...pieces.map(({ compressed }) => compressed))
  }
  const length = new ProtoWriter()
  length.varint(rawBytes)
  const all = [length.bytes(), ...parts]
  const out = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of all) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Frames of series in chunks. Keep one for a request. */
export class FrameWriter {
  readonly #chunker = new SeriesChunker()
  readonly #maxBytesInFrame: number
  readonly #queryIndex: number

  constructor(queryIndex: number, maxBytesInFrame: number) {
    this.#queryIndex = queryIndex
    this.#maxBytesInFrame = maxBytesInFrame
  }

  /** A series is split where a frame would grow past its limit; each piece repeats the labels. */
  frames(labels: Labels, samples: SampleColumns, out: (frame: Uint8Array) => void): void {
    const labelBytes = labels.reduce((sum, text) => sum + text.length + 2, 0)
    let chunks: EncodedChunk[] = []
    let left = this.#maxBytesInFrame - labelBytes
    const flush = (): void => {
      if (chunks.length > 0) out(this.#frame(labels, chunks))
      chunks = []
      left = this.#maxBytesInFrame - labelBytes
    }
    this.#chunker.chunks(samples, (chunk) => {
      if (left <= 0) flush()
      chunks.push(chunk)
      left -= chunk.data.length + CHUNK_EXTRA_BYTES
    })
    flush()
  }

  #frame(labels: Labels, chunks: readonly EncodedChunk[]): Uint8Array {
    const message = new ProtoWriter()
    const series = message.beginMessage(bytesTag(1))
    writeLabels(message, bytesTag(1), labels)
    for (const { encoding, minTime, maxTime, data } of chunks) {
      const chunk = message.beginMessage(bytesTag(2))
      message.varint(varintTag(1))
      message.int64(minTime)
      message.varint(varintTag(2))
      message.int64(maxTime)
      message.varint(varintTag(3))
      message.varint(encoding)
      message.varint(bytesTag(4))
      message.varint(data.length)
      message.raw(data, 0, data.length)
      message.endMessage(chunk)
    }
    message.endMessage(series)
    if (this.#queryIndex > 0) {
      message.varint(varintTag(2))
      message.varint(this.#queryIndex)
    }
    return framed(message.bytes())
  }
}

function framed(message: Uint8Array): Uint8Array {
  const head = new ProtoWriter()
  head.varint(message.length)
  const length = head.bytes()
  const out = new Uint8Array(length.length + CRC_BYTES + message.length)
  out.set(length)
  new DataView(out.buffer).setUint32(length.length, crc32c(message))
  out.set(message, length.length + CRC_BYTES)
  return out
}

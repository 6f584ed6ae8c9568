/**
 * Segments of chunks: `chunks/000001`, `chunks/000002`…
 *
 *     header   magic 0x85BD40DD u32 | version 1 u8 | three zeros
 *     chunk    length uvarint | encoding u8 | data | crc32c(encoding, data) u32
 *
 * A chunk's reference is its segment (from 0) * 2^32 + where in the file it begins. Big endian.
 * Semantics: Prometheus tsdb/docs/format/chunks.md, tsdb/chunks/chunks.go (v3.5).
 */
import { crc32c } from '../crc/mod.ts'
import { type ChunkColumns, ChunkEncoding } from './columns.ts'
import { TsdbFormatError } from './errors.ts'
import { decodeHistogramChunk } from './histogram-chunk.ts'
import { decodeXorChunk } from './xor-chunk.ts'

export const SEGMENT_HEADER_BYTES = 8
export const SEGMENT_BYTES_MAX = 512 << 20
/** Bytes with which the length of any chunk's data, and its encoding, can be read. */
export const CHUNK_HEAD_BYTES = 6
const MAGIC = 0x85bd40dd
const VERSION = 1
const CRC_BYTES = 4
/** A length beyond it is damage: no chunk of 2^16 samples is as long. */
const DATA_BYTES_MAX = 64 << 20

export const segmentName = (index: number): string => String(index + 1).padStart(6, '0')

export function segmentHeader(): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  new DataView(bytes.buffer).setUint32(0, MAGIC)
  bytes[4] = VERSION
  return bytes
}

/** @throws TsdbFormatError */
export function checkSegmentHeader(bytes: Uint8Array, file: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < SEGMENT_HEADER_BYTES || view.getUint32(0) !== MAGIC)
    throw new TsdbFormatError(file, 0, 'no segment of chunks: wrong magic number')
  if (bytes[4] !== VERSION) throw new TsdbFormatError(file, 4, `chunks of format version ${bytes[4]}, known is 1`)
}

/** Bytes of the whole record, from its first few; `at` is where it begins in the file, for errors. @throws TsdbFormatError */
export function chunkRecordBytes(head: Uint8Array, file: string, at: number): number {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = head[i]
    if (byte === undefined) break
    length += (byte & 0x7f) * 128 ** i
    if (byte >= 0x80) continue
    if (length > DATA_BYTES_MAX) break
    return i + 2 + length + CRC_BYTES
  }
  throw new TsdbFormatError(file, at, 'the chunk has no length that can be')
}

/** The encoding and data of a record, verified; borrowed from it. @throws TsdbFormatError */
export function openChunkRecord(
  record: Uint8Array,
  file: string,
  at: number,
): { readonly encoding: number; readonly data: Uint8Array } {
  if (chunkRecordBytes(record, file, at) !== record.length) throw new TsdbFormatError(file, at, 'a chunk is cut off')
  let head = 0
  while (record[head]! >= 0x80) head++
  const end = record.length - CRC_BYTES
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength)
  if (crc32c(record, head + 1, end) !== view.getUint32(end))
    throw new TsdbFormatError(file, at, 'wrong checksum of a chunk')
  return { encoding: record[head + 1]!, data: record.subarray(head + 2, end) }
}

export function encodeChunkRecord(encoding: ChunkEncoding, data: Uint8Array): Uint8Array {
  const head: number[] = []
  let rest = data.length
  for (; rest >= 0x80; rest >>>= 7) head.push((rest & 0x7f) | 0x80)
  head.push(rest, encoding)
  const out = new Uint8Array(head.length + data.length + CRC_BYTES)
  out.set(head)
  out.set(data, head.length)
  const end = out.length - CRC_BYTES
  new DataView(out.buffer).setUint32(end, crc32c(out, head.length - 1, end))
  return out
}

/** @throws TsdbFormatError for damage, and for an encoding of a later Prometheus */
export function decodeChunk(encoding: number, data: Uint8Array, out: ChunkColumns): void {
  if (encoding === ChunkEncoding.xor) decodeXorChunk(data, out)
  else if (encoding === ChunkEncoding.histogram) decodeHistogramChunk(data, false, out)
  else if (encoding === ChunkEncoding.floatHistogram) decodeHistogramChunk(data, true, out)
  else
    throw new TsdbFormatError(
      '',
      0,
      `chunk encoding ${encoding} is not known (1 XOR, 2 histogram, 3 float histogram are)`,
    )
}

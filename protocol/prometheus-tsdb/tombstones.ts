/**
 * `tombstones`: what was deleted and is still in the chunks.
 *
 *     magic 0x0130BA30 u32 | version 1 u8 | entries: series uvarint, from varint, to varint | crc32c(entries) u32
 *
 * Both times are deleted, too. Semantics: Prometheus tsdb/docs/format/tombstones.md, tsdb/tombstones (v3.5).
 */
import { crc32c } from '../crc/mod.ts'
import { ByteCursor } from './byte-cursor.ts'
import { TsdbFormatError } from './errors.ts'

export type Interval = { readonly minTime: number; readonly maxTime: number }
/** By series of the index. */
export type Tombstones = ReadonlyMap<number, readonly Interval[]>

const MAGIC = 0x0130ba30
const VERSION = 1
const HEADER_BYTES = 5
const CRC_BYTES = 4

/** @throws TsdbFormatError */
export function decodeTombstones(bytes: Uint8Array, file: string): Tombstones {
  const end = bytes.length - CRC_BYTES
  if (end < HEADER_BYTES) throw new TsdbFormatError(file, 0, 'the tombstones are cut off')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(0) !== MAGIC) throw new TsdbFormatError(file, 0, 'no tombstones: wrong magic number')
  if (bytes[4] !== VERSION) throw new TsdbFormatError(file, 4, `tombstones of format version ${bytes[4]}, known is 1`)
  if (crc32c(bytes, HEADER_BYTES, end) !== view.getUint32(end))
    throw new TsdbFormatError(file, HEADER_BYTES, 'wrong checksum of the tombstones')
  const cursor = new ByteCursor(bytes, { file, at: HEADER_BYTES, end })
  const found = new Map<number, Interval[]>()
  while (cursor.at < end) {
    const series = cursor.uvarint()
    const interval = { minTime: cursor.varint(), maxTime: cursor.varint() }
    const known = found.get(series)
    if (known) known.push(interval)
    else found.set(series, [interval])
  }
  return found
}

/** The file of a block from which nothing was deleted. */
export function emptyTombstones(): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + CRC_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  bytes[4] = VERSION
  view.setUint32(HEADER_BYTES, crc32c(bytes, HEADER_BYTES, HEADER_BYTES))
  return bytes
}

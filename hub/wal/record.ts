/**
 * The bytes of a log file: a header page, then records. Segments and checkpoints are both such files.
 *
 *     header page, 4096 bytes; the same 32 bytes stand at 0 and at 2048, so that one bad sector cannot hide a file
 *       0 magic "HELIOWAL"   8 version u32   12 index u32   16 sync u32   20 salt u32   24 zero u32   28 crc32c(0…27)
 *     record, at a multiple of 8
 *       0 sync u32   4 crc32c(8…16+length) ^ salt   8 length u32   12 type u32   16 payload   zeros to a multiple of 8
 *
 * `sync` and `salt` are random per process life: after damage the reader looks for the next record by `sync`, and a
 * payload (which an agent chose) cannot imitate one, nor can the stale tail of an older file. All little endian.
 */
import { crc32c } from '../../protocol/crc/mod.ts'

export const HEADER_PAGE_BYTES = 4096
export const RECORD_HEADER_BYTES = 16
const HEADER_COPY_BYTES = 32
const HEADER_COPIES = [0, 2048] as const
const MAGIC_LOW = 0x494c4548 // "HELI"
const MAGIC_HIGH = 0x4c41574f // "OWAL"
const VERSION = 1

/** More than any payload the hub makes: a length above it is damage. */
export const MAX_PAYLOAD_BYTES = 256 << 20

export type FileKey = { readonly index: number; readonly sync: number; readonly salt: number }

export function encodeHeaderPage(key: FileKey): Uint8Array {
  const page = new Uint8Array(HEADER_PAGE_BYTES)
  const view = new DataView(page.buffer)
  view.setUint32(0, MAGIC_LOW, true)
  view.setUint32(4, MAGIC_HIGH, true)
  view.setUint32(8, VERSION, true)
  view.setUint32(12, key.index, true)
  view.setUint32(16, key.sync, true)
  view.setUint32(20, key.salt, true)
  view.setUint32(28, crc32c(page.subarray(0, 28)), true)
  page.copyWithin(HEADER_COPIES[1], 0, HEADER_COPY_BYTES)
  return page
}

/** The key of the first sound copy, and whether every byte is as it was written; null when neither copy is sound. */
export function decodeHeaderPage(page: Uint8Array): { readonly key: FileKey; readonly whole: boolean } | null {
  let found: FileKey | null = null
  let sound = 0
  for (const at of HEADER_COPIES) {
    if (page.length < at + HEADER_COPY_BYTES) continue
    const view = new DataView(page.buffer, page.byteOffset + at, HEADER_COPY_BYTES)
    if (view.getUint32(0, true) !== MAGIC_LOW || view.getUint32(4, true) !== MAGIC_HIGH) continue
    if (view.getUint32(28, true) !== crc32c(page.subarray(at, at + 28))) continue
    if (view.getUint32(8, true) !== VERSION) continue
    sound++
    found ??= { index: view.getUint32(12, true), sync: view.getUint32(16, true), salt: view.getUint32(20, true) }
  }
  if (!found) return null
  const expected = encodeHeaderPage(found)
  const isWhole = page.length === expected.length && page.every((byte, i) => byte === expected[i])
  return { key: found, whole: isWhole && sound === HEADER_COPIES.length }
}

export const recordBytes = (payloadBytes: number): number => RECORD_HEADER_BYTES + ((payloadBytes + 7) & ~7)

/** Writes one record at `at` of `out`, which has room for `recordBytes(payload)`; returns the offset after it. */
export function encodeRecord(
  out: Uint8Array,
  at: number,
  key: FileKey,
  type: number,
  parts: readonly Uint8Array[],
): number {
  let end = at + RECORD_HEADER_BYTES
  for (const part of parts) {
    out.set(part, end)
    end += part.length
  }
  const length = end - at - RECORD_HEADER_BYTES
  const next = at + recordBytes(length)
  out.fill(0, end, next)
  const view = new DataView(out.buffer, out.byteOffset + at, RECORD_HEADER_BYTES)
  view.setUint32(0, key.sync, true)
  view.setUint32(8, length, true)
  view.setUint32(12, type, true)
  view.setUint32(4, (crc32c(out.subarray(at + 8, end)) ^ key.salt) >>> 0, true)
  return next
}

/**
 * The `index` file: sections, each compressed and with a checksum of its own.
 *
 *     header    magic "HELIOIDX" | version u32 | crc32c of the 12 bytes before u32
 *     section   id u32 | raw bytes u32 | stored bytes u32 | crc32c(the 12 bytes before, payload) u32 | payload
 *
 *     symbols   n, n * (2 * length + is UTF-16, bytes), ascending by compareStrings
 *     pairs     n, n * (name since the last, value: since the last of the same name, else itself); ids are positions
 *     series    n, n * (labels, shared with the series before, pair ids since the last); ascending by labels; every
 *               SERIES_RESTART-th shares nothing, so that one can be read alone
 *     postings  by pair: n, n * (ref since the last)
 *     chunks    by series: n, n * (time column since the last zigzag, from, count, payload bytes)
 *     times     n, n * (count, first since the last first zigzag, last - first, payload bytes)
 *     runs      of chunks, then of times: n, n * (offset since the end of the run listed before zigzag, stored, entries)
 *     tiers     since version 2, which is written where there are downsampled windows: n, n * (width, then with the length
 *               of each before it: chunks, times, runs, as above, of rows instead of samples)
 *
 * Numbers are LEB128.
 */
import type { Compressor } from '../../protocol/batch/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import { ByteWriter } from './bytes.ts'
import { BlockDamagedError } from './errors.ts'

export const SECTIONS = ['symbols', 'pairs', 'series', 'postings', 'chunks', 'times', 'runs', 'tiers'] as const
export type Section = (typeof SECTIONS)[number]
export const SERIES_RESTART = 16

const MAGIC = [0x48, 0x45, 0x4c, 0x49, 0x4f, 0x49, 0x44, 0x58] as const
const VERSION = 2
/** Without `tiers`. */
const PLAIN_VERSION = 1
/** Of a section `tiers` that has none. */
const NO_TIERS = Uint8Array.of(0)
const HEADER_BYTES = 16
const SECTION_HEADER_BYTES = 16
const SECTION_BYTES_MAX = 2 ** 31
const LEVEL = 9

export function encodeIndex(sections: Readonly<Record<Section, Uint8Array>>, compressor: Compressor): Uint8Array {
  const out = new ByteWriter(1 << 16)
  for (const byte of MAGIC) out.byte(byte)
  const isPlain = sections.tiers.length === NO_TIERS.length
  out.u32(isPlain ? PLAIN_VERSION : VERSION)
  out.u32(crc32c(out.written()))
  sectionsOf(isPlain).forEach((name, id) => {
    const raw = sections[name]
    const packed = compressor.compress(raw, LEVEL)
    const payload = packed.length < raw.length ? packed : raw
    const at = out.length
    out.u32(id)
    out.u32(raw.length)
    out.u32(payload.length)
    out.u32(crc32c(payload, 0, payload.length, crc32c(out.bytes, at, at + 12)))
    out.append(payload)
  })
  return out.written()
}

/**
 * The raw bytes of every section, verified.
 * @throws BlockDamagedError
 */
export function decodeIndex(bytes: Uint8Array, path: string, compressor: Compressor): Record<Section, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isOurs = bytes.length >= HEADER_BYTES && MAGIC.every((byte, i) => bytes[i] === byte)
  const version = isOurs ? view.getUint32(8, true) : 0
  const isKnown = version === VERSION || version === PLAIN_VERSION
  if (!isOurs || view.getUint32(12, true) !== crc32c(bytes, 0, 12) || !isKnown)
    throw new BlockDamagedError(path, 'index header', 'wrong checksum or version')
  const sections: Partial<Record<Section, Uint8Array>> = { tiers: NO_TIERS }
  let at = HEADER_BYTES
  for (const [id, name] of sectionsOf(version === PLAIN_VERSION).entries()) {
    const fail = (why: string, cause?: unknown): never => {
      throw new BlockDamagedError(path, `index section ${name}`, why, { cause })
    }
    const from = at + SECTION_HEADER_BYTES
    if (from > bytes.length) return fail('cut off')
    const rawBytes = view.getUint32(at + 4, true)
    const to = from + view.getUint32(at + 8, true)
    if (to > bytes.length) return fail('cut off')
    const crc = crc32c(bytes, from, to, crc32c(bytes, at, at + 12))
    if (view.getUint32(at, true) !== id || crc !== view.getUint32(at + 12, true) || rawBytes > SECTION_BYTES_MAX)
      return fail('wrong checksum')
    const payload = bytes.subarray(from, to)
    try {
      sections[name] = payload.length === rawBytes ? payload : compressor.decompress(payload, rawBytes)
    } catch (cause) {
      return fail('does not inflate', cause)
    }
    at = to
  }
  if (at !== bytes.length) throw new BlockDamagedError(path, 'index', `${bytes.length - at} bytes too many`)
  return sections as Record<Section, Uint8Array>
}

function sectionsOf(isPlain: boolean): readonly Section[] {
  return isPlain ? SECTIONS.slice(0, -1) : SECTIONS
}

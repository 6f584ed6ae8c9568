/**
 * The snappy block format: a varint with the length of the whole, then literals and copies.
 *
 *     tag & 3   0 literal   length - 1 in the tag's upper 6 bits; 60…63: in the 1…4 bytes that follow
 *               1 copy      length 4…11 in bits 2-4, offset: bits 5-7 and one byte
 *               2 copy      length 1…64 in bits 2-7, offset in 2 bytes
 *               3 copy      length 1…64 in bits 2-7, offset in 4 bytes
 *
 * Semantics: google/snappy format_description.txt; errors begin as golang/snappy's do.
 */
import { RemoteWriteError } from './errors.ts'

export const DEFAULT_MAX_INFLATED_BYTES = 32 << 20
/** A copy of 64 bytes takes 3: no block says more than that many times its own length. */
const MAX_RATIO = 64 / 3
const BLOCK_BYTES = 65_536
const TABLE_BITS = 14
/** Up to here a loop beats the call of `set`. */
const SHORT_BYTES = 48

/**
 * @param maxBytes of the result; the declared length is checked before anything is reserved
 * @param reserve gives the memory for that many bytes; all of them are written
 * @throws RemoteWriteError bad-snappy, too-large
 */
export function snappyDecompress(
  input: Uint8Array,
  maxBytes: number = DEFAULT_MAX_INFLATED_BYTES,
  reserve: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const { length, start } = readLength(input)
  if (length > maxBytes)
    throw new RemoteWriteError(
      'too-large',
      `snappy: decoded block is too large: it declares ${length} bytes, at most ${maxBytes} are allowed`,
    )
  if (length > input.length * MAX_RATIO) return corrupt(0, `${input.length} bytes cannot hold the declared ${length}`)
  const out = reserve(length)
  const written = inflate(input, start, out)
  if (written !== length) return corrupt(input.length, `it declares ${length} bytes and holds ${written}`)
  return out
}

/** A greedy encoder over blocks of 64 KiB, with a hash of the next four bytes. */
export function snappyCompress(input: Uint8Array): Uint8Array {
  // As MaxEncodedLen of golang/snappy: incompressible data grows by a sixth at most.
  const out = new Uint8Array(32 + input.length + Math.ceil(input.length / 6))
  let at = writeLength(out, input.length)
  const table = new Int32Array(1 << TABLE_BITS)
  for (let from = 0; from < input.length; from += BLOCK_BYTES)
    at = compressBlock(input, from, Math.min(from + BLOCK_BYTES, input.length), out, at, table)
  return out.subarray(0, at)
}

function readLength(input: Uint8Array): { readonly length: number; readonly start: number } {
  let length = 0
  for (let i = 0; i < 5 && i < input.length; i++) {
    length += (input[i]! & 127) * 128 ** i
    if (input[i]! < 128) return { length, start: i + 1 }
  }
  return corrupt(0, 'it has no length')
}

/** Returns how many bytes it wrote. Hot. */
function inflate(input: Uint8Array, start: number, out: Uint8Array): number {
  const end = input.length
  const from = new DataView(input.buffer, input.byteOffset, end)
  const view = new DataView(out.buffer, out.byteOffset, out.length)
  let at = start
  let to = 0
  while (at < end) {
    const tag = input[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >> 2) + 1
      if (length > 60) {
        const byteCount = length - 60
        if (at + byteCount > end) return corrupt(at, 'it ends inside a literal')
        length = littleEndian(input, at, byteCount) + 1
        at += byteCount
      }
      if (length > end - at) return corrupt(at, 'it ends inside a literal')
      if (length > out.length - to) return corrupt(at, 'a literal reaches past the declared length')
      if (length > SHORT_BYTES) {
        out.set(input.subarray(at, at + length), to)
        at += length
        to += length
      } else {
        const stop = to + length
        for (; to + 4 <= stop; to += 4, at += 4) view.setInt32(to, from.getInt32(at, true), true)
        while (to < stop) out[to++] = input[at++]!
      }
      continue
    }
    const byteCount = kind === 3 ? 4 : kind
    if (at + byteCount > end) return corrupt(at, 'it ends inside a copy')
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const offset = kind === 1 ? ((tag >> 5) << 8) | input[at]! : littleEndian(input, at, byteCount)
    at += byteCount
    if (offset === 0 || offset > to) return corrupt(at, 'a copy reaches before the start')
    if (length > out.length - to) return corrupt(at, 'a copy reaches past the declared length')
    const stop = to + length
    // A copy may overlap what it writes: by words only where a word is there before it is read.
    if (offset >= 4) for (; to + 4 <= stop; to += 4) view.setInt32(to, view.getInt32(to - offset, true), true)
    for (; to < stop; to++) out[to] = out[to - offset]!
  }
  return to
}

function littleEndian(input: Uint8Array, at: number, byteCount: number): number {
  let value = 0
  for (let i = byteCount - 1; i >= 0; i--) value = value * 256 + input[at + i]!
  return value
}

function corrupt(offset: number, why: string): never {
  throw new RemoteWriteError('bad-snappy', `snappy: corrupt input at byte ${offset}: ${why}`, offset)
}

function compressBlock(
  input: Uint8Array,
  from: number,
  end: number,
  out: Uint8Array,
  start: number,
  table: Int32Array,
): number {
  // Positions are kept plus one, so that 0 is empty; those of earlier blocks are recognised by being before `from`.
  let to = start
  let literal = from
  let at = from
  while (at + 4 <= end) {
    const word = word32(input, at)
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - TABLE_BITS)
    const candidate = table[slot]! - 1
    table[slot] = at + 1
    if (candidate < from || word32(input, candidate) !== word) {
      // Steps grow over data that does not compress.
      at += 1 + ((at - literal) >> 5)
      continue
    }
    let length = 4
    while (at + length < end && input[candidate + length] === input[at + length]) length++
    to = writeLiteral(input, literal, at, out, to)
    to = writeCopy(at - candidate, length, out, to)
    at += length
    literal = at
  }
  return writeLiteral(input, literal, end, out, to)
}

const word32 = (input: Uint8Array, at: number): number =>
  input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24)

function writeLiteral(input: Uint8Array, from: number, end: number, out: Uint8Array, start: number): number {
  if (from === end) return start
  const n = end - from - 1
  let to = start
  if (n < 60) out[to++] = n << 2
  else if (n < 256) {
    out[to++] = 60 << 2
    out[to++] = n
  } else {
    out[to++] = 61 << 2
    out[to++] = n & 255
    out[to++] = n >> 8
  }
  out.set(input.subarray(from, end), to)
  return to + n + 1
}

/** In pieces of at most 64 bytes, none shorter than 4, with two bytes of offset (a block has 64 KiB). */
function writeCopy(offset: number, length: number, out: Uint8Array, start: number): number {
  let to = start
  for (let left = length; left > 0; ) {
    const piece = left > 64 ? (left < 68 ? 60 : 64) : left
    out[to++] = ((piece - 1) << 2) | 2
    out[to++] = offset & 255
    out[to++] = offset >> 8
    left -= piece
  }
  return to
}

function writeLength(out: Uint8Array, length: number): number {
  let at = 0
  let rest = length
  for (; rest >= 128; rest >>>= 7) out[at++] = (rest & 127) | 128
  out[at++] = rest
  return at
}

/**
 * Runs of integers and of raw 64-bit words as packed bits. Integers are doubles that hold whole numbers below 2^52:
 * deltas against the predecessor, divided by their common power of two, minus the smallest, in as many bits as the
 * largest needs. A counter that grows by 1480…1530 a scrape takes 6 bits a sample, one that grows evenly none.
 *
 *   deltas: width (0-32) | shift (0-31) | smallest delta >> shift, zigzag LEB128 | n * width bits
 */

const NO_BYTES = new DataView(new ArrayBuffer(0))

/** Where a decoder stands: byte position, and the last value (bits, low and high word). */
export class Cursor {
  /** Of the same bytes: packed bits are read a word at a time. */
  view: DataView<ArrayBufferLike> = NO_BYTES
  pos = 0
  low = 0
  high = 0
}

/** Returns the position after the written bytes; -1 when the deltas need more than 32 bits. */
export function packDeltas(
  ints: Float64Array,
  from: number,
  n: number,
  base: number,
  out: Uint8Array,
  at: number,
): number {
  let or = 0
  let min = Infinity
  let max = -Infinity
  let last = base
  for (let i = from; i < from + n; i++) {
    const delta = ints[i]! - last
    last = ints[i]!
    or |= delta // modulo 2^32, which keeps the trailing zeros
    if (delta < min) min = delta
    if (delta > max) max = delta
  }
  if (n === 0) {
    out[at] = 0
    out[at + 1] = 0
    out[at + 2] = 0
    return at + 3
  }
  const shift = or === 0 ? 0 : 31 - Math.clz32(or & -or)
  const scale = 2 ** shift
  const range = (max - min) / scale
  if (range > 0xffffffff) return -1
  const width = range === 0 ? 0 : 32 - Math.clz32(range)
  out[at] = width
  out[at + 1] = shift
  let pos = writeZigzag(min / scale, out, at + 2)
  if (width === 0) return pos
  let acc = 0
  let bits = 0
  last = base
  for (let i = from; i < from + n; i++) {
    const offset = ((ints[i]! - last - min) / scale) >>> 0
    last = ints[i]!
    acc |= (offset & 0xffff) << bits
    bits += Math.min(width, 16)
    while (bits >= 8) {
      out[pos++] = acc
      acc >>>= 8
      bits -= 8
    }
    if (width <= 16) continue
    acc |= (offset >>> 16) << bits
    bits += width - 16
    while (bits >= 8) {
      out[pos++] = acc
      acc >>>= 8
      bits -= 8
    }
  }
  if (bits > 0) out[pos++] = acc
  return pos
}

/**
 * Sums the deltas from `base` into `out[to, to + n)`, each divided by `power`; moves `cursor.pos`.
 * Hot: bench/hub/head.bench.ts
 */
export function unpackDeltas(
  bytes: Uint8Array<ArrayBufferLike>,
  cursor: Cursor,
  n: number,
  base: number,
  out: Float64Array,
  to: number,
  power = 1,
): void {
  const width = bytes[cursor.pos]!
  const shift = bytes[cursor.pos + 1]!
  const min = readSmallest(bytes, cursor)
  const { pos, view } = cursor
  const isInside = pos + ((n * width) >>> 3) + 4 <= view.byteLength
  cursor.pos = pos + ((n * width + 7) >>> 3)
  const end = to + n
  let bit = 8 * pos
  if (isInside && width + shift <= SMALL_BITS && min <= SMALL && min >= -SMALL && n <= SMALL_COUNT) {
    // All that is added stays below 2^31: integers add up faster than doubles.
    const least = min | 0
    const mask = (1 << width) - 1
    let sum = 0
    if (power === 1) {
      for (let i = to; i < end; i++) {
        sum = (sum + least + (((view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask) << shift)) | 0
        out[i] = base + sum
        bit += width
      }
      return
    }
    for (let i = to; i < end; i++) {
      sum = (sum + least + (((view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask) << shift)) | 0
      out[i] = (base + sum) / power
      bit += width
    }
    return
  }
  const scale = scaleOf(shift)
  let value = base
  for (let i = to; i < end; i++) {
    value += width === 0 ? min : min + readBits(bytes, 0, bit, width) * scale
    out[i] = value / power
    bit += width
  }
}

/** What is unpacked as 32-bit integers: bits of a delta, size of the smallest one, and how many. */
const SMALL_BITS = 24
const SMALL = 2 ** 24
const SMALL_COUNT = 63

const scaleOf = (shift: number): number => (shift === 31 ? 2147483648 : 1 << shift)

/** Moves the cursor past the head of packed deltas, to their bits; returns the smallest delta. */
function readSmallest(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor): number {
  const scale = scaleOf(bytes[cursor.pos + 1]!)
  let pos = cursor.pos + 2
  let byte = bytes[pos++]!
  let zigzag = byte & 0x7f
  for (let factor = 128; byte >= 0x80; factor *= 128) {
    byte = bytes[pos++]!
    zigzag += (byte & 0x7f) * factor
  }
  cursor.pos = pos
  return (zigzag % 2 === 1 ? -(zigzag + 1) / 2 : zigzag / 2) * scale
}

/** When all deltas at the cursor are one, which is not below 0: that, and the cursor is past them. Else -1. */
export function evenStep(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor): number {
  const { pos } = cursor
  if (bytes[pos] !== 0) return -1
  const step = readSmallest(bytes, cursor)
  if (step >= 0) return step
  cursor.pos = pos
  return -1
}

/** As `unpackDeltas`, of which only the last is wanted: it is returned. */
export function sumDeltas(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor, n: number, base: number): number {
  const start = cursor.pos
  const { view } = cursor
  const width = bytes[start]!
  const scale = scaleOf(bytes[start + 1]!)
  const min = readSmallest(bytes, cursor)
  const { pos } = cursor
  if (width > 12 || pos + ((n * width) >>> 3) + 4 > view.byteLength) {
    cursor.pos = start
    unpackDeltas(bytes, cursor, n, base, SKIPPED, 0)
    return n === 0 ? base : SKIPPED[n - 1]!
  }
  // Two at a time: both are in one word, wherever in a byte they begin.
  const mask = (1 << width) - 1
  let bit = pos * 8
  let sum = 0
  let i = 0
  if (width > 0) {
    for (; i + 1 < n; i += 2) {
      const word = view.getInt32(bit >>> 3, true) >>> (bit & 7)
      sum += (word & mask) + ((word >>> width) & mask)
      bit += 2 * width
    }
    if (i < n) sum += (view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask
  }
  cursor.pos = pos + ((n * width + 7) >>> 3)
  return base + n * min + sum * scale
}

/** Of a frame: no more is ever asked for. */
const SKIPPED = new Float64Array(64)

/** 1 to 32 bits at bit `bit` after byte `pos`, least significant first. */
export function readBits(bytes: Uint8Array<ArrayBufferLike>, pos: number, bit: number, width: number): number {
  const p = pos + (bit >>> 3)
  const skip = bit & 7
  let word = (bytes[p]! | (bytes[p + 1]! << 8) | (bytes[p + 2]! << 16) | (bytes[p + 3]! << 24)) >>> skip
  if (skip + width > 32) word |= bytes[p + 4]! << (32 - skip)
  return width === 32 ? word >>> 0 : (word & ((1 << width) - 1)) >>> 0
}

/** As `readBits`, from a view; `bit` counts from its beginning. Five bytes from there on are in the view. */
export function viewBits(view: DataView<ArrayBufferLike>, bit: number, width: number): number {
  const p = bit >>> 3
  const skip = bit & 7
  let word = view.getInt32(p, true) >>> skip
  if (skip + width > 32) word |= view.getUint8(p + 4) << (32 - skip)
  return width === 32 ? word >>> 0 : (word & ((1 << width) - 1)) >>> 0
}

/** ORs the bits in; the bytes must be zero there before. */
export function writeBits(bytes: Uint8Array, pos: number, bit: number, value: number, width: number): void {
  let p = pos + (bit >>> 3)
  let skip = bit & 7
  let left = width
  let rest = value
  while (left > 0) {
    bytes[p] = bytes[p]! | (rest << skip)
    const taken = 8 - skip
    rest >>>= taken
    left -= taken
    skip = 0
    p++
  }
}

function writeZigzag(value: number, out: Uint8Array, at: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  let pos = at
  while (rest >= 0x80) {
    out[pos++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  out[pos++] = rest
  return pos
}

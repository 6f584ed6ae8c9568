/**
 * Codec of runs of up to 16 sample values, bit-exact. The encoder sees the whole run and takes the cheapest of
 *   constant   all equal to the value before the run: no payload
 *   integers   whole numbers, or decimals with up to 9 digits after the point scaled to whole numbers: packed deltas
 *   xor        anything else: xor with the predecessor, in the window of bits that the run needs
 *
 *   tag: codec (0-1) | first value written out (bit 2) | decimal digits (4-7)
 *   integers: [first value, 8 bytes] packed deltas (bits.ts)
 *   xor:      trailing zero bits | width | n * width bits
 *
 * Hot: bench/hub/head.bench.ts
 */
import { type Cursor, packDeltas, readBits, sumDeltas, unpackDeltas, viewBits, writeBits } from './bits.ts'

const CONSTANT = 0
const INTEGERS = 1
const XOR = 2
const FIRST_WRITTEN = 4
const INTEGER_MAX = 2 ** 51
const DIGITS_MAX = 9
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const
/** Packed deltas below this width need no comparison with xor. */
const CHEAP_WIDTH = 20
/** Bytes that a run takes at most: tag, two parameter bytes, 16 doubles. */
export const RUN_BYTES_MAX = 3 + 16 * 8

/** Encoder memory of one writer. */
export class RunEncoder {
  readonly values = new Float64Array(17)
  readonly words = new Uint32Array(this.values.buffer)
  readonly #ints = new Float64Array(17)
  readonly #base = new Float64Array(1)
  readonly #baseWords = new Uint32Array(this.#base.buffer)
  readonly #alternative = new Uint8Array(256)

  /** True when the n values all have these bits. */
  isConstant(n: number, low: number, high: number): boolean {
    for (let i = 0; i < n; i++) if (this.words[2 * i] !== low || this.words[2 * i + 1] !== high) return false
    return true
  }

  /** Encodes `values[0, n)` after the value (low, high) to `out`; returns the position after them. */
  encode(n: number, low: number, high: number, out: Uint8Array, at: number): number {
    if (this.isConstant(n, low, high)) {
      out[at] = CONSTANT
      return at + 1
    }
    this.#baseWords[0] = low
    this.#baseWords[1] = high
    const digits = this.#scale(n)
    const end = digits < 0 ? -1 : this.#integers(n, digits, out, at)
    if (end >= 0 && end - at <= 4 + ((n * CHEAP_WIDTH) >>> 3)) return end
    const other = this.#xor(n, low, high, this.#alternative, 0)
    if (end >= 0 && end - at <= other) return end
    out.set(this.#alternative.subarray(0, other), at)
    return at + other
  }

  /** Fills `#ints`; returns the digits after the point that make all values whole, -1 when none do. */
  #scale(n: number): number {
    let digits = 0
    for (let i = 0; i < n; i++) {
      while (!isWhole(this.values[i]!, digits)) if (++digits > DIGITS_MAX) return -1
    }
    const power = POWERS[digits]!
    for (let i = 0; i < n; i++) {
      const value = this.values[i]!
      if (!isWhole(value, digits) || (this.words[2 * i + 1] === 0x80000000 && value === 0)) return -1
      this.#ints[i] = digits === 0 ? value : Math.round(value * power)
    }
    return digits
  }

  #integers(n: number, digits: number, out: Uint8Array, at: number): number {
    const before = this.#base[0]!
    if (isWhole(before, digits)) {
      const base = digits === 0 ? before : Math.round(before * POWERS[digits]!)
      out[at] = INTEGERS | (digits << 4)
      const end = packDeltas(this.#ints, 0, n, base, out, at + 1)
      // A first value far from its predecessor widens all deltas: then writing it out may be cheaper.
      if (end >= 0 && (n < 3 || end - at <= 4 + ((n * CHEAP_WIDTH) >>> 3))) return end
      const other = this.#firstWritten(n, digits, this.#alternative, 0)
      if (end >= 0 && (other < 0 || end - at <= other)) return end
      if (other < 0) return -1
    }
    return this.#firstWritten(n, digits, out, at)
  }

  #firstWritten(n: number, digits: number, out: Uint8Array, at: number): number {
    out[at] = INTEGERS | FIRST_WRITTEN | (digits << 4)
    writeDouble(this.words[0]!, this.words[1]!, out, at + 1)
    return packDeltas(this.#ints, 1, n - 1, this.#ints[0]!, out, at + 9)
  }

  #xor(n: number, low: number, high: number, out: Uint8Array, at: number): number {
    let orLow = 0
    let orHigh = 0
    let lastLow = low
    let lastHigh = high
    for (let i = 0; i < n; i++) {
      const l = this.words[2 * i]!
      const h = this.words[2 * i + 1]!
      orLow |= l ^ lastLow
      orHigh |= h ^ lastHigh
      lastLow = l
      lastHigh = h
    }
    const trailing = orLow !== 0 ? 31 - Math.clz32(orLow & -orLow) : 63 - Math.clz32(orHigh & -orHigh)
    const leading = orHigh !== 0 ? Math.clz32(orHigh) : 32 + Math.clz32(orLow)
    const width = 64 - leading - trailing
    const bytes = (n * width + 7) >>> 3
    out[at] = XOR
    out[at + 1] = trailing
    out[at + 2] = width
    out.fill(0, at + 3, at + 3 + bytes)
    lastLow = low
    lastHigh = high
    let bit = 0
    for (let i = 0; i < n; i++) {
      const xorLow = this.words[2 * i]! ^ lastLow
      const xorHigh = this.words[2 * i + 1]! ^ lastHigh
      lastLow = this.words[2 * i]!
      lastHigh = this.words[2 * i + 1]!
      const shiftedLow =
        trailing === 0
          ? xorLow
          : trailing < 32
            ? (xorLow >>> trailing) | (xorHigh << (32 - trailing))
            : xorHigh >>> (trailing - 32)
      const lowWidth = Math.min(width, 32)
      writeBits(out, at + 3, bit, shiftedLow >>> 0, lowWidth)
      if (width > 32) writeBits(out, at + 3, bit + 32, xorHigh >>> trailing, width - 32)
      bit += width
    }
    return at + 3 + bytes
  }
}

/** Decodes n values at the cursor into `out[to, to + n)`, of which `words` is the other view; moves the cursor. */
export function decodeValues(
  bytes: Uint8Array<ArrayBufferLike>,
  cursor: Cursor,
  n: number,
  out: Float64Array,
  words: Uint32Array,
  to: number,
): void {
  const tag = bytes[cursor.pos++]!
  const codec = tag & 3
  if (codec === CONSTANT) fillValue(words, to, n, cursor.low, cursor.high)
  else if (codec === INTEGERS) decodeIntegers(bytes, cursor, tag, n, out, words, to)
  else decodeXor(bytes, cursor, n, words, to)
  cursor.low = words[2 * (to + n) - 2]!
  cursor.high = words[2 * (to + n) - 1]!
}

const skipped = new Float64Array(32)
const skippedWords = new Uint32Array(skipped.buffer)

/** Moves the cursor past n values, n <= 31, without giving them. */
export function skipValues(bytes: Uint8Array<ArrayBufferLike>, cursor: Cursor, n: number): void {
  const tag = bytes[cursor.pos]!
  if ((tag & 3) !== INTEGERS || (tag & FIRST_WRITTEN) !== 0) {
    decodeValues(bytes, cursor, n, skipped, skippedWords, 0)
    return
  }
  cursor.pos++
  const digits = tag >>> 4
  const power = POWERS[digits]!
  skippedWords[0] = cursor.low
  skippedWords[1] = cursor.high
  const before = skipped[0]!
  skipped[0] =
    digits === 0 ? sumDeltas(bytes, cursor, n, before) : sumDeltas(bytes, cursor, n, Math.round(before * power)) / power
  cursor.low = skippedWords[0]!
  cursor.high = skippedWords[1]!
}

export function fillValue(words: Uint32Array, to: number, n: number, low: number, high: number): void {
  for (let i = 2 * to; i < 2 * (to + n); i += 2) {
    words[i] = low
    words[i + 1] = high
  }
}

function decodeIntegers(
  bytes: Uint8Array<ArrayBufferLike>,
  cursor: Cursor,
  tag: number,
  n: number,
  out: Float64Array,
  words: Uint32Array,
  to: number,
): void {
  const digits = tag >>> 4
  const power = POWERS[digits]!
  let first = to
  // The base goes through the place of the first value: no second buffer for turning words into a double.
  if (tag & FIRST_WRITTEN) {
    words[2 * to] = readWord(bytes, cursor.pos)
    words[2 * to + 1] = readWord(bytes, cursor.pos + 4)
    cursor.pos += 8
    first = to + 1
  } else {
    words[2 * to] = cursor.low
    words[2 * to + 1] = cursor.high
  }
  const before = out[to]!
  unpackDeltas(bytes, cursor, to + n - first, digits === 0 ? before : Math.round(before * power), out, first, power)
}

function decodeXor(
  bytes: Uint8Array<ArrayBufferLike>,
  cursor: Cursor,
  n: number,
  words: Uint32Array,
  to: number,
): void {
  const trailing = bytes[cursor.pos]!
  const width = bytes[cursor.pos + 1]!
  const pos = cursor.pos + 2
  const { view } = cursor
  const isInside = width > 0 && pos + ((n * width) >>> 3) + 9 <= view.byteLength
  const lowWidth = Math.min(width, 32)
  let low = cursor.low
  let high = cursor.high
  let bit = 0
  for (let i = 2 * to; i < 2 * (to + n); i += 2) {
    const a = isInside ? viewBits(view, 8 * pos + bit, lowWidth) : readBits(bytes, pos, bit, lowWidth)
    let b = 0
    if (width > 32) {
      const rest = width - 32
      b = isInside ? viewBits(view, 8 * pos + bit + 32, rest) : readBits(bytes, pos, bit + 32, rest)
    }
    bit += width
    if (trailing === 0) {
      low ^= a
      high ^= b
    } else if (trailing < 32) {
      low ^= a << trailing
      high ^= (b << trailing) | (a >>> (32 - trailing))
    } else high ^= a << (trailing - 32)
    words[i] = low
    words[i + 1] = high
  }
  cursor.pos = pos + ((n * width + 7) >>> 3)
}

/** The one test that encoder and decoder rely on: scaled, rounded and divided again it is the same number. */
function isWhole(value: number, digits: number): boolean {
  if (digits === 0) return Number.isInteger(value) && value <= INTEGER_MAX && value >= -INTEGER_MAX
  const power = POWERS[digits]!
  const scaled = Math.round(value * power)
  return scaled / power === value && scaled <= INTEGER_MAX && scaled >= -INTEGER_MAX
}

export function writeDouble(low: number, high: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    out[at + i] = low >>> (8 * i)
    out[at + 4 + i] = high >>> (8 * i)
  }
}

export function readWord(bytes: Uint8Array<ArrayBufferLike>, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/**
 * A column of doubles, bit for bit: values, times or start times of one chunk.
 *
 *     constant   all bits equal
 *     whole      whole numbers, or decimals of up to 9 digits scaled to whole ones, as they are or as differences, in
 *                frames (packing.ts); up to one value in eight that is neither (stale markers, NaN) is set apart
 *     rice       whole ones too: differences, or heights above the least, that vary much or are mostly zero (rice.ts)
 *     xor        else: xor with the predecessor, in the window of bits that each frame needs
 *
 *     mode (0-1) | differences (2) | some set apart (3) | digits (4-7)
 *     constant: value           whole, rice: [n, n * (gap, 8 bytes)] first, frames, or [least] codes          xor: 8 bytes, frames
 *     value: zigzag LEB128 with digits, or digits 15 and 8 bytes      xor frame: trailing zeros | width | bits
 *
 * Hot: bench/hub/block.bench.ts
 */
import { readBits, viewBits, writeBits } from '../tsdb/mod.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { FRAME, FramePacker, unpackFrame } from './packing.ts'
import { RiceCoder, unpackRice } from './rice.ts'

const CONSTANT = 0
const WHOLE = 1
const XOR = 2
const RICE = 3
const DIFFERENCES = 4
const SET_APART = 8
const NO_DIGITS = 15
const DIGITS_MAX = 9
/** Of the size in frames: codes are taken when they are smaller than this. */
const RICE_FROM = 0.98
const WHOLE_MAX = 2 ** 51
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const

/** Encoder memory of one writer. */
export class ColumnEncoder {
  readonly #packer = new FramePacker()
  readonly #rice = new RiceCoder()
  #ints = new Float64Array(1024)
  #deltas = new Float64Array(1024)
  readonly #apart: number[] = []
  readonly #uses = new Uint32Array(DIGITS_MAX + 2)

  /** Encodes n > 0 values, of which `words` is the other view. */
  encode(values: Float64Array, words: Uint32Array, n: number, out: ByteWriter): void {
    if (isConstant(words, n)) this.#constant(values[0]!, words, out)
    else if (!this.#whole(values, words, n, out)) writeXor(words, n, out)
  }

  #constant(value: number, words: Uint32Array, out: ByteWriter): void {
    const digits = digitsOf(value, words, 0)
    out.byte(CONSTANT | ((digits > DIGITS_MAX ? NO_DIGITS : digits) << 4))
    if (digits > DIGITS_MAX) writeDouble(words, 0, out)
    else out.zigzag(Math.round(value * POWERS[digits]!))
  }

  #whole(values: Float64Array, words: Uint32Array, n: number, out: ByteWriter): boolean {
    const digits = this.#scale(values, words, n)
    if (digits < 0) return false
    const ints = this.#ints
    const deltas = this.#deltas
    for (let i = 1; i < n; i++) deltas[i] = ints[i]! - ints[i - 1]!
    const plain = this.#cost(ints, n)
    const different = this.#cost(deltas, n)
    if (plain < 0 && different < 0) return false
    const asDeltas = plain < 0 || (different >= 0 && different < plain)
    const framed = asDeltas ? different : plain
    // Of a gauge without a memory its height above the least is coded.
    let least = 0
    if (!asDeltas) {
      least = ints.subarray(1, n).reduce((min, x) => Math.min(min, x), Number.POSITIVE_INFINITY)
      for (let i = 1; i < n; i++) deltas[i] = ints[i]! - least
    }
    // What is nearly as small in frames is read faster from them.
    const rice = this.#rice.plan(deltas, 1, n)
    const asRice = rice >= 0 && rice < RICE_FROM * framed
    const apart = this.#apart
    out.byte(
      (asRice ? RICE : WHOLE) | (asDeltas ? DIFFERENCES : 0) | (apart.length > 0 ? SET_APART : 0) | (digits << 4),
    )
    if (apart.length > 0) {
      out.varint(apart.length)
      for (let i = 0; i < apart.length; i++) {
        out.varint(apart[i]! - (i === 0 ? 0 : apart[i - 1]!))
        writeDouble(words, apart[i]!, out)
      }
    }
    out.zigzag(ints[0]!)
    if (asRice) {
      if (!asDeltas) out.zigzag(least)
      this.#rice.write(out)
      return true
    }
    const source = asDeltas ? deltas : ints
    for (let from = 1; from < n; from += FRAME) {
      const size = Math.min(FRAME, n - from)
      this.#packer.plan(source, from, size)
      this.#packer.write(source, from, size, out)
    }
    return true
  }

  #cost(ints: Float64Array, n: number): number {
    let bits = 0
    for (let from = 1; from < n; from += FRAME) {
      const frame = this.#packer.plan(ints, from, Math.min(FRAME, n - from))
      if (frame < 0) return -1
      bits += frame
    }
    return bits
  }

  /**
   * Fills `#ints` and `#apart`; returns the digits after the point, -1 when too many values are not whole with any.
   * What is set apart repeats its predecessor.
   */
  #scale(values: Float64Array, words: Uint32Array, n: number): number {
    if (this.#ints.length < n) {
      this.#ints = new Float64Array(2 * n)
      this.#deltas = new Float64Array(2 * n)
    }
    const uses = this.#uses.fill(0)
    for (let i = 0; i < n; i++) uses[digitsOf(values[i]!, words, i)]!++
    let room = (n >>> 3) - uses[DIGITS_MAX + 1]!
    if (room < 0) return -1
    let digits = DIGITS_MAX
    // A rare long fraction is cheaper set apart than a digit more for all the others.
    room = Math.min(room, n >>> 5)
    while (digits > 0 && uses[digits]! <= room) room -= uses[digits--]!
    const ints = this.#ints
    const apart = this.#apart
    const power = POWERS[digits]!
    apart.length = 0
    let last = 0
    for (let i = 0; i < n; i++) {
      if (isWhole(values[i]!, digits) && !isMinusZero(words, i)) last = Math.round(values[i]! * power)
      else apart.push(i)
      ints[i] = last
    }
    return apart.length > n >>> 3 ? -1 : digits
  }
}

/** Decodes n values into `words`, of which `out` is the other view, at `to`. */
export function decodeColumn(reader: ByteReader, n: number, out: Float64Array, words: Uint32Array, to: number): void {
  const head = reader.byte()
  const digits = head >>> 4
  const mode = head & 3
  if (mode === CONSTANT) {
    if (digits === NO_DIGITS) {
      readDouble(reader, words, to)
      const low = words[2 * to]!
      const high = words[2 * to + 1]!
      for (let i = 2 * to; i < 2 * (to + n); i += 2) {
        words[i] = low
        words[i + 1] = high
      }
    } else out.fill(reader.zigzag() / POWERS[digits]!, to, to + n)
  } else if (mode !== XOR) decodeWhole(reader, head, n, out, words, to)
  else decodeXor(reader, n, words, to)
}

function decodeWhole(
  reader: ByteReader,
  head: number,
  n: number,
  out: Float64Array,
  words: Uint32Array,
  to: number,
): void {
  const apartAt = reader.at
  if ((head & SET_APART) !== 0) {
    for (let count = reader.varint(); count > 0; count--) {
      reader.varint()
      reader.at += 8
    }
  }
  out[to] = reader.zigzag()
  if ((head & 3) === RICE) {
    const least = (head & DIFFERENCES) === 0 ? reader.zigzag() : 0
    unpackRice(reader, n - 1, out, to + 1)
    if (least !== 0) for (let i = to + 1; i < to + n; i++) out[i] = out[i]! + least
  } else for (let from = 1; from < n; from += FRAME) unpackFrame(reader, Math.min(FRAME, n - from), out, to + from)
  const power = POWERS[head >>> 4]!
  if ((head & DIFFERENCES) === 0) {
    if (power !== 1) for (let i = to; i < to + n; i++) out[i] = out[i]! / power
  } else {
    let value = 0
    if (power === 1) for (let i = to; i < to + n; i++) out[i] = value += out[i]!
    else {
      for (let i = to; i < to + n; i++) {
        value += out[i]!
        out[i] = value / power
      }
    }
  }
  if ((head & SET_APART) === 0) return
  const end = reader.at
  reader.at = apartAt
  let at = to
  for (let count = reader.varint(); count > 0; count--) {
    at += reader.varint()
    readDouble(reader, words, at)
  }
  reader.at = end
}

function writeXor(words: Uint32Array, n: number, out: ByteWriter): void {
  out.byte(XOR)
  writeDouble(words, 0, out)
  for (let from = 1; from < n; from += FRAME) {
    const to = Math.min(from + FRAME, n)
    let orLow = 0
    let orHigh = 0
    for (let i = 2 * from; i < 2 * to; i += 2) {
      orLow |= words[i]! ^ words[i - 2]!
      orHigh |= words[i + 1]! ^ words[i - 1]!
    }
    if ((orLow | orHigh) === 0) {
      out.byte(0)
      out.byte(0)
      continue
    }
    const trailing = orLow !== 0 ? 31 - Math.clz32(orLow & -orLow) : 63 - Math.clz32(orHigh & -orHigh)
    const width = 64 - (orHigh !== 0 ? Math.clz32(orHigh) : 32 + Math.clz32(orLow)) - trailing
    out.byte(trailing)
    out.byte(width)
    const bytes = ((to - from) * width + 7) >>> 3
    out.room(bytes)
    const at = out.length
    out.bytes.fill(0, at, at + bytes)
    for (let i = 2 * from, bit = 0; i < 2 * to; i += 2, bit += width) {
      const low = words[i]! ^ words[i - 2]!
      const high = words[i + 1]! ^ words[i - 1]!
      const shifted =
        trailing === 0 ? low : trailing < 32 ? (low >>> trailing) | (high << (32 - trailing)) : high >>> (trailing - 32)
      writeBits(out.bytes, at, bit, shifted >>> 0, Math.min(width, 32))
      if (width > 32) writeBits(out.bytes, at, bit + 32, trailing < 32 ? high >>> trailing : 0, width - 32)
    }
    out.length += bytes
  }
}

function decodeXor(reader: ByteReader, n: number, words: Uint32Array, to: number): void {
  readDouble(reader, words, to)
  let low = words[2 * to]!
  let high = words[2 * to + 1]!
  for (let from = 1; from < n; from += FRAME) {
    const trailing = reader.byte()
    const width = reader.byte()
    const size = Math.min(FRAME, n - from)
    const lowWidth = Math.min(width, 32)
    const pos = reader.at
    const { view } = reader
    const isInside = pos + ((size * width) >>> 3) + 9 <= view.byteLength
    for (let i = 0, bit = 0; i < size; i++, bit += width) {
      const a =
        lowWidth === 0
          ? 0
          : isInside
            ? viewBits(view, 8 * pos + bit, lowWidth)
            : readBits(reader.bytes, pos, bit, lowWidth)
      const b =
        width <= 32
          ? 0
          : isInside
            ? viewBits(view, 8 * pos + bit + 32, width - 32)
            : readBits(reader.bytes, pos, bit + 32, width - 32)
      if (trailing === 0) {
        low ^= a
        high ^= b
      } else if (trailing < 32) {
        low ^= a << trailing
        high ^= (b << trailing) | (a >>> (32 - trailing))
      } else high ^= a << (trailing - 32)
      words[2 * (to + from + i)] = low
      words[2 * (to + from + i) + 1] = high
    }
    reader.at = pos + ((size * width + 7) >>> 3)
  }
}

function isConstant(words: Uint32Array, n: number): boolean {
  const low = words[0]!
  const high = words[1]!
  for (let i = 2; i < 2 * n; i += 2) if (words[i] !== low || words[i + 1] !== high) return false
  return true
}

const isMinusZero = (words: Uint32Array, i: number): boolean => words[2 * i + 1] === 0x80000000 && words[2 * i] === 0

/** The fewest digits with which the value is whole; DIGITS_MAX + 1 when none do. */
function digitsOf(value: number, words: Uint32Array, i: number): number {
  if (isMinusZero(words, i)) return DIGITS_MAX + 1
  let digits = 0
  while (digits <= DIGITS_MAX && !isWhole(value, digits)) digits++
  return digits
}

/** The one test that encoder and decoder rely on: scaled, rounded and divided again it is the same number. */
function isWhole(value: number, digits: number): boolean {
  const power = POWERS[digits]!
  const scaled = Math.round(value * power)
  return scaled / power === value && scaled <= WHOLE_MAX && scaled >= -WHOLE_MAX
}

function writeDouble(words: Uint32Array, i: number, out: ByteWriter): void {
  out.u32(words[2 * i]!)
  out.u32(words[2 * i + 1]!)
}

function readDouble(reader: ByteReader, words: Uint32Array, i: number): void {
  const { bytes, at } = reader
  words[2 * i] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  words[2 * i + 1] = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24)
  reader.at += 8
}

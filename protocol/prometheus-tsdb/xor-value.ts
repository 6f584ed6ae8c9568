/**
 * One float after another as the difference of their bits: what XOR chunks, sums and float histograms are made of.
 * Values are two words, lower first, for stale markers and other NaNs do not survive as numbers.
 * Semantics: Prometheus tsdb/chunkenc/xor.go, xorWrite and xorRead (v3.5).
 */
import type { BitReader, BitWriter } from './bits.ts'

const LEADING_MAX = 31
const NONE = 0xff

export class XorReader {
  low = 0
  high = 0
  #leading = 0
  #trailing = 0

  first(reader: BitReader): void {
    this.#leading = 0
    this.#trailing = 0
    this.low = reader.wide(64)
    this.high = reader.high
  }

  next(reader: BitReader): void {
    if (reader.short(1) === 0) return
    if (reader.short(1) === 1) {
      this.#leading = reader.short(5)
      this.#trailing = 64 - this.#leading - (reader.short(6) || 64)
    }
    const trailing = this.#trailing
    const low = reader.wide(64 - this.#leading - trailing)
    const { high } = reader
    if (trailing === 0) {
      this.low ^= low
      this.high ^= high
    } else if (trailing < 32) {
      this.low ^= low << trailing
      this.high ^= (high << trailing) | (low >>> (32 - trailing))
    } else this.high ^= low << (trailing - 32)
  }
}

export class XorWriter {
  #low = 0
  #high = 0
  #leading = NONE
  #trailing = 0

  first(out: BitWriter, low: number, high: number): void {
    out.wide(low, high, 64)
    this.#low = low
    this.#high = high
    this.#leading = NONE
  }

  next(out: BitWriter, low: number, high: number): void {
    const a = low ^ this.#low
    const b = high ^ this.#high
    this.#low = low
    this.#high = high
    if ((a | b) === 0) {
      out.bits(0, 1)
      return
    }
    const leading = Math.min(LEADING_MAX, b !== 0 ? Math.clz32(b) : 32 + Math.clz32(a))
    const trailing = a !== 0 ? 31 - Math.clz32(a & -a) : 63 - Math.clz32(b & -b)
    if (this.#leading !== NONE && leading >= this.#leading && trailing >= this.#trailing) out.bits(0b10, 2)
    else {
      this.#leading = leading
      this.#trailing = trailing
      out.bits(0b11, 2)
      out.bits(leading, 5)
      // 64 does not fit, and 0 does not occur.
      out.bits((64 - leading - trailing) & 63, 6)
    }
    const shift = this.#trailing
    const low32 = shift === 0 ? a : shift < 32 ? (a >>> shift) | (b << (32 - shift)) : b >>> (shift - 32)
    out.wide(low32, shift < 32 ? b >>> shift : 0, 64 - this.#leading - shift)
  }
}

/**
 * Bits, the most significant first, as chunks of Prometheus are written.
 * Semantics: Prometheus tsdb/chunkenc/bstream.go and varbit.go (v3.5). Hot: bench through `tsdb import`.
 */
import { TsdbFormatError } from './errors.ts'

const TWO_32 = 2 ** 32
/** Payload bits by the number of leading ones of a varbit number. */
const VARBIT_WIDTHS = [0, 3, 6, 9, 12, 18, 25, 56, 64] as const

export class BitReader {
  bytes: Uint8Array = new Uint8Array(0)
  /** Position in bits. */
  bit = 0
  /** Upper half of what `read64` last returned the lower of. */
  high = 0

  /** Begins at byte `from`; reading past the end yields zeros, which `checkEnd` tells. */
  reset(bytes: Uint8Array, from: number): void {
    this.bytes = bytes
    this.bit = from * 8
  }

  /** @throws TsdbFormatError when more was read than there is */
  checkEnd(): void {
    if (this.bit > this.bytes.length * 8) throw new TsdbFormatError('', this.bytes.length, 'the chunk is cut off')
  }

  /** @param n at most 25 */
  short(n: number): number {
    const { bytes, bit } = this
    const at = bit >>> 3
    const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
    this.bit = bit + n
    return n === 0 ? 0 : (word << (bit & 7)) >>> (32 - n)
  }

  /** @param n at most 32 */
  bits(n: number): number {
    if (n <= 25) return this.short(n)
    const upper = this.short(n - 16)
    return upper * 65_536 + this.short(16)
  }

  /** @param n at most 64; the lower 32 bits are returned, the others are in `high` */
  wide(n: number): number {
    this.high = n > 32 ? this.bits(n - 32) : 0
    return this.bits(n > 32 ? 32 : n)
  }

  /** LEB128 as Go's binary.Uvarint; exact up to 2^53. */
  uvarint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.short(8)
      value += (byte & 0x7f) * factor
      if (byte < 0x80 || factor > TWO_32 * TWO_32) return value
    }
  }

  /** Zigzag, as Go's binary.Varint. */
  varint(): number {
    const value = this.uvarint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  varbitInt(): number {
    const n = VARBIT_WIDTHS[this.ones(8)]!
    if (n === 0) return 0
    const low = this.wide(n)
    if (n < 32) return low > 1 << (n - 1) ? low - 2 ** n : low
    // The sign goes into the upper half first: 56 bits are no exact number.
    return ((this.high << (64 - n)) >> (64 - n)) * TWO_32 + low
  }

  varbitUint(): number {
    const n = VARBIT_WIDTHS[this.ones(8)]!
    if (n === 0) return 0
    const low = this.wide(n)
    return this.high * TWO_32 + low
  }

  /** Ones before the first zero, at most `max`; the zero is consumed. */
  ones(max: number): number {
    let n = 0
    while (n < max && this.short(1) === 1) n++
    return n
  }
}

export class BitWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(256)
  /** Length in bits. */
  bit = 0

  /** Keeps `bytes` of header, zeroed. */
  reset(headerBytes: number): void {
    this.bytes.fill(0)
    this.bit = headerBytes * 8
  }

  get sizeBytes(): number {
    return (this.bit + 7) >>> 3
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.sizeBytes)
  }

  /** The lower `n` bits of `value`, at most 32. */
  bits(value: number, n: number): void {
    if (this.sizeBytes + 5 > this.bytes.length) this.#grow()
    const { bytes } = this
    let left = n
    while (left > 0) {
      const room = 8 - (this.bit & 7)
      const take = left < room ? left : room
      const part = (value >>> (left - take)) & ((1 << take) - 1)
      const at = this.bit >>> 3
      bytes[at] = bytes[at]! | (part << (room - take))
      this.bit += take
      left -= take
    }
  }

  /** The lower `n` bits of a number of two halves, at most 64. */
  wide(low: number, high: number, n: number): void {
    if (n > 32) this.bits(high, n - 32)
    this.bits(low, n > 32 ? 32 : n)
  }

  uvarint(value: number): void {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.bits((rest % 128) | 0x80, 8)
    this.bits(rest, 8)
  }

  varint(value: number): void {
    this.uvarint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  varbitInt(value: number): void {
    let ones = 0
    if (value !== 0)
      for (ones = 1; ones < 7; ones++) {
        const half = 2 ** (VARBIT_WIDTHS[ones]! - 1)
        if (value > -half && value <= half) break
      }
    // What is no safe number is not exact before it comes here: 56 bits hold all the others.
    this.#varbit(value, ones)
  }

  varbitUint(value: number): void {
    let ones = 0
    while (value >= 2 ** VARBIT_WIDTHS[ones]!) ones++
    this.#varbit(value, ones)
  }

  #varbit(value: number, ones: number): void {
    const n = VARBIT_WIDTHS[ones]!
    if (ones === 8) this.bits(0xff, 8)
    else this.bits(2 ** (ones + 1) - 2, ones + 1)
    const high = Math.floor(value / TWO_32)
    this.wide(value - high * TWO_32, high, n)
  }

  #grow(): void {
    const grown = new Uint8Array(this.bytes.length * 2)
    grown.set(this.bytes)
    this.bytes = grown
  }
}

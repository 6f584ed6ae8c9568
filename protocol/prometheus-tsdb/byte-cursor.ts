/** Bytes read in order, within bounds: big endian numbers and Go's varints. */
import { TsdbFormatError } from './errors.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export class ByteCursor {
  readonly #view: DataView
  readonly #file: string
  readonly end: number
  at: number

  constructor(
    bytes: Uint8Array,
    { file, at, end }: { readonly file: string; readonly at: number; readonly end: number },
  ) {
    if (at < 0 || at > end || end > bytes.length) throw new TsdbFormatError(file, at, 'the file is cut off')
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#file = file
    this.at = at
    this.end = end
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  /** Exact up to 2^53. */
  u64(): number {
    const at = this.#take(8)
    return this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4)
  }

  /** As u64, with a sign. */
  i64(): number {
    const at = this.#take(8)
    return this.#view.getInt32(at) * 2 ** 32 + this.#view.getUint32(at + 4)
  }

  byte(): number {
    return this.#view.getUint8(this.#take(1))
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  /** Whether the eight bytes at `at` are these two words. */
  isAt(at: number, high: number, low: number): boolean {
    return this.#view.getUint32(at) === high && this.#view.getUint32(at + 4) === low
  }

  uvarint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 63; factor *= 128) {
      const byte = this.#view.getUint8(this.#take(1))
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new TsdbFormatError(this.#file, this.at, 'a number is too long')
  }

  /** Zigzag; of the largest numbers the nearest double. */
  varint(): number {
    const value = this.uvarint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  text(): string {
    const length = this.uvarint()
    const at = this.#take(length)
    return utf8.decode(new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length))
  }

  #take(bytes: number): number {
    const at = this.at
    if (bytes > this.end - at) throw new TsdbFormatError(this.#file, at, 'the section is cut off')
    this.at = at + bytes
    return at
  }
}

/**
 * Reads what `byte-writer.ts` writes, from bytes nobody vouches for: every read is checked against the end, every
 * count against the bytes that are left (`count`), so that no claim in the data makes us reserve memory. Errors are
 * `BatchError`s `bad-payload` with the section's name and the offset in it.
 */
import { BatchError } from './errors.ts'

const MAX_VARINT = 2 ** 53

export class ByteReader {
  offset = 0
  readonly bytes: Uint8Array
  readonly name: string
  private readonly view: DataView

  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes
    this.name = name
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get left(): number {
    return this.bytes.length - this.offset
  }

  byte(): number {
    if (this.offset >= this.bytes.length) this.fail('it ends too early')
    return this.bytes[this.offset++]!
  }

  varint(): number {
    const bytes = this.bytes
    let at = this.offset
    let byte = at < bytes.length ? bytes[at++]! : this.fail('it ends too early')
    let value = byte & 127
    for (let scale = 128; byte >= 128; scale *= 128) {
      byte = at < bytes.length ? bytes[at++]! : this.fail('it ends too early')
      value += (byte & 127) * scale
      if (value > MAX_VARINT) this.fail('a number is above 2^53')
    }
    this.offset = at
    return value
  }

  zigzag(): number {
    const z = this.varint()
    return z % 2 === 0 ? z / 2 : -(z + 1) / 2
  }

  float64(): number {
    if (this.left < 8) this.fail('it ends too early')
    const value = this.view.getFloat64(this.offset, true)
    this.offset += 8
    return value
  }

  /** A count of items that take at least `bytesEach` bytes of this reader each. */
  count(bytesEach = 1): number {
    const value = this.varint()
    if (value * bytesEach > this.left) this.fail(`it declares ${value} items and has ${this.left} bytes left`)
    return value
  }

  /** Borrowed from the input. */
  raw(byteCount: number): Uint8Array {
    if (byteCount > this.left) this.fail(`it declares ${byteCount} bytes and has ${this.left} left`)
    const out = this.bytes.subarray(this.offset, this.offset + byteCount)
    this.offset += byteCount
    return out
  }

  text(maxBytes: number): string {
    return this.utf8(this.varint(), maxBytes)
  }

  utf8(byteCount: number, maxBytes: number): string {
    if (byteCount > maxBytes) this.fail(`a string has ${byteCount} bytes, at most ${maxBytes} are allowed`)
    try {
      return decoder.decode(this.raw(byteCount))
    } catch (error) {
      if (error instanceof BatchError) throw error
      return this.fail('a string is not valid UTF-8')
    }
  }

  /** Everything must have been read. */
  end(): void {
    if (this.left !== 0) this.fail(`${this.left} bytes are left over`)
  }

  fail(why: string): never {
    throw new BatchError('bad-payload', `Cannot read ${this.name} at byte ${this.offset}: ${why}`, {
      offset: this.offset,
    })
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

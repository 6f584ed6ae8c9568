/**
 * Protobuf wire format, read in place. A reader is moved over nested messages by setting `at` and `end` (no objects per
 * message). Every read is checked against the end of the innermost message.
 */
import { RemoteWriteError } from './errors.ts'

export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

export class ProtoReader {
  at = 0
  end: number
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Halves of the last varint, each an unsigned 32-bit number. */
  low = 0
  high = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.end = bytes.length
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Field number times 8 plus wire type. */
  tag(): number {
    // Fields up to 15 take one byte, and there are no others here.
    const byte = this.at < this.end ? this.bytes[this.at]! : 0
    if (byte >= 8 && byte < 128) {
      this.at++
      return byte
    }
    this.varint()
    if (this.high !== 0 || this.low < 8) this.fail('a field number is out of range')
    return this.low
  }

  /** Leaves its halves in `low` and `high`. */
  varint(): void {
    const bytes = this.bytes
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) this.fail('unexpected EOF')
      const byte = bytes[this.at++]!
      const bits = byte & 127
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >> 4
      } else high |= bits << (shift - 32)
      if (byte < 128) {
        this.low = low >>> 0
        this.high = high >>> 0
        return
      }
    }
    this.fail('a varint is longer than 10 bytes')
  }

  /** As int64; beyond 2^53 the nearest double. */
  int64(): number {
    this.varint()
    return (this.high | 0) * 4294967296 + this.low
  }

  uint64(): number {
    this.varint()
    return this.high * 4294967296 + this.low
  }

  /** Zigzag: sint64 and sint32. */
  sint64(): number {
    this.varint()
    const magnitude = this.high * 2147483648 + (this.low >>> 1)
    return (this.low & 1) === 0 ? magnitude : -magnitude - 1
  }

  double(): number {
    const at = this.fixed64()
    return this.view.getFloat64(at, true)
  }

  /** Steps over eight bytes and returns where they are: for values whose bits must not change. */
  fixed64(): number {
    const at = this.at
    if (at + 8 > this.end) this.fail('unexpected EOF')
    this.at = at + 8
    return at
  }

  /** Reads a length and returns the end of what it covers. */
  lengthEnd(): number {
    let end = this.at < this.end ? this.bytes[this.at]! : 128
    if (end < 128) end += ++this.at
    else {
      this.varint()
      end = this.at + this.high * 4294967296 + this.low
    }
    if (end > this.end) this.fail('unexpected EOF')
    return end
  }

  skip(tag: number): void {
    const type = tag & 7
    if (type === WireType.bytes) this.at = this.lengthEnd()
    else if (type === WireType.varint) this.varint()
    else if (type === WireType.fixed64) this.fixed64()
    else if (type === WireType.fixed32 && this.at + 4 <= this.end) this.at += 4
    else this.fail(type === WireType.fixed32 ? 'unexpected EOF' : `illegal wireType ${type}`)
  }

  fail(why: string): never {
    throw new RemoteWriteError('bad-protobuf', `proto: ${why} at byte ${this.at}`, this.at)
  }
}

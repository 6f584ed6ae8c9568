/**
 * A growing byte buffer with the number forms of the payload: varint (LEB128 of 0 ≤ n ≤ 2^53), zigzag (signed, in a
 * varint), float64 (little-endian) and text (varint byte length, UTF-8). `byte-reader.ts` reads them.
 */
const encoder = new TextEncoder()

export class ByteWriter {
  length = 0
  private buffer: Uint8Array<ArrayBuffer>
  private view: DataView

  constructor(capacityBytes = 256) {
    this.buffer = new Uint8Array(capacityBytes)
    this.view = new DataView(this.buffer.buffer)
  }

  byte(value: number): void {
    if (this.length === this.buffer.length) this.grow(1)
    this.buffer[this.length++] = value
  }

  varint(value: number): void {
    if (this.length + 8 > this.buffer.length) this.grow(8)
    const buffer = this.buffer
    let at = this.length
    let rest = value
    while (rest >= 0x80000000) {
      buffer[at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      buffer[at++] = (rest & 127) | 128
      rest >>>= 7
    }
    buffer[at++] = rest
    this.length = at
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  float64(value: number): void {
    if (this.length + 8 > this.buffer.length) this.grow(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  text(value: string): void {
    const bytes = encoder.encode(value)
    this.varint(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.buffer.length) this.grow(bytes.length)
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  /** What was written; borrowed until the next write. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length)
  }

  private grow(byteCount: number): void {
    const next = new Uint8Array(Math.max(2 * this.buffer.length, this.length + byteCount))
    next.set(this.buffer.subarray(0, this.length))
    this.buffer = next
    this.view = new DataView(next.buffer)
  }
}

/** Length in bytes of `value` as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}

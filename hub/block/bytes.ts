/** Bytes that grow, and a cursor over bytes; whole numbers below 2^53 as LEB128. */

export class ByteWriter {
  bytes: Uint8Array<ArrayBuffer>
  length = 0
  #view: DataView

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.bytes.buffer)
  }

  /** Makes room for n more bytes; `bytes` may be replaced. */
  room(n: number): void {
    if (this.length + n <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + n))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
    this.#view = new DataView(grown.buffer)
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.length++] = value
  }

  u32(value: number): void {
    this.room(4)
    this.#view.setUint32(this.length, value, true)
    this.length += 4
  }

  varint(value: number): void {
    this.room(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    this.bytes[this.length++] = rest
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  append(part: Uint8Array): void {
    this.room(part.length)
    this.bytes.set(part, this.length)
    this.length += part.length
  }

  /** Borrowed until the next write. */
  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length)
  }
}

/** Reads what `ByteWriter` wrote, of bytes whose checksum was right; past the end it reads zeros. */
export class ByteReader {
  readonly bytes: Uint8Array
  at: number
  #view: DataView | null = null

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** Packed bits are read a word at a time. */
  get view(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength)
    return this.#view
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.bytes[this.at++] ?? 0
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  take(n: number): Uint8Array {
    this.at += n
    return this.bytes.subarray(this.at - n, this.at)
  }
}

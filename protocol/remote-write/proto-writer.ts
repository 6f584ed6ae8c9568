/** Protobuf wire format, written into one growing buffer; lengths of nested messages are filled in afterwards. */
export class ProtoWriter {
  length = 0
  private buffer = new Uint8Array(4096)
  private view = new DataView(this.buffer.buffer)
  private readonly text = new TextEncoder()

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.length)
  }

  /** Borrowed until something more is written. */
  written(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  /** What was written is of no use any more; its memory is. */
  clear(): void {
    this.length = 0
  }

  varint(value: number): void {
    this.reserve(10)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.length++] = (rest % 128) | 128
    this.buffer[this.length++] = rest
  }

  /** int64 in two's complement. */
  int64(value: number): void {
    if (value >= 0) {
      this.varint(value)
      return
    }
    this.reserve(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest >= 128n; rest >>= 7n) this.buffer[this.length++] = Number(rest & 127n) | 128
    this.buffer[this.length++] = Number(rest)
  }

  sint64(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  double(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.length, value, true)
    this.length += 8
  }

  /** Eight bytes as they are: for values whose bits must not change. */
  raw(bytes: Uint8Array, at: number, byteCount: number): void {
    this.reserve(byteCount)
    for (let i = 0; i < byteCount; i++) this.buffer[this.length++] = bytes[at + i]!
  }

  /** As they are, and many of them. */
  append(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    this.buffer.set(bytes, this.length)
    this.length += bytes.length
  }

  /** A string with its length. */
  string(value: string): void {
    const n = value.length
    this.reserve(n + 10)
    if (n < 128 && this.ascii(value, n)) return
    const bytes = this.text.encode(value)
    this.varint(bytes.length)
    this.raw(bytes, 0, bytes.length)
  }

  /** Nearly all labels are short ASCII: three times as fast as TextEncoder. False, with nothing written, for others. */
  private ascii(value: string, n: number): boolean {
    const start = this.length + 1
    for (let i = 0; i < n; i++) {
      const code = value.charCodeAt(i)
      if (code > 127) return false
      this.buffer[start + i] = code
    }
    this.buffer[this.length] = n
    this.length = start + n
    return true
  }

  /** Begins a message whose length is not known yet; give what it returns to `endMessage`. */
  beginMessage(tag: number): number {
    this.varint(tag)
    this.reserve(1)
    return this.length++
  }

  /** Writes the length; messages of 128 bytes and more are moved up to make room for it. */
  endMessage(start: number): void {
    const size = this.length - start - 1
    let extra = 0
    for (let rest = size; rest >= 128; rest >>>= 7) extra++
    this.reserve(extra)
    if (extra > 0) this.buffer.copyWithin(start + 1 + extra, start + 1, this.length)
    let at = start
    let rest = size
    for (; rest >= 128; rest >>>= 7) this.buffer[at++] = (rest & 127) | 128
    this.buffer[at] = rest
    this.length += extra
  }

  private reserve(byteCount: number): void {
    if (this.length + byteCount <= this.buffer.length) return
    const next = new Uint8Array(Math.max(2 * this.buffer.length, this.length + byteCount))
    next.set(this.buffer.subarray(0, this.length))
    this.buffer = next
    this.view = new DataView(next.buffer)
  }
}

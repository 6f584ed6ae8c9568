/**
 * Whole numbers as frames of up to 64: the smallest is taken away, the rest is packed in as few bits as most need,
 * and the few that need more are patched, so that one jump of a counter does not widen its neighbours.
 *
 *     frame: width (0-31) | patched (bit 5) | shifted (bit 6)      [shift]      smallest >> shift, zigzag LEB128
 *            count * width bits, least significant first           [patches: n, then n * (position, high bits LEB128)]
 *
 * Hot: bench/hub/block.bench.ts
 */
import { readBits, viewBits, writeBits } from '../tsdb/mod.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

export const FRAME = 64
const PATCHED = 0x20
const SHIFTED = 0x40
const WIDTH_MAX = 31
/** Frames of wider ranges are not packed. */
const RANGE_MAX = 2 ** 48

/** Memory of one encoder: the lengths in bits that occur in a frame. */
export class FramePacker {
  readonly #lengths = new Uint32Array(64)
  #shift = 0
  #min = 0
  #width = 0
  #patches = 0

  /** Bits that the frame takes; -1 when it cannot be packed. `write` must follow with the same arguments. */
  plan(ints: Float64Array, from: number, n: number): number {
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    let or = 0
    for (let i = from; i < from + n; i++) {
      const x = ints[i]!
      if (x < min) min = x
      if (x > max) max = x
      or |= x // modulo 2^32, which keeps the trailing zeros
    }
    if (!(max - min < RANGE_MAX)) return -1
    const shift = or === 0 ? 0 : 31 - Math.clz32(or & -or)
    const scale = 2 ** shift
    const lengths = this.#lengths.fill(0)
    for (let i = from; i < from + n; i++) lengths[bitLength((ints[i]! - min) / scale)]!++
    let widest = 48
    while (widest > 0 && lengths[widest] === 0) widest--
    // Leaving out the longest, one length after the other: fewer bits for all, some bytes for each left out.
    let best = widest <= WIDTH_MAX ? n * widest : Number.POSITIVE_INFINITY
    this.#width = widest
    this.#patches = 0
    let patches = 0
    let patchBits = 8
    for (let width = widest - 1; width >= 0 && patches < n >>> 2; width--) {
      patches += lengths[width + 1]!
      patchBits = 8
      for (let length = width + 1; length <= widest; length++)
        patchBits += lengths[length]! * (8 + 8 * Math.ceil((length - width) / 7))
      if (width <= WIDTH_MAX && n * width + patchBits < best) {
        best = n * width + patchBits
        this.#width = width
        this.#patches = patches
      }
    }
    if (best === Number.POSITIVE_INFINITY) return -1
    this.#shift = shift
    this.#min = min
    return best + 16
  }

  write(ints: Float64Array, from: number, n: number, out: ByteWriter): void {
    const width = this.#width
    const shift = this.#shift
    out.byte(width | (this.#patches > 0 ? PATCHED : 0) | (shift > 0 ? SHIFTED : 0))
    if (shift > 0) out.byte(shift)
    const scale = 2 ** shift
    const min = this.#min
    out.zigzag(min / scale)
    const bytes = (n * width + 7) >>> 3
    const limit = 2 ** width
    out.room(bytes)
    if (width > 0) {
      const at = out.length
      out.bytes.fill(0, at, at + bytes)
      for (let i = 0, bit = 0; i < n; i++, bit += width)
        writeBits(out.bytes, at, bit, ((ints[from + i]! - min) / scale) % limit, width)
      out.length += bytes
    }
    if (this.#patches === 0) return
    out.byte(this.#patches)
    for (let i = 0; i < n; i++) {
      const offset = (ints[from + i]! - min) / scale
      if (offset < limit) continue
      out.byte(i)
      out.varint(Math.floor(offset / limit))
    }
  }
}

/** Decodes a frame of n into `out[to, to + n)`. `bytes` has at least four bytes more than were written. */
export function unpackFrame(reader: ByteReader, n: number, out: Float64Array, to: number): void {
  const head = reader.byte()
  const width = head & WIDTH_MAX
  const scale = (head & SHIFTED) !== 0 ? 2 ** reader.byte() : 1
  const min = reader.zigzag() * scale
  const pos = reader.at
  if (width === 0) out.fill(min, to, to + n)
  else {
    const { view } = reader
    if (pos + ((n * width) >>> 3) + 5 > view.byteLength) {
      for (let i = to, bit = 0; i < to + n; i++, bit += width)
        out[i] = min + readBits(reader.bytes, pos, bit, width) * scale
    } else if (width > 24) {
      for (let i = to, bit = pos * 8; i < to + n; i++, bit += width) out[i] = min + viewBits(view, bit, width) * scale
    } else {
      const mask = (1 << width) - 1
      for (let i = to, bit = pos * 8; i < to + n; i++, bit += width)
        out[i] = min + ((view.getInt32(bit >>> 3, true) >>> (bit & 7)) & mask) * scale
    }
  }
  reader.at = pos + ((n * width + 7) >>> 3)
  if ((head & PATCHED) === 0) return
  const step = 2 ** width * scale
  for (let patches = reader.byte(); patches > 0; patches--) {
    const i = to + reader.byte()
    out[i] = out[i]! + reader.varint() * step
  }
}

/** Of a whole number below 2^48. */
function bitLength(x: number): number {
  return x < 0x100000000 ? 32 - Math.clz32(x) : 64 - Math.clz32(Math.floor(x / 0x100000000))
}

/**
 * Differences of a counter or of a slow gauge: mostly small, many of them zero. Rice codes spend on each as many bits as
 * it needs, where frames (packing.ts) give all of a frame the same; what is zero costs next to nothing.
 *
 *     k of values (0-24) | has gaps (bit 5) | shift (bit 6) | signed (bit 7)     [shift]     [k of gaps, n of values LEB128]
 *     without gaps: n * code(value)          with gaps: n of values * (code(zeros before), code(value - 1))
 *     code(x) with k: x >> k ones and a zero, then the k low bits; ESCAPE ones: 48 bits of x instead
 *
 * Values are divided by 2^shift; signed: zigzag. Bits are least significant first. Hot: bench/hub/block.bench.ts
 */
import { viewBits, writeBits } from '../tsdb/mod.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

const K_MAX = 24
const K_MASK = 0x1f
const HAS_GAPS = 0x20
const SHIFTED = 0x40
const SIGNED = 0x80
const ESCAPE = 24
const ESCAPE_MASK = 2 ** ESCAPE - 1
/** No more ones are counted: what follows an escape may be ones too. */
const ESCAPE_BIT = 1 << ESCAPE
const VALUE_MAX = 2 ** 48

/** Memory of one encoder. */
export class RiceCoder {
  #codes = new Float64Array(1024)
  #gaps = new Float64Array(1024)
  #head = 0
  #shift = 0
  #valueK = 0
  #gapK = 0
  #count = 0

  /** Bits that `ints[from, to)` take; -1 when they are too large. `write` must follow. */
  plan(ints: Float64Array, from: number, to: number): number {
    const n = to - from
    if (this.#codes.length < n) {
      this.#codes = new Float64Array(2 * n)
      this.#gaps = new Float64Array(2 * n)
    }
    const codes = this.#codes
    let or = 0
    let isSigned = false
    let zeros = 0
    let largest = 0
    for (let i = from; i < to; i++) {
      const x = ints[i]!
      or |= x // modulo 2^32, which keeps the trailing zeros
      if (x < 0) isSigned = true
      if (x === 0) zeros++
      const size = Math.abs(x)
      if (size > largest) largest = size
    }
    const shift = or === 0 ? 0 : 31 - Math.clz32(or & -or)
    const scale = 2 ** -shift
    if (largest * scale >= VALUE_MAX / 2) return -1
    for (let i = 0; i < n; i++) {
      const x = ints[from + i]! * scale
      codes[i] = !isSigned ? x : x < 0 ? -2 * x - 1 : 2 * x
    }
    this.#head = (isSigned ? SIGNED : 0) | (shift > 0 ? SHIFTED : 0)
    this.#shift = shift
    this.#count = n
    this.#valueK = bestK(codes, n)
    const dense = cost(codes, n, this.#valueK)
    if (zeros <= n >>> 3) return dense + 24
    // The gaps between what is not zero, and that less one.
    const gaps = this.#gaps
    let count = 0
    let gap = 0
    const kept = codes.slice(0, n)
    for (let i = 0; i < n; i++) {
      if (kept[i] === 0) gap++
      else {
        gaps[count] = gap
        codes[count++] = kept[i]! - 1
        gap = 0
      }
    }
    const valueK = bestK(codes, count)
    const gapK = bestK(gaps, count)
    const sparse = cost(codes, count, valueK) + cost(gaps, count, gapK) + 24
    if (sparse < dense) {
      this.#head |= HAS_GAPS
      this.#valueK = valueK
      this.#gapK = gapK
      this.#count = count
      return sparse + 24
    }
    codes.set(kept)
    return dense + 24
  }

  write(out: ByteWriter): void {
    const codes = this.#codes
    const gaps = this.#gaps
    const count = this.#count
    const hasGaps = (this.#head & HAS_GAPS) !== 0
    out.byte(this.#head | this.#valueK)
    if (this.#shift > 0) out.byte(this.#shift)
    if (hasGaps) {
      out.byte(this.#gapK)
      out.varint(count)
    }
    const bits = cost(codes, count, this.#valueK) + (hasGaps ? cost(gaps, count, this.#gapK) : 0)
    const bytes = (bits + 7) >>> 3
    out.room(bytes)
    const at = out.length
    out.bytes.fill(0, at, at + bytes)
    let bit = 0
    for (let i = 0; i < count; i++) {
      if (hasGaps) bit = put(out.bytes, at, bit, gaps[i]!, this.#gapK)
      bit = put(out.bytes, at, bit, codes[i]!, this.#valueK)
    }
    out.length += bytes
  }
}

/** Decodes n differences into `out[to, to + n)`. The bytes go on for eight more than were written. */
export function unpackRice(reader: ByteReader, n: number, out: Float64Array, to: number): void {
  const head = reader.byte()
  const k = head & K_MASK
  const scale = (head & SHIFTED) !== 0 ? 2 ** reader.byte() : 1
  const isSigned = (head & SIGNED) !== 0
  const hasGaps = (head & HAS_GAPS) !== 0
  const gapK = hasGaps ? reader.byte() : 0
  const count = hasGaps ? reader.varint() : n
  const { view } = reader
  const end = to + n
  let bit = 8 * reader.at
  let at = to
  if (!hasGaps && k <= 16) {
    // Most codes stand in one word, whole.
    const mask = (1 << k) - 1
    const room = 24 - k
    for (; at < end; at++) {
      const word = view.getInt32(bit >>> 3, true) >>> (bit & 7)
      const zeros = ~word | ESCAPE_BIT
      const ones = 31 - Math.clz32(zeros & -zeros)
      let x: number
      if (ones <= room && ones < ESCAPE) {
        x = (ones << k) | ((word >>> (ones + 1)) & mask)
        bit += ones + 1 + k
      } else if (ones >= ESCAPE) {
        x = wideAt(view, bit + ESCAPE)
        bit += ESCAPE + 48
      } else {
        bit += ones + 1
        x = ones * 2 ** k + viewBits(view, bit, k)
        bit += k
      }
      out[at] = isSigned
        ? ((x & 1) === 0 && x < 0x7fffffff ? x >>> 1 : x % 2 === 1 ? -(x + 1) / 2 : x / 2) * scale
        : x * scale
    }
    reader.at = (bit + 7) >>> 3
    return
  }
  for (let i = 0; i < count && at < end; i++) {
    if (hasGaps) {
      let gap = 0
      const ones = onesAt(view, bit)
      if (ones === ESCAPE) {
        gap = wideAt(view, bit + ESCAPE)
        bit += ESCAPE + 48
      } else {
        bit += ones + 1
        gap = gapK === 0 ? ones : ones * 2 ** gapK + viewBits(view, bit, gapK)
        bit += gapK
      }
      const stop = Math.min(at + gap, end)
      while (at < stop) out[at++] = 0
      if (at === end) break
    }
    const ones = onesAt(view, bit)
    let x: number
    if (ones === ESCAPE) {
      x = wideAt(view, bit + ESCAPE)
      bit += ESCAPE + 48
    } else {
      bit += ones + 1
      x = k === 0 ? ones : ones * 2 ** k + viewBits(view, bit, k)
      bit += k
    }
    if (hasGaps) x++
    out[at++] = (isSigned ? (x % 2 === 1 ? -(x + 1) / 2 : x / 2) : x) * scale
  }
  while (at < end) out[at++] = 0
  reader.at = (bit + 7) >>> 3
}

/** At most ESCAPE. */
function onesAt(view: DataView, bit: number): number {
  // What lies beyond the ones of an escape is its value, and may be ones, too.
  const zeros = ~((view.getInt32(bit >>> 3, true) >>> (bit & 7)) & ESCAPE_MASK)
  return 31 - Math.clz32(zeros & -zeros)
}

function wideAt(view: DataView, bit: number): number {
  return viewBits(view, bit, 24) + viewBits(view, bit + 24, 24) * 2 ** 24
}

/** Near the one of the mean, which is nearly the best for any geometric distribution. */
function bestK(codes: Float64Array, n: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += codes[i]!
  const guess = Math.max(0, Math.floor(Math.log2((0.69 * sum) / n + 1)))
  let best = Math.min(guess, K_MAX)
  let least = cost(codes, n, best)
  for (let k = Math.max(0, guess - 1); k <= Math.min(K_MAX, guess + 1); k++) {
    if (k === best) continue
    const bits = cost(codes, n, k)
    if (bits >= least) continue
    least = bits
    best = k
  }
  return best
}

function cost(codes: Float64Array, n: number, k: number): number {
  const scale = 2 ** -k
  let bits = 0
  for (let i = 0; i < n; i++) {
    const ones = Math.floor(codes[i]! * scale)
    bits += ones < ESCAPE ? ones + 1 + k : ESCAPE + 48
  }
  return bits
}

/** Returns where the next code begins. */
function put(bytes: Uint8Array, at: number, bit: number, x: number, k: number): number {
  const ones = Math.floor(x / 2 ** k)
  if (ones >= ESCAPE) {
    writeBits(bytes, at, bit, 2 ** ESCAPE - 1, ESCAPE)
    writeBits(bytes, at, bit + ESCAPE, x % 2 ** 24, 24)
    writeBits(bytes, at, bit + ESCAPE + 24, Math.floor(x / 2 ** 24), 24)
    return bit + ESCAPE + 48
  }
  writeBits(bytes, at, bit, 2 ** ones - 1, ones)
  if (k > 0) writeBits(bytes, at, bit + ones + 1, x % 2 ** k, k)
  return bit + ones + 1 + k
}

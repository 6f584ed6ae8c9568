/**
 * Chunks of floats: number of samples (two bytes), then times as deltas of deltas and values as XOR.
 * Semantics: Prometheus tsdb/chunkenc/xor.go (v3.5).
 */
import { BitReader, BitWriter } from './bits.ts'
import type { ChunkColumns } from './columns.ts'
import { TsdbFormatError } from './errors.ts'
import { XorReader, XorWriter } from './xor-value.ts'

const HEADER_BYTES = 2
const TWO_32 = 2 ** 32
/** Widths of the deltas of deltas, by the number of leading ones. */
const DOD_WIDTHS = [0, 14, 17, 20, 64] as const

const bits = new BitReader()
const value = new XorReader()

/** @throws TsdbFormatError */
export function decodeXorChunk(bytes: Uint8Array, out: ChunkColumns): void {
  if (bytes.length < HEADER_BYTES) throw new TsdbFormatError('', 0, 'the chunk is cut off')
  const n = (bytes[0]! << 8) | bytes[1]!
  bits.reset(bytes, HEADER_BYTES)
  const { times, words } = out
  let time = 0
  let delta = 0
  for (let i = 0; i < n; i++) {
    if (i === 0) {
      time = bits.varint()
      value.first(bits)
    } else {
      delta = i === 1 ? bits.uvarint() : delta + readDod()
      time += delta
      value.next(bits)
    }
    bits.checkEnd()
    times[i] = time
    words[2 * i] = value.low
    words[2 * i + 1] = value.high
  }
  out.count = n
  out.histograms = null
}

function readDod(): number {
  const n = DOD_WIDTHS[bits.ones(4)]!
  if (n === 0) return 0
  const low = bits.wide(n)
  if (n === 64) return (bits.high | 0) * TWO_32 + low
  return low > 1 << (n - 1) ? low - (1 << n) : low
}

export class XorChunkWriter {
  readonly #out = new BitWriter()
  readonly #value = new XorWriter()
  #time = 0
  #delta = 0
  count = 0

  reset(): void {
    this.#out.reset(HEADER_BYTES)
    this.count = 0
  }

  get sizeBytes(): number {
    return this.#out.sizeBytes
  }

  /** @param words the value's, at `2 * at` the lower one */
  add(timeMs: number, words: Uint32Array, at: number): void {
    const out = this.#out
    const low = words[2 * at]!
    const high = words[2 * at + 1]!
    if (this.count === 0) {
      out.varint(timeMs)
      this.#value.first(out, low, high)
    } else {
      const delta = timeMs - this.#time
      if (this.count === 1) out.uvarint(delta)
      else writeDod(out, delta - this.#delta)
      this.#delta = delta
      this.#value.next(out, low, high)
    }
    this.#time = timeMs
    this.count++
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = this.#out.written()
    bytes[0] = this.count >>> 8
    bytes[1] = this.count & 255
    return bytes
  }
}

function writeDod(out: BitWriter, dod: number): void {
  let ones = 0
  if (dod !== 0)
    for (ones = 1; ones < 4; ones++) {
      const half = 1 << (DOD_WIDTHS[ones]! - 1)
      if (dod > -half && dod <= half) break
    }
  if (ones === 4) out.bits(0b1111, 4)
  else out.bits((1 << (ones + 1)) - 2, ones + 1)
  const high = Math.floor(dod / TWO_32)
  out.wide(dod - high * TWO_32, high, DOD_WIDTHS[ones]!)
}

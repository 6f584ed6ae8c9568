/** Reads what `encode-columns.ts` writes. Hot: bench/protocol/batch.bench.ts. */
import type { ByteReader } from './byte-reader.ts'
import { type Base, MAX_DECIMALS, MODE_COUNT, Mode, POWERS_OF_TEN, scaledOf } from './column-modes.ts'
import type { Layout } from './layout.ts'

export class ColumnReader {
  private readonly modes: ByteReader
  private readonly bitmaps: ByteReader
  private readonly numbers: ByteReader
  private readonly planes: ByteReader
  private readonly xorCount: number
  private xorIndex = 0
  private words = new Uint32Array(64)
  private values = new Float64Array(this.words.buffer)

  constructor(streams: {
    readonly modes: ByteReader
    readonly bitmaps: ByteReader
    readonly numbers: ByteReader
    readonly planes: ByteReader
  }) {
    this.modes = streams.modes
    this.bitmaps = streams.bitmaps
    this.numbers = streams.numbers
    this.planes = streams.planes
    this.xorCount = streams.planes.left / 8
    if (!Number.isInteger(this.xorCount)) streams.planes.fail('its length is no multiple of 8')
  }

  /** Fills `flat` (by flat position, see Layout); positions that the layout skips stay as they are. */
  columns(flat: Float64Array, layout: Layout, ids: Uint32Array, base: Base): void {
    const out = new Uint32Array(flat.buffer, flat.byteOffset, 2 * flat.length)
    const { columnCount, rowCount, columnStart, positions } = layout
    for (let c = 0; c < columnCount; c++) {
      const start = columnStart === null ? 0 : columnStart[c]!
      const n = columnStart === null ? rowCount : columnStart[c + 1]! - start
      if (n === 0) continue
      const id = ids[c]!
      const known = id < base.count
      const low = known ? base.words[2 * id]! : 0
      const high = known ? base.words[2 * id + 1]! : base.missingHigh
      const mode = this.modes.byte()
      if (mode === Mode.same) {
        if (positions === null) fillDense(out, c, columnCount, n, low, high)
        else fillAt(out, positions, start, n, low, high)
        continue
      }
      if (n > this.values.length) this.reserve(n)
      if (mode === Mode.xor) this.xor(n, low, high)
      else if (mode < MODE_COUNT) this.integers(mode - Mode.scaled, n, known ? base.values[id]! : Number.NaN)
      else this.modes.fail(`mode ${mode} is not known`)
      if (positions === null) copyDense(this.words, out, c, columnCount, n)
      else copyAt(this.words, out, positions, start, n)
    }
  }

  /** All streams must have been used up. */
  end(): void {
    this.modes.end()
    this.bitmaps.end()
    this.numbers.end()
    if (this.xorIndex !== this.xorCount) this.planes.fail('values are left over')
  }

  private integers(code: number, n: number, baseValue: number): void {
    const unit = code >> 1
    const power = unit <= MAX_DECIMALS ? POWERS_OF_TEN[unit]! : 1
    const factor = unit <= MAX_DECIMALS ? 1 : 2 ** (unit - MAX_DECIMALS)
    const { values, numbers } = this
    const bitmap = (code & 1) === 1 ? this.bitmaps.raw((n + 7) >> 3) : null
    let scaled = scaledOf(baseValue, power)
    for (let i = 0; i < n; i++) {
      if (bitmap === null || (bitmap[i >> 3]! >> (i & 7)) & 1) scaled += numbers.zigzag() * factor
      values[i] = scaled / power
    }
  }

  private xor(n: number, low: number, high: number): void {
    const { words, xorCount: m } = this
    const planes = this.planes.bytes
    if (this.xorIndex + n > m) this.planes.fail('it ends too early')
    let lowBits = low
    let highBits = high
    for (let i = 0, at = this.xorIndex; i < n; i++, at++) {
      lowBits ^= planes[at]! | (planes[at + m]! << 8) | (planes[at + 2 * m]! << 16) | (planes[at + 3 * m]! << 24)
      highBits ^=
        planes[at + 4 * m]! | (planes[at + 5 * m]! << 8) | (planes[at + 6 * m]! << 16) | (planes[at + 7 * m]! << 24)
      words[2 * i] = lowBits
      words[2 * i + 1] = highBits
    }
    this.xorIndex += n
  }

  private reserve(n: number): void {
    this.words = new Uint32Array(2 * n)
    this.values = new Float64Array(this.words.buffer)
  }
}

// Values move as pairs of words throughout: a NaN's payload may not survive as a number.

function fillDense(out: Uint32Array, column: number, stride: number, n: number, low: number, high: number): void {
  for (let i = 0, at = 2 * column; i < n; i++, at += 2 * stride) {
    out[at] = low
    out[at + 1] = high
  }
}

function fillAt(out: Uint32Array, positions: Uint32Array, start: number, n: number, low: number, high: number): void {
  for (let i = start; i < start + n; i++) {
    out[2 * positions[i]!] = low
    out[2 * positions[i]! + 1] = high
  }
}

function copyDense(words: Uint32Array, out: Uint32Array, column: number, stride: number, n: number): void {
  for (let i = 0, at = 2 * column; i < n; i++, at += 2 * stride) {
    out[at] = words[2 * i]!
    out[at + 1] = words[2 * i + 1]!
  }
}

function copyAt(words: Uint32Array, out: Uint32Array, positions: Uint32Array, start: number, n: number): void {
  for (let i = 0; i < n; i++) {
    out[2 * positions[start + i]!] = words[2 * i]!
    out[2 * positions[start + i]! + 1] = words[2 * i + 1]!
  }
}

/**
 * Writes columns of doubles, each in the cheapest mode that restores its bits (column-modes.ts).
 * Hot: bench/protocol/batch.bench.ts.
 */
import { ByteWriter } from './byte-writer.ts'
import { type Base, MAX_DECIMALS, MAX_SCALED, MAX_SHIFT, Mode, POWERS_OF_TEN, scaledOf } from './column-modes.ts'
import type { Layout } from './layout.ts'

/** The streams that all columns of a batch share, so that like bytes stand together for zstd. */
export class ColumnWriter {
  readonly modes = new ByteWriter()
  readonly bitmaps = new ByteWriter()
  readonly numbers = new ByteWriter(4096)
  private xorWords = new Uint32Array(64)
  private xorCount = 0
  private words = new Uint32Array(64)
  private values = new Float64Array(this.words.buffer)
  private scaled = new Float64Array(32)

  /**
   * @param flat samples by flat position (see Layout)
   * @param ids the series of each column, for their values in `base`
   */
  columns(flat: Float64Array, layout: Layout, ids: Uint32Array, base: Base): void {
    const source = new Uint32Array(flat.buffer, flat.byteOffset, 2 * flat.length)
    const { columnCount, rowCount, columnStart, positions } = layout
    this.reserve(Math.max(rowCount, positions === null ? 0 : longest(columnStart!)))
    for (let c = 0; c < columnCount; c++) {
      const n = columnStart === null ? rowCount : columnStart[c + 1]! - columnStart[c]!
      if (n === 0) continue
      const words = this.words
      for (let i = 0; i < n; i++) {
        const at = 2 * (positions === null ? i * columnCount + c : positions[columnStart![c]! + i]!)
        words[2 * i] = source[at]!
        words[2 * i + 1] = source[at + 1]!
      }
      this.column(n, ids[c]!, base)
    }
  }

  /** The XOR values, plane by plane: all lowest bytes first. */
  planes(): Uint8Array {
    const out = new Uint8Array(8 * this.xorCount)
    for (let i = 0; i < this.xorCount; i++)
      for (let p = 0; p < 8; p++) out[p * this.xorCount + i] = this.xorWords[2 * i + (p >> 2)]! >>> (8 * (p & 3))
    return out
  }

  private column(n: number, id: number, base: Base): void {
    const low = id < base.count ? base.words[2 * id]! : 0
    const high = id < base.count ? base.words[2 * id + 1]! : base.missingHigh
    if (allEqual(this.words, n, low, high)) {
      this.modes.byte(Mode.same)
      return
    }
    const decimals = decimalsOf(this.values, this.words, n)
    if (decimals < 0) this.xor(n, low, high)
    else this.integers(n, id < base.count ? base.values[id]! : Number.NaN, decimals)
  }

  private integers(n: number, baseValue: number, decimals: number): void {
    const power = POWERS_OF_TEN[decimals]!
    const deltas = this.scaled
    let previous = scaledOf(baseValue, power)
    let bits = 0
    for (let i = 0; i < n; i++) {
      const scaled = Math.round(this.values[i]! * power)
      const delta = scaled - previous
      previous = scaled
      deltas[i] = delta
      bits |= delta
    }
    const shift = decimals === 0 ? Math.min(bits === 0 ? 32 : 31 - Math.clz32(bits & -bits), MAX_SHIFT) : 0
    if (shift > 0) for (let i = 0; i < n; i++) deltas[i]! /= 2 ** shift
    this.deltas(n, shift > 0 ? MAX_DECIMALS + shift : decimals)
  }

  private deltas(n: number, unit: number): void {
    const deltas = this.scaled
    let changed = 0
    for (let i = 0; i < n; i++) if (deltas[i] !== 0) changed++
    const sparse = (n + 7) >> 3 < n - changed
    this.modes.byte(Mode.scaled + 2 * unit + (sparse ? 1 : 0))
    if (sparse) writeBitmap(this.bitmaps, deltas, n)
    for (let i = 0; i < n; i++) if (!sparse || deltas[i] !== 0) this.numbers.zigzag(deltas[i]!)
  }

  private xor(n: number, low: number, high: number): void {
    this.modes.byte(Mode.xor)
    if (2 * (this.xorCount + n) > this.xorWords.length) {
      const next = new Uint32Array(Math.max(2 * this.xorWords.length, 2 * (this.xorCount + n)))
      next.set(this.xorWords)
      this.xorWords = next
    }
    const out = this.xorWords
    let at = 2 * this.xorCount
    let previousLow = low
    let previousHigh = high
    for (let i = 0; i < n; i++) {
      out[at++] = this.words[2 * i]! ^ previousLow
      out[at++] = this.words[2 * i + 1]! ^ previousHigh
      previousLow = this.words[2 * i]!
      previousHigh = this.words[2 * i + 1]!
    }
    this.xorCount += n
  }

  private reserve(n: number): void {
    if (this.values.length >= n) return
    this.words = new Uint32Array(2 * n)
    this.values = new Float64Array(this.words.buffer)
    this.scaled = new Float64Array(n)
  }
}

function longest(columnStart: Uint32Array): number {
  let n = 0
  for (let c = 1; c < columnStart.length; c++) n = Math.max(n, columnStart[c]! - columnStart[c - 1]!)
  return n
}

function allEqual(words: Uint32Array, n: number, low: number, high: number): boolean {
  for (let i = 0; i < n; i++) if (words[2 * i] !== low || words[2 * i + 1] !== high) return false
  return true
}

/** The least number of decimal places that restores every value exactly; -1 when there is none. */
function decimalsOf(values: Float64Array, words: Uint32Array, n: number): number {
  let decimals = 0
  for (let i = 0; i < n; i++) {
    const value = values[i]!
    // -0 would come back as 0.
    if (value === 0 && words[2 * i + 1] !== 0) return -1
    for (;;) {
      const power = POWERS_OF_TEN[decimals]!
      const scaled = Math.round(value * power)
      // Also false for NaN and the infinities.
      if (!(scaled < MAX_SCALED && scaled > -MAX_SCALED)) return -1
      if (scaled / power === value) break
      if (++decimals > MAX_DECIMALS) return -1
    }
  }
  // A large value may have passed with fewer places than its neighbours need.
  const power = POWERS_OF_TEN[decimals]!
  for (let i = 0; i < n; i++) {
    const scaled = Math.round(values[i]! * power)
    if (!(scaled < MAX_SCALED && scaled > -MAX_SCALED && scaled / power === values[i])) return -1
  }
  return decimals
}

function writeBitmap(out: ByteWriter, deltas: Float64Array, n: number): void {
  let byte = 0
  for (let i = 0; i < n; i++) {
    if (deltas[i] !== 0) byte |= 1 << (i & 7)
    if ((i & 7) === 7 || i === n - 1) {
      out.byte(byte)
      byte = 0
    }
  }
}

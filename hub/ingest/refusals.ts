/**
 * Which items of a request were refused: it stands in the log before the body. Replay decodes the body again, but must
 * not judge it again. By then window, bounds and limits may be others, and the head other, too: what was refused would
 * come back, or what was acknowledged would be missing.
 *
 *     [ series u32 ][ samples u32 ][ histograms u32 ][ bytes of runs u32 ][ runs: varints of items kept, refused, kept, … ]
 *
 * Items are all series, then all samples, then all histograms, as decoding the body yields them. Little endian; what
 * follows the last run is kept.
 */
import type { WriteColumns } from '../../protocol/remote-write/mod.ts'

const HEADER_BYTES = 16
/** More than a body may have: what claims more is no record of ours. */
const MAX_ITEMS = 1 << 28

type Shape = Pick<WriteColumns, 'seriesCount' | 'sampleStart' | 'histograms'>

export class Refusals {
  readonly series: number
  readonly samples: number
  readonly histograms: number
  /** By item, 1: refused. */
  readonly #marks: Uint8Array

  constructor(series: number, samples: number, histograms: number) {
    this.series = series
    this.samples = samples
    this.histograms = histograms
    this.#marks = new Uint8Array(series + samples + histograms)
  }

  /** Nothing is refused yet. */
  static of({ seriesCount, sampleStart, histograms }: Shape): Refusals {
    return new Refusals(seriesCount, sampleStart[seriesCount]!, histograms.length)
  }

  /** @returns the refusals, and where in `bytes` the body begins. @throws Error for what is no such record */
  static read(bytes: Uint8Array): { readonly refusals: Refusals; readonly end: number } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const [series, samples, histograms] = [0, 4, 8].map((at) => view.getUint32(at, true)) as [number, number, number]
    const end = HEADER_BYTES + view.getUint32(12, true)
    if (series + samples + histograms > MAX_ITEMS || end > bytes.length)
      throw new Error('refusals of a write: bad sizes')
    const refusals = new Refusals(series, samples, histograms)
    refusals.#readRuns(bytes.subarray(HEADER_BYTES, end))
    return { refusals, end }
  }

  refuseSeries(s: number): void {
    this.#marks[s] = 1
  }

  refuseSample(i: number): void {
    this.#marks[this.series + i] = 1
  }

  refuseHistogram(h: number): void {
    this.#marks[this.series + this.samples + h] = 1
  }

  hasSeries(s: number): boolean {
    return this.#marks[s] === 1
  }

  hasSample(i: number): boolean {
    return this.#marks[this.series + i] === 1
  }

  hasHistogram(h: number): boolean {
    return this.#marks[this.series + this.samples + h] === 1
  }

  /** Whether the request has the items that these were told of: another version may decode a body to others. */
  fits({ seriesCount, sampleStart, histograms }: Shape): boolean {
    return (
      this.series === seriesCount && this.samples === sampleStart[seriesCount]! && this.histograms === histograms.length
    )
  }

  encode(): Uint8Array {
    const runs: number[] = []
    const marks = this.#marks
    let from = 0
    for (let at = 0, isRefused = 0; at < marks.length; at++) {
      if (marks[at] === isRefused) continue
      pushVarint(runs, at - from)
      from = at
      isRefused = marks[at]!
    }
    if (from < marks.length && marks[from] === 1) pushVarint(runs, marks.length - from)
    const out = new Uint8Array(HEADER_BYTES + runs.length)
    const view = new DataView(out.buffer)
    for (const [i, n] of [this.series, this.samples, this.histograms, runs.length].entries())
      view.setUint32(4 * i, n, true)
    out.set(runs, HEADER_BYTES)
    return out
  }

  #readRuns(runs: Uint8Array): void {
    const marks = this.#marks
    let item = 0
    for (let at = 0, isRefused = 0; at < runs.length; isRefused ^= 1) {
      let length = 0
      for (let scale = 1; ; scale *= 128) {
        const byte = runs[at++]
        if (byte === undefined) throw new Error('refusals of a write: the last run is cut off')
        length += (byte & 127) * scale
        if (byte < 128) break
      }
      if (item + length > marks.length) throw new Error('refusals of a write: more items than there are')
      marks.fill(isRefused, item, item + length)
      item += length
    }
  }
}

function pushVarint(out: number[], value: number): void {
  let rest = value
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128)
  out.push(rest)
}

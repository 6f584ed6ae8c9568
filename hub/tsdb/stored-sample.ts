/** What a series has at a time already: a late sample that is there is a duplicate, or contradicts it. */
import type { GroupWriter } from './groups.ts'
import { HistogramEncoder } from './histogram-codec.ts'
import type { Memory } from './memory.ts'
import { createSampleBuffer } from './sample-buffer.ts'
import { SeriesDecoder } from './series-reader.ts'

export class StoredSample {
  readonly #decoder: SeriesDecoder
  readonly #encoder = new HistogramEncoder()
  readonly #found = createSampleBuffer(16)

  constructor(mem: Memory, groups: GroupWriter) {
    this.#decoder = new SeriesDecoder(mem, groups.table, true)
  }

  /** Looks for the sample; what follows is asked of it, when it is there. */
  find(record: number, time: number): boolean {
    return this.#decoder.find(record, time, this.#found)
  }

  get value(): number | 'histogram' {
    return this.#found.flags[0] === 2 ? 'histogram' : this.#found.values[0]!
  }

  /** Whether it is the float of these words, bit by bit. */
  isFloat(low: number, high: number): boolean {
    const words = new Uint32Array(this.#found.values.buffer, 0, 2)
    return this.#found.flags[0] !== 2 && words[0] === low && words[1] === high
  }

  /** Whether it is the histogram of this encoding. */
  isHistogram(payload: Uint8Array): boolean {
    const stored = this.#found.histograms?.[0]
    if (stored === undefined) return false
    const bytes = this.#encoder.encode(stored)
    return bytes.length === payload.length && bytes.every((byte, i) => byte === payload[i])
  }

  /** To be called when chunks were taken away: others may come to stand where they stood. */
  forgetChunks(): void {
    this.#decoder.forgetChunks()
  }
}

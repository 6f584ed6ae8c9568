/** A chunk decoded: columns that are reused from chunk to chunk. */
import type { Histogram } from '../samples/mod.ts'

export const ChunkEncoding = { xor: 1, histogram: 2, floatHistogram: 3 } as const
export type ChunkEncoding = (typeof ChunkEncoding)[keyof typeof ChunkEncoding]

const CAPACITY = 1 << 16

export class ChunkColumns {
  count = 0
  /** Milliseconds. */
  readonly times: Float64Array = new Float64Array(CAPACITY)
  /** Bits as they were stored; nothing where there are histograms. */
  readonly values: Float64Array = new Float64Array(CAPACITY)
  readonly words: Uint32Array = new Uint32Array(this.values.buffer)
  /** By position; null for a chunk of floats. */
  histograms: Histogram[] | null = null
}

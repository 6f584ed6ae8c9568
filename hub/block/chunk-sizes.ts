/**
 * What chunks are like when they are first written to a block. Semantics: Prometheus tsdb/compact.go, compactorMetrics
 * (v3.5). Differs: a chunk's bytes are those of its values, before runs of chunks are compressed; its times are shared
 * with other series.
 */
import { Histogram, type HistogramState } from '../../protocol/exposition/mod.ts'

export type ChunkSizesState = {
  readonly samples: HistogramState
  readonly bytes: HistogramState
  /** Milliseconds, last sample less first. */
  readonly range: HistogramState
}

const exponential = (first: number, factor: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first * factor ** i)

export class ChunkSizes {
  readonly #samples = new Histogram(exponential(4, 1.5, 12))
  readonly #bytes = new Histogram(exponential(32, 1.5, 12))
  readonly #range = new Histogram(exponential(100, 4, 10))

  observe(samples: number, bytes: number, rangeMs: number): void {
    this.#samples.observe(samples)
    this.#bytes.observe(bytes)
    this.#range.observe(rangeMs)
  }

  get state(): ChunkSizesState {
    return { samples: this.#samples.state, bytes: this.#bytes.state, range: this.#range.state }
  }
}

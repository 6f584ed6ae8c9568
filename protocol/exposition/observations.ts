/**
 * What a program counts of its own work, as lines of a family: summaries and histograms with the upstream's shapes.
 * Semantics: client_golang summary.go and histogram.go. Differs: quantiles are of the last 512 observations, not of the
 * last ten minutes.
 */
import { histogramLines, type Metric, summaryLines } from './family.ts'

const RECENT = 512

/** Sum and count for ever, quantiles of what was observed last. */
export class Summary {
  readonly #quantiles: readonly number[]
  readonly #recent: Float64Array
  #sum = 0
  #count = 0

  /** @param quantiles ascending; none: sum and count alone */
  constructor(quantiles: readonly number[] = []) {
    this.#quantiles = quantiles
    this.#recent = new Float64Array(quantiles.length > 0 ? RECENT : 0)
  }

  observe(value: number): void {
    if (this.#recent.length > 0) this.#recent[this.#count % RECENT] = value
    this.#sum += value
    this.#count++
  }

  /** Quantiles of nothing are NaN. */
  lines(labels: readonly string[]): Metric[] {
    const sorted = this.#recent.slice(0, Math.min(this.#count, RECENT)).sort()
    const pairs = this.#quantiles.flatMap((quantile) => [
      quantile,
      sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN,
    ])
    return summaryLines(labels, pairs, this.#sum, this.#count)
  }
}

export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: Float64Array
  #sum = 0
  #count = 0

  /** @param bounds upper, ascending, without +Inf */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = new Float64Array(bounds.length)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    for (let i = this.#bounds.length - 1; i >= 0 && value <= this.#bounds[i]!; i--) this.#counts[i]!++
  }

  lines(labels: readonly string[]): Metric[] {
    const buckets = this.#bounds.flatMap((bound, i) => [bound, this.#counts[i]!])
    return histogramLines(labels, buckets, this.#sum, this.#count)
  }
}

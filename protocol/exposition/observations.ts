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

/** Plain data, which may cross threads. `counts` are cumulative. */
export type HistogramState = {
  readonly bounds: readonly number[]
  readonly counts: number[]
  sum: number
  count: number
}

export class Histogram {
  readonly state: HistogramState

  /** @param bounds upper, ascending, without +Inf */
  constructor(bounds: readonly number[]) {
    this.state = { bounds, counts: bounds.map(() => 0), sum: 0, count: 0 }
  }

  observe(value: number): void {
    const { state } = this
    const { bounds, counts } = state
    state.sum += value
    state.count++
    for (let i = bounds.length - 1; i >= 0 && value <= bounds[i]!; i--) counts[i]!++
  }

  lines(labels: readonly string[]): Metric[] {
    return histogramStateLines(labels, this.state)
  }
}

/** Of a histogram that another thread observes. */
export function histogramStateLines(
  labels: readonly string[],
  { bounds, counts, sum, count }: HistogramState,
): Metric[] {
  const buckets = bounds.flatMap((bound, i) => [bound, counts[i]!])
  return histogramLines(labels, buckets, sum, count)
}

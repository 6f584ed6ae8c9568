/** How long writing and syncing the log takes, a group at a time: sums for ever, quantiles of the last few hundred. */

export type CommitTimes = {
  readonly count: number
  readonly sumSeconds: number
  /** Flat pairs: quantile, seconds. */
  readonly quantiles: readonly number[]
  readonly longestSeconds: number
}

const RECENT = 512
const QUANTILES = [0.5, 0.9, 0.99] as const

export class CommitTimer {
  readonly #recent = new Float64Array(RECENT)
  #count = 0
  #sum = 0
  #longest = 0

  observe(seconds: number): void {
    this.#recent[this.#count++ % RECENT] = seconds
    this.#sum += seconds
    this.#longest = Math.max(this.#longest, seconds)
  }

  times(): CommitTimes {
    const sorted = this.#recent.slice(0, Math.min(this.#count, RECENT)).sort()
    const at = (quantile: number): number => sorted[Math.ceil(quantile * sorted.length) - 1] ?? Number.NaN
    return {
      count: this.#count,
      sumSeconds: this.#sum,
      quantiles: QUANTILES.flatMap((quantile) => [quantile, at(quantile)]),
      longestSeconds: this.#longest,
    }
  }
}

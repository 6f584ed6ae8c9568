/**
 * Sum and average of native histograms in a window. Semantics: Prometheus promql/functions.go, sum and avg_over_time.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { HistogramAccumulator } from '../histograms/accumulator.ts'
import { infoReconciled, type Notes, warnCollision, warnMixedSchemas } from './range-call.ts'

/** Null when exponential and custom buckets are mixed (annotated). */
export function sumHistograms(
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
): Histogram | null {
  const sum = new HistogramAccumulator(histograms[from]!)
  return addAll(sum, histograms, from, to, notes, (h) => sum.add(h)) ? sum.result() : null
}

export function averageHistograms(
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
): Histogram | null {
  const mean = new HistogramMean(histograms[from]!)
  return addAll(mean.sum, histograms, from, to, notes, (h) => mean.add(h)) ? mean.result() : null
}

/** The mean from the sum; once that would overflow, incrementally from there on. */
export class HistogramMean {
  readonly sum: HistogramAccumulator
  #count = 1
  #incremental = false

  constructor(first: Histogram) {
    this.sum = new HistogramAccumulator(first)
  }

  add(h: Histogram): ReturnType<HistogramAccumulator['add']> {
    if (!this.#incremental && this.sum.wouldOverflow(h)) {
      this.#incremental = true
      this.sum.scale(1 / this.#count)
    }
    this.#count++
    if (!this.#incremental) return this.sum.add(h)
    this.sum.scale((this.#count - 1) / this.#count)
    return this.sum.add(h, 1 / this.#count)
  }

  result(): Histogram {
    return this.sum.result(1, this.#incremental ? 1 : this.#count)
  }
}

function addAll(
  sum: HistogramAccumulator,
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
  add: (h: Histogram) => ReturnType<HistogramAccumulator['add']>,
): boolean {
  const hints = new HintsSeen()
  hints.see(sum.hint)
  let reconciled = false
  for (let i = from + 1; i < to; i++) {
    const h = histograms[i]!
    hints.see(h.counterResetHint)
    const added = add(h)
    if (added === 'incompatible') {
      warnMixedSchemas(notes)
      return false
    }
    if (added.reconciled) reconciled = true
  }
  if (hints.collide) warnCollision(notes, 'aggregation')
  if (reconciled) infoReconciled(notes, 'aggregation')
  return true
}

/** Whether samples with a reset hint and samples with a no-reset hint came together. */
export class HintsSeen {
  #reset = false
  #notReset = false

  see(hint: CounterResetHint): void {
    if (hint === CounterResetHint.reset) this.#reset = true
    else if (hint === CounterResetHint.notReset) this.#notReset = true
  }

  get collide(): boolean {
    return this.#reset && this.#notReset
  }
}

/**
 * Sum and average of native histograms in a window, which keep empty buckets.
 * Semantics: Prometheus promql/functions.go, sum and avg_over_time.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { type Added, HistogramAccumulator } from '../histograms/accumulator.ts'
import { divide } from '../histograms/arithmetic.ts'
import { infoReconciled, type Notes, warnCollision, warnMixedSchemas } from './range-call.ts'

/** Of the window in hand. */
const total = new HistogramAccumulator()

/** Null when exponential and custom buckets are mixed (annotated). */
export function sumHistograms(
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
): Histogram | null {
  const first = histograms[from]!
  return addAll(total.start(first), first.counterResetHint, histograms, from, to, notes)
    ? total.result(1, 1, true)
    : null
}

export function averageHistograms(
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
): Histogram | null {
  const first = histograms[from]!
  return addAll(mean.start(first), first.counterResetHint, histograms, from, to, notes) ? mean.result(true) : null
}

/** The mean from the sum; once that would overflow, incrementally from there on. */
export class HistogramMean {
  readonly #sum = new HistogramAccumulator()
  #count = 1
  #incremental = false

  /** A new mean of `first` alone. */
  start(first: Histogram): this {
    this.#sum.start(first)
    this.#count = 1
    this.#incremental = false
    return this
  }

  add(h: Histogram): Added {
    if (!this.#incremental && this.#sum.wouldOverflow(h)) {
      this.#incremental = true
      this.#sum.divide(this.#count)
    }
    this.#count++
    if (!this.#incremental) return this.#sum.add(h)
    this.#sum.scale((this.#count - 1) / this.#count)
    return this.#sum.add(divide(h, this.#count))
  }

  result(keepsEmpty = false): Histogram {
    return this.#sum.result(1, this.#incremental ? 1 : this.#count, keepsEmpty)
  }
}

const mean = new HistogramMean()

function addAll(
  sum: HistogramAccumulator | HistogramMean,
  firstHint: CounterResetHint,
  histograms: readonly Histogram[],
  from: number,
  to: number,
  notes: Notes,
): boolean {
  let hints = hintBit(firstHint)
  let reconciled = false
  for (let i = from + 1; i < to; i++) {
    const h = histograms[i]!
    hints |= hintBit(h.counterResetHint)
    const added = sum.add(h)
    if (added === 'incompatible') {
      warnMixedSchemas(notes)
      return false
    }
    if (added.reconciled) reconciled = true
  }
  if (hints === COLLIDING) warnCollision(notes, 'aggregation')
  if (reconciled) infoReconciled(notes, 'aggregation')
  return true
}

/** Bits of the hints that came together: samples with a reset hint and samples with a no-reset hint collide. */
export const COLLIDING = 3

export function hintBit(hint: CounterResetHint): number {
  return hint === CounterResetHint.reset ? 1 : hint === CounterResetHint.notReset ? 2 : 0
}

/**
 * Accumulators of the aggregations that reduce a group to one series: columns are added as they stream by, none is
 * kept. Semantics: Prometheus promql/engine.go, aggregation (v3.14).
 */
import { quote } from '../../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import type { AggregateExpr } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { COLLIDING, HistogramMean, hintBit } from '../functions/histogram-over-time.ts'
import { infoReconciled, warnCollision } from '../functions/range-call.ts'
import { HistogramAccumulator } from '../histograms/accumulator.ts'
import { FLOAT, HISTOGRAM, NONE, type Series, setHistogram } from '../types.ts'

export interface Accumulator {
  add(series: Series): void
  /** Writes the result of every step into `out`, which is empty. */
  finish(out: Series): void
  /** The state as columns, to be merged elsewhere; null when it cannot be told in floats. Borrowed. */
  partial(): PartialColumns | null
  /** Adds the state of another accumulator of the same kind. */
  merge(other: PartialColumns): void
}

/** Columns of one group; which are there depends on the aggregation. */
export type PartialColumns = {
  /** 0 where nothing was seen. */
  readonly state: Uint8Array
  readonly values: Float64Array
  /** What compensated summation holds beside the sum. */
  readonly comps: Float64Array | null
  readonly counts: Float64Array | null
}

export type AccumulatorSpec = { readonly ctx: QueryContext; readonly expr: AggregateExpr; readonly steps: number }

/** Per step: what has been seen. */
const SEEN_FLOAT = 1
const SEEN_HISTOGRAM = 2
const INCOMPATIBLE = 4

/** Histograms of one group at the steps that have any, summed or averaged. */
class HistogramColumn {
  readonly #spec: AccumulatorSpec
  readonly #mean: boolean
  readonly #sums: (HistogramAccumulator | HistogramMean | undefined)[]
  readonly #hints: Uint8Array
  #reconciled = false
  #collided = false

  constructor(spec: AccumulatorSpec, mean: boolean) {
    this.#spec = spec
    this.#mean = mean
    this.#sums = new Array(spec.steps)
    this.#hints = new Uint8Array(spec.steps)
  }

  /** False when the histogram does not go with those before (annotated). */
  add(step: number, h: Histogram, metricName: () => string): boolean {
    const sum = this.#sums[step]
    if (sum === undefined) {
      this.#sums[step] = (this.#mean ? new HistogramMean() : new HistogramAccumulator()).start(h)
      this.#hints[step] = hintBit(h.counterResetHint)
      return true
    }
    this.#hints[step]! |= hintBit(h.counterResetHint)
    if (this.#hints[step] === COLLIDING) this.#collided = true
    const added = sum.add(h)
    if (added === 'incompatible') {
      const { ctx, expr } = this.#spec
      ctx.warn(
        `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metricName())}`,
        expr.expr.pos,
      )
      return false
    }
    if (added.reconciled) this.#reconciled = true
    return true
  }

  annotate(): void {
    const notes = { ctx: this.#spec.ctx, pos: this.#spec.expr.expr.pos }
    if (this.#collided) warnCollision(notes, 'aggregation')
    if (this.#reconciled) infoReconciled(notes, 'aggregation')
  }

  result(step: number): Histogram {
    return this.#sums[step]!.result()
  }
}

/** sum and avg: floats by compensated addition, histograms beside them; a mix at one step has no result. */
export class SumAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #mean: boolean
  readonly #state: Uint8Array
  readonly #sum: Float64Array
  readonly #c: Float64Array
  /** Only of averages; negative once a step's mean is kept incrementally, as its sum would overflow. */
  readonly #counts: Float64Array | null
  #histograms: HistogramColumn | null = null

  constructor(spec: AccumulatorSpec, mean: boolean) {
    this.#spec = spec
    this.#mean = mean
    this.#state = new Uint8Array(spec.steps)
    this.#sum = new Float64Array(spec.steps)
    this.#c = new Float64Array(spec.steps)
    this.#counts = mean ? new Float64Array(spec.steps) : null
  }

  add(series: Series): void {
    if (series.histograms !== null) this.#addHistograms(series, series.histograms)
    if (this.#counts === null) addFloats(series, this.#state, this.#sum, this.#c)
    else averageFloats(series, this.#state, this.#sum, this.#c, this.#counts)
  }

  #addHistograms({ present, ref, labels, nameless }: Series, histograms: (Histogram | undefined)[]): void {
    const { ctx } = this.#spec
    this.#histograms ??= new HistogramColumn(this.#spec, this.#mean)
    const identity = { ref, labels, nameless } as Series
    const metricName = () => ctx.metricName(identity)
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== HISTOGRAM || (this.#state[i]! & INCOMPATIBLE) !== 0) continue
      this.#state[i]! |= SEEN_HISTOGRAM
      if (!this.#histograms.add(i, histograms[i]!, metricName)) this.#state[i]! |= INCOMPATIBLE
    }
  }

  finish(out: Series): void {
    const { ctx, expr } = this.#spec
    this.#histograms?.annotate()
    for (let i = 0; i < out.present.length; i++) {
      const state = this.#state[i]!
      if (state === NONE || (state & INCOMPATIBLE) !== 0) continue
      if (state === SEEN_HISTOGRAM) setHistogram(out, i, this.#histograms!.result(i))
      else if (state === SEEN_FLOAT) {
        const count = this.#counts === null ? 1 : this.#counts[i]!
        out.values[i] = count < 0 ? this.#sum[i]! + this.#c[i]! : this.#sum[i]! / count + this.#c[i]! / count
        out.present[i] = FLOAT
      } else ctx.warn('encountered a mix of histograms and floats for aggregation', expr.expr.pos)
    }
  }

  partial(): PartialColumns | null {
    if (this.#histograms !== null || this.#counts?.some((count) => count < 0)) return null
    return { values: this.#sum, comps: this.#c, counts: this.#counts, state: this.#state }
  }

  merge({ state, values, comps, counts }: PartialColumns): void {
    for (let i = 0; i < state.length; i++) {
      if (state[i] === NONE) continue
      const sum = this.#sum[i]!
      const value = values[i]!
      if (this.#counts !== null) this.#counts[i]! += counts![i]!
      this.#c[i]! += comps![i]!
      if (this.#state[i] === NONE) this.#sum[i] = value
      else {
        const next = sum + value
        if (next === Infinity || next === -Infinity) this.#c[i] = 0
        else this.#c[i]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
        this.#sum[i] = next
      }
      this.#state[i]! |= state[i]!
    }
  }
}

/** Neumaier addition of a column. Hot: bench/hub/engine.bench.ts */
function addFloats({ values, present }: Series, state: Uint8Array, sums: Float64Array, cs: Float64Array): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] !== FLOAT) continue
    const value = values[i]!
    if ((state[i]! & SEEN_FLOAT) === 0) {
      state[i]! |= SEEN_FLOAT
      sums[i] = value
      continue
    }
    const sum = sums[i]!
    const next = sum + value
    if (Math.abs(next) === Infinity) cs[i] = 0
    else {
      // What rounding took away, exactly, whichever of the two is the greater (Knuth's two-sum): no branch to guess.
      const added = next - sum
      cs[i]! += sum - (next - added) + (value - added)
    }
    sums[i] = next
  }
}

function averageFloats(
  { values, present }: Series,
  state: Uint8Array,
  sums: Float64Array,
  cs: Float64Array,
  counts: Float64Array,
): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] !== FLOAT) continue
    let value = values[i]!
    if ((state[i]! & SEEN_FLOAT) === 0) {
      state[i]! |= SEEN_FLOAT
      sums[i] = value
      counts[i] = 1
      continue
    }
    let sum = sums[i]!
    let next = sum + value
    if (counts[i]! > 0 && Math.abs(next) !== Infinity) {
      const added = next - sum
      cs[i]! += sum - (next - added) + (value - added)
      sums[i] = next
      counts[i]!++
      continue
    }
    const count = Math.abs(counts[i]!) + 1
    if (counts[i]! > 0 && (next === Infinity || next === -Infinity)) {
      sum /= count - 1
      cs[i]! /= count - 1
      counts[i] = -(count - 1)
    }
    if (counts[i]! < 0) {
      const q = (count - 1) / count
      sum *= q
      cs[i]! *= q
      value /= count
      next = sum + value
      counts[i] = -count
    } else counts[i] = count
    if (Math.abs(next) === Infinity) cs[i] = 0
    else {
      const added = next - sum
      cs[i]! += sum - (next - added) + (value - added)
    }
    sums[i] = next
  }
}

function infoIgnored({ ctx, expr }: AccumulatorSpec, series: Series): void {
  if (series.histograms === null || !series.present.includes(HISTOGRAM)) return
  ctx.info(`ignored histogram in ${expr.op} aggregation`, expr.expr.pos)
}

/** min and max; NaN only when there is nothing else. */
export class ExtremeAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #best: Float64Array
  readonly #present: Uint8Array

  constructor(spec: AccumulatorSpec) {
    this.#spec = spec
    this.#best = new Float64Array(spec.steps)
    this.#present = new Uint8Array(spec.steps)
  }

  add(series: Series): void {
    infoIgnored(this.#spec, series)
    const { values, present } = series
    const sign = this.#spec.expr.op === 'max' ? 1 : -1
    const best = this.#best
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== FLOAT) continue
      const value = values[i]!
      if (this.#present[i] === NONE || sign * best[i]! < sign * value || Number.isNaN(best[i]!)) best[i] = value
      this.#present[i] = FLOAT
    }
  }

  finish(out: Series): void {
    out.values.set(this.#best)
    out.present.set(this.#present)
  }

  partial(): PartialColumns {
    return { state: this.#present, values: this.#best, comps: null, counts: null }
  }

  merge({ state, values }: PartialColumns): void {
    this.add({ present: state, values, histograms: null } as Series)
  }
}

/** count and group. */
export class CountAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #counts: Float64Array

  constructor(spec: AccumulatorSpec) {
    this.#spec = spec
    this.#counts = new Float64Array(spec.steps)
  }

  add({ present }: Series): void {
    const counts = this.#counts
    for (let i = 0; i < present.length; i++) if (present[i] !== NONE) counts[i]!++
  }

  finish(out: Series): void {
    const one = this.#spec.expr.op === 'group'
    for (let i = 0; i < out.present.length; i++) {
      if (this.#counts[i] === 0) continue
      out.values[i] = one ? 1 : this.#counts[i]!
      out.present[i] = FLOAT
    }
  }

  partial(): PartialColumns {
    return { state: new Uint8Array(this.#counts.length).fill(1), values: this.#counts, comps: null, counts: null }
  }

  merge({ values }: PartialColumns): void {
    for (let i = 0; i < values.length; i++) this.#counts[i]! += values[i]!
  }
}

/** stddev and stdvar, by Welford's method. */
export class VarianceAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #counts: Float64Array
  readonly #means: Float64Array
  readonly #squares: Float64Array

  constructor(spec: AccumulatorSpec) {
    this.#spec = spec
    this.#counts = new Float64Array(spec.steps)
    this.#means = new Float64Array(spec.steps)
    this.#squares = new Float64Array(spec.steps)
  }

  add(series: Series): void {
    infoIgnored(this.#spec, series)
    const { values, present } = series
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== FLOAT) continue
      const value = values[i]!
      const count = ++this.#counts[i]!
      if (count === 1) {
        this.#means[i] = value
        this.#squares[i] = Number.isFinite(value) ? 0 : NaN
        continue
      }
      const delta = value - this.#means[i]!
      this.#means[i]! += delta / count
      this.#squares[i]! += delta * (value - this.#means[i]!)
    }
  }

  finish(out: Series): void {
    const root = this.#spec.expr.op === 'stddev'
    for (let i = 0; i < out.present.length; i++) {
      if (this.#counts[i] === 0) continue
      const variance = this.#squares[i]! / this.#counts[i]!
      out.values[i] = root ? Math.sqrt(variance) : variance
      out.present[i] = FLOAT
    }
  }

  partial(): PartialColumns {
    const state = Uint8Array.from(this.#counts, (count) => (count > 0 ? FLOAT : NONE))
    return { state, values: this.#squares, comps: this.#means, counts: this.#counts }
  }

  /** As Chan et al. combine variances; `comps` are the means. */
  merge({ values, comps, counts }: PartialColumns): void {
    for (let i = 0; i < values.length; i++) {
      const theirs = counts![i]!
      if (theirs === 0) continue
      const mine = this.#counts[i]!
      const delta = comps![i]! - this.#means[i]!
      const total = mine + theirs
      this.#squares[i]! += values[i]! + (mine === 0 ? 0 : (delta * delta * mine * theirs) / total)
      this.#means[i] = mine === 0 ? comps![i]! : this.#means[i]! + (delta * theirs) / total
      this.#counts[i] = total
    }
  }
}

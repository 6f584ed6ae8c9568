/**
 * Accumulators of the aggregations that reduce a group to one series: columns are added as they stream by, none is
 * kept. Semantics: Prometheus promql/engine.go, aggregation (v3.14).
 */
import { quote } from '../../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import type { AggregateExpr } from '../../ast.ts'
import { isFull, newBytes, newFloats } from '../columns.ts'
import type { QueryContext } from '../context.ts'
import { COLLIDING, HistogramMean, hintBit } from '../functions/histogram-over-time.ts'
import { infoReconciled, warnCollision } from '../functions/range-call.ts'
import { HistogramAccumulator } from '../histograms/accumulator.ts'
import { type Column, FLOAT, HISTOGRAM, NONE, type Series } from '../types.ts'

export interface Accumulator {
  add(series: Series): void
  /** The result of every step; it may be what was accumulated in, so nothing can be added any more. */
  finish(): Column
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
/** A float was there before histograms that do not go together: upstream then complains of the mix, too. */
const MIXED = 8

/** Histograms of one group at the steps that have any, summed or averaged. */
class HistogramColumn {
  readonly #spec: AccumulatorSpec
  readonly #mean: boolean
  readonly #sums: (HistogramAccumulator | HistogramMean | undefined)[]
  readonly #hints: Uint8Array
  #reconciled = false

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

  hasSum(step: number): boolean {
    return this.#sums[step] !== undefined
  }

  /** Of those that were added, whatever became of the step. */
  annotate(): void {
    if (this.#reconciled) infoReconciled(this.#notes(), 'aggregation')
  }

  result(step: number): Histogram {
    if (this.#hints[step] === COLLIDING) warnCollision(this.#notes(), 'aggregation')
    return this.#sums[step]!.result()
  }

  #notes(): { ctx: QueryContext; pos: AggregateExpr['pos'] } {
    return { ctx: this.#spec.ctx, pos: this.#spec.expr.expr.pos }
  }
}

/** sum and avg: floats by compensated addition, histograms beside them; a mix at one step has no result. */
export class SumAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #state: Uint8Array
  readonly #sum: Float64Array
  /** What the sums lack; null as long as nothing was added up. */
  #c: Float64Array | null
  /** Only of averages; negative once a step's mean is kept incrementally, as its sum would overflow. */
  readonly #counts: Float64Array | null
  #histograms: HistogramColumn | null = null
  #isEmpty: boolean
  /** Every step has seen a float. */
  #isFull = false

  constructor(spec: AccumulatorSpec, mean: boolean, first?: PartialColumns) {
    this.#spec = spec
    this.#isEmpty = first === undefined
    this.#state = first?.state ?? newBytes(spec.steps)
    this.#sum = first?.values ?? newFloats(spec.steps)
    this.#c = first?.comps ?? null
    this.#counts = mean ? (first?.counts ?? newFloats(spec.steps)) : null
  }

  add(series: Series): void {
    if (this.#isEmpty) {
      this.#isEmpty = false
      if (series.histograms === null) {
        this.#sum.set(series.values)
        this.#state.set(series.present)
        this.#counts?.set(series.present)
        return
      }
    }
    if (series.histograms !== null) this.#addHistograms(series, series.histograms)
    this.#c ??= newFloats(this.#spec.steps)
    const counts = this.#counts
    const isDense = this.#hasAll(series.present)
    if (isDense && (counts === null || mayAddUp(series.values, this.#sum, counts))) {
      addColumn(series.values, this.#sum, this.#c)
      if (counts !== null) for (let i = 0; i < counts.length; i++) counts[i]!++
    } else if (counts === null) addFloats(series, this.#state, this.#sum, this.#c)
    else averageFloats(series, this.#state, this.#sum, this.#c, counts)
  }

  /** A float at each step, seen before and present now. */
  #hasAll(present: Uint8Array): boolean {
    this.#isFull ||= isFull(this.#state)
    return this.#isFull && isFull(present)
  }

  #addHistograms({ present, ref, labels, nameless }: Series, histograms: (Histogram | undefined)[]): void {
    const { ctx } = this.#spec
    this.#histograms ??= new HistogramColumn(this.#spec, this.#counts !== null)
    const identity = { ref, labels, nameless } as Series
    const metricName = () => ctx.metricName(identity)
    for (let i = 0; i < present.length; i++) {
      const state = this.#state[i]!
      if (present[i] !== HISTOGRAM || (state & INCOMPATIBLE) !== 0) continue
      this.#state[i]! |= SEEN_HISTOGRAM
      // Behind a float nothing comes of histograms, whatever they are.
      if ((state & SEEN_FLOAT) !== 0 && !this.#histograms.hasSum(i)) continue
      if (this.#histograms.add(i, histograms[i]!, metricName)) continue
      this.#state[i]! |= INCOMPATIBLE
      if ((state & SEEN_FLOAT) !== 0) this.#state[i]! |= MIXED
    }
  }

  finish(): Column {
    this.#finishFloats()
    const histograms = this.#histograms === null ? null : this.#finishHistograms(this.#histograms)
    return { values: this.#sum, present: this.#state, histograms }
  }

  /** Also where nothing was seen, which nobody looks at. */
  #finishFloats(): void {
    const sums = this.#sum
    const cs = this.#c
    const counts = this.#counts
    for (let i = 0; i < sums.length; i++) {
      // A sum that is exact gets its 0 as well, which takes the sign from -0, as upstream.
      const c = cs === null ? 0 : cs[i]!
      const count = counts === null ? 1 : counts[i]!
      sums[i] = count === 1 || count < 0 ? sums[i]! + c : sums[i]! / count + c / count
    }
  }

  /** What was seen becomes what is present. */
  #finishHistograms(column: HistogramColumn): (Histogram | undefined)[] | null {
    const { ctx, expr } = this.#spec
    column.annotate()
    let out: (Histogram | undefined)[] | null = null
    for (let i = 0; i < this.#state.length; i++) {
      const state = this.#state[i]!
      if (state === SEEN_HISTOGRAM) (out ??= new Array(this.#state.length))[i] = column.result(i)
      else if (state !== SEEN_FLOAT && state !== NONE) {
        if ((state & INCOMPATIBLE) === 0 || (state & MIXED) !== 0)
          ctx.warn('encountered a mix of histograms and floats for aggregation', expr.expr.pos)
        this.#state[i] = NONE
      }
    }
    return out
  }

  partial(): PartialColumns | null {
    if (this.#histograms !== null || this.#counts?.some((count) => count < 0)) return null
    return { values: this.#sum, comps: this.#c, counts: this.#counts, state: this.#state }
  }

  merge({ state, values, comps, counts }: PartialColumns): void {
    this.#isEmpty = false
    const cs = (this.#c ??= newFloats(this.#spec.steps))
    for (let i = 0; i < state.length; i++) {
      if (state[i] === NONE) continue
      const sum = this.#sum[i]!
      const value = values[i]!
      if (this.#counts !== null) this.#counts[i]! += counts![i]!
      if (comps !== null) cs[i]! += comps[i]!
      if (this.#state[i] === NONE) this.#sum[i] = value
      else {
        const next = sum + value
        if (next === Infinity || next === -Infinity) cs[i] = 0
        else cs[i]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
        this.#sum[i] = next
      }
      this.#state[i]! |= state[i]!
    }
  }
}

/** No mean is kept incrementally, nor has to be from now on. */
function mayAddUp(values: Float64Array, sums: Float64Array, counts: Float64Array): boolean {
  for (let i = 0; i < sums.length; i++)
    if (!(counts[i]! > 0) || Math.abs(sums[i]! + values[i]!) === Infinity) return false
  return true
}

/** `addFloats` where there is nothing to ask about any step, which takes half the time. */
function addColumn(values: Float64Array, sums: Float64Array, cs: Float64Array): void {
  for (let i = 0; i < sums.length; i++) {
    const value = values[i]!
    const sum = sums[i]!
    const next = sum + value
    const added = next - sum
    const lost = sum - (next - added) + (value - added)
    cs[i] = Math.abs(next) === Infinity ? 0 : cs[i]! + lost
    sums[i] = next
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

/** Of a column. Hot: bench/query/in-process.ts */
function addExtremes({ values, present }: Series, sign: 1 | -1, best: Float64Array, seen: Uint8Array): void {
  for (let i = 0; i < present.length; i++) {
    if (present[i] !== FLOAT) continue
    const value = values[i]!
    const other = best[i]!
    if (seen[i] === NONE || sign * other < sign * value || Number.isNaN(other)) best[i] = value
    seen[i] = FLOAT
  }
}

/** Where every step has a float, now and before. */
function addMost(values: Float64Array, best: Float64Array): void {
  for (let i = 0; i < best.length; i++) {
    const other = best[i]!
    if (other < values[i]! || Number.isNaN(other)) best[i] = values[i]!
  }
}

function addLeast(values: Float64Array, best: Float64Array): void {
  for (let i = 0; i < best.length; i++) {
    const other = best[i]!
    if (other > values[i]! || Number.isNaN(other)) best[i] = values[i]!
  }
}

/** min and max; NaN only when there is nothing else. */
export class ExtremeAccumulator implements Accumulator {
  readonly #spec: AccumulatorSpec
  readonly #best: Float64Array
  readonly #present: Uint8Array
  /** Every step has seen a float. */
  #isFull = false

  constructor(spec: AccumulatorSpec, first?: PartialColumns) {
    this.#spec = spec
    this.#best = first?.values ?? newFloats(spec.steps)
    this.#present = first?.state ?? newBytes(spec.steps)
  }

  add(series: Series): void {
    infoIgnored(this.#spec, series)
    const isMax = this.#spec.expr.op === 'max'
    if (!this.#isFull || !isFull(series.present)) {
      addExtremes(series, isMax ? 1 : -1, this.#best, this.#present)
      this.#isFull ||= isFull(this.#present)
    } else if (isMax) addMost(series.values, this.#best)
    else addLeast(series.values, this.#best)
  }

  finish(): Column {
    return { values: this.#best, present: this.#present, histograms: null }
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

  constructor(spec: AccumulatorSpec, first?: PartialColumns) {
    this.#spec = spec
    this.#counts = first?.values ?? newFloats(spec.steps)
  }

  add({ present }: Series): void {
    const counts = this.#counts
    for (let i = 0; i < present.length; i++) if (present[i] !== NONE) counts[i]!++
  }

  finish(): Column {
    const one = this.#spec.expr.op === 'group'
    const values = this.#counts
    const present = newBytes(values.length)
    for (let i = 0; i < present.length; i++) {
      if (values[i] === 0) continue
      if (one) values[i] = 1
      present[i] = FLOAT
    }
    return { values, present, histograms: null }
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

  constructor(spec: AccumulatorSpec, first?: PartialColumns) {
    this.#spec = spec
    this.#counts = first?.counts ?? newFloats(spec.steps)
    this.#means = first?.comps ?? newFloats(spec.steps)
    this.#squares = first?.values ?? newFloats(spec.steps)
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

  finish(): Column {
    const root = this.#spec.expr.op === 'stddev'
    const values = this.#squares
    const present = newBytes(values.length)
    for (let i = 0; i < present.length; i++) {
      if (this.#counts[i] === 0) continue
      const variance = values[i]! / this.#counts[i]!
      values[i] = root ? Math.sqrt(variance) : variance
      present[i] = FLOAT
    }
    return { values, present, histograms: null }
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

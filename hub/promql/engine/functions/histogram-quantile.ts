/**
 * histogram_quantile(), histogram_quantiles(), histogram_fraction() over vectors of classic and native histograms.
 * Classic buckets are grouped once for all steps. Where a classic and a native histogram of the same name and labels
 * meet at a step, neither counts. Semantics: Prometheus promql/functions.go and EvalNodeHelper.resetHistograms (v3.14).
 */
import { type Labels, labelsKey, labelValue, METRIC_NAME, quote } from '../../../../protocol/labels/mod.ts'
import type { Position } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { formatG } from '../context.ts'
import { histogramFraction, histogramQuantile } from '../histograms/quantile.ts'
import { deleteLabels, setLabel } from '../labels.ts'
import { type Emit, FLOAT, HISTOGRAM, NONE, newSeries, type Series, setFloat } from '../types.ts'
import { bucketFraction, bucketQuantile, type ClassicBuckets, parseBound } from './classic-buckets.ts'
import { warnQuantile } from './order-statistics.ts'

const LE: ReadonlySet<string> = new Set(['le'])

type ClassicGroup = {
  readonly labels: Labels
  readonly dropName: boolean
  /** By ascending bound. */
  readonly buckets: { readonly bound: number; readonly series: Series }[]
  /** Steps at which a native histogram of the same labels cancels this one. */
  cancelled: Uint8Array | null
}

export type Histograms = { readonly classic: ClassicGroup[]; readonly native: Series[] }

/** Sorts the input (owned) into classic groups and native histograms; `pos` is that of the vector argument. */
export function groupHistograms(ctx: QueryContext, all: readonly Series[], pos: Position): Histograms {
  const groups = new Map<string, ClassicGroup>()
  const native: Series[] = []
  for (const series of all) {
    if (series.histograms !== null) native.push(series)
    if (!series.present.includes(FLOAT)) continue
    const labels = ctx.labelsOf(series)
    const le = labelValue(labels, 'le')
    const bound = parseBound(le)
    if (bound === null) {
      ctx.warn(`bucket label "le" is missing or has a malformed value of ${quote(le)}${ofMetric(ctx, labels)}`, pos)
      continue
    }
    const rest = deleteLabels(labels, LE)
    const key = labelsKey(rest)
    let group = groups.get(key)
    if (group === undefined) {
      group = { labels: rest, dropName: series.dropName, buckets: [], cancelled: null }
      groups.set(key, group)
    }
    group.buckets.push({ bound, series })
  }
  for (const group of groups.values()) group.buckets.sort((a, b) => a.bound - b.bound)
  for (const series of native) cancelConflicts(ctx, groups, series, pos)
  return { classic: [...groups.values()], native }
}

function cancelConflicts(
  ctx: QueryContext,
  groups: ReadonlyMap<string, ClassicGroup>,
  series: Series,
  pos: Position,
): void {
  const labels = ctx.labelsOf(series)
  const group = groups.get(labelsKey(labels))
  if (group === undefined) return
  for (let i = 0; i < series.present.length; i++) {
    if (series.present[i] !== HISTOGRAM) continue
    if (!group.buckets.some((bucket) => bucket.series.present[i] === FLOAT)) continue
    group.cancelled ??= new Uint8Array(series.present.length)
    group.cancelled[i] = 1
    series.present[i] = NONE
    ctx.warn(`vector contains a mix of classic and native histograms${ofMetric(ctx, labels)}`, pos)
  }
}

export type QuantileSpec = {
  readonly quantiles: readonly { readonly values: Float64Array; readonly pos: Position }[]
  /** The label for each quantile of histogram_quantiles(), or null. */
  readonly label: string | null
  /** Where notes on native and on classic histograms point. */
  readonly nativePos: Position
  readonly classicPos: Position
  readonly frame: { readonly startMs: number; readonly stepMs: number; readonly steps: number }
}

export function emitQuantiles(ctx: QueryContext, histograms: Histograms, spec: QuantileSpec, emit: Emit): void {
  const { steps } = spec.frame
  for (const { values, pos } of spec.quantiles) for (let i = 0; i < steps; i++) warnQuantile(ctx, values[i]!, pos)
  for (const { values: qs } of spec.quantiles) {
    const name = (labels: Labels, q: number) =>
      spec.label === null ? labels : setLabel(labels, spec.label, formatOpenMetrics(q))
    // With a label per quantile the quantile is taken to be the same at every step of a series.
    const spreads = spec.label === null ? [null] : [...new Set(qs)]
    for (const only of spreads) {
      const wanted = (i: number) => only === null || Object.is(qs[i], only)
      for (const series of histograms.native) {
        const labels = ctx.labelsOf(series)
        const out = newSeries(steps, -1, name(labels, only ?? 0))
        for (let i = 0; i < steps; i++) {
          if (series.present[i] !== HISTOGRAM || !wanted(i)) continue
          const { value, note } = histogramQuantile(qs[i]!, series.histograms![i]!)
          if (note !== null) noteNaN(ctx, note, knownName(ctx, labels), spec.nativePos)
          setFloat(out, i, value)
        }
        finish(ctx, out, emit)
      }
      for (const group of histograms.classic) {
        const out = newSeries(steps, -1, name(group.labels, only ?? 0))
        const columns = new BucketColumns(group)
        for (let i = 0; i < steps; i++) {
          if (!wanted(i) || !columns.fill(i)) continue
          setFloat(out, i, bucketQuantile(qs[i]!, columns.buckets))
          const { forced } = columns.buckets
          if (forced === null) continue
          const metric = knownName(ctx, group.labels)
          const minTs = spec.frame.startMs + i * spec.frame.stepMs
          ctx.forcedMonotonicity({ metric, pos: spec.classicPos, minTs, ...forced })
        }
        finish(ctx, out, emit)
      }
    }
  }
}

export function emitFractions(
  ctx: QueryContext,
  histograms: Histograms,
  bounds: { readonly lower: Float64Array; readonly upper: Float64Array; readonly pos: Position },
  emit: Emit,
): void {
  const { lower, upper } = bounds
  const steps = lower.length
  for (const series of histograms.native) {
    const labels = ctx.labelsOf(series)
    const out = newSeries(steps, -1, labels)
    for (let i = 0; i < steps; i++) {
      if (series.present[i] !== HISTOGRAM) continue
      const { value, hasNaN } = histogramFraction(lower[i]!, upper[i]!, series.histograms![i]!)
      if (hasNaN) noteNaN(ctx, 'fraction', knownName(ctx, labels), bounds.pos)
      setFloat(out, i, value)
    }
    finish(ctx, out, emit)
  }
  for (const group of histograms.classic) {
    const out = newSeries(steps, -1, group.labels)
    const columns = new BucketColumns(group)
    for (let i = 0; i < steps; i++)
      if (columns.fill(i)) setFloat(out, i, bucketFraction(lower[i]!, upper[i]!, columns.buckets))
    finish(ctx, out, emit)
  }
}

/** Of the metric that a result is of; '' where names do not go late, as upstream then says none. */
function knownName(ctx: QueryContext, labels: Labels): string {
  return ctx.options.delayedNameRemoval ? labelValue(labels, METRIC_NAME) : ''
}

function ofMetric(ctx: QueryContext, labels: Labels): string {
  const name = knownName(ctx, labels)
  return name === '' ? '' : ` for metric name ${quote(name)}`
}

function finish(ctx: QueryContext, out: Series, emit: Emit): void {
  ctx.dropName(out)
  if (out.present.includes(FLOAT)) emit(out)
}

/** The buckets of a group, step by step. Hot: bench/query/in-process.ts */
class BucketColumns {
  /** Of the step that was last filled in. */
  readonly buckets: ClassicBuckets
  readonly #bounds: readonly number[]
  readonly #values: readonly Float64Array[]
  readonly #present: readonly Uint8Array[]
  readonly #cancelled: Uint8Array | null

  constructor({ buckets, cancelled }: ClassicGroup) {
    const n = buckets.length
    this.buckets = { bounds: new Float64Array(n), counts: new Float64Array(n), size: 0, forced: null }
    this.#bounds = buckets.map(({ bound }) => bound)
    this.#values = buckets.map(({ series }) => series.values)
    this.#present = buckets.map(({ series }) => series.present)
    this.#cancelled = cancelled
  }

  /** False when there are none at the step. */
  fill(step: number): boolean {
    if (this.#cancelled !== null && this.#cancelled[step] === 1) return false
    const { bounds, counts } = this.buckets
    const all = this.#bounds
    let size = 0
    for (let b = 0; b < all.length; b++) {
      if (this.#present[b]![step] !== FLOAT) continue
      bounds[size] = all[b]!
      counts[size++] = this.#values[b]![step]!
    }
    this.buckets.size = size
    return size > 0
  }
}

const NAN_NOTES = {
  result: 'input to histogram_quantile has NaN observations, result is NaN',
  skew: 'input to histogram_quantile has NaN observations, result is skewed higher',
  fraction: 'input to histogram_fraction has NaN observations, which are excluded from all fractions',
} as const

function noteNaN(ctx: QueryContext, note: keyof typeof NAN_NOTES, metric: string, pos: Position): void {
  ctx.info(NAN_NOTES[note] + (metric === '' ? '' : ` for metric name ${quote(metric)}`), pos)
}

/** As labels.FormatOpenMetricsFloat: always with a decimal point or an exponent. */
function formatOpenMetrics(value: number): string {
  const text = formatG(value)
  return /^[-0-9]+$/.test(text) ? `${text}.0` : text
}

/**
 * An instant query of a range vector: the samples themselves. `anchored` and `smoothed` put a sample at each bound.
 * Semantics: Prometheus promql/engine.go, matrixSelector and extendFloats (v3.14).
 */
import { compareLabels, type Labels } from '../../../protocol/labels/mod.ts'
import { CounterResetHint, type Histogram } from '../../../protocol/samples/mod.ts'
import type { MatrixSelector, SubqueryExpr } from '../ast.ts'
import type { QueryContext } from './context.ts'
import { extendedBounds, interpolate, interpolateHistograms } from './functions/extended-rate.ts'
import { warnMixed } from './functions/range-call.ts'
import { dropMetricName } from './labels.ts'
import { addCounts, addInvariant, countsInside } from './sample-counts.ts'
import { type Frame, newSeries } from './types.ts'
import { eachWindowed, type Windows } from './windows.ts'

export type RawSeries = {
  readonly labels: Labels
  readonly times: Float64Array
  readonly values: Float64Array
  readonly histograms: readonly (Histogram | undefined)[] | null
}

type Point = { readonly t: number; readonly v: number; readonly h: Histogram | undefined }

export function rawMatrix(ctx: QueryContext, range: MatrixSelector | SubqueryExpr, frame: Frame): RawSeries[] {
  const out: RawSeries[] = []
  const selector = range.kind === 'matrix-selector' ? range.selector : null
  const extended = selector !== null && (selector.anchored || selector.smoothed)
  const outer = ctx.counts
  ctx.counts = countsInside(outer, frame.steps)
  eachWindowed(ctx, range, frame, ({ ref, source }, w) => {
    const series = source ?? newSeries(1, ref, null)
    let labels = ctx.labelsOf(series)
    if (series.dropName) labels = dropMetricName(labels)
    const notes = { ctx, pos: range.pos, metricName: () => ctx.metricName(series) }
    let points: Point[]
    if (!extended) points = mergedPoints(w)
    else if (w.hi[0]! > w.lo[0]! && w.hhi[0]! > w.hlo[0]!) {
      warnMixed(notes)
      return
    } else points = extendedPoints(w, selector.smoothed, notes)
    if (points.length === 0) return
    const mixed = points.some(({ h }) => h !== undefined)
    out.push({
      labels,
      times: Float64Array.from(points, ({ t }) => t),
      values: Float64Array.from(points, ({ v }) => v),
      histograms: mixed ? points.map(({ h }) => h) : null,
    })
  })
  // Nobody looks at a subquery's results: what it has looked at counts instead.
  const inside = range.kind === 'subquery' ? ctx.insideSubquery : null
  if (inside === null) addCounts(outer, ctx.counts)
  else addInvariant(outer, inside, 1)
  ctx.counts = outer
  return out.sort((a, b) => compareLabels(a.labels, b.labels))
}

function mergedPoints(w: Windows): Point[] {
  const points: Point[] = []
  for (let i = w.lo[0]!; i < w.hi[0]!; i++) points.push({ t: w.times[i]!, v: w.values[i]!, h: undefined })
  if (w.hhi[0] === w.hlo[0]) return points
  for (let i = w.hlo[0]!; i < w.hhi[0]!; i++) points.push({ t: w.htimes[i]!, v: 0, h: w.histograms[i]! })
  return points.sort((a, b) => a.t - b.t)
}

function extendedPoints(w: Windows, smoothed: boolean, notes: Parameters<typeof interpolateHistograms>[4]): Point[] {
  const isHistogram = w.hhi[0]! > w.hlo[0]!
  const times = isHistogram ? w.htimes : w.times
  const lo = isHistogram ? w.hlo[0]! : w.lo[0]!
  const hi = isHistogram ? w.hhi[0]! : w.hi[0]!
  if (hi === lo) return []
  const end = w.first
  const start = end - w.rangeMs
  let { first, last } = extendedBounds(times, lo, hi, start, end, smoothed)
  if (times[last]! <= start || (smoothed && times[first]! > end)) return []
  const at = (i: number): Point =>
    isHistogram ? { t: times[i]!, v: 0, h: w.histograms[i]! } : { t: times[i]!, v: w.values[i]!, h: undefined }
  const between = (a: number, b: number, t: number): Point => {
    if (!isHistogram) return { t, v: interpolate(w, a, b, t, false), h: undefined }
    const right = at(b).h!
    const isCounter = right.counterResetHint !== CounterResetHint.gauge
    const h = interpolateHistograms({ h: at(a).h!, t: times[a]! }, { h: right, t: times[b]! }, t, isCounter, notes)
    return { t, v: 0, h: h ?? undefined }
  }
  const left = smoothed && times[first]! < start ? between(first, first + 1, start) : { ...at(first), t: start }
  const right = smoothed && last > lo && times[last]! > end ? between(last - 1, last, end) : { ...at(last), t: end }
  if (times[first]! <= start) first++
  if (times[last]! >= end) last--
  const points = [left]
  for (let i = first; i <= last; i++) points.push(at(i))
  points.push(right)
  return points
}

/**
 * Range windows over decoded samples: a series is decoded once, split into floats and histograms (stale markers
 * dropped), and for every step the bounds of (t - range, t] are found by sliding. Range functions then loop over steps
 * with plain indices. Semantics: Prometheus promql/engine.go, matrixIterSlice (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../protocol/samples/mod.ts'
import type { SampleBuffer } from '../../tsdb/contract.ts'
import type { MatrixSelector, SubqueryExpr } from '../ast.ts'
import { histogramSamples, type QueryContext } from './context.ts'
import { markHints } from './histograms/hints.ts'
import { noteDownsampled, type RowReader } from './rows.ts'
import { addSubquery, countsInside, countWindows, windowed, windowedOnce } from './sample-counts.ts'
import { borrowBuffer, giveBufferBack, type Lookups, lookups } from './selector.ts'
import { FLOAT, type Frame, HISTOGRAM, type Series } from './types.ts'
import { streamVector } from './vector.ts'

/** Samples of one series and the window of each step: floats [lo, hi), histograms [hlo, hhi). */
export type Windows = {
  readonly steps: number
  /** The steps [from, to) that a range function is to compute now. */
  from: number
  to: number
  readonly rangeMs: number
  /** Window of step i is (rangeStart(i), rangeEnd(i)] with rangeEnd = first + i * step. */
  readonly first: number
  readonly step: number
  /** The lookback that anchored and smoothed windows reach beyond their bounds; 0 for plain ones. */
  readonly before: number
  readonly after: number
  count: number
  times: Float64Array
  values: Float64Array
  /** Start timestamps in ms (0 unknown), null when not known at all. */
  startTimes: Float64Array | null
  hcount: number
  htimes: Float64Array
  histograms: Histogram[]
  hstartTimes: Float64Array | null
  readonly lo: Int32Array
  readonly hi: Int32Array
  /** All 0 without histograms. */
  readonly hlo: Int32Array
  readonly hhi: Int32Array
  /** They are of a series that had histograms. */
  hasHistogramBounds: boolean
  /** The most floats in one window. */
  peak: number
  /** The floats of all windows together. */
  total: number
  /** Those floats, each once. */
  fresh: number
  /** The times of floats that `lo`, `hi`, `peak` and `total` are of: series of a target are sampled together. */
  knownTimes: Float64Array
  /** Of those times, -1 for none. */
  knownCount: number
  /** As `SampleBuffer.timesKey`: of the times now, and of those that are known; 0 is none. */
  timesKey: number
  knownKey: number
  /** As `SampleBuffer.rising`. */
  rising: number
  /** What a kernel has computed of these times alone, for the next series that has them; null when they have changed. */
  ofTimes: unknown
  /** When these are rows instead of samples: whoever computes over them. */
  readonly rows: RowReader | null
  /** What has been computed of the pairs of these histograms, once for all windows; null until then. */
  ofHistograms: unknown
}

export type WindowSeries = (series: { readonly ref: number; readonly source: Series | null }, windows: Windows) => void

/**
 * Calls `visit` for every series of the range vector, with one `Windows` that is filled anew each time.
 * @param rows of series that it can read, `visit` is given its own windows
 */
export function eachWindowed(
  ctx: QueryContext,
  range: MatrixSelector | SubqueryExpr,
  frame: Frame,
  visit: WindowSeries,
  rows: RowReader | null = null,
): void {
  if (ctx.trace === null) eachWindow(ctx, range, frame, visit, rows)
  else {
    const size = (_: unknown, { count, hcount }: Windows): number => count + hcount
    ctx.trace.visited(range, visit, size, (traced) => eachWindow(ctx, range, frame, traced, rows))
  }
}

function eachWindow(
  ctx: QueryContext,
  range: MatrixSelector | SubqueryExpr,
  frame: Frame,
  visit: WindowSeries,
  rows: RowReader | null,
): void {
  if (range.kind === 'subquery') eachSubqueryWindow(ctx, range, frame, visit)
  else eachSelectorWindow(ctx, range, frame, visit, rows)
}

function eachSelectorWindow(
  ctx: QueryContext,
  range: MatrixSelector,
  frame: Frame,
  visit: WindowSeries,
  rows: RowReader | null,
): void {
  const { selector } = range
  const at = lookups(selector, frame)
  const reach = ctx.options.lookbackMs
  const before = selector.anchored || selector.smoothed ? reach : 0
  const after = selector.smoothed ? reach : 0
  const windows = newWindows(frame.steps, range.rangeMs, at, before, after)
  const span = { minTime: at.first - range.rangeMs - before + 1, maxTime: at.last + after }
  const refs = ctx.select(selector, span, rows?.minTime)
  const scratch = borrowBuffer()
  for (let i = 0; i < refs.length; i++) {
    ctx.pollSeries()
    const ref = refs[i]!
    if (ctx.isUnwanted(selector, ref)) continue
    if (rows?.read(ref, span)) {
      visitCounted(ctx, ref, null, rows.windows, rows.windows.peak, visit)
      continue
    }
    scratch.timesKey = 0
    scratch.rising = 0
    const buffer = ctx.read(selector, ref, span, scratch)
    if (buffer.count === 0) continue
    if (buffer.sparse !== undefined) noteDownsampled(ctx, buffer.sparse.widthMs, range.pos)
    markHints(buffer, selector.statsOnly === true)
    const startTimes = ctx.options.useStartTimestamps ? buffer.startTimes : null
    if (buffer.mixed) splitSamples(buffer, startTimes, windows)
    else {
      windows.count = buffer.count
      windows.times = buffer.times
      windows.values = buffer.values
      windows.startTimes = startTimes
      windows.timesKey = buffer.timesKey ?? 0
      windows.rising = buffer.rising ?? 0
      windows.hcount = 0
    }
    visitHeld(ctx, ref, null, windows, visit)
  }
  giveBufferBack(scratch)
}

function eachSubqueryWindow(ctx: QueryContext, range: SubqueryExpr, frame: Frame, visit: WindowSeries): void {
  const at = lookups(range, frame)
  const inner = subqueryFrame(range, at, ctx.options.defaultSubqueryStepMs)
  const heldBefore = ctx.held
  const outer = ctx.counts
  const all: Series[] = []
  ctx.checkSteps(inner.steps)
  ctx.counts = countsInside(outer, inner.steps)
  if (inner.steps > 0) streamVector(ctx, range.expr, inner, true, (series) => all.push(series))
  ctx.insideSubquery = ctx.counts
  addSubquery(outer, ctx.counts, inner, frame)
  ctx.counts = outer
  const heldInside = ctx.held - heldBefore
  const windows = newWindows(frame.steps, range.rangeMs, at, 0, 0)
  for (const series of all) {
    ctx.pollSeries()
    columnToSamples(series, inner, windows)
    visitHeld(ctx, series.ref, series, windows, visit)
  }
  ctx.held -= heldInside
}

/** Steps of a subquery are multiples of its step, the first one after the start of the earliest window. */
export function subqueryFrame(range: SubqueryExpr, at: Lookups, defaultStepMs: number): Frame {
  const step = range.stepMs === 0 ? defaultStepMs : range.stepMs
  const earliest = at.first - range.rangeMs
  let start = step * Math.trunc(earliest / step)
  if (start <= earliest) start += step
  const steps = at.last < start ? 0 : Math.floor((at.last - start) / step) + 1
  return { startMs: start, stepMs: step, steps, endMs: at.last }
}

function visitHeld(ctx: QueryContext, ref: number, source: Series | null, windows: Windows, visit: WindowSeries): void {
  const size = windows.hcount > 0 ? histogramSamples(windows.histograms[0]!) : 0
  const peak = slide(windows) + (windows.hcount > 0 ? slideHistograms(windows) * size : clearHistograms(windows))
  visitCounted(ctx, ref, source, windows, peak, visit)
}

function visitCounted(
  ctx: QueryContext,
  ref: number,
  source: Series | null,
  windows: Windows,
  peak: number,
  visit: WindowSeries,
): void {
  ctx.looked += countWindows(ctx.counts, windows)
  ctx.hold(peak)
  visit({ ref, source }, windows)
  ctx.held -= peak
}

export function newWindows(steps: number, rangeMs: number, at: Lookups, before: number, after: number): Windows {
  return {
    steps,
    from: 0,
    to: steps,
    rangeMs,
    first: at.first,
    step: at.step,
    before,
    after,
    count: 0,
    times: new Float64Array(0),
    values: new Float64Array(0),
    startTimes: null,
    hcount: 0,
    htimes: new Float64Array(0),
    histograms: [],
    hstartTimes: null,
    lo: new Int32Array(steps),
    hi: new Int32Array(steps),
    hlo: new Int32Array(steps),
    hhi: new Int32Array(steps),
    hasHistogramBounds: false,
    peak: 0,
    total: 0,
    fresh: 0,
    knownTimes: new Float64Array(0),
    knownCount: -1,
    timesKey: 0,
    knownKey: 0,
    rising: 0,
    ofTimes: null,
    rows: null,
    ofHistograms: null,
  }
}

function splitSamples(buffer: SampleBuffer, startTimes: Float64Array | null, w: Windows): void {
  const { count, times, values, flags, histograms } = buffer
  const floatTimes = new Float64Array(count)
  const floatValues = new Float64Array(count)
  const floatStarts = startTimes === null ? null : new Float64Array(count)
  const histTimes = new Float64Array(count)
  const histStarts = startTimes === null ? null : new Float64Array(count)
  const hists: Histogram[] = []
  let n = 0
  for (let i = 0; i < count; i++) {
    const flag = flags[i]
    if (flag === 1) continue
    if (flag === HISTOGRAM) {
      const h = histograms![i]!
      if (h.isStale) continue
      histTimes[hists.length] = times[i]!
      if (histStarts !== null) histStarts[hists.length] = startTimes![i]!
      hists.push(h)
    } else {
      floatTimes[n] = times[i]!
      floatValues[n] = values[i]!
      if (floatStarts !== null) floatStarts[n] = startTimes![i]!
      n++
    }
  }
  w.count = n
  w.times = floatTimes
  w.values = floatValues
  w.timesKey = 0
  w.rising = 0
  w.startTimes = floatStarts
  w.ofHistograms = null
  w.hcount = hists.length
  w.htimes = histTimes
  w.histograms = hists
  w.hstartTimes = histStarts
}

/**
 * A subquery's result as samples. Reset hints are forgotten: samples may be missing or repeated between its steps
 * (as evalSubquery upstream), and start timestamps do not pass.
 */
function columnToSamples(series: Series, frame: Frame, w: Windows): void {
  const steps = series.present.length
  const times = new Float64Array(steps)
  const values = new Float64Array(steps)
  const htimes = new Float64Array(steps)
  const hists: Histogram[] = []
  let n = 0
  for (let i = 0; i < steps; i++) {
    const time = frame.startMs + i * frame.stepMs
    if (series.present[i] === FLOAT) {
      times[n] = time
      values[n++] = series.values[i]!
    } else if (series.present[i] === HISTOGRAM) {
      htimes[hists.length] = time
      const h = series.histograms![i]!
      const counter = h.counterResetHint === CounterResetHint.reset || h.counterResetHint === CounterResetHint.notReset
      hists.push(counter ? { ...h, counterResetHint: CounterResetHint.unknown } : h)
    }
  }
  w.count = n
  w.times = times
  w.values = values
  w.timesKey = 0
  w.rising = 0
  w.startTimes = null
  w.ofHistograms = null
  w.hcount = hists.length
  w.htimes = htimes
  w.histograms = hists
  w.hstartTimes = null
}

/** Fills lo and hi; returns the largest number of floats in one window. Hot: bench/hub/engine.bench.ts */
function slide(w: Windows): number {
  const isKnown = hasKnownTimes(w)
  w.knownKey = w.timesKey
  if (isKnown) return w.peak
  const { times, count } = w
  if (w.knownTimes.length < count) w.knownTimes = new Float64Array(2 * count)
  for (let i = 0; i < count; i++) w.knownTimes[i] = times[i]!
  w.knownCount = count
  w.ofTimes = null
  w.peak = slideOver(times, count, w.first - w.rangeMs - w.before, w.first + w.after, w.step, w.lo, w.hi)
  w.total = windowed(w.lo, w.hi)
  w.fresh = windowedOnce(w.lo, w.hi)
  return w.peak
}

function hasKnownTimes({ times, count, timesKey, knownTimes, knownCount, knownKey }: Windows): boolean {
  if (timesKey !== 0 && timesKey === knownKey) return true
  if (count !== knownCount) return false
  for (let i = 0; i < count; i++) if (times[i] !== knownTimes[i]) return false
  return true
}

function slideHistograms(w: Windows): number {
  w.hasHistogramBounds = true
  return slideOver(w.htimes, w.hcount, w.first - w.rangeMs - w.before, w.first + w.after, w.step, w.hlo, w.hhi)
}

function clearHistograms(w: Windows): number {
  if (!w.hasHistogramBounds) return 0
  w.hlo.fill(0)
  w.hhi.fill(0)
  w.hasHistogramBounds = false
  return 0
}

function slideOver(
  times: Float64Array,
  count: number,
  firstStart: number,
  firstEnd: number,
  stepMs: number,
  lo: Int32Array,
  hi: Int32Array,
): number {
  let low = 0
  let high = 0
  let most = 0
  let start = firstStart
  let end = firstEnd
  for (let i = 0; i < lo.length; i++) {
    while (low < count && times[low]! <= start) low++
    if (high < low) high = low
    while (high < count && times[high]! <= end) high++
    lo[i] = low
    hi[i] = high
    if (high - low > most) most = high - low
    start += stepMs
    end += stepMs
  }
  return most
}

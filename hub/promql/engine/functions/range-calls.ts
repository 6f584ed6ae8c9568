/**
 * Calls of range functions: windows in, one column a series out.
 * Semantics: Prometheus promql/engine.go, eval of a Call with a matrix argument (v3.14).
 */
import { labelValue, METRIC_NAME, quote } from '../../../../protocol/labels/mod.ts'
import type { Call, MatrixSelector, Position, SubqueryExpr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import { columnSamples, type QueryContext } from '../context.ts'
import { rowReader } from '../rows.ts'
import { anyPresent, type Emit, FLOAT, type Frame, type Series, SeriesSource } from '../types.ts'
import { hasOneName, uniqueSeries } from '../unique.ts'
import { evalScalar } from '../vector.ts'
import { eachWindowed, type WindowSeries, type Windows } from '../windows.ts'
import { absentSeries } from './absent.ts'
import type { RangeCall, RangeFunction } from './range-call.ts'
import {
  ANCHORED_FUNCTIONS,
  COUNTER_NAME,
  KEEPS_NAME,
  RANGE_FUNCTIONS,
  SINGLE_PASS,
  SMOOTHED_FUNCTIONS,
} from './range-functions.ts'

export function streamRangeCall(ctx: QueryContext, call: Call, frame: Frame, keep: boolean, emit: Emit): void {
  const args = call.args.map(unwrap)
  const range = args.find((arg) => arg.kind === 'matrix-selector' || arg.kind === 'subquery')
  if (range === undefined || (range.kind !== 'matrix-selector' && range.kind !== 'subquery')) {
    throw new Error(`BUG: ${call.func}() without a range vector`)
  }
  checkModifiers(call.func, range)
  const params = args.filter((arg) => arg !== range).map((arg) => evalScalar(ctx, arg, frame))
  const last = args[args.length - 1]!
  // The engine upstream puts the result of a subquery in its place, without a position.
  const firstPos = args[0]!.kind === 'subquery' ? { start: 0, end: 0 } : args[0]!.pos
  const spec = { range, params, firstPos, argsPos: { start: firstPos.start, end: last.pos.end } }
  if (call.func === 'absent_over_time') {
    absentOverTime(ctx, call, range, frame, emit)
    return
  }
  uniqueSeries(ctx, range, frame, emit, (next) =>
    streamWindows(ctx, call.func, spec, frame, keep || next.keep, next.emit),
  )
}

type Spec = {
  readonly range: MatrixSelector | SubqueryExpr
  readonly params: readonly Float64Array[]
  readonly firstPos: Position
  readonly argsPos: Position
}

function streamWindows(ctx: QueryContext, func: string, spec: Spec, frame: Frame, keep: boolean, emit: Emit): void {
  const { range, params, firstPos, argsPos } = spec
  const kernel = RANGE_FUNCTIONS[func]!
  const singlePass = SINGLE_PASS.has(func)
  const source = new SeriesSource(frame.steps, keep)
  const selector = range.kind === 'matrix-selector' ? range.selector : null
  let current: Series | null = null
  const call: RangeCall = {
    ctx,
    firstPos,
    argsPos,
    params,
    evalStart: frame.startMs,
    evalStep: frame.stepMs,
    anchored: selector?.anchored ?? false,
    smoothed: selector?.smoothed ?? false,
    metricName: () => (current === null ? '' : ctx.metricName(current)),
  }
  const checkCounter =
    func === 'rate' || func === 'increase'
      ? counterNameCheck(ctx, firstPos, range.kind === 'matrix-selector' && hasOneName(range))
      : null
  const visit: WindowSeries = (input, windows) => {
    const series = source.take(input.ref, input.source?.labels ?? null)
    // Whether the name was to go does not pass through a subquery.
    if (input.source !== null) series.nameless = input.source.nameless
    current = series
    // Windows that overlap little, or are few, are done before anybody could wait for them.
    const isShort = windows.peak * windows.steps <= SLICE_SAMPLES
    if (windows.rows !== null) windows.rows.compute(series, call)
    else if ((singlePass || isShort) && windows.hcount === 0) {
      windows.from = 0
      windows.to = windows.steps
      kernel(windows, series, call)
    } else computeInSlices(ctx, kernel, windows, series, call)
    if (!anyPresent(series.present)) return
    checkCounter?.(series)
    if (!KEEPS_NAME.has(func)) ctx.dropName(series)
    ctx.holdSeries(series, columnSamples(series), keep)
    emit(series)
  }
  eachWindowed(ctx, range, frame, visit, rowReader(ctx, func, range, frame))
}

/** Samples looked at between two looks at whether the query is still wanted. */
const SLICE_SAMPLES = 1_000_000

/** Long windows at many steps take long even for one series: the steps are computed in slices, polling in between. */
function computeInSlices(ctx: QueryContext, kernel: RangeFunction, w: Windows, out: Series, call: RangeCall): void {
  const { lo, hi, hlo, hhi, steps } = w
  w.from = 0
  while (w.from < steps) {
    let samples = 0
    let to = w.from
    while (to < steps && samples < SLICE_SAMPLES) {
      samples += hi[to]! - lo[to]! + hhi[to]! - hlo[to]! + 1
      to++
    }
    w.to = to
    kernel(w, out, call)
    if (to < steps) ctx.poll()
    w.from = to
  }
}

function checkModifiers(func: string, range: MatrixSelector | SubqueryExpr): void {
  if (range.kind === 'subquery') return
  const { anchored, smoothed } = range.selector
  if (anchored && !(ANCHORED_FUNCTIONS as readonly string[]).includes(func)) {
    throw new QueryError(
      'execution',
      `anchored modifier can only be used with: ${ANCHORED_FUNCTIONS.join(', ')} - not with ${func}`,
    )
  }
  if (smoothed && !(SMOOTHED_FUNCTIONS as readonly string[]).includes(func)) {
    throw new QueryError(
      'execution',
      `smoothed modifier can only be used with: ${SMOOTHED_FUNCTIONS.join(', ')} - not with ${func}`,
    )
  }
}

/** Notes a rate over floats whose metric does not look like a counter; names are looked at once each. */
function counterNameCheck(ctx: QueryContext, pos: Position, hasOne: boolean): (series: Series) => void {
  const metricName = ctx.reader.symbolId(METRIC_NAME)
  const fine = new Set<number>()
  let isDone = false
  return (series) => {
    if (isDone) return
    const stored = series.labels === null && series.ref >= 0 && !ctx.options.typeAndUnitLabels
    if (stored) {
      const ids = ctx.reader.labelIds(series.ref)
      for (let i = 0; i < ids.length; i += 2) if (ids[i] === metricName && fine.has(ids[i + 1]!)) return
    }
    if (!series.present.includes(FLOAT)) return
    // What is said of one name is said of all.
    isDone = hasOne && !ctx.options.typeAndUnitLabels
    const labels = ctx.labelsOf(series)
    const name = labelValue(labels, METRIC_NAME)
    if (name === '') return
    if (ctx.options.typeAndUnitLabels) {
      const type = labelValue(labels, '__type__')
      if (type === 'counter' || type === 'histogram') return
      const message = 'metric might not be a counter, __type__ label is not set to "counter" or "histogram"'
      ctx.info(`${message}, got ${quote(type)}: ${quote(name)}`, pos)
      return
    }
    if (!COUNTER_NAME.test(name)) {
      ctx.info(`metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(name)}`, pos)
    }
    if (!stored) return
    const ids = ctx.reader.labelIds(series.ref)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === metricName) fine.add(ids[i + 1]!)
  }
}

function absentOverTime(
  ctx: QueryContext,
  call: Call,
  range: MatrixSelector | SubqueryExpr,
  frame: Frame,
  emit: Emit,
): void {
  const seen = new Uint8Array(frame.steps)
  eachWindowed(ctx, range, frame, (_, { lo, hi, hlo, hhi }) => {
    for (let i = 0; i < seen.length; i++) if (hi[i]! > lo[i]! || hhi[i]! > hlo[i]!) seen[i] = 1
  })
  const series = absentSeries(call.args[0]!, seen)
  if (series !== null) emit(series)
}

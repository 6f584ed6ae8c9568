/** Calls of functions that give a vector: which operator stands for which name. */
import type { Call, Expr } from '../../ast.ts'
import { QueryError } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import type { QueryContext } from '../context.ts'
import { columnSamples } from '../context.ts'
import { streamSelector } from '../selector.ts'
import { type Emit, FLOAT, type Frame, isRange, NONE, newSeries, stepTime } from '../types.ts'
import { mergeSameLabels, uniqueSeries } from '../unique.ts'
import { collectVector, evalScalar, scalarBehind, streamVector } from '../vector.ts'
import { absentSeries } from './absent.ts'
import { DATE_FUNCTIONS } from './dates.ts'
import { HISTOGRAM_FUNCTIONS, mapHistograms } from './histogram-functions.ts'
import { emitFractions, emitQuantiles, groupHistograms } from './histogram-quantile.ts'
import { streamInfo } from './info.ts'
import { labelJoin, labelReplace, stringArg } from './label-functions.ts'
import { clampFloats, FLOAT_FUNCTIONS, mapFloats, roundFloats } from './math.ts'
import { streamRangeCall } from './range-calls.ts'
import { RANGE_FUNCTIONS } from './range-functions.ts'
import { sortByLabels, sortByValue } from './sorting.ts'

export function streamCall(ctx: QueryContext, call: Call, frame: Frame, keep: boolean, emit: Emit): void {
  const { func, args } = call
  if (func in RANGE_FUNCTIONS) {
    streamRangeCall(ctx, call, frame, keep, emit)
    return
  }
  const float = FLOAT_FUNCTIONS[func]
  if (float !== undefined) {
    eachSeries(ctx, args[0]!, frame, keep, emit, (series) => mapFloats(series, float))
    return
  }
  const histogram = HISTOGRAM_FUNCTIONS[func]
  if (histogram !== undefined) {
    eachSeries(ctx, args[0]!, frame, keep, emit, (series) => mapHistograms(series, histogram))
    return
  }
  if (func in DATE_FUNCTIONS) {
    dateCall(ctx, call, frame, keep, emit)
    return
  }
  switch (func) {
    case 'round': {
      const nearest = args.length > 1 ? scalarBehind(ctx, args[1]!, frame, args[0]!) : null
      eachSeries(ctx, args[0]!, frame, keep, emit, (series) => roundFloats(series, nearest))
      return
    }
    case 'clamp':
    case 'clamp_min':
    case 'clamp_max':
      clampCall(ctx, call, frame, keep, emit)
      return
    case 'timestamp':
    case 'start_timestamp':
      timestampCall(ctx, call, frame, keep, emit)
      return
    case 'vector':
      vectorCall(ctx, args[0]!, frame, emit)
      return
    case 'absent':
      absentCall(ctx, args[0]!, frame, emit)
      return
    case 'label_replace':
    case 'label_join': {
      const relabel = func === 'label_replace' ? labelReplace(ctx, call) : labelJoin(ctx, call)
      const all = collectVector(ctx, args[0]!, frame)
      for (const series of all) relabel(series)
      for (const series of mergeSameLabels(ctx, all)) emit(series)
      return
    }
    case 'sort':
    case 'sort_desc': {
      warnSortInRange(ctx, call, frame)
      const all = collectVector(ctx, args[0]!, frame)
      for (const series of sortByValue(all, func === 'sort_desc')) if (series.present.includes(FLOAT)) emit(series)
      return
    }
    case 'sort_by_label':
    case 'sort_by_label_desc': {
      warnSortInRange(ctx, call, frame)
      const all = collectVector(ctx, args[0]!, frame)
      const names = args.slice(1).map(stringArg)
      for (const series of sortByLabels(ctx, all, names, func === 'sort_by_label_desc')) emit(series)
      return
    }
    case 'histogram_quantile':
    case 'histogram_quantiles':
    case 'histogram_fraction':
      histogramCall(ctx, call, frame, emit)
      return
    case 'info':
      streamInfo(ctx, call, frame, emit)
      return
    default:
      throw new QueryError('execution', `unknown function with name ${JSON.stringify(func)}`)
  }
}

function warnSortInRange(ctx: QueryContext, { pos }: Call, frame: Frame): void {
  if (isRange(frame)) ctx.warn('sort is ineffective for range queries since results are always ordered by labels', pos)
}

/** Applies `change` in place; what is left empty is not passed on, and the metric name goes. */
function eachSeries(ctx: QueryContext, arg: Expr, frame: Frame, keep: boolean, emit: Emit, change: Emit): void {
  const source = unwrap(arg)
  uniqueSeries(ctx, source, frame, emit, (next) =>
    streamVector(ctx, source, frame, keep || next.keep, (series) => {
      change(series)
      if (!series.present.includes(FLOAT)) return
      ctx.dropName(series)
      next.emit(series)
    }),
  )
}

function dateCall(ctx: QueryContext, call: Call, frame: Frame, keep: boolean, emit: Emit): void {
  const of = DATE_FUNCTIONS[call.func]!
  if (call.args.length > 0) {
    eachSeries(ctx, call.args[0]!, frame, keep, emit, (series) => mapFloats(series, of))
    return
  }
  const series = newSeries(frame.steps, -1, null)
  for (let i = 0; i < frame.steps; i++) series.values[i] = of(Math.trunc(stepTime(frame, i) / 1000))
  series.present.fill(FLOAT)
  emit(series)
}

function clampCall(ctx: QueryContext, { func, args }: Call, frame: Frame, keep: boolean, emit: Emit): void {
  const second = scalarBehind(ctx, args[1]!, frame, args[0]!)
  const min = func === 'clamp_max' ? null : second
  const max = func === 'clamp' ? scalarBehind(ctx, args[2]!, frame, args[0]!) : func === 'clamp_max' ? second : null
  eachSeries(ctx, args[0]!, frame, keep, emit, (series) => clampFloats(series, min, max))
}

/** Of a selector, the time of the sample itself; of any other vector, the evaluation time. */
function timestampCall(ctx: QueryContext, { func, args }: Call, frame: Frame, keep: boolean, emit: Emit): void {
  const arg = unwrap(args[0]!)
  if (arg.kind === 'vector-selector') {
    const wanted = func === 'timestamp' ? 'timestamp' : 'start-timestamp'
    if (wanted === 'start-timestamp' && !ctx.options.useStartTimestamps) return
    uniqueSeries(ctx, arg, frame, emit, (next) =>
      streamSelector(
        ctx,
        arg,
        frame,
        keep || next.keep,
        (series) => {
          ctx.dropName(series)
          next.emit(series)
        },
        wanted,
      ),
    )
    return
  }
  // Start timestamps do not pass through expressions.
  if (func === 'start_timestamp') {
    streamVector(ctx, arg, frame, false, () => {})
    return
  }
  eachSeries(ctx, arg, frame, keep, emit, (series) => {
    for (let i = 0; i < frame.steps; i++) {
      if (series.present[i] === NONE) continue
      series.values[i] = stepTime(frame, i) / 1000
      series.present[i] = FLOAT
    }
    series.histograms = null
  })
}

function vectorCall(ctx: QueryContext, arg: Expr, frame: Frame, emit: Emit): void {
  const series = newSeries(frame.steps, -1, null)
  series.values.set(evalScalar(ctx, arg, frame))
  series.present.fill(FLOAT)
  emit(series)
}

function absentCall(ctx: QueryContext, arg: Expr, frame: Frame, emit: Emit): void {
  const seen = new Uint8Array(frame.steps)
  const held = ctx.held
  streamVector(ctx, arg, frame, false, ({ present }) => {
    for (let i = 0; i < seen.length; i++) seen[i]! |= present[i]!
  })
  ctx.held = held
  const series = absentSeries(arg, seen)
  if (series !== null) emit(series)
}

function histogramCall(ctx: QueryContext, { func, args }: Call, frame: Frame, emit: Emit): void {
  const exprs = args.map(unwrap)
  const vectorAt = func === 'histogram_quantile' ? 1 : func === 'histogram_quantiles' ? 0 : 2
  const vector = exprs[vectorAt]!
  const scalars = exprs.map((arg, i) =>
    i === vectorAt || arg.kind === 'string' ? null : { values: evalScalar(ctx, arg, frame), pos: arg.pos },
  )
  const heldBefore = ctx.held
  const histograms = groupHistograms(ctx, collectVector(ctx, vector, frame), vector.pos)
  ctx.held = heldBefore
  const pass: Emit = (series) => {
    ctx.hold(columnSamples(series))
    emit(series)
  }
  const firstPos = exprs[0]!.pos
  if (func === 'histogram_fraction') {
    const bounds = { lower: scalars[0]!.values, upper: scalars[1]!.values, pos: firstPos }
    emitFractions(ctx, histograms, bounds, pass)
    return
  }
  emitQuantiles(
    ctx,
    histograms,
    {
      quantiles: scalars.filter((scalar) => scalar !== null),
      label: func === 'histogram_quantiles' ? stringArg(args[1]) : null,
      nativePos: firstPos,
      classicPos: vector.pos,
      frame,
    },
    pass,
  )
}

/** Aggregation operators: which accumulator or selection stands for which name. */
import type { AggregateExpr } from '../../ast.ts'
import { unwrap } from '../../parser/mod.ts'
import { columnSamples, type QueryContext } from '../context.ts'
import { anyPresent, type Emit, type Frame, newSeries } from '../types.ts'
import { evalScalar, streamVector } from '../vector.ts'
import {
  type Accumulator,
  type AccumulatorSpec,
  CountAccumulator,
  ExtremeAccumulator,
  SumAccumulator,
  VarianceAccumulator,
} from './accumulators.ts'
import { streamCountValues } from './count-values.ts'
import { GroupTable } from './groups.ts'
import { streamLimitK, streamLimitRatio } from './limit.ts'
import { streamQuantile } from './quantile.ts'
import { streamTopK } from './topk.ts'

export function streamAggregate(ctx: QueryContext, expr: AggregateExpr, frame: Frame, emit: Emit): void {
  const heldBefore = ctx.held
  const pass: Emit = (series) => {
    ctx.poll()
    ctx.hold(columnSamples(series))
    emit(series)
  }
  const done = () => {
    ctx.held = heldBefore
  }
  if (expr.op === 'count_values') {
    streamCountValues(ctx, expr, frame, done, pass)
    return
  }
  const param = expr.param === null ? null : evalScalar(ctx, unwrap(expr.param), frame)
  switch (expr.op) {
    case 'topk':
    case 'bottomk':
      streamTopK(ctx, expr, param!, frame, done, pass)
      return
    case 'limitk':
      streamLimitK(ctx, expr, param!, frame, done, pass)
      return
    case 'limit_ratio':
      streamLimitRatio(ctx, expr, param!, frame, done, pass)
      return
    case 'quantile':
      streamQuantile(ctx, expr, param!, frame, done, pass)
      return
    default: {
      const groups = accumulate(ctx, expr, frame)
      done()
      emitGroups(groups, frame, pass)
    }
  }
}

export function emitGroups(groups: Iterable<Omit<AccumulatedGroup, 'firstRef'>>, frame: Frame, emit: Emit): void {
  for (const group of groups) {
    const out = newSeries(frame.steps, -1, group.labels)
    out.dropName = group.dropName
    group.accumulator.finish(out)
    if (anyPresent(out.present)) emit(out)
  }
}

export type AccumulatedGroup = {
  readonly labels: ReturnType<GroupTable<unknown>['labelsFor']>
  readonly dropName: boolean
  readonly accumulator: Accumulator
  /** Of the first series: the order of groups when shards are merged. */
  readonly firstRef: number
}

/** Streams the inside of the aggregation into one accumulator per group. */
export function accumulate(ctx: QueryContext, expr: AggregateExpr, frame: Frame): AccumulatedGroup[] {
  const spec = { ctx, expr, steps: frame.steps }
  let firstRef = -1
  const groups = new GroupTable<AccumulatedGroup>(ctx, expr, (labels, dropName) => ({
    labels,
    dropName,
    accumulator: newAccumulator(spec),
    firstRef,
  }))
  streamVector(ctx, expr.expr, frame, false, (series) => {
    firstRef = series.ref
    groups.of(series).accumulator.add(series)
  })
  return [...groups.values()]
}

export function newAccumulator(spec: AccumulatorSpec): Accumulator {
  switch (spec.expr.op) {
    case 'sum':
      return new SumAccumulator(spec, false)
    case 'avg':
      return new SumAccumulator(spec, true)
    case 'min':
    case 'max':
      return new ExtremeAccumulator(spec)
    case 'count':
    case 'group':
      return new CountAccumulator(spec)
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(spec)
    default:
      throw new Error(`BUG: aggregation ${spec.expr.op} has no accumulator`)
  }
}

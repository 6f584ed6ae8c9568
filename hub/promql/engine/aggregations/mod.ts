/** Aggregation operators: which accumulator or selection stands for which name. */
import type { AggregateExpr } from '../../ast.ts'
import type { SampleCounts } from '../../contract.ts'
import { unwrap } from '../../parser/mod.ts'
import { columnSamples, type QueryContext } from '../context.ts'
import { addCounts, countsInside } from '../sample-counts.ts'
import { anyPresent, type Emit, type Frame, type Series, withColumn } from '../types.ts'
import { evalScalar, streamVector } from '../vector.ts'
import {
  type Accumulator,
  type AccumulatorSpec,
  CountAccumulator,
  ExtremeAccumulator,
  type PartialColumns,
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
      emitGroups(groups, pass)
    }
  }
}

export function emitGroups(groups: Iterable<Omit<AccumulatedGroup, 'firstRef'>>, emit: Emit): void {
  for (const group of groups) {
    const out = withColumn(group.accumulator.finish(), -1, group.labels)
    out.dropName = group.dropName
    if (anyPresent(out.present)) emit(out)
  }
}

export type AccumulatedGroup = {
  readonly labels: ReturnType<GroupTable<unknown>['labelsFor']>
  /** One member whose name is to go makes the group's go. */
  dropName: boolean
  readonly accumulator: Accumulator
  /** Of the first series: the order of groups when shards are merged. */
  readonly firstRef: number
}

const DISTRIBUTIVE: ReadonlySet<string> = new Set(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'])

/** Of accumulators that can be merged. */
export const isDistributive = (op: AggregateExpr['op']): boolean => DISTRIBUTIVE.has(op)

/** Streams the inside of the aggregation into one accumulator per group, and into those of the aggregations fused with it. */
export function accumulate(ctx: QueryContext, expr: AggregateExpr, frame: Frame): readonly AccumulatedGroup[] {
  const key = `${frame.startMs} ${frame.stepMs} ${frame.steps}`
  const known = ctx.accumulated.get(expr)
  const ready = known?.get(key)
  if (ready !== undefined) {
    known!.delete(key)
    addCounts(ctx.counts, ready.counts)
    return ready.groups
  }
  const others = (ctx.fused.get(expr) ?? []).filter((other) => other !== expr)
  const own = new Accumulation(ctx, expr, frame.steps)
  const all = [own, ...others.map((other) => new Accumulation(ctx, other, frame.steps))]
  if (all.length === 1) {
    streamVector(ctx, expr.expr, frame, false, (series) => own.add(series))
    return own.groups()
  }
  const outer = ctx.counts
  const counts = countsInside(outer, frame.steps)
  ctx.counts = counts
  streamVector(ctx, expr.expr, frame, false, (series) => {
    for (const each of all) each.add(series)
  })
  addCounts(outer, counts)
  ctx.counts = outer
  others.forEach((other, i) => {
    const frames =
      ctx.accumulated.get(other) ?? new Map<string, { groups: readonly AccumulatedGroup[]; counts: SampleCounts }>()
    ctx.accumulated.set(other, frames.set(key, { groups: all[i + 1]!.groups(), counts }))
  })
  return own.groups()
}

class Accumulation {
  readonly #groups: GroupTable<AccumulatedGroup>
  #firstRef = -1

  constructor(ctx: QueryContext, expr: AggregateExpr, steps: number) {
    const spec = { ctx, expr, steps }
    this.#groups = new GroupTable<AccumulatedGroup>(ctx, expr, (labels, dropName) => ({
      labels,
      dropName,
      accumulator: newAccumulator(spec),
      firstRef: this.#firstRef,
    }))
  }

  add(series: Series): void {
    this.#firstRef = series.ref
    const group = this.#groups.of(series)
    if (series.dropName) group.dropName = true
    group.accumulator.add(series)
  }

  groups(): AccumulatedGroup[] {
    return [...this.#groups.values()]
  }
}

/** @param first a partial result to begin with, whose columns are the accumulator's own from then on */
export function newAccumulator(spec: AccumulatorSpec, first?: PartialColumns): Accumulator {
  switch (spec.expr.op) {
    case 'sum':
      return new SumAccumulator(spec, false, first)
    case 'avg':
      return new SumAccumulator(spec, true, first)
    case 'min':
    case 'max':
      return new ExtremeAccumulator(spec, first)
    case 'count':
    case 'group':
      return new CountAccumulator(spec, first)
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(spec, first)
    default:
      throw new Error(`BUG: aggregation ${spec.expr.op} has no accumulator`)
  }
}

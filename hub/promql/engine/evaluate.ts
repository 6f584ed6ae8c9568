/**
 * The evaluator's front: an expression, a range and a reader in, a result out.
 * Semantics: Prometheus promql/engine.go, execEvalStmt and cleanupMetricLabels (v3.14).
 */
import { compareLabels } from '../../../protocol/labels/mod.ts'
import { MatcherError } from '../../../protocol/matchers/mod.ts'
import type { SeriesReader, Shard } from '../../tsdb/contract.ts'
import type { Expr } from '../ast.ts'
import {
  type Annotation,
  type EngineOptions,
  QueryError,
  type QueryRange,
  type QueryResult,
  type ResultSeries,
} from '../contract.ts'
import { unwrap } from '../parser/mod.ts'
import { QueryContext, TOO_MANY_SAMPLES } from './context.ts'
import { type PlanFigures, type PlanNode, planTree } from './explain.ts'
import { instantSeries } from './instant.ts'
import { dropMetricName } from './labels.ts'
import { prepare } from './prepare.ts'
import { rawMatrix } from './raw-matrix.ts'
import { SharedReads } from './reads.ts'
import { FLOAT, type Frame, type Series } from './types.ts'
import { mergeSameLabels } from './unique.ts'
import { collectVector, evalScalar, isScalar } from './vector.ts'

export type Query = {
  readonly expr: Expr
  /** As written: annotations point into it. */
  readonly text: string
  readonly range: QueryRange
  readonly options: EngineOptions
  readonly reader: SeriesReader
  /** Evaluate over this part of all series only. */
  readonly shard?: Shard | undefined
  /** With an `explainClock` in the options, given the plan after the run. */
  readonly onPlan?: (plan: PlanNode) => void
}

/**
 * Synchronous: meant for a worker thread.
 * @throws QueryError
 */
export function evaluate(query: Query): QueryResult {
  return guarded(() => {
    const { expr, invariant, shared, fused } = prepare(query.expr, query.range)
    const ctx = new QueryContext({ ...query, invariant, shared, fused })
    ctx.reads = SharedReads.of([expr], frameOf(query.range), ctx)
    const result = run(ctx, expr)
    explain(ctx, query, { root: expr, invariant, cuts: [], shards: [] })
    return result
  })
}

/** Tells of the plan, if anybody asked. */
export function explain(ctx: QueryContext, { onPlan }: Query, plan: Omit<PlanFigures, 'figures'>): void {
  if (ctx.trace !== null) onPlan?.(planTree({ ...plan, figures: ctx.trace.figures(plan.root) }))
}

/** Evaluates a prepared expression; parts of it may be given in the context. */
export function run(ctx: QueryContext, expr: Expr): QueryResult {
  const result = resultOf(ctx, expr)
  ctx.options.onSamples?.(ctx.peak, ctx.counts)
  return result
}

function resultOf(ctx: QueryContext, expr: Expr): QueryResult {
  const frame = frameOf(ctx.range)
  ctx.checkSteps(frame.steps)
  const inner = unwrap(expr)
  if (inner.kind === 'string') return { type: 'string', value: inner.value, annotations: [] }
  if (inner.kind === 'matrix-selector' || inner.kind === 'subquery') {
    if (!ctx.range.instant) {
      throw new QueryError(
        'bad_data',
        'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
      )
    }
    const series = rawMatrix(ctx, inner, frame)
    return { type: 'raw-matrix', series, annotations: ctx.annotations() }
  }
  if (isScalar(inner)) {
    const values = evalScalar(ctx, inner, frame)
    ctx.hold(values.length)
    if (ctx.range.instant) return { type: 'scalar', values, annotations: ctx.annotations() }
    const present = new Uint8Array(frame.steps).fill(FLOAT)
    const series = { labels: dropMetricName([] as never), values, present, histograms: null }
    return { type: 'matrix', series: [series], annotations: ctx.annotations() }
  }
  if (ctx.range.instant) {
    const series = instantSeries(ctx, inner, frame)
    return { type: 'vector', series, annotations: ctx.annotations() }
  }
  const all = collectVector(ctx, inner, frame)
  const annotations: Annotation[] = ctx.annotations()
  return { type: 'matrix', series: finishSeries(ctx, all), annotations }
}

export function frameOf({ startMs, endMs, stepMs, instant }: QueryRange): Frame {
  if (instant) return { startMs, stepMs: stepMs > 0 ? stepMs : 1, steps: 1 }
  return { startMs, stepMs, steps: Math.floor((endMs - startMs) / stepMs) + 1, endMs }
}

/** Of ranges: removes the names that are due, merges what then has the same labels, sorts. */
function finishSeries(ctx: QueryContext, all: readonly Series[]): ResultSeries[] {
  // What was selected and not touched has the labels that it is stored under, which are unlike all others'.
  const isStored = all.every(({ labels, nameless, dropName }) => labels === null && !nameless && !dropName)
  for (const series of all) {
    const labels = ctx.labelsOf(series)
    series.labels = series.dropName && ctx.options.delayedNameRemoval ? dropMetricName(labels) : labels
  }
  const merged = isStored ? all : mergeSameLabels(ctx, all)
  const out = merged.map(({ labels, values, present, histograms }) => ({
    labels: labels!,
    values,
    present,
    histograms,
  }))
  return out.sort((a, b) => compareLabels(a.labels, b.labels))
}

/** Errors of matchers and of allocation become errors of the query. */
export function guarded<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof MatcherError) throw new QueryError('bad_data', error.message, { cause: error })
    // What the limits did not foresee: a column that the runtime refuses to allocate.
    if (error instanceof RangeError && /array (length|buffer allocation)/i.test(error.message)) {
      throw new QueryError('execution', TOO_MANY_SAMPLES, { cause: error })
    }
    throw error
  }
}

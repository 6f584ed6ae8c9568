/**
 * One query on several threads or hubs. The plan is cut at its outermost parts that can be computed series by series:
 * distributive aggregations give partial columns per group, other costly parts the columns of their series, of which those
 * stay behind that a topk around them cannot choose. Each shard of the series computes its own, these are merged, and the
 * rest of the plan runs on one thread.
 *
 *     splitPlan -> evaluatePartial on every shard -> mergePartials
 */
import type { Matcher } from '../../../protocol/matchers/mod.ts'
import type { Shard } from '../../tsdb/contract.ts'
import type { AggregateExpr, Expr, VectorSelector } from '../ast.ts'
import type { Annotation, QueryRange, QueryResult } from '../contract.ts'
import { childrenOf, unwrap } from '../parser/mod.ts'
import { asChooser, collectContenders } from './aggregations/contenders.ts'
import { type AccumulatedGroup, accumulate, isDistributive } from './aggregations/mod.ts'
import { QueryContext } from './context.ts'
import { onlySelector } from './early.ts'
import { explain, frameOf, guarded, type Query, run } from './evaluate.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { mergeGroups, mergeSeries, type PartialGroups, type PartialSeries, packGroups, packSeries } from './partial.ts'
import { type Prepared, prepare } from './prepare.ts'
import { SharedReads } from './reads.ts'
import type { OperatorFigures } from './trace.ts'
import type { Frame, Series } from './types.ts'
import { hasOneName } from './unique.ts'
import { collectVector, isScalar } from './vector.ts'

export type SplitPlan = {
  /** How many parts are computed in shards. */
  readonly cuts: number
  readonly selectors: readonly PlannedRead[]
}

/**
 * What the shards read: `windowMs` is 0 for an instant selector, which looks back by the lookback; the last window ends
 * `shiftMs` before the query does.
 */
export type PlannedRead = {
  readonly matchers: readonly Matcher[]
  readonly windowMs: number
  readonly shiftMs: number
  /** Every series of it goes to the thread that merges, not the groups that it belongs to, or the few that are chosen. */
  readonly isMoved: boolean
}

/** Null when nothing of the expression can be cut: evaluate it whole. */
export function splitPlan(expr: Expr, range: QueryRange): SplitPlan | null {
  return guarded(() => {
    const cuts = findCuts(prepare(expr, range))
    if (cuts.length === 0) return null
    const selectors: PlannedRead[] = []
    for (const { node, chooser } of cuts) {
      const isMoved = distributive(node) === null && chooser === null
      collectReads(node, { windowMs: 0, shiftMs: 0, endMs: range.endMs, isMoved }, selectors)
    }
    return { cuts: cuts.length, selectors }
  })
}

/** What a shard sends back: plain data and typed arrays, to be cloned or transferred. */
export type PartialResult = {
  /** In the order of the cuts; null when the shard met histograms, whose sums are not split. */
  readonly cuts: readonly (PartialGroups | PartialSeries | null)[]
  readonly annotations: readonly Annotation[]
  /** Of EXPLAIN. */
  readonly figures: readonly (OperatorFigures | null)[]
}

/** @throws QueryError */
export function evaluatePartial(query: Query & { readonly shard: Shard }): PartialResult {
  return guarded(() => {
    const prepared = prepare(query.expr, query.range)
    const { invariant, shared, fused } = prepared
    const ctx = new QueryContext({ ...query, invariant, shared, fused })
    const frame = frameOf(query.range)
    ctx.checkSteps(frame.steps)
    const parts = findCuts(prepared)
    ctx.reads = SharedReads.of(nodesOf(parts), frame, ctx)
    const cuts = parts.map(({ node, chooser }) => {
      const aggregate = distributive(node)
      if (aggregate !== null) return packGroups(ctx, accumulated(ctx, aggregate, frame), frame.steps)
      const series = chooser === null ? collectVector(ctx, node, frame) : collectContenders(ctx, chooser, frame)
      return packSeries(ctx, series, frame.steps)
    })
    ctx.options.onSamples?.(ctx.peak, ctx.counts)
    return { cuts, annotations: ctx.annotations(), figures: ctx.trace?.figures(prepared.expr) ?? [] }
  })
}

function accumulated(ctx: QueryContext, aggregate: AggregateExpr, frame: Frame): readonly AccumulatedGroup[] {
  const run = (): readonly AccumulatedGroup[] => accumulate(ctx, aggregate, frame)
  return ctx.trace === null ? run() : ctx.trace.whole(aggregate, run, ({ length }) => [length, frame.steps])
}

/**
 * Merges the partial results of all shards and runs the rest of the plan; `query` has no shard here. Null when a shard
 * could not give partial results: evaluate the query whole.
 * @param partials taken over: their columns become the result's
 * @throws QueryError
 */
export function mergePartials(query: Query, partials: readonly PartialResult[]): QueryResult | null {
  return guarded(() => {
    const prepared = prepare(query.expr, query.range)
    const given = new Map<Expr, readonly Series[]>()
    const { invariant, shared, fused } = prepared
    const ctx = new QueryContext({ ...query, invariant, shared, fused, given })
    const frame = frameOf(query.range)
    const { steps } = frame
    const cuts = findCuts(prepared)
    for (const [index, { node }] of cuts.entries()) {
      const parts = partials.map((partial) => partial.cuts[index] ?? null)
      if (parts.includes(null)) return null
      const aggregate = distributive(node)
      const merged =
        aggregate === null
          ? mergeSeries(ctx, parts as PartialSeries[], steps)
          : mergeGroups(ctx, aggregate, parts as PartialGroups[], steps)
      if (merged === null) return null
      given.set(node, merged)
    }
    for (const partial of partials) ctx.annotate(partial.annotations)
    ctx.reads = SharedReads.of([prepared.expr], frame, ctx)
    const result = run(ctx, prepared.expr)
    const shards = partials.map(({ figures }) => figures)
    explain(ctx, query, { root: prepared.expr, invariant, cuts: nodesOf(cuts), shards })
    return result
  })
}

/** A part that is computed in shards; `chooser`: nothing but what this may choose of it is wanted. */
type Cut = { readonly node: Expr; chooser: AggregateExpr | null }

const nodesOf = (cuts: readonly Cut[]): Expr[] => cuts.map(({ node }) => node)

/** Outermost first; not inside subqueries, whose steps are others, nor where all steps are the same anyway. */
function findCuts({ expr, invariant }: Prepared): Cut[] {
  const cuts: Cut[] = []
  const visit = (node: Expr, chooser: AggregateExpr | null): void => {
    // Who evaluates a node looks inside parentheses, and finds what is given for that.
    if (node.kind === 'paren') {
      visit(node.expr, chooser)
      return
    }
    if (invariant.has(node)) return
    // One that stands in several places is cut once.
    const known = cuts.find((cut) => cut.node === node)
    if (known !== undefined) {
      if (known.chooser !== chooser) known.chooser = null
      return
    }
    if (distributive(node) !== null) {
      cuts.push({ node, chooser: null })
      return
    }
    if ((chooser !== null || isCostly(node)) && isShardable(node) && keepsApart(node)) {
      cuts.push({ node, chooser })
      return
    }
    switch (node.kind) {
      case 'unary':
        visit(node.expr, null)
        return
      case 'binary':
        visit(node.lhs, null)
        visit(node.rhs, null)
        return
      case 'call':
        for (const arg of node.args) visit(arg, null)
        return
      case 'aggregate':
        if (!isFewest(node)) visit(node.expr, asChooser(node))
        return
      default:
        return
    }
  }
  visit(expr, null)
  return cuts
}

/** Where most series are not even read, one thread is soon done with the others. */
const FEW_SERIES = 100
const SMALL_RATIO = 0.5

function isFewest({ op, expr, param }: AggregateExpr): boolean {
  const limit = param === null ? null : unwrap(param)
  if (limit === null || limit.kind !== 'number' || onlySelector(expr, () => false) === null) return false
  if (op === 'limit_ratio') return Math.abs(limit.value) <= SMALL_RATIO
  return op === 'limitk' && limit.value <= FEW_SERIES
}

/** The node as an aggregation whose groups can be merged; null when it is none. */
function distributive(node: Expr): AggregateExpr | null {
  if (node.kind !== 'aggregate' || !isDistributive(node.op)) return null
  return isShardable(node.expr) && keepsApart(node.expr) ? node : null
}

/** Windows are slid over samples in it: that takes longer than moving its columns. */
function isCostly(node: Expr): boolean {
  switch (node.kind) {
    case 'paren':
    case 'unary':
      return isCostly(node.expr)
    case 'binary':
      return isCostly(node.lhs) || isCostly(node.rhs)
    case 'call':
      return node.args.some((arg) => {
        const inner = unwrap(arg)
        return inner.kind === 'matrix-selector' || inner.kind === 'subquery' || isCostly(inner)
      })
    default:
      return false
  }
}

type Reach = Omit<PlannedRead, 'matchers'> & { readonly endMs: number }

function collectReads(node: Expr, reach: Reach, out: PlannedRead[]): void {
  switch (node.kind) {
    case 'vector-selector': {
      const { windowMs, shiftMs, isMoved } = shifted(node, reach)
      out.push({ matchers: node.matchers, windowMs, shiftMs, isMoved })
      return
    }
    case 'matrix-selector':
      collectReads(node.selector, { ...reach, windowMs: reach.windowMs + node.rangeMs }, out)
      return
    case 'subquery':
      collectReads(node.expr, { ...shifted(node, reach), windowMs: reach.windowMs + node.rangeMs }, out)
      return
    default:
      for (const child of childrenOf(node)) collectReads(child, reach, out)
  }
}

function shifted({ at, offset }: Pick<VectorSelector, 'at' | 'offset'>, reach: Reach): Reach {
  const since = at?.kind === 'at-timestamp' ? reach.endMs - at.timestampMs : reach.shiftMs
  return { ...reach, shiftMs: since + offset.offsetMs }
}

/** False when dropping names could give series of two shards the same labels, which is an error that no shard sees. */
function keepsApart(expr: Expr): boolean {
  return unwrap(expr).kind === 'vector-selector' || hasOneName(expr)
}

/** Computable series by series: no operator in it looks at two series at once. */
function isShardable(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
    case 'matrix-selector':
      return true
    case 'paren':
    case 'unary':
    case 'subquery':
      return isShardable(expr.expr)
    case 'binary':
      if (isScalar(expr.lhs)) return isConstant(expr.lhs) && isShardable(expr.rhs)
      return isScalar(expr.rhs) && isConstant(expr.rhs) && isShardable(expr.lhs)
    case 'call':
      if (expr.func === 'absent_over_time') return false
      if (!(expr.func in RANGE_FUNCTIONS || expr.func in FLOAT_FUNCTIONS)) return false
      return expr.args.every((arg) => (isScalar(arg) ? isConstant(arg) : isShardable(unwrap(arg))))
    default:
      return false
  }
}

/** A scalar that no series goes into. */
function isConstant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
      return true
    case 'paren':
    case 'unary':
      return isConstant(expr.expr)
    case 'binary':
      return isConstant(expr.lhs) && isConstant(expr.rhs)
    case 'call':
      return expr.func !== 'scalar' && expr.args.every(isConstant)
    default:
      return false
  }
}

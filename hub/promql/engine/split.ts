/**
 * One query on several threads or hubs. The plan is cut at its outermost distributive aggregations over what can be
 * computed series by series: each shard of the series gives partial columns per group, which are merged before the
 * rest of the plan runs on one thread.
 *
 *     splitPlan -> evaluatePartial on every shard -> mergePartials
 */
import { type Labels, labelsFromSorted, labelsKey } from '../../../protocol/labels/mod.ts'
import type { Shard } from '../../tsdb/contract.ts'
import type { AggregateExpr, Expr } from '../ast.ts'
import type { Annotation, QueryRange, QueryResult } from '../contract.ts'
import type { Accumulator, PartialColumns } from './aggregations/accumulators.ts'
import { accumulate, emitGroups, newAccumulator } from './aggregations/mod.ts'
import { QueryContext } from './context.ts'
import { frameOf, guarded, type Query, run } from './evaluate.ts'
import { FLOAT_FUNCTIONS } from './functions/math.ts'
import { RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { unwrap } from './keys.ts'
import { type Prepared, prepare } from './prepare.ts'
import type { Series } from './types.ts'
import { hasOneName } from './unique.ts'
import { isScalar } from './vector.ts'

const DISTRIBUTIVE: ReadonlySet<string> = new Set(['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'])

export type SplitPlan = {
  /** How many aggregations are computed in shards. */
  readonly cuts: number
}

/** Null when nothing of the expression is worth cutting: evaluate it whole. */
export function splitPlan(expr: Expr, range: QueryRange): SplitPlan | null {
  const cuts = guarded(() => findCuts(prepare(expr, range))).length
  return cuts === 0 ? null : { cuts }
}

/** Partial columns of all groups of one cut: `values[group * steps + step]`, and the like. */
export type PartialCut = {
  readonly labels: readonly (readonly string[])[]
  readonly dropNames: readonly boolean[]
  readonly state: Uint8Array<ArrayBuffer>
  readonly values: Float64Array<ArrayBuffer>
  readonly comps: Float64Array<ArrayBuffer> | null
  readonly counts: Float64Array<ArrayBuffer> | null
}

/** What a shard sends back: plain data and typed arrays, to be cloned or transferred. */
export type PartialResult = {
  /** In the order of the cuts; null when the shard met histograms, whose sums are not split. */
  readonly cuts: readonly (PartialCut | null)[]
  readonly annotations: readonly Annotation[]
}

/** @throws QueryError */
export function evaluatePartial(query: Query & { readonly shard: Shard }): PartialResult {
  return guarded(() => {
    const prepared = prepare(query.expr, query.range)
    const ctx = new QueryContext({ ...query, invariant: prepared.invariant })
    const frame = frameOf(query.range)
    const cuts = findCuts(prepared).map((cut) => {
      const groups = accumulate(ctx, cut, frame)
      const columns = groups.map(({ accumulator }) => accumulator.partial())
      return packCut(groups, columns, frame.steps)
    })
    return { cuts, annotations: ctx.annotations() }
  })
}

/**
 * Merges the partial results of all shards and runs the rest of the plan; `query` has no shard here. Null when a shard
 * could not give partial results: evaluate the query whole.
 * @throws QueryError
 */
export function mergePartials(query: Query, partials: readonly PartialResult[]): QueryResult | null {
  return guarded(() => {
    const prepared = prepare(query.expr, query.range)
    const given = new Map<Expr, readonly Series[]>()
    const ctx = new QueryContext({ ...query, invariant: prepared.invariant, given })
    const cuts = findCuts(prepared)
    for (const [index, cut] of cuts.entries()) {
      const parts = partials.map((partial) => partial.cuts[index] ?? null)
      if (parts.includes(null)) return null
      given.set(cut, mergeCut(ctx, cut, parts as PartialCut[], frameOf(query.range).steps))
    }
    for (const partial of partials) ctx.annotate(partial.annotations)
    return run(ctx, prepared.expr)
  })
}

/** Outermost first; not inside subqueries, whose steps are others, nor where all steps are the same anyway. */
function findCuts({ expr, invariant }: Prepared): AggregateExpr[] {
  const cuts: AggregateExpr[] = []
  const visit = (node: Expr): void => {
    if (invariant.has(node)) return
    switch (node.kind) {
      case 'paren':
      case 'unary':
        visit(node.expr)
        return
      case 'binary':
        visit(node.lhs)
        visit(node.rhs)
        return
      case 'call':
        node.args.forEach(visit)
        return
      case 'aggregate':
        if (DISTRIBUTIVE.has(node.op) && isShardable(node.expr) && keepsApart(node.expr)) cuts.push(node)
        else visit(node.expr)
        return
      default:
        return
    }
  }
  visit(expr)
  return cuts
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

function packCut(
  groups: readonly { readonly labels: Labels; readonly dropName: boolean }[],
  columns: readonly (PartialColumns | null)[],
  steps: number,
): PartialCut | null {
  const size = groups.length * steps
  const has = (name: 'comps' | 'counts') => columns.some((column) => column !== null && column[name] !== null)
  const out = {
    labels: groups.map(({ labels }) => [...labels]),
    dropNames: groups.map(({ dropName }) => dropName),
    state: new Uint8Array(size),
    values: new Float64Array(size),
    comps: has('comps') ? new Float64Array(size) : null,
    counts: has('counts') ? new Float64Array(size) : null,
  }
  for (const [group, column] of columns.entries()) {
    if (column === null) return null
    const at = group * steps
    out.state.set(column.state, at)
    out.values.set(column.values, at)
    if (column.comps !== null) out.comps!.set(column.comps, at)
    if (column.counts !== null) out.counts!.set(column.counts, at)
  }
  return out
}

function mergeCut(ctx: QueryContext, cut: AggregateExpr, parts: readonly PartialCut[], steps: number): Series[] {
  const merged = new Map<string, { labels: Labels; dropName: boolean; accumulator: Accumulator }>()
  for (const part of parts) {
    for (const [group, flat] of part.labels.entries()) {
      const labels = labelsFromSorted(flat)
      const key = labelsKey(labels)
      let into = merged.get(key)
      if (into === undefined) {
        const accumulator = newAccumulator({ ctx, expr: cut, steps })
        into = { labels, dropName: part.dropNames[group]!, accumulator }
        merged.set(key, into)
      }
      const column = <T extends Float64Array | Uint8Array>(all: T) =>
        all.subarray(group * steps, (group + 1) * steps) as T
      into.accumulator.merge({
        state: column(part.state),
        values: column(part.values),
        comps: part.comps === null ? null : column(part.comps),
        counts: part.counts === null ? null : column(part.counts),
      })
    }
  }
  const out: Series[] = []
  emitGroups(merged.values(), { startMs: 0, stepMs: 1, steps }, (series) => out.push(series))
  return out
}

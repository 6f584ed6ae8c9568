/**
 * Without delayed name removal an operator that drops metric names may give two series the same labels: those are
 * merged where they do not overlap, and are an error where they do.
 * Semantics: Prometheus promql/engine.go, rangeEval and mergeSeriesWithSameLabelset.
 */
import { labelsKey, METRIC_NAME } from '../../../protocol/labels/mod.ts'
import type { Expr } from '../ast.ts'
import { QueryError } from '../contract.ts'
import type { QueryContext } from './context.ts'
import { type Emit, type Frame, NONE, type Series } from './types.ts'

export type Next = { readonly keep: boolean; readonly emit: Emit }

/** Runs `operator`, whose results go to `emit` directly unless two of them might have the same labels. */
export function uniqueSeries(
  ctx: QueryContext,
  source: Expr,
  _frame: Frame,
  emit: Emit,
  operator: (next: Next) => void,
): void {
  if (ctx.options.delayedNameRemoval || hasOneName(source)) {
    operator({ keep: false, emit })
    return
  }
  const all: Series[] = []
  operator({ keep: true, emit: (series) => all.push(series) })
  for (const series of mergeSameLabels(ctx, all)) emit(series)
}

/** Of operators, which stand in chains: every link asks of all before it. */
const known = new WeakMap<Expr, boolean>()

/** True when all series of the result have the same metric name, or none: dropping it then cannot make two equal. */
export function hasOneName(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector-selector':
      return expr.matchers.some(({ name, op }) => name === METRIC_NAME && op === '=')
    case 'matrix-selector':
      return hasOneName(expr.selector)
    case 'paren':
    case 'unary':
    case 'subquery':
      return hasOneName(expr.expr)
    case 'call':
      return expr.args.every((arg) => arg.kind === 'string' || hasOneName(arg)) && !expr.func.startsWith('label_')
    case 'binary': {
      let answer = known.get(expr)
      if (answer === undefined)
        known.set(expr, (answer = expr.op !== 'or' && hasOneName(expr.lhs) && hasOneName(expr.rhs)))
      return answer
    }
    case 'number':
      return true
    default:
      return false
  }
}

/** @throws QueryError execution when two of the series hold something at the same step */
export function mergeSameLabels(ctx: QueryContext, all: readonly Series[]): readonly Series[] {
  if (all.length < 2) return all
  const byLabels = new Map<string, Series>()
  for (const series of all) {
    const key = labelsKey(ctx.labelsOf(series))
    const first = byLabels.get(key)
    if (first === undefined) byLabels.set(key, series)
    else mergeInto(first, series)
  }
  return byLabels.size === all.length ? all : [...byLabels.values()]
}

function mergeInto(first: Series, other: Series): void {
  for (let i = 0; i < first.present.length; i++) {
    const kind = other.present[i]!
    if (kind === NONE) continue
    if (first.present[i] !== NONE) sameLabels()
    first.present[i] = kind
    first.values[i] = other.values[i]!
    if (other.histograms?.[i] !== undefined) {
      first.histograms ??= new Array(first.present.length)
      first.histograms[i] = other.histograms[i]
    }
  }
}

/** @throws QueryError execution */
export function sameLabels(): never {
  throw new QueryError('execution', 'vector cannot contain metrics with the same labelset')
}

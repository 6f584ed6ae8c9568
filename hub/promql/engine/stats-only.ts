/**
 * Selectors of which nothing but the count and the sum of a native histogram is looked at, as in
 * `histogram_count(sum(rate(x[5m])))`: they read histograms without buckets, which is quicker and what upstream does: bounds
 * that differ are no matter then, and resets are told of where they are met.
 * Semantics: Prometheus promql/engine.go, detectHistogramStatsDecoding.
 */
import type { Expr } from '../ast.ts'
import { childrenOf, withChildren } from '../parser/mod.ts'

const OF_STATS: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg'])
const OF_BUCKETS: ReadonlySet<string> = new Set(['histogram_quantile', 'histogram_quantiles', 'histogram_fraction'])

/** The expression with `statsOnly` at those selectors. Inside of what needs buckets, and of subqueries, there are none. */
export function markStatsOnly(expr: Expr, isInside = false): Expr {
  switch (expr.kind) {
    case 'vector-selector':
      return isInside ? { ...expr, statsOnly: true } : expr
    case 'matrix-selector':
      return isInside ? { ...expr, selector: { ...expr.selector, statsOnly: true } } : expr
    case 'subquery':
      return expr
    case 'call':
      if (OF_BUCKETS.has(expr.func)) return expr
      return withChildren(expr, (arg) => markStatsOnly(arg, isInside || OF_STATS.has(expr.func)))
    case 'binary':
      if (expr.op === '</' || expr.op === '>/') return expr
      return withChildren(expr, (side) => markStatsOnly(side, isInside))
    default:
      return withChildren(expr, (child) => markStatsOnly(child, isInside))
  }
}

/** Of an expression that is wholly inside or outside of such a function. */
export function isStatsOnly(expr: Expr): boolean {
  return expr.kind === 'vector-selector' ? expr.statsOnly === true : childrenOf(expr).some(isStatsOnly)
}

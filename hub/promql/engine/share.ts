/**
 * Aggregations that a query has several times, as in `(a - b) / a`, become one node of the plan: evaluated once, and
 * handed out as copies. The last of them stays, as its position is the one that annotations would end up with.
 */
import type { Expr } from '../ast.ts'
import { childrenOf } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import type { Series } from './types.ts'

/** Printing every aggregation of a huge query costs more than it could save. */
const NODES_MAX = 300

export type Shared = { readonly expr: Expr; readonly shared: ReadonlySet<Expr> }

const NOTHING: ReadonlySet<Expr> = new Set()

export function shareAggregations(root: Expr): Shared {
  const aggregations: Expr[] = []
  let nodes = 0
  const collect = (node: Expr): void => {
    if (++nodes > NODES_MAX) return
    if (node.kind === 'aggregate') aggregations.push(node)
    for (const child of childrenOf(node)) collect(child)
  }
  collect(root)
  if (nodes > NODES_MAX || aggregations.length < 2) return { expr: root, shared: NOTHING }
  const texts = new Map(aggregations.map((node) => [node, printExpr(node)]))
  const last = new Map<string, Expr>()
  const repeated = new Set<string>()
  for (const [node, text] of texts) {
    if (last.has(text)) repeated.add(text)
    last.set(text, node)
  }
  if (repeated.size === 0) return { expr: root, shared: NOTHING }
  const kept = new Map<string, Expr>()
  const replaced = (node: Expr): Expr => {
    const text = texts.get(node)
    if (text === undefined || !repeated.has(text)) return withChildren(node, replaced)
    let one = kept.get(text)
    if (one === undefined) kept.set(text, (one = withChildren(last.get(text)!, replaced)))
    return one
  }
  const expr = replaced(root)
  return { expr, shared: new Set(kept.values()) }
}

function withChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'subquery':
      return { ...expr, expr: change(expr.expr) }
    case 'binary':
      return { ...expr, lhs: change(expr.lhs), rhs: change(expr.rhs) }
    case 'aggregate':
      return { ...expr, expr: change(expr.expr), param: expr.param === null ? null : change(expr.param) }
    case 'call':
      return { ...expr, args: expr.args.map(change) }
    default:
      return expr
  }
}

/** Columns of its own: whoever receives a series may change them. */
export function copyOf(series: Series): Series {
  return {
    ...series,
    values: series.values.slice(),
    present: series.present.slice(),
    histograms: series.histograms === null ? null : [...series.histograms],
  }
}

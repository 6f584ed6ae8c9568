/**
 * Aggregations and range functions that a query has several times, as in `(a - b) / a`, become one node of the plan:
 * evaluated once, and handed out as copies. The last of them stays, as its position is the one that annotations would
 * end up with.
 */
import type { Expr } from '../ast.ts'
import { childrenOf, unwrap, withChildren } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { RANGE_FUNCTIONS } from './functions/range-functions.ts'
import { isStatsOnly } from './stats-only.ts'
import type { Series } from './types.ts'

/** Printing every part of a huge query costs more than it could save. */
const NODES_MAX = 300

export type Shared = { readonly expr: Expr; readonly shared: ReadonlySet<Expr> }

const NOTHING: ReadonlySet<Expr> = new Set()

export function shareRepeated(root: Expr): Shared {
  const candidates: Expr[] = []
  let nodes = 0
  const collect = (node: Expr): void => {
    if (++nodes > NODES_MAX) return
    if (isWorthSharing(node)) candidates.push(node)
    for (const child of childrenOf(node)) collect(child)
  }
  collect(root)
  if (nodes > NODES_MAX || candidates.length < 2) return { expr: root, shared: NOTHING }
  const texts = new Map(candidates.map((node) => [node, keyOf(node)]))
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
  return { expr, shared: standingTwice(expr, new Set(kept.values())) }
}

function keyOf(node: Expr): string {
  return `${isStatsOnly(node) ? 'stats of ' : ''}${printExpr(node)}`
}

function isWorthSharing(node: Expr): boolean {
  if (node.kind === 'aggregate') return true
  if (node.kind !== 'call' || !(node.func in RANGE_FUNCTIONS)) return false
  return node.args.some((arg) => ['matrix-selector', 'subquery'].includes(unwrap(arg).kind))
}

/** What stands in one place only, inside of what stands in two, is evaluated once anyway. */
function standingTwice(root: Expr, among: ReadonlySet<Expr>): ReadonlySet<Expr> {
  const seen = new Set<Expr>()
  const out = new Set<Expr>()
  const visit = (node: Expr): void => {
    if (seen.has(node)) {
      if (among.has(node)) out.add(node)
      return
    }
    seen.add(node)
    for (const child of childrenOf(node)) visit(child)
  }
  visit(root)
  return out
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

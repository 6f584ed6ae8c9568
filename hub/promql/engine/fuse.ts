/**
 * Aggregations of the same vector, as in `sum(rate(x[5m])) / count(rate(x[5m]))`: it is streamed once, into the groups of
 * all of them.
 */
import type { AggregateExpr, Expr } from '../ast.ts'
import { childrenOf, unwrap } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { isLargerThan } from './propagate.ts'
import { isStatsOnly } from './stats-only.ts'

/** Of each aggregation that is not alone: all that are fed together, itself among them. */
export type Fused = ReadonlyMap<Expr, readonly AggregateExpr[]>

const ALONE: Fused = new Map()

/** Printing what a huge query aggregates costs more than it could save. */
const NODES_MAX = 300

/** @param isReducing of an aggregation: is it one that adds series to its groups as they come? */
export function fuseAggregations(root: Expr, isReducing: (op: AggregateExpr['op']) => boolean): Fused {
  if (isLargerThan(root, NODES_MAX)) return ALONE
  const found: { readonly node: AggregateExpr; readonly frame: number }[] = []
  const seen = new Set<Expr>()
  let frames = 0
  const visit = (node: Expr, frame: number): void => {
    if (seen.has(node)) return
    seen.add(node)
    if (node.kind === 'aggregate' && isReducing(node.op)) found.push({ node, frame })
    // The inside of a subquery has steps of its own.
    const inside = node.kind === 'subquery' ? ++frames : frame
    for (const child of childrenOf(node)) visit(child, inside)
  }
  visit(root, 0)
  if (found.length < 2) return ALONE
  const byInput = new Map<string, AggregateExpr[]>()
  for (const { node, frame } of found) {
    const key = `${frame} ${isStatsOnly(node)} ${printExpr(unwrap(node.expr))}`
    const same = byInput.get(key)
    if (same === undefined) byInput.set(key, [node])
    else same.push(node)
  }
  const out = new Map<Expr, readonly AggregateExpr[]>()
  for (const group of byInput.values()) if (group.length > 1) for (const node of group) out.set(node, group)
  return out
}

/** The shared parts that are still needed as such: not those that all of one group's aggregations are fed from at once. */
export function stillShared(root: Expr, shared: ReadonlySet<Expr>, fused: Fused): ReadonlySet<Expr> {
  if (shared.size === 0 || fused.size === 0) return shared
  const groupsOf = new Map<Expr, Set<unknown>>()
  const seen = new Set<Expr>()
  const visit = (node: Expr, user: Expr | null): void => {
    const used = unwrap(node)
    // Each use by what is in no group counts as a group of its own: an operator may have it on both of its sides.
    const group = (user === null ? undefined : fused.get(user)) ?? {}
    if (shared.has(used)) groupsOf.set(used, (groupsOf.get(used) ?? new Set()).add(group))
    if (seen.has(used)) return
    seen.add(used)
    for (const child of childrenOf(used)) visit(child, used)
  }
  visit(root, null)
  return new Set([...shared].filter((node) => (groupsOf.get(node)?.size ?? 0) > 1))
}

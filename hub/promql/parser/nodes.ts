/**
 * Nodes while they are being built: modifiers that follow a selector change it in place, as upstream does, before
 * anybody else sees it.
 */
import type {
  AtModifier,
  DurationExpr,
  Expr,
  MatrixSelector,
  NumberLiteral,
  Position,
  SubqueryExpr,
  VectorSelector,
} from '../ast.ts'

export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export const NO_OFFSET = { offsetMs: 0, expr: null } as const
export const NO_POSITION: Position = { start: 0, end: 0 }

/** A literal, or an expression to be worked out when the query's range is known. */
export type DurationNode = NumberLiteral | DurationExpr

/** Milliseconds of a literal's seconds, rounded as upstream: to nanoseconds first, then cut. */
export function literalMs(seconds: number): number {
  return Math.trunc(Math.round(seconds * 1e9) / 1e6)
}

export function isDurationExpr(node: DurationNode): node is DurationExpr {
  return node.kind !== 'number'
}

/** Literals inside duration expressions. */
export function asDurationExpr(node: DurationNode): DurationExpr {
  if (isDurationExpr(node)) return node
  return { kind: 'duration-literal', seconds: node.value, duration: node.duration, pos: node.pos }
}

/** What `offset` and `@` attach to: the selector that holds them and the node whose end moves. */
export type Target = {
  readonly holder: Mutable<VectorSelector> | Mutable<SubqueryExpr>
  readonly node: Mutable<VectorSelector> | Mutable<MatrixSelector> | Mutable<SubqueryExpr>
}

export function modifierTarget(expr: Expr): Target | 'not a selector' | 'not a vector selector' {
  if (expr.kind === 'vector-selector' || expr.kind === 'subquery') return { holder: expr, node: expr }
  if (expr.kind !== 'matrix-selector') return 'not a selector'
  // A range over something else has been complained about, but stands in the tree.
  const selector: Expr = expr.selector
  return (selector.kind as string) === 'vector-selector' ? { holder: selector, node: expr } : 'not a vector selector'
}

export function endAt(node: Target['node'], end: number): void {
  node.pos = { start: node.pos.start, end }
}

export type { AtModifier }

/** The plan of a query as a tree, with what each operator did when it ran. */
import type { Expr } from '../ast.ts'
import { unwrap } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { type OperatorFigures, operatorInputs, operators } from './trace.ts'

export type PlanNode = {
  /** `aggregate sum`, `call rate`, `binary /`, `vector-selector`… */
  readonly operator: string
  /** In PromQL, as it was run: durations and `@ start()` are numbers by then. */
  readonly expression: string
  /** The plan is cut above it: each worker computes it over its share of the series, and the results are merged. */
  readonly isCut: boolean
  /** The same at every step, so it is computed once. */
  readonly isConstant: boolean
  readonly series: number
  readonly samples: number
  /** With its inputs, and the shards that they waited for; of what ran in shards, the slowest shard's, and the merging. */
  readonly timeMs: number
  /** Without its inputs; of what ran in shards, of all shards together. */
  readonly selfMs: number
  /** By worker, of what ran in shards. */
  readonly shards: readonly { readonly series: number; readonly samples: number; readonly timeMs: number }[]
  readonly inputs: readonly PlanNode[]
}

export type PlanFigures = {
  readonly root: Expr
  readonly invariant: ReadonlySet<Expr>
  readonly cuts: readonly Expr[]
  /** Of this thread, in the order of `operators`. */
  readonly figures: readonly (OperatorFigures | null)[]
  /** By shard. */
  readonly shards: readonly (readonly (OperatorFigures | null)[])[]
}

const NOTHING: OperatorFigures = { series: 0, samples: 0, ms: 0, calls: 0 }

export function planTree({ root, invariant, cuts, figures, shards }: PlanFigures): PlanNode {
  const place = new Map(operators(root).map((expr, i) => [expr, i]))
  const node = (expr: Expr, isShard: boolean): PlanNode => {
    const isCut = cuts.some((cut) => unwrap(cut) === expr)
    const inShards = (isShard || isCut) && shards.length > 0
    const at = place.get(expr)!
    const own = figures[at] ?? NOTHING
    const parts = inShards ? shards.map((shard) => shard[at] ?? NOTHING) : []
    const inputs = operatorInputs(expr).map((input) => node(input, inShards))
    const all = [own, ...parts]
    const spent = sum(all, ({ ms }) => ms)
    const spentBelow = sum(operatorInputs(expr), (input) => {
      const below = place.get(input)!
      return sum([figures, ...(inShards ? shards : [])], (each) => each[below]?.ms ?? 0)
    })
    const given = isCut || !inShards ? [own] : parts
    const selfMs = Math.max(0, spent - spentBelow)
    const timeMs = own.ms + Math.max(0, ...parts.map(({ ms }) => ms))
    // Its own thread did not run while the shards did.
    const waited = !inShards && inputs.some(waits) ? selfMs + sum(inputs, (input) => input.timeMs) : 0
    return {
      operator: operatorName(expr),
      expression: printExpr(expr),
      isCut: isCut && shards.length > 0,
      isConstant: invariant.has(expr),
      series: sum(given, ({ series }) => series),
      samples: sum(given, ({ samples }) => samples),
      timeMs: Math.max(timeMs, waited),
      selfMs,
      shards: parts.map(({ series, samples, ms }) => ({ series, samples, timeMs: ms })),
      inputs,
    }
  }
  return node(unwrap(root), false)
}

/** For shards, or for what waited for them. */
function waits({ isCut, inputs }: PlanNode): boolean {
  return isCut || inputs.some(waits)
}

function sum<T>(of: readonly T[], value: (each: T) => number): number {
  return of.reduce((total, each) => total + value(each), 0)
}

function operatorName(expr: Expr): string {
  switch (expr.kind) {
    case 'aggregate':
      return `aggregate ${expr.op}`
    case 'call':
      return `call ${expr.func}`
    case 'binary':
      return `binary ${expr.op}`
    case 'unary':
      return `unary ${expr.op}`
    default:
      return expr.kind
  }
}

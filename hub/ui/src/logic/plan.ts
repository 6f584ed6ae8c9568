/**
 * The plan of a query as the hub tells it (`explain` beside `data`; hub/promql/engine, PlanNode), read leniently: a
 * field that is missing is nothing, not an error.
 */

export type Shard = { readonly series: number; readonly samples: number; readonly timeMs: number }

export type PlanNode = {
  readonly operator: string
  /** PromQL, as it ran. */
  readonly expression: string
  /** Each worker computes it over its share of the series; above it the results are merged. */
  readonly isCut: boolean
  /** The same at every step, so it was computed once. */
  readonly isConstant: boolean
  readonly series: number
  readonly samples: number
  /** With its inputs and the workers that they waited for; in workers, of the slowest. */
  readonly timeMs: number
  /** Without its inputs; in workers, of all together. */
  readonly selfMs: number
  readonly shards: readonly Shard[]
  readonly inputs: readonly PlanNode[]
}

export type Explained = {
  /** 0 = in the thread that had the request, 1 = in one worker, more = split. */
  readonly threads: number
  readonly plan: PlanNode | null
}

export type PlanRow = {
  readonly node: PlanNode
  /** Places among the inputs, from the root: `0.1`. */
  readonly id: string
  /** The root's is 1. */
  readonly level: number
  readonly isOpen: boolean
  /** Its share of all work, 0 to 1. */
  readonly selfShare: number
  /** Of the longest time in the plan, 0 to 1. */
  readonly timeShare: number
}

/** Deeper than the hub's own limit on expressions. */
const MAX_DEPTH = 1000

/** Null where the server told no plan. */
export function readExplained(value: unknown): Explained | null {
  if (!isObject(value)) return null
  return { threads: number(value['threads']), plan: readNode(value['plan'], 0) }
}

function readNode(value: unknown, depth: number): PlanNode | null {
  if (!isObject(value) || depth > MAX_DEPTH) return null
  const inputs = list(value['inputs']).flatMap((input) => readNode(input, depth + 1) ?? [])
  return {
    operator: text(value['operator']),
    expression: text(value['expression']),
    isCut: value['isCut'] === true,
    isConstant: value['isConstant'] === true,
    series: number(value['series']),
    samples: number(value['samples']),
    timeMs: number(value['timeMs']),
    selfMs: number(value['selfMs']),
    shards: list(value['shards']).map((shard) => ({
      series: number(shard['series']),
      samples: number(shard['samples']),
      timeMs: number(shard['timeMs']),
    })),
    inputs,
  }
}

/** Top-down, inputs below what reads them; those of a closed node are left out. */
export function planRows(plan: PlanNode, closed: ReadonlySet<string>): PlanRow[] {
  let selfMs = 0
  let longestMs = 0
  walk(plan, '0', 1, (node) => {
    selfMs += node.selfMs
    longestMs = Math.max(longestMs, node.timeMs)
    return true
  })
  const rows: PlanRow[] = []
  walk(plan, '0', 1, (node, id, level) => {
    const isOpen = !closed.has(id)
    const share = (part: number, whole: number): number => (whole > 0 ? Math.min(1, part / whole) : 0)
    rows.push({
      node,
      id,
      level,
      isOpen,
      selfShare: share(node.selfMs, selfMs),
      timeShare: share(node.timeMs, longestMs),
    })
    return isOpen
  })
  return rows
}

function walk(
  node: PlanNode,
  id: string,
  level: number,
  visit: (node: PlanNode, id: string, level: number) => boolean,
): void {
  if (!visit(node, id, level)) return
  for (const [at, input] of node.inputs.entries()) walk(input, `${id}.${at}`, level + 1, visit)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function list(value: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

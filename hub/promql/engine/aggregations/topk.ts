/**
 * topk and bottomk: the k greatest or least floats of each group at each step, with the labels of their series.
 * Semantics: Prometheus promql/engine.go, aggregationK (v3.14).
 */
import type { AggregateExpr } from '../../ast.ts'
import type { QueryContext } from '../context.ts'
import { anyPresent, type Emit, FLOAT, type Frame, HISTOGRAM, NONE, type Series } from '../types.ts'
import { collectVector, streamVector } from '../vector.ts'
import { collectRanked } from './contenders.ts'
import { GroupTable } from './groups.ts'
import { limitsOf } from './limit.ts'

export function streamTopK(
  ctx: QueryContext,
  expr: AggregateExpr,
  param: Float64Array,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  const limits = limitsOf(ctx, expr, param, frame)
  if (frame.steps === 1 && limits[0]! >= 1) {
    streamTopKOnce(ctx, expr, limits[0]!, frame, done, emit)
    return
  }
  const [k] = limits
  const isSame = k! >= 1 && limits.every((each) => each === k)
  const all = isSame ? collectRanked(ctx, expr, k!, frame) : collectVector(ctx, expr.expr, frame)
  done()
  if (limits.every((k) => k < 1)) return
  const sign = expr.op === 'topk' ? 1 : -1
  const groups = new GroupTable(ctx, expr, () => ({ members: [] as Series[] }))
  for (const series of all) {
    if (series.histograms !== null && series.present.includes(HISTOGRAM)) {
      ctx.info(`ignored histogram in ${expr.op} aggregation`, expr.pos)
    }
    groups.of(series).members.push(series)
  }
  for (const { members } of groups.values()) {
    const keep = selectPerStep(ctx, members, limits, sign, frame.steps)
    for (const series of frame.steps === 1 ? byRank(members, sign) : members) {
      const kept = keep.get(series)!
      for (let i = 0; i < frame.steps; i++) if (kept[i] === 0) series.present[i] = NONE
      series.histograms = null
      if (anyPresent(series.present)) emit(series)
    }
  }
}

type Rank = { readonly heap: RankHeap; readonly places: Map<Series, number> }

/** At one step nothing is kept but the k best so far, so that most series cost no memory at all. */
function streamTopKOnce(
  ctx: QueryContext,
  expr: AggregateExpr,
  k: number,
  frame: Frame,
  done: () => void,
  emit: Emit,
): void {
  const sign = expr.op === 'topk' ? 1 : -1
  const groups = new GroupTable(ctx, expr, (): Rank => ({ heap: new RankHeap(sign), places: new Map() }))
  let place = 0
  streamVector(ctx, expr.expr, frame, false, (series) => {
    if (series.histograms !== null && series.present.includes(HISTOGRAM)) {
      ctx.info(`ignored histogram in ${expr.op} aggregation`, expr.pos)
    }
    const { heap, places } = groups.of(series)
    if (series.present[0] !== FLOAT || !heap.wants(series.values[0]!, k)) return
    const kept = { ...series, values: series.values.slice(0, 1), present: series.present.slice(0, 1), histograms: null }
    places.set(kept, place++)
    const left = heap.offer(kept, k)
    if (left !== null) places.delete(left)
  })
  done()
  for (const { heap, places } of groups.values()) {
    // In the order of arrival first: it decides between equals.
    const members = [...heap.items].sort((a, b) => places.get(a)! - places.get(b)!)
    for (const series of byRank(members, sign)) emit(series)
  }
}

function selectPerStep(
  ctx: QueryContext,
  members: readonly Series[],
  limits: readonly number[],
  sign: number,
  steps: number,
): Map<Series, Uint8Array> {
  const keep = new Map(members.map((series) => [series, new Uint8Array(steps)]))
  const heap = new RankHeap(sign)
  for (let i = 0; i < steps; i++) {
    const k = Math.min(limits[i]!, members.length)
    if (k < 1) continue
    ctx.poll()
    heap.clear(i)
    for (const series of members) if (series.present[i] === FLOAT) heap.offer(series, k)
    for (const series of heap.items) keep.get(series)![i] = 1
  }
  return keep
}

/** NaN ranks below everything. */
function ranksBelow(a: number, b: number, sign: number): boolean {
  if (Number.isNaN(a)) return true
  return sign * a < sign * b
}

/** At most k series with the one to be replaced next on top; ties keep who came first. */
class RankHeap {
  readonly items: Series[] = []
  readonly #sign: number
  #step = 0

  constructor(sign: number) {
    this.#sign = sign
  }

  clear(step: number): void {
    this.items.length = 0
    this.#step = step
  }

  /** Would it be taken? */
  wants(value: number, k: number): boolean {
    const { items } = this
    if (items.length < k) return true
    const worst = items[0]!.values[this.#step]!
    return this.#sign * worst < this.#sign * value || (Number.isNaN(worst) && !Number.isNaN(value))
  }

  /** Returns the one whose place it took, if it took one's. */
  offer(series: Series, k: number): Series | null {
    const { items } = this
    if (!this.wants(series.values[this.#step]!, k)) return null
    if (items.length < k) {
      items.push(series)
      this.#up(items.length - 1)
      return null
    }
    const left = items[0]!
    items[0] = series
    this.#down(0)
    return left
  }

  #below(a: number, b: number): boolean {
    return ranksBelow(this.items[a]!.values[this.#step]!, this.items[b]!.values[this.#step]!, this.#sign)
  }

  #up(from: number): void {
    let child = from
    while (child > 0) {
      const parent = (child - 1) >> 1
      if (!this.#below(child, parent)) return
      this.#swap(child, parent)
      child = parent
    }
  }

  #down(from: number): void {
    let parent = from
    for (;;) {
      let child = 2 * parent + 1
      if (child >= this.items.length) return
      if (child + 1 < this.items.length && this.#below(child + 1, child)) child++
      if (!this.#below(child, parent)) return
      this.#swap(child, parent)
      parent = child
    }
  }

  #swap(a: number, b: number): void {
    const item = this.items[a]!
    this.items[a] = this.items[b]!
    this.items[b] = item
  }
}

/** Best first, NaN last: the order of an instant query's answer. */
function byRank(members: readonly Series[], sign: number): Series[] {
  return [...members].sort((a, b) => {
    const x = a.values[0]!
    const y = b.values[0]!
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y))
    return sign * (y - x) || 0
  })
}

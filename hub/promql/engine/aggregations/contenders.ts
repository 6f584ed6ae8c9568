/**
 * What a shard of the series gives to a topk, bottomk or limitk that chooses among the series of all shards. The choice from
 * what shards give, in the order of the store, is the choice from all, also where several rank equal:
 *
 * - topk, bottomk: whoever finds k in its shard before it that do not rank below it finds them among all series before it,
 *   too, and changes nothing of what they become (`RankHeap`). All others are given, also those that lose their place later.
 * - limitk: who is not among the first k of its shard is not among the first k of all.
 *
 * Groups stand in the order of their first series, whose place is kept even if it cannot be chosen.
 */
import type { AggregateExpr, Expr } from '../../ast.ts'
import { unwrap } from '../../parser/mod.ts'
import { columnSamples, type QueryContext } from '../context.ts'
import { anyPresent, type Emit, FLOAT, type Frame, HISTOGRAM, NONE, type Series } from '../types.ts'
import { collectVector, streamVector } from '../vector.ts'
import { GroupTable } from './groups.ts'
import { streamLimitK } from './limit.ts'

/** More than so many are moved as quickly as they are found. */
const CHOSEN_MAX = 100
/** Places of all groups and steps together; where there are more, all series are given. */
const PLACES_MAX = 1_000_000

/** The node, when its shards can do a part of the choice. */
export function asChooser(node: AggregateExpr): AggregateExpr | null {
  const param = node.param === null ? null : unwrap(node.param)
  if (param === null || param.kind !== 'number') return null
  if (node.op !== 'topk' && node.op !== 'bottomk' && node.op !== 'limitk') return null
  return param.value >= 1 && param.value <= CHOSEN_MAX ? node : null
}

/** Of what stands in `chooser`, the series that it may choose, of those of a shard; they belong to the receiver. */
export function collectContenders(ctx: QueryContext, chooser: AggregateExpr, frame: Frame): Series[] {
  const { value } = unwrap(chooser.param!) as Extract<Expr, { kind: 'number' }>
  if (chooser.op !== 'limitk') return collectRanked(ctx, chooser, Math.trunc(value), frame)
  if (frame.steps === 1) return collectVector(ctx, chooser.expr, frame)
  const all: Series[] = []
  const param = new Float64Array(frame.steps).fill(value)
  streamLimitK(
    ctx,
    chooser,
    param,
    frame,
    () => {},
    (series) => all.push(series),
  )
  return all
}

/** As `collectContenders`, for the k that all steps have; of the whole they are those that the choice has to look at. */
export function collectRanked(ctx: QueryContext, chooser: AggregateExpr, k: number, frame: Frame): Series[] {
  if (k > CHOSEN_MAX) return collectVector(ctx, chooser.expr, frame)
  const all: Series[] = []
  streamRanked(ctx, chooser, k, frame, (series) => all.push(series))
  return all
}

function streamRanked(ctx: QueryContext, chooser: AggregateExpr, k: number, frame: Frame, emit: Emit): void {
  const sign = chooser.op === 'topk' ? 1 : -1
  let places = 0
  let isFirst = false
  const groups = new GroupTable(ctx, chooser, () => {
    isFirst = true
    places += frame.steps * k
    return places > PLACES_MAX ? null : new BestOfSteps(frame.steps, k, sign)
  })
  streamVector(ctx, chooser.expr, frame, false, (series) => {
    if (series.histograms !== null && series.present.includes(HISTOGRAM)) {
      ctx.info(`ignored histogram in ${chooser.op} aggregation`, chooser.pos)
    }
    isFirst = false
    const best = groups.of(series)
    const isTaken = best === null ? anyPresent(series.present) : best.take(series)
    if (!isTaken && !isFirst) return
    const kept = { ...series, values: series.values.slice(), present: series.present.slice() }
    kept.histograms = series.histograms === null ? null : [...series.histograms]
    // Its samples have been counted where they came from.
    const counted = columnSamples(kept)
    ctx.held -= counted
    ctx.holdSeries(kept, counted, true)
    emit(kept)
  })
}

/** The k best values at each step so far, the worst first: `#best[step * k + place]`. */
class BestOfSteps {
  readonly #k: number
  readonly #sign: number
  readonly #best: Float64Array
  readonly #counts: Uint8Array

  constructor(steps: number, k: number, sign: number) {
    this.#k = k
    this.#sign = sign
    this.#best = new Float64Array(steps * k)
    this.#counts = new Uint8Array(steps)
  }

  /** Clears the steps at which it gets no place. Has it got one? */
  take(series: Series): boolean {
    const { values, present } = series
    let isTaken = false
    for (let step = 0; step < present.length; step++) {
      if (present[step] === NONE) continue
      if (present[step] === FLOAT && this.#takes(step, this.#sign * values[step]!)) isTaken = true
      else present[step] = NONE
    }
    if (series.histograms !== null) series.histograms = null
    return isTaken
  }

  #takes(step: number, value: number): boolean {
    const best = this.#best
    const first = step * this.#k
    const count = this.#counts[step]!
    if (count === this.#k) {
      if (!isBelow(best[first]!, value)) return false
      let at = first
      for (; at + 1 < first + count && isBelow(best[at + 1]!, value); at++) best[at] = best[at + 1]!
      best[at] = value
      return true
    }
    let at = first + count
    for (; at > first && isBelow(value, best[at - 1]!); at--) best[at] = best[at - 1]!
    best[at] = value
    this.#counts[step] = count + 1
    return true
  }
}

/** NaN ranks below everything. */
function isBelow(a: number, b: number): boolean {
  return a < b || (Number.isNaN(a) && !Number.isNaN(b))
}

/**
 * Range functions over rows (`hub/tsdb/aggregates.ts`): windows made of whole rows give what their samples give, bit for
 * bit but for sums, whose additions come in another order, and rises over several resets.
 *
 * Of samples that are gone the rows are all there is. Windows that are not made of whole rows then are those rows that
 * end in them, or in as long a time as one row takes; amounts (sums, counts, rises) are scaled to the window's length.
 */
import { AggregateColumn, type ChosenBuffer } from '../../../tsdb/aggregates.ts'
import { FLOAT, type Series } from '../types.ts'
import type { Windows } from '../windows.ts'
import {
  firstOverTime,
  lastOverTime,
  maxOverTime,
  minOverTime,
  presentOverTime,
  sumOverTime,
  tsOfFirstOverTime,
  tsOfLastOverTime,
} from './over-time.ts'
import type { RangeCall, RangeFunction } from './range-call.ts'
import type { RateKind } from './rate.ts'

const C = AggregateColumn

/** Rows of one series; `windows.lo` and `hi` are positions in them. */
export type RowFunction = {
  /** Bits of the columns that are read. */
  readonly columns: number
  /** What adding up in another order must not make overflow where the samples do not, or the other way round. */
  readonly addsUp: AggregateColumn | null
  compute(rows: ChosenBuffer, windows: Windows, out: Series, call: RangeCall): void
}

const bits = (...columns: readonly AggregateColumn[]): number =>
  columns.reduce<number>((all, column) => all | (1 << column), 0)

/** The kernel sees a column as the values of samples. */
function ofColumn(column: AggregateColumn, kernel: RangeFunction, time?: AggregateColumn): RowFunction {
  return {
    columns: bits(C.samples, column),
    addsUp: null,
    compute: (rows, w, out, call) => {
      w.values = rows.columns[column]!
      w.times = time === undefined ? rows.times : rows.columns[time]!
      kernel(w, out, call)
    },
  }
}

/** What grows with the length of the window. */
function amount(column: AggregateColumn): RowFunction {
  const sum = ofColumn(column, sumOverTime)
  return {
    ...sum,
    addsUp: column === C.sum ? column : null,
    compute: (rows, w, out, call) => {
      sum.compute(rows, w, out, call)
      if (rows.goneWidth === 0) return
      for (let i = w.from; i < w.to; i++)
        if (out.present[i] === FLOAT) out.values[i] = out.values[i]! * (w.rangeMs / boundsAt(rows, w, i).length)
    },
  }
}

const average: RowFunction = {
  columns: bits(C.samples, C.sum),
  addsUp: C.sum,
  compute: (rows, w, out, call) => {
    w.values = rows.columns[C.sum]!
    sumOverTime(w, out, call)
    const samples = rows.columns[C.samples]!
    for (let i = w.from; i < w.to; i++) {
      if (w.hi[i]! <= w.lo[i]!) continue
      let count = 0
      for (let row = w.lo[i]!; row < w.hi[i]!; row++) count += samples[row]!
      out.values[i] = out.values[i]! / count
    }
  },
}

export const ROW_FUNCTIONS: Readonly<Record<string, RowFunction>> = {
  avg_over_time: average,
  count_over_time: amount(C.samples),
  delta: rise({ isCounter: false, isRate: false }),
  first_over_time: ofColumn(C.first, firstOverTime),
  increase: rise({ isCounter: true, isRate: false }),
  last_over_time: ofColumn(C.last, lastOverTime),
  max_over_time: ofColumn(C.max, maxOverTime),
  min_over_time: ofColumn(C.min, minOverTime),
  present_over_time: ofColumn(C.samples, presentOverTime),
  rate: rise({ isCounter: true, isRate: true }),
  sum_over_time: amount(C.sum),
  ts_of_first_over_time: ofColumn(C.firstTime, tsOfFirstOverTime, C.firstTime),
  ts_of_last_over_time: ofColumn(C.lastTime, tsOfLastOverTime, C.lastTime),
}

/** From `start` to `end`, in ms: where the windows of the rows of a step begin and end. */
type Bounds = { readonly start: number; readonly end: number; readonly length: number }

function boundsAt(rows: ChosenBuffer, w: Windows, i: number): Bounds {
  let end = w.first + i * w.step
  let start = end - reachAt(rows, w.hi[i]!, end, w.rangeMs)
  if (rows.goneWidth > 0) {
    const firstWidth = rows.widths[w.lo[i]!]!
    const lastWidth = rows.widths[w.hi[i]! - 1]!
    if (firstWidth > 0) start = firstWidth * Math.floor(start / firstWidth)
    if (lastWidth > 0) end = lastWidth * Math.floor(end / lastWidth)
  }
  return { start, end, length: end - start }
}

/**
 * How long the window is taken to be that ends then, of which the rows before `to` are the newest: where the last of them
 * stands for samples that are gone, not shorter than that row's.
 */
export function reachAt({ goneWidth, times, widths }: ChosenBuffer, to: number, end: number, rangeMs: number): number {
  if (goneWidth === 0 || to === 0) return rangeMs
  const width = widths[to - 1]!
  return end < times[to - 1]! + width ? Math.max(rangeMs, width) : rangeMs
}

function rise(kind: RateKind): RowFunction {
  return {
    columns: bits(C.samples, C.first, C.last, C.firstTime, C.lastTime, C.resets),
    addsUp: kind.isCounter ? C.resets : null,
    compute: (rows, w, out) => riseOf(kind, rows, w, out),
  }
}

/** Samples before each row, and what resets add up to and within each. */
let samplesBefore = new Float64Array(1024)
let resetsAt = new Float64Array(1024)

/** As plainFloatRate of rate.ts, in its order of operations. */
function riseOf(kind: RateKind, rows: ChosenBuffer, w: Windows, out: Series): void {
  const { columns, count } = rows
  const first = columns[C.first]!
  const last = columns[C.last]!
  const hasResets = addUp(rows, kind.isCounter)
  for (let i = w.from; i < w.to; i++) {
    const from = w.lo[i]!
    const to = w.hi[i]!
    const intervals = to <= count ? samplesBefore[to]! - samplesBefore[from]! - 1 : 0
    if (intervals < 1) continue
    let result = last[to - 1]! - first[from]!
    if (hasResets) {
      result += columns[C.resets]![from]!
      for (let row = from + 1; row < to; row++) result += resetsAt[row]!
    }
    out.values[i] = extrapolated(kind, result, intervals, rows, w, i)
    out.present[i] = FLOAT
  }
}

/** Returns whether there are resets that count. */
function addUp({ columns, count }: ChosenBuffer, isCounter: boolean): boolean {
  if (samplesBefore.length <= count) {
    samplesBefore = new Float64Array(2 * count + 1)
    resetsAt = new Float64Array(2 * count + 1)
  }
  const samples = columns[C.samples]!
  const first = columns[C.first]!
  const last = columns[C.last]!
  const resets = columns[C.resets]!
  let hasResets = false
  let before = 0
  for (let row = 0; row < count; row++) {
    samplesBefore[row] = before
    before += samples[row]!
    const fallen = row > 0 && first[row]! < last[row - 1]! ? last[row - 1]! : 0
    resetsAt[row] = fallen + resets[row]!
    // Not of what they add up to: below zero they may cancel out, but a window that begins with this row has one of them.
    if (fallen !== 0 || resets[row] !== 0) hasResets = true
  }
  samplesBefore[count] = before
  return hasResets && isCounter
}

function extrapolated(
  kind: RateKind,
  result: number,
  intervals: number,
  rows: ChosenBuffer,
  w: Windows,
  i: number,
): number {
  const from = w.lo[i]!
  const { columns } = rows
  const { start, end, length } = boundsAt(rows, w, i)
  const firstTime = columns[C.firstTime]![from]!
  const lastTime = columns[C.lastTime]![w.hi[i]! - 1]!
  const sampled = (lastTime - firstTime) / 1000
  const average = sampled / intervals
  const threshold = average * 1.1
  let toStart = (firstTime - start) / 1000
  let toEnd = (end - lastTime) / 1000
  if (toStart >= threshold) toStart = average / 2
  if (toEnd >= threshold) toEnd = average / 2
  const first = columns[C.first]![from]!
  if (kind.isCounter && result > 0 && first >= 0) {
    const toZero = sampled * (first / result)
    if (toZero < toStart) toStart = toZero
  }
  const perSecond = kind.isRate ? length / 1000 : 1
  const value = result * ((sampled + toStart + toEnd) / sampled / perSecond)
  return kind.isRate || length === w.rangeMs ? value : value * (w.rangeMs / length)
}

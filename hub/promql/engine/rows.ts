/**
 * Where a range function reads rows (`hub/tsdb/aggregates.ts`) instead of samples: windows that are kept downsampled give
 * the same there, or are all that is left. What may be chosen is the reader's to say, by how the windows are aligned.
 */

import { formatDuration } from '../../../protocol/durations/mod.ts'
import { AggregateColumn, type ChosenAggregates, type ChosenBuffer, createChosenBuffer } from '../../tsdb/aggregates.ts'
import type { SampleBuffer, SeriesRef, TimeRange } from '../../tsdb/contract.ts'
import type { MatrixSelector, Position, SubqueryExpr, VectorSelector } from '../ast.ts'
import type { QueryContext } from './context.ts'
import { ROW_FUNCTIONS, type RowFunction, reachAt } from './functions/row-functions.ts'
import { type Lookups, lookups } from './selector.ts'
import { FLOAT, type Frame, HISTOGRAM, type Series, setHistogram } from './types.ts'
import { newWindows, type Windows } from './windows.ts'

/** Sums, and what resets add, may from here on overflow in one order of additions and not in another. */
const LARGE = 1e300

const EXTREMES = (1 << AggregateColumn.min) | (1 << AggregateColumn.max)

/** Reads the rows of one series after another. */
export class RowReader {
  readonly rows: ChosenBuffer = createChosenBuffer()
  readonly windows: Windows
  readonly #of: RowFunction
  readonly #chosen: ChosenAggregates
  readonly #alignedMs: number
  /** What is read begins there: a window of which samples are gone may be longer than it was asked to be. */
  readonly minTime: number
  readonly #ctx: QueryContext
  readonly #pos: Position

  constructor(
    ctx: QueryContext,
    of: RowFunction,
    range: MatrixSelector,
    { chosen, frame, at }: { readonly chosen: ChosenAggregates; readonly frame: Frame; readonly at: Lookups },
  ) {
    this.#ctx = ctx
    this.#of = of
    this.#chosen = chosen
    this.#pos = range.pos
    this.minTime = at.first - chosen.widest({ minTime: at.first - range.rangeMs + 1, maxTime: at.last }) + 1
    this.#alignedMs = alignmentOf(range.rangeMs, at, frame.steps)
    this.windows = { ...newWindows(frame.steps, range.rangeMs, at, 0, 0), rows: this }
  }

  /** False: read the samples. */
  read(ref: SeriesRef, range: TimeRange): boolean {
    const { rows, windows } = this
    const { addsUp, columns } = this.#of
    const span = { ...range, minTime: Math.min(range.minTime, this.minTime) }
    // Without rows there is nothing but stale markers, which would be read as samples that are gone.
    if (!this.#chosen.read(ref, span, this.#alignedMs, columns, rows)) return false
    if (addsUp !== null && isLarge(rows, addsUp)) {
      // Unless they were infinite before anything was added.
      this.#chosen.read(ref, span, this.#alignedMs, columns | EXTREMES, rows)
      if (!isInfinite(rows, addsUp)) return false
    }
    windows.count = rows.count
    slideRows(rows, windows)
    const width = rows.goneWidth > 0 ? widestUsed(rows, windows) : 0
    if (width > 0) noteDownsampled(this.#ctx, width, this.#pos)
    return true
  }

  compute(out: Series, call: Parameters<RowFunction['compute']>[3]): void {
    this.windows.from = 0
    this.windows.to = this.windows.steps
    this.#of.compute(this.rows, this.windows, out, call)
  }
}

/** Null: samples are read for all series. */
export function rowReader(
  ctx: QueryContext,
  func: string,
  range: MatrixSelector | SubqueryExpr,
  frame: Frame,
): RowReader | null {
  const { chosen } = ctx.reader
  const of = ROW_FUNCTIONS[func]
  if (!chosen || of === undefined || range.kind === 'subquery') return null
  const { anchored, smoothed } = range.selector
  // Start timestamps tell of resets that rows do not know.
  if (anchored || smoothed || ctx.options.useStartTimestamps) return null
  const at = lookups(range.selector, frame)
  if (!chosen.has({ minTime: at.first - range.rangeMs + 1, maxTime: at.last })) return null
  return new RowReader(ctx, of, range, { chosen, frame, at })
}

export function noteDownsampled(ctx: QueryContext, widthMs: number, pos: Position): void {
  ctx.info(
    `downsampled data was used where samples are no longer kept: windows of up to ${formatDuration(widthMs)}`,
    pos,
  )
}

/** What all windows begin and end at multiples of; 0 for none. */
function alignmentOf(rangeMs: number, { first, step }: Lookups, steps: number): number {
  const all = steps > 1 ? [rangeMs, first, step] : [rangeMs, first]
  if (!all.every(Number.isSafeInteger)) return 0
  return all.reduce((a, b) => gcd(a, Math.abs(b)), 0)
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}

function isLarge({ columns, count }: ChosenBuffer, column: AggregateColumn): boolean {
  const sums = columns[column]!
  // Neither is NaN.
  for (let i = 0; i < count; i++) if (Math.abs(sums[i]!) > LARGE) return true
  return false
}

/** Whether all that is large has an infinite sample in it. */
function isInfinite({ columns, count }: ChosenBuffer, column: AggregateColumn): boolean {
  const [sums, least, most] = [column, AggregateColumn.min, AggregateColumn.max].map((c) => columns[c]!)
  for (let i = 0; i < count; i++)
    if (Math.abs(sums![i]!) > LARGE && Number.isFinite(least![i]!) && Number.isFinite(most![i]!)) return false
  return true
}

function slideRows(rows: ChosenBuffer, w: Windows): void {
  const { times, count } = rows
  let low = 0
  let high = 0
  w.peak = 0
  w.total = 0
  w.fresh = 0
  for (let i = 0; i < w.steps; i++) {
    const end = w.first + i * w.step
    while (high < count && times[high]! <= end) high++
    const start = end - reachAt(rows, high, end, w.rangeMs)
    while (low < high && times[low]! <= start) low++
    w.lo[i] = low
    w.hi[i] = high
    w.total += high - low
    w.fresh += high - Math.max(low, i === 0 ? 0 : w.hi[i - 1]!)
    if (high - low > w.peak) w.peak = high - low
  }
}

function widestUsed({ widths }: ChosenBuffer, { hi, lo, steps }: Windows): number {
  let width = 0
  let next = 0
  for (let i = 0; i < steps; i++) {
    for (let row = Math.max(next, lo[i]!); row < hi[i]!; row++) width = Math.max(width, widths[row]!)
    next = Math.max(next, hi[i]!)
  }
  return width
}

/** How much further than the lookback an instant selector has to read: the last sample of a window may stand for it. */
export function sparseReach(ctx: QueryContext, { smoothed }: VectorSelector, range: TimeRange): number {
  const { chosen } = ctx.reader
  return chosen && !smoothed ? chosen.widest(range) : 0
}

/**
 * As the selector's own, but that the last sample of a window whose others are gone is good for as much longer than the
 * lookback as the window is long. Returns how many steps got a value.
 */
export function fillSparse(
  ctx: QueryContext,
  selector: VectorSelector,
  buffer: SampleBuffer,
  at: Lookups,
  { out, asTime }: { readonly out: Series; readonly asTime: boolean },
): number {
  const { count, flags, histograms, times, values } = buffer
  const { widthMs, untilMs } = buffer.sparse!
  const { lookbackMs } = ctx.options
  let next = 0
  let found = 0
  let isUsed = false
  for (let step = 0, time = at.first; step < out.present.length; step++, time += at.step) {
    while (next < count && times[next]! <= time) next++
    const index = next - 1
    if (index < 0 || flags[index] === 1) continue
    const isSparse = times[index]! <= untilMs
    if (times[index]! <= time - lookbackMs - (isSparse ? widthMs : 0)) continue
    const histogram = flags[index] === HISTOGRAM ? histograms![index] : undefined
    if (histogram?.isStale) continue
    found++
    isUsed ||= isSparse
    if (histogram !== undefined && !asTime) setHistogram(out, step, histogram)
    else {
      out.values[step] = asTime ? times[index]! / 1000 : values[index]!
      out.present[step] = FLOAT
    }
  }
  if (isUsed) noteDownsampled(ctx, widthMs, selector.pos)
  return found
}

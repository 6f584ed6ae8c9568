/**
 * From samples to rows and from rows to rows: aggregation into windows, samples as rows of their own, and laying the
 * windows of longer memory over what is left of the samples.
 *
 * Windows are (end - width, end] with ends at multiples of the width, as PromQL's are when evaluated at such times.
 * Semantics: of each number the *_over_time() functions of Prometheus promql/functions.go (v3.14), so that rows give
 * what samples give. Differs from Thanos' pkg/compact/downsample (aggregates of float counters hold values from which
 * resets are taken out): first, last and what resets add are kept apart, for the rise to be exact to the bit.
 */
import {
  AGGREGATE_COLUMNS,
  type AggregateBuffer,
  AggregateColumn,
  clearRows,
  ensureRows,
  type SampleBuffer,
} from '../tsdb/mod.ts'

const C = AggregateColumn

export function windowEnd(time: number, width: number): number {
  // Not minus zero, which is another column of times.
  return width * Math.ceil(time / width) + 0
}

/** Samples of one series as windows of this width. */
export function aggregate(samples: SampleBuffer, width: number, out: AggregateBuffer): void {
  clearRows(out)
  const { count, times } = samples
  for (let from = 0; from < count; ) {
    const end = windowEnd(times[from]!, width)
    let to = from + 1
    while (to < count && times[to]! <= end) to++
    ensureRows(out, out.count + 1)
    const row = out.count++
    out.times[row] = end
    out.widths[row] = width
    if (samples.mixed) aggregateMixed(samples, from, to, out, row)
    else aggregateFloats(samples, from, to, out, row)
    from = to
  }
}

/** Hot: bench/hub/block.bench.ts */
function aggregateFloats(
  { times, values }: SampleBuffer,
  from: number,
  to: number,
  { columns }: AggregateBuffer,
  row: number,
): void {
  let before = values[from]!
  let sum = before
  let rest = 0
  let min = before
  let max = before
  let resets = 0
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    const next = sum + value
    // As sumRange of the engine's over-time.ts.
    if (Math.abs(next) === Number.POSITIVE_INFINITY) rest = 0
    else {
      const added = next - sum
      rest += sum - (next - added) + (value - added)
    }
    sum = next
    if (value < min || Number.isNaN(min)) min = value
    if (value > max || Number.isNaN(max)) max = value
    if (value < before) resets += before
    before = value
  }
  columns[C.samples]![row] = to - from
  columns[C.sum]![row] = Math.abs(sum) === Number.POSITIVE_INFINITY ? sum : sum + rest
  columns[C.min]![row] = min
  columns[C.max]![row] = max
  columns[C.first]![row] = values[from]!
  columns[C.last]![row] = before
  columns[C.firstTime]![row] = times[from]!
  columns[C.lastTime]![row] = times[to - 1]!
  columns[C.resets]![row] = resets
  columns[C.histograms]![row] = 0
  columns[C.histogramTime]![row] = 0
  columns[C.staleTime]![row] = 0
}

function aggregateMixed(samples: SampleBuffer, from: number, to: number, out: AggregateBuffer, row: number): void {
  const part = floatsOf(samples, from, to)
  if (part.count > 0) aggregateFloats(part, 0, part.count, out, row)
  else for (const column of out.columns) column[row] = 0
  const { flags, times, histograms } = samples
  let count = 0
  let lastTime = 0
  let staleTime = 0
  for (let i = from; i < to; i++) {
    const histogram = flags[i] === 2 ? histograms![i] : undefined
    if (flags[i] === 1 || histogram?.isStale) {
      staleTime = times[i]!
      continue
    }
    staleTime = 0
    if (histogram === undefined) continue
    count++
    lastTime = times[i]!
    out.histograms ??= []
    out.histograms[row] = histogram
  }
  out.columns[C.histograms]![row] = count
  out.columns[C.histogramTime]![row] = lastTime
  out.columns[C.staleTime]![row] = staleTime
}

function floatsOf({ flags, times, values }: SampleBuffer, from: number, to: number): SampleBuffer {
  const kept: number[] = []
  for (let i = from; i < to; i++) if (flags[i] === 0) kept.push(i)
  return {
    count: kept.length,
    times: Float64Array.from(kept, (i) => times[i]!),
    values: Float64Array.from(kept, (i) => values[i]!),
    flags: new Uint8Array(kept.length),
    mixed: false,
    histograms: null,
    startTimes: null,
  }
}

/**
 * Adds samples as rows of their own, those of the given columns.
 * @param first only samples from this position on
 */
export function appendAsRows(samples: SampleBuffer, columns: number, out: AggregateBuffer, first = 0): void {
  const { count, flags, histograms, mixed, times, values } = samples
  ensureRows(out, out.count + count - first)
  const at = out.count - first
  out.times.set(times.subarray(first, count), out.count)
  out.widths.fill(0, out.count, count + at)
  const isWanted = (column: AggregateColumn): boolean => (columns & (1 << column)) !== 0
  for (const column of [C.sum, C.min, C.max, C.first, C.last])
    if (isWanted(column)) out.columns[column]!.set(values.subarray(first, count), out.count)
  for (const column of [C.firstTime, C.lastTime])
    if (isWanted(column)) out.columns[column]!.set(times.subarray(first, count), out.count)
  for (const column of [C.resets, C.histograms, C.histogramTime, C.staleTime])
    if (isWanted(column)) out.columns[column]!.fill(0, out.count, count + at)
  out.columns[C.samples]!.fill(1, out.count, count + at)
  for (let i = first; mixed && i < count; i++) {
    if (flags[i] === 0) continue
    const row = i + at
    out.columns[C.samples]![row] = 0
    const histogram = flags[i] === 2 ? histograms![i] : undefined
    if (histogram === undefined || histogram.isStale) out.columns[C.staleTime]![row] = times[i]!
    else {
      out.columns[C.histograms]![row] = 1
      out.columns[C.histogramTime]![row] = times[i]!
      out.histograms ??= []
      out.histograms[row] = histogram
    }
  }
  out.count = count + at
}

/** Copies row `i` behind those that `out` has. */
export function appendRow(out: AggregateBuffer, from: AggregateBuffer, i: number): void {
  ensureRows(out, out.count + 1)
  const row = out.count++
  out.times[row] = from.times[i]!
  out.widths[row] = from.widths[i]!
  for (let c = 0; c < AGGREGATE_COLUMNS; c++) out.columns[c]![row] = from.columns[c]![i]!
  const histogram = from.histograms?.[i]
  if (histogram === undefined) return
  out.histograms ??= []
  out.histograms[row] = histogram
}

export function appendRows(out: AggregateBuffer, more: AggregateBuffer): void {
  const { count } = out
  ensureRows(out, count + more.count)
  out.times.set(more.times.subarray(0, more.count), count)
  out.widths.set(more.widths.subarray(0, more.count), count)
  for (let c = 0; c < AGGREGATE_COLUMNS; c++) out.columns[c]!.set(more.columns[c]!.subarray(0, more.count), count)
  more.histograms?.forEach((histogram, i) => {
    out.histograms ??= []
    out.histograms[count + i] = histogram
  })
  out.count = count + more.count
}

/** How many samples a row stands for. */
export function weightOf({ columns }: AggregateBuffer, row: number): number {
  return columns[C.samples]![row]! + columns[C.histograms]![row]!
}

/**
 * Of each window of this width what stands for more samples: the rows of `fine` in it, or the one of `coarse`; equal,
 * those of `fine`. Whatever took samples away from one of them, retention or damage, the other has them; where a sample
 * came late, the rows made of samples know of it. `fine` has no wider rows; columns of counts are needed.
 */
export function overlay(fine: AggregateBuffer, coarse: AggregateBuffer, width: number, out: AggregateBuffer): void {
  clearRows(out)
  let i = 0
  let j = 0
  while (i < fine.count || j < coarse.count) {
    const end = Math.min(
      i < fine.count ? windowEnd(fine.times[i]!, width) : Number.POSITIVE_INFINITY,
      j < coarse.count ? coarse.times[j]! : Number.POSITIVE_INFINITY,
    )
    let to = i
    let weight = 0
    while (to < fine.count && fine.times[to]! <= end) weight += weightOf(fine, to++)
    const isThere = j < coarse.count && coarse.times[j]! <= end
    if (isThere && (weightOf(coarse, j) > weight || to === i)) appendRow(out, coarse, j)
    else for (let k = i; k < to; k++) appendRow(out, fine, k)
    if (isThere) j++
    i = to
  }
}

/** Adds rows of one width that come from a later stretch of time: where both have a part of one window, they are joined. */
export function joinRows(out: AggregateBuffer, later: AggregateBuffer): void {
  for (let i = 0; i < later.count; i++) {
    const row = out.count - 1
    if (row >= 0 && out.times[row] === later.times[i]) joinRow(out, row, later, i)
    else appendRow(out, later, i)
  }
}

function joinRow(out: AggregateBuffer, row: number, later: AggregateBuffer, i: number): void {
  const a = out.columns
  const b = later.columns
  if (b[C.samples]![i]! > 0) {
    if (a[C.samples]![row] === 0) for (let c = C.samples; c <= C.resets; c++) a[c]![row] = b[c]![i]!
    else {
      a[C.samples]![row]! += b[C.samples]![i]!
      a[C.sum]![row]! += b[C.sum]![i]!
      const min = b[C.min]![i]!
      const max = b[C.max]![i]!
      if (min < a[C.min]![row]! || Number.isNaN(a[C.min]![row]!)) a[C.min]![row] = min
      if (max > a[C.max]![row]! || Number.isNaN(a[C.max]![row]!)) a[C.max]![row] = max
      a[C.resets]![row]! += b[C.resets]![i]! + (b[C.first]![i]! < a[C.last]![row]! ? a[C.last]![row]! : 0)
      a[C.last]![row] = b[C.last]![i]!
      a[C.lastTime]![row] = b[C.lastTime]![i]!
    }
  }
  if (b[C.histograms]![i]! > 0) {
    a[C.histograms]![row]! += b[C.histograms]![i]!
    a[C.histogramTime]![row] = b[C.histogramTime]![i]!
    out.histograms ??= []
    out.histograms[row] = later.histograms?.[i]
  }
  if (b[C.staleTime]![i] !== 0 || weightOf(later, i) > 0) a[C.staleTime]![row] = b[C.staleTime]![i]!
}

/** Takes away the rows whose windows reach into minTime..maxTime, both included. */
export function removeRows(out: AggregateBuffer, minTime: number, maxTime: number): void {
  let to = 0
  for (let i = 0; i < out.count; i++) {
    const end = out.times[i]!
    if (end >= minTime && end - Math.max(out.widths[i]!, 1) + 1 <= maxTime) continue
    if (to < i) moveRow(out, i, to)
    to++
  }
  out.count = to
  if (out.histograms !== null) out.histograms.length = Math.min(out.histograms.length, to)
}

function moveRow(out: AggregateBuffer, from: number, to: number): void {
  out.times[to] = out.times[from]!
  out.widths[to] = out.widths[from]!
  for (const column of out.columns) column[to] = column[from]!
  if (out.histograms !== null) out.histograms[to] = out.histograms[from]
}

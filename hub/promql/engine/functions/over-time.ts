/**
 * The *_over_time() functions of one number a window: sums, averages, extremes, counts, times, variance.
 * Semantics: Prometheus promql/functions.go (v3.14); histograms are summed and averaged, elsewhere ignored with a note.
 */
import { type Kahan, kahanAdd } from '../kahan.ts'
import { FLOAT, type Series, setHistogram } from '../types.ts'
import type { Windows } from '../windows.ts'
import { averageHistograms, sumHistograms } from './histogram-over-time.ts'
import { infoHistogramsIgnored, notesOf, type RangeCall, type RangeFunction, warnMixed } from './range-call.ts'

/** Reduces values[from, to), never empty, to a number. */
type Reduce = (values: Float64Array, from: number, to: number, times: Float64Array) => number

export const sumOverTime: RangeFunction = (w, out, call) => eachKind(w, out, call, sumRange, sumHistograms)
export const avgOverTime: RangeFunction = (w, out, call) => eachKind(w, out, call, averageRange, averageHistograms)

/** Floats and histograms both have a result, a mix of them has none. */
function eachKind(
  w: Windows,
  out: Series,
  call: RangeCall,
  ofFloats: Reduce,
  ofHistograms: typeof sumHistograms,
): void {
  for (let i = w.from; i < w.to; i++) {
    const from = w.lo[i]!
    const to = w.hi[i]!
    const histograms = w.hhi[i]! - w.hlo[i]!
    if (to > from && histograms > 0) warnMixed(notesOf(call))
    else if (to > from) {
      out.values[i] = ofFloats(w.values, from, to, w.times)
      out.present[i] = FLOAT
    } else if (histograms > 0) {
      const h = ofHistograms(w.histograms, w.hlo[i]!, w.hhi[i]!, notesOf(call))
      if (h !== null) setHistogram(out, i, h)
    }
  }
}

/** Histograms are ignored; an info says so where floats are beside them. */
function floatsOnly(reduce: Reduce): RangeFunction {
  return (w, out, call) => {
    for (let i = w.from; i < w.to; i++) {
      const from = w.lo[i]!
      const to = w.hi[i]!
      if (to === from) continue
      if (w.hhi[i]! > w.hlo[i]!) infoHistogramsIgnored(notesOf(call))
      out.values[i] = reduce(w.values, from, to, w.times)
      out.present[i] = FLOAT
    }
  }
}

export const maxOverTime: RangeFunction = (w, out, call) => slidingExtreme(1, w, out, call)
export const minOverTime: RangeFunction = (w, out, call) => slidingExtreme(-1, w, out, call)

/** Positions that may still be the greatest of a window, best first. */
let candidates = new Int32Array(1024)

/**
 * The greatest (or least) float of every window, NaN only where there is nothing else. Each sample enters and leaves
 * the candidates once, however the windows overlap; of a window in which they only rise, as those of most counters do, the
 * ends are all that is looked at. Hot: bench/hub/engine.bench.ts
 */
function slidingExtreme(sign: 1 | -1, w: Windows, out: Series, call: RangeCall): void {
  const { values, lo, hi, hlo, hhi, hcount, count, rising } = w
  const { values: target, present } = out
  if (hcount === 0 && count > 0 && riseEnd(values, rising, count) === count && (sign < 0 || values[0]! > 0)) {
    endsOfRising(sign, w, out)
    return
  }
  if (candidates.length < count) candidates = new Int32Array(2 * count)
  const queue = candidates
  let head = 0
  let tail = 0
  let next = lo[w.from]!
  // The samples [riseFrom, riseTo) rise, none of them before another NaN.
  let riseFrom = next < rising ? 0 : next
  let riseTo = Math.max(rising, next + 1)
  for (let i = w.from; i < w.to; i++) {
    const from = lo[i]!
    const to = hi[i]!
    for (; riseTo < to; riseTo++) if (!(values[riseTo]! >= values[riseTo - 1]!)) riseFrom = riseTo
    if (riseFrom <= from && to > from) {
      const least = values[from]!
      const most = values[to - 1]!
      // Of equal ones the first counts, and 0 is equal to -0.
      if (sign < 0 || most !== 0 || least === 0) {
        if (hcount > 0 && hhi[i]! > hlo[i]!) infoHistogramsIgnored(notesOf(call))
        target[i] = sign < 0 || most === least ? least : most
        present[i] = FLOAT
        continue
      }
    }
    if (next < from) next = from
    for (; next < to; next++) {
      const value = values[next]!
      if (Number.isNaN(value)) continue
      while (tail > head && sign * values[queue[tail - 1]!]! < sign * value) tail--
      queue[tail++] = next
    }
    if (to === from) continue
    while (head < tail && queue[head]! < from) head++
    if (hcount > 0 && hhi[i]! > hlo[i]!) infoHistogramsIgnored(notesOf(call))
    target[i] = head < tail ? values[queue[head]!]! : NaN
    present[i] = FLOAT
  }
}

/** Index of the first of `count` values that is less than the one before, or NaN or behind one; the first `rising` are not. */
function riseEnd(values: Float64Array, rising: number, count: number): number {
  let at = Math.max(1, rising)
  while (at < count && values[at]! >= values[at - 1]!) at++
  return at
}

function haveAllSome({ lo, hi }: Windows): boolean {
  for (let i = 0; i < lo.length; i++) if (hi[i] === lo[i]) return false
  return true
}

/** The greatest or least of every window, where all values only rise. */
function endsOfRising(sign: 1 | -1, w: Windows, out: Series): void {
  const { values, lo, hi, from, to } = w
  const { values: target, present } = out
  // Rows have windows of their own for each series.
  const hasAll = w.rows === null ? ((w.ofTimes ??= haveAllSome(w)) as boolean) : haveAllSome(w)
  if (hasAll) present.fill(FLOAT, from, to)
  if (hasAll && sign < 0) for (let i = from; i < to; i++) target[i] = values[lo[i]!]!
  else if (hasAll) for (let i = from; i < to; i++) target[i] = values[hi[i]! - 1]!
  else
    for (let i = from; i < to; i++) {
      const start = lo[i]!
      const end = hi[i]!
      if (end === start) continue
      target[i] = sign < 0 ? values[start]! : values[end - 1]!
      present[i] = FLOAT
    }
}

/** The last of equal ones. */
export const tsOfMaxOverTime = floatsOnly((values, from, to, times) => {
  let at = from
  for (let i = from; i < to; i++) if (values[i]! >= values[at]! || Number.isNaN(values[at]!)) at = i
  return times[at]! / 1000
})

export const tsOfMinOverTime = floatsOnly((values, from, to, times) => {
  let at = from
  for (let i = from; i < to; i++) if (values[i]! <= values[at]! || Number.isNaN(values[at]!)) at = i
  return times[at]! / 1000
})

export const stdvarOverTime = floatsOnly(varianceRange)
export const stddevOverTime = floatsOnly((values, from, to) => Math.sqrt(varianceRange(values, from, to)))

export const countOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    const count = w.hi[i]! - w.lo[i]! + w.hhi[i]! - w.hlo[i]!
    if (count === 0) continue
    out.values[i] = count
    out.present[i] = FLOAT
  }
}

export const presentOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    if (w.hi[i] === w.lo[i] && w.hhi[i] === w.hlo[i]) continue
    out.values[i] = 1
    out.present[i] = FLOAT
  }
}

export const firstOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    const f = w.lo[i]! < w.hi[i]! ? w.lo[i]! : -1
    const h = w.hlo[i]! < w.hhi[i]! ? w.hlo[i]! : -1
    pick(w, out, i, f, h, f >= 0 && (h < 0 || w.times[f]! < w.htimes[h]!))
  }
}

export const lastOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    const f = w.lo[i]! < w.hi[i]! ? w.hi[i]! - 1 : -1
    const h = w.hlo[i]! < w.hhi[i]! ? w.hhi[i]! - 1 : -1
    pick(w, out, i, f, h, f >= 0 && (h < 0 || w.times[f]! > w.htimes[h]!))
  }
}

function pick(w: Windows, out: Series, step: number, f: number, h: number, float: boolean): void {
  if (float) {
    out.values[step] = w.values[f]!
    out.present[step] = FLOAT
  } else if (h >= 0) setHistogram(out, step, w.histograms[h]!)
}

export const tsOfFirstOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    const float = w.lo[i]! < w.hi[i]! ? w.times[w.lo[i]!]! : Infinity
    const histogram = w.hlo[i]! < w.hhi[i]! ? w.htimes[w.hlo[i]!]! : Infinity
    const time = Math.min(float, histogram)
    if (time === Infinity) continue
    out.values[i] = time / 1000
    out.present[i] = FLOAT
  }
}

export const tsOfLastOverTime: RangeFunction = (w, out) => {
  for (let i = w.from; i < w.to; i++) {
    const float = w.lo[i]! < w.hi[i]! ? w.times[w.hi[i]! - 1]! : -Infinity
    const histogram = w.hlo[i]! < w.hhi[i]! ? w.htimes[w.hhi[i]! - 1]! : -Infinity
    const time = Math.max(float, histogram)
    if (time === -Infinity) continue
    out.values[i] = time / 1000
    out.present[i] = FLOAT
  }
}

/** Neumaier sum. Hot: bench/hub/engine.bench.ts */
function sumRange(values: Float64Array, from: number, to: number): number {
  let sum = 0
  let c = 0
  for (let i = from; i < to; i++) {
    const value = values[i]!
    const next = sum + value
    if (Math.abs(next) === Infinity) c = 0
    else {
      // Knuth's two-sum: exact without asking which of the two is the greater.
      const added = next - sum
      c += sum - (next - added) + (value - added)
    }
    sum = next
  }
  return sum === Infinity || sum === -Infinity ? sum : sum + c
}

/** The mean from the sum; once that would overflow, incrementally from there on. Hot: bench/hub/engine.bench.ts */
function averageRange(values: Float64Array, from: number, to: number): number {
  let sum = values[from]!
  let c = 0
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    const next = sum + value
    if (Math.abs(next) === Infinity) {
      const count = i - from
      return incrementalAverage(values, i, to, count, { sum: sum / count, c: c / count })
    }
    const added = next - sum
    c += sum - (next - added) + (value - added)
    sum = next
  }
  const count = to - from
  return sum / count + c / count
}

function incrementalAverage(values: Float64Array, from: number, to: number, before: number, mean: Kahan): number {
  let count = before
  for (let i = from; i < to; i++) {
    count++
    const q = (count - 1) / count
    mean.sum *= q
    mean.c *= q
    kahanAdd(mean, values[i]! / count)
  }
  return mean.sum + mean.c
}

function varianceRange(values: Float64Array, from: number, to: number): number {
  const mean: Kahan = { sum: 0, c: 0 }
  const squares: Kahan = { sum: 0, c: 0 }
  let count = 0
  for (let i = from; i < to; i++) {
    count++
    const value = values[i]!
    const delta = value - (mean.sum + mean.c)
    kahanAdd(mean, delta / count)
    kahanAdd(squares, delta * (value - (mean.sum + mean.c)))
  }
  return (squares.sum + squares.c) / count
}

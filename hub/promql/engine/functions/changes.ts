/**
 * changes() and resets(), over floats and histograms in order of time.
 * Semantics: Prometheus promql/functions.go, funcChanges and funcResets (v3.14).
 */
import { equalHistograms } from '../histograms/arithmetic.ts'
import { detectReset } from '../histograms/resets.ts'
import { FLOAT, type Series } from '../types.ts'
import type { Windows } from '../windows.ts'
import { isStartReset, type RangeCall, type RangeFunction } from './range-call.ts'

export const changes: RangeFunction = (w, out, call) => countPairs(w, out, call, floatChanged, histogramChanged)
export const resets: RangeFunction = (w, out, call) => countPairs(w, out, call, floatReset, histogramReset)

/** Whether the pair (a, b) of neighbouring samples counts. */
type Pair = (w: Windows, a: number, b: number) => boolean

function floatChanged({ values }: Windows, a: number, b: number): boolean {
  return values[a] !== values[b] && !(Number.isNaN(values[a]!) && Number.isNaN(values[b]!))
}

function histogramChanged({ histograms }: Windows, a: number, b: number): boolean {
  return !equalHistograms(histograms[b]!, histograms[a]!)
}

function floatReset({ values, times, startTimes }: Windows, a: number, b: number): boolean {
  if (values[b]! < values[a]!) return true
  return startTimes !== null && isStartReset(startTimes[a]!, times[a]!, startTimes[b]!, times[b]!)
}

function histogramReset({ histograms, htimes, hstartTimes }: Windows, a: number, b: number): boolean {
  if (hstartTimes !== null && isStartReset(hstartTimes[a]!, htimes[a]!, hstartTimes[b]!, htimes[b]!)) return true
  return detectReset(histograms[b]!, histograms[a]!)
}

/** How many pairs that count end at or before each sample. */
let pairsBefore = new Int32Array(1024)

/** Floats alone: the pairs of a window are a difference of running counts. */
function countFloatPairs(w: Windows, out: Series, call: RangeCall, counts: Pair): void {
  if (pairsBefore.length < w.count) pairsBefore = new Int32Array(2 * w.count)
  const before = pairsBefore
  before[0] = 0
  for (let i = 1; i < w.count; i++) before[i] = before[i - 1]! + (counts(w, i - 1, i) ? 1 : 0)
  for (let i = w.from; i < w.to; i++) {
    const start = call.anchored ? anchor(w, i)?.f : w.lo[i]!
    const end = w.hi[i]!
    if (start === undefined || start === end) continue
    out.values[i] = before[end - 1]! - before[start]!
    out.present[i] = FLOAT
  }
}

function countPairs(w: Windows, out: Series, call: RangeCall, floats: Pair, histograms: Pair): void {
  if (w.hcount === 0) {
    countFloatPairs(w, out, call, floats)
    return
  }
  for (let i = w.from; i < w.to; i++) {
    const start = call.anchored ? anchor(w, i) : { f: w.lo[i]!, h: w.hlo[i]! }
    if (start === null) continue
    let { f, h } = start
    const fEnd = w.hi[i]!
    const hEnd = w.hhi[i]!
    if (f === fEnd && h === hEnd) continue
    let count = 0
    let previous: 'none' | 'float' | 'histogram' = 'none'
    while (f < fEnd || h < hEnd) {
      const isFloat = h >= hEnd || (f < fEnd && w.times[f]! < w.htimes[h]!)
      if (isFloat) {
        if (previous === 'histogram' || (previous === 'float' && floats(w, f - 1, f))) count++
        previous = 'float'
        f++
      } else {
        if (previous === 'float' || (previous === 'histogram' && histograms(w, h - 1, h))) count++
        previous = 'histogram'
        h++
      }
    }
    out.values[i] = count
    out.present[i] = FLOAT
  }
}

/** An anchored window begins with the newest sample at or before its start; null when nothing comes after that. */
function anchor(w: Windows, i: number): { f: number; h: number } | null {
  const start = w.first + i * w.step - w.rangeMs
  let f = w.lo[i]!
  let h = w.hlo[i]!
  while (f < w.hi[i]! && w.times[f]! <= start) f++
  while (h < w.hhi[i]! && w.htimes[h]! <= start) h++
  if (f === w.hi[i] && h === w.hhi[i]) return null
  const float = f > w.lo[i]! ? w.times[f - 1]! : -Infinity
  const histogram = h > w.hlo[i]! ? w.htimes[h - 1]! : -Infinity
  if (float === -Infinity && histogram === -Infinity) return { f, h }
  return float >= histogram ? { f: f - 1, h } : { f, h: h - 1 }
}

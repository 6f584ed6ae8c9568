/**
 * irate() and idelta(): from the last two samples of the window.
 * Semantics: Prometheus promql/functions.go, instantValue (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { combine, compact, divide } from '../histograms/arithmetic.ts'
import { detectReset } from '../histograms/resets.ts'
import { FLOAT, type Series, setHistogram } from '../types.ts'
import type { Windows } from '../windows.ts'
import {
  infoReconciled,
  isStartReset,
  notesOf,
  type RangeCall,
  type RangeFunction,
  warnMixed,
  warnMixedSchemas,
  warnNotCounter,
  warnNotGauge,
} from './range-call.ts'

export const irate: RangeFunction = (w, out, call) => instantValues(true, w, out, call)
export const idelta: RangeFunction = (w, out, call) => instantValues(false, w, out, call)

function instantValues(isRate: boolean, w: Windows, out: Series, call: RangeCall): void {
  for (let i = w.from; i < w.to; i++) {
    const floats = w.hi[i]! - w.lo[i]!
    const histograms = w.hhi[i]! - w.hlo[i]!
    if (floats + histograms < 2) continue
    // Which kinds the newest two samples are: walk back from the newer end of either list.
    let f = w.hi[i]! - 1
    let h = w.hhi[i]! - 1
    const newestIsFloat = histograms === 0 || (floats > 0 && w.times[f]! > w.htimes[h]!)
    if (newestIsFloat) f--
    else h--
    const hasFloat = f >= w.lo[i]!
    const hasHistogram = h >= w.hlo[i]!
    const olderIsFloat = !hasHistogram || (hasFloat && w.times[f]! > w.htimes[h]!)
    if (newestIsFloat !== olderIsFloat) warnMixed(notesOf(call, call.argsPos))
    else if (newestIsFloat) floatsAt(isRate, w, f, out, i)
    else histogramsAt(isRate, w, h, out, i, call)
  }
}

function floatsAt(isRate: boolean, w: Windows, a: number, out: Series, step: number): void {
  const { times, values, startTimes } = w
  const b = a + 1
  const interval = times[b]! - times[a]!
  if (interval === 0) return
  const reset =
    isRate &&
    (values[b]! < values[a]! ||
      (startTimes !== null && isStartReset(startTimes[a]!, times[a]!, startTimes[b]!, times[b]!)))
  const result = reset ? values[b]! : values[b]! - values[a]!
  out.values[step] = isRate ? result / (interval / 1000) : result
  out.present[step] = FLOAT
}

function histogramsAt(isRate: boolean, w: Windows, a: number, out: Series, step: number, call: RangeCall): void {
  const { htimes, histograms, hstartTimes } = w
  const b = a + 1
  const older = histograms[a]!
  const newer = histograms[b]!
  const interval = htimes[b]! - htimes[a]!
  if (interval === 0) return
  const notes = notesOf(call, call.argsPos)
  const gauges = [older, newer].filter((h) => h.counterResetHint === CounterResetHint.gauge).length
  if (isRate && gauges > 0) warnNotCounter(notes)
  if (!isRate && gauges < 2) warnNotGauge(notes)
  const reset =
    isRate &&
    ((hstartTimes !== null && isStartReset(hstartTimes[a]!, htimes[a]!, hstartTimes[b]!, htimes[b]!)) ||
      detectReset(newer, older))
  let result: Histogram = compact(newer)
  if (!reset) {
    const difference = combine(newer, older, -1)
    if (difference === null) {
      warnMixedSchemas(notes)
      return
    }
    if (difference.reconciled) infoReconciled(notes, 'subtraction')
    result = difference.h
  }
  result = { ...result, counterResetHint: CounterResetHint.gauge }
  setHistogram(out, step, isRate ? divide(result, interval / 1000) : result)
}

/**
 * The increase of a native histogram between two samples of a window, resets undone.
 * Semantics: Prometheus promql/functions.go, histogramRate (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { HistogramAccumulator } from '../histograms/accumulator.ts'
import { usesCustomBuckets } from '../histograms/buckets.ts'
import { detectReset } from '../histograms/resets.ts'
import type { Windows } from '../windows.ts'
import {
  infoReconciled,
  isStartReset,
  type Notes,
  startsOverlap,
  warnMixedSchemas,
  warnNotCounter,
  warnNotGauge,
  warnStartOverlap,
} from './range-call.ts'

/** Of samples from..last (at least two); null when their bucket schemas do not go together (annotated). */
export function histogramRate(
  isCounter: boolean,
  w: Windows,
  from: number,
  last: number,
  notes: Notes,
): Histogram | null {
  const { histograms } = w
  const isGauge = (i: number) => histograms[i]!.counterResetHint === CounterResetHint.gauge
  if (isCounter) {
    for (let i = from; i <= last; i++) {
      if (isGauge(i)) {
        warnNotCounter(notes)
        break
      }
    }
  } else if (!isGauge(from) || !isGauge(last)) warnNotGauge(notes)

  // A reset right after the first sample makes its layout irrelevant: start from nothing.
  const dropFirst = isCounter && resetBetween(w, from, from + 1)
  const first = dropFirst ? emptyLike(histograms[from + 1]!) : histograms[from]!
  const custom = usesCustomBuckets(first)
  for (let i = isCounter ? from + 1 : last; i <= last; i++) {
    if (usesCustomBuckets(histograms[i]!) !== custom) {
      warnMixedSchemas(notes)
      return null
    }
  }
  const sum = new HistogramAccumulator(histograms[last]!)
  if (isCounter) for (let i = from + 1; i < last; i++) sum.reduceTo(histograms[i]!.schema)
  const subtracted = sum.add(first, -1)
  if (subtracted !== 'incompatible' && subtracted.reconciled) infoReconciled(notes, 'subtraction')
  if (isCounter && !addResets(sum, w, from, last, first, notes)) return null
  return { ...sum.result(), counterResetHint: CounterResetHint.gauge }
}

function addResets(
  sum: HistogramAccumulator,
  w: Windows,
  from: number,
  last: number,
  first: Histogram,
  notes: Notes,
): boolean {
  const { histograms, htimes, hstartTimes } = w
  let overlapped = false
  let previous = first
  for (let i = from + 1; i <= last; i++) {
    if (!overlapped && hstartTimes !== null && startsOverlap(hstartTimes[i - 1]!, htimes[i - 1]!, hstartTimes[i]!)) {
      warnStartOverlap(notes)
      overlapped = true
    }
    const current = histograms[i]!
    if (resetByStart(w, i - 1, i) || detectReset(current, previous)) {
      const added = sum.add(previous)
      if (added === 'incompatible') {
        warnMixedSchemas(notes)
        return false
      }
      if (added.reconciled) infoReconciled(notes, 'addition')
    }
    previous = current
  }
  return true
}

function resetBetween(w: Windows, a: number, b: number): boolean {
  return resetByStart(w, a, b) || detectReset(w.histograms[b]!, w.histograms[a]!)
}

function resetByStart({ hstartTimes, htimes }: Windows, a: number, b: number): boolean {
  return hstartTimes !== null && isStartReset(hstartTimes[a]!, htimes[a]!, hstartTimes[b]!, htimes[b]!)
}

/** No observations, in the bucket layout of `h`. */
function emptyLike(h: Histogram): Histogram {
  return {
    ...h,
    counterResetHint: CounterResetHint.unknown,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    positiveBuckets: [],
    negativeSpans: [],
    negativeBuckets: [],
  }
}

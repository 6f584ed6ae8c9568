/**
 * The increase of a native histogram between two samples of a window, resets undone.
 * Semantics: Prometheus promql/functions.go, histogramRate (v3.14).
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { HistogramAccumulator } from '../histograms/accumulator.ts'
import { usesCustomBuckets } from '../histograms/buckets.ts'
import { detectReset } from '../histograms/resets.ts'
import type { Windows } from '../windows.ts'
import { isReset, type Pairs, pairsOf } from './histogram-pairs.ts'
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

/** Of the window in hand. */
const rise = new HistogramAccumulator()

/**
 * Of samples from..last (at least two), as a gauge; null when their bucket schemas do not go together (annotated).
 * What it returns is the caller's until the next call. Hot: bench/hub/native-histograms.bench.ts
 */
export function histogramRise(
  isCounter: boolean,
  w: Windows,
  from: number,
  last: number,
  notes: Notes,
): HistogramAccumulator | null {
  const { histograms } = w
  const pairs = pairsOf(w)
  const isGauge = (i: number) => histograms[i]!.counterResetHint === CounterResetHint.gauge
  // A reset right after the first sample makes its layout irrelevant: start from nothing.
  const dropFirst = isCounter && isReset(pairs, from + 1)
  const first = dropFirst ? emptyLike(histograms[from + 1]!) : histograms[from]!
  const changes = pairs.changes[last] !== pairs.changes[from]
  if (changes && mixesKinds(isCounter, w, from, last, first)) {
    // Where the kind changes in between, upstream forgets what it had to say of gauges.
    const isAtEnds = usesCustomBuckets(histograms[last]!) !== usesCustomBuckets(first)
    if (isCounter && isAtEnds && (isGauge(from) || isGauge(last))) warnNotCounter(notes)
    warnMixedSchemas(notes)
    return null
  }
  if (isCounter) {
    if (pairs.gauges[last] !== pairs.gauges[from] || isGauge(from)) warnNotCounter(notes)
  } else if (!isGauge(from) || !isGauge(last)) warnNotGauge(notes)
  rise.start(histograms[last]!)
  if (isCounter && changes) for (let i = from + 1; i < last; i++) rise.reduceTo(histograms[i]!.schema)
  const subtracted = rise.add(first, -1)
  if (subtracted !== 'incompatible' && subtracted.reconciled) infoReconciled(notes, 'subtraction')
  if (isCounter && !addResets(w, pairs, from, last, first, notes)) return null
  rise.hint = CounterResetHint.gauge
  return rise
}

function mixesKinds(isCounter: boolean, { histograms }: Windows, from: number, last: number, first: Histogram) {
  const custom = usesCustomBuckets(first)
  for (let i = isCounter ? from + 1 : last; i <= last; i++) {
    if (usesCustomBuckets(histograms[i]!) !== custom) return true
  }
  return false
}

function addResets(w: Windows, pairs: Pairs, from: number, last: number, first: Histogram, notes: Notes): boolean {
  const { histograms, hstartTimes } = w
  const { resets, resetAt } = pairs
  let looked = from
  let isOverlapped = hstartTimes === null
  for (let k = resets[from]!; k <= resets[last]!; k++) {
    const at = k < resets[last]! ? resetAt[k]! : last
    // In order of time with the other notes.
    if (!isOverlapped && hasOverlap(w, looked, at)) {
      warnStartOverlap(notes)
      isOverlapped = true
    }
    looked = at
    if (k === resets[last]) break
    // After a first sample that was dropped there is a reset only if the sample itself says so.
    if (at === from + 1 && !resetByStart(w, from, at) && !detectReset(histograms[at]!, first)) continue
    const added = rise.add(at === from + 1 ? first : histograms[at - 1]!)
    if (added === 'incompatible') {
      warnMixedSchemas(notes)
      return false
    }
    if (added.reconciled) infoReconciled(notes, 'addition')
  }
  return true
}

function hasOverlap({ htimes, hstartTimes }: Windows, from: number, last: number): boolean {
  for (let i = from + 1; i <= last; i++) {
    if (startsOverlap(hstartTimes![i - 1]!, htimes[i - 1]!, hstartTimes![i]!)) return true
  }
  return false
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

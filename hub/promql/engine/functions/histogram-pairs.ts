/**
 * What neighbouring histograms of a series are to each other, found once per pair and counted up, so that a window
 * tells by a difference whether it has any reset, gauge or change of layout.
 */
import { CounterResetHint } from '../../../../protocol/samples/mod.ts'
import { sameNumbers } from '../histograms/accumulator.ts'
import { detectReset } from '../histograms/resets.ts'
import type { Windows } from '../windows.ts'
import { isStartReset } from './range-call.ts'

/** At sample i, the counts of what was found in samples 0..i, or between them. */
export type Pairs = {
  readonly resets: Int32Array
  /** The samples before which there was a reset, ascending. */
  readonly resetAt: readonly number[]
  readonly gauges: Int32Array
  /** Changes of schema, zero threshold or custom bounds. */
  readonly changes: Int32Array
}

/** Of the series in hand. */
export function pairsOf(w: Windows): Pairs {
  w.ofHistograms ??= countPairs(w)
  return w.ofHistograms as Pairs
}

/** Whether sample `i` says that the counter was reset since the sample before it. */
export function isReset({ resets }: Pairs, i: number): boolean {
  return resets[i] !== resets[i - 1]
}

function countPairs({ hcount, histograms, htimes, hstartTimes }: Windows): Pairs {
  const resets = new Int32Array(hcount)
  const resetAt: number[] = []
  const gauges = new Int32Array(hcount)
  const changes = new Int32Array(hcount)
  for (let i = 0; i < hcount; i++) {
    const h = histograms[i]!
    const isGauge = h.counterResetHint === CounterResetHint.gauge ? 1 : 0
    if (i === 0) {
      gauges[0] = isGauge
      continue
    }
    const before = histograms[i - 1]!
    const restarted =
      hstartTimes !== null && isStartReset(hstartTimes[i - 1]!, htimes[i - 1]!, hstartTimes[i]!, htimes[i]!)
    const differs =
      h.schema !== before.schema ||
      h.zeroThreshold !== before.zeroThreshold ||
      !sameNumbers(h.customValues, before.customValues)
    if (restarted || detectReset(h, before)) resetAt.push(i)
    resets[i] = resetAt.length
    gauges[i] = gauges[i - 1]! + isGauge
    changes[i] = changes[i - 1]! + (differs ? 1 : 0)
  }
  return { resets, resetAt, gauges, changes }
}

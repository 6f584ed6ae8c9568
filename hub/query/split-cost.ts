/** Whether a query is worth splitting over the workers: by the samples that its cuts would decode. */
import { type Query, splitPlan } from '../promql/engine/mod.ts'
import type { LimitedReader } from './limited-reader.ts'

/**
 * About 10 ms of one worker. A split costs two more trips to the workers (0.3 ms each), selecting the series once more
 * in each, and moving partial columns. Measured by bench/query.
 */
const MIN_SAMPLES = 150_000
/** Of stored samples; only to tell the size of a window. */
const TYPICAL_INTERVAL_MS = 15_000

export function paysToSplit({ expr, range, reader, options }: Query & { readonly reader: LimitedReader }): boolean {
  const steps = range.instant ? 1 : Math.floor((range.endMs - range.startMs) / range.stepMs) + 1
  const plan = splitPlan(expr, range)
  if (plan === null) return false
  let samples = 0
  for (const { matchers, windowMs } of plan.selectors) {
    const spanMs = range.endMs - range.startMs + (windowMs > 0 ? windowMs : options.lookbackMs)
    const perSeries = Math.max(spanMs / TYPICAL_INTERVAL_MS, steps)
    // Small stores need no look.
    if (samples + reader.seriesCount * perSeries < MIN_SAMPLES) continue
    samples += reader.countSeries(matchers) * perSeries
    if (samples >= MIN_SAMPLES) return true
  }
  return false
}

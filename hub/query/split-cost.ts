/** Whether a query is worth splitting over the workers: by the samples that its cuts would decode. */
import { type Query, type SplitPlan, splitPlan } from '../promql/engine/mod.ts'
import type { LimitedReader } from './limited-reader.ts'

/**
 * About 5 ms of one worker. A split costs selecting the series once more on each, moving and merging partial columns, and
 * three more trips to the workers (0.1 ms each): together 1.5 ms of CPU with few groups, 4 ms with a hundred. Measured by
 * bench/query.
 */
const MIN_SAMPLES = 300_000
/** Of stored samples; only to tell the size of a window. */
const TYPICAL_INTERVAL_MS = 15_000
/** To find a series and to aggregate it takes as long as to read so many samples of it: with one window, most of its time. */
const SAMPLES_OF_SERIES = 25
/** To move a series from a shard, and to merge it, takes as long as to read so many samples of it. */
const SAMPLES_OF_MOVING = 100

export function paysToSplit({ expr, range, reader, options }: Query & { readonly reader: LimitedReader }): boolean {
  const steps = range.instant ? 1 : Math.floor((range.endMs - range.startMs) / range.stepMs) + 1
  const plan = splitPlan(expr, range)
  if (plan === null) return false
  const stored = reader.timeRange()
  if (stored === null) return false
  let samples = 0
  for (const selector of plan.selectors) {
    const windowMs = selector.windowMs > 0 ? selector.windowMs : options.lookbackMs
    const spanMs = range.endMs - range.startMs + windowMs
    const untilMs = range.endMs - selector.shiftMs
    // A window of a day holds no more than has been stored yet.
    const storedMs = Math.min(untilMs, stored.maxTime) - Math.max(untilMs - spanMs, stored.minTime)
    const perSeries = Math.max(storedMs / TYPICAL_INTERVAL_MS, steps)
    if (selector.isMoved && perSeries < SAMPLES_OF_MOVING) continue
    const costOfOne = perSeries + SAMPLES_OF_SERIES
    // Small stores need no look.
    if (samples + reader.seriesCount * costOfOne < MIN_SAMPLES) continue
    samples += seriesOf(selector, reader, range.endMs, spanMs, windowMs) * costOfOne
    if (samples >= MIN_SAMPLES) return true
  }
  return false
}

/**
 * Those at the end of the range, as a day of blocks takes longer to look through than a small query; of the whole range
 * when there are none at its end.
 */
function seriesOf(
  { matchers, shiftMs }: SplitPlan['selectors'][number],
  reader: LimitedReader,
  endMs: number,
  spanMs: number,
  windowMs: number,
): number {
  const maxTime = endMs - shiftMs
  const last = reader.countSeries(matchers, { minTime: maxTime - windowMs, maxTime })
  if (last > 0 || spanMs <= windowMs) return last
  return reader.countSeries(matchers, { minTime: maxTime - spanMs, maxTime })
}

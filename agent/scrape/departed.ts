/**
 * Targets that an earlier life of the agent scraped and that this one's configuration no longer has. Nobody will scrape
 * them again, so that their series would go on for a lookback (five minutes) from the last sample: they end here.
 */
import type { SampleSink } from '../../protocol/batch/types.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import { ColumnWriter } from './column-writer.ts'

export type DepartedTarget = {
  readonly key: string
  /** The last slot that was recorded. */
  readonly slotMs: number
  readonly intervalMs: number
  readonly series: readonly Labels[]
}

/**
 * Markers at the last slot of the target's own grid that is not after `nowMs`.
 * @param isTakenOver whether a target of today shows the series with this id
 */
export function endDeparted(
  sink: SampleSink,
  { key, slotMs, intervalMs, series }: DepartedTarget,
  nowMs: number,
  isTakenOver: (id: number) => boolean,
): void {
  const columns = new ColumnWriter(series.length)
  for (const labels of series) {
    const id = sink.define(labels, null)
    if (!isTakenOver(id)) columns.stale(id)
  }
  const every = Math.max(1, intervalMs)
  const endMs = slotMs + Math.max(1, Math.floor((nowMs - slotMs) / every)) * every
  sink.append({
    target: key,
    slotMs: endMs,
    intervalMs,
    timestampMs: endMs,
    ids: columns.ids.slice(0, columns.count),
    values: columns.values.slice(0, columns.count),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  })
}

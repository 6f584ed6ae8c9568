/** A store for PromQL's test scripts: the real shared-memory head, read as query workers read it. */
import type { ConformanceStore } from '../../hub/promql/engine/conformance.ts'
import type { LoadedSeries } from '../../hub/promql/testscript/mod.ts'
import { createHead, type Head, openReader } from '../../hub/tsdb/mod.ts'

const HEAD_BYTES = 512 << 20

export function headStore(): ConformanceStore {
  const head = createHead({ maxBytes: HEAD_BYTES })
  return {
    append: (series) => append(head, series),
    reader: () => openReader(head.share()),
    close: () => {},
  }
}

function append(head: Head, all: readonly LoadedSeries[]): void {
  for (const { labels, times, values, histograms, startTimes } of all) {
    const ref = head.series(labels)
    if (ref < 0) throw new Error('the head refused a series')
    for (let i = 0; i < times.length; i++) {
      const startMs = startTimes?.[i] ?? 0
      const histogram = histograms?.[i]
      if (histogram) head.appendHistogram(ref, times[i]!, histogram, startMs)
      else head.appendFloat(ref, times[i]!, values, i, startMs)
    }
  }
  head.publish()
}

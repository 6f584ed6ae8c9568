/** A reader that tells what was read; not for production. */
import type { SampleBuffer, SeriesReader, TimeRange } from '../../../tsdb/contract.ts'

export type Read = { readonly ref: number; readonly range: TimeRange }

export function spiedReader(inner: SeriesReader): { readonly reader: SeriesReader; readonly reads: Read[] } {
  const reads: Read[] = []
  const reader: SeriesReader = {
    select: (...args) => inner.select(...args),
    labels: (ref) => inner.labels(ref),
    labelIds: (ref) => inner.labelIds(ref),
    symbol: (id) => inner.symbol(id),
    symbolId: (text) => inner.symbolId(text),
    read: (ref: number, range: TimeRange, out: SampleBuffer): void => {
      reads.push({ ref, range })
      inner.read(ref, range, out)
    },
    labelNames: (...args) => inner.labelNames(...args),
    labelValues: (...args) => inner.labelValues(...args),
    exemplars: (...args) => inner.exemplars(...args),
    metadata: () => inner.metadata(),
    seriesCount: inner.seriesCount,
    timeRange: () => inner.timeRange(),
    release: () => inner.release(),
  }
  return { reader, reads }
}

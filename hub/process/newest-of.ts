/**
 * How far a deletion reaches into the head: to the newest sample of the series that it means. What comes to them later, and
 * is newer than that, is no business of it. Semantics: Prometheus tsdb/head.go, Head.Delete (v3.14). Differs: upstream ends
 * at the newest of each series, this at that of all of them: a sample that comes later with a time that was deleted, of a
 * series that the matchers mean, is deleted, too; and blocks' time is deleted whole.
 */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { createSampleBuffer, openReader, type ReaderShare } from '../tsdb/mod.ts'

const EVER = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
/** Of more it would take too long: the newest sample of all has the say. */
const LOOKS_MAX = 10_000

/** Milliseconds; -Infinity when there is no such series. */
export function newestOf(share: ReaderShare, matchers: readonly Matcher[], looksMax = LOOKS_MAX): number {
  const reader = openReader(share)
  try {
    const refs = reader.select(matchers, EVER)
    if (refs.length > looksMax) return reader.timeRange()?.maxTime ?? Number.NEGATIVE_INFINITY
    const out = createSampleBuffer(16)
    let newest = Number.NEGATIVE_INFINITY
    for (const ref of refs) {
      if (reader.readNewest) reader.readNewest(ref, EVER, out)
      else reader.read(ref, EVER, out)
      if (out.count > 0) newest = Math.max(newest, out.times[out.count - 1]!)
    }
    return newest
  } finally {
    reader.release()
  }
}

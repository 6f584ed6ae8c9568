/** Puts a scrape's columns into the head. Hot: bench pipeline; one call per scrape where nothing is out of line. */
import type { Scrape } from '../../protocol/batch/types.ts'
import { type Appender, AppendResult } from '../tsdb/contract.ts'
import { type Dictionary, REFUSED } from './dictionary.ts'

export type AppendCounts = { stored: number; notStored: number; refused: number }

let scratchRefs = new Uint32Array(1024)

/** Refs for all of a scrape's ids, borrowed until the next call; null if one of them is undefined. */
export function resolveScrape(dictionary: Dictionary, ids: Uint32Array): { refs: Uint32Array; refused: number } | null {
  if (scratchRefs.length < ids.length) scratchRefs = new Uint32Array(ids.length * 2)
  const refs = scratchRefs.subarray(0, ids.length)
  const refused = dictionary.resolve(ids, refs)
  return refused < 0 ? null : { refs, refused }
}

/** Appends one scrape whose refs were resolved; adds to `counts`. */
export function appendScrape(
  head: Appender,
  scrape: Scrape,
  refs: Uint32Array,
  refused: number,
  counts: AppendCounts,
): void {
  const n = scrape.ids.length
  const { timestamps, startTimestamps, histograms } = scrape
  if (refused === 0 && !timestamps && !startTimestamps && !histograms) {
    const stored = head.appendColumn(scrape.timestampMs, refs, scrape.values, n)
    counts.stored += stored
    counts.notStored += n - stored
    return
  }
  for (let i = 0; i < n; i++) {
    const ref = refs[i]!
    if (ref >= REFUSED) {
      counts.refused++
      continue
    }
    const own = timestamps ? timestamps[i]! : Number.NaN
    const timestampMs = Number.isNaN(own) ? scrape.timestampMs : own
    const startMs = startTimestamps ? startTimestamps[i]! : 0
    const histogram = histograms?.get(i)
    const result = histogram
      ? head.appendHistogram(ref, timestampMs, histogram, startMs)
      : head.appendFloat(ref, timestampMs, scrape.values, i, startMs)
    if (result === AppendResult.stored) counts.stored++
    else counts.notStored++
  }
}

export function appendExemplars(head: Appender, dictionary: Dictionary, scrape: Scrape): void {
  if (!scrape.exemplars) return
  for (const { id, exemplar } of scrape.exemplars) {
    const ref = dictionary.ref(id)
    if (ref < REFUSED) head.appendExemplar(ref, exemplar)
  }
}

/** The newest timestamp of a scrape's samples. */
export function newestMs(scrape: Scrape): number {
  let newest = scrape.timestampMs
  const { timestamps } = scrape
  if (timestamps)
    for (let i = 0; i < timestamps.length; i++) {
      const t = timestamps[i]!
      if (t > newest) newest = t
    }
  return newest
}

/** How a batch says that nobody scrapes a target any more: with the markers of all its series, and nothing else. */
import { isStaleAt } from '../samples/mod.ts'
import type { Scrape } from './types.ts'

/**
 * Whether the target ended with this scrape: it was removed, so that no slot after it is missed until the target shows
 * itself again. One that was scraped has its report (`up`) among the samples, also where the scrape failed. The markers
 * alone say so, and always did: agents and hubs of any version agree about what is on the wire.
 *
 * The usual scrape is told by its first sample. No sample at all: other targets go on with all of its series.
 */
export function isTargetEnd({ values, histograms }: Pick<Scrape, 'values' | 'histograms'>): boolean {
  if (values.length > 0 && !Number.isNaN(values[0])) return false
  if (histograms !== null) return false
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  for (let i = 0; i < values.length; i++) if (!isStaleAt(words, i)) return false
  return true
}

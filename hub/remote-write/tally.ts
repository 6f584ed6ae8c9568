/** Samples, histograms and exemplars, counted apart as upstream does. */
import { type Counts, DROP_REASONS, type DropReason } from './messages.ts'

export type Tally = { samples: number; histograms: number; exemplars: number }

export const newTally = (): Tally => ({ samples: 0, histograms: 0, exemplars: 0 })

export function addTo(tally: Tally, counts: Counts, factor = 1): void {
  tally.samples += factor * counts.samples
  tally.histograms += factor * counts.histograms
  tally.exemplars += factor * counts.exemplars
}

export type Drops = Record<DropReason, Tally>

export const newDrops = (): Drops => Object.fromEntries(DROP_REASONS.map((reason) => [reason, newTally()])) as Drops

/** What a value sequence says: one entry per step. */
import type { Histogram } from '../../../protocol/samples/mod.ts'
import { combine } from '../engine/histograms/arithmetic.ts'

export type SequenceValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'histogram'
      readonly histogram: Histogram
      /** The literal spells out a counter reset hint, so a comparison has to look at it. */
      readonly hintSet: boolean
    }

export const OMITTED: SequenceValue = { kind: 'omitted' }
export const STALE: SequenceValue = { kind: 'stale' }

export class HistogramSeriesError extends Error {}

/** `base`, and `times` more, each the one before plus or minus `step`. @throws HistogramSeriesError */
export function histogramSeries(base: Histogram, step: Histogram, times: number, sign: 1 | -1): Histogram[] {
  const out = [base]
  let current = base
  for (let i = 0; i < times; i++) {
    if (current.schema > step.schema) {
      throw new HistogramSeriesError(
        `error combining histograms: cannot merge from schema ${step.schema} to ${current.schema}`,
      )
    }
    const combined = combine(current, step, sign)
    if (!combined) {
      throw new HistogramSeriesError('the operation requires all histograms to have custom buckets or none')
    }
    current = combined.h
    out.push(current)
  }
  return out
}

/** How many data points of OTLP are not stored, or not as a whole: the sender is told. */
import type { WriteColumns } from '../../protocol/remote-write/mod.ts'
import { AppendResult } from '../tsdb/contract.ts'

/** @param results by sample, as the head has answered; likewise `ofHistograms` */
export function rejectedPoints(
  { points }: Pick<WriteColumns, 'points'>,
  results: Uint8Array,
  ofHistograms: Uint8Array,
): number {
  if (!points) return 0
  const { ofSample, ofHistogram, lost } = points
  const rejected = new Set<number>()
  for (let i = 0; i < ofSample.length; i++) if (!isHeld(results[i]!)) rejected.add(ofSample[i]!)
  for (let h = 0; h < ofHistogram.length; h++) if (!isHeld(ofHistograms[h]!)) rejected.add(ofHistogram[h]!)
  rejected.delete(0)
  return lost + rejected.size
}

/** A sample that is there already counts as written: the sender need not send it again. */
export const isHeld = (result: number): boolean => result === AppendResult.stored || result === AppendResult.duplicate

/**
 * Reset hints of stored counter histograms, as a TSDB chunk of upstream reports them: a sample says whether the
 * counter was reset since the one before it. A store may set them when it appends; where it did not, they are set
 * here, once per decoded series. Semantics: Prometheus tsdb/chunkenc/float_histogram.go, counterResetHint, appendable.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import type { SampleBuffer } from '../../../tsdb/contract.ts'
import { sameNumbers } from './accumulator.ts'
import { countsDecreased } from './resets.ts'

/** The hint of `h` after `previous`, which is undefined where a float, a gap in the chunk or nothing came before. */
export function hintAfter(h: Histogram, previous: Histogram | undefined): CounterResetHint {
  if (h.counterResetHint === CounterResetHint.gauge) return CounterResetHint.gauge
  if (h.counterResetHint === CounterResetHint.reset) return CounterResetHint.reset
  if (previous === undefined || previous.isStale || previous.counterResetHint === CounterResetHint.gauge) {
    return CounterResetHint.unknown
  }
  const sameLayout =
    h.schema === previous.schema &&
    h.zeroThreshold === previous.zeroThreshold &&
    sameNumbers(h.customValues, previous.customValues)
  if (!sameLayout) return CounterResetHint.unknown
  return countsDecreased(h, previous) ? CounterResetHint.reset : CounterResetHint.notReset
}

/** Sets the hints that are still unknown in the buffer. The first sample's stays: what was before it is not there. */
export function markHints({ count, flags, histograms }: SampleBuffer): void {
  if (histograms === null) return
  for (let i = 1; i < count; i++) {
    const h = histograms[i]
    const previous = histograms[i - 1]
    if (flags[i] !== 2 || flags[i - 1] !== 2 || h === undefined || previous === undefined) continue
    if (h.isStale || h.counterResetHint !== CounterResetHint.unknown) continue
    const hint = hintAfter(h, previous)
    if (hint !== CounterResetHint.unknown) histograms[i] = { ...h, counterResetHint: hint }
  }
}

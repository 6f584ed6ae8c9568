/** Questions about the parts of a write request. */
import type { WriteColumns } from '../../protocol/remote-write/mod.ts'
import type { Exemplar } from '../../protocol/samples/mod.ts'

/** Characters of the names and values of an exemplar's labels. As upstream model/exemplar, ExemplarMaxLabelSetLength. */
const EXEMPLAR_CHARACTERS_MAX = 128

/**
 * One that is not is left out, and no error. Semantics: Prometheus tsdb/exemplar.go, validateExemplar. Differs: one of the
 * far future stays. What is left out is not logged, and replay, which knows of no bounds, would bring it back.
 */
export function isSound({ labels }: Exemplar): boolean {
  let characters = 0
  for (const text of labels) for (const _ of text) characters++
  return characters <= EXEMPLAR_CHARACTERS_MAX
}

/** Of histograms, which stand in the order of their series: found by halves, for there may be as many series to count. */
export function samplesOf({ sampleStart, histograms }: WriteColumns, s: number): number {
  let low = 0
  let high = histograms.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (histograms[middle]!.series < s) low = middle + 1
    else high = middle
  }
  let count = sampleStart[s + 1]! - sampleStart[s]!
  for (let h = low; histograms[h]?.series === s; h++) count++
  return count
}

/** Of the sample at `i`: the last that begins there or before. */
export function seriesOf({ sampleStart, seriesCount }: WriteColumns, i: number): number {
  let low = 0
  let high = seriesCount
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (sampleStart[middle]! <= i) low = middle
    else high = middle
  }
  return low
}

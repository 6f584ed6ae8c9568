/** Samples that came late among those that came in order. */
import type { SampleBuffer } from './contract.ts'

/**
 * Puts the late ones, in whatever order, among those of `out`, which ascend; they have no time in common.
 * @param words of `out.values`, which has room for all
 */
export function mergeLate(out: SampleBuffer, words: Uint32Array, late: SampleBuffer, lateWords: Uint32Array): void {
  const order = new Uint32Array(late.count)
  for (let i = 0; i < late.count; i++) order[i] = i
  order.sort((a, b) => late.times[a]! - late.times[b]!)
  if (late.histograms && !out.histograms) out.histograms = []
  let i = out.count - 1
  let j = late.count - 1
  for (let to = out.count + late.count - 1; j >= 0; to--) {
    const fromLate = i < 0 || late.times[order[j]!]! > out.times[i]!
    const source = fromLate ? late : out
    const sourceWords = fromLate ? lateWords : words
    const at = fromLate ? order[j--]! : i--
    out.times[to] = source.times[at]!
    words[2 * to] = sourceWords[2 * at]!
    words[2 * to + 1] = sourceWords[2 * at + 1]!
    out.flags[to] = source.flags[at]!
    if (out.startTimes) out.startTimes[to] = source.startTimes ? source.startTimes[at]! : 0
    if (out.histograms) out.histograms[to] = source.histograms?.[at]
  }
  out.count += late.count
  if (late.mixed) out.mixed = true
}

/** Samples that came late: whether there are any in a range, and those of a series among what came in order. */
import { overlapsTimes } from './chunk-reader.ts'
import type { SampleBuffer } from './contract.ts'
import { K_NEXT, O_USED, PAGE_MASK, PAGE_SHIFT, RUN, S_OOO, S_OOO_RAW, S_VERSION } from './layout.ts'
import type { Memory } from './memory.ts'

/**
 * Whether the series of the record may have late samples in the range, by the first and last time of each chunk of them, and
 * by the times of those that are in none yet.
 * Takes no lock: true while the writer changes the series, for the buffer may be another's by then.
 */
export function mayHaveLate(mem: Memory, record: number, minTime: number, maxTime: number): boolean {
  const words = mem.u32[record >>> PAGE_SHIFT]!
  const version = (record & PAGE_MASK) + S_VERSION
  const before = Atomics.load(words, version) // pairs with the adds in chunk-writer.ts, lock()
  if (before & 1) return true
  const buffer = mem.get(record + S_OOO_RAW)
  const used = buffer === 0 ? 0 : Math.min(mem.get(buffer + O_USED), RUN)
  // Element i of the sorted times is double i + 1 of the block.
  for (let i = 1; i <= used; i++)
    if (mem.getF64(buffer, i) >= minTime) {
      if (mem.getF64(buffer, i) <= maxTime) return true
      break
    }
  for (let chunk = mem.load(record + S_OOO); chunk !== 0; chunk = mem.load(chunk + K_NEXT))
    if (overlapsTimes(mem, chunk, minTime, maxTime)) return true
  // As in series-reader.ts: an add, so that the loads above cannot sink below it.
  return Atomics.add(words, version, 0) !== before
}

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

/** Chunks of one series that overlap (Prometheus's out-of-order blocks have them): of one time, the first stays. */
import { ensureCapacity, type SampleBuffer } from '../tsdb/mod.ts'

/** Rare, so it is plain: both are put in order by position. */
export function mergeUnordered(out: SampleBuffer, more: SampleBuffer): void {
  const times = [...out.times.subarray(0, out.count), ...more.times.subarray(0, more.count)]
  const kept: number[] = []
  for (const at of times.map((_, i) => i).sort((a, b) => times[a]! - times[b]! || a - b)) {
    const last = kept.at(-1)
    if (last === undefined || times[last] !== times[at]) kept.push(at)
  }
  const bits = new Float64Array(times.length)
  bits.set(out.values.subarray(0, out.count))
  bits.set(more.values.subarray(0, more.count), out.count)
  const flags = [...out.flags.subarray(0, out.count), ...more.flags.subarray(0, more.count)]
  const histograms = times.map((_, i) => (i < out.count ? out.histograms?.[i] : more.histograms?.[i - out.count]))
  ensureCapacity(out, kept.length)
  const from = new Uint32Array(bits.buffer)
  const to = new Uint32Array(out.values.buffer, out.values.byteOffset, out.values.length * 2)
  kept.forEach((at, i) => {
    out.times[i] = times[at]!
    to[2 * i] = from[2 * at]!
    to[2 * i + 1] = from[2 * at + 1]!
    out.flags[i] = flags[at]!
  })
  out.mixed = kept.some((at) => flags[at] !== 0)
  out.histograms = kept.some((at) => flags[at] === 2) ? kept.map((at) => histograms[at]) : null
  out.count = kept.length
}

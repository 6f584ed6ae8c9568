/** Two runs of samples of one series become one. Bits move through words, which keeps stale markers. */
import { ensureCapacity, type SampleBuffer } from '../tsdb/mod.ts'

export function clearSamples(out: SampleBuffer): void {
  out.count = 0
  out.mixed = false
  out.histograms = null
  out.before = undefined
  out.startTimes = null
  out.sparse = undefined
  out.timesKey = 0
  out.rising = 0
}

/** Adds `more`, all of it later than what `out` holds. */
export function appendSamples(out: SampleBuffer, more: SampleBuffer): void {
  const { count } = out
  out.timesKey = 0
  ensureCapacity(out, count + more.count)
  const words = wordsOf(out)
  out.times.set(more.times.subarray(0, more.count), count)
  words.set(wordsOf(more).subarray(0, 2 * more.count), 2 * count)
  out.flags.set(more.flags.subarray(0, more.count), count)
  if (more.startTimes !== null) {
    out.startTimes ??= new Float64Array(out.times.length)
    out.startTimes.set(more.startTimes.subarray(0, more.count), count)
  } else out.startTimes?.fill(0, count, count + more.count)
  if (more.histograms !== null) {
    out.histograms ??= []
    for (let i = 0; i < more.count; i++) out.histograms[count + i] = more.histograms[i]
  }
  out.mixed ||= more.mixed
  out.sparse = sparseOf(out, more)
  out.count = count + more.count
}

function sparseOf({ sparse: a }: SampleBuffer, { sparse: b }: SampleBuffer): SampleBuffer['sparse'] {
  if (!a || !b) return a ?? b
  return { widthMs: Math.max(a.widthMs, b.widthMs), untilMs: Math.max(a.untilMs, b.untilMs) }
}

/** Puts `newer` into `out`; of two samples at the same time, the newer stays. `scratch` is overwritten. */
export function mergeSamples(out: SampleBuffer, newer: SampleBuffer, scratch: SampleBuffer): void {
  if (newer.count === 0) return
  if (out.count === 0 || out.times[out.count - 1]! < newer.times[0]!) {
    appendSamples(out, newer)
    return
  }
  clearSamples(scratch)
  ensureCapacity(scratch, out.count + newer.count)
  if (out.startTimes !== null || newer.startTimes !== null) scratch.startTimes = new Float64Array(scratch.times.length)
  if (out.histograms !== null || newer.histograms !== null) scratch.histograms = []
  const target = wordsOf(scratch)
  const sources = [out, newer] as const
  const words = [wordsOf(out), wordsOf(newer)] as const
  const at = [0, 0]
  let count = 0
  while (at[0]! < out.count || at[1]! < newer.count) {
    const a = at[0]! < out.count ? out.times[at[0]!]! : Number.POSITIVE_INFINITY
    const b = at[1]! < newer.count ? newer.times[at[1]!]! : Number.POSITIVE_INFINITY
    const which = b <= a ? 1 : 0
    if (a === b) at[0]!++
    const source = sources[which]
    const i = at[which]!++
    scratch.times[count] = source.times[i]!
    target[2 * count] = words[which][2 * i]!
    target[2 * count + 1] = words[which][2 * i + 1]!
    scratch.flags[count] = source.flags[i]!
    if (source.flags[i] !== 0) scratch.mixed = true
    if (scratch.startTimes) scratch.startTimes[count] = source.startTimes?.[i] ?? 0
    if (scratch.histograms && source.flags[i] === 2) scratch.histograms[count] = source.histograms?.[i]
    count++
  }
  scratch.count = count
  scratch.sparse = sparseOf(out, newer)
  if (!scratch.mixed) scratch.histograms = null
  swap(out, scratch)
}

/** Takes away the samples with minTime <= t <= maxTime. */
export function removeSamples(out: SampleBuffer, minTime: number, maxTime: number): void {
  const { count, times, values, flags, startTimes, histograms } = out
  let from = 0
  while (from < count && times[from]! < minTime) from++
  let to = from
  while (to < count && times[to]! <= maxTime) to++
  if (to === from) return
  times.copyWithin(from, to, count)
  // Bytes move, not numbers: stale markers keep their bits.
  values.copyWithin(from, to, count)
  flags.copyWithin(from, to, count)
  startTimes?.copyWithin(from, to, count)
  out.count = count - (to - from)
  out.timesKey = 0
  out.rising = Math.min(out.rising ?? 0, from)
  if (histograms !== null) {
    histograms.length = Math.max(histograms.length, count)
    histograms.copyWithin(from, to, count)
  }
  if (!out.mixed) return
  out.mixed = flags.subarray(0, out.count).some((flag) => flag !== 0)
  if (!out.mixed) out.histograms = null
}

function swap(a: SampleBuffer, b: SampleBuffer): void {
  const before = { ...a }
  Object.assign(a, b)
  Object.assign(b, before)
}

function wordsOf({ values }: SampleBuffer): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
}

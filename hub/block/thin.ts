/**
 * Downsampling by leaving samples out: of each bucket (t - resolution, t] the first, the last, the lowest and the highest
 * stay, and both sides of each reset of a counter, all as they were. What is answered from the rest:
 *
 * - exact, over windows that begin and end where buckets do: min_, max_, last_, first_ and present_over_time, resets(), and
 *   instant vectors at the end of a bucket, as far as lookback covers a bucket;
 * - of increase() and rate() the rise between the first and the last sample is exact; how far it is extrapolated to the
 *   window's ends follows from the number of samples, and so differs by up to half a bucket at each end;
 * - count_, sum_, avg_, quantile_ and stddev_over_time are those of the samples that are left.
 *
 * Stale markers and histograms all stay. Thinning what was thinned, to the same or to a multiple, is the same as thinning
 * once. Only names tell counters from gauges here: `_total`, `_count`, `_sum`, `_bucket`.
 */
import { METRIC_NAME } from '../../protocol/labels/mod.ts'
import type { SampleBuffer, SeriesReader } from '../tsdb/mod.ts'
import { HidingReader } from './hiding.ts'

/** Blocks that end no later than `maxTime` are kept at the resolution. */
export type Thinning = { readonly maxTime: number; readonly resolutionMs: number }

/** 0: all samples. */
export function resolutionOf(thinning: readonly Thinning[], blockMaxTime: number): number {
  return thinning.reduce(
    (most, { maxTime, resolutionMs }) => (blockMaxTime <= maxTime ? Math.max(most, resolutionMs) : most),
    0,
  )
}

/** @param resolutionMs 0: the reader itself */
export function thinned(reader: SeriesReader, resolutionMs: number): SeriesReader {
  return resolutionMs > 0 ? new ThinningReader(reader, resolutionMs) : reader
}

const COUNTER = /_(?:total|count|sum|bucket)$/

/** For writing blocks: `select` and the labels are the reader's. */
class ThinningReader extends HidingReader {
  readonly #resolutionMs: number
  #keep = new Uint8Array(1024)

  constructor(inner: SeriesReader, resolutionMs: number) {
    super(inner, [])
    this.#resolutionMs = resolutionMs
  }

  override read(ref: number, range: { readonly minTime: number; readonly maxTime: number }, out: SampleBuffer): void {
    this.inner.read(ref, range, out)
    if (out.count < 3) return
    if (this.#keep.length < out.count) this.#keep = new Uint8Array(2 * out.count)
    markKept(out, this.#resolutionMs, this.#isCounter(ref), this.#keep.fill(0, 0, out.count))
    compact(out, this.#keep)
  }

  #isCounter(ref: number): boolean {
    const ids = this.inner.labelIds(ref)
    const name = this.inner.symbolId(METRIC_NAME)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === name) return COUNTER.test(this.inner.symbol(ids[i + 1]!))
    return false
  }
}

function markKept(
  { count, times, values, flags }: SampleBuffer,
  resolutionMs: number,
  isCounter: boolean,
  keep: Uint8Array,
): void {
  for (let from = 0; from < count; ) {
    const end = resolutionMs * Math.ceil(times[from]! / resolutionMs)
    let to = from
    let first = -1
    let last = -1
    let lowest = -1
    let highest = -1
    for (; to < count && times[to]! <= end; to++) {
      if (flags[to] !== 0) {
        keep[to] = 1
        continue
      }
      if (first < 0) first = to
      last = to
      // What is no number is neither.
      if (!Number.isNaN(values[to]!)) {
        if (lowest < 0 || values[to]! < values[lowest]!) lowest = to
        if (highest < 0 || values[to]! > values[highest]!) highest = to
      }
    }
    for (const at of [first, last, lowest, highest]) if (at >= 0) keep[at] = 1
    if (isCounter) markFalls(values, flags, from, to, keep)
    from = to
  }
}

/** Falls between buckets are between a last and a first, which stay in any case. */
function markFalls(values: Float64Array, flags: Uint8Array, from: number, to: number, keep: Uint8Array): void {
  let before = -1
  for (let i = from; i < to; i++) {
    if (flags[i] !== 0) continue
    if (before >= 0 && values[i]! < values[before]!) keep[before] = keep[i] = 1
    before = i
  }
}

function compact(out: SampleBuffer, keep: Uint8Array): void {
  const { count, times, values, flags, startTimes, histograms } = out
  // Bits move through words, which keeps those of NaN.
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  let to = 0
  for (let i = 0; i < count; i++) {
    if (keep[i] === 0) continue
    times[to] = times[i]!
    words[2 * to] = words[2 * i]!
    words[2 * to + 1] = words[2 * i + 1]!
    flags[to] = flags[i]!
    if (startTimes !== null) startTimes[to] = startTimes[i]!
    if (histograms !== null) histograms[to] = histograms[i]
    to++
  }
  out.count = to
}

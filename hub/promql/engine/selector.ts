/**
 * Instant vector selectors: each stored series is decoded once and slid over the steps of the frame.
 * The newest sample in (t - lookback, t] counts; a stale marker there means nothing.
 * Semantics: Prometheus promql/engine.go, vectorSelectorSingle and smoothSeries (v3.14).
 */
import { CounterResetHint } from '../../../protocol/samples/mod.ts'
import type { SampleBuffer } from '../../tsdb/contract.ts'
import type { VectorSelector } from '../ast.ts'
import { columnSamples, type QueryContext } from './context.ts'
import { interpolateHistograms } from './functions/extended-rate.ts'
import { markHints } from './histograms/hints.ts'
import { fillSparse, sparseReach } from './rows.ts'
import { countColumn } from './sample-counts.ts'
import { type Emit, FLOAT, type Frame, HISTOGRAM, NONE, type Series, SeriesSource, setHistogram } from './types.ts'

export function newSampleBuffer(): SampleBuffer {
  return {
    count: 0,
    times: new Float64Array(256),
    values: new Float64Array(256),
    flags: new Uint8Array(256),
    mixed: false,
    histograms: null,
    startTimes: null,
    timesKey: 0,
    rising: 0,
  }
}

/** Of this thread, between streams: to make the arrays of one takes as long as to read twenty series. */
const idleBuffers: SampleBuffer[] = []
const IDLE_BUFFERS_MAX = 4
const IDLE_SAMPLES_MAX = 10_000

/** To be given back when the stream has ended, and nothing looks at its arrays any more; after an error it need not be. */
export function borrowBuffer(): SampleBuffer {
  return idleBuffers.pop() ?? newSampleBuffer()
}

export function giveBufferBack(buffer: SampleBuffer): void {
  if (idleBuffers.length >= IDLE_BUFFERS_MAX || buffer.times.length > IDLE_SAMPLES_MAX) return
  buffer.count = 0
  buffer.mixed = false
  buffer.histograms = null
  buffer.before = undefined
  buffer.startTimes = null
  buffer.sparse = undefined
  buffer.timesKey = 0
  buffer.rising = 0
  idleBuffers.push(buffer)
}

/** Where on the time axis a selector looks at step i: `first + i * step`. */
export type Lookups = { readonly first: number; readonly step: number; readonly last: number }

export function lookups(selector: Pick<VectorSelector, 'at' | 'offset'>, frame: Frame): Lookups {
  const { offsetMs } = selector.offset
  if (selector.at?.kind === 'at-timestamp') {
    const time = selector.at.timestampMs - offsetMs
    return { first: time, step: 0, last: time }
  }
  const first = frame.startMs - offsetMs
  return { first, step: frame.stepMs, last: first + (frame.steps - 1) * frame.stepMs }
}

/** What to put into the column: the sample itself, or its own time or start time (for timestamp() & co.). */
export type Wanted = 'value' | 'timestamp' | 'start-timestamp'

export function streamSelector(
  ctx: QueryContext,
  selector: VectorSelector,
  frame: Frame,
  keep: boolean,
  emit: Emit,
  wanted: Wanted = 'value',
): void {
  const at = lookups(selector, frame)
  const lookback = ctx.options.lookbackMs
  const asked = { minTime: at.first - lookback + 1, maxTime: selector.smoothed ? at.last + lookback : at.last }
  const range = { ...asked, minTime: asked.minTime - sparseReach(ctx, selector, asked) }
  const refs = ctx.select(selector, range)
  const scratch = borrowBuffer()
  const source = new SeriesSource(frame.steps, keep)
  const isInstant = frame.steps === 1 && !selector.smoothed
  for (let i = 0; i < refs.length; i++) {
    ctx.pollSeries()
    const ref = refs[i]!
    if (ctx.isUnwanted(selector, ref)) continue
    let buffer = scratch
    if (isInstant && ctx.reader.readNewest !== undefined) ctx.reader.readNewest(ref, range, scratch)
    else buffer = ctx.read(selector, ref, range, scratch)
    if (buffer.count === 0) continue
    markHints(buffer, selector.statsOnly === true)
    const series = source.take(ref, null)
    const isSparse = buffer.sparse !== undefined && !selector.smoothed && wanted !== 'start-timestamp'
    const found = selector.smoothed
      ? fillSmoothed(ctx, selector, buffer, at, lookback, series)
      : isSparse
        ? fillSparse(ctx, selector, buffer, at, { out: series, asTime: wanted === 'timestamp' })
        : buffer.mixed
          ? fillMixed(buffer, at, lookback, series, wanted)
          : fillFloats(buffer, at, lookback, series, wanted)
    if (!found) continue
    const samples = series.histograms === null ? found : columnSamples(series)
    ctx.looked += samples
    countColumn(ctx.counts, series, samples)
    ctx.holdSeries(series, samples, keep)
    emit(series)
  }
  giveBufferBack(scratch)
}

/** Hot: bench/hub/engine.bench.ts. Returns how many steps got a value. */
function fillFloats(buffer: SampleBuffer, at: Lookups, lookback: number, out: Series, wanted: Wanted): number {
  const { times, values, count } = buffer
  const column =
    wanted === 'value' ? values : wanted === 'timestamp' ? times : (buffer.startTimes ?? new Float64Array(count))
  const scale = wanted === 'value' ? 1 : 1000
  const { values: target, present } = out
  const steps = present.length
  let next = 0
  let found = 0
  for (let step = 0, time = at.first; step < steps; step++, time += at.step) {
    while (next < count && times[next]! <= time) next++
    if (next === 0 || times[next - 1]! <= time - lookback) continue
    target[step] = scale === 1 ? column[next - 1]! : column[next - 1]! / scale
    present[step] = FLOAT
    found++
  }
  return found
}

function fillMixed(buffer: SampleBuffer, at: Lookups, lookback: number, out: Series, wanted: Wanted): number {
  const { times, values, flags, histograms, startTimes, count } = buffer
  let next = 0
  let found = 0
  for (let step = 0, time = at.first; step < out.present.length; step++, time += at.step) {
    while (next < count && times[next]! <= time) next++
    const index = next - 1
    if (index < 0 || times[index]! <= time - lookback || flags[index] === 1) continue
    const histogram = flags[index] === HISTOGRAM ? histograms![index] : undefined
    if (histogram?.isStale) continue
    found++
    if (wanted !== 'value') {
      out.values[step] = (wanted === 'timestamp' ? times[index]! : (startTimes?.[index] ?? 0)) / 1000
      out.present[step] = FLOAT
    } else if (histogram !== undefined) setHistogram(out, step, histogram)
    else {
      out.values[step] = values[index]!
      out.present[step] = FLOAT
    }
  }
  return found
}

/**
 * `metric smoothed`: between the sample before and the one after, within the lookback to either side; the one before
 * alone is carried on. A series that mixes floats and histograms in one window has no value there.
 */
function fillSmoothed(
  ctx: QueryContext,
  selector: VectorSelector,
  buffer: SampleBuffer,
  at: Lookups,
  lookback: number,
  out: Series,
): number {
  const { times, values, flags, histograms } = buffer
  const kept: number[] = []
  for (let i = 0; i < buffer.count; i++) {
    if (flags[i] !== 1 && histograms?.[i]?.isStale !== true) kept.push(i)
  }
  let low = 0
  let high = 0
  let found = 0
  for (let step = 0, time = at.first; step < out.present.length; step++, time += at.step) {
    while (low < kept.length && times[kept[low]!]! <= time - lookback) low++
    while (high < kept.length && times[kept[high]!]! <= time + lookback) high++
    let after = low
    while (after < high && times[kept[after]!]! < time) after++
    const kind = smoothedKind(buffer, kept, low, high)
    if (kind === 'mixed') {
      ctx.warn(
        `encountered a mix of histograms and floats for metric name ${JSON.stringify(ctx.metricName(out))}`,
        selector.pos,
      )
    }
    if (kind === 'none' || kind === 'mixed') continue
    const exact = after < high && times[kept[after]!] === time
    if (!exact && after === low) continue
    const left = exact ? kept[after]! : kept[after - 1]!
    const right = exact || after === high ? left : kept[after]!
    if (kind === 'histogram') {
      const h =
        left === right
          ? histograms![left]!
          : interpolateHistograms(
              { h: histograms![left]!, t: times[left]! },
              { h: histograms![right]!, t: times[right]! },
              time,
              histograms![right]!.counterResetHint !== CounterResetHint.gauge,
              { ctx, pos: selector.pos, metricName: () => ctx.metricName(out) },
            )
      if (h === null) continue
      setHistogram(out, step, h)
    } else {
      const y1 = values[left]!
      const fraction = left === right ? 0 : (time - times[left]!) / (times[right]! - times[left]!)
      out.values[step] = left === right ? y1 : y1 + (values[right]! - y1) * fraction
      out.present[step] = FLOAT
    }
    found++
  }
  return found
}

function smoothedKind(
  buffer: SampleBuffer,
  kept: readonly number[],
  low: number,
  high: number,
): 'none' | 'float' | 'histogram' | 'mixed' {
  let floats = NONE
  let hists = NONE
  for (let i = low; i < high; i++) {
    if (buffer.flags[kept[i]!] === HISTOGRAM) hists++
    else floats++
  }
  if (floats > 0 && hists > 0) return 'mixed'
  return floats > 0 ? 'float' : hists > 0 ? 'histogram' : 'none'
}

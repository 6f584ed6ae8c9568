/**
 * Series in plain arrays behind the `SeriesReader` interface: what the engine's tests run on before, and beside, the
 * real head.
 */
import { type Labels, labelsKey, labelValue } from '../../../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../../../protocol/matchers/mod.ts'
import type { Exemplar, Histogram, Metadata } from '../../../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader, SeriesRef, Shard, SymbolId, TimeRange } from '../../../tsdb/contract.ts'

/** Samples of one series, ascending in time, all arrays of one length; `kinds` as SampleBuffer.flags. */
export type MemorySamples = {
  readonly labels: Labels
  readonly times: Float64Array
  readonly values: Float64Array
  readonly kinds: Uint8Array
  readonly histograms: readonly (Histogram | undefined)[] | null
  readonly startTimes: Float64Array | null
}

type StoredSeries = {
  readonly labels: Labels
  readonly ids: Uint32Array
  times: Float64Array
  values: Float64Array
  kinds: Uint8Array
  histograms: (Histogram | undefined)[] | null
  startTimes: Float64Array | null
}

export class MemoryReader implements SeriesReader {
  readonly #series: StoredSeries[] = []
  readonly #byKey = new Map<string, number>()
  readonly #symbols: string[] = []
  readonly #symbolIds = new Map<string, number>()

  /** Adds samples behind those that the series has. */
  append(batch: readonly MemorySamples[]): void {
    for (const samples of batch) {
      const key = labelsKey(samples.labels)
      const ref = this.#byKey.get(key)
      if (ref !== undefined) extend(this.#series[ref]!, samples)
      else {
        this.#byKey.set(key, this.#series.length)
        this.#series.push(this.#newSeries(samples))
      }
    }
  }

  #newSeries({ labels, times, values, kinds, histograms, startTimes }: MemorySamples): StoredSeries {
    const ids = Uint32Array.from(labels, (text) => this.#intern(text))
    return { labels, ids, times, values, kinds, histograms: histograms === null ? null : [...histograms], startTimes }
  }

  #intern(text: string): number {
    let id = this.#symbolIds.get(text)
    if (id === undefined) {
      id = this.#symbols.push(text) - 1
      this.#symbolIds.set(text, id)
    }
    return id
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const tests = matchers.map((matcher) => ({ name: matcher.name, matches: compileMatcher(matcher) }))
    const refs: number[] = []
    for (let ref = 0; ref < this.#series.length; ref++) {
      if (shard !== undefined && ref % shard.count !== shard.index) continue
      const { labels, times } = this.#series[ref]!
      if (times.length === 0 || times[0]! > range.maxTime || times[times.length - 1]! < range.minTime) continue
      if (tests.every(({ name, matches }) => matches(labelValue(labels, name)))) refs.push(ref)
    }
    return Uint32Array.from(refs)
  }

  labels(ref: SeriesRef): Labels {
    return this.#series[ref]!.labels
  }

  labelIds(ref: SeriesRef): Uint32Array {
    return this.#series[ref]!.ids
  }

  symbol(id: SymbolId): string {
    return this.#symbols[id]!
  }

  symbolId(text: string): SymbolId {
    return this.#symbolIds.get(text) ?? -1
  }

  read(ref: SeriesRef, { minTime, maxTime }: TimeRange, out: SampleBuffer): void {
    const { times, values, kinds, histograms, startTimes } = this.#series[ref]!
    const from = lowerBound(times, minTime)
    const to = lowerBound(times, maxTime + 1)
    const count = to - from
    if (out.times.length < count) {
      out.times = new Float64Array(count)
      out.values = new Float64Array(count)
      out.flags = new Uint8Array(count)
    }
    out.count = count
    out.times.set(times.subarray(from, to))
    out.values.set(values.subarray(from, to))
    const flags = kinds.subarray(from, to)
    out.flags.set(flags)
    out.mixed = flags.some((flag) => flag !== 0)
    out.histograms = histograms === null ? null : histograms.slice(from, to)
    out.before = histograms?.[from - 1]
    out.startTimes = startTimes === null ? null : startTimes.slice(from, to)
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    const names = new Set<string>()
    for (const ref of this.select(matchers, range)) {
      this.labels(ref).forEach((text, i) => {
        if (i % 2 === 0) names.add(text)
      })
    }
    return [...names].sort()
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): string[] {
    const values = new Set<string>()
    for (const ref of this.select(matchers, range)) values.add(labelValue(this.labels(ref), name))
    values.delete('')
    return [...values].sort()
  }

  exemplars(): Exemplar[] {
    return []
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return new Map()
  }

  get seriesCount(): number {
    return this.#series.length
  }

  timeRange(): TimeRange | null {
    let minTime = Infinity
    let maxTime = -Infinity
    for (const { times } of this.#series) {
      if (times.length === 0) continue
      minTime = Math.min(minTime, times[0]!)
      maxTime = Math.max(maxTime, times[times.length - 1]!)
    }
    return minTime === Infinity ? null : { minTime, maxTime }
  }

  release(): void {}
}

function lowerBound(times: Float64Array, time: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (times[middle]! < time) low = middle + 1
    else high = middle
  }
  return low
}

function extend(series: StoredSeries, more: MemorySamples): void {
  const join = (a: Float64Array, b: Float64Array) => {
    const out = new Float64Array(a.length + b.length)
    out.set(a)
    out.set(b, a.length)
    return out
  }
  const before = series.times.length
  const kinds = new Uint8Array(before + more.kinds.length)
  kinds.set(series.kinds)
  kinds.set(more.kinds, before)
  if (series.histograms !== null || more.histograms !== null) {
    const old = series.histograms ?? new Array<undefined>(before)
    const added = more.histograms ?? new Array<undefined>(more.kinds.length)
    series.histograms = [...old, ...added]
  }
  if (series.startTimes !== null || more.startTimes !== null) {
    series.startTimes = join(
      series.startTimes ?? new Float64Array(before),
      more.startTimes ?? new Float64Array(more.times.length),
    )
  }
  series.times = join(series.times, more.times)
  series.values = join(series.values, more.values)
  series.kinds = kinds
}

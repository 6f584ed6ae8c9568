/**
 * Native histograms with custom buckets out of classic histogram series, for `load_with_nhcb`.
 * Semantics: Prometheus util/convertnhcb and promqltest appendCustomHistogram (v3.14).
 */
import { type Labels, labelsFrom, labelsKey, labelsToObject, METRIC_NAME } from '../../../protocol/labels/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, EMPTY_HISTOGRAM, type Histogram } from '../../../protocol/samples/mod.ts'
import { compact } from '../engine/histograms/arithmetic.ts'
import { LiteralError, parseNumber } from '../parser/mod.ts'
import { type LoadedSeries, SampleKind } from './types.ts'

export class NhcbError extends Error {}

type Classic = { readonly buckets: Map<number, number>; count: number | null; sum: number }
type Group = { readonly labels: Labels; readonly byTime: Map<number, Classic> }

/** @throws NhcbError for counts that are negative, not cumulative or do not agree */
export function convertClassicHistograms(series: readonly LoadedSeries[]): LoadedSeries[] {
  const groups = new Map<string, Group>()
  for (const one of series) collect(groups, one)
  return [...groups.values()].filter(({ byTime }) => byTime.size > 0).map(toSeries)
}

function collect(groups: Map<string, Group>, series: LoadedSeries): void {
  const { [METRIC_NAME]: name = '', ...rest } = labelsToObject(series.labels)
  const suffix = ['_bucket', '_count', '_sum'].find((end) => name.endsWith(end))
  if (suffix === undefined) return
  const { le, ...others } = rest
  let bound = 0
  if (suffix === '_bucket') {
    if (le === undefined) throw new NhcbError(`series ${name} has no label "le"`)
    bound = parseBound(le)
    if (Number.isNaN(bound)) return
  }
  const labels = labelsFrom({ ...others, [METRIC_NAME]: name.slice(0, -suffix.length) })
  const key = labelsKey(labels)
  const group = groups.get(key) ?? { labels, byTime: new Map<number, Classic>() }
  groups.set(key, group)
  for (let i = 0; i < series.times.length; i++) {
    if (series.kinds[i] === SampleKind.histogram) continue
    const time = series.times[i]!
    const value = series.values[i]!
    const classic = group.byTime.get(time) ?? { buckets: new Map<number, number>(), count: null, sum: 0 }
    group.byTime.set(time, classic)
    if (suffix === '_sum') classic.sum = value
    else if (value < 0) throw new NhcbError(`negative count ${value} in ${name}`)
    else if (suffix === '_count') classic.count = value
    else if (!classic.buckets.has(bound)) classic.buckets.set(bound, value)
  }
}

function parseBound(le: string): number {
  try {
    return parseNumber(le)
  } catch (error) {
    if (error instanceof LiteralError) return NaN
    throw error
  }
}

function toSeries({ labels, byTime }: Group): LoadedSeries {
  const times = Float64Array.from([...byTime.keys()].sort((a, b) => a - b))
  return {
    labels,
    times,
    values: new Float64Array(times.length),
    kinds: new Uint8Array(times.length).fill(SampleKind.histogram),
    histograms: Array.from(times, (time) => toHistogram(byTime.get(time)!)),
    startTimes: null,
  }
}

function toHistogram({ buckets, count, sum }: Classic): Histogram {
  const bounds = [...buckets.keys()].sort((a, b) => a - b)
  const cumulative = bounds.map((bound) => buckets.get(bound)!)
  const total = count ?? cumulative.at(-1) ?? 0
  if (bounds.at(-1) !== Infinity) {
    bounds.push(Infinity)
    cumulative.push(total)
  }
  const counts = cumulative.map((value, i) => {
    const before = i === 0 ? 0 : cumulative[i - 1]!
    if (value < before) throw new NhcbError('bucket counts are not cumulative')
    return value - before
  })
  if (cumulative.at(-1) !== total) throw new NhcbError('the count does not equal the count of the highest bucket')
  return compact({
    ...EMPTY_HISTOGRAM,
    schema: CUSTOM_BUCKETS_SCHEMA,
    count: total,
    sum,
    positiveSpans: [{ offset: 0, length: counts.length }],
    positiveBuckets: counts,
    customValues: bounds.slice(0, -1),
  })
}

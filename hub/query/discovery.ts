/** What exists: series, label names and values, exemplars, metadata, cardinality. Semantics: Prometheus web/api/v1/api.go. */
import { compareLabels, compareStrings, type Labels, METRIC_NAME, sortStrings } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { extractSelectors, parseExpr } from '../promql/parser/mod.ts'
import type { SeriesReader, TimeRange } from '../tsdb/contract.ts'
import { JsonWriter } from './json.ts'
import { writeTexts } from './results.ts'

type Window = { readonly startMs: number; readonly endMs: number; readonly limit: number }

const rangeOf = ({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }): TimeRange => ({
  minTime: startMs,
  maxTime: endMs,
})

export function writeSeries(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  window: Window,
): Uint8Array {
  const refs = new Set<number>()
  for (const matchers of selectors) for (const ref of reader.select(matchers, rangeOf(window))) refs.add(ref)
  const sets: Labels[] = [...refs].map((ref) => reader.labels(ref))
  // One selector's series come as they are stored, those of several are merged.
  if (selectors.length > 1) sets.sort(compareLabels)
  const truncated = window.limit > 0 && sets.length > window.limit
  const out = new JsonWriter().raw('{"status":"success","data":[')
  const shown = truncated ? sets.slice(0, window.limit) : sets
  shown.forEach((labels, i) => {
    if (i > 0) out.raw(',')
    out.labels(labels)
  })
  return finish(out.raw(']'), truncated)
}

/** Label names, or the values of `label`. */
export function writeLabels(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  window: Window,
  label: string | null,
): Uint8Array {
  const one = (matchers: readonly Matcher[]): string[] =>
    label === null ? reader.labelNames(matchers, rangeOf(window)) : reader.labelValues(label, matchers, rangeOf(window))
  const all =
    selectors.length === 0 ? one([]) : sortStrings([...new Set(selectors.flatMap((matchers) => one(matchers)))])
  const truncated = window.limit > 0 && all.length > window.limit
  const out = new JsonWriter().raw('{"status":"success","data":[')
  const shown = truncated ? all.slice(0, window.limit) : all
  shown.forEach((text, i) => {
    if (i > 0) out.raw(',')
    out.string(text)
  })
  return finish(out.raw(']'), truncated)
}

function finish(out: JsonWriter, truncated: boolean): Uint8Array {
  if (truncated) writeTexts(out, 'warnings', ['results truncated due to limit'])
  return out.raw('}').finish()
}

export function writeExemplars(
  reader: SeriesReader,
  { query, startMs, endMs }: { readonly query: string; readonly startMs: number; readonly endMs: number },
): Uint8Array {
  const out = new JsonWriter().raw('{"status":"success","data":[')
  const seen = new Set<number>()
  for (const matchers of extractSelectors(parseExpr(query))) {
    for (const ref of reader.select(matchers, rangeOf({ startMs, endMs }))) {
      if (seen.has(ref)) continue
      const exemplars = reader.exemplars(ref, rangeOf({ startMs, endMs }))
      if (exemplars.length === 0) continue
      out
        .raw(seen.size > 0 ? ',{"seriesLabels":' : '{"seriesLabels":')
        .labels(reader.labels(ref))
        .raw(',"exemplars":[')
      seen.add(ref)
      exemplars.forEach(({ labels, value, timestampMs }, i) => {
        out
          .raw(i > 0 ? ',{"labels":' : '{"labels":')
          .labels(labels)
          .raw(',"value":')
          .float(value)
          .raw(',"timestamp":')
          .timestamp(timestampMs ?? 0)
          .raw('}')
      })
      out.raw(']}')
    }
  }
  return out.raw(']}').finish()
}

export function writeMetadata(
  reader: SeriesReader,
  {
    metric,
    limit,
    limitPerMetric,
  }: { readonly metric: string; readonly limit: number; readonly limitPerMetric: number },
): Uint8Array {
  const data: Record<string, unknown> = Object.create(null)
  let count = 0
  for (const [name, entries] of reader.metadata()) {
    if (metric !== '' && name !== metric) continue
    if (count >= limit) break
    count++
    const shown = limitPerMetric > 0 ? entries.slice(0, limitPerMetric) : entries
    data[name] = shown.map(({ type, help, unit }) => ({ type, help, unit }))
  }
  return new TextEncoder().encode(JSON.stringify({ status: 'success', data }))
}

/** The part of `/api/v1/status/tsdb` that counts labels. */
export function writeCardinality(reader: SeriesReader, limit: number): Uint8Array {
  const everything: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }
  const byMetric = new Map<string, number>()
  const byPair = new Map<string, number>()
  const values = new Map<string, { readonly seen: Set<number>; bytes: number }>()
  for (const ref of reader.select([], everything)) {
    const ids = reader.labelIds(ref)
    for (let i = 0; i < ids.length; i += 2) {
      const name = reader.symbol(ids[i]!)
      const value = reader.symbol(ids[i + 1]!)
      if (name === METRIC_NAME) byMetric.set(value, (byMetric.get(value) ?? 0) + 1)
      const pair = `${name}=${value}`
      byPair.set(pair, (byPair.get(pair) ?? 0) + 1)
      const known = values.get(name) ?? { seen: new Set<number>(), bytes: 0 }
      if (!known.seen.has(ids[i + 1]!)) {
        known.seen.add(ids[i + 1]!)
        known.bytes += value.length
      }
      values.set(name, known)
    }
  }
  const top = (entries: Iterable<readonly [string, number]>): { name: string; value: number }[] =>
    [...entries]
      .sort((a, b) => b[1] - a[1] || compareStrings(a[0], b[0]))
      .slice(0, limit)
      .map(([name, value]) => ({ name, value }))
  const span = reader.timeRange()
  const data = {
    headStats: {
      numSeries: reader.seriesCount,
      numLabelPairs: byPair.size,
      chunkCount: 0,
      minTime: span?.minTime ?? 0,
      maxTime: span?.maxTime ?? 0,
    },
    seriesCountByMetricName: top(byMetric),
    labelValueCountByLabelName: top([...values].map(([name, { seen }]) => [name, seen.size] as const)),
    memoryInBytesByLabelName: top([...values].map(([name, { bytes }]) => [name, bytes] as const)),
    seriesCountByLabelValuePair: top(byPair),
  }
  return new TextEncoder().encode(JSON.stringify({ status: 'success', data }))
}

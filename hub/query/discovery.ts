/** What exists: series, label names and values, exemplars, metadata, cardinality. Semantics: Prometheus web/api/v1/api.go. */
import { compareLabels, type Labels, sortStrings } from '../../protocol/labels/mod.ts'
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

/** `/api/v1/status/tsdb`: the head, and what makes it large. */
export function writeCardinality(reader: SeriesReader, limit: number): Uint8Array {
  if (!reader.cardinality) throw new Error('BUG: only the head knows its cardinality')
  const { labelPairCount, chunkCount, ...counts } = reader.cardinality(limit)
  const span = reader.timeRange()
  const headStats = {
    numSeries: reader.seriesCount,
    numLabelPairs: labelPairCount,
    chunkCount,
    // Of an empty head, as upstream.
    minTime: span?.minTime ?? Number(EMPTY_MIN_TIME),
    maxTime: span?.maxTime ?? Number(EMPTY_MAX_TIME),
  }
  const text = JSON.stringify({ status: 'success', data: { headStats, ...counts } })
  return new TextEncoder().encode(span ? text : text.replace(/"minTime":[^,]*,"maxTime":[^}]*/, EMPTY_TIMES))
}

/** Go's int64 limits, which are no numbers of JavaScript. */
const EMPTY_MIN_TIME = 2n ** 63n - 1n
const EMPTY_MAX_TIME = -(2n ** 63n)
const EMPTY_TIMES = `"minTime":${EMPTY_MIN_TIME},"maxTime":${EMPTY_MAX_TIME}`

/** What exists: series, label names and values, exemplars, metadata, cardinality. Semantics: Prometheus web/api/v1/api.go. */
import { compareLabels, type Labels, sortStrings } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { extractSelectors, parseExpr } from '../promql/parser/mod.ts'
import type { SeriesReader, TimeRange } from '../tsdb/contract.ts'
import type { QueryTask } from './contract.ts'
import { parserFeatures } from './features.ts'
import { JsonWriter } from './json.ts'
import { writeTexts } from './results.ts'

/** What a list is made with. */
export type ListContext = {
  /** Warnings of what was damaged where one has read. */
  readonly missing: () => readonly string[]
  /** Called now and then; throws to end the query. */
  readonly poll: () => void
}

const ENTRIES_PER_POLL = 256
/** Written in a millisecond. */
const KEPT_ENTRIES_MAX = 20_000

type Window = { readonly startMs: number; readonly endMs: number; readonly limit: number }

const rangeOf = ({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }): TimeRange => ({
  minTime: startMs,
  maxTime: endMs,
})

/** @throws QueryError as `poll` does */
export function writeSeries(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  window: Window,
  context: ListContext,
): Uint8Array {
  const [first, ...others] = selectors
  // One selector's series come as they are stored, those of several are merged.
  if (first !== undefined && others.length === 0) {
    const refs = reader.select(first, rangeOf(window))
    return seriesList(refs.length, (i) => reader.labels(refs[i]!), window, context)
  }
  const refs = new Set<number>()
  for (const matchers of selectors) {
    context.poll()
    for (const ref of reader.select(matchers, rangeOf(window))) refs.add(ref)
  }
  const sets: Labels[] = [...refs].map((ref) => reader.labels(ref)).sort(compareLabels)
  return seriesList(sets.length, (i) => sets[i]!, window, context)
}

function seriesList(
  count: number,
  labelsAt: (index: number) => Labels,
  { limit }: Window,
  context: ListContext,
): Uint8Array {
  const truncated = limit > 0 && count > limit
  const shown = truncated ? limit : count
  const out = new JsonWriter().raw('{"status":"success","data":[')
  for (let i = 0; i < shown; i++) {
    if (i % ENTRIES_PER_POLL === 0) context.poll()
    if (i > 0) out.raw(',')
    out.labels(labelsAt(i))
  }
  return finish(out.raw(']'), truncated, context)
}

/** Label names, or the values of `label`. @throws QueryError as `poll` does */
export function writeLabels(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  window: Window,
  label: string | null,
  context: ListContext,
): Uint8Array {
  const one = (matchers: readonly Matcher[]): readonly string[] => {
    context.poll()
    const range = rangeOf(window)
    return label === null ? reader.labelNames(matchers, range) : reader.labelValues(label, matchers, range)
  }
  const all =
    selectors.length === 0 ? one([]) : sortStrings([...new Set(selectors.flatMap((matchers) => one(matchers)))])
  const truncated = window.limit > 0 && all.length > window.limit
  const out = new JsonWriter().raw('{"status":"success","data":[')
  const shown = truncated ? window.limit : all.length
  if (!truncated && shown <= KEPT_ENTRIES_MAX) out.keptStrings(all)
  else
    for (let i = 0; i < shown; i += ENTRIES_PER_POLL) {
      context.poll()
      if (i > 0) out.raw(',')
      out.strings(all.slice(i, Math.min(shown, i + ENTRIES_PER_POLL)))
    }
  return finish(out.raw(']'), truncated, context)
}

function finish(out: JsonWriter, truncated: boolean, { missing }: ListContext): Uint8Array {
  writeTexts(out, 'warnings', [...missing(), ...(truncated ? ['results truncated due to limit'] : [])])
  return out.raw('}').finish()
}

/** Exemplars have times of their own, which may be far from all samples of their series. */
const EVER: TimeRange = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

/** By the labels of the series. Null for an expression that selects nothing. */
export function writeExemplars(
  reader: SeriesReader,
  { query, startMs, endMs, features }: Extract<QueryTask, { kind: 'exemplars' }>,
): Uint8Array | null {
  const selectors = extractSelectors(parseExpr(query, parserFeatures(features)))
  if (selectors.length === 0) return null
  const out = new JsonWriter().raw('{"status":"success","data":[')
  const refs = new Set(selectors.flatMap((matchers) => [...reader.select(matchers, EVER)]))
  const found = [...refs]
    .map((ref) => ({ ref, exemplars: reader.exemplars(ref, rangeOf({ startMs, endMs })) }))
    .filter(({ exemplars }) => exemplars.length > 0)
    .map(({ ref, exemplars }) => ({ series: reader.labels(ref), exemplars }))
    .sort((a, b) => compareLabels(a.series, b.series))
  found.forEach(({ series, exemplars }, place) => {
    out
      .raw(place > 0 ? ',{"seriesLabels":' : '{"seriesLabels":')
      .labels(series)
      .raw(',"exemplars":[')
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
  })
  return out.raw(']}').finish()
}

/**
 * By family, as the exposition has it: a counter of OpenMetrics stands without its `_total`. Differs: what the head holds
 * of agents of older versions stands under the name of the series.
 */
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

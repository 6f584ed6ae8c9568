/** Engine results in the shape of `/api/v1/query` and `/api/v1/query_range`. */

import type { Annotation, QueryRange, QueryResult, ResultSeries } from '../promql/contract.ts'
import type { PlanNode } from '../promql/engine/mod.ts'
import { lineColumn } from '../promql/parser/mod.ts'
import { formatPlainFloat, JsonWriter } from './json.ts'
import { type QueryStats, writeStats } from './stats.ts'
import { type StepTimes, stepTimes } from './step-times.ts'

/** Upstream shows at most ten of each. */
const MAX_ANNOTATIONS = 10
const SERIES_PER_POLL = 256

export type ResultContext = {
  readonly range: QueryRange
  readonly text: string
  /** Series; 0 = all. */
  readonly limit: number
  /** Called now and then; throws to end the query. */
  readonly poll: () => void
  /** Null when nobody asked. */
  readonly stats: QueryStats | null
  /** Null when nobody asked. */
  readonly explain?: Explained | null
  /** A warning; '' = none. */
  readonly notice?: string
}

/**
 * `explain` beside `data`: where the query ran, and its plan. `threads` is 0 when the thread that had the request
 * answered it, 1 for one worker, more when it was split.
 */
export type Explained = { readonly threads: number; readonly plan: PlanNode | null }

export function writeResult(
  result: QueryResult,
  { range, text, limit, poll, stats, explain = null, notice = '' }: ResultContext,
): Uint8Array {
  const out = new JsonWriter()
  out.raw('{"status":"success","data":{"resultType":')
  let truncated = false
  switch (result.type) {
    case 'scalar':
      // Upstream writes what is no sample otherwise: no digits of the time for nothing, and never an exponent.
      out.raw(`"scalar","result":[${range.startMs / 1000},"${formatPlainFloat(result.values[0]!)}"]`)
      break
    case 'string':
      out.raw('"string","result":[').timestamp(range.startMs).raw(',').string(result.value).raw(']')
      break
    case 'vector': {
      const { series: all } = result
      const shown = all.every(({ present }) => present[0] !== 0) ? all : all.filter(({ present }) => present[0] !== 0)
      truncated = limit > 0 && shown.length > limit
      out.raw('"vector","result":[')
      const kept = truncated ? shown.slice(0, limit) : shown
      const times = stepTimes(range.startMs, range.stepMs, 1)
      for (let i = 0; i < kept.length; i++) {
        if (i % SERIES_PER_POLL === 0) poll()
        writeVectorSample(out, kept[i]!, range, times, i)
      }
      out.raw(']')
      break
    }
    case 'matrix': {
      out.raw('"matrix","result":[')
      let written = 0
      const times = stepTimes(range.startMs, range.stepMs, result.series[0]?.present.length ?? 0)
      for (const series of result.series) {
        poll()
        if (!series.present.some(isPoint)) continue
        truncated = limit > 0 && written === limit
        if (truncated) break
        writeSteps(out, series, range, times, written++)
      }
      out.raw(']')
      break
    }
    case 'raw-matrix':
      truncated = limit > 0 && result.series.length > limit
      out.raw('"matrix","result":[')
      ;(truncated ? result.series.slice(0, limit) : result.series).forEach((series, i) => {
        poll()
        writeRaw(out, series, i)
      })
      out.raw(']')
  }
  if (stats !== null) writeStats(out, stats)
  out.raw('}')
  if (explain !== null) out.raw(`,"explain":${JSON.stringify(explain)}`)
  const { warnings, infos } = annotationTexts(result.annotations, text)
  if (truncated) warnings.push('results truncated due to limit')
  if (notice !== '') warnings.push(notice)
  writeTexts(out, 'warnings', warnings)
  writeTexts(out, 'infos', infos)
  return out.raw('}').finish()
}

function writeVectorSample(
  out: JsonWriter,
  { labels, values, present, histograms }: ResultSeries,
  { startMs }: QueryRange,
  times: StepTimes,
  index: number,
): void {
  out.raw(index > 0 ? ',{"metric":' : '{"metric":').labels(labels)
  if (present[0] === 2) out.raw(',"histogram":').histogramPoint(startMs, histograms![0]!)
  else out.raw(',"value":').stepPoint(times, 0, values, true)
  out.raw('}')
}

const isPoint = (present: number): boolean => present !== 0

function writeSteps(
  out: JsonWriter,
  { labels, values, present, histograms }: ResultSeries,
  { startMs, stepMs }: QueryRange,
  times: StepTimes,
  index: number,
): void {
  let floats = 0
  let histogramCount = 0
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 1) floats++
    else if (present[i] === 2) histogramCount++
  }
  out.raw(index > 0 ? ',{"metric":' : '{"metric":').labels(labels)
  if (floats > 0) {
    out.raw(',"values":[').stepPoints(times, values, present)
    out.raw(']')
  }
  if (histogramCount > 0) {
    out.raw(',"histograms":[')
    let first = true
    for (let i = 0; i < present.length; i++) {
      if (present[i] !== 2) continue
      if (!first) out.raw(',')
      first = false
      out.histogramPoint(startMs + i * stepMs, histograms![i]!)
    }
    out.raw(']')
  }
  out.raw('}')
}

type RawSeries = Extract<QueryResult, { type: 'raw-matrix' }>['series'][number]

function writeRaw(out: JsonWriter, { labels, times, values, histograms }: RawSeries, index: number): void {
  out.raw(index > 0 ? ',{"metric":' : '{"metric":').labels(labels)
  const floats: number[] = []
  const histogramAt: number[] = []
  for (let i = 0; i < times.length; i++) (histograms?.[i] ? histogramAt : floats).push(i)
  if (floats.length > 0) {
    out.raw(',"values":[')
    floats.forEach((i, n) => {
      if (n > 0) out.raw(',')
      out.point(times[i]!, values[i]!)
    })
    out.raw(']')
  }
  if (histogramAt.length > 0) {
    out.raw(',"histograms":[')
    histogramAt.forEach((i, n) => {
      if (n > 0) out.raw(',')
      out.histogramPoint(times[i]!, histograms![i]!)
    })
    out.raw(']')
  }
  out.raw('}')
}

/** As they are shown beside a result. */
export function annotationTexts(
  annotations: readonly Annotation[],
  text: string,
): { readonly warnings: string[]; readonly infos: string[] } {
  const byLevel = (level: Annotation['level']): string[] =>
    shownAnnotations(
      annotations.filter((a) => a.level === level),
      text,
    )
  return { warnings: byLevel('warning'), infos: byLevel('info') }
}

function shownAnnotations(annotations: readonly Annotation[], text: string): string[] {
  const texts = new Set<string>()
  const bytes = annotations.length > 0 ? byteString(text) : ''
  for (const { message, pos } of annotations) texts.add(pos ? `${message} (${lineColumn(bytes, pos.start)})` : message)
  const all = [...texts]
  if (all.length <= MAX_ANNOTATIONS) return all
  const level = annotations[0]!.level === 'warning' ? 'warning' : 'info'
  return [...all.slice(0, MAX_ANNOTATIONS), `${all.length - MAX_ANNOTATIONS} more ${level} annotations omitted`]
}

/** One char per byte of the UTF-8 form, which positions count. */
function byteString(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let out = ''
  for (const byte of bytes) out += String.fromCharCode(byte)
  return out
}

export function writeTexts(out: JsonWriter, name: string, texts: readonly string[]): void {
  if (texts.length > 0) out.raw(`,"${name}":${JSON.stringify(texts.map((text) => text.toWellFormed()))}`)
}

export function errorBody(type: string, message: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ status: 'error', errorType: type, error: message.toWellFormed() }))
}

/**
 * Instant and range queries of plain selectors over the ring, answered in the HTTP API's JSON: the agent tells what it
 * has while no hub can be asked. Semantics: Prometheus web/api/v1, promql/engine.go (lookback, staleness).
 */
import { labelsToObject } from '../../protocol/labels/mod.ts'
import { parseSelector, type Selector, SelectorError } from '../../protocol/matchers/selector.ts'
import { formatFloat } from '../../protocol/samples/mod.ts'
import { RingQueryError, type RingSample, type RingSelector, type RingSeries } from './select.ts'

export const LOOKBACK_MS = 300_000
const POINTS_MAX = 11_000

export type RingQuery =
  | { readonly kind: 'instant'; readonly query: string; readonly timeMs: number }
  | {
      readonly kind: 'range'
      readonly query: string
      readonly startMs: number
      readonly endMs: number
      readonly stepMs: number
    }

type Sample = readonly [seconds: number, value: string]
type Metric = Readonly<Record<string, string>>
export type RingAnswer = {
  readonly resultType: 'vector' | 'matrix'
  readonly result: readonly { readonly metric: Metric; readonly value?: Sample; readonly values?: readonly Sample[] }[]
  readonly warnings: readonly string[]
}

/** @throws RingQueryError */
export async function answerRingQuery(ring: RingSelector, query: RingQuery): Promise<RingAnswer> {
  const selector = parsed(query.query)
  if (query.kind === 'range') return rangeQuery(ring, selector, query)
  const atMs = query.timeMs - selector.offsetMs
  const reachMs = selector.rangeMs ?? LOOKBACK_MS
  const { series, skippedBatches } = await ring.select({
    matchers: selector.matchers,
    fromMs: atMs - reachMs + 1,
    toMs: atMs,
  })
  const notes = warnings(series, skippedBatches)
  if (selector.rangeMs !== null) {
    const result = series.map(({ labels, samples }) => ({
      metric: labelsToObject(labels),
      values: samples.filter(isFloat).map(({ timeMs, value }) => point(timeMs, value!)),
    }))
    return { resultType: 'matrix', result: result.filter(({ values }) => values.length > 0), warnings: notes }
  }
  const result = series.flatMap(({ labels, samples }) => {
    const last = samples.at(-1)!
    return isFloat(last) ? [{ metric: labelsToObject(labels), value: point(query.timeMs, last.value!) }] : []
  })
  return { resultType: 'vector', result, warnings: notes }
}

async function rangeQuery(
  ring: RingSelector,
  { matchers, rangeMs, offsetMs }: Selector,
  { startMs, endMs, stepMs }: RingQuery & { readonly kind: 'range' },
): Promise<RingAnswer> {
  if (rangeMs !== null)
    throw new RingQueryError(
      'bad_data',
      'invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    )
  if (!(stepMs > 0))
    throw new RingQueryError('bad_data', 'zero or negative query resolution step widths are not accepted')
  if (endMs < startMs) throw new RingQueryError('bad_data', 'end timestamp must not be before start time')
  if ((endMs - startMs) / stepMs > POINTS_MAX)
    throw new RingQueryError(
      'bad_data',
      `exceeded maximum resolution of ${POINTS_MAX} points per timeseries. Try decreasing the query resolution`,
    )
  const { series, skippedBatches } = await ring.select({
    matchers,
    fromMs: startMs - offsetMs - LOOKBACK_MS + 1,
    toMs: endMs - offsetMs,
  })
  const result = series.map(({ labels, samples }) => {
    const values: Sample[] = []
    let next = 0
    for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) {
      while (next < samples.length && samples[next]!.timeMs <= timeMs - offsetMs) next++
      const last = samples[next - 1]
      if (last && isFloat(last) && last.timeMs > timeMs - offsetMs - LOOKBACK_MS)
        values.push(point(timeMs, last.value!))
    }
    return { metric: labelsToObject(labels), values }
  })
  return {
    resultType: 'matrix',
    result: result.filter(({ values }) => values.length > 0),
    warnings: warnings(series, skippedBatches),
  }
}

function parsed(query: string): Selector {
  try {
    return parseSelector(query)
  } catch (error) {
    if (error instanceof SelectorError) throw new RingQueryError('bad_data', error.message, { cause: error })
    throw error
  }
}

const isFloat = ({ value, histogram }: RingSample): boolean => value !== null && histogram === null
const point = (timeMs: number, value: number): Sample => [timeMs / 1000, formatFloat(value)]

function warnings(series: readonly RingSeries[], skippedBatches: number): string[] {
  const out: string[] = []
  if (skippedBatches > 0) out.push(`${skippedBatches} batches of the ring could not be decoded and are left out`)
  const histograms = series.filter(({ samples }) => samples.some(({ histogram }) => histogram !== null)).length
  if (histograms > 0) out.push(`${histograms} series with native histograms are left out: ask a hub for them`)
  return out
}

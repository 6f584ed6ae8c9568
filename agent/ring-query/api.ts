/**
 * The same two questions over local HTTP (`/api/v1/query`, `/api/v1/query_range`) and over the bus (verb `query` of the
 * agent's control subject, parameters as a query string, the answer as the API's JSON).
 */
import { parseDuration } from '../../protocol/durations/mod.ts'
import { answerRingQuery, type RingQuery } from './answer.ts'
import { RingQueryError, type RingSelector } from './select.ts'

/** `kind` is told by the parameters: `start` makes a range query. @throws RingQueryError */
export function decodeRingRequest(parameters: URLSearchParams, nowMs: number): RingQuery {
  const query = parameters.get('query') ?? ''
  if (query === '')
    throw new RingQueryError(
      'bad_data',
      'invalid parameter "query": unknown position: parse error: no expression found in input',
    )
  if (!parameters.has('start')) return { kind: 'instant', query, timeMs: time(parameters, 'time', nowMs) }
  return {
    kind: 'range',
    query,
    startMs: time(parameters, 'start', nowMs),
    endMs: time(parameters, 'end', nowMs),
    stepMs: step(parameters.get('step') ?? ''),
  }
}

/** Status and JSON of the HTTP API. */
export async function ringApi(
  ring: RingSelector,
  parameters: URLSearchParams,
  nowMs: number,
): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const { warnings, ...data } = await answerRingQuery(ring, decodeRingRequest(parameters, nowMs))
    return { status: 200, body: JSON.stringify({ status: 'success', data, ...(warnings.length > 0 && { warnings }) }) }
  } catch (error) {
    if (!(error instanceof RingQueryError)) throw error
    const body = JSON.stringify({ status: 'error', errorType: error.errorType, error: error.message })
    return { status: error.errorType === 'bad_data' ? 400 : 422, body }
  }
}

function time(parameters: URLSearchParams, name: string, fallbackMs: number): number {
  const text = parameters.get(name)
  if (text === null || text === '') return fallbackMs
  const ms = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) * 1000 : Date.parse(text)
  if (!Number.isFinite(ms))
    throw new RingQueryError('bad_data', `invalid parameter "${name}": cannot parse "${text}" to a valid timestamp`)
  return Math.round(ms)
}

function step(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  try {
    return parseDuration(text)
  } catch (error) {
    throw new RingQueryError('bad_data', `invalid parameter "step": cannot parse "${text}" to a valid duration`, {
      cause: error,
    })
  }
}

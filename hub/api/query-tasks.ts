/** From parameters to tasks: queries and discovery. Semantics: Prometheus web/api/v1/api.go. */
import { ApiError, ARROW_TYPE, type QuerySettings, type QueryTask } from '../query/mod.ts'
import type { ApiDeps } from './deps.ts'
import { labelNameOf } from './label-name.ts'
import { invalid, type Params, parseSpan, spanProblem } from './params.ts'

const MAX_POINTS = 11_000
const MAX_QUERY_BYTES = 1 << 20
const EVER = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY }

export type Asked = { readonly task: QueryTask; readonly timeoutMs?: number }
/** @param accept the header. @throws ApiError */
type Ask = (p: Params, accept: string, deps: Pick<ApiDeps, 'clock' | 'settings' | 'queryTimeoutMs'>) => Asked

/** By path, for GET and for POSTed forms. */
export const QUERY_TASKS: ReadonlyMap<string, Ask> = new Map<string, Ask>([
  ['/api/v1/query', instantTask],
  ['/api/v1/query_range', rangeTask],
  ['/api/v1/query_exemplars', exemplarsTask],
  ['/api/v1/series', seriesTask],
  ['/api/v1/labels', (p) => ({ task: { kind: 'labels', limit: p.limit(), ...span(p), matches: p.all('match[]') } })],
])

// Of several faults the first is told: the parameters are read in upstream's order.

function instantTask(...[p, accept, deps]: Parameters<Ask>): Asked {
  const limit = p.limit()
  const timeMs = p.time('time', Math.round(deps.clock.now()))
  const timeoutMs = timeout(p, deps)
  const given = settings(p, accept, deps)
  inTime(timeoutMs)
  return { task: { kind: 'instant', query: queryText(p), timeMs, limit, settings: given }, timeoutMs }
}

function rangeTask(...[p, accept, deps]: Parameters<Ask>): Asked {
  const limit = p.limit()
  const startMs = p.neededTime('start')
  const endMs = p.neededTime('end')
  if (endMs < startMs) invalid('end', 'end timestamp must not be before start time')
  const givenMs = p.duration('step', Number.NaN)
  if (Number.isNaN(givenMs)) invalid('step', 'cannot parse "" to a valid duration')
  if (givenMs <= 0)
    invalid('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer')
  // Upstream counts points in nanoseconds, and then goes by whole milliseconds; of less, none are left here either.
  const stepMs = Math.trunc(givenMs)
  if (stepMs === 0 || (endMs - startMs) / givenMs > MAX_POINTS) {
    throw new ApiError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    )
  }
  const timeoutMs = timeout(p, deps)
  const given = settings(p, accept, deps)
  inTime(timeoutMs)
  return { task: { kind: 'range', query: queryText(p), startMs, endMs, stepMs, limit, settings: given }, timeoutMs }
}

function exemplarsTask(...[p, , deps]: Parameters<Ask>): Asked {
  const window = span(p)
  if (window.endMs < window.startMs) throw new ApiError('bad_data', 'end timestamp must not be before start timestamp')
  const { features } = deps.settings()
  return { task: { kind: 'exemplars', query: queryText(p), ...window, features } }
}

function seriesTask(p: Params): Asked {
  const matches = p.whole.all('match[]')
  if (matches.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
  return { task: { kind: 'series', limit: p.limit(), ...span(p), matches } }
}

/** @param name of the label, as the path has it */
export function valuesTask(name: string, p: Params): QueryTask {
  const label = labelNameOf(name)
  return { kind: 'values', label, limit: p.limit(), ...span(p), matches: p.all('match[]') }
}

export function queryText(p: Params): string {
  const text = p.get('query')
  if (text.length > MAX_QUERY_BYTES) invalid('query', `the query exceeds ${MAX_QUERY_BYTES} bytes`)
  return text
}

/** ms */
function timeout(p: Params, { queryTimeoutMs }: { readonly queryTimeoutMs: number }): number {
  return p.duration('timeout', queryTimeoutMs)
}

/** A query that is over before it began is refused with the words of one whose time is up. @throws ApiError */
function inTime(timeoutMs: number): void {
  if (timeoutMs <= 0) invalid('query', 'context deadline exceeded')
}

function settings(p: Params, accept: string, deps: Pick<ApiDeps, 'settings'>): QuerySettings {
  const base = deps.settings()
  const lookback = p.get('lookback_delta')
  const lookbackMs = lookback === '' ? 0 : parseSpan(lookback)
  if (lookbackMs === null) {
    throw new ApiError('bad_data', `error parsing lookback delta duration: ${spanProblem(lookback)}`)
  }
  return {
    ...base,
    // None above 0 is taken for the default, and of less than a millisecond nothing is left.
    lookbackMs: lookbackMs > 0 ? Math.trunc(lookbackMs) : base.lookbackMs,
    ...statsOf(p, base.features),
    ...explainOf(p),
    // Who accepts columns by name gets them; errors are JSON all the same.
    ...(accept.includes(ARROW_TYPE) && { arrow: true }),
  }
}

/** Whatever is said asks for them; but what is none of their two words will be refused one day. */
function statsOf(p: Params, features: readonly string[]): Pick<QuerySettings, 'stats' | 'stepStats' | 'notice'> {
  const text = p.get('stats')
  if (text === '' || text === 'true') return { stats: text !== '' }
  if (text === 'all') return { stats: true, stepStats: features.includes('promql-per-step-stats') }
  const value = JSON.stringify(text)
  return {
    stats: true,
    notice: `value ${value} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
  }
}

/** `explain=1`, or any other value but 0 and false. */
function explainOf(p: Params): { readonly explain?: boolean } {
  const text = p.get('explain')
  return text === '' || text === '0' || text === 'false' ? {} : { explain: true }
}

function span(p: Params): { startMs: number; endMs: number } {
  return { startMs: p.time('start', EVER.startMs), endMs: p.time('end', EVER.endMs) }
}

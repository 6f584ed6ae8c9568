/** Queries and discovery of series. */
import type { Hono } from 'hono'
import { exprToApi, ParseError, parseExpr } from '../promql/parser/mod.ts'
import { prettyExpr } from '../promql/printer/mod.ts'
import { ApiError, ARROW_TYPE, negotiateEscaping, parserFeatures, type QuerySettings } from '../query/mod.ts'
import { type Ctx, json, params, respond, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid, type Params, parseSpan, spanProblem } from './params.ts'

const MAX_POINTS = 11_000
const MAX_QUERY_BYTES = 1 << 20
const EVER = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY }

type App = Hono<Vars>

export function queryRoutes(app: App, deps: ApiDeps): void {
  const both = (path: string, handler: (c: Ctx, p: Params) => Promise<Response>): void => {
    app.on(['GET', 'POST'], path, async (c) => handler(c, await params(c)))
  }
  both('/api/v1/query', async (c, p) => {
    const task = {
      kind: 'instant' as const,
      query: queryText(p),
      timeMs: p.time('time', Math.round(deps.clock.now())),
      limit: p.limit(),
      settings: { ...settings(p, deps), ...arrowOf(c) },
    }
    return respond(c, deps, task, timeout(p, deps))
  })
  both('/api/v1/query_range', async (c, p) => {
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
    const task = {
      kind: 'range' as const,
      query: queryText(p),
      startMs,
      endMs,
      stepMs,
      limit: p.limit(),
      settings: { ...settings(p, deps), ...arrowOf(c) },
    }
    return respond(c, deps, task, timeout(p, deps))
  })
  both('/api/v1/query_exemplars', async (c, p) => {
    const window = span(p)
    if (window.endMs < window.startMs)
      throw new ApiError('bad_data', 'end timestamp must not be before start timestamp')
    return respond(c, deps, { kind: 'exemplars', query: queryText(p), startMs: window.startMs, endMs: window.endMs })
  })
  both('/api/v1/series', async (c, p) => {
    const matches = p.all('match[]')
    if (matches.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    return respond(c, deps, { kind: 'series', matches, ...span(p), limit: p.limit() })
  })
  both('/api/v1/labels', async (c, p) =>
    respond(c, deps, { kind: 'labels', matches: p.all('match[]'), ...span(p), limit: p.limit() }),
  )
  app.get('/api/v1/label/:name/values', async (c) => {
    const p = await params(c)
    const label = unescapeName(c.req.param('name'))
    if (label === '' || !label.isWellFormed())
      throw new ApiError('bad_data', `invalid label name: ${JSON.stringify(label)}`)
    return respond(c, deps, { kind: 'values', label, matches: p.all('match[]'), ...span(p), limit: p.limit() })
  })
  app.get('/api/v1/metadata', async (c) => {
    const p = await params(c)
    return respond(c, deps, {
      kind: 'metadata',
      metric: p.get('metric'),
      limit: atMost(p.count('limit', { least: -Infinity, problem: 'limit must be a number' })),
      limitPerMetric:
        p.count('limit_per_metric', { least: -Infinity, problem: 'limit_per_metric must be a number' }) ?? 0,
    })
  })
  both('/api/v1/format_query', async (_, p) => json(prettyExpr(parsed(p, deps))))
  both('/api/v1/parse_query', async (_, p) => json(exprToApi(parsed(p, deps))))
  app.get('/federate', async (c) => {
    const p = await params(c)
    const task = {
      kind: 'federate' as const,
      matches: p.all('match[]'),
      timeMs: Math.round(deps.clock.now()),
      lookbackMs: deps.settings().lookbackMs,
      externalLabels: [...deps.externalLabels()],
      escaping: negotiateEscaping(c.req.header('accept') ?? ''),
    }
    const response = await respond(c, deps, task)
    // Scrapers show the text: upstream answers it plainly.
    if (response.status !== 200)
      return new Response(((await response.json()) as { error: string }).error + '\n', { status: response.status })
    return response
  })
}

/** Of the older endpoints: below 0 is all, and 0 is none. */
export function atMost(limit: number | null): number {
  return limit === null || limit < 0 ? Number.POSITIVE_INFINITY : limit
}

function queryText(p: Params): string {
  const text = p.get('query')
  if (text.length > MAX_QUERY_BYTES) invalid('query', `the query exceeds ${MAX_QUERY_BYTES} bytes`)
  return text
}

function parsed(p: Params, deps: ApiDeps): ReturnType<typeof parseExpr> {
  try {
    return parseExpr(queryText(p), parserFeatures(deps.settings().features))
  } catch (error) {
    if (error instanceof ParseError) return invalid('query', error.message)
    throw error
  }
}

/** ms. One that is over before it began is refused with the words of one that is up. */
function timeout(p: Params, deps: ApiDeps): number {
  const ms = p.duration('timeout', deps.queryTimeoutMs)
  if (ms <= 0) invalid('query', 'context deadline exceeded')
  return ms
}

function settings(p: Params, deps: ApiDeps): QuerySettings {
  const base = deps.settings()
  const lookback = p.get('lookback_delta')
  const lookbackMs = lookback === '' ? 0 : parseSpan(lookback)
  if (lookbackMs === null) {
    throw new ApiError('bad_data', `error parsing lookback delta duration: ${spanProblem(lookback)}`)
  }
  return {
    ...base,
    lookbackMs: lookbackMs >= 1 ? Math.trunc(lookbackMs) : base.lookbackMs,
    stats: p.get('stats') !== '',
    ...explainOf(p),
  }
}

/** Who accepts columns by name gets them; errors are JSON all the same. */
function arrowOf(c: Ctx): { readonly arrow?: boolean } {
  return (c.req.header('accept') ?? '').includes(ARROW_TYPE) ? { arrow: true } : {}
}

/** `explain=1`, or any other value but 0 and false. */
function explainOf(p: Params): { readonly explain?: boolean } {
  const text = p.get('explain')
  return text === '' || text === '0' || text === 'false' ? {} : { explain: true }
}

function span(p: Params): { startMs: number; endMs: number } {
  return { startMs: p.time('start', EVER.startMs), endMs: p.time('end', EVER.endMs) }
}

/** Names that a path cannot hold travel as `U__` and hexadecimal. Semantics: prometheus/common model.UnescapeName. */
export function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name
  return name
    .slice(3)
    .replace(
      /__|_([0-9a-fA-F]{1,6})_/g,
      (whole, hex?: string) =>
        (hex === undefined ? '_' : String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff))) || whole,
    )
}

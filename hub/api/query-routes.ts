/** Queries and discovery of series. */
import type { Hono } from 'hono'
import { exprToApi, ParseError, parseExpr } from '../promql/parser/mod.ts'
import { prettyExpr } from '../promql/printer/mod.ts'
import { ApiError, ERROR_STATUS, negotiateFormat, parserFeatures } from '../query/mod.ts'
import { type Ctx, json, params, plainText, respond, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid, type Params } from './params.ts'
import { QUERY_TASKS, queryText, valuesTask } from './query-tasks.ts'

type App = Hono<Vars>

const SLASH = /%2f/i

export function queryRoutes(app: App, deps: ApiDeps): void {
  const both = (path: string, handler: (c: Ctx, p: Params) => Promise<Response>): void => {
    // Upstream reads multipart forms where it asks for a value by name, which it does for all but series.
    const forms = { multipart: path !== '/api/v1/series' }
    app.on(['GET', 'POST'], path, async (c) => handler(c, await params(c, forms)))
  }
  for (const [path, ask] of QUERY_TASKS) {
    both(path, async (c, p) => {
      const { task, timeoutMs } = ask(p, c.req.header('accept') ?? '', deps)
      return respond(c, deps, task, timeoutMs)
    })
  }
  // Upstream has a route for it, too, and never did more than to answer this.
  app.delete('/api/v1/series', () => {
    throw new ApiError('internal', 'not implemented')
  })
  app.get('/api/v1/label/:name/values', async (c) => {
    const { pathname } = new URL(c.req.url)
    // The router takes an encoded slash for a slash.
    if (SLASH.test(pathname)) return plainText('404 page not found\n', 404)
    // Not as the router hands it down: it keeps what is no UTF-8 as it was written.
    const raw = pathname.split('/').at(-2)!
    return respond(c, deps, valuesTask(raw, await params(c)))
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
  app.get('/federate', async (c) =>
    plainly(async () => {
      const p = await params(c)
      const task = {
        kind: 'federate' as const,
        matches: selecting(p),
        timeMs: Math.round(deps.clock.now()),
        lookbackMs: deps.settings().lookbackMs,
        externalLabels: [...deps.externalLabels()],
        ...negotiateFormat(c.req.header('accept') ?? ''),
      }
      return respond(c, deps, task)
    }),
  )
}

/** Scrapers show the text: upstream answers errors plainly, and without the name of the one parameter there is. */
async function plainly(answer: () => Promise<Response>): Promise<Response> {
  const said = (text: string): string => `${text.replace('invalid parameter "match[]": ', '')}\n`
  try {
    const response = await answer()
    if (response.status === 200) return response
    return plainText(said(((await response.json()) as { error: string }).error), response.status)
  } catch (error) {
    if (error instanceof ApiError) return plainText(said(error.message), ERROR_STATUS[error.type])
    throw error
  }
}

/** Of `match[]`: upstream's storage takes one without any matcher for nothing, not for everything. @throws ApiError */
function selecting(p: Params): string[] {
  return p.whole.all('match[]').filter((text) => !/^\s*\{\s*\}\s*$/.test(text))
}

/** Of the older endpoints: below 0 is all, and 0 is none. */
export function atMost(limit: number | null): number {
  return limit === null || limit < 0 ? Number.POSITIVE_INFINITY : limit
}

function parsed(p: Params, deps: ApiDeps): ReturnType<typeof parseExpr> {
  try {
    return parseExpr(queryText(p), parserFeatures(deps.settings().features))
  } catch (error) {
    if (error instanceof ParseError) return invalid('query', error.message)
    throw error
  }
}

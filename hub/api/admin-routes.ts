/** Administration of storage. Semantics, texts and status codes: Prometheus web/api/v1/api.go, deleteSeries to snapshot. */
import type { Context, Hono } from 'hono'
import { parseMetricSelector } from '../promql/parser/mod.ts'
import { ApiError, errorBody } from '../query/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps, StorageAdmin } from './deps.ts'
import { boolProblem, invalid, type Params, parseBool } from './params.ts'

const METHODS = ['POST', 'PUT']

export function adminRoutes(app: Hono<Vars>, { storage, log }: ApiDeps): void {
  const route = (path: string, run: (storage: StorageAdmin, given: Params) => Promise<unknown>): void => {
    app.on(METHODS, `/api/v1/admin/tsdb/${path}`, async (c: Context<Vars>) => {
      if (!storage) return disabled('admin APIs disabled')
      const given = await params(c)
      log.info('Administration of storage', { action: path, match: given.all('match[]'), client: c.env.remoteAddress })
      const data = await run(storage, given)
      return data === undefined ? c.body(null, 204) : json(data)
    })
  }
  route('delete_series', async (admin, given) => {
    const matches = given.whole.all('match[]')
    if (matches.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    const minTime = given.time('start', Number.NEGATIVE_INFINITY)
    const maxTime = given.time('end', Number.POSITIVE_INFINITY)
    // As upstream's storage, one without any matcher selects nothing; here it would be everything.
    const selectors = matches.map((text) => selectorOf(text)).filter(({ length }) => length > 0)
    await internal(() => admin.deleteSeries(selectors, { minTime, maxTime }))
  })
  route('clean_tombstones', (admin) => internal(() => admin.cleanTombstones()))
  route('snapshot', async (admin, given) => {
    const text = given.get('skip_head')
    const skipHead =
      text !== '' && (parseBool(text) ?? invalid('skip_head', `unable to parse boolean: ${boolProblem(text)}`))
    return { name: await internal(() => admin.snapshot(skipHead), 'create snapshot: ') }
  })
}

/** As upstream, which has no status of its own for it. Ours, 503, asks to come again. */
export function disabled(message: string): Response {
  const headers = { 'content-type': 'application/json' }
  return new Response(errorBody('unavailable', message), { status: 500, headers })
}

function selectorOf(text: string): ReturnType<typeof parseMetricSelector> {
  try {
    return parseMetricSelector(text)
  } catch (error) {
    return invalid('match[]', (error as Error).message)
  }
}

async function internal<T>(run: () => T | Promise<T>, prefix = ''): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw new ApiError('internal', `${prefix}${(error as Error).message}`, { cause: error })
  }
}

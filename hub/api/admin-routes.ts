/** Administration of storage. Semantics, texts and status codes: Prometheus web/api/v1/api.go, deleteSeries to snapshot. */
import type { Context, Hono } from 'hono'
import { parseMetricSelector } from '../promql/parser/mod.ts'
import { ApiError } from '../query/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps, StorageAdmin } from './deps.ts'
import { invalid, type Params } from './params.ts'

const METHODS = ['POST', 'PUT']
/** What Go's strconv.ParseBool takes. */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'TRUE', 'true', 'True'])
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False'])

export function adminRoutes(app: Hono<Vars>, { storage, log }: ApiDeps): void {
  const route = (path: string, run: (storage: StorageAdmin, given: Params) => Promise<unknown>): void => {
    app.on(METHODS, `/api/v1/admin/tsdb/${path}`, async (c: Context<Vars>) => {
      if (!storage) throw new ApiError('unavailable', 'admin APIs disabled')
      const given = await params(c)
      log.info('Administration of storage', { action: path, match: given.all('match[]'), client: c.env.remoteAddress })
      const data = await run(storage, given)
      return data === undefined ? c.body(null, 204) : json(data)
    })
  }
  route('delete_series', async (admin, given) => {
    const matches = given.all('match[]')
    if (matches.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
    const minTime = given.time('start', Number.NEGATIVE_INFINITY)
    const maxTime = given.time('end', Number.POSITIVE_INFINITY)
    const selectors = matches.map((text) => selectorOf(text))
    await internal(() => admin.deleteSeries(selectors, { minTime, maxTime }))
  })
  route('clean_tombstones', (admin) => internal(() => admin.cleanTombstones()))
  route('snapshot', async (admin, given) => {
    const skipHead = given.get('skip_head')
    if (skipHead !== '' && !TRUE.has(skipHead) && !FALSE.has(skipHead)) {
      const problem = `strconv.ParseBool: parsing ${JSON.stringify(skipHead)}: invalid syntax`
      invalid('skip_head', `unable to parse boolean: ${problem}`)
    }
    return { name: await internal(() => admin.snapshot(TRUE.has(skipHead)), 'create snapshot: ') }
  })
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

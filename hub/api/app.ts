/** The hub's HTTP face: Prometheus's API and paths, and the page. Nothing per sample happens on this thread. */

import { type Context, Hono } from 'hono'
import { joinBytes } from '../../protocol/bytes/mod.ts'
import type { HttpInfo, PlainHandler } from '../../protocol/env/mod.ts'
import { ApiError, ERROR_STATUS, errorBody, giveBack, type QueryTask } from '../query/mod.ts'
import { adminRoutes } from './admin-routes.ts'
import { agentRoutes } from './agents.ts'
import { alertRoutes } from './alert-routes.ts'
import { hostOf } from './client.ts'
import { packingOf } from './compression.ts'
import { corsOf } from './cors.ts'
import type { ApiDeps } from './deps.ts'
import { readForm } from './form.ts'
import { HttpMetrics, handlerName } from './http-metrics.ts'
import { notificationRoutes } from './notification-routes.ts'
import { openapiRoute } from './openapi.ts'
import { otlpRoute } from './otlp-route.ts'
import { servePage } from './page.ts'
import { Params } from './params.ts'
import { FORM_TOO_LARGE, MAX_FORM_BYTES, plainQueries } from './plain.ts'
import { queryRoutes } from './query-routes.ts'
import { readRoute } from './read-route.ts'
import { ruleRoutes } from './rule-routes.ts'
import { searchRoutes } from './search-routes.ts'
import { statusRoutes } from './status-routes.ts'
import { targetRoutes } from './target-routes.ts'
import { writeRoute } from './write-route.ts'

const TEXT_TYPE = 'text/plain; charset=utf-8'

export type Vars = { Bindings: HttpInfo }
export type Ctx = Context<Vars>

export type App = {
  readonly handler: (request: Request, info: HttpInfo) => Promise<Response>
  /** What it answers, the handler would answer likewise. */
  readonly plain: PlainHandler
  /** Every method and path that there is a route for. */
  readonly routes: readonly { readonly method: string; readonly path: string }[]
}

export function createApp(deps: ApiDeps): App {
  const app = new Hono<Vars>()
  const root = deps.routePrefix === '' ? app : app.basePath(deps.routePrefix)
  const http = new HttpMetrics()
  const cors = corsOf(deps.corsOrigin ?? '')
  const names = new WeakMap<HttpInfo, string>()
  app.use('*', async (c, next) => {
    names.set(c.env, handlerName(c, deps.routePrefix))
    await next()
    c.res.headers.set('x-content-type-options', 'nosniff')
    c.res.headers.set('referrer-policy', 'no-referrer')
  })
  if (cors !== null)
    root.use('/api/v1/*', async (c, next) => {
      await next()
      c.res.headers.append('vary', 'Origin')
      for (const [name, value] of Object.entries(cors(c.req.header('origin') ?? ''))) c.res.headers.set(name, value)
    })
  root.use('/api/*', async (c, next) => {
    if (deps.isReady()) return next()
    return c.body('Service Unavailable', 503)
  })
  app.use('*', async (c, next) => {
    // A route for GET would answer HEAD, too; upstream's answer it only where they say so.
    if (c.req.method !== 'HEAD') return next()
    const methods = allowed(c.req.path)
    return methods.length === 0 || methods.includes('HEAD') ? next() : refused(methods)
  })
  queryRoutes(root, deps)
  searchRoutes(root, deps)
  targetRoutes(root, deps)
  ruleRoutes(root, deps)
  statusRoutes(root, deps, http)
  notificationRoutes(root, deps)
  adminRoutes(root, deps)
  agentRoutes(root, deps)
  alertRoutes(root, deps)
  writeRoute(root, deps)
  readRoute(root, deps, http)
  otlpRoute(root, deps)
  openapiRoute(root, deps)
  servePage(root, deps)
  const allowed = methodsByPath(app)
  const isApi = (path: string): boolean => path.startsWith(`${deps.routePrefix}/api/v1/`)
  app.notFound((c) => {
    const methods = allowed(c.req.path)
    if (c.req.method === 'OPTIONS') {
      if (isApi(c.req.path)) return c.body(null, 204)
      if (methods.length > 0) return c.body(null, 200, { allow: allowHeader(methods) })
    }
    if (methods.length > 0) return refused(methods)
    const url = new URL(c.req.url)
    const path = cleanPath(url.pathname)
    if (path !== url.pathname && allowed(path).length > 0) return moved(path + url.search, c.req.method)
    return plainText('404 page not found\n', 404)
  })
  app.onError((error) => {
    if (error instanceof ApiError) return problem(error.type, error.message)
    deps.log.error('Request failed', { err: error })
    return problem('internal', error.message)
  })
  return {
    handler: async (request, info) => {
      const startedMs = deps.clock.monotonic()
      const response = await compressed(request, await app.fetch(request, info), deps, info)
      const seconds = (deps.clock.monotonic() - startedMs) / 1000
      return http.answered(names.get(info) ?? '/*path', seconds, response, info.bodies?.get(response))
    },
    plain: plainQueries(deps, http),
    routes: app.routes,
  }
}

function refused(methods: readonly string[]): Response {
  return plainText('Method Not Allowed\n', 405, { allow: allowHeader(methods) })
}

export function plainText(text: string, status: number, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { 'content-type': TEXT_TYPE, ...headers } })
}

/** One slash for several, and none at the end: what comes of a base URL that ends with one. */
function cleanPath(path: string): string {
  return path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
}

/** As upstream's router; a form is sent again as it was. */
function moved(location: string, method: string): Response {
  return new Response(null, { status: method === 'GET' || method === 'HEAD' ? 301 : 308, headers: { location } })
}

function allowHeader(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].sort().join(', ')
}

/** The methods that a path has a route for. Semantics: julienschmidt/httprouter, HandleMethodNotAllowed. */
function methodsByPath(app: Hono<Vars>): (path: string) => string[] {
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({
      method,
      pattern: new RegExp(`^${path.replace(/[.+()]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`),
    }))
  return (path) => [...new Set(routes.flatMap(({ method, pattern }) => (pattern.test(path) ? [method] : [])))].sort()
}

function problem(type: keyof typeof ERROR_STATUS, message: string): Response {
  return new Response(errorBody(type, message), {
    status: ERROR_STATUS[type],
    headers: { 'content-type': 'application/json' },
  })
}

export function json(data: unknown): Response {
  return new Response(JSON.stringify({ status: 'success', data }), { headers: { 'content-type': 'application/json' } })
}

/** @throws ApiError for a body that is no form or too large */
export async function params(c: Ctx, { multipart = false } = {}): Promise<Params> {
  const url = readForm(new URL(c.req.url).search.slice(1))
  if (c.req.method !== 'POST') return new Params([url.values], url.problem)
  const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  const bytes = await bounded(c.req.raw, MAX_FORM_BYTES)
  if (type === 'application/x-www-form-urlencoded') {
    const form = readForm(new TextDecoder().decode(bytes))
    return new Params([form.values, url.values], form.problem || url.problem)
  }
  const isMultipart = multipart && type === 'multipart/form-data'
  return new Params(isMultipart ? [url.values, await multipartValues(c, bytes)] : [url.values], url.problem)
}

/** Without files. As upstream, what cannot be read has no values. */
async function multipartValues(c: Ctx, bytes: Uint8Array<ArrayBuffer>): Promise<URLSearchParams> {
  const values = new URLSearchParams()
  try {
    const form = await new Response(bytes, { headers: { 'content-type': c.req.header('content-type')! } }).formData()
    for (const [name, value] of form) if (typeof value === 'string') values.append(name, value)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  return values
}

async function bounded(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) throw new ApiError('bad_data', FORM_TOO_LARGE)
    chunks.push(chunk)
  }
  return joinBytes(chunks)
}

/** Runs a task for this request; a client that hangs up cancels it. */
export function ask(
  c: Ctx,
  deps: ApiDeps,
  task: QueryTask,
  timeoutMs = deps.queryTimeoutMs,
): ReturnType<ApiDeps['query']['run']> {
  const client = hostOf(c.env.remoteAddress)
  return deps.query.run(task, {
    timeoutMs: Math.min(timeoutMs, deps.queryTimeoutMs),
    signal: c.env.signal,
    client,
    origin: { httpRequest: { clientIP: client, method: c.req.method, path: c.req.path } },
  })
}

/** As `ask`, and answers the request with it. */
export async function respond(c: Ctx, deps: ApiDeps, task: QueryTask, timeoutMs?: number): Promise<Response> {
  const { status, contentType, body } = await ask(c, deps, task, timeoutMs)
  const headers = { 'content-type': contentType }
  const { bodies } = c.env
  // Errors are rare, and some routes say them in other words.
  if (status === 204) return c.body(null, 204)
  if (bodies === undefined || status !== 200) return new Response(body as Uint8Array<ArrayBuffer>, { status, headers })
  const response = new Response(null, { status, headers })
  bodies.set(response, body)
  return response
}

async function compressed(
  request: Request,
  response: Response,
  deps: ApiDeps,
  { bodies }: HttpInfo,
): Promise<Response> {
  const held = bodies?.get(response)
  if ((held === undefined && !response.body) || response.headers.has('content-encoding')) return response
  const type = response.headers.get('content-type') ?? ''
  const accepted = request.headers.get('accept-encoding') ?? ''
  if (!packingOf(accepted, type, 0).isNegotiated) return response
  const bytes = held ?? new Uint8Array(await response.arrayBuffer())
  const { encoding } = packingOf(accepted, type, bytes.length)
  if (encoding === null && held !== undefined) {
    response.headers.append('vary', 'accept-encoding')
    return response
  }
  const headers = new Headers(response.headers)
  headers.append('vary', 'accept-encoding')
  if (encoding === null) return new Response(bytes, { status: response.status, headers })
  headers.set('content-encoding', encoding)
  headers.delete('content-length')
  const body = (await deps.compress(bytes, encoding)) as Uint8Array<ArrayBuffer>
  if (held === undefined) return new Response(body, { status: response.status, headers })
  giveBack(held)
  const packed = new Response(null, { status: response.status, headers })
  bodies!.set(packed, body)
  return packed
}

/**
 * Queries and discovery without Web objects: a small answer costs less than the `Request`, `Response` and `Headers` that
 * the other routes are written with. Whatever is out of the ordinary is left to them, and what is answered here is
 * answered as they would (`plain.test.ts`).
 */
import type { PlainAnswer, PlainHandler, PlainRequest } from '../../protocol/env/mod.ts'
import { ApiError, ERROR_STATUS, errorBody, giveBack, type WorkerAnswer } from '../query/mod.ts'
import { hostOf } from './client.ts'
import { packingOf } from './compression.ts'
import { corsOf } from './cors.ts'
import type { ApiDeps } from './deps.ts'
import { type Form, readForm } from './form.ts'
import type { HttpMetrics } from './http-metrics.ts'
import { Params } from './params.ts'
import { type Asked, QUERY_TASKS, valuesTask } from './query-tasks.ts'

/** Forms of queries are text. */
export const MAX_FORM_BYTES = 4 << 20
const FORM_TYPE = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'
/** Names that need no decoding. */
const LABEL_VALUES = /^\/api\/v1\/label\/([a-zA-Z_][a-zA-Z0-9_]*)\/values$/
const LABEL_VALUES_ROUTE = '/api/v1/label/:name/values'

type Route = { readonly name: string; readonly ask: (p: Params, accept: string) => Asked }

export function plainQueries(deps: ApiDeps, http: HttpMetrics): PlainHandler {
  const cors = corsOf(deps.corsOrigin ?? '')
  const routeOf = (path: string): Route | null => {
    if (!path.startsWith(deps.routePrefix)) return null
    const name = path.slice(deps.routePrefix.length)
    const ask = QUERY_TASKS.get(name)
    if (ask !== undefined) return { name, ask: (p, accept) => ask(p, accept, deps) }
    const label = LABEL_VALUES.exec(name)?.[1]
    return label === undefined ? null : { name: LABEL_VALUES_ROUTE, ask: (p) => ({ task: valuesTask(label, p) }) }
  }
  return (request) => {
    const { method, target } = request
    if (cors !== null && request.header('origin') !== '') return null
    if (!deps.isReady() || !(method === 'GET' || method === 'POST')) return null
    const mark = target.indexOf('?')
    const route = routeOf(mark < 0 ? target : target.slice(0, mark))
    if (route === null || (method === 'POST' && (route.name === LABEL_VALUES_ROUTE || !hasPlainForm(request))))
      return null
    const startedMs = deps.clock.monotonic()
    const query = readForm(mark < 0 ? '' : target.slice(mark + 1))
    const call = new Call(deps, request, route)
    const given =
      method === 'GET'
        ? call.answer(new Params([query.values], query.problem))
        : request
            .body(MAX_FORM_BYTES)
            .then((body) =>
              body === null
                ? call.problem(new ApiError('bad_data', FORM_TOO_LARGE))
                : call.answer(both(readForm(new TextDecoder().decode(body)), query)),
            )
    const counted = (answer: PlainAnswer): PlainAnswer => {
      http.count(route.name, (deps.clock.monotonic() - startedMs) / 1000, answer.status, answer.body.length)
      return answer
    }
    return given instanceof Promise ? given.then(counted) : counted(given)
  }
}

const both = (form: Form, query: Form): Params => new Params([form.values, query.values], form.problem || query.problem)

export const FORM_TOO_LARGE = `error parsing form values: the body exceeds ${MAX_FORM_BYTES} bytes`

function hasPlainForm(request: PlainRequest): boolean {
  const type = request.header('content-type').split(';')[0]!.trim().toLowerCase()
  return type === FORM_TYPE && request.header('content-encoding') === ''
}

/** One request under way. */
class Call {
  readonly #deps: ApiDeps
  readonly #request: PlainRequest
  readonly #route: Route

  constructor(deps: ApiDeps, request: PlainRequest, route: Route) {
    this.#deps = deps
    this.#request = request
    this.#route = route
  }

  answer(params: Params): PlainAnswer | Promise<PlainAnswer> {
    try {
      const { query, queryTimeoutMs, routePrefix } = this.#deps
      const { task, timeoutMs = queryTimeoutMs } = this.#route.ask(params, this.#request.header('accept'))
      const client = hostOf(this.#request.remoteAddress)
      const { method, target } = this.#request
      const path = routePrefix + (this.#route.name === LABEL_VALUES_ROUTE ? target.split('?', 1)[0]! : this.#route.name)
      const origin = { httpRequest: { clientIP: client, method, path } }
      const atOnce = query.runAtOnce(task, origin)
      if (atOnce !== null) return this.#packed(atOnce)
      const options = { timeoutMs: Math.min(timeoutMs, queryTimeoutMs), signal: this.#request.signal, client, origin }
      return query.run(task, options).then(
        (answer) => this.#packed(answer),
        (error) => this.problem(error),
      )
    } catch (error) {
      return this.problem(error)
    }
  }

  problem(error: unknown): PlainAnswer | Promise<PlainAnswer> {
    const { type, message } =
      error instanceof ApiError ? error : { type: 'internal' as const, message: (error as Error).message }
    if (!(error instanceof ApiError)) this.#deps.log.error('Request failed', { err: error })
    return this.#packed({ status: ERROR_STATUS[type], contentType: JSON_TYPE, body: errorBody(type, message) })
  }

  #packed({ status, contentType, body }: WorkerAnswer): PlainAnswer | Promise<PlainAnswer> {
    const headers: Record<string, string> = {
      ...(contentType !== '' && { 'content-type': contentType }),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    }
    const { isNegotiated, encoding } = packingOf(this.#request.header('accept-encoding'), contentType, body.length)
    const vary = [this.#deps.corsOrigin ? 'Origin' : '', isNegotiated ? 'accept-encoding' : ''].filter(Boolean)
    if (vary.length > 0) headers['vary'] = vary.join(', ')
    if (encoding === null) return { status, headers, body }
    headers['content-encoding'] = encoding
    return this.#deps.compress(body, encoding).then((packed) => {
      giveBack(body)
      return { status, headers, body: packed }
    })
  }
}

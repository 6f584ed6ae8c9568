/**
 * `prometheus_http_*`: what is asked of the hub, by route. Semantics: Prometheus web/web.go, newMetrics and
 * instrumentHandler (v3.5). Differs: a duration ends when the answer is there, not when its last byte is sent; routes
 * that nobody has asked for are not there yet.
 */
import type { Context } from 'hono'
import { routePath } from 'hono/route'
import { counter, gauge, Histogram, type MetricFamily } from '../../protocol/exposition/mod.ts'

const SECONDS = [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120]
const BYTES = Array.from({ length: 8 }, (_, i) => 100 * 10 ** i)

type Route = { readonly byCode: Map<number, number>; readonly seconds: Histogram; readonly bytes: Histogram }

export class HttpMetrics {
  /** Remote reads that run or wait. */
  remoteReads: () => number = () => 0
  readonly #routes = new Map<string, Route>()

  /**
   * Counts an answer; one of unknown length is returned as another that counts its bytes as they pass.
   * @param held its bytes, where it was made without a body
   */
  answered(name: string, seconds: number, response: Response, held: Uint8Array | undefined): Response {
    const { body } = response
    if (held !== undefined || body === null) {
      this.count(name, seconds, response.status, held?.length ?? 0)
      return response
    }
    const route = this.#began(name, seconds, response.status)
    let bytes = 0
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length
        controller.enqueue(chunk)
      },
      flush: () => route.bytes.observe(bytes),
    })
    return new Response(body.pipeThrough(count), response)
  }

  count(name: string, seconds: number, status: number, bytes: number): void {
    this.#began(name, seconds, status).bytes.observe(bytes)
  }

  families(): MetricFamily[] {
    const routes = [...this.#routes].sort(([a], [b]) => (a < b ? -1 : 1))
    return [
      counter(
        'prometheus_http_requests_total',
        'Counter of HTTP requests.',
        routes.flatMap(([handler, { byCode }]) =>
          [...byCode].map(([code, value]) => ({ labels: ['code', String(code), 'handler', handler], value })),
        ),
      ),
      {
        name: 'prometheus_http_request_duration_seconds',
        help: 'Histogram of latencies for HTTP requests.',
        type: 'histogram',
        metrics: routes.flatMap(([handler, { seconds }]) => seconds.lines(['handler', handler])),
      },
      {
        name: 'prometheus_http_response_size_bytes',
        help: 'Histogram of response size for HTTP requests.',
        type: 'histogram',
        metrics: routes.flatMap(([handler, { bytes }]) => bytes.lines(['handler', handler])),
      },
      gauge(
        'prometheus_remote_read_handler_queries',
        'The current number of remote read queries that are either in execution or queued on the handler.',
        [{ labels: [], value: this.remoteReads() }],
      ),
    ]
  }

  #began(name: string, seconds: number, status: number): Route {
    const route = this.#route(name)
    route.byCode.set(status, (route.byCode.get(status) ?? 0) + 1)
    route.seconds.observe(seconds)
    return route
  }

  #route(name: string): Route {
    let route = this.#routes.get(name)
    if (route === undefined) {
      route = { byCode: new Map(), seconds: new Histogram(SECONDS), bytes: new Histogram(BYTES) }
      this.#routes.set(name, route)
    }
    return route
  }
}

/** As upstream names its handlers: the route without the prefix, never the path that was asked for. */
export function handlerName(c: Context, routePrefix: string): string {
  const route = routePath(c, -1)
  const path = route.startsWith(routePrefix) ? route.slice(routePrefix.length) : route
  if (!path.endsWith('*')) return path === '' ? '/' : path
  return path.startsWith('/api/') ? '/api/v1/*path' : '/*path'
}

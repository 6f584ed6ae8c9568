/**
 * The push exporter: takes metrics of jobs that do not live long enough to be scraped, under Pushgateway's HTTP API,
 * and shows the last ones of each group. Semantics: pushgateway main.go, handler/*.go, api/v1/api.go (v1.11).
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { counter, gauge, type MetricFamily, Summary } from '../../protocol/exposition/mod.ts'
import {
  booleanFlag,
  durationFlag,
  type Exporter,
  FlagError,
  type Flags,
  integerFlag,
  refuseUnknownFlags,
  stringFlag,
} from '../contract.ts'
import { BodyError, readBody } from './body.ts'
import { metricJson, PushError, type Pushed, PushLimitError } from './families.ts'
import { GroupingError, groupingLabels } from './grouping.ts'
import { Persistence } from './persistence.ts'
import { readProtobuf } from './protobuf.ts'
import { type Group, type GroupLabels, isLastPushGood, PushStore } from './store.ts'
import { readText } from './text.ts'

export type PushOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly flags: Flags
  readonly version: string
}

export interface PushExporter extends Exporter {
  /** Pushes, deletions, `/api/v1/*`, `/-/healthy`, `/-/ready`, `/-/quit`. */
  handle(request: Request): Promise<Response | null>
  start(): Promise<void>
}

const FLAGS = [
  'persistence.file',
  'persistence.interval',
  'push.disable-consistency-check',
  'push.enable-utf8-names',
  'web.enable-admin-api',
  'heliograph.max-groups',
  'heliograph.max-series',
  'heliograph.max-body-bytes',
]
/** Upstream has no bounds: groups are never given up by themselves. */
const DEFAULT_MAX_GROUPS = 10_000
const DEFAULT_MAX_SERIES = 200_000
const DEFAULT_MAX_BODY_BYTES = 16 * 2 ** 20
const PUSH_ROUTE = /^\/metrics\/job(@base64)?\/[^/]/
const PUSH_METHODS = ['PUT', 'POST', 'DELETE']
/** Those that are counted; upstream counts no others either. */
const API_PATHS = ['/api/v1/status', '/api/v1/metrics', '/api/v1/admin/wipe']
const CORS = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Date',
  'cache-control': 'no-cache, no-store, must-revalidate',
}

/** @throws FlagError for a flag it does not know or cannot use */
export function createPushExporter({ disk, clock, log, flags, version }: PushOptions): PushExporter {
  refuseUnknownFlags(flags, FLAGS)
  const checks = !booleanFlag(flags, 'push.disable-consistency-check', false)
  const utf8 = booleanFlag(flags, 'push.enable-utf8-names', false)
  const hasAdmin = booleanFlag(flags, 'web.enable-admin-api', false)
  const maxBodyBytes = positiveFlag(flags, 'heliograph.max-body-bytes', DEFAULT_MAX_BODY_BYTES)
  const file = stringFlag(flags, 'persistence.file', '')
  const intervalMs = durationFlag(flags, 'persistence.interval', 300_000)
  const counts = new PushCounters()
  const limits = {
    maxGroups: positiveFlag(flags, 'heliograph.max-groups', DEFAULT_MAX_GROUPS),
    maxSeries: positiveFlag(flags, 'heliograph.max-series', DEFAULT_MAX_SERIES),
  }
  const store: PushStore = new PushStore(limits, () => counts.families(store))
  const persistence = file === '' ? null : new Persistence(store, { disk, clock, log, file, intervalMs })
  const startedMs = clock.now()
  /** Before the file is read, and after it was written last, what is taken would be lost, or would take its place. */
  let isOpen = persistence === null

  async function push(request: Request, labels: GroupLabels): Promise<Response> {
    const startMs = clock.monotonic()
    try {
      const body = await readBody(request, maxBodyBytes)
      if (!isOpen) return notOpen()
      counts.size(request.method, body.length)
      const pushed = readPush(request, body, { utf8, maxSeries: limits.maxSeries })
      counts.nativeDropped += pushed.nativeDropped
      store.push(labels, pushed, { replaces: request.method === 'PUT', checks, nowMs: clock.now() })
      persistence?.changed()
      return new Response(null, { status: checks ? 200 : 202 })
    } catch (error) {
      return refused(error, request)
    } finally {
      counts.duration(request.method, (clock.monotonic() - startMs) / 1000)
    }
  }

  function refused(error: unknown, request: Request): Response {
    if (error instanceof BodyError) return text(`${error.message}\n`, error.status)
    if (error instanceof PushLimitError) return text(`${error.message}\n`, 429)
    if (error instanceof ReadError) return text(`${error.message}\n`, 400)
    if (!(error instanceof PushError)) throw error
    persistence?.changed()
    const message = `pushed metrics are invalid or inconsistent with existing metrics: ${error.message}`
    log.error('Pushed metrics are invalid or inconsistent with existing metrics', {
      method: request.method,
      err: error.message,
    })
    // Unchecked pushes are answered before they are looked at.
    return checks ? text(`${message}\n`, 400) : new Response(null, { status: 202 })
  }

  async function pushRoute(request: Request, path: string): Promise<Response | null> {
    let labels: GroupLabels | null
    try {
      labels = groupingLabels(path, { utf8 })
    } catch (error) {
      if (!(error instanceof GroupingError)) throw error
      return text(`${error.message}\n`, 400)
    }
    if (labels === null)
      return path.startsWith('/metrics/job/') || /^\/metrics\/job(@base64)?$/.test(path)
        ? text('404 page not found\n', 404)
        : null
    if (!isOpen) return notOpen()
    if (request.method !== 'DELETE') return push(request, labels)
    store.delete(labels)
    persistence?.changed()
    return new Response(null, { status: 202 })
  }

  function api(method: string, path: string): Response | null {
    if (!path.startsWith('/api/v1/')) return null
    if (method === 'OPTIONS') return new Response(null, { headers: CORS })
    if (path === '/api/v1/status' && method === 'GET')
      return json({
        flags: shownFlags(flags),
        start_time: new Date(startedMs).toISOString(),
        build_information: { version },
      })
    if ((path === '/api/v1/metrics' || path === '/api/v1/status') && method !== 'GET')
      return notAllowed(method, 'GET, OPTIONS')
    if (path === '/api/v1/metrics') return json(Array.from(store.groups(), groupJson))
    if (path !== '/api/v1/admin/wipe' || !hasAdmin) return text('404 page not found\n', 404)
    if (method !== 'PUT') return notAllowed(method, 'OPTIONS, PUT')
    if (!isOpen) return notOpen()
    log.info('Wiping all pushed metrics', { groups: store.groupCount })
    store.clear()
    persistence?.changed()
    return new Response(null, { status: 202 })
  }

  return {
    name: 'push',
    program: {
      namespace: 'pushgateway',
      title: 'Pushgateway',
      about: 'Takes metrics that jobs push, as the Prometheus Pushgateway does',
    },
    async start() {
      persistence?.load()
      isOpen = true
    },
    async handle(request) {
      const { method } = request
      const path = decodedPath(request)
      if (path === null) return text('400 Bad Request', 400)
      if (path === '/-/healthy' || path === '/-/ready')
        return method === 'GET' || method === 'HEAD' ? text('OK') : notAllowed(method, 'GET, OPTIONS')
      if (path === '/-/quit') return quit(method)
      if (PUSH_ROUTE.test(path) && !PUSH_METHODS.includes(method))
        return notAllowed(method, 'DELETE, OPTIONS, POST, PUT')
      if (PUSH_METHODS.includes(method) && path.startsWith('/metrics/job')) {
        const answer = await pushRoute(request, path)
        if (answer) counts.request(method === 'DELETE' ? 'delete' : 'push', method, answer.status)
        return answer
      }
      const answer = api(method, path)
      if (answer && API_PATHS.includes(path)) counts.request(path.slice(1), method, answer.status)
      return answer
    },
    async collect() {
      const own = counts.families(store)
      const names = new Set(own.map(({ name }) => name))
      // A client may call its metric as one of ours.
      return [...store.families().filter(({ name }) => !names.has(name)), ...own]
    },
    close: async () => {
      isOpen = false
      persistence?.close()
    },
  }
}

/** What could not be read at all: no group is touched. */
class ReadError extends Error {}

function readPush(
  request: Request,
  body: Uint8Array,
  options: { readonly utf8: boolean; readonly maxSeries: number },
): Pushed {
  try {
    return isProtobuf(request.headers.get('content-type') ?? '') ? readProtobuf(body, options) : readText(body, options)
  } catch (error) {
    if (error instanceof PushError && !(error instanceof PushLimitError))
      throw new ReadError(error.message, { cause: error })
    throw error
  }
}

function isProtobuf(contentType: string): boolean {
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim().replace(/"/g, ''))
  return (
    type === 'application/vnd.google.protobuf' &&
    parameters.includes('encoding=delimited') &&
    parameters.includes('proto=io.prometheus.client.metricfamily')
  )
}

/** null where an escape is none. */
function decodedPath(request: Request): string | null {
  try {
    return decodeURIComponent(new URL(request.url).pathname)
  } catch {
    return null
  }
}

function groupJson(group: Group): object {
  const out: Record<string, unknown> = Object.create(null)
  out['labels'] = Object.fromEntries(group.labels)
  out['last_push_successful'] = isLastPushGood(group)
  for (const [name, { family, timeMs }] of group.families)
    out[name] = {
      time_stamp: new Date(timeMs).toISOString(),
      type: family.type.toUpperCase(),
      ...(family.help === '' ? {} : { help: family.help }),
      metrics: family.metrics.map((metric) => metricJson(family.type, metric)),
    }
  return out
}

/** The agent's life is not a pusher's to end. */
function quit(method: string): Response {
  if (method === 'PUT' || method === 'POST') return text('Lifecycle API is not enabled.', 403)
  if (method !== 'GET') return notAllowed(method, 'GET, OPTIONS, POST, PUT')
  return text('Only POST or PUT requests allowed.', 405)
}

const notOpen = (): Response => text('Pushed metrics are not taken now: their file is being opened or closed.\n', 503)

const shownFlags = (flags: Flags): Readonly<Record<string, string>> =>
  Object.fromEntries(FLAGS.map((name) => [name, String(flags[name] ?? '')]))

function positiveFlag(flags: Flags, name: string, fallback: number): number {
  const value = integerFlag(flags, name, fallback)
  if (value < 1) throw new FlagError(name, `must be at least 1, got ${value}`)
  return value
}

/** Names and helps: pushgateway handler/misc.go; the last three are ours. */
class PushCounters {
  readonly #requests = new Map<string, number>()
  readonly #sizes = new Map<string, Summary>()
  readonly #durations = new Map<string, Summary>()
  nativeDropped = 0

  request(handler: string, method: string, code: number): void {
    const key = [code, handler, method.toLowerCase()].join('\n')
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
  }

  size(method: string, bytes: number): void {
    observed(this.#sizes, method).observe(bytes)
  }

  duration(method: string, seconds: number): void {
    observed(this.#durations, method).observe(seconds)
  }

  families(store: PushStore): MetricFamily[] {
    const summary = (name: string, help: string, by: ReadonlyMap<string, Summary>): MetricFamily => ({
      name,
      help,
      type: 'summary',
      metrics: [...by].flatMap(([method, one]) => one.lines(['method', method])),
    })
    return [
      counter(
        'pushgateway_http_requests_total',
        'Total HTTP requests processed by the Pushgateway, excluding scrapes.',
        [...this.#requests].map(([key, value]) => {
          const [code = '', handler = '', method = ''] = key.split('\n')
          return { labels: ['code', code, 'handler', handler, 'method', method], value }
        }),
      ),
      summary('pushgateway_http_push_size_bytes', 'HTTP request size for pushes to the Pushgateway.', this.#sizes),
      summary(
        'pushgateway_http_push_duration_seconds',
        'HTTP request duration for pushes to the Pushgateway.',
        this.#durations,
      ),
      gauge('heliograph_push_groups', 'Groups of pushed metrics.', [{ labels: [], value: store.groupCount }]),
      gauge('heliograph_push_series', 'Pushed series, of histograms and summaries one each.', [
        { labels: [], value: store.seriesCount },
      ]),
      counter(
        'heliograph_push_native_histograms_dropped_total',
        'Native histograms that were pushed, which have no form here.',
        [{ labels: [], value: this.nativeDropped }],
      ),
    ]
  }
}

function observed(by: Map<string, Summary>, method: string): Summary {
  const name = method.toLowerCase()
  let one = by.get(name)
  if (one === undefined) by.set(name, (one = new Summary([0.1, 0.5, 0.9])))
  return one
}

function notAllowed(method: string, allow: string): Response {
  if (method === 'OPTIONS') return new Response(null, { headers: { allow } })
  const answer = text('Method Not Allowed\n', 405)
  answer.headers.set('allow', allow)
  return answer
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

function json(data: unknown): Response {
  return new Response(JSON.stringify({ status: 'success', data }), {
    headers: { ...CORS, 'content-type': 'application/json' },
  })
}

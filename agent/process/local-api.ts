/** The agent's own HTTP: metrics of everything and of one exporter, health, lifecycle. */
import type { HttpHandler } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import type { DroppedTarget } from '../discovery/mod.ts'
import { type RingSelector, serveRingHttp } from '../ring-query/mod.ts'
import type { TargetStatus } from '../scrape/mod.ts'
import { exporterPage, sharedEndpoint } from './exporter-endpoint.ts'
import { mergeFamilies, metricsResponse, scrapeTimeoutMs } from './exporter-pages.ts'
import type { RunningExporter } from './exporter-set.ts'

export type LocalApiDeps = {
  readonly exporters: () => readonly RunningExporter[]
  /** Null until the ring is open. */
  readonly ring: () => RingSelector | null
  readonly now: () => number
  /** The agent's own counters. */
  readonly own: () => Promise<readonly MetricFamily[]>
  readonly targets: () => readonly TargetStatus[]
  readonly droppedTargets: () => readonly DroppedTarget[]
  readonly isReady: () => boolean
  readonly lifecycleEnabled: boolean
  readonly reload: () => Promise<void>
  readonly quit: () => void
  readonly version: string
}

export function localApi(deps: LocalApiDeps): HttpHandler {
  return async (request) => {
    const { pathname } = new URL(request.url)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const isWrite = request.method === 'POST' || request.method === 'PUT'
    if (pathname === '/-/healthy' && isRead) return text('Heliograph agent is Healthy.\n')
    if (pathname === '/-/ready' && isRead)
      return deps.isReady() ? text('Heliograph agent is Ready.\n') : text('Service Unavailable', 503)
    if (pathname === '/-/reload' || pathname === '/-/quit') {
      if (!isWrite) return text('Only POST or PUT requests allowed\n', 405)
      if (!deps.lifecycleEnabled) return text('Lifecycle API is not enabled.\n', 403)
      return pathname === '/-/quit' ? quit(deps) : reload(deps)
    }
    if (pathname === '/api/v1/query' || pathname === '/api/v1/query_range') {
      if (!isRead && request.method !== 'POST') return text('Method Not Allowed\n', 405)
      const ring = deps.ring()
      return ring ? serveRingHttp(request, { ring, nowMs: deps.now() }) : text('Service Unavailable', 503)
    }
    const shared = await sharedEndpoint(deps.exporters(), request)
    if (shared) return shared
    if (!isRead) return text('Method Not Allowed\n', 405)
    if (pathname === '/metrics') return metricsResponse(await allFamilies(deps, scrapeTimeoutMs(request)), request)
    if (pathname.startsWith('/metrics/')) {
      const name = pathname.slice('/metrics/'.length)
      if (name === 'agent') return metricsResponse(await deps.own(), request)
      const exporter = deps.exporters().find((each) => each.name === name)
      return exporter ? exporterPage(exporter, request) : text(`no exporter "${name}" is enabled\n`, 404)
    }
    if (pathname === '/api/v1/targets') return targets(deps)
    if (pathname === '/version') return json({ version: deps.version })
    if (pathname === '/') return text(landing(deps))
    return text('404 page not found\n', 404)
  }
}

async function allFamilies(deps: LocalApiDeps, timeoutMs: number | undefined): Promise<MetricFamily[]> {
  const request = timeoutMs === undefined ? {} : { timeoutMs }
  const parts = await Promise.all([...deps.exporters().map((exporter) => exporter.page(request)), deps.own()])
  return mergeFamilies(parts.flat())
}

function targets(deps: LocalApiDeps): Response {
  const activeTargets = deps.targets().map((target) => ({
    scrapePool: target.job,
    scrapeUrl: target.url,
    labels: labelsToObject(target.labels),
    discoveredLabels: labelsToObject(target.discoveredLabels),
    health: target.health,
    lastError: target.lastError,
    ...(target.warning !== '' && { warning: target.warning }),
    lastScrape: target.lastScrapeMs === null ? null : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastScrapeDurationMs / 1000,
  }))
  const droppedTargets = deps.droppedTargets().map(({ job, discoveredLabels, rule }) => ({
    scrapePool: job,
    discoveredLabels: labelsToObject(discoveredLabels),
    droppedBy: rule,
  }))
  return json({ status: 'success', data: { activeTargets, droppedTargets } })
}

async function reload(deps: LocalApiDeps): Promise<Response> {
  try {
    await deps.reload()
    return text('')
  } catch (error) {
    return text(`failed to reload config: ${(error as Error).message}\n`, 500)
  }
}

function quit(deps: LocalApiDeps): Response {
  deps.quit()
  return text('Requesting termination... Goodbye!')
}

function landing(deps: LocalApiDeps): string {
  const names = deps.exporters().map(({ name }) => `/metrics/${name}`)
  return [
    'Heliograph agent',
    '',
    '/metrics',
    ...names,
    '/metrics/agent',
    '/-/healthy',
    '/-/ready',
    '/api/v1/targets',
    '/api/v1/query?query=up',
    '',
  ].join('\n')
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

function json(data: unknown): Response {
  return new Response(JSON.stringify(data), { headers: { 'content-type': 'application/json' } })
}

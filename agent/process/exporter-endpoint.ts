/**
 * HTTP of one exporter, as upstream's program has it: metrics, probes, a landing page, health, reload.
 * Semantics: prometheus/exporter-toolkit web/landing_page.go; mysqld_exporter probe.go; memcached_exporter main.go;
 * statsd_exporter main.go.
 */
import { type Exporter, ParameterError } from '../../exporters/contract.ts'
import type { HttpHandler } from '../../protocol/env/mod.ts'
import { metricsResponse, scrapeTimeoutMs } from './exporter-pages.ts'
import type { RunningExporter } from './exporter-set.ts'

/** Where upstream serves a target that the caller names. */
const PROBE_PATHS: Readonly<Record<string, string>> = {
  mysql: '/probe',
  memcached: '/scrape',
  blackbox: '/probe',
}

export function exporterEndpoint(
  running: RunningExporter,
  { path, lifecycleEnabled }: { readonly path: string; readonly lifecycleEnabled: boolean },
): HttpHandler {
  const { name, parts } = running
  const title = parts[0]!.exporter.program?.title ?? `${name[0]!.toUpperCase()}${name.slice(1)} Exporter`
  return async (request) => {
    const { pathname } = new URL(request.url)
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const own = await parts[0]!.exporter.handle?.(request)
    if (own) return own
    if (pathname === '/-/reload') return reload(running, request, lifecycleEnabled)
    if (!isRead) return text('Method Not Allowed\n', 405)
    if (pathname === path) return exporterPage(running, request)
    if (pathname === PROBE_PATHS[name]) return probePage(parts[0]!.exporter, request)
    if (pathname === '/-/healthy') return text(`${title} is Healthy.\n`)
    if (pathname === '/-/ready') return text(`${title} is Ready.\n`)
    if (pathname === '/') return landing(running, title, path)
    return text('404 page not found\n', 404)
  }
}

/** 503 with the reason where it could not be started. */
export async function exporterPage(running: RunningExporter, request: Request): Promise<Response> {
  const problem = running.parts.map((part) => running.problem(part)).find((each) => each !== '')
  if (problem !== undefined) return text(`${problem}\n`, 503)
  return answered(request, () => {
    const parameters = new URL(request.url).searchParams
    const timeoutMs = scrapeTimeoutMs(request)
    return running.page({ parameters, ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  })
}

/**
 * On the address that all exporters share: targets that the caller names, and pushes; null for anything else. Of two
 * exporters that have one path, blackbox is the one whose requests name a module.
 */
export async function sharedEndpoint(running: readonly RunningExporter[], request: Request): Promise<Response | null> {
  const { pathname, searchParams } = new URL(request.url)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    const push = pathname.startsWith('/metrics/job') ? running.find(({ name }) => name === 'push') : undefined
    return (await push?.parts[0]?.exporter.handle?.(request)) ?? null
  }
  const probing = running.filter(({ name }) => PROBE_PATHS[name] === pathname)
  const isChosen = ({ name }: RunningExporter): boolean => (name === 'blackbox') === searchParams.has('module')
  const chosen = probing.length > 1 ? probing.find(isChosen) : probing[0]
  return chosen ? probePage(chosen.parts[0]!.exporter, request) : null
}

/** A target that the caller names, with the flags of the exporter's first one. */
async function probePage(exporter: Exporter, request: Request): Promise<Response> {
  const own = await exporter.handle?.(request)
  if (own) return own
  if (!exporter.probe) return text('404 page not found\n', 404)
  return answered(request, () => exporter.probe!(new URL(request.url).searchParams, scrapeTimeoutMs(request)))
}

async function answered(
  request: Request,
  collect: () => Promise<Parameters<typeof metricsResponse>[0]>,
): Promise<Response> {
  try {
    return await metricsResponse(await collect(), request)
  } catch (error) {
    if (error instanceof ParameterError) return text(`${error.message}\n`, 400)
    throw error
  }
}

/** Programs of which upstream lets anybody ask for a reload do so here; others need the lifecycle switched on. */
function reload({ name, parts }: RunningExporter, request: Request, lifecycleEnabled: boolean): Response {
  if (!parts.some(({ exporter }) => exporter.reload)) return text('404 page not found\n', 404)
  if (request.method !== 'POST' && request.method !== 'PUT') return text('Only POST or PUT requests allowed\n', 405)
  if (!lifecycleEnabled) return text('Lifecycle API is not enabled.\n', 403)
  try {
    for (const { exporter } of parts) exporter.reload?.()
    return text(name === 'statsd' ? 'Requesting reload' : 'ok')
  } catch (error) {
    return text(`failed to reload config: ${(error as Error).message}\n`, 500)
  }
}

function landing({ name, parts }: RunningExporter, title: string, path: string): Response {
  const about = parts[0]!.exporter.program?.about ?? ''
  const links = [path, ...(PROBE_PATHS[name] ? [`${PROBE_PATHS[name]}?target=`] : []), '/-/healthy']
  const items = links.map((link) => `<li><a href="${link}">${link === path ? 'Metrics' : link}</a></li>`)
  const body = `<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><title>${title}</title></head>
<body><h1>${title}</h1><p>${about}</p><ul>${items.join('')}</ul></body></html>
`
  return new Response(body, { headers: { 'content-type': 'text/html; charset=UTF-8' } })
}

function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

/** Status, health and lifecycle. */
import type { Hono } from 'hono'
import { TEXT_CONTENT_TYPE, writeExposition } from '../../protocol/exposition/mod.ts'
import { compileMatcher } from '../../protocol/matchers/mod.ts'
import { ApiError } from '../query/mod.ts'
import { json, params, respond, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { featuresOf } from './features.ts'
import type { HttpMetrics } from './http-metrics.ts'
import { invalid, type Params } from './params.ts'
import { protoJson } from './proto-json.ts'

const MAX_STATS = 10_000

export function statusRoutes(app: Hono<Vars>, deps: ApiDeps, http: HttpMetrics): void {
  // No `features` field: Grafana takes a server that has one for another product.
  app.get('/api/v1/status/buildinfo', () => json(deps.build))
  app.get('/api/v1/status/config', () => json({ yaml: deps.configTexts().redacted }))
  app.get('/api/v1/status/flags', () => json(deps.flags))
  app.get('/api/v1/status/runtimeinfo', async () => {
    const { ok, atMs } = deps.reloads
    const status = await deps.ingest.status()
    return json({
      startTime: new Date(deps.startedMs).toISOString(),
      CWD: deps.host.directory,
      hostname: deps.host.name,
      serverTime: new Date(deps.clock.now()).toISOString(),
      reloadConfigSuccess: ok,
      lastConfigTime: new Date(atMs).toISOString(),
      corruptionCount: status.counters.replayLost + deps.damages().length,
      goroutineCount: deps.query.threads + 2,
      GOMAXPROCS: deps.query.threads,
      GOMEMLIMIT: 0,
      GOGC: '',
      GODEBUG: '',
      storageRetention: deps.retention(),
    })
  })
  app.get('/api/v1/status/tsdb', async (c) => {
    const limit = (await params(c)).count('limit', { least: 1, problem: 'limit must be a positive number' })
    if (limit !== null && limit > MAX_STATS) throw new ApiError('bad_data', `limit must not exceed ${MAX_STATS}`)
    return respond(c, deps, { kind: 'cardinality', limit: limit ?? 10 })
  })
  app.get('/api/v1/status/tsdb/blocks', () => {
    const { blocks, counters } = deps.blocks()
    return json({
      blocks: blocks.map(({ id, minTime, maxTime, stats, level, sources, indexBytes, chunksBytes, tiers }) => ({
        ulid: id,
        minTime,
        maxTime,
        stats: {
          numSamples: stats.samples,
          numSeries: stats.series,
          numChunks: stats.chunks,
          numFloatSamples: stats.samples - stats.histograms,
          numHistogramSamples: stats.histograms,
          numBytes: indexBytes + chunksBytes,
        },
        compaction: { level, sources: sources.length > 0 ? sources : [id] },
        version: 1,
        ...(tiers && { downsampled: tiers }),
      })),
      damaged: { blocks: counters.damagedBlocks, runs: counters.damagedRuns, found: deps.damages() },
    })
  })
  app.get('/api/v1/status/walreplay', () => json({ min: 0, max: 0, current: 0, state: 'done' }))
  app.get('/api/v1/status/ingest', async () => json(await deps.ingest.status()))
  app.get('/api/v1/status/self_metrics', async (c) => {
    const isAsked = nameMatcher(await params(c))
    const families = [...(await deps.metrics()), ...http.families()]
    const shown = families.filter(({ name, metrics }) => metrics.length > 0 && isAsked(name))
    return json(shown.sort(({ name: a }, { name: b }) => (a < b ? -1 : 1)).map((family) => protoJson(family)))
  })
  app.get('/api/v1/features', () => json(featuresOf(deps)))

  app.on(['GET', 'HEAD'], '/-/healthy', (c) => c.text('Heliograph hub is Healthy.\n'))
  app.on(['GET', 'HEAD'], '/-/ready', (c) =>
    deps.isReady() ? c.text('Heliograph hub is Ready.\n') : c.text('Service Unavailable', 503),
  )
  app.on(['POST', 'PUT'], '/-/reload', async (c) => {
    if (!deps.lifecycleEnabled) return c.text('Lifecycle API is not enabled.\n', 403)
    try {
      await deps.reload()
      return c.text('')
    } catch (error) {
      deps.log.error('Error reloading config; the running one is kept', { err: error })
      return c.text(`failed to reload config: ${(error as Error).message}\n`, 500)
    }
  })
  app.on(['POST', 'PUT'], '/-/quit', (c) => {
    if (!deps.lifecycleEnabled) return c.text('Lifecycle API is not enabled.\n', 403)
    deps.quit()
    return c.text('Requesting termination... Goodbye!')
  })
  app.get('/-/reload', (c) => c.text('Only POST or PUT requests allowed\n', 405))
  app.get('/-/quit', (c) => c.text('Only POST or PUT requests allowed\n', 405))
  app.get('/version', (c) => c.json(deps.build))
  app.get('/metrics', async () => {
    const page = writeExposition([...(await deps.metrics()), ...http.families()])
    return new Response(page as Uint8Array<ArrayBuffer>, { headers: { 'content-type': TEXT_CONTENT_TYPE } })
  })
}

/** @throws ApiError */
function nameMatcher(p: Params): (name: string) => boolean {
  const pattern = p.get('metric_name_pattern')
  if (pattern === '') return () => true
  try {
    return compileMatcher({ name: '__name__', op: '=~', value: pattern })
  } catch (error) {
    return invalid('metric_name_pattern', (error as Error).message)
  }
}

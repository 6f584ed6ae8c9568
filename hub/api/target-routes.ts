/** Targets of the hub's own scrape_configs. Semantics: Prometheus web/api/v1/api.go, targets. */
import type { Hono } from 'hono'
import { formatDuration } from '../../protocol/durations/mod.ts'
import { type Labels, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher } from '../../protocol/matchers/mod.ts'
import { ParseError, parseMetricSelector } from '../promql/parser/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid } from './params.ts'
import { atMost } from './query-routes.ts'

export function targetRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.get('/api/v1/targets', async (c) => {
    const p = await params(c)
    const state = p.get('state').toLowerCase()
    const pool = p.get('scrapePool')
    const wanted = (job: string): boolean => pool === '' || pool === job
    const active = state === 'dropped' ? [] : deps.targets().filter(({ job }) => wanted(job))
    const dropped = state === 'active' ? [] : deps.droppedTargets().filter(({ job }) => wanted(job))
    const counts: Record<string, number> = Object.fromEntries(deps.scrapePools().map((name) => [name, 0]))
    for (const { job } of deps.droppedTargets()) counts[job] = (counts[job] ?? 0) + 1
    return json({
      activeTargets: active.map((target) => ({
        discoveredLabels: labelsToObject(target.discoveredLabels),
        labels: labelsToObject(target.labels),
        scrapePool: target.job,
        scrapeUrl: target.url,
        globalUrl: target.url,
        lastError: target.lastError,
        ...(target.warning !== '' && { warning: target.warning }),
        lastScrape: target.lastScrapeMs === null ? '0001-01-01T00:00:00Z' : new Date(target.lastScrapeMs).toISOString(),
        lastScrapeDuration: target.lastScrapeDurationMs / 1000,
        health: target.health,
        scrapeInterval: formatDuration(target.intervalMs),
        scrapeTimeout: formatDuration(target.timeoutMs),
      })),
      droppedTargets: dropped.map(({ job, discoveredLabels, rule }) => ({
        discoveredLabels: labelsToObject(discoveredLabels),
        scrapePool: job,
        droppedBy: rule,
      })),
      droppedTargetCounts: state === 'active' ? null : counts,
    })
  })
  app.get('/api/v1/scrape_pools', () => json({ scrapePools: [...deps.scrapePools()].sort() }))
  app.get('/api/v1/targets/metadata', async (c) => {
    const p = await params(c)
    const metric = p.get('metric')
    const limit = atMost(p.count('limit', { least: -Infinity, problem: 'limit must be a number' }))
    const matches = targetMatcher(p.get('match_target'))
    const rows: unknown[] = []
    for (const target of deps.targets()) {
      // Upstream counts before each target, and then shows all of it.
      if (rows.length >= limit) break
      if (!matches(target.labels)) continue
      for (const { family, type, help, unit } of target.metadata()) {
        if (metric !== '' && metric !== family) continue
        rows.push({ target: labelsToObject(target.labels), ...(metric === '' && { metric: family }), type, help, unit })
      }
    }
    return json(rows)
  })
}

/** @throws ApiError */
function targetMatcher(selector: string): (labels: Labels) => boolean {
  if (selector === '') return () => true
  try {
    const tests = [...parseMetricSelector(selector)].map((matcher) => ({
      name: matcher.name,
      matches: compileMatcher(matcher),
    }))
    return (labels) => tests.every(({ name, matches }) => matches(labelValue(labels, name)))
  } catch (error) {
    if (error instanceof ParseError) return invalid('match_target', error.message)
    throw error
  }
}

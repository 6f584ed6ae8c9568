/** Targets of the hub's own scrape_configs. Semantics: Prometheus web/api/v1/api.go, targets. */
import type { Hono } from 'hono'
import { formatDuration } from '../../protocol/durations/mod.ts'
import { type Labels, labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher } from '../../protocol/matchers/mod.ts'
import { compileRelabel, type RelabelConfig, traceRelabel } from '../../protocol/relabel/mod.ts'
import { ParseError, parseMetricSelector } from '../promql/parser/mod.ts'
import { ApiError } from '../query/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { invalid, type Params } from './params.ts'
import { atMost } from './query-routes.ts'

export function targetRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.get('/api/v1/targets', async (c) => {
    const p = await params(c)
    const state = p.get('state').toLowerCase()
    const pool = p.get('scrapePool')
    const wanted = (job: string): boolean => pool === '' || pool === job
    const isAny = state === '' || state === 'any'
    const active = isAny || state === 'active' ? deps.targets().filter(({ job }) => wanted(job)) : []
    const showsDropped = isAny || state === 'dropped'
    const dropped = showsDropped ? deps.droppedTargets().filter(({ job }) => wanted(job)) : []
    const counts: Record<string, number> = Object.fromEntries([...deps.scrapePools().keys()].map((name) => [name, 0]))
    for (const { job } of deps.droppedTargets()) counts[job] = (counts[job] ?? 0) + 1
    return json({
      activeTargets: active.map((target) => ({
        discoveredLabels: labelsToObject(target.discoveredLabels),
        labels: labelsToObject(target.labels),
        scrapePool: target.job,
        scrapeUrl: target.url,
        globalUrl: globalUrl(target.url, deps.reach),
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
      droppedTargetCounts: showsDropped ? counts : null,
    })
  })
  app.get('/api/v1/scrape_pools', () => json({ scrapePools: [...deps.scrapePools().keys()].sort() }))
  app.get('/api/v1/scrape_pools/config', async (c) => {
    const pool = (await params(c)).get('scrapePool')
    if (pool === '') throw new ApiError('bad_data', 'no scrapePool parameter provided')
    const yaml = deps.configTexts().poolTexts.get(pool)
    if (yaml === undefined)
      throw new ApiError('bad_data', `error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`)
    return json({ yaml })
  })
  app.get('/api/v1/targets/relabel_steps', async (c) => json({ steps: relabelSteps(await params(c), deps) }))
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

const ADDRESS = /^(\w+):\/\/(\[[^\]]*\]|[^/:]*)(?::(\d*))?(.*)$/s
const LOCAL: readonly string[] = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Where others reach a target that is on this host: behind this server's own name, and where it is this server itself,
 * behind its whole address. Semantics: Prometheus web/api/v1/api.go, getGlobalURL.
 */
export function globalUrl(url: string, { externalUrl, listen }: ApiDeps['reach']): string {
  const [, scheme, host, port = '', rest] = ADDRESS.exec(url) ?? []
  if (host === undefined || !LOCAL.includes(host)) return url
  const [, externalScheme, externalHost, externalPort = ''] = ADDRESS.exec(externalUrl)!
  const at = (name: string, number: string): string => (number === '' ? name : `${name}:${number}`)
  if (port === listen.slice(listen.lastIndexOf(':') + 1))
    return `${externalScheme}://${at(externalHost!, externalPort)}${rest}`
  return `${scheme}://${at(externalHost!, port)}${rest}`
}

/** What each rule of a job makes of labels, until one drops them. @throws ApiError */
function relabelSteps(p: Params, deps: ApiDeps): object[] {
  const fail = (problem: string): never => {
    throw new ApiError('bad_data', problem)
  }
  const pool = p.get('scrapePool')
  if (pool === '') fail('no scrapePool parameter provided')
  const text = p.get('labels')
  if (text === '') fail('no labels parameter provided')
  const labels = labelsOf(text) ?? fail('error parsing labels: they are no JSON object of texts')
  const rules =
    deps.scrapePools().get(pool) ??
    fail(`error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`)
  return traceRelabel(
    rules.map((rule) => compileRelabel(rule)),
    labels,
  ).map((output, i) => ({
    rule: ruleJson(rules[i]!),
    output: output === null ? {} : labelsToObject(output),
    keep: output !== null,
  }))
}

function labelsOf(text: string): Labels | null {
  try {
    const value: unknown = JSON.parse(text)
    const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
    if (!isRecord || Object.values(value).some((each) => typeof each !== 'string')) return null
    return labelsFrom(value as Record<string, string>)
  } catch {
    return null
  }
}

/** Without what is empty, as upstream writes it. */
function ruleJson({
  sourceLabels,
  separator,
  regex,
  modulus,
  targetLabel,
  replacement,
  action,
}: RelabelConfig): object {
  return {
    ...(sourceLabels.length > 0 && { source_labels: sourceLabels }),
    ...(separator !== '' && { separator }),
    regex,
    ...(modulus !== 0 && { modulus }),
    ...(targetLabel !== '' && { target_label: targetLabel }),
    ...(replacement !== '' && { replacement }),
    action,
  }
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

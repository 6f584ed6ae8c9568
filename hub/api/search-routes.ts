/**
 * `/api/v1/search/…`: names of metrics and labels, and values, that fit what was typed, as lines of JSON.
 * Semantics: Prometheus web/api/v1/search.go (v3.14), behind the same feature flag, `search-api`.
 */
import type { Hono } from 'hono'
import { compareStrings } from '../../protocol/labels/mod.ts'
import { ApiError, giveBack, type QueryTask } from '../query/mod.ts'
import { disabled } from './admin-routes.ts'
import { ask, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { type Params, parseBool } from './params.ts'
import { type Scorer, SEARCH_ALGORITHMS, type SearchAlgorithm, scorerOf } from './search-scores.ts'

const HOUR_MS = 3_600_000
const LIMIT = 100
const BATCH = 100
const TERMS_MAX = 32
/** Of `--web.search.max-limit`. */
const LIMIT_MAX = '10000'
/** Between two of them others have their turn. */
const NAMES_AT_ONCE = 2000

const ENDPOINTS = ['metric_names', 'label_names', 'label_values'] as const
type Endpoint = (typeof ENDPOINTS)[number]

type Search = {
  readonly span: { readonly startMs: number; readonly endMs: number }
  readonly scorer: Scorer
  readonly order: (a: Found, b: Found) => number
  readonly showsScore: boolean
  readonly limit: number
  readonly batch: number
}
type Found = { readonly name: string; readonly score: number }

export function searchRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  for (const endpoint of ENDPOINTS) {
    app.on(['GET', 'POST'], `/api/v1/search/${endpoint}`, async (c) => {
      if (!deps.settings().features.includes('search-api')) return disabled('search API disabled')
      const p = (await params(c, { multipart: false })).whole
      const search = searchOf(p, endpoint, deps)
      const describe = describerOf(p, endpoint, search, deps)
      const { status, contentType, body } = await ask(c, deps, taskOf(p, endpoint, search))
      if (status !== 200)
        return new Response(body as Uint8Array<ArrayBuffer>, { status, headers: { 'content-type': contentType } })
      const { data, warnings } = JSON.parse(new TextDecoder().decode(body)) as { data: string[]; warnings?: string[] }
      giveBack(body)
      const found = (await fitting(data, search.scorer, deps)).sort(search.order)
      const records = found.slice(0, search.limit).map(describe)
      return ndjson(records, { ...search, warnings, hasMore: found.length > search.limit })
    })
  }
}

function taskOf(p: Params, endpoint: Endpoint, { span }: Search): QueryTask {
  const range = { ...span, matches: p.all('match[]'), limit: 0 }
  if (endpoint === 'label_names') return { kind: 'labels', ...range }
  return { kind: 'values', label: endpoint === 'metric_names' ? '__name__' : p.get('label'), ...range }
}

/** Of several faults the first is told: the parameters are read in upstream's order. @throws ApiError */
function searchOf(p: Params, endpoint: Endpoint, { clock, flags }: Pick<ApiDeps, 'clock' | 'flags'>): Search {
  const nowMs = Math.round(clock.now())
  const span = { startMs: p.time('start', nowMs - HOUR_MS), endMs: p.time('end', nowMs) }
  const terms = p.all('search[]')
  if (terms.length > TERMS_MAX) bad(`too many search[] terms: ${terms.length}, at most ${TERMS_MAX} are taken`)
  const threshold = whole(p, 'fuzz_threshold', 0, (value) => value >= 0 && value <= 100, 'must be 0-100') / 100
  const algorithm = (p.get('fuzz_alg') || SEARCH_ALGORITHMS[0]) as SearchAlgorithm
  if (!SEARCH_ALGORITHMS.includes(algorithm))
    bad(`unsupported fuzz_alg ${JSON.stringify(algorithm)}: must be one of [${SEARCH_ALGORITHMS.join(' ')}]`)
  const caseSensitive = flag(p, 'case_sensitive', true)
  const showsScore = flag(p, 'include_score', false)
  const order = orderOf(p, endpoint, terms.length > 0)
  const max = Number(flags['web.search.max-limit'] ?? LIMIT_MAX)
  const limit = whole(
    p,
    'limit',
    max > 0 ? Math.min(LIMIT, max) : LIMIT,
    (value) => value > 0,
    'must be a positive integer',
  )
  if (max > 0 && limit > max) bad(`limit ${limit} exceeds the configured maximum (${max}, see --web.search.max-limit)`)
  const batch = whole(p, 'batch_size', BATCH, (value) => value > 0, 'must be a positive integer')
  if (endpoint === 'label_values' && p.get('label') === '') bad('missing required parameter "label"')
  return { span, scorer: scorerOf({ terms, algorithm, threshold, caseSensitive }), order, showsScore, limit, batch }
}

function orderOf(p: Params, endpoint: Endpoint, hasTerms: boolean): Search['order'] {
  const [by, direction] = [p.get('sort_by'), p.get('sort_dir')]
  if (direction !== '' && by === '') bad('sort_dir is only valid when sort_by is set')
  if (direction !== '' && by === 'score') bad('sort_dir is not supported for sort_by=score')
  if (!['', 'asc', 'dsc'].includes(direction))
    bad(`invalid sort_dir ${JSON.stringify(direction)}: must be "asc" or "dsc"`)
  if (by === 'score' && !hasTerms) bad('sort_by=score requires search[] to be set')
  if (!['', 'alpha', 'score'].includes(by))
    bad(`invalid sort_by ${JSON.stringify(by)} for ${endpoint}: must be "alpha" or "score"`)
  if (by === 'score') return (a, b) => b.score - a.score || compareStrings(a.name, b.name)
  return direction === 'dsc' ? (a, b) => compareStrings(b.name, a.name) : (a, b) => compareStrings(a.name, b.name)
}

/** What is told of each. @throws ApiError */
function describerOf(
  p: Params,
  endpoint: Endpoint,
  { showsScore }: Search,
  { targets }: ApiDeps,
): (found: Found) => object {
  const isMetric = endpoint === 'metric_names'
  const metadata = isMetric && flag(p, 'include_metadata', false) ? metadataOf(targets()) : null
  return ({ name, score }) => ({
    [endpoint === 'label_values' ? 'value' : 'name']: name,
    ...(showsScore && { score }),
    ...metadata?.get(name),
  })
}

/** By metric, of the first target that has some; without what is empty. */
function metadataOf(targets: ReturnType<ApiDeps['targets']>): ReadonlyMap<string, object> {
  const out = new Map<string, object>()
  for (const target of targets)
    for (const { family, type, help, unit } of target.metadata())
      if (!out.has(family)) out.set(family, { type, ...(help !== '' && { help }), ...(unit !== '' && { unit }) })
  return out
}

async function fitting(names: readonly string[], scorer: Scorer, { clock }: Pick<ApiDeps, 'clock'>): Promise<Found[]> {
  const out: Found[] = []
  for (const [i, name] of names.entries()) {
    if (i > 0 && i % NAMES_AT_ONCE === 0) await new Promise<void>((resolve) => void clock.setTimer(0, resolve))
    const score = scorer(name)
    if (score !== null) out.push({ name, score })
  }
  return out
}

type Lines = { readonly batch: number; readonly warnings: readonly string[] | undefined; readonly hasMore: boolean }

/** A line of results at least, and one that says that they are all there. */
function ndjson(records: readonly object[], { batch, warnings, hasMore }: Lines): Response {
  const lines: object[] = []
  for (let from = 0; from === 0 || from < records.length; from += batch)
    lines.push({ results: records.slice(from, from + batch), ...(from === 0 && warnings && { warnings }) })
  lines.push({ status: 'success', has_more: hasMore })
  return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
    headers: { 'content-type': 'application/x-ndjson; charset=utf-8' },
  })
}

function bad(problem: string): never {
  throw new ApiError('bad_data', problem)
}

function whole(p: Params, name: string, fallback: number, isRight: (value: number) => boolean, wanted: string): number {
  const text = p.get(name)
  if (text === '') return fallback
  if (!/^[+-]?\d+$/.test(text) || !isRight(Number(text))) bad(`invalid ${name} ${JSON.stringify(text)}: ${wanted}`)
  return Number(text)
}

function flag(p: Params, name: string, fallback: boolean): boolean {
  const text = p.get(name)
  if (text === '') return fallback
  return parseBool(text) ?? bad(`invalid ${name} ${JSON.stringify(text)}: must be boolean`)
}

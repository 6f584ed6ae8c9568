import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { seededHead } from '../query/testing/head.ts'
import { SETTINGS } from '../query/testing/settings.ts'
import { startApi } from './testing/app.ts'

const head = seededHead({ seed: 7, series: 12, samples: 4 })
const metadata = () => [{ family: 'y', type: 'gauge', help: 'An y', unit: '' }]
const api = await startApi(head, {
  settings: () => ({ ...SETTINGS, features: ['search-api'] }),
  flags: { 'web.search.max-limit': '200' },
  targets: () => [{ metadata }] as never,
})
const off = await startApi(head)
after(() => Promise.all([api.close(), off.close()]))

const SPAN = 'start=0&end=3600'
async function ask(query: string, init: RequestInit = {}, { url } = api): Promise<[status: number, lines: unknown[]]> {
  const response = await fetch(`${url}/api/v1/search/${query}`, init)
  const text = await response.text()
  if (response.status === 200) assert.equal(response.headers.get('content-type'), 'application/x-ndjson; charset=utf-8')
  return [
    response.status,
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ]
}
const done = (hasMore = false) => ({ status: 'success', has_more: hasMore })
const names = (...all: string[]) => ({ results: all.map((name) => ({ name })) })

test('without its feature the API is disabled', async () =>
  assert.deepEqual(await ask('metric_names', {}, off), [
    500,
    [{ status: 'error', errorType: 'unavailable', error: 'search API disabled' }],
  ]))

const rows: readonly (readonly [query: string, lines: unknown[]])[] = [
  [`metric_names?${SPAN}&search[]=y`, [names('y'), done()]],
  [`metric_names?${SPAN}&search[]=Y`, [names(), done()]],
  [`metric_names?${SPAN}&search[]=Y&case_sensitive=false`, [names('y'), done()]],
  ['metric_names?search[]=y', [names(), done()]],
  [
    `metric_names?${SPAN}&search[]=y&include_score=1&include_metadata=true`,
    [{ results: [{ name: 'y', score: 1, type: 'gauge', help: 'An y' }] }, done()],
  ],
  [`metric_names?${SPAN}&search[]=y&search[]=x_t`, [names('x_total', 'y'), done()]],
  [`label_names?${SPAN}&match[]=y`, [names('__name__', 'g', 'i', 'job'), done()]],
  [`label_names?${SPAN}&match[]=y&sort_by=alpha&sort_dir=dsc`, [names('job', 'i', 'g', '__name__'), done()]],
  [`label_names?${SPAN}&match[]=y&limit=2`, [names('__name__', 'g'), done(true)]],
  [`label_names?${SPAN}&match[]=y&batch_size=2`, [names('__name__', 'g'), names('i', 'job'), done()]],
  [`label_values?${SPAN}&label=g&match[]=y&search[]=g1`, [{ results: [{ value: 'g1' }] }, done()]],
]
for (const [query, lines] of rows)
  test(`${query} gives ${JSON.stringify(lines)}`, async () => {
    assert.deepEqual(await ask(query), [200, lines])
    const [path, form] = query.split('?') as [string, string]
    assert.deepEqual(await ask(path, { method: 'POST', body: new URLSearchParams(form) }), [200, lines])
  })

test('by score the best comes first, and equal ones by name', async () => {
  const [, [batch]] = await ask(`metric_names?${SPAN}&search[]=t&sort_by=score&include_score=true`)
  const { results } = batch as { results: { name: string; score: number }[] }
  const sorted = results.toSorted((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1))
  assert.ok(results.length > 0)
  assert.deepEqual(results, sorted)
})

for (const [query, problem] of [
  [
    'metric_names?start=x',
    `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`,
  ],
  ['metric_names?fuzz_threshold=101', 'invalid fuzz_threshold "101": must be 0-100'],
  ['metric_names?fuzz_alg=x', 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'],
  ['metric_names?case_sensitive=maybe', 'invalid case_sensitive "maybe": must be boolean'],
  ['metric_names?include_score=x', 'invalid include_score "x": must be boolean'],
  ['metric_names?include_metadata=x', 'invalid include_metadata "x": must be boolean'],
  ['metric_names?sort_dir=asc', 'sort_dir is only valid when sort_by is set'],
  ['metric_names?sort_by=score&sort_dir=asc', 'sort_dir is not supported for sort_by=score'],
  ['metric_names?sort_by=alpha&sort_dir=up', 'invalid sort_dir "up": must be "asc" or "dsc"'],
  ['metric_names?sort_by=score', 'sort_by=score requires search[] to be set'],
  ['label_names?sort_by=x', 'invalid sort_by "x" for label_names: must be "alpha" or "score"'],
  ['label_names?limit=0', 'invalid limit "0": must be a positive integer'],
  ['label_names?limit=201', 'limit 201 exceeds the configured maximum (200, see --web.search.max-limit)'],
  ['label_names?batch_size=-1', 'invalid batch_size "-1": must be a positive integer'],
  ['label_values?', 'missing required parameter "label"'],
  ['label_names?match[]={', '1:2: parse error: unexpected end of input inside braces'],
  ['label_names?x=%zz', 'error parsing form values: invalid URL escape "%zz"'],
] as const)
  test(`${query} is refused`, async () =>
    assert.deepEqual(await ask(query), [400, [{ status: 'error', errorType: 'bad_data', error: problem }]]))

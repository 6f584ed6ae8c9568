/** Parameters of queries and discovery in every form. Held against Prometheus 3.5.3 (statuses and texts). */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { seededHead } from '../query/testing/head.ts'
import { labelNameOf, unescapeName } from './label-name.ts'
import { Params } from './params.ts'
import { QUERY_TASKS } from './query-tasks.ts'
import { startApi } from './testing/app.ts'

const api = await startApi(seededHead({ seed: 7, series: 20, samples: 40 }))
after(() => api.close())

async function ask(path: string, init: RequestInit = {}): Promise<[status: number, body: string]> {
  const [answer, web] = await Promise.all(
    [api.url, api.webUrl].map(async (url) => {
      const response = await fetch(url + path, init)
      return [response.status, await response.text()] as [number, string]
    }),
  )
  assert.deepEqual(answer, web)
  return answer!
}

function form(fields: Readonly<Record<string, string>>, file = false): RequestInit {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  if (file) body.append('query', new Blob(['3']), 'query.txt')
  return { method: 'POST', body }
}
const scalar = (value: number): [number, string] => [
  200,
  `{"status":"success","data":{"resultType":"scalar","result":[5,"${value}"]}}`,
]

test('a multipart form is read', async () =>
  assert.deepEqual(await ask('/api/v1/query', form({ query: '1', time: '5' })), scalar(1)))
test('values of the URL come before those of a multipart form', async () =>
  assert.deepEqual(await ask('/api/v1/query?query=2&time=5', form({ query: '1' })), scalar(2)))
test('files of a multipart form are no values', async () =>
  assert.deepEqual(await ask('/api/v1/query?time=5', form({ query: '1' }, true)), scalar(1)))
test('label names are asked for by a multipart form, and series are not', async () => {
  assert.deepEqual(await ask('/api/v1/labels', form({ 'match[]': 'y{i="1"}', limit: '1' })), [
    200,
    '{"status":"success","data":["__name__"],"warnings":["results truncated due to limit"]}',
  ])
  const [status, body] = await ask('/api/v1/series', form({ 'match[]': 'y' }))
  assert.equal(status, 400)
  assert.match(body, /no match\[\] parameter provided/)
})
for (const [what, type, body] of [
  ['without a boundary', 'multipart/form-data', 'x'],
  ['that is none', 'multipart/form-data; boundary=abc', 'x'],
  ['that is empty', 'multipart/form-data; boundary=abc', ''],
] as const)
  test(`a multipart form ${what} is passed over`, async () =>
    assert.deepEqual(
      await ask('/api/v1/query?query=2&time=5', { method: 'POST', headers: { 'content-type': type }, body }),
      scalar(2),
    ))

for (const query of ['1', 'vector(1)', '"x"'])
  test(`exemplars of ${query}, which selects nothing, are no content`, async () =>
    assert.deepEqual(await ask(`/api/v1/query_exemplars?query=${query}&start=1&end=2`), [204, '']))
for (const [given, wanted] of [
  ['', 300_000],
  ['0', 300_000],
  ['-5', 300_000],
  ['-0.0001', 300_000],
  ['0.0005', 0],
  ['0.001', 1],
  ['0.0015', 1],
  ['1m', 60_000],
] as const)
  test(`a lookback delta of ${JSON.stringify(given)} is one of ${wanted} ms`, () => {
    const deps = { clock: { now: () => 0 }, settings: () => ({ lookbackMs: 300_000, features: [] }), queryTimeoutMs: 1 }
    const query = new Params([new URLSearchParams({ query: '1', lookback_delta: given })])
    const { task } = QUERY_TASKS.get('/api/v1/query')!(query, '', deps as never)
    assert.equal((task as { settings: { lookbackMs: number } }).settings.lookbackMs, wanted)
  })
for (const [stats, features, wanted] of [
  ['all', ['promql-per-step-stats'], true],
  ['all', [], false],
  ['true', ['promql-per-step-stats'], undefined],
] as const)
  test(`stats=${stats} with ${features.length} features: of each step ${wanted === true}`, () => {
    const deps = { clock: { now: () => 0 }, settings: () => ({ features }), queryTimeoutMs: 1 }
    const { task } = QUERY_TASKS.get('/api/v1/query')!(new Params([new URLSearchParams({ stats })]), '', deps as never)
    assert.equal((task as { settings: { stepStats?: boolean } }).settings.stepStats, wanted)
  })
test('the timeout is looked at before the lookback delta', async () => {
  const [, body] = await ask('/api/v1/query?query=1&timeout=x&lookback_delta=x')
  assert.match(body, /invalid parameter \\"timeout\\"/)
})
for (const [path, first] of [
  ['query?query=(&limit=x&time=x&timeout=x', 'limit'],
  ['query?query=(&time=x&timeout=x', 'time'],
  ['query?query=(&timeout=x', 'timeout'],
  ['query_range?query=(&limit=x&start=x', 'limit'],
  ['query_range?query=(&start=x&end=x', 'start'],
  ['query_range?query=(&start=0&end=1&step=x&timeout=x', 'step'],
  ['query_range?query=(&start=0&end=1&step=1&timeout=0', 'query'],
  ['labels?match[]=(&limit=x&start=x', 'limit'],
  ['labels?match[]=(&start=x', 'start'],
  ['series?match[]=(&limit=x', 'limit'],
  ['label/a/values?match[]=(&limit=x&end=x', 'limit'],
] as const)
  test(`of the faults of ${path} that of ${first} is told`, async () => {
    const [status, body] = await ask(`/api/v1/${path}`)
    assert.equal(status, 400)
    assert.match(body, new RegExp(`"invalid parameter \\\\"${first}\\\\": `))
  })
for (const [stats, warned] of [
  ['', undefined],
  ['true', undefined],
  ['all', undefined],
  [
    '1',
    [
      'value "1" for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"',
    ],
  ],
] as const)
  for (const path of ['query?query=1', 'query_range?query=count(y)&start=0&end=60&step=15'])
    test(`${path} with stats=${stats}${warned ? ' warns' : ''}`, async () => {
      const response = await fetch(`${api.url}/api/v1/${path}&stats=${stats}`)
      const { data, warnings } = (await response.json()) as { data: { stats?: object }; warnings?: string[] }
      assert.deepEqual([data.stats !== undefined, warnings], [stats !== '', warned])
    })
test('exemplars of what selects are a list', async () =>
  assert.deepEqual(await ask('/api/v1/query_exemplars?query=y&start=1&end=2'), [200, '{"status":"success","data":[]}']))

for (const [raw, name] of [
  ['%ff', '\\"\\\\xff\\"'],
  ['a%ffb', '\\"a\\\\xffb\\"'],
  ['%C3%A4%C3', '\\"ä\\\\xc3\\"'],
  ['U__', '\\"\\"'],
] as const)
  test(`the label ${raw} is refused`, async () =>
    assert.deepEqual(await ask(`/api/v1/label/${raw}/values`), [
      400,
      `{"status":"error","errorType":"bad_data","error":"invalid label name: ${name}"}`,
    ]))
test('a slash in the name of a label is another path', async () =>
  assert.equal((await ask('/api/v1/label/a%2Fb/values'))[0], 404))

test('what of the path is no name may be encoded, too', async () => {
  for (const path of ['/api/v1/label/g/%76alues', '/api/v1/%6cabel/g/values'])
    assert.deepEqual(await ask(path), await ask('/api/v1/label/g/values'), path)
  assert.equal((await ask('/api/v1/label/g%2Fvalues'))[0], 404)
})
test('the values of a label are found by its escaped name', async () =>
  assert.deepEqual(await ask('/api/v1/label/U__%67/values'), await ask('/api/v1/label/g/values')))

for (const [raw, name] of [
  ['%C3%A4', 'ä'],
  ['1bad', '1bad'],
  ['a%zzb', 'a%zzb'],
  ['100%', '100%'],
  ['ä', 'ä'],
] as const)
  test(`${raw} is the label ${name}`, () => assert.equal(labelNameOf(raw), name))

for (const [escaped, name] of [
  ['plain', 'plain'],
  ['U__a_2e_b', 'a.b'],
  ['U__a__b', 'a_b'],
  ['U___e9_', 'é'],
  ['U__bad_zz_', 'U__bad_zz_'],
  ['U__bad_d800_', 'U__bad_d800_'],
  ['U__bad_110000_', 'U__bad_110000_'],
  ['U__a_', 'U__a_'],
  ['U__a_2e', 'U__a_2e'],
] as const)
  test(`${escaped} is ${name}`, () => assert.equal(unescapeName(escaped), name))

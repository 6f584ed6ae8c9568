/** What is not about one endpoint: paths, forms, origins. Held against Prometheus 3.5.3 (statuses, headers and texts). */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { seededHead } from '../query/testing/head.ts'
import { corsOf } from './cors.ts'
import { startApi } from './testing/app.ts'

const head = seededHead({ seed: 7, series: 20, samples: 40 })
const api = await startApi(head)
const open = await startApi(head, { corsOrigin: 'https?://(a|b)\\.example' })
after(() => Promise.all([api.close(), open.close()]))

type Seen = { readonly status: number; readonly type: string; readonly text: string; readonly headers: Headers }

async function ask(path: string, init: RequestInit = {}, { url, webUrl } = api): Promise<Seen> {
  const [seen, web] = await Promise.all(
    [url, webUrl].map(async (base) => {
      const response = await fetch(base + path, { redirect: 'manual', ...init })
      const { status, headers } = response
      return { status, type: headers.get('content-type') ?? '', text: await response.text(), headers }
    }),
  )
  assert.deepEqual({ ...seen, headers: null }, { ...web, headers: null })
  for (const name of ['vary', 'access-control-allow-origin'])
    assert.equal(seen!.headers.get(name), web!.headers.get(name), name)
  return seen!
}
const form = (body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
})

for (const path of ['/api/v1/nothing', '/api/v1/', '/api/v3/query', '/nothing', '/api/v1/label/job'])
  test(`${path} is not there, in plain text`, async () => {
    const { status, type, text } = await ask(path)
    assert.deepEqual([status, type, text], [404, 'text/plain; charset=utf-8', '404 page not found\n'])
  })

for (const [method, path, status, location] of [
  ['GET', '//api/v1/query?query=1&time=1', 301, '/api/v1/query?query=1&time=1'],
  ['GET', '/api/v1/labels/', 301, '/api/v1/labels'],
  ['POST', '/api/v1//query/', 308, '/api/v1/query'],
  ['GET', '/api/v1/label//values', 404, null],
] as const)
  test(`${method} ${path} is ${location === null ? 'not there' : `at ${location}`}`, async () => {
    const seen = await ask(path, { method })
    assert.deepEqual([seen.status, seen.headers.get('location')], [status, location])
  })

const UNREADABLE = (problem: string): string =>
  `{"status":"error","errorType":"bad_data","error":"error parsing form values: ${problem}"}`
for (const [path, problem] of [
  ['/api/v1/series?match[]=y&x=%zz', 'invalid URL escape \\"%zz\\"'],
  ['/api/v1/series?match[]=y;z', 'invalid semicolon separator in query'],
  ['/api/v1/rules?x=%', 'invalid URL escape \\"%\\"'],
] as const)
  test(`${path} is refused as a whole`, async () => {
    const { status, text } = await ask(path)
    assert.deepEqual([status, text], [400, UNREADABLE(problem)])
  })
test('a posted form is refused before the URL is', async () => {
  const { text } = await ask('/api/v1/series?x=;', form('match[]=y&x=%zz'))
  assert.equal(text, UNREADABLE('invalid URL escape \\"%zz\\"'))
})
test('others pass over what cannot be read', async () => {
  const { text } = await ask('/api/v1/query?query=7&time=5', form('query=%zz&x=;'))
  assert.equal(text, '{"status":"success","data":{"resultType":"scalar","result":[5,"7"]}}')
})

for (const [query, status, text] of [
  ['match[]=up{', 400, '1:4: parse error: unexpected end of input inside braces\n'],
  ['match[]=y&match[]=-1', 400, '1:1: parse error: unexpected <op:->\n'],
  ['match[]=y&x=%zz', 400, 'error parsing form values: invalid URL escape "%zz"\n'],
  ['match[]={}', 200, ''],
  ['match[]={ , }', 400, '1:3: parse error: unexpected "," in label matching, expected identifier or "}"\n'],
  ['match[]=nothing', 200, ''],
  ['', 200, ''],
] as const)
  test(`/federate?${query}: ${status} ${JSON.stringify(text)}`, async () => {
    const seen = await ask(`/federate?${query}`)
    assert.deepEqual([seen.status, seen.text], [status, text])
    if (status === 400) assert.equal(seen.type, 'text/plain; charset=utf-8')
  })

const deleted: (readonly (readonly Matcher[])[])[] = []
const admin = await startApi(head, {
  storage: {
    deleteSeries: (selectors) => void deleted.push(selectors),
    cleanTombstones: async () => {},
    snapshot: async () => 'x',
  },
})
after(() => admin.close())
test('to delete what {} selects deletes nothing', async () => {
  const path = '/api/v1/admin/tsdb/delete_series'
  assert.equal((await ask(`${path}?match[]={}`, { method: 'POST' }, admin)).status, 204)
  assert.deepEqual(deleted, [[], []])
  await ask(`${path}?match[]={}&match[]=y`, { method: 'POST' }, admin)
  assert.deepEqual(deleted[2]!.flat(), [{ name: '__name__', op: '=', value: 'y' }])
  const { status, text } = await ask(`${path}?match[]=y&x=;`, { method: 'POST' }, admin)
  assert.deepEqual([status, text], [400, UNREADABLE('invalid semicolon separator in query')])
})

test('by default no page of others reads an answer', async () => {
  const { headers } = await ask('/api/v1/query?query=1&time=1', { headers: { origin: 'https://a.example' } })
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.startsWith('access-control')),
    [],
  )
  assert.equal(corsOf(''), null)
})
for (const [method, path] of [
  ['GET', '/api/v1/query?query=1&time=1'],
  ['GET', '/api/v1/query?query=('],
  ['OPTIONS', '/api/v1/query'],
  ['GET', '/api/v1/rules'],
] as const)
  test(`pages of the origins that the flag names read ${method} ${path}`, async () => {
    const headersFor = async (origin: string) => (await ask(path, { method, headers: { origin } }, open)).headers
    const headers = await headersFor('https://a.example')
    assert.equal(headers.get('access-control-allow-origin'), 'https://a.example')
    assert.equal(headers.get('access-control-allow-methods'), 'GET, POST, OPTIONS')
    assert.equal(headers.get('access-control-allow-headers'), 'Accept, Authorization, Content-Type, Origin')
    assert.equal(headers.get('access-control-expose-headers'), 'Date')
    assert.match(headers.get('vary')!, /^Origin/)
    assert.equal((await headersFor('https://a.example.org')).get('access-control-allow-origin'), null)
  })
test('an answer that may depend on the origin says so to caches', async () => {
  const { headers } = await ask('/api/v1/query?query=1&time=1', { headers: { 'accept-encoding': 'gzip' } }, open)
  assert.equal(headers.get('vary'), 'Origin, accept-encoding')
  assert.equal(headers.get('access-control-allow-methods'), null)
})

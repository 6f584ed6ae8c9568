/** What is answered without Web objects is answered as with them. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, test } from 'node:test'
import { seededHead } from '../query/testing/head.ts'
import { hostOf } from './client.ts'
import { startApi } from './testing/app.ts'

const head = seededHead({ seed: 7, series: 1200, samples: 40 })
const END_S = 39 * 15
const api = await startApi(head, { routePrefix: '/pre' })
after(() => api.close())

type Asked = {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}
type Answer = { readonly status: number; readonly headers: Readonly<Record<string, unknown>>; readonly body: Buffer }

function ask(url: string, { method = 'GET', path, headers = {}, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url + path, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const { date: _, ...others } = response.headers
        resolve({ status: response.statusCode!, headers: others, body: Buffer.concat(chunks) })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const q = (query: string, more = ''): string =>
  `/pre/api/v1/query?query=${encodeURIComponent(query)}&time=${END_S}${more}`
const range = (query: string): string =>
  `/pre/api/v1/query_range?query=${encodeURIComponent(query)}&start=0&end=${END_S}&step=15`

const CASES: readonly (readonly [string, Asked])[] = [
  ['an instant query', { path: q('y{i="1"}') }],
  ['one that a worker answers', { path: q('count by (g) (x_total)') }],
  ['a large answer', { path: q('x_total') }],
  ['a range query', { path: range('sum by (g) (rate(x_total{g="g1"}[5m]))') }],
  ['stats and a limit', { path: q('y{g="g1"}', '&limit=2') }],
  ['a posted form', { method: 'POST', path: '/pre/api/v1/query', headers: FORM, body: `query=y{i="1"}&time=${END_S}` }],
  ['a form beside the URL', { method: 'POST', path: q('1'), headers: FORM, body: 'query=2' }],
  [
    'a form with a charset',
    {
      method: 'POST',
      path: q('1'),
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' },
      body: 'query=%C3%A4',
    },
  ],
  ['a form that is too large', { method: 'POST', path: q('1'), headers: FORM, body: `query=${'x'.repeat(5 << 20)}` }],
  [
    'a POST of something else',
    { method: 'POST', path: q('1'), headers: { 'content-type': 'text/plain' }, body: 'query=2' },
  ],
  ['a POST without a body', { method: 'POST', path: q('1') }],
  ['a bad expression', { path: q('sum(') }],
  ['no expression', { path: '/pre/api/v1/query' }],
  ['a bad time', { path: '/pre/api/v1/query?query=1&time=x' }],
  ['an error of evaluation', { path: q('y + on (g) group_left () x_total') }],
  ['a bad range', { path: '/pre/api/v1/query_range?query=1&start=5&end=1&step=1' }],
  ['series', { path: '/pre/api/v1/series?match[]=y{i="1"}' }],
  ['no series asked for', { path: '/pre/api/v1/series' }],
  ['labels', { path: '/pre/api/v1/labels?match%5B%5D=y' }],
  ['label values', { path: '/pre/api/v1/label/g/values' }],
  ['label values of a matcher', { path: '/pre/api/v1/label/i/values?match[]=y{g="g1"}&limit=3' }],
  ['a label whose name is encoded', { path: '/pre/api/v1/label/%67/values' }],
  ['exemplars', { path: '/pre/api/v1/query_exemplars?query=y' }],
  ['another path', { path: '/pre/api/v1/nothing' }],
  ['a path beside the prefix', { path: '/api/v1/query?query=1' }],
  ['a method that is not allowed', { method: 'DELETE', path: q('1') }],
  ['POSTed label values', { method: 'POST', path: '/pre/api/v1/label/g/values', headers: FORM, body: '' }],
  ['HEAD', { method: 'HEAD', path: q('1') }],
  ['a text with chars beyond ASCII', { path: q('label_replace(y{i="1"}, "ä", "日本", "", "")') }],
  ['parameters that are given twice', { path: q('1', '&query=2') }],
  ['explain', { path: q('bad_metric', '&explain=0') }],
]
for (const [what, asked] of CASES) {
  for (const encoding of ['', 'gzip', 'zstd, gzip', 'gzip;q=0', 'br']) {
    test(`${what}${encoding && `, accepting ${encoding}`}: as with Web objects`, async () => {
      const given = encoding === '' ? asked : { ...asked, headers: { ...asked.headers, 'accept-encoding': encoding } }
      const [plain, web] = [await ask(api.url, given), await ask(api.webUrl, given)]
      assert.equal(plain.status, web.status)
      assert.deepEqual(plain.body.toString('latin1').slice(0, 3000), web.body.toString('latin1').slice(0, 3000))
      assert.deepEqual(plain.body.length, web.body.length)
      assert.deepEqual(comparable(plain), comparable(web))
    })
  }
}

/** An answer of known length may come in chunks from one of them. */
function comparable({ headers }: Answer): Readonly<Record<string, unknown>> {
  const { 'content-length': _, 'transfer-encoding': __, ...others } = headers
  return others
}

test('a hub that is not ready says so on both ways', async () => {
  const early = await startApi(head, { isReady: () => false })
  try {
    for (const url of [early.url, early.webUrl])
      assert.equal((await ask(url, { path: '/api/v1/query?query=1' })).status, 503)
  } finally {
    await early.close()
  }
})

test('both are counted under the name of their route, with the bytes that they sent', async () => {
  const counts = async (): Promise<readonly string[]> => {
    const page = (await ask(api.webUrl, { path: '/pre/metrics' })).body.toString()
    return page
      .split('\n')
      .filter((line) => /_(total|sum|count){.*(v1.query"|values")/.test(line) && !/seconds_sum/.test(line))
  }
  const rises: number[][] = []
  for (const url of [api.url, api.webUrl]) {
    const before = await counts()
    await ask(url, { path: q('y{i="1"}') })
    await ask(url, { path: q('sum(') })
    await ask(url, { path: '/pre/api/v1/label/g/values' })
    const value = (line: string): number => Number(line.split(' ')[1])
    rises.push((await counts()).map((line, i) => value(line) - value(before[i]!)))
  }
  assert.deepEqual(rises[0], rises[1])
  assert.ok(rises[0]!.filter((rise) => rise > 0).length >= 6, `${rises[0]}`)
})

for (const [address, host] of [
  ['127.0.0.1:80', '127.0.0.1'],
  ['[::1]:80', '::1'],
  ['', ''],
] as const)
  test(`the client of ${address} is ${host}`, () => assert.equal(hostOf(address), host))

test('connections of one host are one client in the queue', async () => {
  const { tasks, query } = api
  const clients: (string | undefined)[] = []
  const run = query.run.bind(query)
  query.run = (task, options) => {
    clients.push(options.client)
    return run(task, options)
  }
  const before = tasks.length
  await Promise.all([ask(api.url, { path: q('count(x_total)') }), ask(api.webUrl, { path: q('count(x_total)') })])
  assert.ok(tasks.length > before)
  assert.deepEqual(clients, ['127.0.0.1', '127.0.0.1'])
})

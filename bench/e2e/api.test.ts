/**
 * The HTTP API beside a real Prometheus that holds the same samples: for good and bad parameters, by GET and by POST
 * form, the same status, the same data and the same error, word for word. What differs on purpose says why.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import { test } from 'node:test'
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { type ApiAnswer, api, freePort, lacks, queryValue, type Server, until, type World, withWorld } from './world.ts'

type Params = Readonly<Record<string, string | readonly string[]>>
type Row = {
  readonly path: string
  readonly params: Params
  /** Both by default, where Prometheus knows both. */
  readonly methods?: readonly ('GET' | 'POST')[]
  /** Why the answers may differ, and in what. */
  readonly differs?: { readonly because: string; readonly ignore: 'error' | 'data' }
}

const STEP_S = 15
const POINTS = 40
const SPAN_S = (POINTS - 1) * STEP_S
const BLOCK_S = 7200
/**
 * Whole minutes ago, so that ranges are readable; no block of Prometheus ends inside, where its chunks would be cut: an
 * answer about times in the wrong order depends on that.
 */
const LATEST = Math.floor(Date.now() / 60_000) * 60 - 60
const END = LATEST % BLOCK_S < SPAN_S ? LATEST - (LATEST % BLOCK_S) - 60 : LATEST
const START = END - SPAN_S

const query = (text: string, more: Params = {}): Row => ({
  path: '/api/v1/query',
  params: { query: text, time: String(END), ...more },
})
const range = (text: string, more: Params = {}): Row => ({
  path: '/api/v1/query_range',
  params: { query: text, start: String(START), end: String(END), step: '30', ...more },
})
const get = (path: string, params: Params = {}): Row => ({ path: `/api/v1/${path}`, params, methods: ['GET'] })
const both = (path: string, params: Params = {}): Row => ({ path: `/api/v1/${path}`, params })

const ROWS: readonly Row[] = [
  query('up'),
  query('1 + 1'),
  query('"text"'),
  query('up[1m]'),
  query('http_requests_total'),
  query('sum by (job) (rate(http_requests_total[5m]))'),
  query('http_requests_total / on (instance) group_left up'),
  query('topk(2, http_requests_total)'),
  query('histogram_quantile(0.5, latency_bucket)'),
  query('absent(nothing)'),
  query('special', { time: String(END) }),
  query('-special'),
  query('nothing'),
  query('rate(up[5m])'),
  query('http_requests_total offset 5m'),
  query('up', { limit: '1' }),
  query('up', { time: new Date(END * 1000).toISOString() }),
  query('up', { time: `${END}.5` }),
  query('up', { timeout: '10s' }),
  query('http_requests_total', { lookback_delta: '1m', time: String(END + 30) }),
  query('http_requests_total', { lookback_delta: '1m', time: String(END + 61) }),
  { ...query(''), differs: { because: 'Prometheus 3.14 gives the position 1:1, 3.5 did not', ignore: 'error' } },
  query('up{'),
  query('up{job=~"["}'),
  query('sum(up'),
  query('foo bar'),
  query('rate(up)'),
  query('up + on (job) http_requests_total'),
  query('{}'),
  query('{job=~".*"}'),
  query('nosuchfunction(up)'),
  query('up', { time: 'yesterday' }),
  query('up', { timeout: 'soon' }),
  query('up', { timeout: '-1s' }),
  query('up', { timeout: '1e99' }),
  query('up', { time: '2023-02-30T00:00:00Z' }),
  query('up', { time: '2023-11-14T23:13:20,5Z' }),
  query('up', { lookback_delta: '1e99' }),
  query('up', { limit: 'x' }),
  query('up', { limit: '9223372036854775808' }),
  query('up', { limit: '-1' }),
  query('up', { lookback_delta: 'x' }),
  range('up'),
  range('1'),
  range('http_requests_total'),
  range('rate(http_requests_total[2m])', { step: '1m' }),
  range('rate(http_requests_total[2m])', { step: '0.5' }),
  range('up', { limit: '1' }),
  range('up[1m]'),
  range('"text"'),
  range('up', { start: '' }),
  range('up', { end: 'x' }),
  range('up', { step: '' }),
  range('up', { step: '0' }),
  range('up', { step: '-1' }),
  range('up', { end: String(START - 1) }),
  range('up', { step: '0.001' }),
  range('up', { step: '0.0001' }),
  range('up', { step: '15.0019' }),
  range('up', { step: '1e30' }),
  range('up{'),
  both('series', { 'match[]': ['up', 'special'], start: String(START), end: String(END) }),
  both('series', { 'match[]': 'nothing' }),
  both('series'),
  both('series', { 'match[]': 'up{' }),
  both('series', { 'match[]': '{}' }),
  both('series', { 'match[]': 'up{job="api"}', limit: '1' }),
  both('series', { 'match[]': 'up', start: 'x' }),
  both('series', { 'match[]': 'up', start: String(END), end: String(START) }),
  both('labels'),
  both('labels', { 'match[]': 'up' }),
  both('labels', { limit: '1' }),
  both('labels', { 'match[]': 'up{' }),
  get('label/job/values'),
  get('label/__name__/values', { 'match[]': '{job="api"}' }),
  get('label/job/values', { limit: '1' }),
  get('label/nothing/values'),
  get('label/job/values', { end: 'x' }),
  get('label/U__job/values'),
  both('labels', { 'match[]': '{}' }),
  get('label/job/values', { 'match[]': 'up{' }),
  get('metadata', { metric: 'doors' }),
  get('metadata', { metric: 'nothing' }),
  ...[
    'rings',
    'rings_total',
    'house',
    'house_info',
    'wait_seconds',
    'wait_seconds_sum',
    'queue',
    'mood',
    'stranger',
  ].map((metric) => get('metadata', { metric, limit_per_metric: '1' })),
  get('targets/metadata', { metric: 'rings' }),
  get('metadata', { limit: '0' }),
  get('metadata', { limit: 'x' }),
  get('metadata', { limit_per_metric: 'x' }),
  both('query_exemplars', { query: 'http_requests_total', start: String(START), end: String(END) }),
  both('query_exemplars', { query: 'http_requests_total{', start: String(START), end: String(END) }),
  both('query_exemplars', { query: 'up', start: String(END), end: String(START) }),
  both('format_query', { query: 'sum(up)by(job)' }),
  both('format_query', { query: 'sum(' }),
  {
    ...both('parse_query', { query: 'rate(up[5m]) > bool 1' }),
    differs: { because: 'fields of 3.14: anchored, smoothed, offsetExpr, rangeExpr', ignore: 'data' },
  },
  both('parse_query', { query: 'sum(' }),
  get('targets'),
  get('targets', { state: 'active' }),
  get('targets', { state: 'dropped' }),
  get('targets', { scrapePool: 'house' }),
  get('scrape_pools'),
  get('targets/metadata'),
  get('targets/metadata', { metric: 'doors' }),
  get('targets/metadata', { match_target: '{job="house"}' }),
  get('targets/metadata', { match_target: '{job="nobody"}' }),
  get('targets/metadata', { match_target: '{job=' }),
  get('targets/metadata', { limit: '1' }),
  get('targets/metadata', { limit: '0' }),
  get('targets/metadata', { limit: 'x' }),
  get('rules'),
  get('rules', { type: 'x' }),
  get('rules', { exclude_alerts: '1' }),
  get('rules', { exclude_alerts: 'x' }),
  get('alerts'),
  get('alertmanagers'),
  get('status/tsdb', { limit: 'x' }),
]

const METHOD_ROWS: readonly (readonly [method: string, path: string])[] = [
  ['DELETE', '/api/v1/query'],
  ['PUT', '/api/v1/query_range'],
  ['POST', '/api/v1/label/job/values'],
  ['POST', '/api/v1/metadata'],
  ['POST', '/api/v1/rules'],
  ['POST', '/api/v1/status/config'],
  ['GET', '/-/reload'],
  ['GET', '/-/healthy'],
  ['GET', '/-/ready'],
  ['HEAD', '/-/healthy'],
]

async function writeSamples(server: Server): Promise<void> {
  const timestamps = Array.from({ length: POINTS }, (_, i) => (START + i * STEP_S) * 1000)
  const series = (labels: Record<string, string>, value: (i: number) => number) => ({
    labels: labelsFrom(labels) as Labels,
    timestamps,
    values: Float64Array.from(timestamps, (_, i) => value(i)),
  })
  const body = encodeWriteRequest(
    [
      series({ __name__: 'up', job: 'api', instance: 'a:1' }, () => 1),
      series({ __name__: 'up', job: 'api', instance: 'b:1' }, (i) => i % 2),
      series({ __name__: 'up', job: 'größe "x" \\ \n', instance: 'c:1' }, () => 0),
      ...['200', '404', '500'].map((code, c) =>
        series({ __name__: 'http_requests_total', job: 'api', instance: 'a:1', code }, (i) => (i * (c + 1) * 7) % 200),
      ),
      ...['0.1', '1', '+Inf'].map((le, c) =>
        series({ __name__: 'latency_bucket', job: 'api', le }, (i) => i * (c + 1)),
      ),
      ...[Number.NaN, Infinity, -Infinity, 5e-324, 1e21, -0, 0.1 + 0.2].map((value, i) =>
        series({ __name__: 'special', n: String(i) }, () => value),
      ),
    ],
    [{ family: 'http_requests_total', metadata: { type: 'counter', help: 'Requests.', unit: '' } }],
  )
  const response = await fetch(`${server.url}/api/v1/write`, {
    method: 'POST',
    body: snappyCompress(body) as Uint8Array<ArrayBuffer>,
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
  })
  assert.equal(response.status, 204, await response.text())
}

/** Vectors and series come in the order of some hash table. */
function ordered(data: unknown): unknown {
  if (Array.isArray(data)) return [...data].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  const { result } = (data ?? {}) as { result?: unknown }
  return Array.isArray(result) ? { ...(data as object), result: ordered(result) } : data
}

/** When and how long is another story each time. */
function timeless(data: unknown): unknown {
  const text = JSON.stringify(data ?? null)
    .replace(/"lastScrape":"[^"]*"/g, '"lastScrape":"TIME"')
    .replace(/"lastScrapeDuration":[0-9.e-]+/g, '"lastScrapeDuration":0')
    // Ours alone: which rule dropped a target.
    .replace(/,"droppedBy":"relabel_configs\[\d+\]: (?:[^"\\\\]|\\\\.)*"/g, '')
    // Ours alone: whether /api/v2 is answered here.
    .replace(/,"builtIn":(true|false)/g, '')
    // Prometheus puts the host's name in, for it listens on all addresses.
    .replace(/"globalUrl":"http:\/\/[^:]*:/g, '"globalUrl":"http://HOST:')
  return JSON.parse(text)
}

function comparable(answer: ApiAnswer, { differs }: Row): unknown {
  const { httpStatus, status, errorType, error, warnings, data } = answer
  const ignores = (what: string): boolean => differs?.ignore === what
  return {
    httpStatus,
    status,
    errorType,
    error: ignores('error') ? typeof error : error,
    warnings,
    data: ignores('data') ? typeof data : ordered(timeless(data)),
  }
}

/** Families of OpenMetrics, whose names are not all those of their series. */
const PAGE = `# HELP doors Doors, \\"open\\" or \\\\ not.
# TYPE doors gauge
doors 1
# TYPE rings counter
# HELP rings Rings.
rings_total 2
rings_created 1
# TYPE house info
# HELP house The house.
house_info{age="9"} 1
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_bucket{le="+Inf"} 1
wait_seconds_count 1
wait_seconds_sum 1
# TYPE queue gaugehistogram
queue_bucket{le="+Inf"} 1
queue_gcount 1
queue_gsum 1
# TYPE mood stateset
mood{mood="good"} 1
stranger 5
# EOF
`

/** A page of fixed samples that both scrape: targets and their metadata have something to show. */
async function serveTarget(world: World): Promise<string> {
  const server = http.createServer((_, response) => {
    response.setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8').end(PAGE)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  world.onClose(() => void server.close().closeAllConnections())
  return `127.0.0.1:${port}`
}

const GLOBAL = 'global: { scrape_interval: 5s, evaluation_interval: 1h }\n'
const jobs = (target: string): string => `scrape_configs:
  - job_name: house
    static_configs: [{ targets: ['${target}'], labels: { floor: '2' } }]
    relabel_configs: [{ source_labels: [__address__], target_label: door }]
  - job_name: ruin
    static_configs: [{ targets: ['127.0.0.1:1'] }]
    relabel_configs: [{ action: drop }]
`

test('the API answers as Prometheus', { skip: lacks('prometheus') }, async (t) => {
  await withWorld(async (world) => {
    const target = await serveTarget(world)
    const [hub, prometheus] = await Promise.all([
      world.startHub({ config: GLOBAL }),
      world.startPrometheus({ config: GLOBAL, flags: ['--web.enable-remote-write-receiver'] }),
    ])
    for (const server of [hub, prometheus]) {
      // Before anything is scraped: a Prometheus refuses what is much older than its newest sample.
      await writeSamples(server)
      const file = `${server.folder}/prometheus.yml`
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(GLOBAL, GLOBAL + jobs(target)))
      assert.equal((await fetch(`${server.url}/-/reload`, { method: 'POST' })).status, 200)
      await until('the samples are there', async () => {
        const { data } = await api(server, '/api/v1/query', { query: 'up', time: String(END) })
        return (data as { result: unknown[] }).result.length === 3
      })
      await until('the target is scraped', async () => (await queryValue(server, 'doors')) === 1)
    }
    for (const row of ROWS) {
      for (const method of row.methods ?? (['GET', 'POST'] as const)) {
        await t.test(`${method} ${row.path} ${JSON.stringify(row.params)}`, async () => {
          const [ours, theirs] = [
            await api(hub, row.path, row.params, method),
            await api(prometheus, row.path, row.params, method),
          ]
          assert.deepEqual(comparable(ours, row), comparable(theirs, row))
        })
      }
    }
    for (const [method, path] of METHOD_ROWS) {
      await t.test(`${method} ${path} has the status of Prometheus`, async () => {
        const status = async ({ url }: Server): Promise<number> => (await fetch(url + path, { method })).status
        assert.equal(await status(hub), await status(prometheus))
      })
    }
    for (const path of ['buildinfo', 'config', 'flags', 'runtimeinfo', 'tsdb', 'walreplay']) {
      await t.test(`/api/v1/status/${path} has the fields of Prometheus`, async () => {
        const keys = async (server: Server): Promise<string[]> =>
          Object.keys((await api(server, `/api/v1/status/${path}`)).data as object).sort()
        const [ours, theirs] = [await keys(hub), await keys(prometheus)]
        // Flags of what we do not have are not ours.
        if (path === 'flags') assert.ok(theirs.filter((flag) => ours.includes(flag)).length > 15)
        // Prometheus 3.14 says in what state it is.
        else if (path === 'walreplay') assert.deepEqual(ours, [...theirs, 'state'])
        else assert.deepEqual(ours, theirs)
      })
    }
  })
})

/**
 * The same counters, histograms and summaries with start timestamps under the flag created-timestamp-zero-ingestion, read by
 * a hub, by an agent and by a real Prometheus, in OpenMetrics and in protobuf: the same zeros at the same times. Then the
 * hub is killed.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { api, lacks, type Server, until, untilHolds, type World, withWorld } from './world.ts'

const FLAG = '--enable-feature=created-timestamp-zero-ingestion'
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
const PROTOBUF = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'
/** Of the scrapes of each scraper, the one in which the target has begun anew. */
const RESTART = 3
const SCRAPES = 6

const Family = protobuf
  .parse(`syntax = "proto2"; package io.prometheus.client;
    message LabelPair { optional string name = 1; optional string value = 2; }
    message Stamp { optional int64 seconds = 1; optional int32 nanos = 2; }
    message Gauge { optional double value = 1; }
    message Counter { optional double value = 1; optional Stamp created_timestamp = 3; }
    message Quantile { optional double quantile = 1; optional double value = 2; }
    message Summary {
      optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Quantile quantile = 3;
      optional Stamp created_timestamp = 4;
    }
    message Bucket { optional uint64 cumulative_count = 1; optional double upper_bound = 2; }
    message Span { optional sint32 offset = 1; optional uint32 length = 2; }
    message Histogram {
      optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Bucket bucket = 3; optional sint32 schema = 5;
      optional double zero_threshold = 6; optional uint64 zero_count = 7; repeated Span positive_span = 12;
      repeated sint64 positive_delta = 13; optional Stamp created_timestamp = 15;
    }
    message Metric {
      repeated LabelPair label = 1; optional Gauge gauge = 2; optional Counter counter = 3; optional Summary summary = 4;
      optional Histogram histogram = 7;
    }
    message MetricFamily { optional string name = 1; optional string help = 2; optional int32 type = 3; repeated Metric metric = 4; }`)
  .root.lookupType('io.prometheus.client.MetricFamily')

/** What the target is since when, of the scrape with this number: `old` lies further back than heads reach. */
type State = { readonly n: number; readonly sinceMs: number; readonly oldMs: number }

function textPage({ n, sinceMs, oldMs }: State): string {
  const since = (sinceMs / 1000).toFixed(3)
  return [
    '# TYPE g gauge',
    `g ${n + 1}`,
    '# TYPE c counter',
    `c_total{k="a"} ${n + 1}`,
    `c_created{k="a"} ${since}`,
    `c_total{k="b"} ${n + 2}`,
    '# TYPE old counter',
    `old_total ${n + 1}`,
    `old_created ${(oldMs / 1000).toFixed(3)}`,
    '# TYPE s summary',
    `s{quantile="0.5"} ${n}`,
    `s_sum ${n}`,
    `s_count ${n + 1}`,
    `s_created ${since}`,
    '# TYPE h histogram',
    `h_bucket{le="1.0"} ${n}`,
    `h_bucket{le="+Inf"} ${n + 1}`,
    `h_sum ${n}`,
    `h_count ${n + 1}`,
    `h_created ${since}`,
    '# EOF',
    '',
  ].join('\n')
}

function protoPage({ n, sinceMs, oldMs }: State): Uint8Array {
  const stamp = (ms: number) => ({ seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 })
  const since = stamp(sinceMs)
  const bucket = [{ cumulativeCount: n, upperBound: 1 }]
  const count = { sampleCount: n + 1, sampleSum: n, createdTimestamp: since }
  const native = { schema: 3, zeroThreshold: 1e-9, zeroCount: 1, positiveSpan: [{ offset: 2, length: 1 }] }
  const families = [
    { name: 'g', type: 1, metric: [{ gauge: { value: n + 1 } }] },
    {
      name: 'c_total',
      type: 0,
      metric: [
        { label: [{ name: 'k', value: 'a' }], counter: { value: n + 1, createdTimestamp: since } },
        { label: [{ name: 'k', value: 'b' }], counter: { value: n + 2 } },
      ],
    },
    { name: 'old_total', type: 0, metric: [{ counter: { value: n + 1, createdTimestamp: stamp(oldMs) } }] },
    { name: 's', type: 2, metric: [{ summary: { ...count, quantile: [{ quantile: 0.5, value: n }] } }] },
    { name: 'h', type: 4, metric: [{ histogram: { ...count, bucket } }] },
    { name: 'native', type: 4, metric: [{ histogram: { ...count, ...native, positiveDelta: [n] } }] },
  ]
  return Buffer.concat(families.map((family) => Family.encodeDelimited(Family.fromObject(family)).finish()))
}

/** Each scraper has its own row of pages, of which the last is served again and again. */
async function serve(world: World): Promise<string> {
  const startedMs = Date.now() - 60_000
  const rows = new Map<string, { n: number; servedMs: number; sinceMs: number }>()
  const server = createServer((request, response) => {
    const url = request.url!
    const row = rows.get(url) ?? { n: 0, servedMs: 0, sinceMs: startedMs }
    // After the sample before, which is of when that page was asked for, and before this one.
    if (row.n === RESTART) row.sinceMs = row.servedMs + 1
    const state = { n: row.n % RESTART, sinceMs: row.sinceMs, oldMs: startedMs - 7_200_000 }
    rows.set(url, { ...row, n: Math.min(row.n + 1, SCRAPES), servedMs: Date.now() })
    const isProto = url.endsWith('/proto')
    response.setHeader('content-type', isProto ? PROTOBUF : OPENMETRICS)
    response.end(isProto ? protoPage(state) : textPage(state))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  world.onClose(() => void server.close())
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** @param scraper whose row of pages it is */
function jobs(address: string, scraper: string, more = ''): string {
  const job = (name: string): string =>
    `  - { job_name: ${name}, metrics_path: /${scraper}/${name}, ${more}static_configs: [{ targets: ['${address}'] }] }
`
  return `scrape_configs:
${job('text')}${job('proto')}`
}

type Series = {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly (readonly [number, string])[]
  readonly histograms?: readonly (readonly [number, { readonly count: string; readonly sum: string }])[]
}

/**
 * By series: its values in order, of the first pages alone. When a sample was taken is each scraper's own affair; a zero's
 * time is not, for the first start is that of the target.
 */
async function heldBy(server: Server, job: string): Promise<Record<string, string[]>> {
  const answer = await api(server, '/api/v1/query', { query: `{job="${job}",__name__!~"up|scrape_.*"}[10m]` })
  assert.equal(answer.status, 'success', answer.error ?? '')
  const held: Record<string, string[]> = {}
  for (const { metric, values, histograms } of (answer.data as { result: Series[] }).result) {
    const { job: _, instance: __, agent: ___, ...labels } = metric
    const all = [
      ...(values ?? []),
      ...(histograms ?? []).map(([time, { count, sum }]) => [time, `${count}/${sum}`] as const),
    ].sort(([a], [b]) => a - b)
    held[JSON.stringify(Object.entries(labels).sort())] = all
      .slice(0, SCRAPES + 2)
      .map(([time, value], i) => (i === 0 && /^0(?:\/0)?$/.test(value) ? `${value} at ${time}` : value))
  }
  return held
}

test(
  'zeros stand at the starts of counters, histograms and summaries where a real Prometheus has them',
  {
    skip: lacks('prometheus'),
  },
  (t) =>
    withWorld(async (world) => {
      const address = await serve(world)
      const global = 'global: { scrape_interval: 1s }\n'
      const flags = ['--enable-feature=native-histograms', FLAG]
      const prometheus = await world.startPrometheus({ config: global + jobs(address, 'prometheus'), flags })
      const native = 'scrape_native_histograms: true, '
      const hub = await world.startHub({ config: global + jobs(address, 'hub', native), flags: [FLAG] })
      const other = await world.startHub({ flags: [FLAG] })
      await world.startAgent({ hub: other, config: jobs(address, 'agent', native), flags: [FLAG] })
      for (const job of ['text', 'proto'])
        for (const [name, server] of Object.entries({ hub, agent: other }))
          await t.test(`${job}, ${name}`, async () => {
            const theirs = await until('Prometheus has seen all pages', async () => {
              const held = await heldBy(prometheus, job)
              return held['[["__name__","g"]]']?.length === SCRAPES + 2 && held
            })
            assert.match(theirs['[["__name__","c_total"],["k","a"]]']![0]!, /^0 at/)
            await untilHolds(name, async () => assert.deepEqual(await heldBy(server, job), theirs))
          })
      await t.test('a hub that was killed has them again', async () => {
        const before = await heldBy(hub, 'proto')
        await hub.kill()
        await hub.restart()
        await untilHolds('its answers', async () => assert.deepEqual(await heldBy(hub, 'proto'), before))
      })
    }),
)

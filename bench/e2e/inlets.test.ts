/** Every way in beside scrapes: what a real Prometheus sends by remote write 2.0, and OTLP beside a real Prometheus. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import protobuf from 'protobufjs'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import { lacks, query, until, untilHolds, withWorld } from './world.ts'

test('a real Prometheus writes by remote write 2.0, and both hold the same', { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: ['--web.enable-remote-write-receiver'] })
    const prometheus = await world.startPrometheus({
      config: `global: { scrape_interval: 1s }
scrape_configs:
  - { job_name: hub, static_configs: [{ targets: ['${new URL(hub.url).host}'] }] }
  - { job_name: prometheus, static_configs: [{ targets: ['OWN_ADDRESS'] }] }
remote_write:
  - url: ${hub.url}/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    send_native_histograms: true
    send_exemplars: true
    queue_config: { batch_send_deadline: 200ms }
`,
      flags: ['--enable-feature=metadata-wal-records,native-histograms,exemplar-storage'],
    })
    const expression = 'heliograph_build_info{job="hub"}'
    const sent = await until('sent', async () => {
      const rows = await query(prometheus, `${expression}[10m]`)
      return rows.length > 0 && (rows[0] as unknown as { values: unknown[] }).values.length >= 5 ? rows : null
    })
    const values = (rows: unknown): [number, string][] => (rows as { values: [number, string][] }[])[0]?.values ?? []
    await until('received', async () => {
      const got = new Map(values(await query(hub, `${expression}[10m]`)))
      return values(sent).every(([at, value]) => got.get(at) === value) ? true : null
    })
    const histograms = 'prometheus_http_request_duration_seconds{handler="/metrics"}[10m]'
    type Matrix = readonly { readonly histograms?: readonly [number, unknown][] }[]
    const theirs = await until('it has scraped its own native histograms', async () => {
      const [row] = (await query(prometheus, histograms)) as unknown as Matrix
      return row?.histograms !== undefined && row.histograms.length >= 3 && { histograms: row.histograms }
    })
    await until('histograms are received', async () => {
      const [ours] = (await query(hub, histograms)) as unknown as Matrix
      const got = new Map(ours?.histograms ?? [])
      const missing = theirs.histograms.filter(([at, histogram]) => !isDeepStrictEqual(got.get(at), histogram))
      return missing.length === 0 ? true : null
    })
    const metrics = await (await fetch(`${prometheus.url}/metrics`)).text()
    assert.match(metrics, /prometheus_remote_storage_histograms_failed_total\{[^}]*\} 0\b/)
    assert.match(metrics, /prometheus_remote_storage_samples_failed_total\{[^}]*\} 0\b/)
    await untilHolds('metadata comes with the series', async () => {
      const metadata = (await (await fetch(`${hub.url}/api/v1/metadata?metric=heliograph_build_info`)).json()) as {
        data: Record<string, unknown[]>
      }
      assert.equal(metadata.data['heliograph_build_info']?.length, 1)
    })
  }),
)

const Request2 = protobuf
  .parse(`
  syntax = "proto3"; package io.prometheus.write.v2;
  message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
  message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; }
  message Histogram {
    uint64 count_int = 1; double sum = 3; sint32 schema = 4; double zero_threshold = 5; uint64 zero_count_int = 6;
    repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; int64 timestamp = 15; repeated double custom_values = 16;
  }
`)
  .root.lookupType('io.prometheus.write.v2.Request')

test('remote write 2.0 says what it has written, and of the rest why not', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: ['--web.enable-remote-write-receiver'] })
    const timestamp = Date.now()
    const symbols = ['', '__name__', 'good', 'bad', 'buckets', 'twice', 'a', 'x', 'mixed']
    const sample = { value: 1.5, timestamp }
    const histogram = {
      countInt: 3,
      sum: 4,
      schema: -53,
      positiveSpans: [{ offset: 0, length: 2 }],
      positiveDeltas: [1, 1],
      customValues: [0.5],
      timestamp,
    }
    const series = [
      { labelsRefs: [1, 2], samples: [sample] },
      { labelsRefs: [1, 4], histograms: [histogram] },
      { labelsRefs: [1, 3], histograms: [{ ...histogram, positiveSpans: [{ offset: 0, length: 4_000_000_000 }] }] },
      { labelsRefs: [1, 5, 6, 7, 6, 7], samples: [sample] },
      { labelsRefs: [1, 99], samples: [sample] },
      { labelsRefs: [1, 8], samples: [sample], histograms: [histogram] },
      { labelsRefs: [6, 7], samples: [sample] },
    ]
    const body = Request2.encode(Request2.fromObject({ symbols, timeseries: series })).finish()
    const post = (
      bytes: Uint8Array,
      encoding: string,
      type = 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    ) =>
      fetch(`${hub.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'content-type': type, 'content-encoding': encoding },
        body: bytes as Uint8Array<ArrayBuffer>,
      })
    const written = ({ headers }: Response): (string | null)[] =>
      ['samples', 'histograms', 'exemplars'].map((what) => headers.get(`x-prometheus-remote-write-${what}-written`))
    const partial = await post(snappyCompress(body), 'snappy')
    assert.equal(partial.status, 400)
    assert.deepEqual(written(partial), ['2', '1', '0'])
    const text = await partial.text()
    for (const why of [
      /spans need 4000000000 buckets, have 2 buckets/,
      /duplicated label a/,
      /outside of symbols table/,
      /duplicate sample for timestamp for series \{__name__="mixed"\}/,
      /invalid metric name or labels/,
    ])
      assert.match(text, why)
    const good = Request2.encode(Request2.fromObject({ symbols, timeseries: series.slice(0, 2) })).finish()
    const again = await post(zstdCompressSync(good), 'zstd')
    assert.equal(again.status, 204)
    assert.deepEqual(written(again), ['1', '1', '0'], 'what is there already is written')
    assert.equal((await query(hub, '{__name__=~".+"}')).filter(({ metric }) => !metric['job']).length, 3)
    const type = await post(good, 'snappy', 'application/x-protobuf;proto=io.prometheus.write.v3.Request')
    assert.equal(type.status, 415)
    const encoding = await post(good, 'br')
    assert.equal(encoding.status, 415)
    const cut = await post(snappyCompress(good.subarray(0, good.length - 3)), 'snappy')
    assert.equal(cut.status, 400)
    assert.deepEqual(written(cut), ['0', '0', '0'])
  }))

function otlpBody(nowMs: number): unknown {
  const time = { timeUnixNano: `${nowMs}000000`, startTimeUnixNano: `${nowMs - 60_000}000000` }
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const sum = (dataPoints: unknown[], isMonotonic = true) => ({
    sum: { aggregationTemporality: 2, isMonotonic, dataPoints },
  })
  return {
    resourceMetrics: [
      {
        resource: {
          attributes: [
            attribute('service.name', 'shop'),
            attribute('service.namespace', 'eu'),
            attribute('service.instance.id', 'i-1'),
            attribute('host.name', 'h1'),
            { key: 'process.pid', value: { intValue: '42' } },
          ],
        },
        scopeMetrics: [
          {
            scope: { name: 'lib', version: '1.0' },
            metrics: [
              {
                name: 'http.server.requests',
                unit: '{request}',
                description: 'Requests.',
                ...sum([
                  { ...time, asInt: '7', attributes: [attribute('http.route', '/a'), attribute('code', '200')] },
                ]),
              },
              { name: 'io.bytes', unit: 'By', ...sum([{ ...time, asDouble: 1.5e9 }]) },
              { name: 'queue.size', unit: '1', ...sum([{ ...time, asInt: '-3' }], false) },
              { name: 'cpu.load', unit: '1', gauge: { dataPoints: [{ ...time, asDouble: 0.25 }] } },
              { name: 'speed', unit: 'm/s', gauge: { dataPoints: [{ ...time, asDouble: 3 }] } },
              { name: '5xx.rate', unit: '%', gauge: { dataPoints: [{ ...time, asDouble: 1 }] } },
              {
                name: 'latency',
                unit: 's',
                histogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      ...time,
                      count: '6',
                      sum: 3.5,
                      explicitBounds: [0.1, 0.5, 1],
                      bucketCounts: ['1', '2', '2', '1'],
                    },
                  ],
                },
              },
              {
                name: 'rpc.duration',
                unit: 'ms',
                exponentialHistogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      ...time,
                      count: '12',
                      sum: 100.5,
                      scale: 3,
                      zeroCount: '2',
                      positive: { offset: 4, bucketCounts: ['1', '0', '0', '0', '0', '4', '5'] },
                    },
                  ],
                },
              },
              {
                name: 'gc.pause',
                unit: 's',
                summary: {
                  dataPoints: [
                    {
                      ...time,
                      count: '4',
                      sum: 2,
                      quantileValues: [
                        { quantile: 0.5, value: 0.4 },
                        { quantile: 0.99, value: 0.9 },
                      ],
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  }
}

/** Debian's Prometheus is built without OTLP: what upstream's documentation and tests say of each metric. */
const EXPECTED = [
  'cpu_load_ratio 0.25',
  '_5xx_rate_percent 1',
  'gc_pause_seconds{quantile="0.5"} 0.4',
  'gc_pause_seconds{quantile="0.99"} 0.9',
  'gc_pause_seconds_count 4',
  'gc_pause_seconds_sum 2',
  'http_server_requests_total{code="200",http_route="/a"} 7',
  'io_bytes_total 1500000000',
  'latency_seconds_bucket{le="+Inf"} 6',
  'latency_seconds_bucket{le="0.1"} 1',
  'latency_seconds_bucket{le="0.5"} 3',
  'latency_seconds_bucket{le="1"} 5',
  'latency_seconds_count 6',
  'latency_seconds_sum 3.5',
  'queue_size -3',
  'rpc_duration_milliseconds count=12 sum=100.5',
  'speed_meters_per_second 3',
  'target_info{host_name="h1",process_pid="42"} 1',
]

test('OTLP becomes the series that Prometheus makes of it', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: ['--web.enable-otlp-receiver'] })
    const body = gzipSync(JSON.stringify(otlpBody(Date.now() - 1000)))
    const response = await fetch(`${hub.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body,
    })
    assert.equal(response.status, 200, await response.text())
    const rows = (await query(hub, '{job="eu/shop",instance="i-1"}')) as unknown as {
      metric: Record<string, string>
      value?: [number, string]
      histogram?: [number, { count: string; sum: string; buckets: unknown[] }]
    }[]
    const shown = rows.map(({ metric, value, histogram }) => {
      const { __name__: name, job: _job, instance: _instance, ...rest } = metric
      const labels = Object.entries(rest).map(([key, text]) => `${key}="${text}"`)
      const of = value ? value[1] : `count=${histogram![1].count} sum=${histogram![1].sum}`
      return `${name}${labels.length > 0 ? `{${labels.sort().join(',')}}` : ''} ${of}`
    })
    assert.deepEqual(shown.sort(), [...EXPECTED].sort())
    const { buckets } = rows.find(({ histogram }) => histogram)!.histogram![1]
    // Scale 3, offset 4: OTLP's bucket 4 is (2^(4/8), 2^(5/8)], the last two follow after a gap of four.
    const near = (bound: string | number): string => Number(bound).toPrecision(12)
    const bounds = (from: number): string[] => [near(2 ** (from / 8)), near(2 ** ((from + 1) / 8))]
    assert.deepEqual(
      (buckets as [number, string, string, string][])
        .slice(1)
        .map(([, low, high, count]) => [near(low), near(high), count]),
      [
        [...bounds(4), '1'],
        [...bounds(9), '4'],
        [...bounds(10), '5'],
      ],
    )
    const bad = await fetch(`${hub.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"resourceMetrics": 7}',
    })
    assert.equal(bad.status, 400)
    assert.match(await bad.text(), /resourceMetrics must be a list/)
    const delta = JSON.parse(
      JSON.stringify(otlpBody(Date.now())).replaceAll('"aggregationTemporality":2', '"aggregationTemporality":1'),
    )
    const partial = await fetch(`${hub.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(delta),
    })
    assert.equal(partial.status, 200)
    assert.match(await partial.text(), /partialSuccess.*invalid temporality/)
  }))

/** Remote write from real senders, and what the receiver says to bad ones: beside a real Prometheus, which must agree. */
import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { peer } from '../peers/peers.ts'
import {
  api,
  freePort,
  lacks,
  type MatrixRow,
  query,
  queryRange,
  queryValue,
  type Server,
  samples,
  sleep,
  until,
  untilHolds,
  withWorld,
} from './world.ts'

const byLabels = (rows: readonly { readonly metric: object }[]): unknown[] =>
  rows
    .map((row) => ({ key: JSON.stringify(Object.entries(row.metric).sort()), row }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ row }) => row)

test(
  'a hub behind a Prometheus’s remote_write holds the same series, samples and histograms',
  {
    skip: lacks('prometheus'),
  },
  () =>
    withWorld(async (world) => {
      let scrapes = 0
      const target = http.createServer((_, response) => {
        scrapes++
        response.end(
          `a_total ${scrapes}\nb{x="é \\"\\\\\\n"} ${0.1 * scrapes}\nb{x="nan"} NaN\nb{x="inf"} -Inf\nb{x="tiny"} 5e-324\n${scrapes % 3 === 0 ? '' : 'b{x="sometimes"} 1\n'}`,
        )
      })
      const port = await freePort()
      await new Promise<void>((resolve) => target.listen(port, '127.0.0.1', resolve))
      world.onClose(() => void target.close())
      const hub = await world.startHub()
      const prometheus = await world.startPrometheus({
        flags: ['--enable-feature=native-histograms'],
        config: `global: { scrape_interval: 1s }
scrape_configs:
  - job_name: target
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
    fallback_scrape_protocol: PrometheusText0.0.4
  - job_name: prometheus
    static_configs: [{ targets: ['OWN_ADDRESS'] }]
remote_write:
  - url: ${hub.url}/api/v1/write
    send_native_histograms: true
    queue_config: { batch_send_deadline: 200ms }
    metadata_config: { send_interval: 1s }
`,
      })
      await until('scrapes have arrived', async () => (await queryValue(hub, 'a_total')) !== null && scrapes >= 5, {
        explain: () => world.tails(),
      })
      // The target goes: both must show its series ending, and `up` at 0.
      target.closeAllConnections()
      target.close()
      await until('the target is down', async () => (await queryValue(hub, 'up{job="target"}')) === 0)
      await sleep(1000)
      const end = Math.floor(Date.now() / 1000) - 1
      const newest = 'max(timestamp(prometheus_tsdb_head_series))'
      await until('the queue has caught up', async () => (await queryValue(hub, newest))! > end)

      // A scrape of then may be stored late, there, and be sent behind others, here.
      for (const selector of ['{job="target"}[1m]', '{job="prometheus"}[1m]'])
        await untilHolds(selector, async () =>
          assert.deepEqual(
            byLabels(await samples(hub, selector, end)),
            byLabels(await samples(prometheus, selector, end)),
          ),
        )
      const histograms = await samples(hub, 'prometheus_http_request_duration_seconds[1m]', end)
      assert.ok(
        histograms.some((row) => 'histograms' in row),
        'native histograms arrived',
      )
      for (const expr of [
        'up',
        'rate(a_total[5s])',
        'b',
        'sum by (job) (rate(process_cpu_seconds_total[10s]))',
        'prometheus_http_request_duration_seconds',
      ]) {
        const range = { start: end - 20, end, step: 0.5 }
        const [ours, theirs] = [await queryRange(hub, expr, range), await queryRange(prometheus, expr, range)]
        assert.ok(theirs.length > 0, `${expr} has an answer`)
        assert.deepEqual(byLabels(ours), byLabels(theirs), expr)
      }
      await assertQuantilesAgree(hub, prometheus, end)
      for (const name of ['prometheus_build_info', 'prometheus_tsdb_head_samples_appended_total'])
        await untilHolds(`the metadata of ${name}`, async () =>
          assert.deepEqual((await metadataOf(hub))[name], (await metadataOf(prometheus))[name]),
        )
    }),
)

/** Go's Log2 and Exp2 differ from JavaScript's in the last bit, and quantiles within an exponential bucket use both. */
async function assertQuantilesAgree(hub: Server, prometheus: Server, end: number): Promise<void> {
  const expr = 'histogram_quantile(0.9, rate(prometheus_http_request_duration_seconds[10s]))'
  const range = { start: end - 20, end, step: 0.5 }
  const [ours, theirs] = [await queryRange(hub, expr, range), await queryRange(prometheus, expr, range)]
  const flat = (rows: readonly MatrixRow[]): (readonly [string, number, number])[] =>
    rows.flatMap(({ metric, values }) =>
      values.map(([time, value]) => [JSON.stringify(metric), time, Number(value)] as const),
    )
  const [a, b] = [flat(byLabels(ours) as MatrixRow[]), flat(byLabels(theirs) as MatrixRow[])]
  assert.ok(b.length > 0)
  assert.deepEqual(
    a.map(([metric, time]) => [metric, time]),
    b.map(([metric, time]) => [metric, time]),
  )
  a.forEach(([, , value], i) => {
    const expected = b[i]![2]
    if (!Object.is(value, expected)) assert.ok(Math.abs(value / expected - 1) < 1e-14, `${value}, expected ${expected}`)
  })
}

async function metadataOf(server: Server): Promise<Record<string, unknown>> {
  return (await api(server, '/api/v1/metadata')).data as Record<string, unknown>
}

type WriteRow = {
  readonly name: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly method?: string
  readonly status: number
  /** What Prometheus 3.5 answers, where we mean to differ. */
  readonly theirs?: { readonly status: number; readonly because: string }
}

const SNAPPY = { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' }

function write(labels: Record<string, string>, timestampMs: number, value: number): Uint8Array {
  const series = { labels: labelsFrom(labels), timestamps: [timestampMs], values: Float64Array.of(value) }
  return snappyCompress(encodeWriteRequest([series]))
}

function rows(nowMs: number): readonly WriteRow[] {
  const good = write({ __name__: 'good', a: '1' }, nowMs, 1)
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
  return [
    { name: 'a good request', headers: SNAPPY, body: good, status: 204 },
    { name: 'the same again', headers: SNAPPY, body: good, status: 204 },
    { name: 'no headers at all', body: write({ __name__: 'good', a: '2' }, nowMs, 1), status: 204 },
    { name: 'SNAPPY in capitals', headers: { ...SNAPPY, 'content-encoding': 'SNAPPY' }, body: good, status: 204 },
    {
      name: 'the message named',
      headers: { ...SNAPPY, 'content-type': 'application/x-protobuf;proto=prometheus.WriteRequest' },
      body: good,
      status: 204,
    },
    { name: 'a request of no series', headers: SNAPPY, body: snappyCompress(bytes()), status: 204 },
    {
      name: 'another value at a stored time',
      headers: SNAPPY,
      body: write({ __name__: 'good', a: '1' }, nowMs, 2),
      status: 400,
    },
    { name: 'a series without a name', headers: SNAPPY, body: write({ a: '1' }, nowMs, 1), status: 204 },
    { name: 'an empty body', headers: SNAPPY, body: bytes(), status: 400 },
    { name: 'a body that is not snappy', headers: SNAPPY, body: Buffer.from('not snappy at all'), status: 400 },
    { name: 'a snappy body cut short', headers: SNAPPY, body: good.subarray(0, good.length - 3), status: 400 },
    {
      name: 'snappy of what is no protobuf',
      headers: SNAPPY,
      body: snappyCompress(Buffer.from('no protobuf')),
      status: 400,
    },
    {
      name: 'a message cut short',
      headers: SNAPPY,
      body: snappyCompress(bytes(0x0a, 0x7f, 0x0a)),
      status: 400,
    },
    { name: 'gzip', headers: { ...SNAPPY, 'content-encoding': 'gzip' }, body: good, status: 415 },
    {
      name: 'zstd',
      headers: { ...SNAPPY, 'content-encoding': 'zstd' },
      body: zstdCompressSync(encodeWriteRequest([])),
      status: 204,
      theirs: { status: 415, because: 'Prometheus takes snappy only' },
    },
    { name: 'JSON', headers: { ...SNAPPY, 'content-type': 'application/json' }, body: good, status: 415 },
    {
      name: 'an unknown message',
      headers: { ...SNAPPY, 'content-type': 'application/x-protobuf;proto=some.Message' },
      body: good,
      status: 415,
    },
    {
      name: 'a parameter that is none',
      headers: { ...SNAPPY, 'content-type': 'application/x-protobuf;proto' },
      body: good,
      status: 415,
    },
    { name: 'GET', method: 'GET', body: bytes(), status: 405 },
    {
      name: 'remote write 2.0',
      headers: { ...SNAPPY, 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
      body: snappyCompress(bytes()),
      status: 204,
    },
    {
      name: 'an older sample of a known series',
      headers: SNAPPY,
      body: write({ __name__: 'good', a: '1' }, nowMs - 30_000, 7),
      status: 204,
      theirs: { status: 400, because: 'the hub accepts samples in any order' },
    },
    {
      name: 'a sample of last month',
      headers: SNAPPY,
      body: write({ __name__: 'good', a: '1' }, nowMs - 30 * 86_400_000, 7),
      status: 204,
      theirs: { status: 400, because: 'the hub accepts any timestamp' },
    },
  ]
}

async function send(server: Server, { method = 'POST', headers = {}, body }: WriteRow) {
  const response = await fetch(`${server.url}/api/v1/write`, {
    method,
    headers,
    ...(method === 'POST' && { body: body as Uint8Array<ArrayBuffer> }),
  })
  return { status: response.status, text: await response.text() }
}

test('good and bad requests get the status that Prometheus gives them', { skip: lacks('prometheus') }, async (t) => {
  await withWorld(async (world) => {
    const hub = await world.startHub()
    const prometheus = await world.startPrometheus({
      config: 'global: { scrape_interval: 1h }',
      flags: ['--web.enable-remote-write-receiver'],
    })
    for (const row of rows(Date.now())) {
      await t.test(row.name, async () => {
        const [ours, theirs] = [await send(hub, row), await send(prometheus, row)]
        assert.equal(ours.status, row.status, `the hub said: ${ours.text}`)
        assert.equal(theirs.status, row.theirs?.status ?? row.status, `Prometheus said: ${theirs.text}`)
        if (ours.status >= 400 && row.method !== 'GET') assert.match(ours.text, /\S{3,}/, 'a reason is given')
      })
    }
    await t.test('what was refused was not stored, and what was accepted was', async () => {
      assert.deepEqual(
        (await query(hub, 'good')).map(({ metric, value }) => [metric['a'], value[1]]),
        [
          ['1', '1'],
          ['2', '1'],
        ],
      )
    })
  })
})

test('without --web.enable-remote-write-receiver the path answers 404', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: [] })
    const [row] = rows(Date.now())
    const { status, text } = await send(hub, row!)
    assert.equal(status, 404)
    assert.match(text, /--web\.enable-remote-write-receiver/)
  }))

test('promtool push metrics', { skip: lacks('promtool') }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const file = world.file('metrics.txt', '# TYPE pushed_total counter\npushed_total{by="promtool"} 42\n')
    const { code, stdout, stderr } = await world.run(peer('promtool').path!, [
      'push',
      'metrics',
      '--label=job=pushed',
      `${hub.url}/api/v1/write`,
      file,
    ])
    assert.equal(code, 0, `${stdout}${stderr}`)
    assert.equal(await queryValue(hub, 'pushed_total{by="promtool",job="pushed"}'), 42)
  }),
)

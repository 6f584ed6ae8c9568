/**
 * The hub's own `remote_write`: what it stores reaches real receivers (Prometheus by 1.0 and 2.0, VictoriaMetrics, another
 * hub), over receivers that are away, a hub that is killed, and reloads.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { parseExposition } from '../../protocol/exposition/mod.ts'
import { formatLabels, labelsFrom } from '../../protocol/labels/mod.ts'
import {
  encodeWriteRequest,
  snappyCompress,
  snappyDecompress,
  WriteRequest2Encoder,
  WriteRequestDecoder,
} from '../../protocol/remote-write/mod.ts'
import { EMPTY_HISTOGRAM } from '../../protocol/samples/mod.ts'
import { peer } from '../peers/peers.ts'
import {
  api,
  freePort,
  type HttpProgram,
  type Hub,
  lacks,
  queryValue,
  type Server,
  samples,
  sleep,
  until,
  untilHolds,
  type World,
  withWorld,
} from './world.ts'

const QUEUE = 'queue_config: { batch_send_deadline: 500ms, min_backoff: 20ms, max_backoff: 200ms }'

/** Pushes samples of `series` series at the times, in ms; resolves when the hub has acknowledged them. */
async function push(hub: Server, name: string, times: readonly number[], series = 10): Promise<void> {
  const request = Array.from({ length: series }, (_, i) => ({
    labels: labelsFrom({ __name__: name, i: String(i) }),
    timestamps: times,
    values: Float64Array.from(times, (time) => (time % 1000) + i),
  }))
  await post(hub, snappyCompress(encodeWriteRequest(request)))
}

async function post(hub: Server, body: Uint8Array, headers: Record<string, string> = {}): Promise<void> {
  const response = await fetch(`${hub.url}/api/v1/write`, {
    method: 'POST',
    body: body as Uint8Array<ArrayBuffer>,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy', ...headers },
  })
  assert.ok(response.ok, await response.text())
}

/** A native histogram, an exemplar, a stale marker and metadata, by 2.0. */
async function pushAll(hub: Server, atMs: number): Promise<void> {
  const encoder = new WriteRequest2Encoder()
  const none = { startMs: 0, metadata: null, exemplars: [] }
  const histogram = {
    ...EMPTY_HISTOGRAM,
    isFloat: false,
    count: 6,
    sum: 18.4,
    zeroThreshold: 0.001,
    zeroCount: 1,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveBuckets: [2, 3],
  }
  encoder.histogram(labelsFrom({ __name__: 'native' }), atMs, histogram, none)
  encoder.float(labelsFrom({ __name__: 'seen_total' }), atMs, Float64Array.of(5), 0, {
    startMs: atMs - 60_000,
    metadata: { type: 'counter', help: 'Seen.', unit: '' },
    exemplars: [{ labels: ['trace_id', 'abc'], value: 4, timestampMs: atMs - 10 }],
  })
  encoder.float(labelsFrom({ __name__: 'ended' }), atMs, Float64Array.of(1), 0, none)
  const stale = new Float64Array(BigUint64Array.of(0x7ff0000000000002n).buffer)
  encoder.float(labelsFrom({ __name__: 'ended' }), atMs + 1000, stale, 0, none)
  const headers = {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  }
  await post(hub, snappyCompress(encoder.finish()), headers)
}

const timesFrom = (startMs: number, count: number, stepMs = 100): number[] =>
  Array.from({ length: count }, (_, i) => startMs + i * stepMs)

/** Samples of a metric, by series without labels that receivers add, then by time. */
async function stored(server: Server, name: string): Promise<string[]> {
  const rows = await samples(server, `${name}[1h]`)
  return rows
    .flatMap(({ metric, values }) => values.map(([time, value]) => `${metric['i'] ?? ''} ${time} ${value}`))
    .sort()
}

async function metric(hub: Server, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const response = await fetch(`${hub.url}/metrics`)
  const page = parseExposition(new Uint8Array(await response.arrayBuffer()), { format: 'text' })
  let sum = 0
  for (const entry of page)
    if (entry.kind === 'series') {
      const pairs = Object.fromEntries(pairsOf(entry.labels))
      if (pairs['__name__'] === name && Object.entries(labels).every(([key, value]) => pairs[key] === value))
        sum += entry.value
    }
  return sum
}

function* pairsOf(labels: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i]!, labels[i + 1]!]
}

/** A receiver of 1.0 that keeps how often each sample came; `answer` may refuse the request first. */
async function startSink(world: World, port = 0) {
  const counts = new Map<string, number>()
  const sink = {
    counts,
    requests: 0,
    url: '',
    answer: (): { status: number; headers?: Record<string, string> } => ({ status: 204 }),
    samples: () => counts.size,
    twice: () => [...counts].filter(([, count]) => count > 1),
  }
  const decoder = new WriteRequestDecoder()
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    sink.requests++
    const { status, headers } = sink.answer()
    if (status < 300) {
      const columns = decoder.decode(snappyDecompress(Buffer.concat(chunks)))
      for (let s = 0; s < columns.seriesCount; s++)
        for (let i = columns.sampleStart[s]!; i < columns.sampleStart[s + 1]!; i++) {
          const key = `${formatLabels(columns.labels(s).labels!)} ${columns.timestamps[i]} ${columns.values[i]}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
    }
    response.writeHead(status, headers).end()
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  world.onClose(() => {
    server.closeAllConnections()
    server.close()
  })
  sink.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/write`
  return sink
}

async function startVictoria(world: World): Promise<HttpProgram> {
  const port = await freePort()
  const args = [`-storageDataPath=${world.file('victoria')}`, `-httpListenAddr=127.0.0.1:${port}`]
  args.push('-search.disableCache', '-search.latencyOffset=0s')
  const program = world.program({ name: 'victoria', file: peer('victoria-metrics').path!, args })
  program.spawn()
  const server = { url: `http://127.0.0.1:${port}` }
  await until('VictoriaMetrics is ready', async () => (await fetch(`${server.url}/health`)).ok)
  return server as HttpProgram
}

const RECEIVER = ['--web.enable-remote-write-receiver']

test(
  'Prometheus by 1.0 and 2.0, VictoriaMetrics and another hub get what is stored: floats, histograms, exemplars, markers',
  { skip: lacks('prometheus', 'victoria-metrics') },
  () =>
    withWorld(async (world) => {
      const flags = [...RECEIVER, '--enable-feature=exemplar-storage,native-histograms']
      const config = 'global: { scrape_interval: 1h }'
      const first = await world.startPrometheus({ config, flags })
      const second = await world.startPrometheus({ config, flags })
      const victoria = await startVictoria(world)
      const far = await world.startHub({ name: 'far', config })
      const more = `send_exemplars: true, send_native_histograms: true, metadata_config: { send_interval: 1s }, ${QUEUE}`
      const hub = await world.startHub({
        config: `
global: { scrape_interval: 1s, external_labels: { site: a } }
remote_write:
  - { url: '${first.url}/api/v1/write', name: first, ${more} }
  - { url: '${second.url}/api/v1/write', name: second, protobuf_message: io.prometheus.write.v2.Request, ${more} }
  - { url: '${victoria.url}/api/v1/write', name: victoria, ${QUEUE} }
  - url: ${far.url}/api/v1/write
    name: far
    protobuf_message: io.prometheus.write.v2.Request
    write_relabel_configs: [{ source_labels: [i], regex: '7', action: drop }]
    send_exemplars: true
    send_native_histograms: true
    ${QUEUE}
`,
      })
      const now = Date.now() - 60_000
      await push(hub, 'pushed', timesFrom(now, 100))
      await pushAll(hub, now)
      const expected = await stored(hub, 'pushed')
      assert.equal(expected.length, 1000)
      for (const receiver of [first, second, victoria])
        await until('all samples are there', async () => {
          const there = await stored(receiver, 'pushed{site="a"}')
          return there.length === expected.length && (assert.deepEqual(there, expected), true)
        })
      await until(
        'all but what is dropped are there',
        async () => (await stored(far, 'pushed{site="a"}')).length === 900,
      )
      assert.equal(
        await metric(hub, 'prometheus_remote_storage_samples_dropped_total', {
          reason: 'dropped_series',
          remote_name: 'far',
        }),
        100,
      )
      for (const receiver of [first, second, far]) {
        const at = now / 1000 + 0.5
        await until(
          'the histogram is there',
          async () => (await queryValue(receiver, 'histogram_count(native)', at)) === 6,
        )
        // In other requests, perhaps.
        await untilHolds('the rest is there', async () => {
          assert.equal(await queryValue(receiver, 'histogram_sum(native)', at), 18.4)
          assert.equal(await queryValue(receiver, 'ended', at), 1)
          assert.equal(await queryValue(receiver, 'ended', at + 2), null)
          const { data } = await api(receiver, '/api/v1/query_exemplars', {
            query: 'seen_total',
            start: String(at - 60),
            end: String(at + 60),
          })
          const shown = (data as { exemplars: { labels: object }[] }[]).map(({ exemplars }) =>
            exemplars.map(({ labels }) => labels),
          )
          assert.deepEqual(shown, [[{ trace_id: 'abc' }]])
        })
      }
      await until(
        'families of 1.0 are sent',
        async () => (await metric(hub, 'prometheus_remote_storage_metadata_total')) > 0,
      )
      for (const name of ['samples', 'histograms', 'exemplars'])
        assert.equal(await metric(hub, `prometheus_remote_storage_${name}_failed_total`), 0, name)
      const behind = await metric(hub, 'prometheus_remote_storage_queue_highest_sent_timestamp_seconds', {
        remote_name: 'first',
      })
      assert.ok(behind >= now / 1000)
    }),
)

test('a receiver that is away for a while gets everything once', { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const sink = await startSink(world)
    const prometheus = await world.startPrometheus({ config: 'global: { scrape_interval: 1h }', flags: RECEIVER })
    const hub = await world.startHub({
      config: `remote_write: [{ url: '${sink.url}', name: sink, ${QUEUE} }, { url: '${prometheus.url}/api/v1/write', ${QUEUE} }]`,
    })
    const start = Date.now() - 120_000
    await push(hub, 'pushed', timesFrom(start, 50))
    await until('the first samples are there', () => sink.samples() >= 500)
    sink.answer = () => ({ status: 503 })
    await prometheus.stop()
    for (let i = 1; i <= 20; i++) {
      await push(hub, 'pushed', timesFrom(start + i * 5000, 50))
      await sleep(50)
    }
    const before = sink.requests
    await until('it is tried again', () => sink.requests > before + 3)
    assert.ok((await metric(hub, 'prometheus_remote_storage_samples_retried_total')) > 0)
    sink.answer = () => ({ status: 204 })
    await prometheus.restart()
    const expected = await stored(hub, 'pushed')
    assert.equal(expected.length, 10_500)
    await until('all samples are there', () => sink.samples() === expected.length)
    await until('Prometheus has them, too', async () => (await stored(prometheus, 'pushed')).length === expected.length)
    assert.deepEqual(await stored(prometheus, 'pushed'), expected)
    await sleep(1000)
    assert.deepEqual(sink.twice(), [])
    assert.equal(await metric(hub, 'prometheus_remote_storage_samples_failed_total'), 0)
  }),
)

test('a hub that is killed loses nothing that it had acknowledged; one that is stopped sends nothing twice', () =>
  withWorld(async (world) => {
    const sink = await startSink(world)
    const hub = await world.startHub({ config: `remote_write: [{ url: '${sink.url}', name: sink, ${QUEUE} }]` })
    const start = Date.now() - 600_000
    let pushed = 0
    const more = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await push(hub, 'pushed', timesFrom(start + pushed++ * 1000, 10))
    }
    for (let life = 0; life < 3; life++) {
      await more(20)
      // In the middle of it, and with the receiver away.
      if (life === 1) sink.answer = () => ({ status: 500 })
      await more(20)
      await hub.kill()
      sink.answer = () => ({ status: 204 })
      await hub.restart()
    }
    await until('all samples are there', () => sink.samples() === 100 * pushed, { explain: () => hub.tail() })
    await until('nothing is sent again any more', async () => {
      const before = sink.requests
      await sleep(6000)
      return sink.requests === before
    })
    sink.counts.clear()
    await more(20)
    await hub.stop()
    await hub.restart()
    await more(20)
    await until('all samples are there', () => sink.samples() === 4000, { explain: () => hub.tail() })
    await sleep(1000)
    assert.deepEqual(sink.twice(), [])
  }))

test(
  'Prometheus, which takes nothing of a request with one old sample, has everything after kills',
  { skip: lacks('prometheus') },
  () =>
    withWorld(async (world) => {
      const config = 'global: { scrape_interval: 1h }'
      const [first, second] = [
        await world.startPrometheus({ config, flags: RECEIVER }),
        await world.startPrometheus({ config, flags: RECEIVER }),
      ]
      const hub = await world.startHub({
        config: `
remote_write:
  - { url: '${first.url}/api/v1/write', name: first, ${QUEUE} }
  - { url: '${second.url}/api/v1/write', name: second, protobuf_message: io.prometheus.write.v2.Request, ${QUEUE} }`,
      })
      const start = Date.now() - 600_000
      let pushed = 0
      for (let life = 0; life < 4; life++) {
        for (let i = 0; i < 30; i++) {
          await push(hub, 'pushed', timesFrom(start + pushed++ * 1000, 7 + life), 300)
          // Longer than the deadline: what is sent again after the kill is cut into other requests than before.
          if (i % 10 === 0) await sleep(700)
        }
        await hub.kill()
        await hub.restart()
      }
      await push(hub, 'pushed', timesFrom(start + pushed * 1000, 5), 300)
      const expected = await stored(hub, 'pushed')
      for (const receiver of [first, second])
        await until(
          'all samples are there',
          async () => (await queryValue(receiver, 'sum(count_over_time(pushed[1h]))')) === expected.length,
          { explain: () => hub.tail() },
        )
      assert.deepEqual(await stored(first, 'pushed'), expected)
      assert.deepEqual(await stored(second, 'pushed'), expected)
    }),
)

test(
  'what an agent, the hub’s own scrapes and rules give arrives, an agent’s backlog too',
  { skip: lacks('prometheus') },
  () =>
    withWorld(async (world) => {
      const config = 'global: { scrape_interval: 1h }\nstorage: { tsdb: { out_of_order_time_window: 30m } }'
      const [first, second] = [
        await world.startPrometheus({ config, flags: RECEIVER }),
        await world.startPrometheus({ config, flags: RECEIVER }),
      ]
      const port = await freePort()
      const hub = await world.startHub({
        port,
        config: `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs: [{ job_name: own, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }]
remote_write:
  - { url: '${first.url}/api/v1/write', name: first, ${QUEUE} }
  - { url: '${second.url}/api/v1/write', name: second, protobuf_message: io.prometheus.write.v2.Request, ${QUEUE} }`,
        files: { 'rules.yml': 'groups: [{ name: g, rules: [{ record: ups, expr: sum(up) }] }]' },
      })
      await world.startAgent({ hub, id: 'host-1' })
      await until('the agent is there', () => queryValue(hub, 'count({agent="host-1"})'))
      await sleep(3000)
      await hub.kill()
      await sleep(2000)
      await hub.restart()
      await sleep(5000)
      const end = (Date.now() - 2000) / 1000
      const all = async (server: Server): Promise<Map<string, string>> => {
        const found = new Map<string, string>()
        for (const { metric: labels, values } of await samples(server, '{__name__=~".+"}[10m]', end))
          for (const [time, value] of values) found.set(`${JSON.stringify(labelsFrom(labels))} ${time}`, value)
        return found
      }
      const expected = await all(hub)
      assert.ok([...expected.keys()].some((key) => key.includes('"agent","host-1"')))
      assert.ok([...expected.keys()].some((key) => key.includes('"__name__","ups"')))
      for (const receiver of [first, second]) {
        let missing: string[] = []
        await until(
          'all samples are there',
          async () => {
            const there = await all(receiver)
            missing = [...expected].filter(([key, value]) => there.get(key) !== value).map(([key]) => key)
            return missing.length === 0
          },
          {
            explain: () => `${missing.length} of ${expected.size} are missing: ${missing.slice(0, 5)}`,
          },
        )
      }
    }),
)

test('what a receiver refuses is counted and not sent again; 429 is, when it says', () =>
  withWorld(async (world) => {
    const sink = await startSink(world)
    const hub = await world.startHub({ config: `remote_write: [{ url: '${sink.url}', name: sink, ${QUEUE} }]` })
    const start = Date.now() - 60_000
    sink.answer = () => ({ status: 404 })
    await push(hub, 'refused', timesFrom(start, 10))
    await until(
      'it is counted',
      async () => (await metric(hub, 'prometheus_remote_storage_samples_failed_total')) === 100,
    )
    const times: number[] = []
    sink.answer = () => {
      times.push(performance.now())
      return times.length === 1 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 204 }
    }
    await push(hub, 'delayed', timesFrom(start, 10))
    await until('it is there', () => sink.samples() === 100)
    assert.ok(times[1]! - times[0]! >= 1990, `after ${times[1]! - times[0]!} ms`)
    assert.equal(await metric(hub, 'prometheus_remote_storage_samples_failed_total'), 100)
    assert.equal(await metric(hub, 'prometheus_remote_storage_samples_retried_total'), 100)
  }))

test('a reload adds and removes receivers and leaves the others alone; secrets are not shown', () =>
  withWorld(async (world) => {
    const [kept, gone, added] = [await startSink(world), await startSink(world), await startSink(world)]
    const yaml = (...urls: string[]): string =>
      `remote_write:\n${urls.map((url, i) => `  - { url: '${url}', basic_auth: { username: u${i}, password: canary }, ${QUEUE} }\n`).join('')}`
    const hub = await world.startHub({ config: yaml(kept.url, gone.url) })
    const start = Date.now() - 60_000
    await push(hub, 'before', timesFrom(start, 10))
    await until('both have it', () => kept.samples() === 100 && gone.samples() === 100)
    const text = fs.readFileSync(hub.configFile, 'utf8')
    fs.writeFileSync(hub.configFile, text.replace(yaml(kept.url, gone.url), yaml(kept.url, added.url)))
    await reload(hub)
    await until('one is gone', async () => !(await (await fetch(`${hub.url}/metrics`)).text()).includes(gone.url))
    await push(hub, 'after', timesFrom(start, 10))
    await until('both have what came since', () => kept.samples() === 200 && added.samples() === 100)
    assert.equal(gone.samples(), 100)
    assert.deepEqual(kept.twice(), [])
    const shown = JSON.stringify((await api(hub, '/api/v1/status/config')).data)
    assert.ok(shown.includes(added.url) && shown.includes('<secret>') && !shown.includes('canary'))
    assert.ok(!hub.output.includes('canary'))
    // Without any, the thread ends, and begins again.
    fs.writeFileSync(hub.configFile, text.replace(yaml(kept.url, gone.url), ''))
    await reload(hub)
    await until(
      'all are gone',
      async () => !(await (await fetch(`${hub.url}/metrics`)).text()).includes('remote_storage'),
    )
    await push(hub, 'unsent', timesFrom(start, 10))
    fs.writeFileSync(hub.configFile, text.replace(yaml(kept.url, gone.url), yaml(kept.url)))
    await reload(hub)
    await push(hub, 'again', timesFrom(start, 10))
    await until('it is sent to again', () => kept.samples() === 300)
    assert.ok(![...kept.counts.keys()].some((key) => key.includes('unsent')))
  }))

async function reload(hub: Hub): Promise<void> {
  const response = await fetch(`${hub.url}/-/reload`, { method: 'POST' })
  assert.equal(response.status, 200, await response.text())
}

/** Of a real Prometheus, and not of the hub: what stands behind them is not there. */
const NOT_HERE = new Set([
  // The buffers of its queues.
  'prometheus_remote_storage_enqueue_retries_total',
  'prometheus_remote_storage_string_interner_zero_reference_releases_total',
  // Of reading, not writing.
  'prometheus_remote_storage_remote_read_queries',
])

test('metrics have the names, types and labels that Prometheus gives them', { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const sink = await startSink(world)
    const config = `remote_write: [{ url: '${sink.url}', name: sink }]`
    const hub = await world.startHub({ config })
    const prometheus = await world.startPrometheus({ config })
    await untilHolds('all are there', async () => {
      const [ours, theirs] = [await shapes(hub), await shapes(prometheus)]
      const missing = [...theirs].filter(([name, shape]) => !NOT_HERE.has(name) && ours.get(name) !== shape)
      assert.deepEqual(missing, [])
    })
  }),
)

/** Type and label names of the metrics of remote write. */
async function shapes(server: Server): Promise<Map<string, string>> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  const found = new Map<string, string>()
  for (const line of text.split('\n')) {
    const type = /^# TYPE (prometheus_remote_storage_\S+) (\S+)/.exec(line)
    if (type) found.set(type[1]!, type[2]!)
    const sample = /^(prometheus_remote_storage_\S+?)(?:\{(.*)\})? /.exec(line)
    if (!sample) continue
    const name = found.has(sample[1]!) ? sample[1]! : sample[1]!.replace(/_(?:bucket|sum|count)$/, '')
    const labels = [...(sample[2] ?? '').matchAll(/(\w+)="/g)]
      .map(([, label]) => label!)
      .filter((each) => each !== 'le')
    found.set(name, `${found.get(name)!.split(' ')[0]} ${labels.sort().join()}`)
  }
  return found
}

/** A real Prometheus reads from the hub, and answers what the hub answers; answers are read by an independent decoder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { crc32c } from '../../protocol/crc/mod.ts'
import { ChunkColumns, decodeChunk } from '../../protocol/prometheus-tsdb/mod.ts'
import { snappyCompress, snappyDecompress } from '../../protocol/remote-write/mod.ts'
import { allData, STEP_MS, writeData } from './tsdb-data.ts'
import { lacks, query, type Server, samples, until, withWorld } from './world.ts'

const { root } = protobuf.parse(`
  syntax = "proto3"; package prometheus;
  message LabelMatcher { int32 type = 1; string name = 2; string value = 3; }
  message Query { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2; repeated LabelMatcher matchers = 3; }
  message ReadRequest { repeated Query queries = 1; repeated int32 accepted_response_types = 2; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated bytes histograms = 4; }
  message QueryResult { repeated TimeSeries timeseries = 1; }
  message ReadResponse { repeated QueryResult results = 1; }
  message Chunk { int64 min_time_ms = 1; int64 max_time_ms = 2; int32 type = 3; bytes data = 4; }
  message ChunkedSeries { repeated Label labels = 1; repeated Chunk chunks = 2; }
  message ChunkedReadResponse { repeated ChunkedSeries chunked_series = 1; int64 query_index = 2; }
`)
const Request = root.lookupType('prometheus.ReadRequest')
const Answer = root.lookupType('prometheus.ReadResponse')
const Frame = root.lookupType('prometheus.ChunkedReadResponse')

type Label = { readonly name: string; readonly value: string }
type Matcher = readonly [type: number, name: string, value: string]
type Query = { readonly from: number; readonly to: number; readonly matchers: readonly Matcher[] }

async function read(server: Server, queries: readonly Query[], accepted: readonly number[] = []): Promise<Response> {
  const message = Request.encode(
    Request.fromObject({
      queries: queries.map(({ from, to, matchers }) => ({
        startTimestampMs: from,
        endTimestampMs: to,
        matchers: matchers.map(([type, name, value]) => ({ type, name, value })),
      })),
      acceptedResponseTypes: accepted,
    }),
  ).finish()
  return fetch(`${server.url}/api/v1/read`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyCompress(message) as Uint8Array<ArrayBuffer>,
  })
}

const nameOf = (labels: readonly Label[]): string => labels.map(({ name, value }) => `${name}=${value}`).join()
type Series = {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
  readonly histograms: number
}

async function readSamples(server: Server, queries: readonly Query[]): Promise<Series[][]> {
  const response = await read(server, queries)
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'application/x-protobuf')
  assert.equal(response.headers.get('content-encoding'), 'snappy')
  const { results } = Answer.toObject(
    Answer.decode(snappyDecompress(new Uint8Array(await response.arrayBuffer()), 1 << 30)),
    {
      longs: Number,
      defaults: true,
    },
  ) as {
    results: {
      timeseries: { labels: Label[]; samples: { value: number; timestamp: number }[]; histograms: unknown[] }[]
    }[]
  }
  return results.map(({ timeseries }) =>
    timeseries.map(({ labels, samples: list, histograms }) => ({
      name: nameOf(labels),
      points: list.map(({ value, timestamp }) => [timestamp, value] as const),
      histograms: histograms.length,
    })),
  )
}

/** Samples come in any order from a Prometheus. */
const byName = (series: readonly Series[]): Series[] => [...series].sort((a, b) => (a.name < b.name ? -1 : 1))

async function readChunks(
  server: Server,
  queries: readonly Query[],
  maxFrame: number,
): Promise<{ series: Series[][]; frames: number }> {
  const response = await read(server, queries, [1])
  assert.equal(response.status, 200)
  assert.equal(
    response.headers.get('content-type'),
    'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse',
  )
  assert.equal(response.headers.get('content-encoding'), null)
  const bytes = new Uint8Array(await response.arrayBuffer())
  const columns = new ChunkColumns()
  const found: Series[][] = queries.map(() => [])
  let frames = 0
  for (let at = 0; at < bytes.length; frames++) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      length += (bytes[at]! & 127) << shift
      if (bytes[at++]! < 128) break
    }
    const message = bytes.subarray(at + 4, at + 4 + length)
    assert.equal(new DataView(bytes.buffer, at, 4).getUint32(0), crc32c(message), 'CRC32C, big endian')
    assert.ok(length <= maxFrame + 2000, `a frame of ${length} bytes`)
    at += 4 + length
    const { chunkedSeries, queryIndex } = Frame.toObject(Frame.decode(message), { longs: Number, defaults: true }) as {
      chunkedSeries: {
        labels: Label[]
        chunks: { minTimeMs: number; maxTimeMs: number; type: number; data: Uint8Array }[]
      }[]
      queryIndex: number
    }
    for (const { labels, chunks } of chunkedSeries) {
      const name = nameOf(labels)
      const list = found[queryIndex]!
      if (list.at(-1)?.name !== name) list.push({ name, points: [], histograms: 0 })
      const series = list.at(-1) as { name: string; points: [number, number][]; histograms: number }
      for (const { minTimeMs, maxTimeMs, type, data } of chunks) {
        decodeChunk(type, data, columns)
        assert.deepEqual([minTimeMs, maxTimeMs], [columns.times[0], columns.times[columns.count - 1]])
        if (columns.histograms) series.histograms += columns.count
        else for (let i = 0; i < columns.count; i++) series.points.push([columns.times[i]!, columns.values[i]!])
      }
    }
  }
  return { series: found, frames }
}

const CONFIG = `global: { scrape_interval: 1h, external_labels: { region: eu, host: outer } }\n`
const COUNT = 400
/** Blocks of 20 s are many. */
const FEW = 120

test(
  'samples and chunks, their limits and errors, beside what a real Prometheus answers',
  { skip: lacks('prometheus') },
  () =>
    withWorld(async (world) => {
      const flags = [
        '--web.enable-remote-write-receiver',
        '--storage.remote.read-max-bytes-in-frame=1000',
        '--storage.remote.read-sample-limit=3000',
      ]
      const hub = await world.startHub({ config: CONFIG, flags })
      const prometheus = await world.startPrometheus({
        config: CONFIG,
        flags: [...flags, '--enable-feature=native-histograms'],
      })
      const startMs = 1000 * Math.floor(Date.now() / 1000) - 7_000_000
      await writeData(hub, startMs, COUNT)
      await writeData(prometheus, startMs, COUNT)
      const range = { from: startMs + 10 * STEP_MS, to: startMs + 300 * STEP_MS }
      const questions: readonly (readonly Query[])[] = [
        [{ ...range, matchers: [[0, '__name__', 'data_decimal']] }],
        [{ ...range, matchers: [[2, '__name__', 'data_(histogram|custom_histogram|churn|stale.*)']] }],
        [
          {
            ...range,
            matchers: [
              [0, '__name__', 'data_noise'],
              [0, 'host', 'h1'],
            ],
          },
          { ...range, matchers: [[0, '__name__', 'data_none']] },
          {
            ...range,
            matchers: [
              [0, 'region', 'eu'],
              [3, 'host', 'h[0-2]'],
              [0, '__name__', 'data_counter'],
            ],
          },
        ],
      ]
      for (const queries of questions) {
        const mine = await readSamples(hub, queries)
        assert.ok(mine[0]!.length > 0)
        assert.deepEqual(mine, (await readSamples(prometheus, queries)).map(byName))
        const chunks = await readChunks(hub, queries, 1000)
        assert.deepEqual(chunks.series, mine)
        assert.deepEqual(chunks.series, (await readChunks(prometheus, queries, 1000)).series)
      }
      const rows: readonly (readonly [Promise<Response>, number, RegExp])[] = [
        [read(hub, [{ ...range, matchers: [[2, '__name__', 'data_.+']] }]), 400, /exceeded sample limit \(3000\)/],
        [read(hub, [], [7]), 400, /does not support any of the requested response types/],
        [read(hub, [{ ...range, matchers: [[2, '__name__', '(']] }]), 400, /\(/],
        [fetch(`${hub.url}/api/v1/read`, { method: 'POST', body: 'no snappy' }), 400, /snappy/],
        [fetch(`${hub.url}/api/v1/read`), 405, /Method Not Allowed/],
      ]
      for (const [answer, status, text] of rows) {
        const response = await answer
        assert.equal(response.status, status)
        assert.match(await response.text(), text)
      }
    }),
)

test(
  'a Prometheus whose remote_read points at the hub answers what the hub answers',
  { skip: lacks('prometheus') },
  () =>
    withWorld(async (world) => {
      const hub = await world.startHub({
        flags: ['--web.enable-remote-write-receiver', '--storage.tsdb.min-block-duration=20s'],
      })
      const startMs = 1000 * Math.floor(Date.now() / 1000) - 7_000_000
      await writeData(hub, startMs, FEW)
      // Part of it is in blocks.
      await until(
        'a block is cut',
        async () => {
          const { data } = (await (await fetch(`${hub.url}/api/v1/status/tsdb/blocks`)).json()) as {
            data: { blocks: unknown[] }
          }
          return data.blocks.length > 0
        },
        { timeoutMs: 180_000 },
      )
      const endMs = startMs + FEW * STEP_MS
      const all = await allData(hub, endMs)
      assert.ok(all.length > 20)
      // It asks for chunks, as Prometheus does since 2.13.
      const prometheus = await world.startPrometheus({
        config: `global: { scrape_interval: 1h }\nremote_read: [{ url: '${hub.url}/api/v1/read', read_recent: true }]\n`,
        flags: ['--enable-feature=native-histograms'],
      })
      assert.deepEqual(await allData(prometheus, endMs), all)
      for (const expr of [
        'sum by (host) (rate(data_counter[10m]))',
        'histogram_quantile(0.9, rate(data_histogram[10m]))',
        'data_custom_histogram',
        'count({__name__=~"data_.+"})',
      ])
        for (const at of [endMs / 1000, endMs / 1000 - 1777])
          assert.deepEqual(await query(prometheus, expr, at), await query(hub, expr, at), expr)
      assert.equal((await samples(prometheus, 'data_none[1h]', endMs / 1000)).length, 0)
    }),
)

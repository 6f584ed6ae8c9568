/** What the pages of status say of the process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../../protocol/env/mod.ts'
import { histogramLines } from '../../protocol/exposition/mod.ts'
import type { Ingest } from '../ingest/mod.ts'
import { SETTINGS } from '../query/testing/settings.ts'
import { createHead } from '../tsdb/mod.ts'
import { Reloads } from './reloads.ts'
import { startApi } from './testing/app.ts'

const data = async (url: string): Promise<unknown> => ((await (await fetch(url)).json()) as { data: unknown }).data

test('the runtime information has the host, the working directory and the retention of the moment', async () => {
  let retention = '15d'
  const ingest = { status: async () => ({ counters: { replayLost: 0 } }) } as unknown as Ingest
  const api = await startApi(createHead(), {
    ingest,
    startedMs: 1000,
    damages: () => [],
    host: { name: 'hub.example', directory: '/srv' },
    retention: () => retention,
  })
  const asked = async (): Promise<Readonly<Record<string, unknown>>> =>
    ((await (await fetch(`${api.url}/api/v1/status/runtimeinfo`)).json()) as { data: Record<string, unknown> }).data
  try {
    const { hostname, CWD, storageRetention, corruptionCount } = await asked()
    assert.deepEqual([hostname, CWD, storageRetention, corruptionCount], ['hub.example', '/srv', '15d', 0])
    retention = '30d or 1GiB'
    assert.equal((await asked())['storageRetention'], '30d or 1GiB')
  } finally {
    await api.close()
  }
})

test('what failed is told until it is well again, at once and as it happens, to so many at a time', async () => {
  let now = 1_000_000_000_000
  const reloads = new Reloads({ now: () => now } as Clock, 1)
  const api = await startApi(createHead(), { reloads })
  try {
    assert.deepEqual(await data(`${api.url}/api/v1/notifications`), [])
    reloads.failed()
    now += 1000
    reloads.failed()
    const failure = { text: 'Configuration reload has failed.', date: '2001-09-09T01:46:40.000Z', active: true }
    assert.deepEqual(await data(`${api.url}/api/v1/notifications`), [failure])
    const live = await fetch(`${api.url}/api/v1/notifications/live`)
    assert.equal(live.headers.get('content-type'), 'text/event-stream')
    assert.equal((await fetch(`${api.url}/api/v1/notifications/live`)).status, 204)
    const events = live.body!.pipeThrough(new TextDecoderStream()).getReader()
    assert.equal((await events.read()).value, `data: ${JSON.stringify(failure)}\n\n`)
    reloads.succeeded(now)
    assert.equal((await events.read()).value, `data: ${JSON.stringify({ ...failure, active: false })}\n\n`)
    assert.deepEqual(await data(`${api.url}/api/v1/notifications`), [])
    await events.cancel()
    // The place of one that went is free again.
    for (let tries = 0; tries < 500; tries++) {
      const next = await fetch(`${api.url}/api/v1/notifications/live`)
      await next.body?.cancel()
      if (next.status === 200) return
    }
    assert.fail('the place of a listener that went is not free')
  } finally {
    await api.close()
  }
})

test("the server's own metrics are told as protobuf's JSON, by a pattern of whole names", async () => {
  const api = await startApi(createHead(), {
    metrics: async () => [
      { name: 'b_gauge', help: 'Of b.', type: 'gauge', metrics: [{ labels: ['x', 'y'], value: Number.NaN }] },
      { name: 'a_seconds', help: '', type: 'histogram', metrics: histogramLines(['l', 'm'], [0.5, 2], 3.5, 7) },
      { name: 'none', help: '', type: 'gauge', metrics: [] },
    ],
  })
  try {
    const url = `${api.url}/api/v1/status/self_metrics`
    const histogram = {
      sampleCount: '7',
      sampleSum: 3.5,
      bucket: [{ cumulativeCount: '2', upperBound: 0.5 }],
    }
    assert.deepEqual(await data(`${url}?metric_name_pattern=a_s.*|b_gauge|none|gauge`), [
      { name: 'a_seconds', help: '', type: 'HISTOGRAM', metric: [{ label: [{ name: 'l', value: 'm' }], histogram }] },
      {
        name: 'b_gauge',
        help: 'Of b.',
        type: 'GAUGE',
        metric: [{ label: [{ name: 'x', value: 'y' }], gauge: { value: 'NaN' } }],
      },
    ])
    assert.deepEqual(await data(`${url}?metric_name_pattern=gauge`), [])
    assert.equal((await fetch(`${url}?metric_name_pattern=(`)).status, 400)
  } finally {
    await api.close()
  }
})

test('features are told by area, as they are switched', async () => {
  const settings = { ...SETTINGS, features: ['promql-experimental-functions'] }
  const api = await startApi(createHead(), { settings: () => settings, lifecycleEnabled: true })
  try {
    const areas = (await data(`${api.url}/api/v1/features`)) as Record<string, Record<string, boolean>>
    assert.equal(areas['api']!['lifecycle'], true)
    assert.equal(areas['api']!['admin'], false)
    assert.equal(areas['promql_functions']!['mad_over_time'], true)
    assert.equal(areas['promql_operators']!['limitk'], true)
    assert.equal(areas['promql']!['fill'], false)
    assert.equal(areas['templating_functions']!['humanize1024'], true)
    assert.equal(areas['templating_functions']!['tmpl'], undefined)
    assert.equal(areas['service_discovery_providers']!['file'], true)
  } finally {
    await api.close()
  }
})

const METHODS: readonly (readonly [method: string, path: string, status: number, allow: string | null])[] = [
  ['HEAD', '/api/v1/query?query=1', 405, 'GET, OPTIONS, POST'],
  ['HEAD', '/api/v1/label/a/values', 405, 'GET, OPTIONS'],
  ['DELETE', '/api/v1/status/flags', 405, 'GET, OPTIONS'],
  ['OPTIONS', '/api/v1/query', 204, null],
  ['OPTIONS', '/api/v1/nothing', 204, null],
  ['OPTIONS', '/metrics', 200, 'GET, OPTIONS'],
  ['OPTIONS', '/nothing', 404, null],
  ['PUT', '/api/v1/series', 405, 'DELETE, GET, OPTIONS, POST'],
  ['DELETE', '/api/v1/series', 500, null],
  ['POST', '/api/v1/admin/tsdb/snapshot', 500, null],
  ['HEAD', '/-/healthy', 200, null],
  ['HEAD', '/-/ready', 200, null],
  ['HEAD', '/metrics', 405, 'GET, OPTIONS'],
]

test('what a path takes no method for is told of those that it takes', async () => {
  const api = await startApi(createHead())
  try {
    for (const [method, path, status, allow] of METHODS) {
      const response = await fetch(api.url + path, { method })
      assert.deepEqual([response.status, response.headers.get('allow')], [status, allow], `${method} ${path}`)
    }
  } finally {
    await api.close()
  }
})

test('cardinality is told to a limit', async () => {
  const api = await startApi(createHead())
  try {
    for (const [limit, error] of [
      ['10001', 'limit must not exceed 10000'],
      ['0', 'limit must be a positive number'],
    ]) {
      const response = await fetch(`${api.url}/api/v1/status/tsdb?limit=${limit}`)
      assert.deepEqual(await response.json(), { status: 'error', errorType: 'bad_data', error })
    }
  } finally {
    await api.close()
  }
})

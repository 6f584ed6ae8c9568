import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpRequest, HttpResponse } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  snappyCompress,
  snappyDecompress,
  WriteRequestDecoder,
  WriteRequestEncoder,
} from '../../protocol/remote-write/mod.ts'
import { manualClock, memoryLogger } from '../wal/testing/mod.ts'
import { Endpoint, type Reach } from './endpoint.ts'
import type { OutgoingRequest } from './messages.ts'

const NOW = 1_767_225_600_000
const QUEUE = {
  capacity: 10_000,
  maxShards: 50,
  minShards: 1,
  maxSamplesPerSend: 2000,
  batchSendDeadlineMs: 5000,
  minBackoffMs: 30,
  maxBackoffMs: 100,
  retryOn429: true,
  sampleAgeLimitMs: 0,
}
type Answer = Partial<HttpResponse> | Error

/** `answers` in turn, then 204. */
function world(answers: Answer[], queue: Partial<typeof QUEUE> = {}) {
  const clock = manualClock(NOW)
  const log = memoryLogger()
  const sent: { readonly body: number; readonly atMs: number; readonly headers: Readonly<Record<string, string>> }[] =
    []
  const answered: number[] = []
  const reach: Reach = {
    url: 'http://far/write',
    timeoutMs: 1000,
    headers: { 'X-Scope-OrgID': 'me' },
    queue: { ...QUEUE, ...queue },
    request: async ({ body, headers }: HttpRequest) => {
      sent.push({ body: body![0]!, atMs: clock.monotonic(), headers: headers! })
      const answer = answers.shift() ?? {}
      if (answer instanceof Error) throw answer
      return { status: 204, headers: {}, body: new Uint8Array(0), ...answer }
    },
  }
  const onAnswered = (id: number): void => void answered.push(id)
  const endpoint = new Endpoint(reach, { clock, log, userAgent: 'test', onAnswered })
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i += 10) {
      await settled()
      clock.advance(10)
    }
    await settled()
  }
  return { endpoint, clock, log, sent, answered, pass }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const request = (id: number, shard = 0, highestMs = NOW): OutgoingRequest => ({
  key: 'k',
  id,
  shard,
  isVersion2: false,
  mayBeThere: false,
  body: Uint8Array.of(id),
  contents: { samples: 10, histograms: 0, exemplars: 0, families: 0, highestMs, lowestMs: highestMs },
})

test('a lane sends one request at a time, in order; lanes do not wait for each other', async () => {
  const { endpoint, sent, answered, pass } = world([{ status: 500 }])
  endpoint.receive(request(1))
  endpoint.receive(request(2))
  endpoint.receive(request(3, 1))
  await settled()
  assert.deepEqual(
    sent.map(({ body }) => body),
    [1, 3],
  )
  await pass(200)
  assert.deepEqual(
    sent.map(({ body }) => body),
    [1, 3, 1, 2],
  )
  assert.deepEqual(answered, [3, 1, 2])
  assert.deepEqual(
    [endpoint.sent.samples, endpoint.retried.samples, endpoint.failed.samples, endpoint.delivered],
    [40, 10, 0, 30],
  )
  assert.equal(endpoint.highestSentMs, NOW)
})

test('tries are further and further apart, up to max_backoff, and say which they are', async () => {
  const { endpoint, sent, pass } = world([new Error('refused'), { status: 503 }, { status: 500 }, { status: 502 }])
  endpoint.receive(request(1))
  await pass(500)
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 30, 90, 190, 290],
  )
  assert.deepEqual(
    sent.map(({ headers }) => headers['retry-attempt']),
    [undefined, '1', '2', '3', '4'],
  )
  assert.deepEqual(
    [sent[0]!.headers['x-scope-orgid'], sent[0]!.headers['content-encoding'], sent[0]!.headers['content-type']],
    ['me', 'snappy', 'application/x-protobuf'],
  )
})

test('Retry-After of a 429 is waited for', async () => {
  const { endpoint, sent, pass } = world([{ status: 429, headers: { 'retry-after': '2' } }])
  endpoint.receive(request(1))
  await pass(2500)
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 2000],
  )
})

test('what a receiver refuses is counted, said once a minute, and not sent again', async () => {
  const { endpoint, sent, answered, log, pass } = world([{ status: 404 }, { status: 404 }])
  endpoint.receive(request(1))
  endpoint.receive(request(2))
  await pass(50)
  assert.deepEqual(answered, [1, 2])
  assert.equal(sent.length, 2)
  assert.equal(endpoint.failed.samples, 20)
  assert.equal(log.lines.length, 1)
})

/** As Prometheus takes 1.0: all of a request, or nothing where a sample is not newer than what it has of its series. */
function likePrometheus(stored: Map<string, number>, isBad: (series: string) => boolean = () => false) {
  const decoder = new WriteRequestDecoder()
  return async ({ body }: HttpRequest): Promise<HttpResponse> => {
    const columns = decoder.decode(snappyDecompress(body!))
    const next = new Map(stored)
    for (let s = 0; s < columns.seriesCount; s++) {
      const series = columns.labels(s).labels!.join()
      const time = columns.timestamps[s]!
      if (isBad(series) || time <= (next.get(series) ?? 0)) return { status: 400, headers: {}, body: new Uint8Array(0) }
      next.set(series, time)
    }
    for (const [series, time] of next) stored.set(series, time)
    return { status: 204, headers: {}, body: new Uint8Array(0) }
  }
}

/** Samples of ten series at each time. */
function rows(id: number, from: number, to: number): OutgoingRequest {
  const encoder = new WriteRequestEncoder()
  const none = { startMs: 0, metadata: null, exemplars: [] }
  for (let time = from; time < to; time++)
    for (let i = 0; i < 10; i++)
      encoder.float(labelsFrom({ __name__: 'm', i: String(i) }), time, Float64Array.of(time), 0, none)
  const { contents, ...rest } = request(id)
  return {
    ...rest,
    body: snappyCompress(encoder.finish()).slice(),
    contents: { ...contents, samples: 10 * (to - from) },
  }
}

test('where some of a request was there before, the rest is stored all the same', async () => {
  for (const there of [0, 1, 7, 99, 100]) {
    const { endpoint, answered, pass } = world([])
    const stored = new Map<string, number>()
    endpoint.reach = { ...endpoint.reach, request: likePrometheus(stored) }
    if (there > 0) endpoint.receive(rows(1, 1, 1 + there))
    await pass(20)
    endpoint.receive(rows(2, 1, 101))
    await pass(100)
    assert.deepEqual(answered, there > 0 ? [1, 2] : [2])
    assert.equal(Math.min(...stored.values()), 100, `${there} were there`)
    assert.equal(endpoint.failed.samples, 10 * there)
    assert.equal(endpoint.delivered, 1000)
  }
})

test('a series that the receiver never takes costs only itself', async () => {
  const { endpoint, sent, pass } = world([])
  const stored = new Map<string, number>()
  endpoint.reach = { ...endpoint.reach, request: likePrometheus(stored, (series) => series.endsWith('3')) }
  endpoint.receive(rows(1, 1, 3))
  await pass(100)
  assert.equal(stored.size, 9)
  assert.equal(endpoint.failed.samples, 2)
  assert.equal(sent.length, 0)
})

test('of a request that is refused for another reason no part is tried', async () => {
  const { endpoint, sent, pass } = world([{ status: 401 }])
  endpoint.receive(rows(1, 1, 11))
  await pass(50)
  assert.equal(sent.length, 1)
  assert.equal(endpoint.failed.samples, 100)
})

test('sample_age_limit gives up what has waited too long', async () => {
  const answers = Array.from({ length: 100 }, () => ({ status: 500 }))
  const { endpoint, answered, pass } = world(answers, { sampleAgeLimitMs: 1000 })
  endpoint.receive(request(1))
  await pass(1500)
  assert.deepEqual(answered, [1])
  assert.equal(endpoint.dropped.too_old.samples, 10)
})

test('discard() gives up what waits, and what is under way once it fails', async () => {
  const { endpoint, answered, pass } = world([{ status: 500 }, { status: 500 }])
  for (const id of [1, 2, 3]) endpoint.receive(request(id))
  await settled()
  endpoint.discard()
  await pass(100)
  assert.deepEqual(answered, [1, 2, 3])
  assert.equal(endpoint.dropped.backlog_too_large.samples, 30)
  endpoint.receive(request(4))
  await pass(100)
  assert.deepEqual(answered, [1, 2, 3, 4])
})

test('clear() ends all tries, and answers for nothing', async () => {
  const { endpoint, sent, answered, pass } = world(Array.from({ length: 100 }, () => ({ status: 500 })))
  endpoint.receive(request(1))
  await pass(50)
  const before = sent.length
  endpoint.clear()
  await pass(500)
  assert.equal(sent.length, before)
  assert.deepEqual(answered, [])
})

test('a reload changes how it is reached at the next try', async () => {
  const { endpoint, sent, answered, pass } = world([{ status: 503, headers: { 'retry-after': '3600' } }])
  endpoint.receive(request(1))
  await settled()
  endpoint.reach = { ...endpoint.reach, headers: { 'X-Scope-OrgID': 'you' } }
  await pass(100)
  assert.equal(sent[1]!.headers['x-scope-orgid'], 'you')
  assert.deepEqual(answered, [1])
})

test('a request goes out as what it is, whatever a reload has made of the endpoint since', async () => {
  for (const isVersion2 of [false, true]) {
    const written = { 'x-prometheus-remote-write-samples-written': '10' }
    const { endpoint, sent, pass } = world([{ status: 500 }, { status: 204, headers: written }])
    endpoint.receive({ ...request(1), isVersion2 })
    await pass(100)
    assert.deepEqual(
      sent.map(({ headers }) => [headers['content-type'], headers['x-prometheus-remote-write-version']]),
      Array(2).fill(
        isVersion2
          ? ['application/x-protobuf;proto=io.prometheus.write.v2.Request', '2.0.0']
          : ['application/x-protobuf', '0.1.0'],
      ),
    )
    assert.equal(endpoint.delivered, 10)
  }
})

test('discard() does not wait for what the receiver asked for', async () => {
  const { endpoint, sent, answered, pass } = world([{ status: 429, headers: { 'retry-after': '3600' } }])
  endpoint.receive(request(1))
  await settled()
  endpoint.discard()
  await pass(50)
  assert.deepEqual(answered, [1])
  assert.equal(sent.length, 1)
  assert.equal(endpoint.dropped.backlog_too_large.samples, 10)
  endpoint.receive(request(2))
  await pass(50)
  assert.deepEqual(answered, [1, 2])
})

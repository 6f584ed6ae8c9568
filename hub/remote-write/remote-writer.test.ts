import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadPrometheusConfig } from '../../protocol/config/mod.ts'
import type { Env, HttpRequest, WorkerHandle } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { MemoryDisk, manualClock, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import type { EndpointSpec, FromRemoteWrite, RemoteWriteWorkerData, ToRemoteWrite } from './messages.ts'
import { RemoteWriter } from './mod.ts'

const NOW = 1_767_225_600_000

/** A writer whose thread is played by the test. */
function world() {
  const clock = manualClock(NOW)
  const log = memoryLogger()
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  disk.makeDirectory('/etc')
  disk.writeFileAtomic('/etc/password', 'secret\n')
  const requests: HttpRequest[] = []
  const threads: {
    readonly data: RemoteWriteWorkerData
    readonly told: ToRemoteWrite[]
    say: (message: FromRemoteWrite) => void
    die: () => void
    isTerminated: boolean
  }[] = []
  const net = {
    request: async (request: HttpRequest) => {
      requests.push(request)
      return { status: 204, headers: {}, body: new Uint8Array(0) }
    },
  }
  const pool = {
    spawn: ({ data }: { data?: unknown }): WorkerHandle => {
      const thread = {
        data: data as RemoteWriteWorkerData,
        told: [] as ToRemoteWrite[],
        say: (_: FromRemoteWrite) => {},
        die: () => {},
        isTerminated: false,
      }
      threads.push(thread)
      return {
        post: (message) => void thread.told.push(message as ToRemoteWrite),
        onMessage: (fn) => void (thread.say = fn),
        onExit: (fn) => void (thread.die = () => fn(new Error('died'))),
        terminate: async () => void (thread.isTerminated = true),
      }
    },
  }
  const env = { clock, log, disk, net, pool, random: seededRandom(1) } as unknown as Env
  const writer = new RemoteWriter(env, {
    directory: '/data',
    configDirectory: '/etc',
    environment: {},
    userAgent: 'test',
    logLevel: 'info',
    logFormat: 'logfmt',
    newestMs: () => NOW,
  })
  const apply = (yaml: string): void => {
    const config = loadPrometheusConfig(yaml, { file: '/etc/prometheus.yml', files: null, environment: {} })
    writer.apply(config.remoteWrite, config.global.externalLabels, 5000)
  }
  return { writer, apply, threads, requests, clock, log }
}

const keyOf = (message: ToRemoteWrite): string => (message.kind === 'open' ? message.spec.key : message.key)
const kinds = (told: readonly ToRemoteWrite[]): string[] => told.map((each) => `${each.kind} ${keyOf(each)}`)
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('without endpoints there is no thread, and the log is let go', () => {
  const { writer, apply, threads } = world()
  assert.equal(writer.synced.neededSegment, 0)
  apply('')
  assert.equal(threads.length, 0)
  assert.equal(writer.synced.neededSegment, null)
  assert.deepEqual(writer.families(), [])
})

test('what an endpoint is told of its samples', () => {
  const { apply, threads, writer } = world()
  writer.synced.publish(3, 4096)
  apply(`
global: {external_labels: {site: a}}
remote_write:
- url: http://far/write
  name: far
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: true
  queue_config: {capacity: 5, min_shards: 2, max_samples_per_send: 3, batch_send_deadline: 1s, sample_age_limit: 1h}
  metadata_config: {send: false}
`)
  const [spec] = threads[0]!.data.endpoints
  const expected: Omit<EndpointSpec, 'key'> = {
    name: 'far',
    startAt: writer.synced.end,
    isVersion2: true,
    externalLabels: labelsFrom({ site: 'a' }),
    relabel: [],
    sendExemplars: true,
    sendNativeHistograms: false,
    capacity: 5,
    minShards: 2,
    maxSamplesPerSend: 3,
    batchSendDeadlineMs: 1000,
    sampleAgeLimitMs: 3_600_000,
    retentionSizeBytes: 5000,
    metadata: null,
  }
  const { key, ...rest } = spec!
  assert.match(key, /^[0-9a-f]{8}$/)
  assert.deepEqual(rest, expected)
})

test('a reload leaves those alone that are as before, closes those that are gone, and reopens those that changed', () => {
  const { apply, threads } = world()
  const yaml = (rest: string): string => `remote_write:\n- {url: 'http://a/', name: a}\n${rest}`
  apply(yaml("- {url: 'http://b/', name: b}\n- {url: 'http://c/', name: c}"))
  const [thread] = threads
  const [, b, c] = thread!.data.endpoints.map(({ key }) => key)
  apply(yaml("- {url: 'http://b/', name: b, send_exemplars: true}\n- {url: 'http://d/', name: d}"))
  const [closeC, closeB, openD] = thread!.told
  assert.deepEqual(closeC, { kind: 'close', key: c, forget: true })
  assert.deepEqual(closeB, { kind: 'close', key: b, forget: false })
  assert.equal(openD?.kind, 'open')
  assert.equal(thread!.told.length, 3)
  thread!.say({ kind: 'closed', key: b! })
  thread!.say({ kind: 'closed', key: c! })
  const reopened = thread!.told[3]
  assert.ok(reopened?.kind === 'open' && reopened.spec.key === b && reopened.spec.sendExemplars)
  // Other credentials concern the thread as little as the same file once more.
  apply(yaml("- {url: 'http://b/', name: b, send_exemplars: true, bearer_token: x}\n- {url: 'http://d/', name: d}"))
  assert.equal(thread!.told.length, 4)
})

test('the log is held from the moment that the first endpoint is there, and let go with the last', () => {
  const { apply, threads, writer } = world()
  apply('')
  writer.synced.publish(3, 4096)
  apply("remote_write: [{url: 'http://a/', name: a}]")
  assert.equal(writer.synced.neededSegment, 3)
  apply('')
  threads[0]!.die()
  assert.equal(writer.synced.neededSegment, null)
})

test('what was changed and then removed, or removed and put back, before the thread had closed it', () => {
  const { apply, threads } = world()
  const a = "remote_write: [{url: 'http://b/', name: b}, {url: 'http://a/', name: a"
  apply(`${a}}]`)
  const told = (): unknown => {
    const last = threads[0]!.told.at(-1)
    return last?.kind === 'close' ? last.forget : last?.kind
  }
  apply(`${a}, send_exemplars: true}]`)
  assert.equal(told(), false)
  apply("remote_write: [{url: 'http://b/', name: b}]")
  assert.equal(told(), true)
  apply(`${a}}]`)
  assert.equal(told(), false)
})

test('requests go out with credentials, and are answered for', async () => {
  const { apply, threads, requests, writer } = world()
  apply("remote_write: [{url: 'http://a/w', basic_auth: {username: u, password_file: password}, headers: {X-A: b}}]")
  const [thread] = threads
  const { key } = thread!.data.endpoints[0]!
  const contents = { samples: 1, histograms: 0, exemplars: 0, families: 0, highestMs: NOW, lowestMs: NOW }
  thread!.say({
    kind: 'request',
    key,
    id: 7,
    shard: 0,
    isVersion2: false,
    mayBeThere: false,
    body: Uint8Array.of(1),
    contents,
  })
  await settled()
  assert.equal(requests[0]!.headers!['authorization'], `Basic ${btoa('u:secret')}`)
  assert.equal(requests[0]!.headers!['x-a'], 'b')
  assert.deepEqual(kinds(thread!.told), [`answered ${key}`])
  const family = writer.families().find(({ name }) => name === 'prometheus_remote_storage_samples_total')
  assert.deepEqual(family!.metrics, [{ labels: ['remote_name', key, 'url', 'http://a/w'], value: 1 }])
})

test('what cannot be signed for is not sent to, and said so', () => {
  const { apply, threads, log } = world()
  apply("remote_write: [{url: 'http://a/', sigv4: {region: x}}, {url: 'http://b/', round_robin_dns: true}]")
  assert.equal(threads[0]!.data.endpoints.length, 1)
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message]),
    [
      ['error', 'remote_write: sigv4 is not supported; nothing is sent there'],
      ['warn', 'remote_write: round_robin_dns has no effect'],
    ],
  )
})

test('a thread that dies is begun anew with what is configured by then', () => {
  const { apply, threads, clock } = world()
  apply("remote_write: [{url: 'http://a/', name: a}, {url: 'http://b/', name: b}]")
  threads[0]!.die()
  apply("remote_write: [{url: 'http://a/', name: a, send_exemplars: true}]")
  assert.equal(threads.length, 1)
  clock.advance(5000)
  assert.deepEqual(
    threads[1]!.data.endpoints.map(({ name, sendExemplars }) => [name, sendExemplars]),
    [['a', true]],
  )
})

test('stop() waits until the cursors are saved, but not for ever', async () => {
  for (const isAnswered of [true, false]) {
    const { apply, threads, clock, writer } = world()
    apply("remote_write: [{url: 'http://a/', name: a}]")
    const [thread] = threads
    const stopped = writer.stop()
    const [close] = thread!.told
    assert.ok(close?.kind === 'close' && !close.forget)
    if (isAnswered) thread!.say({ kind: 'closed', key: close.key })
    else clock.advance(4000)
    await stopped
    assert.ok(thread!.isTerminated)
  }
})

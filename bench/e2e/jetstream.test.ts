import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { connectNats, type NatsBus } from '../../agent/env/nats-bus.ts'
import { isOldServer, type MessageDone, type StreamFeed, startStreamFeed } from '../../hub/env/jetstream.ts'
import { peer } from '../peers/peers.ts'
import { freePort, until } from './world.ts'

const server = peer('nats-server')
const skip = server.path === null ? server.reason : false
/** What is not acknowledged comes again after it; counts of before are read well within. */
const ACK_WAIT_MS = 10_000
const SUBJECT = 'helio.v1.samples.40.main.web-1'

type Nats = { port: number; start(): Promise<void>; kill(): Promise<void>; remove(): Promise<void> }

async function natsWithJetStream(jetStream = true): Promise<Nats> {
  const folder = mkdtempSync(join(tmpdir(), 'helio-js-'))
  const port = await freePort()
  const config = `listen: "127.0.0.1:${port}"\n${jetStream ? `jetstream { store_dir: "${folder}/js" }` : ''}\n`
  writeFileSync(join(folder, 'nats.conf'), config)
  let child: ChildProcess | null = null
  const kill = async (): Promise<void> => {
    if (child === null) return
    const gone = new Promise((resolve) => child!.on('exit', resolve))
    child.kill('SIGKILL')
    await gone
    child = null
  }
  return {
    port,
    kill,
    start: async () => {
      child = spawn(server.path!, ['-c', join(folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
      await new Promise<void>((resolve, reject) => {
        child!.stderr!.on('data', (data) => String(data).includes('Server is ready') && resolve())
        child!.on('exit', () => reject(new Error('nats-server ended')))
      })
    },
    remove: async () => {
      await kill()
      rmSync(folder, { recursive: true })
    },
  }
}

function open({ port }: Nats, name: string): NatsBus {
  return connectNats({ servers: [`nats://127.0.0.1:${port}`], name, reconnectMinMs: 20, reconnectMaxMs: 100 })
}

/** As an agent does: again until the stream has it. */
async function publish(bus: NatsBus, id: string): Promise<void> {
  for (;;) {
    try {
      const headers = { 'Nats-Msg-Id': id }
      const ack = await bus.request(SUBJECT, new TextEncoder().encode(id), { timeoutMs: 500, headers })
      assert.match(new TextDecoder().decode(ack.payload), /"stream":"HELIO_SAMPLES"/)
      return
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

test('isOldServer() trusts 2.14 and later', () => {
  for (const old of ['2.9.10', '2.13.99', '1.99.0', '', 'dev']) assert.ok(isOldServer(old), old)
  for (const good of ['2.14.0', '2.15.1', '3.0.0', '2.14.0-RC.1']) assert.ok(!isOldServer(good), good)
})

test('acknowledged batches are done, others come again, also across kill -9 of the server', { skip }, async () => {
  const nats = await natsWithJetStream()
  await nats.start()
  const hub = open(nats, 'hub')
  const agent = open(nats, 'agent')
  const warnings: string[] = []
  const seen = new Map<string, number>()
  const held: MessageDone[] = []
  const onMessage = (message: { payload: Uint8Array }, done: MessageDone): void => {
    const id = new TextDecoder().decode(message.payload)
    seen.set(id, (seen.get(id) ?? 0) + 1)
    if (id === 'again' && seen.get(id) === 1) done.nak(10)
    else if (id.startsWith('held') && seen.get(id) === 1) held.push(done)
    else done.ack()
  }
  const settings = {
    bus: hub,
    durable: 'hub-1',
    onMessage,
    onWarning: (text: string) => warnings.push(text),
    retryMs: 50,
  }
  let feed: StreamFeed = startStreamFeed({ ...settings, maxAgeMs: 60_000, ackWaitMs: ACK_WAIT_MS })
  try {
    await until('the feed', () => feed.state === 'running' && agent.status === 'connected')
    for (const id of ['a', 'again', 'held-1']) await publish(agent, id)
    await until('three and one again', () => seen.size === 3 && seen.get('again') === 2)
    assert.equal(feed.pending, 1)
    assert.equal(seen.get('a'), 1)
    assert.deepEqual(feed.stats, { delivered: 4, redelivered: 1, acked: 2, naked: 1 })

    await nats.kill()
    await until('the loss', () => hub.status === 'disconnected')
    held[0]!.ack() // too late: nobody hears it
    assert.equal(feed.stats.acked, 2)
    const sending = publish(agent, 'meanwhile')
    await nats.start()
    await sending
    await until('all of it', () => seen.get('held-1') === 2 && seen.get('meanwhile') === 1)
    assert.equal(feed.state, 'running')
    // "a" may have come again: a killed server forgets acknowledgements that it had not written yet.

    await feed.stop()
    assert.equal(feed.state, 'stopped')
    await publish(agent, 'while away')
    assert.equal(seen.get('while away'), undefined)
    feed = startStreamFeed({ ...settings, maxAgeMs: 120_000, ackWaitMs: ACK_WAIT_MS })
    await until('what was missed', () => seen.get('while away') === 1)
    const { config } = await (await jetstreamManager(hub.connection!)).streams.info('HELIO_SAMPLES')
    assert.equal(config.max_age, 120_000 * 1e6)
    assert.equal(config.retention, 'limits')
    assert.equal(config.storage, 'file')
    assert.deepEqual(config.subjects, ['helio.v1.samples.>', 'helio.v1.backlog.>'])
    assert.ok(
      warnings.every((warning) => !warning.includes('older than')),
      warnings.join('\n'),
    )
  } finally {
    await feed.stop()
    await Promise.all([hub.close(), agent.close()])
    await nats.remove()
  }
})

test('pending messages are bounded, and a deleted consumer comes back', { skip }, async () => {
  const nats = await natsWithJetStream()
  await nats.start()
  const hub = open(nats, 'hub')
  const held: MessageDone[] = []
  let acking = false
  const feed = startStreamFeed({
    bus: hub,
    durable: 'hub-1',
    maxPending: 5,
    retryMs: 50,
    onWarning: () => {},
    onMessage: (_message, done) => {
      if (acking) done.ack()
      else held.push(done)
    },
  })
  try {
    await until('the feed', () => feed.state === 'running')
    for (let i = 0; i < 12; i++) await publish(hub, `m${i}`)
    await until('the first five', () => held.length === 5)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(held.length, 5)
    assert.equal(feed.pending, 5)
    acking = true
    for (const done of held) done.ack()
    for (const done of held) done.ack() // a second word changes nothing
    await until('the rest', () => feed.stats.acked === 12)
    assert.equal(feed.pending, 0)
    await (await jetstreamManager(hub.connection!)).consumers.delete('HELIO_SAMPLES', 'hub-1')
    await publish(hub, 'after')
    await until('the new consumer', () => feed.stats.acked === 12 + 13)
  } finally {
    await feed.stop()
    await hub.close()
    await nats.remove()
  }
})

test('a server without JetStream is a warning, told once, and retried', { skip }, async () => {
  const nats = await natsWithJetStream(false)
  await nats.start()
  const hub = open(nats, 'hub')
  const warnings: string[] = []
  const feed = startStreamFeed({
    bus: hub,
    durable: 'hub-1',
    retryMs: 20,
    onWarning: (text) => warnings.push(text),
    onMessage: () => {},
  })
  try {
    await until('the warning', () => warnings.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(warnings.length, 1)
    assert.match(warnings[0]!, /Cannot read stream HELIO_SAMPLES: .*jetstream/i)
    assert.equal(feed.state, 'waiting')
  } finally {
    await feed.stop()
    await hub.close()
    await nats.remove()
  }
})

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nkeys } from '@nats-io/nats-core'
import { BusError, type BusMessage } from '../../protocol/env/mod.ts'
import { connectNats, type NatsBusOptions } from './nats-bus.ts'
import { serverKind } from './nats-dial.ts'

const NATS_SERVER = process.env['HELIO_NATS_SERVER'] ?? '/tmp/peers/nats-server-2.15.1-1/usr/sbin/nats-server'
const skip = existsSync(NATS_SERVER) ? false : `No nats-server at ${NATS_SERVER} (HELIO_NATS_SERVER)`
const FAST = { reconnectMinMs: 20, reconnectMaxMs: 100, connectTimeoutMs: 1_000 }
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const folder = mkdtempSync(join(tmpdir(), 'helio-nats-bus-'))
const started = new Set<ChildProcess>()
after(() => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

/** Below the range that outgoing connections take theirs from: one of those may have it before the server does. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 30_000 + Math.floor(Math.random() * 2700)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}

/** A real server on `port`, ready; `config` is nats-server's configuration text. */
async function startServer(port: number, config = ''): Promise<ChildProcess> {
  const file = join(folder, `${port}.conf`)
  writeFileSync(file, `listen: "127.0.0.1:${port}"\n${config}`)
  const child = spawn(NATS_SERVER, ['-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  started.add(child)
  await new Promise<void>((resolve, reject) => {
    let log = ''
    child.stderr!.on('data', (data) => {
      log += data
      if (log.includes('Server is ready')) resolve()
    })
    child.on('exit', () => reject(new Error(log)))
  })
  return child
}

async function stopServer(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.on('exit', resolve))
  child.kill('SIGKILL')
  await gone
  started.delete(child)
}

function open(options: Omit<NatsBusOptions, 'name'>) {
  return connectNats({ name: 'test', ...FAST, ...options })
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited 60 s for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('connectNats() refuses server lists that make no sense', () => {
  for (const servers of [[], ['http://a'], ['nats://a', 'ws://b'], ['nonsense']])
    assert.throws(() => connectNats({ servers, name: 'x' }), TypeError)
  assert.equal(serverKind(['nats://a', 'tls://b']), 'tcp')
  assert.equal(serverKind(['ws://a/nats']), 'webSocket')
})

test('a bus exists before its server, connects to it, and says so', { skip }, async () => {
  const port = await freePort()
  const errors: Error[] = []
  const bus = open({ servers: [`nats://127.0.0.1:${port}`], onError: (error) => errors.push(error) })
  const seen: string[] = []
  bus.onStatus((status) => seen.push(status))
  const got: BusMessage[] = []
  bus.subscribe('early.*', (message) => got.push(message))
  assert.equal(bus.status, 'disconnected')
  bus.publish('early.lost', encode('dropped'))
  await assert.rejects(bus.request('early.x', encode(''), { timeoutMs: 100 }), { code: 'DISCONNECTED' })
  await until('a failed attempt', () => errors.length > 0 && bus.lastError !== null)
  const child = await startServer(port)
  await until('connected', () => bus.status === 'connected')
  assert.equal(bus.lastError, null)
  assert.match(bus.serverVersion ?? '', /^2\./)
  bus.publish('early.bird', encode('worm'), { reply: 'r', headers: { 'Nats-Msg-Id': '1', x: 'y' } })
  await bus.flush()
  await until('the message', () => got.length === 1)
  assert.equal(got[0]!.subject, 'early.bird')
  assert.equal(got[0]!.reply, 'r')
  assert.equal(decode(got[0]!.payload), 'worm')
  assert.deepEqual(got[0]!.headers, { 'Nats-Msg-Id': '1', x: 'y' })
  assert.equal(bus.stats.publishesDropped, 1)
  await bus.close()
  assert.deepEqual(seen, ['connected', 'closed'])
  assert.throws(() => bus.publish('a', encode('')), { code: 'CLOSED' })
  await assert.rejects(bus.request('a', encode(''), { timeoutMs: 10 }), { code: 'CLOSED' })
  await stopServer(child)
})

test('subscriptions and requests survive a killed server', { skip }, async () => {
  const port = await freePort()
  let child = await startServer(port)
  const servers = [`nats://127.0.0.1:${port}`]
  const bus = open({ servers })
  const other = open({ servers })
  other.subscribe('echo', (message) => other.publish(message.reply, message.payload.slice()), { queue: 'q' })
  other.subscribe('mute', () => {})
  await until('connected', () => bus.status === 'connected' && other.status === 'connected')
  await other.flush()
  assert.equal(decode((await bus.request('echo', encode('1'), { timeoutMs: 30_000 })).payload), '1')
  await assert.rejects(bus.request('nobody', encode(''), { timeoutMs: 30_000 }), { code: 'NO_RESPONDERS' })
  await assert.rejects(bus.request('mute', encode(''), { timeoutMs: 50 }), { code: 'TIMEOUT' })
  const cut = bus.request('mute', encode(''), { timeoutMs: 60_000 })
  const lost = assert.rejects(cut, (error) => error instanceof BusError && error.code === 'DISCONNECTED')
  await stopServer(child)
  await lost
  await until('disconnected', () => bus.status === 'disconnected' && other.status === 'disconnected')
  child = await startServer(port)
  await until('connected again', () => bus.status === 'connected' && other.status === 'connected')
  await other.flush()
  assert.equal(decode((await bus.request('echo', encode('2'), { timeoutMs: 30_000 })).payload), '2')
  assert.equal(bus.stats.connects, 2)
  await Promise.all([bus.close(), other.close()])
  await stopServer(child)
})

test('messages above max_payload are a RangeError', { skip }, async () => {
  const port = await freePort()
  const child = await startServer(port, 'max_payload: 1000')
  const bus = open({ servers: [`nats://127.0.0.1:${port}`] })
  await until('connected', () => bus.status === 'connected')
  assert.equal(bus.maxPayloadBytes, 1000)
  bus.publish('a', new Uint8Array(1000))
  assert.throws(() => bus.publish('a', new Uint8Array(1001)), RangeError)
  assert.throws(() => bus.publish('a', new Uint8Array(990), { headers: { a: 'b' } }), RangeError)
  await assert.rejects(bus.request('a', new Uint8Array(1001), { timeoutMs: 10 }), RangeError)
  await bus.flush()
  await bus.close()
  await stopServer(child)
})

test('nkeys open the door, wrong ones are told and tried again; WebSocket works beside TCP', { skip }, async () => {
  const port = await freePort()
  const wsPort = await freePort()
  const user = nkeys.createUser()
  const config = `websocket { listen: "127.0.0.1:${wsPort}", no_tls: true }
    authorization { users: [ { nkey: ${user.getPublicKey()}, permissions: { publish: "ok.>", subscribe: ["ok.>", "_IN.>"] } } ] }`
  const child = await startServer(port, config)
  const nkeySeed = decode(user.getSeed())
  const tcp = open({ servers: [`nats://127.0.0.1:${port}`], nkeySeed, inboxPrefix: '_IN' })
  const web = open({ servers: [`ws://127.0.0.1:${wsPort}`], nkeySeed, inboxPrefix: '_IN' })
  const errors: string[] = []
  const stranger = open({
    servers: [`nats://127.0.0.1:${port}`],
    nkeySeed: decode(nkeys.createUser().getSeed()),
    onError: (error) => errors.push(error.message),
  })
  await until('connected', () => tcp.status === 'connected' && web.status === 'connected')
  web.subscribe('ok.echo', (message) => web.publish('ok.reply', message.payload.slice()))
  const got: string[] = []
  tcp.subscribe('ok.reply', (message) => got.push(decode(message.payload)))
  await Promise.all([web.flush(), tcp.flush()])
  tcp.publish('ok.echo', encode('hello'))
  await until('the echo', () => got.length === 1)
  assert.deepEqual(got, ['hello'])
  tcp.publish('forbidden', encode(''))
  await tcp.flush()
  await until('the violation', () => /permissions violation/i.test(tcp.lastError?.message ?? ''))
  await until('three refusals', () => stranger.stats.failedConnects >= 3)
  assert.match(errors.join('\n'), /authorization violation/i)
  assert.equal(stranger.status, 'disconnected')
  await Promise.all([tcp.close(), web.close(), stranger.close()])
  await stopServer(child)
})

test('close() while nobody answers ends at once', async () => {
  const bus = open({
    servers: [`nats://127.0.0.1:${await freePort()}`],
    reconnectMinMs: 120_000,
    reconnectMaxMs: 120_000,
  })
  await until('a failed attempt', () => bus.stats.failedConnects === 1)
  const start = performance.now()
  await bus.close()
  // Long before the next attempt.
  assert.ok(performance.now() - start < 30_000)
  assert.equal(bus.status, 'closed')
})

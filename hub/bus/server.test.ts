import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { test } from 'node:test'
import {
  type ConnectionOptions,
  headers,
  type Msg,
  type NatsConnection,
  nkeyAuthenticator,
  nkeys,
  wsconnect,
} from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { connectNats } from '../../agent/env/nats-bus.ts'
import { BusError, type BusMessage } from '../../protocol/env/mod.ts'
import { decodePublicKey, naclVerifier } from '../../protocol/identity/mod.ts'
import { type BusEvent, type BusServerOptions, createBusServer } from './mod.ts'
import { type RunningBus, startBus, until } from './testing/kit.ts'

type Started = RunningBus & { webPort: number }

async function withBus(
  options: Partial<BusServerOptions>,
  run: (bus: Started, open: (how?: ConnectionOptions, web?: boolean) => Promise<NatsConnection>) => Promise<void>,
): Promise<void> {
  const bus = await startBus(options)
  const clients: NatsConnection[] = []
  try {
    await run(bus, async (how = {}, web = false) => {
      const base = { reconnect: false, noAsyncTraces: true, ...how }
      const client = web
        ? await wsconnect({ ...base, servers: `ws://127.0.0.1:${bus.webPort}/nats` })
        : await connect({ ...base, servers: `127.0.0.1:${bus.port}` })
      clients.push(client)
      return client
    })
  } finally {
    for (const client of clients) await client.close()
    await bus.stop()
  }
}

function collect(client: NatsConnection, subject: string, queue?: string): Msg[] {
  const got: Msg[] = []
  const callback = (error: Error | null, message: Msg): void => {
    if (error === null) got.push(message)
  }
  client.subscribe(subject, queue === undefined ? { callback } : { callback, queue })
  return got
}

for (const web of [false, true])
  test(`official client over ${web ? 'WebSocket' : 'TCP'}: publish, request, headers, wildcards, queues`, async () => {
    await withBus({}, async ({ server }, open) => {
      const a = await open({ name: 'a' }, web)
      const b = await open({ name: 'b' })
      const all = collect(b, 'x.>')
      const one = collect(b, 'x.*.z')
      const exact = collect(b, 'x.y.z')
      const queued = [collect(a, 'work', 'q'), collect(b, 'work', 'q'), collect(b, 'work', 'q')]
      b.subscribe('echo', {
        callback: (_error, message) => {
          message.respond(message.data, message.headers ? { headers: message.headers } : {})
        },
      })
      await Promise.all([a.flush(), b.flush()])
      a.publish('x.y.z', 'hello')
      a.publish('x.y', new Uint8Array(0))
      for (let i = 0; i < 300; i++) a.publish('work', String(i))
      await a.flush()
      await b.flush()
      await until('messages', () => all.length === 2 && queued.reduce((sum, list) => sum + list.length, 0) === 300)
      assert.deepEqual(
        all.map((message) => `${message.subject}=${message.string()}`),
        ['x.y.z=hello', 'x.y='],
      )
      assert.equal(one.length, 1)
      assert.equal(exact.length, 1)
      for (const list of queued) assert.ok(list.length > 40, `a member got ${list.length} of 300`)
      const h = headers()
      h.append('K', 'v1')
      h.append('K', 'v2')
      const big = new Uint8Array(1_000_000).fill(7)
      const reply = await a.request('echo', big, { timeout: 30_000, headers: h })
      assert.deepEqual(reply.headers?.values('K'), ['v1', 'v2'])
      assert.deepEqual(reply.data, big)
      await assert.rejects(a.request('nobody', '', { timeout: 30_000 }), /no responders/)
      assert.throws(() => a.publish('x', new Uint8Array(1024 * 1024 + 1)), /max_payload/)
      assert.deepEqual(
        server
          .connections()
          .map((connection) => connection.name)
          .sort(),
        ['a', 'b'],
      )
      assert.equal(server.stats.connections, 2)
      assert.ok(server.stats.inMessages > 300 && server.stats.outBytes > 2_000_000)
    })
  })

test('unsubscribe after max messages, and drain', async () => {
  await withBus({}, async ({ server }, open) => {
    const client = await open()
    const got: string[] = []
    const limited = client.subscribe('m', { max: 2 })
    const reading = (async () => {
      for await (const message of limited) got.push(message.string())
    })()
    for (const text of ['1', '2', '3']) client.publish('m', text)
    await reading
    assert.deepEqual(got, ['1', '2'])
    await client.flush()
    assert.equal(server.stats.subscriptions, 0)
    await client.drain()
    await until('gone', () => server.stats.connections === 0)
  })
})

const good = nkeys.createUser()
const stranger = nkeys.createUser()
/** As hub/agents does: signature over the nonce, then the key. */
const authenticate: NonNullable<BusServerOptions['authenticate']> = (claim) => {
  if (claim.nkey !== good.getPublicKey()) return { error: `unknown key ${claim.nkey}` }
  if (!naclVerifier.verify(claim.nonce, claim.signature, decodePublicKey(claim.nkey))) return { error: 'bad signature' }
  return {
    identity: 'web-1',
    publish: ['up.web-1', 'helio.v1.samples.*.*.web-1'],
    subscribe: ['_INBOX_web-1.>', 'down.*'],
  }
}

test('nkey challenge: the right key enters with its rights, others hear Authorization Violation', async () => {
  const events: BusEvent[] = []
  await withBus({ authenticate, onEvent: (event) => events.push(event) }, async ({ server }, open) => {
    for (const web of [false, true]) {
      const client = await open({ authenticator: nkeyAuthenticator(good.getSeed()), inboxPrefix: '_INBOX_web-1' }, web)
      const errors: string[] = []
      void (async () => {
        for await (const status of client.status()) if (status.type === 'error') errors.push(status.error.message)
      })()
      collect(client, 'down.x')
      client.publish('up.web-1', 'fine')
      client.publish('up.web-2', 'forged')
      collect(client, '>')
      await client.flush()
      await until('violations', () => errors.length === 2)
      assert.match(errors[0]!, /Permissions Violation for Publish to "up.web-2"/)
      assert.match(errors[1]!, /Permissions Violation for Subscription to ">"/)
      assert.equal(server.stats.subscriptions, 1)
      await client.close()
      await until('gone', () => server.stats.subscriptions === 0)
    }
    assert.equal(server.stats.permissionViolations, 4)
    for (const authenticator of [
      nkeyAuthenticator(stranger.getSeed()),
      () => ({ nkey: good.getPublicKey(), sig: 'AAAA' }),
    ])
      await assert.rejects(open({ authenticator }), /Authorization Violation/i)
    await assert.rejects(open(), /Authorization Violation/i)
    assert.equal(server.stats.authFailures, 3)
    const failed = events.filter((event) => event.kind === 'auth-failed')
    assert.match(failed[0]!.detail, /unknown key U/)
    assert.equal(failed[1]!.detail, 'bad signature')
    assert.match(failed[0]!.remoteAddress, /^127\.0\.0\.1:/)
  })
})

test('revoke() cuts live connections of that identity only, and they cannot return', async () => {
  let revoked = false
  const keys: Record<string, string> = { [good.getPublicKey()]: 'web-1', [stranger.getPublicKey()]: 'web-2' }
  await withBus(
    {
      authenticate: ({ nkey }) => {
        const identity = keys[nkey] ?? ''
        if (revoked && identity === 'web-1') return { error: 'revoked' }
        return { identity, publish: ['>'], subscribe: ['>'] }
      },
    },
    async ({ server }, open) => {
      const first = await open({ authenticator: nkeyAuthenticator(good.getSeed()) })
      const other = await open({ authenticator: nkeyAuthenticator(stranger.getSeed()) })
      revoked = true
      assert.equal(server.revoke('web-1'), 1)
      await first.closed()
      await assert.rejects(open({ authenticator: nkeyAuthenticator(good.getSeed()) }), /Authorization Violation/i)
      await other.flush()
      assert.equal(server.revoke('web-1'), 0)
    },
  )
})

test('a client that does not read is cut as a slow consumer; the others go on', async () => {
  const events: BusEvent[] = []
  await withBus({ maxPendingBytes: 256 * 1024, onEvent: (event) => events.push(event) }, async (bus, open) => {
    const slow = connectSocket(bus.port, '127.0.0.1')
    slow.on('error', () => {})
    const closed = new Promise((resolve) => slow.on('close', resolve))
    slow.write('CONNECT {"verbose":false}\r\nSUB flood 1\r\nPING\r\n')
    await new Promise<void>((resolve) => slow.on('data', (data) => String(data).includes('PONG') && resolve()))
    slow.pause()
    const publisher = await open()
    const reader = await open()
    const got = collect(reader, 'flood')
    await reader.flush()
    for (let i = 0; i < 400; i++) {
      publisher.publish('flood', new Uint8Array(64 * 1024))
      await publisher.flush()
    }
    slow.resume()
    await closed
    await until('the reader', () => got.length === 400)
    assert.equal(bus.server.stats.slowConsumers, 1)
    assert.equal(events.filter((event) => event.kind === 'slow-consumer').length, 1)
  })
})

test('a silent client is asked, then cut as stale; one that answers stays', async () => {
  await withBus({ pingIntervalMs: 40 }, async ({ server, port }, open) => {
    const client = await open()
    const mute = connectSocket(port, '127.0.0.1')
    let heard = ''
    mute.on('data', (data) => {
      heard += data
    })
    await new Promise((resolve) => mute.on('close', resolve))
    assert.match(heard, /PING\r\nPING\r\n-ERR 'Stale Connection'\r\n$/)
    assert.equal(server.stats.staleConnections, 1)
    await client.flush()
  })
})

test('who never says CONNECT is cut after the time for it', async () => {
  await withBus({ authenticate, authTimeoutMs: 50 }, async ({ port }) => {
    const mute = connectSocket(port, '127.0.0.1')
    let heard = ''
    mute.on('data', (data) => {
      heard += data
    })
    await new Promise((resolve) => mute.on('close', resolve))
    assert.match(heard, /-ERR 'Authentication Timeout'\r\n$/)
  })
})

test('connections and subscriptions above their limits are refused and counted', async () => {
  await withBus({ maxConnections: 2, maxSubscriptions: 3 }, async ({ server }, open) => {
    const first = await open()
    const errors: string[] = []
    void (async () => {
      for await (const status of first.status()) if (status.type === 'error') errors.push(status.error.message)
    })()
    for (let i = 0; i < 5; i++) collect(first, `s.${i}`)
    await first.flush()
    assert.equal(server.stats.subscriptions, 3)
    await until('refusals', () => errors.length === 2)
    await open()
    await assert.rejects(open(), /maximum connections exceeded/i)
    assert.equal(server.stats.connectionsRefused, 1)
  })
})

test('stop() announces the lame duck, waits, then cuts', async () => {
  await withBus({}, async ({ server }, open) => {
    const leaving = await open()
    const staying = await open()
    void (async () => {
      for await (const status of leaving.status()) if (status.type === 'ldm') void leaving.close()
    })()
    const local = server.localBus('hub')
    const start = performance.now()
    await server.stop(200)
    // The one that stays would do so for ever.
    assert.ok(performance.now() - start < 30_000)
    await Promise.all([leaving.closed(), staying.closed()])
    assert.equal(local.status, 'closed')
  })
})

test('the local bus talks with clients, answers and asks', async () => {
  await withBus({}, async ({ server }, open) => {
    const local = server.localBus('hub')
    const client = await open()
    const got: BusMessage[] = []
    local.subscribe('up.*', (message) => got.push({ ...message, payload: message.payload.slice() }))
    local.subscribe('ask', (message) => local.publish(message.reply, message.payload.slice(), { headers: { a: 'ü' } }))
    const h = headers()
    h.set('X', 'y')
    client.publish('up.1', 'one', { headers: h, reply: 'r' })
    client.subscribe('client.echo', { callback: (_error, message) => void message.respond(message.data) })
    const answer = await client.request('ask', 'ping', { timeout: 30_000 })
    assert.equal(answer.string(), 'ping')
    assert.equal(answer.headers?.get('a'), 'ü')
    assert.deepEqual(got[0]!.headers, { X: 'y' })
    assert.equal(got[0]!.reply, 'r')
    assert.equal(new TextDecoder().decode(got[0]!.payload), 'one')
    const back = await local.request('client.echo', new Uint8Array([1, 2]), { timeoutMs: 30_000 })
    assert.deepEqual([...back.payload], [1, 2])
    const noOne = local.request('nobody', new Uint8Array(0), { timeoutMs: 30_000 })
    await assert.rejects(noOne, (error) => error instanceof BusError && error.code === 'NO_RESPONDERS')
    local.subscribe('mute', () => {})
    await assert.rejects(local.request('mute', new Uint8Array(0), { timeoutMs: 20 }), { code: 'TIMEOUT' })
    assert.throws(() => local.publish('a.*', new Uint8Array(0)), { code: 'BAD_SUBJECT' })
    assert.throws(() => local.publish('a', new Uint8Array(2_000_000)), RangeError)
    await local.close()
    await assert.rejects(local.request('ask', new Uint8Array(0), { timeoutMs: 20 }), { code: 'CLOSED' })
  })
})

test('a handler that throws is counted and reported; the connection lives', async () => {
  const events: BusEvent[] = []
  await withBus({ onEvent: (event) => events.push(event) }, async ({ server }, open) => {
    server.localBus('hub').subscribe('boom', () => {
      throw new Error('broken')
    })
    const client = await open()
    client.publish('boom', '')
    await client.flush()
    assert.equal(server.stats.handlerErrors, 1)
    assert.deepEqual(
      events.map((event) => [event.kind, event.identity, event.detail]),
      [['handler-failed', 'hub', 'boom: broken']],
    )
  })
})

test('sample publishes get a PubAck once ingest has them, later when it is busy, none when it refuses', async () => {
  const subject = 'helio.v1.samples.40.main.web-1'
  let room: Promise<void> | undefined
  await withBus({ onPublish: () => room }, async ({ server }, open) => {
    const client = await open()
    const ask = (timeout = 30_000) => client.request(subject, 'batch', { timeout })
    await assert.rejects(ask(), /no responders/)
    const watcher = await open()
    collect(watcher, 'helio.v1.>') // a user who listens is no ingest
    await watcher.flush()
    await assert.rejects(ask(), /no responders/)
    let taken = 0
    server.localBus('ingest').subscribe('helio.v1.samples.>', () => {
      taken++
    })
    assert.deepEqual((await ask()).json(), { stream: 'HELIO_EMBEDDED', seq: 1 })
    const gate = Promise.withResolvers<void>()
    room = gate.promise
    let answered = false
    const held = client.request(subject, 'batch', { timeout: 30_000 }).then((message) => {
      answered = true
      return message
    })
    await until('the batch', () => taken === 2)
    await client.flush()
    assert.equal(answered, false)
    gate.resolve()
    assert.deepEqual((await held).json(), { stream: 'HELIO_EMBEDDED', seq: 2 })
    room = Promise.reject(new Error('full'))
    room.catch(() => {})
    await assert.rejects(ask(300), /timeout/)
    client.publish(subject, 'without reply')
    await client.flush()
    assert.equal(server.stats.pubAcks, 2)
    assert.equal(taken, 4)
  })
})

test('nobody can have the bus talk to a subject it may not hear', async () => {
  await withBus({ authenticate, onPublish: () => undefined }, async ({ server }, open) => {
    const local = server.localBus('hub')
    local.subscribe('helio.v1.samples.>', () => {})
    const heard: string[] = []
    local.subscribe('helio.v1.ack.>', (message) => heard.push(message.subject))
    const client = await open({ authenticator: nkeyAuthenticator(good.getSeed()), inboxPrefix: '_INBOX_web-1' })
    for (const reply of ['helio.v1.ack.web-2', '_INBOX_web-1.*', '_INBOX_web-1..x'])
      client.publish('helio.v1.samples.40.main.web-1', 'x', { reply })
    await client.flush()
    assert.deepEqual(heard, [])
    assert.equal(server.stats.permissionViolations, 3)
    const ack = await client.request('helio.v1.samples.40.main.web-1', 'x', { timeout: 30_000 })
    assert.equal(ack.json<{ stream: string }>().stream, 'HELIO_EMBEDDED')
  })
})

test('the agent adapter works against it and notices when it stops', async () => {
  const first = await startBus({ authenticate })
  const options = { name: 'agent', nkeySeed: new TextDecoder().decode(good.getSeed()), inboxPrefix: '_INBOX_web-1' }
  const bus = connectNats({
    ...options,
    servers: [`nats://127.0.0.1:${first.port}`, `nats://127.0.0.1:1`],
    reconnectMinMs: 10,
    reconnectMaxMs: 50,
  })
  await until('connected', () => bus.status === 'connected')
  first.server
    .localBus('hub')
    .subscribe('up.web-1', (m) => first.server.localBus('x').publish(m.reply, new Uint8Array(1)))
  assert.equal((await bus.request('up.web-1', new Uint8Array(0), { timeoutMs: 30_000 })).payload.length, 1)
  await first.stop()
  await until('disconnected', () => bus.status === 'disconnected')
  await bus.close()
})

test('a payload limit out of range is refused', () => {
  const env = { clock: {} as never, random: {} as never }
  for (const maxPayloadBytes of [0, 1023, 8 * 1024 * 1024 + 1, Number.NaN])
    assert.throws(() => createBusServer({ ...env, maxPayloadBytes }), RangeError)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { systemClock, systemRandom } from '../../agent/env/mod.ts'
import type { ByteSocket } from '../../protocol/env/mod.ts'
import { createBusServer } from './mod.ts'

/** A client without a network: what it writes arrives at once. */
function fakeSocket(): { socket: ByteSocket; send(bytes: Uint8Array): void; hangUp(): void; heard(): string } {
  let onData: (chunk: Uint8Array) => void = () => {}
  let onClose: (error: Error | null) => void = () => {}
  let isOpen = true
  let heard = ''
  const hangUp = (): void => {
    if (!isOpen) return
    isOpen = false
    onClose(null)
  }
  const socket: ByteSocket = {
    remoteAddress: '10.0.0.1:1',
    pendingBytes: 0,
    write: (bytes) => {
      heard += Buffer.from(bytes).toString('latin1')
      return true
    },
    onData: (fn) => {
      onData = fn
    },
    onDrain: () => {},
    onClose: (fn) => {
      onClose = fn
    },
    pause: () => {},
    resume: () => {},
    end: hangUp,
    destroy: hangUp,
  }
  return { socket, hangUp, send: (bytes) => isOpen && onData(bytes), heard: () => heard }
}

const subject = fc.constantFrom(
  'mine.a',
  'mine.b.c',
  'yours.a',
  'in.me.1',
  'in.you.1',
  'mine.*',
  'mine.>',
  '>',
  '*.a',
  'in.>',
  '..',
)
const line = fc.oneof(
  fc.tuple(subject, subject).map(([to, reply]) => `PUB ${to} ${reply} 2\r\nhi\r\n`),
  subject.map((to) => `PUB ${to} 0\r\n\r\n`),
  subject.map((to) => `HPUB ${to} 12 14\r\nNATS/1.0\r\n\r\nhi\r\n`),
  fc.tuple(subject, fc.nat(4)).map(([to, sid]) => `SUB ${to} ${sid}\r\n`),
  fc.tuple(subject, fc.nat(4)).map(([to, sid]) => `SUB ${to} q ${sid}\r\n`),
  fc.tuple(fc.nat(4), fc.nat(3)).map(([sid, max]) => `UNSUB ${sid} ${max}\r\n`),
  fc.json({ maxDepth: 2 }).map((json) => `CONNECT ${json}\r\n`),
  fc.constantFrom(
    'PING\r\n',
    'PONG\r\n',
    'CONNECT {"user":"me"}\r\n',
    'CONNECT {"user":"you"}\r\n',
    'CONNECT {"echo":false}\r\n',
  ),
  fc.string({ maxLength: 8 }),
)

test('whatever clients write, nobody throws, hears or says what is not theirs, and nothing is left behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), line, fc.nat(20)), { maxLength: 40 }), async (steps) => {
      const server = createBusServer({
        clock: systemClock,
        random: systemRandom,
        authenticate: ({ user }) =>
          user === 'me' || user === 'you'
            ? { identity: user, publish: ['mine.>', `in.${user}.*`], subscribe: ['mine.a', `in.${user}.>`] }
            : { error: 'unknown' },
      })
      const local = server.localBus('hub')
      const toldHub: string[] = []
      local.subscribe('>', (message) => toldHub.push(message.subject, message.reply))
      const clients = ['me', 'you', ''].map((user) => {
        const client = fakeSocket()
        server.accept(client.socket)
        if (user !== '')
          client.send(Buffer.from(`CONNECT {"verbose":false,"headers":true,"no_responders":true,"user":"${user}"}\r\n`))
        return client
      })
      // The second of two CONNECTs may change the identity, as in nats-server: keep to one each here.
      for (const [who, text, cut] of steps) {
        if (who < 2 && text.startsWith('CONNECT')) continue
        const bytes = Buffer.from(text)
        clients[who]!.send(bytes.subarray(0, cut))
        clients[who]!.send(bytes.subarray(cut))
      }
      await Promise.resolve()
      for (const [i, user] of ['me', 'you'].entries())
        for (const [, to] of clients[i]!.heard().matchAll(/^H?MSG (\S+)/gm))
          assert.ok(to === 'mine.a' || to!.startsWith(`in.${user}.`), `${user} heard ${to}`)
      for (const [, to] of clients[2]!.heard().matchAll(/^H?MSG (\S+)/gm)) assert.match(to!, /^mine\.a$|^in\./)
      for (const told of toldHub) assert.match(told, /^$|^mine\.|^in\./)
      for (const client of clients) client.hangUp()
      assert.equal(server.stats.connections, 0)
      assert.equal(server.stats.subscriptions, 1) // the hub's own
      assert.equal(server.stats.handlerErrors, 0)
      await server.stop(0)
      assert.equal(server.stats.subscriptions, 0)
    }),
    { numRuns: 300 },
  )
})

test('a second CONNECT changes rights for what comes, and drops what the new ones forbid', async () => {
  const server = createBusServer({
    clock: systemClock,
    random: systemRandom,
    authenticate: ({ user }) => ({ identity: user, publish: [`${user}.>`], subscribe: [`${user}.>`] }),
  })
  const client = fakeSocket()
  server.accept(client.socket)
  client.send(
    Buffer.from('CONNECT {"user":"a","verbose":false}\r\nSUB a.> 1\r\nCONNECT {"user":"b","verbose":false}\r\n'),
  )
  server.localBus('hub').publish('a.secret', new Uint8Array(1))
  await new Promise((resolve) => setTimeout(resolve, 1))
  assert.doesNotMatch(client.heard(), /MSG/)
  assert.equal(server.connections()[0]!.identity, 'b')
  assert.equal(server.stats.subscriptions, 0)
  await server.stop(0)
})

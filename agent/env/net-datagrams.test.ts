import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { DatagramListener, Datagrams, Logger } from '../../protocol/env/mod.ts'
import { shortQueueWarning } from './mod.ts'
import { createNet } from './net.ts'
import { lookEveryMs } from './net-datagrams.ts'

const net = createNet()
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-datagrams-'))
after(() => {
  net.close()
  fs.rmSync(folder, { recursive: true })
})
const elsewhere = process.platform === 'linux' ? false : 'sockets of Linux'

type Received = { readonly texts: string[]; until(count: number): Promise<void> }

function receiver(): Received & { readonly take: (datagrams: Datagrams) => void } {
  const texts: string[] = []
  let wake = (): void => {}
  return {
    texts,
    take: ({ bytes, starts, lengths, count }) => {
      for (let i = 0; i < count; i++)
        texts.push(Buffer.from(bytes.subarray(starts[i]!, starts[i]! + lengths[i]!)).toString())
      wake()
    },
    until: async (count) => {
      while (texts.length < count) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}

async function withListener(
  host: string,
  readBufferBytes: number,
  use: (listener: DatagramListener, received: Received) => Promise<void>,
): Promise<void> {
  const { take, ...received } = receiver()
  const onError = (error: Error): void => assert.fail(error)
  const listener = await net.listenDatagrams!({
    address: { host, port: 0 },
    readBufferBytes,
    onDatagrams: take,
    onError,
  })
  try {
    await use(listener, received)
  } finally {
    await listener.close()
  }
}

async function sendAll(host: string, port: number, texts: readonly string[]): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  for (const text of texts)
    await new Promise<void>((resolve, reject) => {
      socket.send(text, port, host, (error) => (error ? reject(error) : resolve()))
    })
  socket.close()
}

for (const [bound, target] of [
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['', '127.0.0.1'],
  ['', '::1'],
  ['localhost', 'localhost'],
] as const)
  test(`datagrams to ${target} arrive at "${bound}", in order and whole`, { timeout: 120_000 }, () =>
    withListener(bound, 0, async ({ address }, received) => {
      const texts = Array.from({ length: 1000 }, (_, i) => `${i}`.padEnd(1 + (i % 50), 'x'))
      await sendAll(target, address.port, texts)
      await received.until(1000)
      assert.deepEqual(received.texts, texts)
    }),
  )

test('what has come before the end is read, however long ago the last look was', { timeout: 120_000 }, async () => {
  const { take, texts } = receiver()
  const address = { host: '127.0.0.1', port: 0 }
  const onError = (error: Error): void => assert.fail(error)
  const listener = await net.listenDatagrams!({ address, readBufferBytes: 0, onDatagrams: take, onError })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await sendAll('127.0.0.1', listener.address.port, ['a', 'b', 'c'])
  await listener.close()
  assert.deepEqual(texts, ['a', 'b', 'c'])
})

test('all that has come is handed over when it is asked for', { skip: elsewhere, timeout: 120_000 }, () =>
  withListener('127.0.0.1', 16 * 2 ** 20, async (listener, { texts }) => {
    const all = Array.from({ length: 15_000 }, (_, i) => `${i}`)
    const program = `
      const socket = require('node:dgram').createSocket('udp4')
      const send = (i) =>
        i === ${all.length} ? socket.close() : socket.send(String(i), ${listener.address.port}, '127.0.0.1', () => send(i + 1))
      send(0)`
    // Nobody looks meanwhile.
    execFileSync(process.execPath, ['-e', program])
    await Promise.all([listener.look?.(), listener.look?.()])
    assert.deepEqual(texts, all)
    await listener.close()
    await listener.look?.()
  }),
)

test('the largest and the empty datagram arrive', { timeout: 120_000 }, () =>
  withListener('127.0.0.1', 0, async ({ address }, received) => {
    const large = 'y'.repeat(65_507)
    await sendAll('127.0.0.1', address.port, ['', large, 'z'])
    await received.until(3)
    assert.deepEqual(received.texts, ['', large, 'z'])
  }),
)

test('what the kernel drops is counted exactly', { skip: elsewhere, timeout: 120_000 }, () =>
  withListener('127.0.0.1', 4096, async (listener, received) => {
    // While this thread waits for the other process, nobody reads.
    const count = 2000
    const script = `const s = require('node:dgram').createSocket('udp4'); let i = 0
      const next = () => i++ < ${count} ? s.send('d', ${listener.address.port}, '127.0.0.1', next) : s.close(); next()`
    assert.equal(spawnSync(process.execPath, ['-e', script], { stdio: 'ignore' }).status, 0)
    await received.until(count - listener.drops()!)
    assert.ok(listener.drops()! > 0)
    assert.equal(received.texts.length + listener.drops()!, count)
  }),
)

/** Without the capability that passes the kernel's limit. */
const WITHOUT_NET_ADMIN = ['/usr/bin/setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
const rmemMax = elsewhere ? 0 : Number(fs.readFileSync('/proc/sys/net/core/rmem_max', 'utf8'))
const noShortQueue =
  elsewhere ||
  (rmemMax >= 16 * 2 ** 20 || !fs.existsSync(WITHOUT_NET_ADMIN[0]!) ? 'a long queue, or no setpriv' : false)

const SHORT_QUEUE = path.join(import.meta.dirname, 'testing/short-queue.ts')
const DENO_FLAGS = ['run', '--no-check', '--allow-all', '--no-lock', '--node-modules-dir=manual']

test('a queue that is shorter than it was to be is told of, one that was to be short is not', {
  skip: noShortQueue,
  timeout: 120_000,
}, () => {
  const command = [process.execPath, ...('Deno' in globalThis ? DENO_FLAGS : []), SHORT_QUEUE]
  const [program, ...args] = process.getuid!() === 0 ? [...WITHOUT_NET_ADMIN, ...command] : command
  const told = JSON.parse(execFileSync(program!, args, { encoding: 'utf8' }))
  assert.deepEqual(told, [{ bytes: 2 * rmemMax, wantedBytes: 160 * 2 ** 20 }])
})

test('a short queue is one line of the log, which says what to do', () => {
  const lines: unknown[] = []
  const warn = shortQueueWarning({ warn: (...line: unknown[]) => lines.push(line) } as unknown as Logger)
  warn({ bytes: 425_984, wantedBytes: 16_777_216 })
  warn({ bytes: 425_984, wantedBytes: 16_777_216 })
  assert.equal(lines.length, 1)
  assert.match(JSON.stringify(lines), /sysctl -w net\.core\.rmem_max=8388608/)
})

test('a port that is taken is an error that names it', () =>
  withListener('127.0.0.1', 0, async ({ address: { port } }) => {
    const address = { host: '127.0.0.1', port }
    const options = { address, readBufferBytes: 0, onDatagrams: () => {}, onError: () => {} }
    await assert.rejects(net.listenDatagrams!(options), {
      code: 'EADDRINUSE',
      message: new RegExp(`Cannot listen on 127.0.0.1:${port}: address already in use`),
    })
  }))

test('datagrams of a socket in the file system arrive', { skip: elsewhere, timeout: 120_000 }, async () => {
  const { take, ...received } = receiver()
  const file = path.join(folder, 'a.sock')
  const address = { path: file, mode: 0o722 }
  const options = { address, readBufferBytes: 0, onDatagrams: take, onError: (error: Error) => assert.fail(error) }
  const listener = await net.listenDatagrams!(options)
  assert.equal(fs.statSync(file).mode & 0o777, 0o722)
  await assert.rejects(net.listenDatagrams!(options), { code: 'EADDRINUSE', message: /a\.sock/ })
  const script = `import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.connect(${JSON.stringify(file)})\nfor i in range(5000): s.send(b'm%d' % i)`
  spawn('/usr/bin/python3', ['-c', script], { stdio: 'inherit' })
  await received.until(5000)
  assert.deepEqual(
    received.texts,
    Array.from({ length: 5000 }, (_, i) => `m${i}`),
  )
  await listener.close()
  assert.equal(fs.existsSync(file), false)
})

test('a sender tells its first failure of a row and goes on', { timeout: 120_000 }, () =>
  withListener('127.0.0.1', 0, async ({ address }, received) => {
    const errors: string[] = []
    const sender = net.openDatagrams!(address, (error) => errors.push(error.message))
    sender.send(Buffer.alloc(70_000))
    sender.send(Buffer.alloc(70_000))
    sender.send(Buffer.from('small'))
    await received.until(1)
    assert.deepEqual(received.texts, ['small'])
    // Deno tells of it when the small one has arrived already.
    for (let i = 0; i < 8000 && errors.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
    assert.equal(errors.length, 1)
    assert.match(errors[0]!, /write udp 127\.0\.0\.1:\d+: .*EMSGSIZE/)
    sender.close()
  }),
)

test('a queue that keeps more than is asked for by default is looked at less often', () => {
  assert.equal(lookEveryMs(16 * 2 ** 20), 200)
  assert.equal(lookEveryMs(32 * 2 ** 20), 200)
  assert.equal(lookEveryMs(48 * 2 ** 20), 300)
  assert.equal(lookEveryMs(64 * 2 ** 20), 400)
  assert.equal(lookEveryMs(160 * 2 ** 20), 1000)
  assert.equal(lookEveryMs(256 * 2 ** 20), 1000)
})

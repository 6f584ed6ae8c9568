import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import type { ByteSocket } from '../../protocol/env/mod.ts'
import { createNet } from './net.ts'

const net = createNet()
/** Only for what is to be cut: on a busy host the others, too, take their time. */
const impatient = createNet({ httpLimits: { headersTimeoutMs: 200, requestTimeoutMs: 400, keepAliveTimeoutMs: 500 } })
after(() => {
  net.close()
  impatient.close()
})
const loopback = { host: '127.0.0.1', port: 0 }

function text(body: Uint8Array): string {
  return new TextDecoder().decode(body)
}

function rawClient(port: number): { socket: Socket; closed: Promise<string> } {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (data) => {
    received += data
  })
  socket.on('error', () => {})
  return { socket, closed: new Promise((resolve) => socket.on('close', () => resolve(received))) }
}

test('a client that offers HTTP/2 without TLS is answered in HTTP/1.1, body and all', async () => {
  const listener = await net.serveHttp({
    ...loopback,
    handler: async (request) => new Response(`${request.method} ${await request.text()}`),
  })
  const { socket, closed } = rawClient(listener.address.port)
  const offer = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
  socket.write(`POST /x HTTP/1.1\r\nHost: x\r\n${offer}Content-Length: 4\r\n\r\nbody`)
  const answer = await closed
  assert.match(answer, /^HTTP\/1\.1 200 /)
  assert.match(answer, /POST body/)
  await listener.close()
})

test('TCP: bytes go both ways and both ends close', async () => {
  const serverClosed = Promise.withResolvers<Error | null>()
  const listener = await net.listenTcp(loopback, (socket) => {
    socket.onData((chunk) => socket.write(chunk))
    socket.onClose(serverClosed.resolve)
  })
  const client = await net.connectTcp(listener.address, { timeoutMs: 1_000 })
  assert.match(client.remoteAddress, /^127\.0\.0\.1:\d+$/)
  const echoed = Promise.withResolvers<string>()
  client.onData((chunk) => echoed.resolve(text(chunk)))
  client.write(new TextEncoder().encode('hello'))
  assert.equal(await echoed.promise, 'hello')
  client.end()
  assert.equal(await serverClosed.promise, null)
  await listener.close()
})

test('TCP: write() says false when the reader stalls, and onDrain follows', async () => {
  const reader = Promise.withResolvers<ByteSocket>()
  const listener = await net.listenTcp(loopback, reader.resolve)
  const writer = await net.connectTcp(listener.address, { timeoutMs: 1_000 })
  let drained = false
  writer.onDrain(() => {
    drained = true
  })
  let written = 0
  while (writer.write(new Uint8Array(64 * 1024))) {
    written += 64 * 1024
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(written < 100_000_000)
  }
  assert.ok(writer.pendingBytes >= 64 * 1024)
  assert.equal(drained, false)
  const other = await reader.promise
  other.onData(() => {})
  while (!drained) await new Promise((resolve) => setImmediate(resolve))
  writer.destroy()
  await listener.close()
})

test('listeners name an address that is taken', async () => {
  const listener = await net.listenTcp(loopback, () => {})
  const { port } = listener.address
  for (const attempt of [
    net.listenTcp({ ...loopback, port }, () => {}),
    net.serveHttp({ ...loopback, port, handler: () => new Response() }),
  ])
    await assert.rejects(attempt, {
      name: 'NetError',
      code: 'EADDRINUSE',
      message: `Cannot listen on 127.0.0.1:${port}: address already in use; stop the program that holds it or choose another port`,
    })
  await listener.close()
})

test('connectTcp() reports refusal and times out', async () => {
  const listener = await net.listenTcp(loopback, () => {})
  const { address } = listener
  await listener.close()
  await assert.rejects(net.connectTcp(address, { timeoutMs: 500 }), {
    code: 'ECONNREFUSED',
    message: `dial tcp 127.0.0.1:${address.port}: connect: connection refused`,
  })
  // A TLS handshake that never comes.
  const mute = await net.listenTcp(loopback, () => {})
  await assert.rejects(net.connectTcp(mute.address, { timeoutMs: 50, tls: {} }), { code: 'TIMEOUT' })
  await mute.close(10)
})

test('connectUnix() reports a missing socket, and talks over one that exists', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'helio-unix-'))
  const file = join(folder, 'admin.sock')
  await assert.rejects(net.connectUnix(file, { timeoutMs: 500 }), {
    code: 'ENOENT',
    message: `dial unix ${file}: connect: no such file or directory`,
  })
  const server = createServer((socket) => socket.pipe(socket)).listen(file)
  try {
    await once(server, 'listening')
    const client = await net.connectUnix(file, { timeoutMs: 500 })
    const echo = new Promise((resolve) => client.onData((chunk) => resolve(new TextDecoder().decode(chunk))))
    client.write(new TextEncoder().encode('show info'))
    assert.equal(await echo, 'show info')
    client.destroy()
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})

test('a closed TCP listener cuts what stays open after the grace time', async () => {
  const listener = await net.listenTcp(loopback, () => {})
  const client = rawClient(listener.address.port)
  await new Promise((resolve) => client.socket.on('connect', resolve))
  await listener.close(20)
  assert.equal(await client.closed, '')
})

test('HTTP: every method reaches the handler, with its body', async () => {
  const listener = await net.serveHttp({
    ...loopback,
    handler: async (request) =>
      new Response(`${request.method} ${new URL(request.url).search} ${await request.text()}`, { status: 201 }),
  })
  const url = `http://127.0.0.1:${listener.address.port}/x?q=%22a%22`
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
    const body = method === 'GET' ? {} : { body: new TextEncoder().encode('data') }
    const response = await net.request({ method, url, timeoutMs: 1_000, maxBodyBytes: 1_000, ...body })
    assert.equal(response.status, 201)
    assert.equal(text(response.body), `${method} ?q=%22a%22 ${method === 'GET' ? '' : 'data'}`)
  }
  await listener.close()
})

test('HTTP: bodies stream both ways', async () => {
  const listener = await net.serveHttp({
    ...loopback,
    handler: (request) =>
      new Response(
        request.body!.pipeThrough(
          new TransformStream<Uint8Array, Uint8Array>({ transform: (chunk, out) => out.enqueue(chunk) }),
        ),
      ),
  })
  const client = rawClient(listener.address.port)
  client.socket.write(
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n',
  )
  const first = await new Promise<string>((resolve) =>
    client.socket.on('data', function wait(data) {
      if (String(data).includes('one')) resolve(String(data))
    }),
  )
  assert.match(first, /one/) // echoed before the request has ended
  client.socket.write('3\r\ntwo\r\n0\r\n\r\n')
  assert.match(await client.closed, /one[\s\S]*two/)
  await listener.close()
})

test('HTTP: a client that goes away aborts info.signal and cancels the answer stream', async () => {
  const aborted = Promise.withResolvers<void>()
  const cancelled = Promise.withResolvers<void>()
  let asked = Promise.withResolvers<void>()
  const listener = await net.serveHttp({
    ...loopback,
    handler: (request, { signal }) => {
      if (request.url.endsWith('/stream'))
        return new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new Uint8Array(10)),
            cancel: () => cancelled.resolve(),
          }),
        )
      asked.resolve()
      return new Promise<Response>((resolve) =>
        signal.addEventListener('abort', () => {
          aborted.resolve()
          resolve(new Response())
        }),
      )
    },
  })
  for (const [path, seen] of [
    ['/wait', aborted],
    ['/stream', cancelled],
  ] as const) {
    asked = Promise.withResolvers<void>()
    const client = rawClient(listener.address.port)
    // The stream has been asked once its first bytes are here.
    client.socket.once('data', () => asked.resolve())
    client.socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await asked.promise
    client.socket.destroy()
    await seen.promise
  }
  await listener.close()
})

test('HTTP: a handler that throws gives 500 and tells the owner', async () => {
  const seen: string[] = []
  const own = createNet({ onHandlerError: (error, request) => seen.push(`${request}: ${(error as Error).message}`) })
  const listener = await own.serveHttp({
    ...loopback,
    handler: () => {
      throw new Error('broken')
    },
  })
  const url = `http://127.0.0.1:${listener.address.port}/q`
  const response = await own.request({ method: 'GET', url, timeoutMs: 1_000, maxBodyBytes: 1_000 })
  assert.equal(response.status, 500)
  assert.equal(text(response.body), 'Internal Server Error\n')
  assert.deepEqual(seen, ['GET /q: broken'])
  own.close()
  await listener.close()
})

test('HTTP: slow headers and slow bodies are cut after their time', async () => {
  const handler = async (request: Request): Promise<Response> => new Response(await request.text())
  const listener = await impatient.serveHttp({ ...loopback, handler })
  const starts = ['GET / HTT', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab']
  const answers = await Promise.all(
    starts.map((start) => {
      const client = rawClient(listener.address.port)
      client.socket.write(start)
      return client.closed
    }),
  )
  assert.match(answers[0]!, /^HTTP\/1\.1 408/)
  assert.match(answers[1]!, /^(HTTP\/1\.1 408|$)/)
  await listener.close()
})

test('HTTP: connections above maxConnections are dropped, the others live', async () => {
  const listener = await net.serveHttp({ ...loopback, maxConnections: 2, handler: () => new Response('ok') })
  const clients = [0, 1, 2].map(() => rawClient(listener.address.port))
  await clients[2]!.closed
  clients[0]!.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(await clients[0]!.closed, /200 OK/)
  clients[1]!.socket.destroy()
  await listener.close()
})

test('HTTP: close() lets running requests end, and cuts them after the grace time', async () => {
  const release = Promise.withResolvers<void>()
  const came = Promise.withResolvers<void>()
  let requests = 0
  const handler = async (request: Request): Promise<Response> => {
    if (++requests === 3) came.resolve()
    if (request.url.endsWith('/slow')) await release.promise
    if (request.url.endsWith('/never')) await new Promise(() => {})
    return new Response('done')
  }
  // With patient limits: Bun counts a request's time until it is answered, and would answer one with 408 itself.
  const listener = await createNet().serveHttp({ ...loopback, handler })
  const idle = rawClient(listener.address.port)
  const slow = rawClient(listener.address.port)
  const never = rawClient(listener.address.port)
  idle.socket.write('GET /idle HTTP/1.1\r\nHost: a\r\n\r\n')
  slow.socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  never.socket.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n')
  await came.promise
  let isOver = false
  const closed = listener.close(2000).then(() => void (isOver = true))
  await idle.closed
  release.resolve()
  const answer = await slow.closed
  assert.match(answer, /connection: close/i)
  assert.match(answer, /done/)
  assert.equal(isOver, false, 'both within the grace time')
  await closed
  assert.equal(await never.closed, '')
})

test('WebSocket: binary frames are a byte stream on the given path only', async () => {
  let origin: string | null = null
  const listener = await net.serveHttp({
    ...loopback,
    handler: () => new Response('plain'),
    webSockets: {
      '/nats': (socket, { headers }) => {
        origin = headers.get('origin')
        socket.onData((chunk) => socket.write(chunk))
      },
    },
  })
  const url = `ws://127.0.0.1:${listener.address.port}`
  const client = new WebSocket(`${url}/nats`, { origin: 'http://evil.example', perMessageDeflate: true })
  await new Promise((resolve) => client.on('open', resolve))
  assert.equal(client.extensions, '')
  const echo = new Promise((resolve) => client.on('message', (data, binary) => resolve([String(data), binary])))
  client.send(Buffer.from('PING\r\n'))
  assert.deepEqual(await echo, ['PING\r\n', true])
  assert.equal(origin, 'http://evil.example')
  const refused = new WebSocket(`${url}/other`)
  assert.match(await new Promise<string>((resolve) => refused.on('error', (e) => resolve(e.message))), /404/)
  const gone = new Promise((resolve) => client.on('close', resolve))
  await listener.close(20)
  await gone
})

test('WebSocket: backpressure reaches the writer, and end() flushes', async () => {
  const accepted = Promise.withResolvers<ByteSocket>()
  const listener = await net.serveHttp({
    ...loopback,
    handler: () => new Response(),
    webSockets: { '/nats': accepted.resolve },
  })
  const client = new WebSocket(`ws://127.0.0.1:${listener.address.port}/nats`)
  let received = 0
  client.on('message', (data: Buffer) => {
    received += data.length
  })
  const socket = await accepted.promise
  if (client.readyState !== client.OPEN) await new Promise((resolve) => client.on('open', resolve))
  client.pause()
  let drained = false
  socket.onDrain(() => {
    drained = true
  })
  let sent = 0
  let more = true
  while (more) {
    more = socket.write(new Uint8Array(64 * 1024))
    sent += 64 * 1024
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(sent < 100_000_000)
  }
  assert.ok(socket.pendingBytes > 0)
  client.resume()
  while (!drained) await new Promise((resolve) => setImmediate(resolve))
  socket.end()
  await new Promise((resolve) => client.on('close', resolve))
  assert.equal(received, sent)
  await listener.close()
})

test('TLS: HTTPS and TCP with a private authority, and a clear refusal without it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'helio-net-'))
  try {
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    execFileSync('openssl', [...make, ...names, '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], {
      stdio: 'ignore',
    })
    const cert = readFileSync(join(dir, 'cert'), 'utf8')
    const key = readFileSync(join(dir, 'key'), 'utf8')
    const listener = await net.serveHttp({ ...loopback, tls: { cert, key }, handler: () => new Response('secret') })
    const url = `https://127.0.0.1:${listener.address.port}/`
    const request = { method: 'GET', url, timeoutMs: 2_000, maxBodyBytes: 100 }
    assert.equal(text((await net.request({ ...request, tls: { ca: cert } })).body), 'secret')
    assert.equal(text((await net.request({ ...request, tls: { insecureSkipVerify: true } })).body), 'secret')
    await assert.rejects(net.request(request), {
      message: `Get "${url}": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
    })
    const wrongName = net.request({ ...request, tls: { ca: cert, serverName: 'other.example' } })
    await assert.rejects(wrongName, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    const socket = await net.connectTcp(listener.address, { timeoutMs: 1_000, tls: { ca: cert } })
    socket.destroy()
    await listener.close()
  } finally {
    rmSync(dir, { recursive: true })
  }
})

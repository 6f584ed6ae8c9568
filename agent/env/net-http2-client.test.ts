import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { type HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { createNet } from './net.ts'

const net = createNet()
const sockets = new Set<Socket>()
const servers: Server[] = []
const folder = mkdtempSync(join(tmpdir(), 'helio-h2-'))
after(() => {
  net.close()
  for (const socket of sockets) socket.destroy()
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})
const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
const files = ['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')]
execFileSync('openssl', [...make, ...names, ...files], { stdio: 'ignore' })
const cert = readFileSync(join(folder, 'cert'), 'utf8')
const key = readFileSync(join(folder, 'key'), 'utf8')

async function listening(server: Server | Http2SecureServer): Promise<number> {
  servers.push(server as Server)
  const onSocket = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  }
  server.on('connection', onSocket)
  server.on('secureConnection', onSocket)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

type Stream = ServerHttp2Stream
type Sent = Readonly<Record<string, string | string[] | undefined>>

/** A server of HTTP/2 alone; what it has seen is in `seen`. */
async function http2Only(answer: (stream: Stream, headers: Sent) => void, port?: number) {
  const seen = { handshakes: 0, refused: 0, streams: 0 }
  const server = createSecureServer({ cert, key })
  server.on('secureConnection', () => seen.handshakes++)
  server.on('tlsClientError', () => seen.refused++)
  server.on('stream', (stream, headers) => {
    seen.streams++
    stream.on('error', () => {})
    answer(stream as Stream, headers as Sent)
  })
  if (port === undefined) return { port: await listening(server), seen, server }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  servers.push(server as unknown as Server)
  return { port, seen, server }
}

const get = (port: number, path = '/metrics', more: Partial<HttpRequest> = {}) =>
  net.request({
    method: 'GET',
    url: `https://127.0.0.1:${port}${path}`,
    timeoutMs: 30_000,
    maxBodyBytes: 100_000,
    tls: { ca: cert },
    http2: true,
    ...more,
  })
const textOf = ({ body }: { readonly body: Uint8Array }): string => new TextDecoder().decode(body)

async function refusal(promise: Promise<unknown>): Promise<NetError> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof NetError, String(error))
    return error
  }
  throw new assert.AssertionError({ message: 'Expected a NetError' })
}

test('a server of HTTP/2 alone is asked in it, and one session carries the requests that follow', async () => {
  const heads: Sent[] = []
  const { port, seen } = await http2Only((stream, headers) => {
    heads.push(headers)
    stream.respond({ ':status': 200, 'content-type': 'text/plain', 'x-two': ['a', 'b'] })
    stream.end(`up ${headers[':path']}\n`)
  })
  for (const path of ['/one?x=1', '/two']) {
    const response = await get(port, path, { headers: { 'X-Own': 'y', Connection: 'close' } })
    assert.equal(response.status, 200)
    assert.equal(textOf(response), `up ${path}\n`)
    assert.equal(response.headers['content-type'], 'text/plain')
    assert.equal(response.headers['x-two'], 'a, b')
  }
  assert.deepEqual([seen.handshakes, seen.streams], [1, 2])
  assert.equal(heads[0]!['x-own'], 'y')
  assert.equal(heads[0]!['connection'], undefined)
  assert.equal(heads[0]![':authority'], `127.0.0.1:${port}`)
})

test('without leave to speak HTTP/2 such a server is an error that names the setting', async () => {
  const { port } = await http2Only((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
  const { status, body } = await get(port, '/', { http2: false }).catch((error: Error) => ({
    status: 0,
    body: new TextEncoder().encode(error.message),
  }))
  assert.notEqual(status, 200, textOf({ body }))
  // One that sends frames whatever was agreed upon, as Envoy does.
  const frames = createTlsServer({ cert, key }, (socket) => {
    socket.on('error', () => {})
    socket.write(Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0))
  })
  const { message } = await refusal(get(await listening(frames), '/', { http2: false }))
  assert.match(message, /the server answers in HTTP\/2 \(enable_http2 allows it\)/)
})

test('a server that speaks both is asked in HTTP/1.1', async () => {
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    response.end(request.httpVersion)
  })
  assert.equal(textOf(await get(await listening(server))), '1.1')
  const plain = createHttpsServer({ cert, key }, (_, response) => void response.end('https'))
  assert.equal(textOf(await get(await listening(plain as unknown as Server))), 'https')
})

test('bodies over HTTP/2 have the limits, the judge and the inflation that others have', async () => {
  const page = 'metric 1\n'.repeat(5000)
  const { port } = await http2Only((stream, headers) => {
    const path = headers[':path']
    if (path === '/gzip') {
      stream.respond({ ':status': 200, 'content-encoding': 'gzip' })
      stream.end(gzipSync(page))
    } else if (path === '/long') {
      stream.respond({ ':status': 200, 'content-length': '100001' })
      stream.end(Buffer.alloc(100_001))
    } else if (path === '/endless') {
      stream.respond({ ':status': 200 })
      const more = setInterval(() => stream.write(Buffer.alloc(16_384)), 1)
      stream.on('close', () => clearInterval(more))
    } else if (path === '/bomb') {
      stream.respond({ ':status': 200, 'content-encoding': 'gzip' })
      stream.end(gzipSync(Buffer.alloc(20_000_000)))
    } else if (path === '/silent') stream.respond({ ':status': 200 })
    else if (path === '/reset') stream.close(2)
    else if (path === '/moved') stream.respond({ ':status': 302, location: '/gzip' }, { endStream: true })
    else stream.respond({ ':status': 404 }, { endStream: true })
  })
  assert.equal(textOf(await get(port, '/gzip')), page)
  assert.equal(textOf(await get(port, '/moved', { maxRedirects: 1 })), page)
  assert.equal((await get(port, '/none')).status, 404)
  for (const path of ['/long', '/endless', '/bomb'])
    assert.equal((await refusal(get(port, path))).code, 'BODY_TOO_LARGE', path)
  const slow = await refusal(get(port, '/silent', { timeoutMs: 300 }))
  assert.deepEqual([slow.code, slow.message], ['TIMEOUT', 'context deadline exceeded'])
  assert.match((await refusal(get(port, '/reset'))).message, /^Get "https:\/\/127\.0\.0\.1:\d+\/reset": http2: /)
  // None of it has harmed what follows.
  assert.equal(textOf(await get(port, '/gzip')), page)
  const judged: number[] = []
  const judge = (piece: Uint8Array): boolean => judged.push(piece.length) < 0
  const { body } = await get(port, '/bomb', { judge, maxBodyBytes: 30_000_000 })
  assert.deepEqual([body.length, judged.reduce((sum, bytes) => sum + bytes, 0)], [0, 20_000_000])
})

test('a body is sent over HTTP/2, and an aborted request ends', async () => {
  const { port } = await http2Only((stream, headers) => {
    if (headers[':path'] === '/never') return
    stream.respond({ ':status': 200 })
    stream.pipe(stream)
  })
  const sent = { method: 'POST', body: new TextEncoder().encode('hello') }
  assert.equal(textOf(await get(port, '/', sent)), 'hello')
  const abort = new AbortController()
  const pending = refusal(get(port, '/never', { signal: abort.signal }))
  setTimeout(() => abort.abort(), 50)
  assert.equal((await pending).code, 'ABORTED')
})

test('a request that times out disturbs no other on the same session', async () => {
  let streams = 0
  const { port } = await http2Only((stream, { ':path': path }) => {
    streams++
    if (path === '/never') return
    stream.respond({ ':status': 200 })
    stream.write('first half, ')
    if (path === '/halves') setTimeout(() => stream.end('second half'), 400)
    else if (path === '/now') stream.end('all')
  })
  await get(port, '/now')
  const halves = get(port, '/halves')
  const stalled = [get(port, '/never', { timeoutMs: 1000 }), get(port, '/stalls', { timeoutMs: 1000 })]
  for (const each of stalled) assert.equal((await refusal(each)).code, 'TIMEOUT')
  const after = get(port, '/now')
  assert.equal(textOf(await halves), 'first half, second half')
  assert.equal(textOf(await after), 'first half, all')
  assert.equal(streams, 5)
})

test('a session that the server has ended is opened anew, and what it speaks is found out again', async () => {
  const first = await http2Only((stream) => {
    stream.respond({ ':status': 200 })
    stream.end('one')
  })
  assert.equal(textOf(await get(first.port)), 'one')
  for (const socket of [...sockets]) socket.destroy()
  assert.equal(textOf(await get(first.port)), 'one')
  for (const socket of [...sockets]) socket.destroy()
  await new Promise((resolve) => first.server.close(resolve))
  await refusal(get(first.port))
  const other = createHttpsServer({ cert, key }, (_, response) => void response.end('1.1 now'))
  await new Promise<void>((resolve) => other.listen(first.port, '127.0.0.1', resolve))
  servers.push(other as unknown as Server)
  assert.equal(textOf(await get(first.port)), '1.1 now')
  other.closeAllConnections()
})

test('a server that trusts no client of its certificate, or speaks no HTTP at all, is told as such', async () => {
  const strange = createTlsServer({ cert, key, ALPNProtocols: ['strange'] }, (socket) => socket.on('error', () => {}))
  const { message } = await refusal(get(await listening(strange)))
  assert.match(message, /^Get "https:.*": tls: .*no application protocol/i)
  const { port } = await http2Only((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
  assert.match((await refusal(get(port, '/', { tls: {} }))).message, /x509|certificate/)
})

test('HTTP/2 goes through a tunnel', async () => {
  const { port } = await http2Only((stream) => {
    stream.respond({ ':status': 200 })
    stream.end('through')
  })
  const proxy = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        socket.pipe(onward).pipe(socket)
      })
      onward.on('error', () => {})
      sockets.add(onward)
    })
  })
  const proxyPort = await listening(proxy)
  assert.equal(textOf(await get(port, '/', { proxy: { url: `http://127.0.0.1:${proxyPort}` } })), 'through')
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { createNet } from './net.ts'

const net = createNet()
const open: { destroy(): void }[] = []
const servers: Server[] = []
after(() => {
  net.close()
  for (const server of servers) server.close()
  for (const each of open) each.destroy()
})

async function listening(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket: Socket) => open.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const get = (url: string, more: Partial<HttpRequest> = {}) =>
  net.request({ method: 'GET', url, timeoutMs: 30_000, maxBodyBytes: 1000, ...more })

test('plain HTTP goes to the proxy whole, with its credentials and without the headers for tunnels', async () => {
  const heads: string[] = []
  const port = await listening(
    createServer((socket) =>
      socket.on('data', (data) => {
        heads.push(data.toString())
        socket.write(ANSWER)
      }),
    ),
  )
  const proxy = { url: `http://user:p%40ss@127.0.0.1:${port}`, connectHeaders: { 'X-Tunnel': '1' } }
  for (let i = 0; i < 2; i++) assert.equal((await get('http://target.example:9100/metrics?a=b', { proxy })).status, 200)
  assert.match(
    heads[0]!,
    /^GET http:\/\/target\.example:9100\/metrics\?a=b HTTP\/1\.1\r\nHost: target\.example:9100\r\n/,
  )
  assert.ok(heads[0]!.includes(`Proxy-Authorization: Basic ${Buffer.from('user:p@ss').toString('base64')}\r\n`))
  assert.doesNotMatch(heads[0]!, /X-Tunnel/)
})

test('HTTPS goes through a tunnel; the proxy sees names and headers of its own only', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'helio-proxy-'))
  try {
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:target.example']
    execFileSync('openssl', [...make, ...names, '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], {
      stdio: 'ignore',
    })
    const cert = readFileSync(join(dir, 'cert'), 'utf8')
    const options: TlsOptions = { cert, key: readFileSync(join(dir, 'key'), 'utf8'), maxVersion: 'TLSv1.2' }
    const versions: (string | null)[] = []
    const target = await listening(
      createTlsServer(options, (socket) => {
        versions.push(socket.getProtocol())
        socket.on('error', () => {})
        socket.on('data', () => socket.write(ANSWER))
      }),
    )
    const heads: string[] = []
    const port = await listening(
      createServer((socket) => {
        socket.on('error', () => {})
        socket.once('data', (data) => {
          heads.push(data.toString())
          const upstream = connect(target, '127.0.0.1', () => {
            socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
            socket.pipe(upstream).pipe(socket)
          })
          open.push(upstream)
          upstream.on('error', () => {})
        })
      }),
    )
    const proxy = { url: `http://127.0.0.1:${port}`, connectHeaders: { 'X-Tunnel': '1' } }
    const more: Partial<HttpRequest> = { proxy, tls: { ca: cert }, headers: { authorization: 'Bearer secret' } }
    for (let i = 0; i < 2; i++) assert.equal((await get('https://target.example/metrics', more)).status, 200)
    assert.equal(heads.length, 1, 'the tunnel is kept')
    assert.match(
      heads[0]!,
      /^CONNECT target\.example:443 HTTP\/1\.1\r\nHost: target\.example:443\r\nX-Tunnel: 1\r\n\r\n$/,
    )
    assert.equal(versions[0], 'TLSv1.2')
    const tooNew = get('https://target.example/', { proxy, tls: { ca: cert, minVersion: 'TLSv1.3' } })
    await assert.rejects(tooNew, (error: NetError) => /tls: /.test(error.message))
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('a proxy that refuses, floods or stalls is named as the cause', async () => {
  const rows: readonly [answer: string, message: RegExp][] = [
    ['HTTP/1.1 407 Proxy Authentication Required\r\n\r\n', /proxy: CONNECT was answered with HTTP status 407/],
    [`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}`, /proxy: answer to CONNECT is too long/],
    ['SSH-2.0-x\r\n\r\n', /malformed HTTP response/],
    ['', /context deadline exceeded/],
  ]
  for (const [answer, message] of rows) {
    const port = await listening(
      createServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', () => socket.write(answer))
      }),
    )
    const timeoutMs = answer === '' ? 300 : 30_000
    const asked = get('https://target.example/', { proxy: { url: `http://127.0.0.1:${port}` }, timeoutMs })
    await assert.rejects(asked, (error: NetError) => message.test(error.message), String(message))
  }
})

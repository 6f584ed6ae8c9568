import assert from 'node:assert/strict'
import { createServer as createHttp2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { checksum, isReply, socketAddress } from './net-ping.ts'
import { probeNet } from './probe-net.ts'

test('names are looked up as the system does, its hosts file included; an address is its own', async () => {
  assert.deepEqual(await probeNet.lookup('192.0.2.1', { timeoutMs: 100 }), ['192.0.2.1'])
  assert.ok(
    (await probeNet.lookup('localhost', { timeoutMs: 2000 })).some((one) => one === '127.0.0.1' || one === '::1'),
  )
  await assert.rejects(probeNet.lookup('nowhere.invalid', { timeoutMs: 5000 }), /lookup nowhere\.invalid: /)
})

test('a connection may come from an address of our own', async () => {
  const server = createServer((socket) => void socket.end(socket.remoteAddress ?? ''))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const socket = await probeNet.connect({ host: '127.0.0.1', port }, { timeoutMs: 1000, localAddress: '127.0.0.2' })
  const said = await new Promise<string>((resolve) =>
    socket.onData((chunk) => resolve(new TextDecoder().decode(chunk))),
  )
  assert.equal(said, '127.0.0.2')
  socket.destroy()
  server.close()
  await assert.rejects(probeNet.connect({ host: '127.0.0.1', port: 1 }, { timeoutMs: 1000 }), { code: 'ECONNREFUSED' })
})

test('HTTP/2 without TLS: headers, body, trailers; an end without an answer is an error', async () => {
  const server = createHttp2Server()
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    if (headers[':path'] === '/cut') {
      stream.close(2)
      return
    }
    stream.respond({ ':status': 201, 'x-two': ['a', 'b'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-last': String(headers['x-one']) }))
    stream.pipe(stream)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const exchange = async (path: string) => {
    const chunks: Uint8Array[] = []
    const socket = await probeNet.connect(address, { timeoutMs: 1000 })
    const answer = await probeNet.exchangeHttp2(socket, {
      method: 'POST',
      scheme: 'http',
      authority: 'a.example',
      path,
      headers: [
        ['X-One', '1'],
        ['Connection', 'close'],
      ],
      body: new TextEncoder().encode('hello'),
      timeoutMs: 2000,
      onChunk: (chunk) => chunks.push(chunk),
    })
    return { ...answer, body: Buffer.concat(chunks).toString() }
  }
  const { status, headers, trailers, body } = await exchange('/')
  assert.deepEqual([status, body, trailers], [201, 'hello', [['x-last', '1']]])
  assert.ok(headers.some(([name, value]) => name === 'x-two' && value === 'a, b'))
  await assert.rejects(exchange('/cut'), /http2: /)
  server.close()
})

test('ICMP: checksums, addresses, and which packets are answers', () => {
  assert.equal(checksum(Uint8Array.from([8, 0, 0, 0, 0, 1, 0, 1])), 0xf7fd)
  assert.equal(checksum(Uint8Array.from([0xff])), 0x00ff)
  assert.deepEqual([...socketAddress('10.1.2.3')].slice(0, 8), [2, 0, 0, 0, 10, 1, 2, 3])
  const v6 = socketAddress('2001:db8::1')
  assert.deepEqual([v6[0], v6[8], v6[9], v6[10], v6[11], v6[23]], [10, 0x20, 0x01, 0x0d, 0xb8, 1])
  const expected = { isV6: false, isRaw: false, id: 7, sequence: 9, payload: Uint8Array.of(1, 2) }
  const reply = [0, 0, 0, 0, 0, 99, 0, 9, 1, 2]
  assert.equal(isReply(Uint8Array.from(reply), expected), true)
  assert.equal(isReply(Uint8Array.from([8, ...reply.slice(1)]), expected), false)
  assert.equal(isReply(Uint8Array.from([...reply.slice(0, 9), 3]), expected), false)
  assert.equal(isReply(Uint8Array.from(reply.slice(0, 9)), expected), false)
  const ipHeader = [0x45, ...new Array(19).fill(0)]
  const raw = { ...expected, isRaw: true }
  assert.equal(isReply(Uint8Array.from([...ipHeader, ...reply]), raw), false)
  assert.equal(isReply(Uint8Array.from([...ipHeader, 0, 0, 0, 0, 0, 7, 0, 9, 1, 2]), raw), true)
  assert.equal(isReply(new Uint8Array(0), raw), false)
})

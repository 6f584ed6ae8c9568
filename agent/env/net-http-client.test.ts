import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { createNet } from './net.ts'

const net = createNet()
const servers: { close(): void }[] = []
after(() => {
  net.close()
  for (const server of servers) server.close()
})

/** A raw server that answers each connection's first bytes with what `answer` does. */
async function rawServer(answer: (socket: Socket, head: string, connection: number) => void): Promise<string> {
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((socket) => {
    const connection = connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (data) => answer(socket, data.toString('latin1'), connection))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push({
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

function get(url: string, more: Partial<HttpRequest> = {}) {
  return net.request({ method: 'GET', url, timeoutMs: 30_000, maxBodyBytes: 100_000, ...more })
}

async function refusal(promise: Promise<unknown>): Promise<NetError> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof NetError, String(error))
    return error
  }
  throw new assert.AssertionError({ message: 'Expected a NetError' })
}

function answerOf(body: Uint8Array | string, headers = ''): Buffer {
  const bytes = Buffer.from(body as string)
  const head = `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), bytes])
}

test('request() reads a plain body and flattens headers', async () => {
  const url = await rawServer((socket) => socket.write(answerOf('up 1\n', 'X-Two: a\r\nX-Two: b\r\n')))
  const response = await get(`${url}/metrics?x=1`)
  assert.equal(response.status, 200)
  assert.equal(new TextDecoder().decode(response.body), 'up 1\n')
  assert.equal(response.headers['x-two'], 'a, b')
})

test('request() sends method, body, headers and basic auth from the URL', async () => {
  let seen = ''
  const url = await rawServer((socket, head) => {
    seen += head
    if (seen.endsWith('hello')) socket.write(answerOf('ok'))
  })
  await get(url.replace('http://', 'http://us%40er:pa%3Ass@') + '/w', {
    method: 'POST',
    body: new TextEncoder().encode('hello'),
    headers: { 'X-Prometheus-Scrape-Timeout-Seconds': '5' },
  })
  assert.match(seen, /^POST \/w HTTP\/1\.1\r\n/)
  assert.match(seen, /content-length: 5\r\n/i)
  assert.match(seen, /x-prometheus-scrape-timeout-seconds: 5\r\n/)
  assert.ok(seen.includes(`Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`))
})

test('request() inflates gzip, also of several members, and empty bodies that claim it', async () => {
  const text = 'metric 1\n'.repeat(5_000)
  const two = Buffer.concat([gzipSync(text), gzipSync('tail')])
  const url = await rawServer((socket, head) => {
    if (head.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99\r\n\r\n')
    else if (head.includes('/none')) socket.write('HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n')
    else socket.write(answerOf(two, 'Content-Encoding: gzip\r\n'))
  })
  assert.equal(new TextDecoder().decode((await get(url)).body), `${text}tail`)
  assert.equal((await get(`${url}/none`)).body.length, 0)
  assert.equal((await get(url, { method: 'HEAD' })).body.length, 0)
})

test('request() ends a gzip bomb at the limit of the inflated body', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const url = await rawServer((socket) => socket.write(answerOf(bomb, 'Content-Encoding: gzip\r\n')))
  const before = process.memoryUsage().rss
  const error = await refusal(get(url))
  assert.equal(error.code, 'BODY_TOO_LARGE')
  assert.match(error.message, /limit of 100000 bytes/)
  assert.ok(process.memoryUsage().rss - before < 40_000_000)
})

test('request() refuses broken and truncated gzip', async () => {
  const url = await rawServer((socket, head) => {
    const body = head.includes('/cut') ? gzipSync('metric 1\n'.repeat(500)).subarray(0, 30) : Buffer.from('not gzip')
    socket.write(answerOf(body, 'Content-Encoding: gzip\r\n'))
  })
  for (const path of ['/cut', '/bad']) {
    const error = await refusal(get(url + path))
    assert.equal(error.code, 'BAD_ENCODING', path)
    assert.match(error.message, /^gzip: /)
  }
})

test('request() ends an endless body at the limit and closes the connection', async () => {
  let closed = false
  const url = await rawServer((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const timer = setInterval(() => socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`), 1)
    socket.on('close', () => {
      closed = true
      clearInterval(timer)
    })
  })
  assert.equal((await refusal(get(url))).code, 'BODY_TOO_LARGE')
  for (let i = 0; i < 2000 && !closed; i++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(closed)
})

test('request() refuses at once a content-length above the limit', async () => {
  const url = await rawServer((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n'))
  assert.equal((await refusal(get(url))).code, 'BODY_TOO_LARGE')
})

test('request() reports a body shorter than its content-length as unexpected EOF', async () => {
  const url = await rawServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort'))
  const error = await refusal(get(url))
  assert.equal(error.code, 'UNEXPECTED_EOF')
  assert.equal(error.message, 'unexpected EOF')
})

test('request() does not let bytes beyond the content-length poison the next answer', async () => {
  const url = await rawServer((socket, _head, connection) =>
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison${connection}`,
    ),
  )
  for (let i = 0; i < 3; i++) {
    const body = await get(url).then(
      (response) => new TextDecoder().decode(response.body),
      (error) => (error as NetError).code,
    )
    assert.notEqual(body, 'poison')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
})

test('request() ends after timeoutMs whatever the server drips', async () => {
  const drips: readonly [path: string, start: string, drip: string, message: RegExp][] = [
    ['/silent', '', '', /^Get "http:.*\/silent": context deadline exceeded$/],
    ['/headers', 'HTTP/1.1 200 OK\r\nX-A: ', 'a', /^Get "http:.*\/headers": context deadline exceeded$/],
    ['/body', 'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n', 'b', /^context deadline exceeded$/],
  ]
  const url = await rawServer((socket, head) => {
    const row = drips.find(([path]) => head.includes(path))!
    socket.write(row[1])
    const timer = setInterval(() => row[2] !== '' && socket.write(row[2]), 10)
    socket.on('close', () => clearInterval(timer))
  })
  for (const [path, , , message] of drips) {
    const start = performance.now()
    const error = await refusal(get(url + path, { timeoutMs: 200 }))
    assert.equal(error.code, 'TIMEOUT')
    assert.match(error.message, message)
    // The server drips for ever.
    assert.ok(performance.now() - start < 30_000)
  }
})

test('request() refuses endless headers', async () => {
  const url = await rawServer((socket) => socket.write(`HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(200_000)}`))
  const error = await refusal(get(url))
  assert.equal(error.code, 'HPE_HEADER_OVERFLOW')
  assert.match(error.message, /server response headers exceeded 65536 bytes; aborted/)
})

test('request() words failures as Prometheus does', async () => {
  const closed = await net.listenTcp({ host: '127.0.0.1', port: 0 }, () => {})
  const { port } = closed.address
  await closed.close()
  const refused = await refusal(get(`http://127.0.0.1:${port}/metrics`))
  assert.equal(refused.code, 'ECONNREFUSED')
  assert.equal(
    refused.message,
    `Get "http://127.0.0.1:${port}/metrics": dial tcp 127.0.0.1:${port}: connect: connection refused`,
  )
  const secret = await refusal(get(`http://u:secret@127.0.0.1:${port}/`))
  assert.ok(!secret.message.includes('secret'), secret.message)
  const eof = await rawServer((socket) => socket.end())
  assert.match((await refusal(get(eof))).message, /^Get "http:.*": EOF$/)
  const garbage = await rawServer((socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'))
  assert.match((await refusal(get(garbage))).message, /malformed HTTP response/)
  assert.match((await refusal(get(garbage.replace('http:', 'https:')))).message, /TLS handshake/)
  assert.match((await refusal(get('ftp://127.0.0.1/'))).message, /unsupported protocol scheme "ftp"/)
  assert.equal((await refusal(get('nonsense'))).code, 'BAD_URL')
  const header = await refusal(get(eof, { headers: { a: 'x\ny' } }))
  assert.equal(header.code, 'ERR_INVALID_CHAR')
})

test('request() ends with ABORTED when its signal fires, before or during the exchange', async () => {
  const url = await rawServer(() => {})
  assert.equal((await refusal(get(url, { signal: AbortSignal.abort() }))).code, 'ABORTED')
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 20)
  assert.equal((await refusal(get(url, { signal: controller.signal }))).code, 'ABORTED')
})

test('request() returns redirects as answers unless told to follow them', async () => {
  const url = await rawServer((socket) =>
    socket.write('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n'),
  )
  assert.equal((await get(url)).status, 302)
  assert.equal((await refusal(get(url, { maxRedirects: 3 }))).code, 'TOO_MANY_REDIRECTS')
})

test('request() follows redirects, with credentials only to the same host and port', async () => {
  let elsewhere = ''
  let same = ''
  const other = await rawServer((socket, head) => {
    elsewhere = head
    socket.write(answerOf('other'))
  })
  const url = await rawServer((socket, head) => {
    if (head.includes('/away')) socket.write(`HTTP/1.1 307 T\r\nLocation: ${other}/in\r\nContent-Length: 0\r\n\r\n`)
    else if (head.includes('/here')) socket.write('HTTP/1.1 303 S\r\nLocation: /in\r\nContent-Length: 0\r\n\r\n')
    else {
      same = head
      socket.write(answerOf('same'))
    }
  })
  const headers = { authorization: 'Bearer s3cret', cookie: 'a=b', 'x-api-key': 'k', accept: 'text/plain' }
  await get(`${url}/away`, { maxRedirects: 5, headers })
  assert.match(elsewhere, /accept: text\/plain/)
  assert.doesNotMatch(elsewhere, /s3cret|a=b|x-api-key/)
  await get(`${url}/here`, { maxRedirects: 5, headers, method: 'POST', body: new Uint8Array(3) })
  assert.match(same, /^GET \/in/)
  assert.match(same, /s3cret/)
  assert.doesNotMatch(same, /content-length: 3/i)
  const asIs = { maxRedirects: 5, keepsMethod: true, method: 'POST', body: new Uint8Array(3) } as const
  assert.equal((await get(`${url}/here`, asIs)).status, 303)
  assert.equal((await get(`${url}/away`, asIs)).status, 200)
  assert.match(elsewhere, /^POST \/in/)
})

test('request() keeps the connections of targets that share a server and are asked at once', async () => {
  let opened = 0
  const url = await rawServer((socket, _, connection) => {
    opened = Math.max(opened, connection + 1)
    // All of them are under way together.
    setImmediate(() => socket.write(answerOf('x 1\n')))
  })
  for (let round = 0; round < 4; round++) await Promise.all(Array.from({ length: 50 }, (_, i) => get(`${url}/${i}`)))
  assert.ok(opened <= 50, `${opened} connections for 50 targets`)
})

test('request() keeps connections, and tries once more when a kept one has died', async () => {
  let connections = 0
  let requests = 0
  const url = await rawServer((socket, _head, connection) => {
    connections = connection + 1
    if (++requests === 3 && connection === 0) return socket.destroy()
    socket.write(answerOf('ok'))
  })
  for (let i = 0; i < 4; i++) {
    assert.equal((await get(url)).status, 200)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(connections, 2)
})

test('request() does not follow a redirect to a link-local address', async () => {
  for (const host of ['169.254.169.254', '[fe80::1]', '[::ffff:169.254.1.1]']) {
    const url = await rawServer((socket) =>
      socket.write(`HTTP/1.1 302 Found\r\nLocation: http://${host}/latest\r\nContent-Length: 0\r\n\r\n`),
    )
    const error = await refusal(get(url, { maxRedirects: 5, headers: { authorization: 'Bearer secret' } }))
    assert.equal(error.code, 'REFUSED_REDIRECT')
    assert.match(error.message, /redirect to the link-local address .* refused$/)
  }
})

test('request() reads a borrowed body before the next turn, whatever its framing', async () => {
  const text = 'metric 1\n'.repeat(3000)
  const chunked = `${text.length.toString(16)};x=y\r\n${text}\r\n0\r\nX-Trailer: 1\r\n\r\n`
  const url = await rawServer((socket, head) => {
    if (head.includes('/chunked')) socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`)
    else if (head.includes('/close')) socket.end(`HTTP/1.0 200 OK\r\n\r\n${text}`)
    else if (head.includes('/gzip')) socket.write(answerOf(gzipSync(text), 'Content-Encoding: gzip\r\n'))
    else socket.write(answerOf(text))
  })
  for (let round = 0; round < 3; round++)
    for (const path of ['/plain', '/chunked', '/close', '/gzip'])
      assert.equal(Buffer.from((await get(url + path, { borrowBody: true })).body).toString(), text, path)
})

test('request() takes an answer in pieces of any size, after interim answers', async () => {
  const whole = Buffer.from(
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`,
  )
  for (const size of [1, 2, 3, 7, 50]) {
    const url = await rawServer((socket) => {
      socket.setNoDelay(true)
      let at = 0
      const timer = setInterval(() => {
        socket.write(whole.subarray(at, at + size))
        at += size
        if (at >= whole.length) clearInterval(timer)
      }, 1)
    })
    const response = await get(url)
    assert.equal(new TextDecoder().decode(response.body), 'hello!')
    assert.equal(response.headers['x-a'], 'b')
  }
})

test('request() refuses framing that could be read in two ways', async () => {
  const rows: readonly [head: string, message: RegExp][] = [
    ['Content-Length: 2\r\nContent-Length: 3\r\n', /multiple Content-Length/],
    ['Content-Length: -2\r\n', /bad Content-Length/],
    ['Content-Length: 2, 3\r\n', /bad Content-Length/],
    ['Transfer-Encoding: gzip, chunked\r\n', /unsupported transfer encoding/],
    ['X Y: 1\r\n', /malformed MIME header/],
    [' folded: 1\r\n', /malformed MIME header/],
    ['Transfer-Encoding: chunked\r\n\r\nzz\r\n', /invalid byte in chunk length/],
    ['Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n', /malformed chunked encoding/],
  ]
  for (const [head, message] of rows) {
    const url = await rawServer((socket) => socket.write(`HTTP/1.1 200 OK\r\n${head}\r\nok`))
    assert.match((await refusal(get(url))).message, message, head)
  }
})

import assert from 'node:assert/strict'
import { createServer as createHttp2Server, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import { WebSocketServer } from 'ws'
import { folder, makeCertificates, probe } from './kit.ts'

const certificates = makeCertificates()
const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
})

/** Answers each line of the client by what the script says; the first text is sent at once. */
function scripted(script: Readonly<Record<string, string>>, greeting = ''): (socket: Socket) => void {
  return (socket) => {
    socket.on('error', () => {})
    if (greeting !== '') socket.write(greeting)
    let rest = ''
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\n')
      rest = lines.pop()!
      for (const line of lines) if (script[line] !== undefined) socket.write(script[line])
    })
  }
}

async function listen(server: Server, at: string | number = 0): Promise<number> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => open.add(socket))
  await new Promise<void>((resolve) =>
    typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
  )
  closing.push(() => {
    server.close()
    for (const socket of open) socket.destroy()
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const tcp = (options: object = {}, more = {}): object => ({
  prober: 'tcp',
  tcp: { preferred_ip_protocol: 'ip4', ...options },
  ...more,
})

type Row = readonly [
  what: string,
  greeting: string,
  script: Readonly<Record<string, string>>,
  steps: readonly object[],
  expected: { readonly reason?: string; readonly metrics?: Readonly<Record<string, number>> },
]
const dialogues: readonly Row[] = [
  ['no dialogue', '', {}, [], {}],
  [
    'a banner',
    'SSH-2.0-OpenSSH_9.9 Debian\r\n',
    {},
    [
      {
        expect: '^SSH-2.0-([^ -]+)(?: (.*))?$',
        labels: [
          { name: 'ssh_version', value: '${1}' },
          { name: 'ssh_comments', value: '$2' },
        ],
      },
    ],
    {
      metrics: {
        'probe_expect_info{ssh_comments="Debian",ssh_version="OpenSSH_9.9"}': 1,
        probe_failed_due_to_regex: 0,
      },
    },
  ],
  ['lines before the one that is expected', 'a\nb\n220 ready\n', {}, [{ expect: '^220 ' }], {}],
  [
    'an answer made of what was said',
    'PING :abc\n',
    { 'PONG abc': ':me 001\n' },
    [{ expect: 'PING :([^ ]+)', send: 'PONG ${1}' }, { expect: '^:[^ ]+ 001' }],
    {},
  ],
  [
    'bytes',
    '',
    { hello: 'S' },
    [{ send: 'hello' }, { expect_bytes: 'S' }],
    { metrics: { probe_failed_due_to_bytes: 0 } },
  ],
  [
    'other bytes',
    '',
    { hello: 'N' },
    [{ send: 'hello' }, { expect_bytes: 'S' }],
    { reason: 'Bytes did not match', metrics: { probe_failed_due_to_bytes: 1 } },
  ],
]
for (const [what, greeting, script, steps, { reason = '', metrics = {} }] of dialogues)
  test(`tcp takes ${what}${reason === '' ? '' : `: ${reason}`}`, { timeout: 300_000 }, async () => {
    const port = await listen(createServer(scripted(script, greeting)))
    const result = await probe(tcp({ query_response: steps }), `127.0.0.1:${port}`)
    assert.equal(result.reason, reason, result.text)
    for (const [name, value] of Object.entries(metrics)) assert.equal(result.metrics.get(name), value, name)
  })

test('tcp: an end without what was expected, silence, no port and no server fail', { timeout: 300_000 }, async () => {
  const ends = await listen(createServer((socket) => socket.end('bye\nlast')))
  const ended = await probe(tcp({ query_response: [{ expect: '^220' }] }), `127.0.0.1:${ends}`)
  assert.deepEqual([ended.reason, ended.metrics.get('probe_failed_due_to_regex')], ['Regexp did not match', 1])
  const last = await probe(tcp({ query_response: [{ expect: '^last$' }] }), `127.0.0.1:${ends}`)
  assert.equal(last.reason, '')
  const silent = await listen(createServer())
  const late = await probe(tcp({ query_response: [{ expect: '.' }] }, { timeout: '200ms' }), `127.0.0.1:${silent}`)
  assert.equal(late.reason, 'Error reading from connection')
  assert.equal((await probe(tcp(), '127.0.0.1')).reason, 'Error dialing TCP')
  const refused = await probe(tcp(), '127.0.0.1:1')
  assert.equal(refused.reason, 'Error dialing TCP')
  assert.match(refused.text, /connection refused/)
  const long = await listen(createServer((socket) => socket.on('error', () => {}).write('a'.repeat(70_000))))
  assert.match((await probe(tcp({ query_response: [{ expect: 'b' }] }), `127.0.0.1:${long}`)).text, /token too long/)
})

test('tcp: TLS from the beginning, and from the middle on', { timeout: 300_000 }, async () => {
  const { cert, key, caFile } = certificates
  const from = scripted({ 'EHLO prober\r': '250 AUTH\r\n' })
  const secure = await listen(createTlsServer({ cert, key }, from))
  const tls_config = { ca_file: caFile, server_name: 'probe.example' }
  const query_response = [{ send: 'EHLO prober\r' }, { expect: '^250 AUTH' }]
  const direct = await probe(tcp({ tls: true, tls_config, query_response }), `127.0.0.1:${secure}`)
  assert.equal(direct.reason, '', direct.text)
  assert.equal(direct.metrics.get('probe_tls_version_info{version="TLS 1.3"}'), 1)
  assert.ok(direct.metrics.get('probe_ssl_earliest_cert_expiry')! > 0)
  const named = await probe(tcp({ tls: true, tls_config: { ca_file: caFile } }), `127.0.0.1:${secure}`, {
    parameters: { hostname: 'nobody.example' },
  })
  assert.equal(named.reason, 'Error dialing TCP')
  const starttls = await listen(
    createServer((socket) => {
      socket.on('error', () => {})
      socket.write('220 ready\r\n')
      socket.once('data', () => {
        socket.write('220 go on\r\n')
        const inner = new TLSSocket(socket, { isServer: true, cert, key })
        inner.on('error', () => {})
        from(inner)
      })
    }),
  )
  const steps = [{ expect: '^220' }, { send: 'STARTTLS\r' }, { expect: '^220' }, { starttls: true }, ...query_response]
  const upgraded = await probe(tcp({ tls_config, query_response: steps }), `127.0.0.1:${starttls}`)
  assert.equal(upgraded.reason, '', upgraded.text)
  assert.ok([...upgraded.metrics.keys()].some((series) => series.startsWith('probe_ssl_last_chain_info')))
  const plain = await listen(createServer(scripted({}, 'no TLS here\n')))
  assert.equal((await probe(tcp({ tls: true }), `127.0.0.1:${plain}`)).reason, 'Error dialing TCP')
})

test('unix sockets are spoken to as TCP', { timeout: 300_000 }, async () => {
  const file = path.join(folder, 'probe.sock')
  await listen(createServer(scripted({ PING: 'PONG\n' })), file)
  const module = { prober: 'unix', unix: { query_response: [{ send: 'PING' }, { expect: 'PONG' }] } }
  assert.equal((await probe(module, file)).reason, '')
  assert.equal((await probe(module, `${file}.gone`)).reason, 'Error dialing unix')
})

test('WebSockets are upgraded, and answer', { timeout: 300_000 }, async () => {
  const headers: (string | undefined)[] = []
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (socket, request) => {
    headers.push(request.headers.authorization, request.headers['x-one'] as string)
    socket.send('Hello, world')
    socket.on('message', (data) => socket.send(`Welcome ${String(data)}`))
  })
  await new Promise((resolve) => server.once('listening', resolve))
  closing.push(() => server.close())
  const url = `ws://127.0.0.1:${(server.address() as { port: number }).port}/`
  const module = (query_response: readonly object[]): object => ({
    prober: 'websocket',
    websocket: {
      headers: { 'X-One': '1' },
      http_config: { basic_auth: { username: 'u', password: 'p' } },
      query_response,
    },
  })
  const steps = [{ expect: '^Hello, (.+)$', send: "I am ${1}'s" }, { expect: "^Welcome I am world's$" }]
  const good = await probe(module(steps), url)
  assert.equal(good.reason, '', good.text)
  const seen = (name: string): number | undefined => good.metrics.get(name)
  assert.deepEqual(
    [
      seen('probe_websocket_status_code'),
      seen('probe_websocket_connection_upgraded'),
      seen('probe_websocket_failed_due_to_regex'),
    ],
    [101, 1, 0],
  )
  assert.deepEqual(headers, [`Basic ${btoa('u:p')}`, '1'])
  const other = await probe(module([{ expect: '^Goodbye' }]), url)
  assert.deepEqual([other.reason, other.metrics.get('probe_websocket_failed_due_to_regex')], ['', 1])
  const plain = await listen(createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n')))
  const refused = await probe(module([]), `ws://127.0.0.1:${plain}`)
  assert.deepEqual(
    [refused.reason, refused.metrics.get('probe_websocket_status_code')],
    ['Error dialing websocket', 404],
  )
})

test('gRPC health is asked for, plain and over TLS', { timeout: 300_000 }, async () => {
  const seen: string[] = []
  const answer = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): void => {
    let body = Buffer.alloc(0)
    stream.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk])
    })
    stream.on('end', () => {
      const service = body.length > 7 ? body.subarray(7).toString() : ''
      seen.push(`${String(headers[':path'])} ${service} ${String(headers['x-key'])}`)
      if (service === 'unknown') {
        stream.respond(
          {
            ':status': 200,
            'content-type': 'application/grpc',
            'grpc-status': '5',
            'grpc-message': 'unknown%20service',
          },
          { endStream: true },
        )
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(Buffer.from(service === 'down' ? [0, 0, 0, 0, 2, 8, 2] : [0, 0, 0, 0, 2, 8, 1]))
    })
  }
  const server = createHttp2Server()
  server.on('stream', answer)
  const port = await listen(server as unknown as Server)
  const module = (options: object): object => ({
    prober: 'grpc',
    grpc: { preferred_ip_protocol: 'ip4', metadata: { 'x-key': ['a'] }, ...options },
  })
  const good = await probe(module({ service: 'web' }), `127.0.0.1:${port}`)
  assert.equal(good.reason, '', good.text)
  assert.deepEqual(seen, ['/grpc.health.v1.Health/Check web a'])
  const status = (result: typeof good, name: string): number | undefined =>
    result.metrics.get(`probe_grpc_healthcheck_response{serving_status="${name}"}`)
  assert.deepEqual(
    [status(good, 'SERVING'), status(good, 'NOT_SERVING'), good.metrics.get('probe_grpc_ssl')],
    [1, 0, 0],
  )
  const down = await probe(module({ service: 'down' }), `127.0.0.1:${port}`)
  assert.deepEqual(
    [down.metrics.get('probe_success'), status(down, 'NOT_SERVING'), down.metrics.get('probe_grpc_status_code')],
    [0, 1, 0],
  )
  const unknown = await probe(module({ service: 'unknown' }), `127.0.0.1:${port}`)
  assert.deepEqual([unknown.metrics.get('probe_grpc_status_code'), status(unknown, 'SERVING')], [5, 0])
  assert.match(unknown.text, /unknown service/)
  const gone = await probe(module({}), '127.0.0.1:1')
  assert.deepEqual([gone.metrics.get('probe_success'), gone.metrics.get('probe_grpc_status_code')], [0, 14])
  const secure = createSecureServer({ cert: certificates.cert, key: certificates.key })
  secure.on('stream', answer)
  const securePort = await listen(secure as unknown as Server)
  const tls = await probe(
    module({ tls: true, tls_config: { ca_file: certificates.caFile } }),
    `127.0.0.1:${securePort}`,
  )
  assert.deepEqual([tls.reason, tls.metrics.get('probe_grpc_ssl')], ['', 1], tls.text)
})

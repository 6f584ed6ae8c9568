import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib'
import { httpDate } from '../../../exporters/blackbox/http-date.ts'
import { makeCertificates, probe, type TestProbe, writeFile } from './kit.ts'

const certificates = makeCertificates()
const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
})

type Listening = {
  listen(port: number, host: string, ready: () => void): unknown
  address(): AddressInfo | string | null
  close(): unknown
  closeAllConnections?(): void
}
async function portOf(server: Listening): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  closing.push(() => {
    server.close()
    server.closeAllConnections?.()
  })
  return (server.address() as AddressInfo).port
}

const serve = (handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> =>
  portOf(createServer(handler))

const answers = await serve((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://x')
  const headers = Object.fromEntries(
    [...searchParams].filter(([name]) => name.startsWith('h-')).map(([n, v]) => [n.slice(2), v]),
  )
  const body = searchParams.get('body') ?? ''
  const compress = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateRawSync }[
    searchParams.get('compress') ?? ''
  ]
  if (pathname === '/echo') {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () =>
      response.end(JSON.stringify({ method: request.method, headers: request.headers, body: text })),
    )
    return
  }
  response.statusCode = Number(searchParams.get('status') ?? 200)
  for (const [name, header] of Object.entries(headers)) response.setHeader(name, header)
  // An empty write is not enough for Bun's server, which still says the length.
  if (searchParams.has('chunked')) response.flushHeaders()
  response.end(compress ? compress(body) : body)
})
const target = (query: Record<string, string> = {}, path = '/'): string =>
  `http://127.0.0.1:${answers}${path}?${new URLSearchParams(query)}`

const http = (options: object = {}): object => ({ prober: 'http', http: { preferred_ip_protocol: 'ip4', ...options } })
const value = ({ metrics }: TestProbe, name: string): number | undefined => metrics.get(name)

type Expected = { readonly reason?: string; readonly metrics?: Readonly<Record<string, number>> }
const rows: readonly (readonly [what: string, options: object, query: Record<string, string>, expected: Expected])[] = [
  [
    '2xx by default',
    {},
    { body: 'hello' },
    {
      metrics: {
        probe_http_status_code: 200,
        probe_http_content_length: 5,
        probe_http_uncompressed_body_length: 5,
        probe_http_version: 1.1,
        probe_http_ssl: 0,
        probe_ip_protocol: 4,
      },
    },
  ],
  [
    'not 404',
    {},
    { status: '404' },
    { reason: 'Invalid HTTP response status code, wanted 2xx', metrics: { probe_http_status_code: 404 } },
  ],
  ['404 where it is valid', { valid_status_codes: [404] }, { status: '404' }, {}],
  ['not 200 where it is not', { valid_status_codes: [201, 404] }, {}, { reason: 'Invalid HTTP response status code' }],
  [
    'a length that is not said',
    {},
    { chunked: '1', body: 'abc' },
    { metrics: { probe_http_content_length: -1, probe_http_uncompressed_body_length: 3 } },
  ],
  ['a version', { valid_http_versions: ['HTTP/1.1'] }, {}, {}],
  ['no other version', { valid_http_versions: ['HTTP/2.0'] }, {}, { reason: 'Invalid HTTP version number' }],
  ['plain text where it must be', { fail_if_ssl: true }, {}, {}],
  ['no TLS where it must be', { fail_if_not_ssl: true }, {}, { reason: 'Final request was not over SSL' }],
  [
    'a body that must match',
    { fail_if_body_not_matches_regexp: ['wor.d'] },
    { body: 'hello world' },
    { metrics: { probe_failed_due_to_regex: 0 } },
  ],
  [
    'a body that does not',
    { fail_if_body_not_matches_regexp: ['^world'] },
    { body: 'hello world' },
    { reason: 'Body did not match regular expression', metrics: { probe_failed_due_to_regex: 1 } },
  ],
  [
    'a body that must not match',
    { fail_if_body_matches_regexp: ['down', 'wor.d'] },
    { body: 'hello world' },
    { reason: 'Body matched regular expression', metrics: { probe_failed_due_to_regex: 1 } },
  ],
  [
    'a header that must not match',
    { fail_if_header_matches: [{ header: 'Set-Cookie', regexp: '.*', allow_missing: true }] },
    {},
    {},
  ],
  [
    'a header that matches',
    { fail_if_header_matches: [{ header: 'X-Test', regexp: '^a', allow_missing: true }] },
    { 'h-x-test': 'abc' },
    { reason: 'Header matched regular expression', metrics: { probe_failed_due_to_regex: 1 } },
  ],
  [
    'a header that must match',
    { fail_if_header_not_matches: [{ header: 'x-test', regexp: '^b' }] },
    { 'h-x-test': 'abc' },
    { reason: 'Header did not match regular expression' },
  ],
  [
    'a header that is missing',
    { fail_if_header_not_matches: [{ header: 'x-test', regexp: '^b' }] },
    {},
    { reason: 'Missing required header' },
  ],
  [
    'a date',
    {},
    { 'h-last-modified': 'Thu, 01 Jan 1970 00:16:40 GMT' },
    { metrics: { probe_http_last_modified_timestamp_seconds: 1000 } },
  ],
  [
    'gzip',
    { compression: 'gzip', fail_if_body_not_matches_regexp: ['^hello$'] },
    { compress: 'gzip', body: 'hello' },
    { metrics: { probe_http_uncompressed_body_length: 5 } },
  ],
  [
    'deflate',
    { compression: 'deflate', fail_if_body_not_matches_regexp: ['^hello$'] },
    { compress: 'deflate', body: 'hello' },
    {},
  ],
  ['br', { compression: 'br', fail_if_body_not_matches_regexp: ['^hello$'] }, { compress: 'br', body: 'hello' }, {}],
  [
    'gzip that is none',
    { compression: 'gzip' },
    { body: 'hello' },
    { reason: 'Failed to get decompressor for HTTP response body' },
  ],
  [
    'a bomb, by the limit of the body',
    { compression: 'gzip', body_size_limit: '1KB' },
    { compress: 'gzip', body: 'a'.repeat(5000) },
    { reason: 'Failed to read HTTP response body', metrics: { probe_http_uncompressed_body_length: 1024 } },
  ],
  ['a body within its limit', { body_size_limit: '1KB' }, { body: 'a'.repeat(1024) }, {}],
  [
    'a body beyond its limit',
    { body_size_limit: '1KB' },
    { body: 'a'.repeat(1025) },
    { reason: 'Failed to read HTTP response body' },
  ],
  [
    'JSON that matches',
    { fail_if_body_json_not_matches_cel: "body.foo == 'bar' && body.baz.startsWith('q')" },
    { body: '{"foo":"bar","baz":"qux"}' },
    { metrics: { probe_failed_due_to_cel: 0 } },
  ],
  [
    'JSON that does not',
    { fail_if_body_json_not_matches_cel: "body.foo == 'bar'" },
    { body: '{"foo":"x"}' },
    { reason: 'Body did not match CEL expression', metrics: { probe_failed_due_to_cel: 1 } },
  ],
  [
    'JSON that must not match',
    { fail_if_body_json_matches_cel: 'body.n > 1' },
    { body: '{"n":2}' },
    { reason: 'Body matched CEL expression' },
  ],
  [
    'no JSON',
    { fail_if_body_json_matches_cel: 'true' },
    { body: '<html>' },
    { reason: 'Error unmarshalling HTTP body to JSON' },
  ],
  [
    'HTTP/3 as what we do not have',
    { enable_http3: true, enable_http2: false },
    {},
    { reason: 'HTTP/3 is not available: no QUIC in this runtime' },
  ],
]
for (const [what, options, query, { reason = '', metrics = {} }] of rows)
  test(`http takes ${what}${reason === '' ? '' : `: ${reason}`}`, async () => {
    const result = await probe(http(options), target(query))
    assert.equal(result.reason, reason, result.text)
    assert.equal(value(result, 'probe_success'), reason === '' ? 1 : 0)
    for (const [name, expected] of Object.entries(metrics)) assert.equal(value(result, name), expected, name)
  })

const echoed = async (
  options: object,
  parameters = {},
): Promise<{ method: string; headers: Record<string, string>; body: string }> => {
  const seen: string[] = []
  const port = await serve((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      seen.push(JSON.stringify({ method: request.method, headers: request.headers, body }))
      response.end()
    })
  })
  const { reason, text } = await probe(http(options), `127.0.0.1:${port}/x`, { parameters })
  assert.equal(reason, '', text)
  return JSON.parse(seen[0]!)
}

test('requests are what the module says: method, headers, body, credentials', async () => {
  const plain = await echoed({})
  assert.deepEqual(
    [plain.method, plain.headers['user-agent'], plain.headers['connection']],
    ['GET', 'Blackbox Exporter/1.2.3', 'close'],
  )
  const full = await echoed({
    method: 'POST',
    body: '{"ä":1}',
    headers: { Host: 'vhost.example', 'X-One': '1', 'User-Agent': 'me' },
    basic_auth: { username: 'u', password: 'p' },
  })
  const { host, 'x-one': one, 'user-agent': agent, authorization } = full.headers
  assert.deepEqual([full.method, full.body, host, one, agent], ['POST', '{"ä":1}', 'vhost.example', '1', 'me'])
  assert.equal(authorization, `Basic ${btoa('u:p')}`)
  const bearer = await echoed({
    body_file: writeFile('body.txt', 'from a file'),
    authorization: { credentials: 't0ken' },
    method: 'PUT',
  })
  assert.deepEqual([bearer.body, bearer.headers['authorization']], ['from a file', 'Bearer t0ken'])
  assert.equal((await echoed({}, { hostname: 'named.example' })).headers['host'], 'named.example')
})

test('OAuth 2: the token of client credentials is sent', async () => {
  const tokens = await serve((_, response) =>
    response.end(JSON.stringify({ access_token: 'abc', token_type: 'Bearer', expires_in: 60 })),
  )
  const oauth2 = { client_id: 'id', client_secret: 's', token_url: `http://127.0.0.1:${tokens}/` }
  assert.equal((await echoed({ oauth2 })).headers['authorization'], 'Bearer abc')
})

test('redirects are followed with cookies, and without credentials to another host', async () => {
  const seen: [string, string | undefined, string | undefined][] = []
  const note = (request: IncomingMessage): void =>
    void seen.push([request.url!, request.headers.authorization, request.headers.cookie])
  const other = await serve((request, response) => {
    note(request)
    response.end('there')
  })
  const first = await serve((request, response) => {
    note(request)
    if (request.url === '/a')
      response.writeHead(302, { location: '/b', 'set-cookie': 'session=1; Path=/' }).end('moved')
    else response.writeHead(307, { location: `http://localhost:${other}/c` }).end()
  })
  const result = await probe(http({ authorization: { credentials: 't' } }), `127.0.0.1:${first}/a`)
  assert.equal(result.reason, '', result.text)
  assert.deepEqual(seen, [
    ['/a', 'Bearer t', undefined],
    ['/b', 'Bearer t', 'session=1'],
    ['/c', undefined, undefined],
  ])
  assert.deepEqual(
    [value(result, 'probe_http_redirects'), value(result, 'probe_http_uncompressed_body_length')],
    [2, 5],
  )
})

test('redirects to another host take no header along that is secret by its name or in the module', async () => {
  const seen: IncomingMessage['headers'][] = []
  const other = await serve(({ headers }, response) => {
    seen.push(headers)
    response.end()
  })
  const first = await serve((_, response) => response.writeHead(302, { location: `http://localhost:${other}/` }).end())
  const result = await probe(
    http({
      headers: { 'X-Api-Key': 'a', 'X-Auth-Token': 'b', 'X-Plain': 'c' },
      http_headers: { 'X-Mine': { secrets: ['d'] }, 'X-Yours': { values: ['e'] } },
    }),
    `127.0.0.1:${first}`,
  )
  assert.equal(result.reason, '', result.text)
  const names = ['x-api-key', 'x-auth-token', 'x-mine', 'x-plain', 'x-yours']
  assert.deepEqual(
    names.map((name) => seen[0]![name]),
    [undefined, undefined, undefined, 'c', 'e'],
  )
})

test('user and password of the target are sent, and shown nowhere', async () => {
  const seen: (string | undefined)[] = []
  const port = await serve(({ url, headers }, response) => {
    seen.push(headers.authorization)
    response.writeHead(url === '/a' ? 302 : 200, { location: '/b' }).end()
  })
  for (const options of [{}, { basic_auth: { username: 'x', password: 'y' } }]) {
    const result = await probe(http(options), `http://us%20er:pass%2Fw@127.0.0.1:${port}/a`)
    assert.equal(result.reason, '', result.text)
    assert.doesNotMatch(result.text, /pass%2Fw/)
    assert.match(result.text, /target=http:\/\/us%20er:xxxxx@127/)
  }
  const basic = `Basic ${btoa('us er:pass/w')}`
  assert.deepEqual(seen, [basic, basic, basic, basic])
  await probe(http({ headers: { Authorization: 'own' } }), `http://u:p@127.0.0.1:${port}/b`)
  assert.equal(seen.at(-1), 'own')
})

test('a caller who waits for ever is no caller who does not wait', async () => {
  for (const timeoutS of [1e9, Number.POSITIVE_INFINITY])
    assert.equal((await probe(http(), target({}), { timeoutS })).reason, '')
})

test('a redirect to where nobody answers leaves no answer to tell of', async () => {
  const port = await serve((_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end())
  const result = await probe(http(), `127.0.0.1:${port}`)
  assert.match(result.reason, /HTTP request failed/)
  const names = ['probe_http_status_code', 'probe_http_version', 'probe_http_redirects']
  assert.deepEqual(
    names.map((name) => value(result, name)),
    [0, 0, 1],
  )
})

test('redirects end: by the module, and after ten', async () => {
  const loop = await serve((_, response) => response.writeHead(301, { location: '/again' }).end())
  const refused = await probe(http({ follow_redirects: false, valid_status_codes: [301] }), `127.0.0.1:${loop}`)
  assert.deepEqual([refused.reason, value(refused, 'probe_http_redirects')], ['', 1])
  const endless = await probe(http(), `127.0.0.1:${loop}`)
  assert.deepEqual(
    [endless.reason, value(endless, 'probe_http_redirects')],
    ['Invalid HTTP response status code, wanted 2xx', 11],
  )
  const posted: string[] = []
  const see = await serve((request, response) => {
    posted.push(request.method!)
    if (request.url === '/') response.writeHead(303, { location: '/done' }).end()
    else response.end()
  })
  await probe(http({ method: 'POST', body: 'x' }), `127.0.0.1:${see}`)
  assert.deepEqual(posted, ['POST', 'GET'])
})

test('TLS is checked against the authority and the name, and told of', async () => {
  const tls = { cert: certificates.cert, key: certificates.key }
  const port = await portOf(createTlsServer(tls, (_, response) => response.end('secret')))
  const module = (tls_config: object): object => http({ tls_config })
  const url = `https://127.0.0.1:${port}/`
  const right = await probe(module({ ca_file: certificates.caFile, server_name: 'probe.example' }), url)
  assert.equal(right.reason, '', right.text)
  assert.deepEqual([value(right, 'probe_http_ssl'), value(right, 'probe_http_version')], [1, 1.1])
  assert.equal(value(right, 'probe_tls_version_info{version="TLS 1.3"}'), 1)
  assert.ok([...right.metrics.keys()].some((series) => /^probe_tls_cipher_info\{cipher="TLS_\w+"\}$/.test(series)))
  const info = [...right.metrics.keys()].find((series) => series.startsWith('probe_ssl_last_chain_info'))!
  assert.match(info, /fingerprint_sha256="[\da-f]{64}",issuer="CN=Test CA,O=Test",serialnumber="0abc"/)
  assert.match(
    info,
    /subject="CN=probe\.example,O=Acme\\\\, Inc\.,C=DE",subjectalternative="probe\.example,\*\.probe\.example"/,
  )
  const expiry = value(right, 'probe_ssl_earliest_cert_expiry')!
  assert.ok(expiry > Date.now() / 1000 && expiry < Date.now() / 1000 + 90_000)
  assert.equal(value(right, 'probe_ssl_last_chain_expiry_timestamp_seconds'), expiry)
  const byAddress = await probe(module({ ca_file: certificates.caFile }), url)
  assert.equal(byAddress.reason, '', byAddress.text)
  const byHostname = await probe(module({ ca_file: certificates.caFile }), url, {
    parameters: { hostname: 'probe.example' },
  })
  assert.equal(byHostname.reason, '', byHostname.text)
  const wrongName = await probe(module({ ca_file: certificates.caFile, server_name: 'other.example' }), url)
  assert.equal(wrongName.reason, 'HTTP request failed')
  const unknown = await probe(http(), url)
  assert.equal(unknown.reason, 'HTTP request failed')
  assert.match(unknown.text, /x509/)
  const unchecked = await probe(module({ insecure_skip_verify: true }), url)
  assert.deepEqual(
    [unchecked.reason, value(unchecked, 'probe_ssl_last_chain_expiry_timestamp_seconds')],
    ['', -62_135_596_800],
  )
  assert.equal(
    (await probe(http({ fail_if_ssl: true, tls_config: { insecure_skip_verify: true } }), url)).reason,
    'Final request was over SSL',
  )
})

test('HTTP/2 is spoken where both sides know it, unless it is switched off', async () => {
  const server = createSecureServer(
    { cert: certificates.cert, key: certificates.key, allowHTTP1: true },
    (request, response) => {
      response.setHeader('x-version', request.httpVersion)
      response.end('two')
    },
  )
  const port = await portOf(server)
  const options = { tls_config: { insecure_skip_verify: true }, fail_if_body_not_matches_regexp: ['^two$'] }
  const two = await probe(http({ ...options, valid_http_versions: ['HTTP/2.0'] }), `https://127.0.0.1:${port}`)
  assert.deepEqual(
    [two.reason, value(two, 'probe_http_version'), value(two, 'probe_http_uncompressed_body_length')],
    ['', 2, 3],
  )
  const one = await probe(http({ ...options, enable_http2: false }), `https://127.0.0.1:${port}`)
  assert.deepEqual([one.reason, value(one, 'probe_http_version')], ['', 1.1])
})

test('a proxy is gone through, for plain requests and by tunnel', async () => {
  const seen: (string | undefined)[] = []
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`, request.headers['proxy-authorization'])
    const onward = httpRequest(request.url!, { method: request.method!, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  proxy.on('connect', (request, client: Socket) => {
    seen.push(`CONNECT ${request.url}`, request.headers['x-tunnel'] as string)
    const [host, port] = request.url!.split(':')
    const upstream = connect(Number(port), host!, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
  })
  const port = await portOf(proxy)
  const secure = await portOf(
    createTlsServer({ cert: certificates.cert, key: certificates.key }, (_, response) => response.end('ok')),
  )
  const plain = await probe(http({ proxy_url: `http://u:p@127.0.0.1:${port}` }), target({ body: 'hi' }))
  assert.deepEqual([plain.reason, value(plain, 'probe_http_uncompressed_body_length')], ['', 2])
  const tunnel = await probe(
    http({
      proxy_url: `http://127.0.0.1:${port}`,
      proxy_connect_header: { 'X-Tunnel': ['yes'] },
      skip_resolve_phase_with_proxy: true,
      tls_config: { insecure_skip_verify: true },
    }),
    `https://localhost:${secure}`,
  )
  assert.equal(tunnel.reason, '', tunnel.text)
  assert.deepEqual(seen, [
    `GET ${target({ body: 'hi' })}`,
    `Basic ${btoa('u:p')}`,
    `CONNECT localhost:${secure}`,
    'yes',
  ])
})

const hostile: readonly (readonly [what: string, answer: string | null, problem: RegExp])[] = [
  ['nothing', null, /i\/o timeout/],
  ['no HTTP', 'SSH-2.0-x\r\n', /malformed HTTP response/],
  ['a head without an end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}`, /a line has more than|headers exceeded/],
  ['many headers', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`, /headers exceeded/],
  ['two lengths that lie', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', /unexpected EOF/],
  [
    'a chunk that is none',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
    /invalid byte in chunk length/,
  ],
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc', /multiple Content-Length/],
  [
    'two codings',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    /unsupported transfer encoding: .*gzip, chunked/,
  ],
  ['a name that is none', 'HTTP/1.1 200 OK\r\nX\x01: y\r\n\r\n', /malformed MIME header line/],
  ['a value that is none', 'HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n', /malformed MIME header line/],
  ['no end of interim answers', 'HTTP/1.1 103 Early\r\n\r\n'.repeat(20), /too many interim responses/],
]
for (const [what, answer, problem] of hostile)
  test(`a server that sends ${what} fails the probe in time`, { timeout: 300_000 }, async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      if (answer !== null) socket.end(answer)
    })
    const port = await portOf(server)
    const { reason, text } = await probe({ ...http(), timeout: answer === null ? '300ms' : '60s' }, `127.0.0.1:${port}`)
    assert.match(reason, /HTTP request failed|Failed to read HTTP response body/)
    assert.match(text, problem)
  })

test('dates are read in the three forms of HTTP, and no others', () => {
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.equal(httpDate(text), 784_111_777, text)
  for (const text of [
    '1994-11-06',
    'now',
    '',
    'Thu, 30 Feb 1970 00:00:00 GMT',
    'Xxx, 01 Jan 1970 00:16:40 GMT',
    'Thu, 1 Jan 1970 00:16:40 GMT',
    'Thu, 01 Jan 1970 25:16:40 GMT',
    'Thu, 01 Jan 1970 00:16:40 UTC',
    'Thu, 01 Jan 1970 00:16:40 +0100',
    'Thu, 01 Jan 1970 00:16:40 gmt',
  ])
    assert.equal(httpDate(text), null, text)
  // Days are not compared with dates, and two digits are of 1969 to 2068: upstream's own answers.
  assert.equal(httpDate('Fri, 01 Jan 1970 00:16:40 GMT'), 1000)
  assert.equal(httpDate('Mon, 01 Jan 0001 00:00:00 GMT'), -62_135_596_800)
  assert.equal(httpDate('Sunday, 01-Jan-68 00:00:00 GMT'), 3_092_601_600)
})

test('a name without addresses of the wanted kind fails, or falls back', async () => {
  const strict = await probe(http({ preferred_ip_protocol: 'ip6', ip_protocol_fallback: false }), target())
  assert.equal(strict.reason, 'Error resolving address')
  const fallback = await probe(http({ preferred_ip_protocol: 'ip6' }), target())
  assert.deepEqual([fallback.reason, value(fallback, 'probe_ip_protocol')], ['', 4])
})

test('a method that is none fails before anybody is asked', async () => {
  const { reason, text } = await probe(http({ method: 'BAD METHOD' }), target())
  assert.equal(reason, 'HTTP request failed')
  assert.match(text, /invalid method/)
})

test('redirects tell where they come from, and drop what was said of a body', async () => {
  const seen: (readonly [string | undefined, string | undefined])[] = []
  const port = await serve(({ url, headers }, response) => {
    if (url === '/from') response.writeHead(302, { location: '/to' })
    else seen.push([headers.referer, headers['content-type']])
    response.end()
  })
  const options = { method: 'POST', body: 'x', headers: { 'Content-Type': 'text/plain' } }
  await probe(http(options), `http://u:p@127.0.0.1:${port}/from`)
  assert.deepEqual(seen, [[`http://127.0.0.1:${port}/from`, undefined]])
})

test('what a redirect compressed cannot be looked at where it is not followed', async () => {
  const options = { follow_redirects: false, valid_status_codes: [302], compression: 'gzip' }
  const { reason } = await probe(http(options), target({ status: '302', 'h-location': '/' }))
  assert.equal(reason, 'Failed to get decompressor for HTTP response body')
})

test('a redirect to what is no place leaves no answer, and is none', async () => {
  const result = await probe(http(), target({ status: '302', 'h-location': 'http://[::1' }))
  assert.equal(result.reason, 'HTTP request failed')
  assert.match(result.text, /failed to parse Location header/)
  assert.deepEqual([value(result, 'probe_http_status_code'), value(result, 'probe_http_redirects')], [0, 0])
})

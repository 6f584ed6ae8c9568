import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import https from 'node:https'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import bcrypt from 'bcryptjs'
import type { Listener } from '../../protocol/env/mod.ts'
import { createLogger, createNet, nodeDisk, systemClock } from './mod.ts'
import { exposureWarning, openWebAccess } from './web-access.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-web-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))
const lines: string[] = []
const log = createLogger({ level: 'info', format: 'logfmt', now: () => 0, write: (line) => lines.push(line) })
const deps = { disk: nodeDisk, clock: systemClock, log }
const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed'
const HASH = bcrypt.hashSync('geheim', 4)

/** A certificate that signs itself. */
function certificate(name: string, names: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)]
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  execFileSync(
    'openssl',
    [...make, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  )
  return { cert: fs.readFileSync(cert, 'utf8'), key: fs.readFileSync(key, 'utf8') }
}

let files = 0
function webFile(text: string): string {
  const file = path.join(folder, `web-${files++}.yml`)
  fs.writeFileSync(file, text)
  return file
}

async function serve(file: string, isOpen?: (path: string) => boolean): Promise<Listener> {
  const access = openWebAccess(file, deps)
  return createNet().serveHttp({
    host: '127.0.0.1',
    port: 0,
    handler: access.guard(() => new Response('inside'), isOpen),
    serverTls: access.serverTls,
  })
}

type Asked = {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly peer: string
  readonly protocol: string
}
type Ask = {
  readonly path?: string
  readonly user?: string
  readonly cert?: string
  readonly key?: string
  readonly maxVersion?: 'TLSv1.2'
}

/** One request on a connection of its own. */
function ask({ address }: Listener, { path = '/', user, ...tls }: Ask = {}): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const request = https.get({
      host: '127.0.0.1',
      port: address.port,
      path,
      rejectUnauthorized: false,
      agent: false,
      ...(user && { auth: user }),
      ...tls,
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const socket = response.socket as TLSSocket
      const peer = socket.getPeerCertificate().subject.CN as string
      response.resume()
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, peer, protocol: socket.getProtocol()! }),
      )
    })
  })
}

async function plainStatus({ address }: Listener, user = '', path = '/'): Promise<number> {
  const headers = user ? { authorization: `Basic ${btoa(user)}` } : {}
  const response = await fetch(`http://127.0.0.1:${address.port}${path}`, { headers })
  await response.arrayBuffer()
  return response.status
}

test('only users with the right password come in; paths with their own authentication stay open', async () => {
  const listener = await serve(webFile(`basic_auth_users: { alice: "${HASH}" }`), (path) => path === '/nats')
  try {
    assert.equal(await plainStatus(listener), 401)
    assert.equal(await plainStatus(listener, 'alice:falsch'), 401)
    assert.equal(await plainStatus(listener, 'bob:geheim'), 401)
    assert.equal(await plainStatus(listener, 'alice:geheim'), 200)
    assert.equal(await plainStatus(listener, 'alice:geheim'), 200)
    assert.equal(await plainStatus(listener, '', '/nats'), 200)
    const refused = await fetch(`http://127.0.0.1:${listener.address.port}/`)
    assert.equal(refused.headers.get('www-authenticate'), 'Basic')
    await refused.arrayBuffer()
  } finally {
    await listener.close(0)
  }
})

test('a changed file counts at the next request; a broken one lets nobody in and is told', async () => {
  const file = webFile(`basic_auth_users: { alice: "${HASH}" }`)
  const listener = await serve(file)
  try {
    assert.equal(await plainStatus(listener, 'alice:geheim'), 200)
    fs.writeFileSync(
      file,
      `basic_auth_users: { bob: "${HASH}" }\nhttp_server_config: { headers: { X-Frame-Options: deny } }`,
    )
    assert.equal(await plainStatus(listener, 'alice:geheim'), 401)
    const answer = await fetch(`http://127.0.0.1:${listener.address.port}/`, {
      headers: { authorization: `Basic ${btoa('bob:geheim')}` },
    })
    assert.deepEqual(
      [answer.status, answer.headers.get('x-frame-options'), await answer.text()],
      [200, 'deny', 'inside'],
    )
    fs.writeFileSync(file, 'basic_auth_users: { bob: plain }')
    assert.equal(await plainStatus(listener, 'bob:geheim'), 500)
    assert.ok(
      lines.some((line) => line.includes('Unable to parse configuration') && line.includes('not a bcrypt hash')),
    )
  } finally {
    await listener.close(0)
  }
})

test('an answer that is sent as bytes keeps them when headers are added', async () => {
  const access = openWebAccess(webFile('http_server_config: { headers: { X-Frame-Options: deny } }'), deps)
  const listener = await createNet().serveHttp({
    host: '127.0.0.1',
    port: 0,
    handler: access.guard((_request, info) => {
      const response = new Response(null, { status: 203 })
      info.bodies?.set(response, new TextEncoder().encode('as bytes'))
      return response
    }),
  })
  try {
    const answer = await fetch(`http://127.0.0.1:${listener.address.port}/`)
    assert.deepEqual(
      [answer.status, answer.headers.get('x-frame-options'), await answer.text()],
      [203, 'deny', 'as bytes'],
    )
  } finally {
    await listener.close(0)
  }
})

test('an unknown user takes as long as a wrong password', async () => {
  const slow = bcrypt.hashSync('geheim', 10)
  const listener = await serve(webFile(`basic_auth_users: { alice: "${slow}" }`))
  const timed = async (user: string): Promise<number> => {
    const start = performance.now()
    await plainStatus(listener, user)
    return performance.now() - start
  }
  try {
    // The least of some, which nothing has held up.
    let [unknown, wrong] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (let i = 0; i < 4; i++) {
      unknown = Math.min(unknown, await timed(`nobody${i}:a`))
      wrong = Math.min(wrong, await timed(`alice:b${i}`))
    }
    // bcrypt of cost 10 takes some fifty milliseconds, a look into a table none.
    assert.ok(unknown > wrong / 5, `unknown user ${unknown} ms, wrong password ${wrong} ms`)
  } finally {
    await listener.close(0)
  }
})

test('too many requests are refused by rate_limit', async () => {
  const listener = await serve(webFile('rate_limit: { interval: 1h, burst: 2 }'))
  try {
    const statuses = [await plainStatus(listener), await plainStatus(listener), await plainStatus(listener)]
    assert.deepEqual(statuses, [200, 200, 429])
  } finally {
    await listener.close(0)
  }
})

test('a renewed certificate is shown at the next connection, and versions are kept to', {
  skip: noOpenssl,
}, async () => {
  certificate('one', 'DNS:one')
  const file = webFile('tls_server_config: { cert_file: one.crt, key_file: one.key }')
  const listener = await serve(file)
  try {
    const first = await ask(listener)
    assert.deepEqual([first.status, first.peer, first.protocol], [200, 'one', 'TLSv1.3'])
    const renewed = certificate('two', 'DNS:two')
    fs.writeFileSync(path.join(folder, 'one.crt'), renewed.cert)
    fs.writeFileSync(path.join(folder, 'one.key'), renewed.key)
    assert.equal((await ask(listener)).peer, 'two')
    assert.equal((await ask(listener, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2')
    fs.writeFileSync(file, 'tls_server_config: { cert_file: one.crt, key_file: one.key, min_version: TLS13 }')
    await assert.rejects(ask(listener, { maxVersion: 'TLSv1.2' }))
    fs.writeFileSync(file, 'tls_server_config: { cert_file: gone.crt, key_file: one.key }')
    await assert.rejects(ask(listener))
  } finally {
    await listener.close(0)
  }
})

const CLIENT_RULES: readonly (readonly [
  type: string,
  sans: string,
  without: boolean,
  trusted: boolean,
  stranger: boolean,
])[] = [
  ['RequestClientCert', '', true, true, true],
  ['RequireAnyClientCert', '', false, true, true],
  ['VerifyClientCertIfGiven', '', true, true, false],
  ['RequireAndVerifyClientCert', '', false, true, false],
  ['RequireAndVerifyClientCert', 'trusted.example', false, true, false],
  ['RequireAndVerifyClientCert', 'other.example', false, false, false],
]
for (const [type, sans, ...expected] of CLIENT_RULES)
  test(`${type}${sans && ` of ${sans}`}: without, trusted and strange certificates`, { skip: noOpenssl }, async () => {
    certificate('server', 'DNS:server')
    const trusted = certificate('trusted', 'DNS:trusted.example')
    const stranger = certificate('stranger', 'DNS:trusted.example')
    const allowed = sans ? `, client_allowed_sans: [${sans}]` : ''
    const ca = type.includes('Verify') ? ', client_ca_file: trusted.crt' : ''
    const listener = await serve(
      webFile(
        `tls_server_config: { cert_file: server.crt, key_file: server.key, client_auth_type: ${type}${ca}${allowed} }`,
      ),
    )
    const comesIn = async (tls: Ask): Promise<boolean> => {
      try {
        return (await ask(listener, tls)).status === 200
      } catch {
        return false
      }
    }
    try {
      assert.deepEqual([await comesIn({}), await comesIn(trusted), await comesIn(stranger)], expected)
    } finally {
      await listener.close(0)
    }
  })

const exposures: readonly (readonly [host: string, hasTls: boolean, hasUsers: boolean, warning: RegExp | null])[] = [
  ['127.0.0.1', false, false, null],
  ['::1', false, false, null],
  ['localhost', false, false, null],
  ['0.0.0.0', true, true, null],
  ['0.0.0.0', false, false, /without TLS and a password: .*--web\.config\.file/],
  ['10.0.0.1', true, false, /without a password/],
  ['', false, true, /without TLS/],
]
for (const [host, hasTls, hasUsers, warning] of exposures)
  test(`listening on "${host}" ${hasTls ? 'with' : 'without'} TLS, ${hasUsers ? 'with' : 'without'} users`, () => {
    const text = exposureWarning(host, { hasTls, hasUsers })
    if (warning === null) assert.equal(text, null)
    else assert.match(text ?? '', warning)
  })

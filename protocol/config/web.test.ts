import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadWebConfig } from './mod.ts'

const load = (text: string) => loadWebConfig(text, { file: '/etc/heliograph/web.yml' })
const HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'

test('an empty file is neither TLS nor passwords', () => {
  const config = load('')
  assert.deepEqual([config.tls, config.users.size, config.http2, config.rateLimit], [null, 0, true, null])
})

test('everything that exporter-toolkit takes is taken, paths beside the file', () => {
  const { tls, headers, users, rateLimit, http2 } = load(`
tls_server_config:
  cert_file: server.crt
  key_file: /keys/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [a.example]
  min_version: TLS13
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  curve_preferences: [X25519, CurveP256]
  prefer_server_cipher_suites: false
http_server_config: { http2: false, headers: { Strict-Transport-Security: max-age=1 } }
basic_auth_users: { alice: "${HASH}" }
rate_limit: { interval: 10s, burst: 5 }
`)
  assert.deepEqual(tls, {
    cert: { file: '/etc/heliograph/server.crt' },
    key: { file: '/keys/server.key' },
    clientCa: { file: '/etc/heliograph/ca.crt' },
    clientAuth: 'RequireAndVerifyClientCert',
    clientAllowedSans: ['a.example'],
    cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256', 'TLS_AES_128_GCM_SHA256'],
    curves: ['X25519', 'P-256'],
    preferServerCipherSuites: false,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
  })
  assert.deepEqual([headers, http2], [{ 'Strict-Transport-Security': 'max-age=1' }, false])
  assert.deepEqual([[...users], rateLimit], [[['alice', HASH]], { intervalMs: 10_000, burst: 5 }])
})

test('RequireClientCert is the old name of RequireAnyClientCert', () => {
  const { tls } = load('tls_server_config: { cert_file: a, key_file: b, client_auth_type: RequireClientCert }')
  assert.equal(tls?.clientAuth, 'RequireAnyClientCert')
})

const refused: readonly (readonly [what: string, text: string, problem: RegExp])[] = [
  ['a key alone', 'tls_server_config: { key_file: a }', /missing one of cert or cert_file/],
  ['a certificate alone', 'tls_server_config: { cert_file: a }', /missing one of key or key_file/],
  [
    'an unknown rule for clients',
    'tls_server_config: { cert_file: a, key_file: b, client_auth_type: x }',
    /invalid ClientAuth: x/,
  ],
  [
    'authorities that nobody asks for',
    'tls_server_config: { cert_file: a, key_file: b, client_ca_file: c }',
    /without a Client Auth Policy/,
  ],
  [
    'names of certificates that may be missing',
    'tls_server_config: { cert_file: a, key_file: b, client_auth_type: RequestClientCert, client_allowed_sans: [c] }',
    /client_allowed_sans requires client_auth_type/,
  ],
  [
    'an unknown version',
    'tls_server_config: { cert_file: a, key_file: b, min_version: TLS14 }',
    /unknown TLS version: TLS14/,
  ],
  ['an unknown cipher', 'tls_server_config: { cert_file: a, key_file: b, cipher_suites: [x] }', /unknown cipher: x/],
  ['a password in the clear', 'basic_auth_users: { alice: geheim }', /user "alice" is not a bcrypt hash/],
  ['any other header', 'http_server_config: { headers: { X-Mine: a } }', /HTTP header "X-Mine" can not be configured/],
  ['a value that the header has not', 'http_server_config: { headers: { X-Frame-Options: maybe } }', /Expected one of/],
  ['a key that is none', 'tls_config: {}', /field tls_config not found in type web\.Config/],
]
for (const [what, text, problem] of refused)
  test(`${what} is refused, with its place`, () =>
    assert.throws(() => load(text), { name: 'ConfigError', message: problem }))

test('a password in the clear is not repeated in the message', () => {
  assert.throws(
    () => load('basic_auth_users: { alice: geheim }'),
    (error: Error) => !error.message.includes('geheim'),
  )
})

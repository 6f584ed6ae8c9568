import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Secret } from '../../protocol/config/mod.ts'
import { proxyFor } from './proxy.ts'

const NONE = { proxyUrl: '', noProxy: '', proxyFromEnvironment: false, proxyConnectHeader: {} }
const PROXY = 'http://proxy:3128'

test('proxy_url takes everything, with no_proxy all but its exceptions and this host', () => {
  const rows: readonly [noProxy: string, url: string, isProxied: boolean][] = [
    ['', 'http://127.0.0.1:9100/', true],
    ['x', 'http://127.0.0.1:9100/', false],
    ['x', 'http://localhost:9100/', false],
    ['x', 'http://[::1]:9100/', false],
    ['*', 'http://a.example/', false],
    ['a.example', 'http://a.example/', false],
    ['a.example', 'http://b.a.example/', false],
    ['a.example', 'http://ba.example/', true],
    ['.a.example', 'http://a.example/', true],
    ['.a.example', 'http://b.a.example/', false],
    ['*.a.example', 'http://b.a.example/', false],
    ['b, A.Example', 'http://a.example/', false],
    ['a.example:8080', 'http://a.example/', true],
    ['a.example:8080', 'http://a.example:8080/', false],
    ['10.0.0.0/8', 'http://10.1.2.3/', false],
    ['10.0.0.0/8', 'http://11.1.2.3/', true],
    ['10.1.2.3', 'http://10.1.2.3/', false],
    ['fd00::/8', 'http://[fd12::1]:80/', false],
    ['fe80::/10', 'http://[fd12::1]:80/', true],
  ]
  for (const [noProxy, url, isProxied] of rows)
    assert.equal(proxyFor({ ...NONE, proxyUrl: PROXY, noProxy }, url) !== undefined, isProxied, `${noProxy} ${url}`)
})

test('proxy_from_environment reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY in either case', () => {
  const environment = { HTTP_PROXY: 'one:1', https_proxy: 'http://two:2', no_proxy: 'here' }
  const ask = (url: string, more = {}) =>
    proxyFor({ ...NONE, proxyFromEnvironment: true }, url, { ...environment, ...more })
  assert.equal(ask('http://a/')?.url, 'http://one:1')
  assert.equal(ask('https://a/')?.url, 'http://two:2')
  assert.equal(ask('https://here/'), undefined)
  assert.equal(ask('http://127.0.0.1/'), undefined)
  assert.equal(ask('http://a/', { REQUEST_METHOD: 'GET' }), undefined)
  assert.equal(proxyFor(NONE, 'http://a/', environment), undefined)
})

test('headers for the proxy go along', () => {
  const settings = { ...NONE, proxyUrl: PROXY, proxyConnectHeader: { 'X-Key': [new Secret('a'), new Secret('b')] } }
  assert.deepEqual(proxyFor(settings, 'https://a/'), { url: PROXY, connectHeaders: { 'X-Key': 'a, b' } })
})

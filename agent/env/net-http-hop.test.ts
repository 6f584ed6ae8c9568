import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpRequest } from '../../protocol/env/mod.ts'
import { FirstHops } from './net-http-hop.ts'

const request = (rest: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: 'http://host:1/metrics',
  timeoutMs: 1,
  maxBodyBytes: 1,
  ...rest,
})

test('a hop is remembered for frozen headers alone, and only for the same way to the same place', () => {
  const hops = new FirstHops()
  const headers = Object.freeze({ Accept: 'text/plain' })
  const first = hops.of(request({ headers }))
  assert.equal(hops.of(request({ headers, timeoutMs: 2 })), first)
  for (const other of [
    { url: 'http://host:2/metrics' },
    { method: 'HEAD' },
    { tls: {} },
    { unixSocket: '/s' },
    { proxy: { url: 'http://p:1' } },
    { http2: true },
    { body: new Uint8Array(1) },
    { headers: Object.freeze({ Accept: 'text/plain' }) },
  ]) {
    hops.of(request({ headers }))
    const hop = hops.of(request({ headers, ...other }))
    assert.notEqual(hop, first)
    assert.equal(hop.url.href, other.url ?? 'http://host:1/metrics')
    assert.equal(hop.method, other.method ?? 'GET')
  }
  const changing: Record<string, string> = { Accept: 'a' }
  assert.equal(hops.of(request({ headers: changing })).headers['accept'], 'a')
  changing['Accept'] = 'b'
  assert.equal(hops.of(request({ headers: changing })).headers['accept'], 'b')
})

test('a bad URL is refused each time', () => {
  const hops = new FirstHops()
  const headers = Object.freeze({})
  for (let i = 0; i < 2; i++)
    assert.throws(() => hops.of(request({ url: 'ftp://host/', headers })), { code: 'BAD_URL' })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CookieJar } from './cookies.ts'
import type { Hop } from './http-hop.ts'

const NOW = Date.UTC(2026, 0, 1)
const hop = (url: string, headers: Hop['headers'] = []): Hop => ({
  method: 'GET',
  url: new URL(url),
  host: '',
  address: '',
  headers,
  body: null,
  tls: {},
  serverName: '',
  offersHttp2: false,
  proxy: undefined,
})

/** Each answer is what blackbox_exporter 0.28 sent, or left out, for the same answer of a server. */
const rows: readonly (readonly [what: string, line: string, from: string, to: string, sent: string | undefined])[] = [
  ['one for the host', 'a=b', 'http://h.test/x', 'http://h.test/y', 'a=b'],
  ['one for its path', 'a=b; Path=/foo', 'http://h.test/x', 'http://h.test/echo', undefined],
  ['one for a path above', 'a=b; Path=/foo', 'http://h.test/x', 'http://h.test/foo/bar', 'a=b'],
  ['a path that only begins so', 'a=b; Path=/foo', 'http://h.test/x', 'http://h.test/foobar', undefined],
  ['none for another host', 'a=b', 'http://h.test/', 'http://i.test/', undefined],
  ['none of another domain', 'a=b; Domain=other.example', 'http://127.0.0.1/', 'http://127.0.0.1/', undefined],
  ['one of the domain above', 'a=b; Domain=.j.test', 'http://h.j.test/', 'http://i.j.test/', 'a=b'],
  ['one of its own domain, below it', 'a=b; Domain=j.test', 'http://j.test/', 'http://i.j.test/', 'a=b'],
  ['none of a public suffix', 'a=b; Domain=.test', 'http://h.test/', 'http://i.test/', undefined],
  ['none of a dot', 'a=b; Domain=.', 'http://h.test/', 'http://h.test/', undefined],
  ['one of no domain', 'a=b; Domain=', 'http://h.test/', 'http://h.test/', 'a=b'],
  ['none with a name of two words', 'a b=1', 'http://h.test/', 'http://h.test/', undefined],
  ['none with a backslash', 'a=\\', 'http://h.test/', 'http://h.test/', undefined],
  ['quotes as they are', 'a="b"', 'http://h.test/', 'http://h.test/', 'a="b"'],
  ['quotes around a comma', 'a=x,y', 'http://h.test/', 'http://h.test/', 'a="x,y"'],
  ['quotes around a space', 'a=x y', 'http://h.test/', 'http://h.test/', 'a="x y"'],
  ['none that has ended', 'a=b; Max-Age=0', 'http://h.test/', 'http://h.test/', undefined],
  ['none of before', 'a=b; Expires=Thu, 01-Jan-1970 00:00:00 GMT', 'http://h.test/', 'http://h.test/', undefined],
  ['one that lasts', 'a=b; Expires=Fri, 01 Jan 2100 00:00:00 GMT', 'http://h.test/', 'http://h.test/', 'a=b'],
  ['none that is secure, in the open', 'a=b; Secure', 'http://h.test/', 'http://h.test/', undefined],
  ['a secure one on this host', 'a=b; Secure', 'http://127.0.0.1/', 'http://127.0.0.1/', 'a=b'],
  ['none without a name', '=b', 'http://h.test/', 'http://h.test/', undefined],
]
for (const [what, line, from, to, sent] of rows)
  test(`cookies: ${what}`, () => {
    const jar = new CookieJar()
    jar.take(new URL(from), line, NOW)
    assert.equal(jar.onto(hop(to)).headers.find(([name]) => name === 'Cookie')?.[1], sent)
  })

test('cookies come after the module’s own, the longest path first; a later one takes the place of its like', () => {
  const jar = new CookieJar()
  for (const line of ['a=1; Path=/', 'b=2; Path=/long', 'a=3; Path=/']) jar.take(new URL('http://h.test/'), line, NOW)
  const { headers } = jar.onto(hop('http://h.test/long', [['cookie', 'own=0']]))
  assert.deepEqual(headers, [['Cookie', 'own=0; b=2; a=3']])
})

test('a domain’s cookie is one, whichever of its hosts sets it, and goes to those below it', () => {
  const jar = new CookieJar()
  for (const [from, line] of [
    ['http://h.test/', 'own=1; Domain=h.test'],
    ['http://a.h.test/', 'a=1; Domain=h.test'],
    ['http://b.h.test/', 'a=2; Domain=h.test'],
  ] as const)
    jar.take(new URL(from), line, NOW)
  assert.deepEqual(jar.onto(hop('http://c.h.test/')).headers, [['Cookie', 'own=1; a=2']])
})

test('as many cookies as the heads of ten redirects hold cost what each of them costs', () => {
  const jar = new CookieJar()
  const before = process.cpuUsage()
  for (let i = 0; i < 50_000; i++) jar.take(new URL('http://h.test/'), `a${i}=b`, NOW)
  const { user } = process.cpuUsage(before)
  // A tenth of a second; 60 s where each was compared with all.
  assert.ok(user < 10_000_000, `${user} µs`)
  assert.equal(jar.onto(hop('http://h.test/')).headers[0]![1].split('; ').length, 50_000)
})

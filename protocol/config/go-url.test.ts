import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GoUrl, parseGoUrl } from './go-url.ts'

const rows: readonly (readonly [text: string, wanted: string | Partial<GoUrl>])[] = [
  ['http://example.com:80/a b?q', { scheme: 'http', host: 'example.com:80', path: '/a b', query: 'q' }],
  ['HTTP://u:p@h/%41', { scheme: 'http', host: 'h', path: '/A' }],
  ['http:example.com', { scheme: 'http', host: '', opaque: 'example.com' }],
  ['example.com/x', { scheme: '', host: '', path: 'example.com/x' }],
  ['//host/x', { scheme: '', host: 'host', path: '/x' }],
  ['http://[::1]:9/x', { host: '[::1]:9' }],
  ['http://', { scheme: 'http', host: '' }],
  ['', { scheme: '', host: '', path: '' }],
  ['://example.com', 'parse "://example.com": missing protocol scheme'],
  ['a:80/x', { scheme: 'a', opaque: '80/x' }],
  ['1a:80/x', 'parse "1a:80/x": first path segment in URL cannot contain colon'],
  ['http://a b/x', 'parse "http://a b/x": invalid character " " in host name'],
  ['http://h:port/', 'parse "http://h:port/": invalid port ":port" after host'],
  ['http://[::1/', `parse "http://[::1/": missing ']' in host`],
  ['http://h/%zz', 'parse "http://h/%zz": invalid URL escape "%zz"'],
  ['http://h/%4', 'parse "http://h/%4": invalid URL escape "%4"'],
  ['http://u{@h/', 'parse "http://u{@h/": net/url: invalid userinfo'],
  ['http://h/\n', 'parse "http://h/\\n": net/url: invalid control character in URL'],
]
for (const [text, wanted] of rows)
  test(`parseGoUrl() of ${JSON.stringify(text)}`, () => {
    if (typeof wanted === 'string') assert.throws(() => parseGoUrl(text), { message: wanted })
    else assert.deepEqual({ ...parseGoUrl(text), ...wanted }, parseGoUrl(text))
  })

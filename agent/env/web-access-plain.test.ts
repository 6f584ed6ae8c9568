/** The way without Web objects lets in whom the other has let in, and leaves everybody else to it. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import bcrypt from 'bcryptjs'
import type { HttpInfo, PlainAnswer, PlainHandler, PlainRequest } from '../../protocol/env/mod.ts'
import { createLogger, nodeDisk, systemClock } from './mod.ts'
import { openWebAccess, type WebAccess } from './web-access.ts'

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-plain-'))
after(() => fs.rmSync(folder, { recursive: true, force: true }))
const log = createLogger({ level: 'info', format: 'logfmt', now: () => 0, write: () => {} })
const HASH = bcrypt.hashSync('geheim', 4)
let files = 0

function open(text: string): { file: string; access: WebAccess; plain: PlainHandler } {
  const file = path.join(folder, `${files++}.yml`)
  fs.writeFileSync(file, text)
  const access = openWebAccess(file, { disk: nodeDisk, clock: systemClock, log })
  const inside = { status: 200, headers: { 'content-type': 'text/plain' }, body: new Uint8Array(0) }
  return {
    file,
    access,
    plain: access.guardPlain(({ target }) => (target === '/later' ? Promise.resolve(inside) : inside)),
  }
}

const request = (user = '', target = '/'): PlainRequest => ({
  method: 'GET',
  target,
  remoteAddress: '127.0.0.1:1',
  signal: new AbortController().signal,
  header: (name) => (name === 'authorization' && user !== '' ? `Basic ${btoa(user)}` : ''),
  body: async () => null,
})

/** As the other way does it: its verdict is what this one goes by. */
async function askOtherWay(access: WebAccess, user: string): Promise<number> {
  const headers = { authorization: `Basic ${btoa(user)}` }
  const info = { remoteAddress: '', signal: new AbortController().signal } as HttpInfo
  return (await access.guard(() => new Response('inside'))(new Request('http://x/', { headers }), info)).status
}

test('a user comes in once its password has been accepted, and nobody else does', async () => {
  const { file, access, plain } = open(`basic_auth_users: { alice: "${HASH}" }`)
  assert.equal(plain(request('alice:geheim')), null)
  assert.equal(await askOtherWay(access, 'alice:geheim'), 200)
  assert.equal(await askOtherWay(access, 'alice:falsch'), 401)
  assert.equal(await askOtherWay(access, 'bob:geheim'), 401)
  assert.equal((plain(request('alice:geheim')) as PlainAnswer).status, 200)
  for (const user of ['', 'alice:falsch', 'bob:geheim', 'alice:', ':geheim'])
    assert.equal(plain(request(user)), null, user)
  fs.writeFileSync(file, `basic_auth_users: { alice: "${bcrypt.hashSync('neu', 4)}" }`)
  assert.equal(plain(request('alice:geheim')), null)
  fs.writeFileSync(file, 'no: such key')
  assert.equal(plain(request('alice:geheim')), null)
})

test('headers of the file are added, to answers at once and later', async () => {
  const { plain } = open('http_server_config: { headers: { X-Frame-Options: deny } }')
  const headers = { 'content-type': 'text/plain', 'x-frame-options': 'deny' }
  assert.deepEqual((plain(request()) as PlainAnswer).headers, headers)
  assert.deepEqual((await plain(request('', '/later')))!.headers, headers)
})

test('where requests are counted, all go the other way', () => {
  const { plain } = open('rate_limit: { interval: 1s, burst: 5 }')
  assert.equal(plain(request()), null)
})

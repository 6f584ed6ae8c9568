import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { generateSeed, naclSigner, naclVerifier, publicKeyOfSeed } from '../../protocol/identity/mod.ts'
import { MemoryDisk, manualClock, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import { type AgentRecord, createRegistry, type EnrolmentCode, type EnrolmentError, signEnrolment } from './mod.ts'

const NOW = 1_767_225_600_000
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

function world() {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  // As the hub does at its start: the folder's own name outlives a power loss.
  disk.syncDirectory('/')
  const clock = manualClock(NOW)
  const random = seededRandom(5)
  const log = memoryLogger()
  const open = (on = disk) =>
    createRegistry({
      disk: on,
      clock,
      random,
      log,
      verifier: naclVerifier,
      sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
      path: '/data/agents.json',
    })
  const key = () => {
    const seed = generateSeed(random)
    return { signer: naclSigner(seed), publicKey: publicKeyOfSeed(seed) }
  }
  return { disk, clock, log, registry: open(), open, key }
}

type Key = ReturnType<ReturnType<typeof world>['key']>

const request = (key: Key, token: string, agent: string) => ({
  token,
  agent,
  publicKey: key.publicKey,
  proof: signEnrolment(key.signer, { token, agent, publicKey: key.publicKey }),
})

const refuses = (code: EnrolmentCode, run: () => unknown): void =>
  assert.throws(run, (error: EnrolmentError) => error.name === 'EnrolmentError' && error.code === code)

test('a token enrols one agent, once, and what it enrolled survives a restart', () => {
  const { registry, open, key, disk } = world()
  const { token } = registry.createToken()
  const first = key()
  const record = registry.enroll(request(first, token, 'web-1'))
  assert.equal(record.status, 'approved')
  refuses('BAD_TOKEN', () => registry.enroll(request(key(), token, 'web-2')))
  const again = open(disk.crash(() => 0))
  assert.deepEqual(again.byAgent('web-1'), record)
  refuses('BAD_TOKEN', () => again.enroll(request(key(), token, 'web-2')))
  assert.deepEqual(again.enroll(request(first, token, 'web-1')), record, 'a repeated request of the same key')
})

test('the file never holds a token', () => {
  const { registry, disk } = world()
  const { token } = registry.createToken()
  assert.ok(!disk.readText('/data/agents.json').includes(token.slice(6)))
})

test('a token expires, and may be bound to an agent and a site', () => {
  const { registry, clock, key } = world()
  const short = registry.createToken({ ttlMs: 1000 }).token
  const bound = registry.createToken({ agent: 'web-1', site: 'lab' }).token
  refuses('BAD_TOKEN', () => registry.enroll(request(key(), bound, 'web-2')))
  assert.equal(registry.enroll({ ...request(key(), bound, 'web-1'), site: 'elsewhere' }).site, 'lab')
  clock.advance(1000)
  refuses('TOKEN_EXPIRED', () => registry.enroll(request(key(), short, 'web-3')))
})

test('a proof must be signed by the key that it enrols, for this token and this id', () => {
  const { registry, key } = world()
  const { token } = registry.createToken()
  const mine = key()
  const good = request(mine, token, 'web-1')
  refuses('BAD_PROOF', () => registry.enroll({ ...good, agent: 'web-2' }))
  refuses('BAD_PROOF', () => registry.enroll({ ...good, publicKey: key().publicKey }))
  refuses('BAD_PROOF', () => registry.enroll({ ...good, proof: good.proof.slice(1) }))
  refuses('BAD_KEY', () => registry.enroll({ ...good, publicKey: 'UABC' }))
  refuses('BAD_AGENT', () => registry.enroll({ ...good, agent: 'a.*' }))
  registry.enroll(good)
})

test('an id has one key and a key one id', () => {
  const { registry, key } = world()
  const mine = key()
  registry.approve({ agent: 'web-1', publicKey: mine.publicKey })
  refuses('AGENT_TAKEN', () => registry.approve({ agent: 'web-1', publicKey: key().publicKey }))
  refuses('KEY_TAKEN', () => registry.approve({ agent: 'web-2', publicKey: mine.publicKey }))
})

test('a revoked key is refused at once, cannot return by a token, and its id is free for another key', () => {
  const { registry, open, key } = world()
  const old = key()
  registry.approve({ agent: 'web-1', publicKey: old.publicKey })
  const heard: AgentRecord[] = []
  registry.onChange((record) => void heard.push(record))
  registry.revoke('web-1')
  assert.deepEqual(
    heard.map((record) => [record.agent, record.status]),
    [['web-1', 'revoked']],
  )
  refuses('REVOKED', () => registry.enroll(request(old, registry.createToken().token, 'web-1')))
  const fresh = key()
  registry.enroll(request(fresh, registry.createToken().token, 'web-1'))
  for (const each of [registry, open()]) {
    assert.equal(each.byAgent('web-1')?.publicKey, fresh.publicKey)
    assert.equal(each.byKey(old.publicKey)?.status, 'revoked')
  }
  refuses('UNKNOWN_AGENT', () => registry.revoke('web-9'))
})

test('authenticate() gives an approved key its own subjects only, and tells how to allow an unknown one', () => {
  const { registry, key, log } = world()
  const mine = key()
  const claim = (each: Key, name?: string) => ({
    nkey: each.publicKey,
    nonce: ascii('nonce'),
    signature: each.signer.sign(ascii('nonce')),
    ...(name === undefined ? {} : { name }),
  })
  const unknown = registry.authenticate(claim(mine, 'web-1'))
  assert.match('error' in unknown ? unknown.error : '', new RegExp(`agents approve web-1 ${mine.publicKey}`))
  assert.equal(registry.list()[0]?.status, 'pending')
  assert.equal(log.lines.at(-1)?.level, 'warn')
  registry.approve({ agent: 'web-1', publicKey: mine.publicKey })
  assert.deepEqual(registry.list().length, 1)
  assert.deepEqual(registry.authenticate(claim(mine)), {
    identity: 'web-1',
    publish: [
      'helio.v1.samples.*.*.web-1',
      'helio.v1.backlog.*.*.web-1',
      'helio.v1.cursor.web-1',
      'helio.v1.live.agents.web-1',
    ],
    subscribe: ['helio.v1.ack.web-1', 'helio.v1.control.web-1.>', '_INBOX_web-1.>'],
  })
  assert.ok('error' in registry.authenticate({ ...claim(mine), nonce: ascii('other') }))
  assert.ok('error' in registry.authenticate({ ...claim(mine), nkey: 'Unot-a-key' }))
  registry.revoke('web-1')
  assert.ok('error' in registry.authenticate(claim(mine)))
})

test('a change that cannot be written does not take effect', () => {
  const { registry, disk, key } = world()
  disk.fault = (point) => (point === 'write' ? 'EIO' : null)
  const mine = key()
  assert.throws(() => registry.approve({ agent: 'web-1', publicKey: mine.publicKey }), /EIO/)
  assert.equal(registry.byAgent('web-1'), null)
})

const damaged: readonly [what: string, text: string][] = [
  ['no JSON', '{"version":1,'],
  ['another version', '{"version":2,"agents":[],"tokens":[]}'],
  ['a bad agent', '{"version":1,"agents":[{"agent":"A.B"}],"tokens":[]}'],
  ['a bad token', '{"version":1,"agents":[],"tokens":[{"hash":"x"}]}'],
  ['null', 'null'],
]
for (const [what, text] of damaged)
  test(`a registry file with ${what} is an error that names the file`, () => {
    const { disk, open } = world()
    disk.writeFileAtomic('/data/agents.json', text)
    assert.throws(() => open(), /Cannot read agent registry "\/data\/agents.json"/)
  })

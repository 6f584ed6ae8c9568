import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import { Claims } from './claims.ts'
import { LEASE_MS, Membership } from './membership.ts'
import { keptLog } from './testing/kept-log.ts'
import { MemoryKv, type MemoryKvClient } from './testing/memory-kv.ts'

function world() {
  const clock = new VirtualClock(1e12)
  const kv = new MemoryKv(clock, { maxAgeMs: LEASE_MS })
  let lives = 0
  const { log, lines } = keptLog()
  const join = (name: string, id = `id-${name}`, client: MemoryKvClient = kv.connect()) => {
    const member = new Membership(client, { id, name, address: `${name}:9090`, life: `life${++lives}` }, { clock, log })
    member.start(() => {})
    return { member, client, names: () => member.members().map((each) => each.name) }
  }
  return { clock, kv, join, lines }
}

test('members know each other, and their positions go by name', async () => {
  const { clock, join } = world()
  const [c, a, b] = [join('c'), join('a'), join('b')]
  assert.equal(c.member.isSettled, false)
  await clock.advance(0)
  for (const { member, names } of [a, b, c]) {
    assert.deepEqual(names(), ['a', 'b', 'c'])
    assert.ok(member.isSettled)
  }
  assert.deepEqual(
    [a, b, c].map(({ member }) => member.position),
    [0, 1, 2],
  )
})

test('a lease that is given back frees the place at once, one of the dead after its time, whatever wall clocks say', async () => {
  const { clock, join } = world()
  const [a, b, c] = [join('a'), join('b'), join('c')]
  await clock.advance(20_000)
  assert.deepEqual(c.names(), ['a', 'b', 'c'])
  await a.member.stop()
  assert.deepEqual(c.names(), ['b', 'c'])
  b.client.setAway(true)
  clock.step(3_600_000)
  await clock.advance(LEASE_MS - 3_001)
  assert.equal(c.member.position, 1)
  await clock.advance(6_000)
  assert.equal(c.member.position, 0)
  assert.equal(b.member.position, 0)
  assert.deepEqual(b.member.counters.left, 2)
  b.client.setAway(false)
  await clock.advance(3_000)
  assert.deepEqual(b.names(), ['b', 'c'])
  assert.deepEqual(c.names(), ['b', 'c'])
})

test('a member that starts again has its own place back at once', async () => {
  const { clock, join } = world()
  const [a, b] = [join('a'), join('b')]
  await clock.advance(0)
  a.client.setAway(true)
  const again = join('a')
  await clock.advance(0)
  assert.deepEqual(b.names(), ['a', 'b'])
  assert.deepEqual(again.names(), ['a', 'b'])
  await clock.advance(30_000)
  assert.deepEqual(b.names(), ['a', 'b'])
})

test('two hubs on one data directory take two places, and it is said', async () => {
  const { clock, join, lines } = world()
  const [first, copy] = [join('a', 'same'), join('a', 'same')]
  await clock.advance(10_000)
  assert.deepEqual(first.names(), ['a', 'a'])
  assert.deepEqual([first.member.position, copy.member.position].sort(), [0, 1])
  assert.ok(lines.includes('Another hub runs with a copy of this data directory; going on under another id'))
  assert.ok(lines.includes('Two members of the cluster have one name'))
})

test('a bucket that lost everything is filled again', async () => {
  const { clock, kv, join } = world()
  const [a, b] = [join('a'), join('b')]
  await clock.advance(0)
  kv.wipe()
  for (const { client } of [a, b]) {
    client.setAway(true)
    client.setAway(false)
  }
  await clock.advance(3_000)
  assert.equal(kv.stored.size, 2)
  assert.deepEqual(b.names(), ['a', 'b'])
})

test('a claim is one member’s until it is released, or its owner is gone', async () => {
  const { clock, kv } = world()
  const [clientA, clientB] = [kv.connect(), kv.connect()]
  const [a, b] = [new Claims(clientA, 'a'), new Claims(clientB, 'b')]
  const kindOf = async (claims: Claims) => (await claims.claim('x')).kind
  const held = await a.claim('x')
  assert.equal(held.kind, 'held')
  assert.equal(await kindOf(a), 'taken')
  assert.equal(await kindOf(b), 'taken')
  for (let i = 0; i < 5; i++) {
    await clock.advance(LEASE_MS / 3)
    await a.renew()
  }
  assert.equal(await kindOf(b), 'taken')
  if (held.kind === 'held') held.release()
  await clock.advance(0)
  const next = await b.claim('x')
  assert.equal(next.kind, 'held')
  clientB.setAway(true)
  assert.equal(await kindOf(a), 'taken')
  await clock.advance(LEASE_MS)
  assert.equal(await kindOf(a), 'held')
  clientA.setAway(true)
  assert.deepEqual([(await a.claim('y')).kind, a.failures], ['unknown', 1])
})

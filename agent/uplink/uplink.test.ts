import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ModelHub, World } from './testing/world.ts'

const slotsOf = (hub: ModelHub): string[] => hub.samples.map(({ target, slotMs }) => `${target}@${slotMs}`)
const gapsOf = (hub: ModelHub): string[] => hub.gaps.map(({ target, slotMs }) => `${target}@${slotMs}`)

function assertExactlyOnce(world: World, hub: ModelHub): void {
  const slots = slotsOf(hub)
  assert.equal(new Set(slots).size, slots.length, 'a slot was stored twice')
  assert.deepEqual([...slots].sort(), [...world.scraped].sort())
}

for (let seed = 1; seed <= 12; seed++)
  test(`a bus that loses, doubles, delays and cuts: every batch is acknowledged, no effect twice (seed ${seed})`, async () => {
    const world = new World({ seed })
    const [hub] = world.hubs as [ModelHub]
    Object.assign(world.weather, { loss: 0.25, double: 0.2, delayMsMax: 4000 })
    const { ring } = await world.startAgent()
    await world.run(600_000, () => {
      const dice = world.random.float()
      if (dice < 0.03) world.bus.set(world.bus.status === 'connected' ? 'disconnected' : 'connected')
      else if (dice < 0.05) hub.restart()
      else if (dice < 0.07) hub.up = !hub.up
    })
    Object.assign(world.weather, { loss: 0, double: 0, delayMsMax: 50 })
    hub.up = true
    world.bus.set('connected')
    await world.flush()
    await world.run(200_000)
    await world.flush()
    await world.clock.advance(30_000)
    const { pendingBatches, batches } = await ring.stats()
    assert.equal(pendingBatches, 0)
    assert.equal(hub.batches.size, batches)
    assert.equal(world.agent.uplink.stats().inFlightBatches, 0)
    assertExactlyOnce(world, hub)
    assert.deepEqual(hub.gaps, [])
  })

for (let seed = 1; seed <= 4; seed++)
  test(`kill -9 of the agent leaves exactly the slots it missed, as agent_down (seed ${seed})`, async () => {
    const world = new World({ seed })
    const [hub] = world.hubs as [ModelHub]
    Object.assign(world.weather, { loss: 0.1, double: 0.1, delayMsMax: 2000 })
    for (let life = 0; life < 4; life++) {
      await world.startAgent()
      world.bus.set('connected')
      await world.run(60_000 + Math.floor(world.random.float() * 60) * 1000)
      world.crash()
      await world.run(Math.floor(world.random.float() * 90) * 1000)
    }
    await world.startAgent()
    world.bus.set('connected')
    await world.run(300_000)
    await world.flush()
    await world.clock.advance(60_000)
    assert.equal((await world.agent.ring.stats()).pendingBatches, 0)
    const slots = slotsOf(hub)
    assert.equal(new Set(slots).size, slots.length)
    const gaps = gapsOf(hub)
    assert.equal(new Set(gaps).size, gaps.length)
    assert.ok(gaps.length > 0)
    for (const { reason } of hub.gaps) assert.equal(reason, 'agent_down')
    assert.deepEqual([...slots, ...gaps].sort(), allSlots(world, hub))
  })

/** Every slot of both targets from the first to the last that the hub knows. */
function allSlots(world: World, hub: ModelHub): string[] {
  const out: string[] = []
  for (const [target, intervalMs] of [
    ['a', 5000],
    ['b', 15_000],
  ] as const) {
    const known = [...world.scraped].filter((s) => s.startsWith(`${target}@`)).map((s) => Number(s.slice(2)))
    assert.ok(hub.samples.length > 0)
    for (let at = Math.min(...known); at <= Math.max(...known); at += intervalMs) out.push(`${target}@${at}`)
  }
  return out.sort()
}

test('a clean stop is told as shutdown, and nothing is lost over it', async () => {
  const world = new World({ seed: 1 })
  const [hub] = world.hubs as [ModelHub]
  const first = await world.startAgent()
  await world.run(62_000)
  first.uplink.stop()
  const closed = first.recorder.close()
  await world.clock.advance(1000)
  await closed
  first.alive = false
  world.bus.forget()
  await world.run(40_000)
  await world.startAgent()
  world.bus.set('connected')
  await world.run(60_000)
  await world.flush()
  await world.clock.advance(20_000)
  assert.deepEqual(new Set(hub.gaps.map(({ reason }) => reason)), new Set(['shutdown']))
  assert.deepEqual([...slotsOf(hub), ...gapsOf(hub)].sort(), allSlots(world, hub))
})

test('fresh batches go first while a long backlog drains beside them, in bounded memory', async () => {
  const world = new World({ seed: 7 })
  const [hub] = world.hubs as [ModelHub]
  world.weather.delayMsMax = 0
  const { ring } = await world.startAgent({ uplink: { backlogBytesPerSecond: 3000, backlogBytes: 8192 } })
  await world.run(3_600_000)
  assert.equal(hub.received, 0)
  const offline = (await ring.stats()).pendingBatches
  assert.ok(offline >= 700, `${offline} batches wait`)
  const connectedAt = world.clock.now()
  world.bus.set('connected')
  world.maxInFlightBytes = 0
  let drainedAt = 0
  await world.run(300_000, () => {
    if (drainedAt === 0 && hub.batches.size >= offline) drainedAt = world.clock.now()
  })
  await world.flush()
  await world.clock.advance(2000)
  let fresh = 0
  for (const [key, sealedMs] of world.sealedAt) {
    if (sealedMs <= connectedAt) continue
    fresh++
    const storedMs = hub.storedAt.get(key) ?? Number.POSITIVE_INFINITY
    assert.ok(storedMs - sealedMs < 1000, `fresh batch ${key} took ${storedMs - sealedMs} ms`)
    assert.ok(hub.subjects.includes(`samples ${key}`))
  }
  assert.ok(fresh > 50)
  assert.ok(drainedAt > connectedAt + 30_000, 'the rate was kept')
  assert.ok(world.maxInFlightBytes < 32_768, `${world.maxInFlightBytes} bytes under way`)
  const backlog = hub.subjects.filter((s) => s.startsWith('backlog')).map((s) => Number(s.split('/')[1]))
  assert.deepEqual(
    backlog,
    [...backlog].sort((a, b) => a - b),
    'oldest first',
  )
  assertExactlyOnce(world, hub)
})

test('the cursor settles what was acknowledged while the agent was away: nothing is sent again', async () => {
  const world = new World({ seed: 3 })
  const [hub] = world.hubs as [ModelHub]
  await world.startAgent()
  world.bus.set('connected')
  world.bus.deliverAck = () => {}
  await world.run(14_000)
  assert.ok(hub.batches.size > 0)
  const received = hub.received
  world.bus.set('disconnected')
  world.bus.set('connected')
  await world.clock.advance(900)
  assert.equal(hub.received, received)
  assert.equal((await world.agent.ring.stats()).pendingBatches, 0)
})

test('a refused batch is set aside and counted, the next ones are stored', async () => {
  const world = new World({ seed: 5 })
  const [hub] = world.hubs as [ModelHub]
  hub.refuses = (_epoch, sequence) => sequence === 2
  const { uplink, ring } = await world.startAgent()
  world.bus.set('connected')
  await world.run(120_000)
  assert.equal(uplink.stats().refused, 1)
  assert.equal(uplink.stats().lastRefusal, 'not wanted')
  assert.equal(hub.subjects.filter((s) => s.endsWith('/2')).length, 1)
  assert.ok(hub.batches.size > 15)
  assert.equal((await ring.stats()).refusedBatches, 1)
})

test('with two acknowledgements required, one hub is not enough', async () => {
  const world = new World({ seed: 6, hubs: 2 })
  const [, second] = world.hubs as [ModelHub, ModelHub]
  second.up = false
  const { ring } = await world.startAgent({ uplink: { requiredAcks: 2 } })
  world.bus.set('connected')
  await world.run(60_000)
  const { pendingBatches, batches } = await ring.stats()
  assert.equal(pendingBatches, batches)
  assert.ok(batches > 5)
  second.up = true
  await world.run(240_000)
  await world.flush()
  await world.clock.advance(20_000)
  assert.equal((await ring.stats()).pendingBatches, 0)
  for (const hub of world.hubs) assertExactlyOnce(world, hub)
})

test('a hub that lost its keyframes gets them before the batches on them', async () => {
  const world = new World({ seed: 8 })
  const [hub] = world.hubs as [ModelHub]
  const { uplink } = await world.startAgent()
  world.bus.set('connected')
  await world.run(60_000)
  hub.restart()
  await world.run(60_000)
  assert.ok(uplink.stats().keyframesWanted > 0)
  await world.flush()
  await world.clock.advance(30_000)
  assertExactlyOnce(world, hub)
})

test('what was overwritten in a full ring reaches the hub as a gap: slots stored and missed make all', async () => {
  const world = new World({ seed: 9, capBytes: 60_000 })
  const [hub] = world.hubs as [ModelHub]
  const { ring } = await world.startAgent()
  await world.run(1_200_000)
  const { overwritten } = await ring.stats()
  assert.ok(overwritten.batches > 20, `${overwritten.batches} overwritten`)
  world.bus.set('connected')
  await world.run(120_000)
  await world.flush()
  await world.clock.advance(60_000)
  assert.equal((await ring.stats()).pendingBatches, 0)
  assert.deepEqual(new Set(hub.gaps.map(({ reason }) => reason)), new Set(['overwritten']))
  assert.deepEqual([...slotsOf(hub), ...gapsOf(hub)].sort(), [...world.scraped].sort())
})

test('a batch above the payload limit of the bus waits, and holds up no other', async () => {
  const world = new World({ seed: 10 })
  const [hub] = world.hubs as [ModelHub]
  const { uplink, recorder, ring } = await world.startAgent()
  world.bus.maxPayloadBytes = 8000
  world.bus.set('connected')
  await world.run(20_000)
  world.scrape('large', 1000, 3000)
  await world.flush()
  recorder.forceKeyframe()
  await world.run(60_000)
  assert.ok(uplink.stats().tooLarge > 0)
  assert.ok((await ring.stats()).pendingBatches > 0)
  world.bus.set('disconnected')
  world.bus.maxPayloadBytes = 1_048_576
  world.bus.set('connected')
  await world.run(60_000)
  await world.flush()
  await world.clock.advance(20_000)
  assert.equal((await ring.stats()).pendingBatches, 0)
  assertExactlyOnce(world, hub)
})

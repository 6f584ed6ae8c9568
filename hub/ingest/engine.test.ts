import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Ack } from '../../protocol/batch/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import { FatalDiskError } from '../wal/mod.ts'
import { MAX_KEYFRAMES } from './agent-state.ts'
import type { IngestEngine } from './mod.ts'
import { INTERVAL, NOW, type SimulatedAgent, World } from './testing/world.ts'

type Sent = { readonly agent: SimulatedAgent; readonly bytes: Uint8Array; readonly sequence: number }

/** Delivers a batch as an agent would: when its keyframe is wanted, that goes first. */
function deliver(engine: IngestEngine, sent: Sent, all: readonly Sent[]): Ack | null {
  const { ack } = engine.acceptBatch(sent.agent.subject, sent.bytes.slice())
  if (ack?.kind !== 'keyframe-wanted') return ack
  const keyframe = all.find((each) => each.agent === sent.agent && each.sequence === ack.base)!
  const first = engine.acceptBatch(keyframe.agent.subject, keyframe.bytes.slice())
  assert.equal(first.ack?.kind, 'stored')
  return engine.acceptBatch(sent.agent.subject, sent.bytes.slice()).ack
}

function stateOf(world: World, engine: IngestEngine) {
  return {
    head: world.heads.last.dump(),
    agents: engine.agents().map((agent) => ({ ...agent, lagMs: 0 })),
    cursors: world.agents.map(({ agent }) => engine.cursor(agent)),
    gaps: world.agents.map(({ agent }) => engine.ledger(agent, 0, 2 * NOW)),
  }
}

/** What the head should hold, going by another hub that got every batch once and in order. */
async function oracle(agents: World['agents'], all: readonly Sent[]) {
  const world = new World(99)
  world.agents.push(...agents)
  const engine = await world.open()
  for (const sent of all) assert.equal(deliver(engine, sent, all)?.kind, 'stored')
  engine.commit()
  return stateOf(world, engine)
}

test('any order and duplication of batches, with restarts and checkpoints between, is stored exactly once', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const world = new World(seed)
    const { random } = world
    const agents = [world.agent('web-1'), world.agent('web-2', { keyframeEvery: 1 + Math.floor(random.float() * 6) })]
    const all: Sent[] = []
    for (const agent of agents)
      for (let i = 0; i < 12; i++) {
        const { header, bytes } = agent.batch(1 + Math.floor(random.float() * 3))
        all.push({ agent, bytes, sequence: header.sequence })
      }
    const deliveries = all.flatMap((sent) => Array.from({ length: 1 + Math.floor(random.float() * 3) }, () => sent))
    for (let i = deliveries.length - 1; i > 0; i--) {
      const j = Math.floor(random.float() * (i + 1))
      ;[deliveries[i], deliveries[j]] = [deliveries[j]!, deliveries[i]!]
    }
    let engine = await world.open()
    for (const sent of deliveries) {
      assert.equal(deliver(engine, sent, all)?.kind, 'stored')
      if (random.float() < 0.3) engine.commit()
      if (random.float() < 0.05) engine.checkpoint()
      if (random.float() < 0.08) {
        engine.close()
        engine = await world.open()
        assert.equal(engine.counters.replayLost, 0, `seed ${seed}`)
      }
    }
    engine.commit()
    const expected = await oracle(world.agents, all)
    const found = stateOf(world, engine)
    assert.deepEqual(found.head, expected.head, `seed ${seed}`)
    assert.deepEqual(found.cursors, expected.cursors, `seed ${seed}`)
    assert.deepEqual(found.gaps, expected.gaps, `seed ${seed}`)
    for (const agent of found.agents) assert.deepEqual(agent.chainBreaks, [])
  }
})

test('a restart by replay gives the head, cursors and ledger that were there, from segments and from a checkpoint', async () => {
  for (const withCheckpoint of [false, true]) {
    const world = new World(7)
    const agents = [world.agent('web-1'), world.agent('web-2')]
    let engine = await world.open()
    for (let i = 0; i < 20; i++)
      for (const agent of agents) {
        if (i === 9)
          agent.encoder.missed({
            target: 't0',
            fromMs: NOW,
            toMs: NOW + INTERVAL,
            intervalMs: INTERVAL,
            reason: 'overrun',
          })
        const batch = agent.batch(2)
        if (i === 5) continue // a hole
        engine.acceptBatch(agent.subject, batch.bytes)
        engine.commit()
        if (withCheckpoint && i === 10) engine.checkpoint()
      }
    const before = stateOf(world, engine)
    assert.ok(before.gaps.every((gaps) => gaps.length > 0))
    const families = [...world.heads.last.families]
    engine.close()
    engine = await world.open()
    assert.deepEqual(stateOf(world, engine), before)
    assert.deepEqual([...world.heads.last.families], families)
    assert.equal(engine.counters.replayLost, 0)
    assert.equal(engine.replayReport.checkpoint !== null, withCheckpoint)
    // And it goes on from there: the next batch needs no keyframe.
    const next = agents[0]!.batch()
    assert.equal(engine.acceptBatch(agents[0]!.subject, next.bytes).result, 'stored')
  }
})

test('after a loss of power all that was acknowledged is there', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(seed)
    const { random } = world
    const agent = world.agent('web-1', { keyframeEvery: 3 })
    const all: Sent[] = []
    const acknowledged = new Set<number>()
    for (let life = 0; life < 3; life++) {
      const engine = await world.open()
      assert.equal(engine.counters.replayLost, 0, `seed ${seed}`)
      const [cursor] = engine.cursor('web-1')
      for (const sequence of acknowledged)
        assert.ok(
          cursor?.sequences.some(([first, last]) => first <= sequence && sequence <= last),
          `seed ${seed}: batch ${sequence} was acknowledged and is gone`,
        )
      let group: number[] = []
      for (let i = 0; i < 10; i++) {
        const { header, bytes } = agent.batch()
        all.push({ agent, bytes, sequence: header.sequence })
        if (deliver(engine, all.at(-1)!, all)?.kind === 'stored') group.push(header.sequence)
        if (random.float() < 0.5) {
          engine.commit()
          for (const sequence of group) acknowledged.add(sequence)
          group = []
        }
        if (random.float() < 0.1) engine.checkpoint()
      }
      if (random.float() < 0.5) {
        world.disk.fault = (point) => (point === 'datasync' ? 'EIO' : null)
        const { header, bytes } = agent.batch()
        all.push({ agent, bytes, sequence: header.sequence })
        deliver(engine, all.at(-1)!, all)
        assert.throws(() => engine.commit(), FatalDiskError)
      }
      world.disk = world.disk.crash(() => random.float())
    }
    const engine = await world.open()
    for (const sent of all) assert.equal(deliver(engine, sent, all)?.kind, 'stored')
    engine.commit()
    assert.deepEqual(engine.cursor('web-1')[0]!.sequences, [[0, all.length - 1]])
    assert.deepEqual(stateOf(world, engine).head, (await oracle(world.agents, all)).head, `seed ${seed}`)
  }
})

test('a flipped bit anywhere in a batch is refused, counted, and the good batch after it is stored', async () => {
  const world = new World(3)
  const agent = world.agent('web-1')
  const engine = await world.open()
  const { bytes } = agent.batch(3)
  for (let at = 0; at < bytes.length; at++) {
    const bad = bytes.slice()
    bad[at]! ^= 1 << (at % 8)
    const { result } = engine.acceptBatch(agent.subject, bad)
    assert.ok(result === 'refused' || result === 'unanswered', `byte ${at}`)
  }
  const refused = Object.values(engine.status().refused).reduce((a, b) => a + b, 0)
  assert.equal(refused, bytes.length)
  assert.deepEqual(world.heads.last.dump(), [])
  assert.equal(engine.acceptBatch(agent.subject, bytes).result, 'stored')
})

const refusals: readonly [
  what: string,
  reason: string,
  answered: boolean,
  run: (bytes: Uint8Array, world: World) => readonly [subject: string, bytes: Uint8Array],
][] = [
  ['an unknown version', 'unknown_version', false, (bytes) => ['', bytes.with(2, 9)]],
  ['a byte too many', 'bad_length', false, (bytes) => ['', Uint8Array.of(...bytes, 0)]],
  ['a byte too few', 'bad_length', false, (bytes) => ['', bytes.slice(0, -1)]],
  ['nothing at all', 'bad_length', false, () => ['', new Uint8Array(0)]],
  ['a broken signature', 'bad_signature', true, (bytes) => ['', bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1)]],
  ["another agent's name", 'identity_mismatch', true, (bytes, world) => [subjectOf(world, 'web-2'), bytes]],
  ['a foreign subject', 'bad_subject', false, (bytes) => ['helio.v1.samples.1.main', bytes]],
  ['a wrong partition', 'bad_subject', false, (bytes) => ['helio.v1.samples.99.main.web-1', bytes]],
]

function subjectOf(world: World, name: string): string {
  return world.agent(name).subject
}

for (const [what, reason, answered, run] of refusals)
  test(`a batch with ${what} is refused as ${reason}, and the next good one is served`, async () => {
    const world = new World(4)
    const agent = world.agent('web-1')
    const good = agent.batch()
    const [subject, bad] = run(good.bytes, world)
    const engine = await world.open()
    const { ack } = engine.acceptBatch(subject || agent.subject, bad)
    assert.deepEqual(engine.status().refused, { [reason]: 1 })
    assert.deepEqual(ack, answered ? { kind: 'refused', epoch: NOW, sequence: 0, reason, hub: 'hub-1' } : null)
    assert.equal(world.log.lines.at(-1)?.fields['reason'], reason)
    assert.equal(engine.acceptBatch(agent.subject, good.bytes).result, 'stored')
  })

test('unknown and revoked agents get no answer, so that they keep their batches until they are approved', async () => {
  const world = new World(5)
  const agent = world.agent('web-1')
  const engine = await world.open()
  const { bytes } = agent.batch()
  for (const [known, reason] of [
    [[], 'unknown_agent'],
    [[{ ...agent.known, approved: false }], 'revoked_agent'],
  ] as const) {
    engine.setAgents(known)
    assert.deepEqual(engine.acceptBatch(agent.subject, bytes), { result: 'unanswered', ack: null })
    assert.equal(engine.status().refused[reason], 1)
  }
  engine.setAgents([agent.known])
  assert.equal(engine.acceptBatch(agent.subject, bytes).result, 'stored')
})

test('samples too far in the future refuse their batch', async () => {
  const world = new World(6)
  const agent = world.agent('web-1')
  const engine = await world.open()
  agent.scrape('t0', NOW + 601_000)
  const future = agent.encoder.seal()!
  assert.equal(engine.acceptBatch(agent.subject, future.bytes).result, 'refused')
  assert.deepEqual(engine.status().refused, { future: 1 })
  assert.deepEqual(world.heads.last.dump(), [])
})

test('a batch without its keyframe asks for it, and is stored after it', async () => {
  const world = new World(8)
  const agent = world.agent('web-1', { keyframeEvery: 100 })
  const engine = await world.open()
  const keyframe = agent.batch()
  const next = agent.batch()
  assert.deepEqual(engine.acceptBatch(agent.subject, next.bytes).ack, {
    kind: 'keyframe-wanted',
    epoch: NOW,
    base: 0,
    hub: 'hub-1',
  })
  engine.acceptBatch(agent.subject, keyframe.bytes)
  assert.equal(engine.acceptBatch(agent.subject, next.bytes).result, 'stored')
  assert.equal(engine.counters.keyframesWanted, 1)
})

test('a stored keyframe that was forgotten is read again when it is sent again, also by replay', async () => {
  const world = new World(9)
  const agent = world.agent('web-1', { keyframeEvery: 2 })
  let engine = await world.open()
  const batches = Array.from({ length: 4 * MAX_KEYFRAMES }, () => agent.batch())
  const late = batches.find(({ header }) => header.base !== header.sequence)!
  for (const batch of batches) if (batch !== late) engine.acceptBatch(agent.subject, batch.bytes)
  assert.equal(engine.acceptBatch(agent.subject, late.bytes).result, 'wanted')
  assert.equal(engine.acceptBatch(agent.subject, batches[late.header.base]!.bytes).result, 'duplicate')
  assert.equal(engine.acceptBatch(agent.subject, late.bytes).result, 'stored')
  const before = stateOf(world, engine)
  engine.close()
  engine = await world.open()
  assert.deepEqual(stateOf(world, engine), before)
  assert.equal(engine.counters.replayLost, 0)
})

test('identity labels are set by the hub; a label of that name is kept as exported_, and counted', async () => {
  const world = new World(10)
  const agent = world.agent('web-1')
  const engine = await world.open()
  const id = agent.encoder.define(labelsFrom({ __name__: 'up', agent: 'somebody-else' }), null)
  agent.encoder.add({
    target: 't',
    slotMs: NOW,
    intervalMs: INTERVAL,
    timestampMs: NOW,
    ids: Uint32Array.of(id),
    values: Float64Array.of(1),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  })
  engine.acceptBatch(agent.subject, agent.encoder.seal()!.bytes)
  assert.deepEqual(
    world.heads.last.dump().map(([labels]) => labels),
    ['__name__,up,agent,web-1,exported_agent,somebody-else'],
  )
  assert.equal(engine.counters.identityClashes, 1)
})

test('a change of identity labels applies to later batches, and replay keeps the earlier ones as they were', async () => {
  const world = new World(11)
  const agent = world.agent('web-1', { keyframeEvery: 100 })
  let engine = await world.open()
  const all: Sent[] = Array.from({ length: 4 }, (_, sequence) => ({ agent, bytes: agent.batch().bytes, sequence }))
  deliver(engine, all[0]!, all)
  deliver(engine, all[1]!, all)
  engine.setAgents([{ ...agent.known, identity: labelsFrom({ agent: 'web-1', site: 'lab' }) }])
  deliver(engine, all[2]!, all)
  deliver(engine, all[3]!, all)
  const before = stateOf(world, engine)
  assert.ok(before.head.some(([labels]) => labels.includes('site,lab')))
  assert.ok(before.head.some(([labels]) => !labels.includes('site,lab')))
  engine.close()
  engine = await world.open()
  assert.deepEqual(stateOf(world, engine).head, before.head)
})

test('series beyond the limits are dropped and counted; the others of the batch are stored', async () => {
  for (const cap of ['agent', 'total'] as const) {
    const world = new World(12)
    if (cap === 'agent') world.options = { limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 3 } }
    else world.heads.maxSeries = 3
    const agent = world.agent('web-1')
    let engine = await world.open()
    for (let i = 0; i < 5; i++) engine.acceptBatch(agent.subject, agent.batch(3).bytes)
    assert.equal(world.heads.last.refs.size, 3)
    assert.ok(engine.counters.samplesOverSeriesLimit > 0)
    assert.equal(engine.counters.batchesStored, 5)
    const before = stateOf(world, engine)
    engine.close()
    engine = await world.open()
    assert.deepEqual(stateOf(world, engine).head, before.head)
  }
})

test('a broken hash chain is counted, marked and logged, whichever neighbour comes last', async () => {
  const world = new World(13)
  const honest = world.agent('web-1', { keyframeEvery: 1 })
  const engine = await world.open()
  const { bytes } = honest.batch()
  const first = honest.batch()
  const second = honest.batch()
  engine.acceptBatch(honest.subject, bytes)
  engine.acceptBatch(honest.subject, second.bytes)
  // Another history under the same key: its batch 1 does not follow from the batch 0 that is stored.
  const world2 = new World(13)
  const forked = world2.agent('web-1', { keyframeEvery: 1 })
  forked.batch()
  forked.scrape()
  const spliced = forked.batch()
  assert.notDeepEqual(spliced.bytes, first.bytes)
  assert.equal(engine.acceptBatch(honest.subject, spliced.bytes).result, 'stored')
  assert.ok(engine.counters.chainBreaks > 0)
  assert.deepEqual(
    engine.agents()[0]?.chainBreaks.map((each) => each.sequence),
    [1, 2],
  )
})

test('a full disk stops acknowledgements before anything fails, and they resume by themselves', async () => {
  const world = new World(14)
  world.options = { reserveBytes: 40_000 }
  world.disk.capacityBytes = 55_000
  const agent = world.agent('web-1')
  const engine = await world.open()
  const kept: Uint8Array[] = []
  let stored = 0
  for (let i = 0; i < 300 && !engine.isFull; i++) {
    const { bytes } = agent.batch(5)
    kept.push(bytes)
    if (engine.acceptBatch(agent.subject, bytes.slice()).result === 'stored') stored++
    assert.equal(engine.commit(), true)
  }
  assert.ok(engine.isFull && stored > 0)
  const { bytes } = agent.batch()
  assert.deepEqual(engine.acceptBatch(agent.subject, bytes.slice()), { result: 'no-room', ack: null })
  assert.equal(engine.acceptRemoteWrite(new Uint8Array(0)).status, 503)
  world.disk.capacityBytes = 10_000_000
  world.clock.advance(1000)
  await new Promise((resolve) => void setImmediate(resolve))
  assert.equal(engine.isFull, false)
  assert.equal(engine.acceptBatch(agent.subject, bytes.slice()).result, 'stored')
  assert.equal(engine.commit(), true)
})

test('a disk that fills up in spite of the reserve keeps the group pending until there is room', async () => {
  const world = new World(15)
  const agent = world.agent('web-1')
  let engine = await world.open()
  engine.acceptBatch(agent.subject, agent.batch().bytes)
  engine.commit()
  world.disk.capacityBytes = world.disk.usedBytes() + 50
  engine.acceptBatch(agent.subject, agent.batch().bytes)
  assert.equal(engine.commit(), false)
  assert.equal(engine.isFull, true)
  world.disk.capacityBytes = 10_000_000
  assert.equal(engine.commit(), true)
  const before = stateOf(world, engine)
  engine.close()
  engine = await world.open()
  assert.deepEqual(stateOf(world, engine), before)
})

test('a damaged record costs its own batch only, keyframes included', async () => {
  const world = new World(16)
  const agent = world.agent('web-1', { keyframeEvery: 3 })
  let engine = await world.open()
  for (let i = 0; i < 9; i++) {
    engine.acceptBatch(agent.subject, agent.batch().bytes)
    engine.commit()
  }
  engine.close()
  const pristine = world.disk
  const size = pristine.stat('/data/wal/00000000.wal')!.sizeBytes
  for (let at = 4096; at < size; at += 61) {
    world.disk = pristine.kill()
    world.disk.rot('/data/wal/00000000.wal', (bytes) => bytes.with(at, bytes[at]! ^ 4))
    engine = await world.open()
    const [cursor] = engine.cursor('web-1')
    const stored = cursor!.sequences.reduce((n, [first, last]) => n + last - first + 1, 0)
    assert.ok(stored >= 8, `byte ${at}: ${stored} of 9 batches`)
    assert.equal(engine.counters.replayLost, 0)
  }
})

test('remote write answers as Prometheus does, accepts any timestamp, and survives a restart', async () => {
  const world = new World(17)
  let engine = await world.open()
  const write = (...series: [labels: Record<string, string>, ...samples: [timestampMs: number, value: number][]][]) => {
    const { status, message } = engine.acceptRemoteWrite(snappyCompress(writeRequest(series)))
    return { status, message }
  }
  const ok = { status: 204, message: '' }
  assert.deepEqual(write([{ __name__: 'a' }, [NOW, 1], [NOW + 1, 2]], [{ __name__: 'b', job: 'x' }, [5, -0]]), ok)
  assert.deepEqual(write([{ __name__: 'a' }, [NOW - 86_400_000, 3]]), ok, 'older than the newest')
  assert.deepEqual(write([{ __name__: 'a' }, [NOW, 1]]), ok, 'the same sample again')
  const twice = `duplicate sample for timestamp ${NOW}; overrides not allowed: existing 1, new value 7`
  assert.deepEqual(write([{ __name__: 'a' }, [NOW, 7]]), { status: 400, message: twice })
  assert.deepEqual(write([{ job: 'nameless' }, [NOW, 1]], [{ __name__: 'c' }, [NOW, 4]]), ok, 'the others are stored')
  assert.equal(engine.counters.remoteWriteInvalidLabels, 1)
  for (const body of [
    new Uint8Array(0),
    Uint8Array.of(255, 255, 255, 255, 255),
    snappyCompress(Uint8Array.of(10, 200)),
  ])
    assert.equal(engine.acceptRemoteWrite(body).status, 400)
  const before = world.heads.last.dump()
  assert.deepEqual(
    before.map(([labels, samples]) => [labels, samples.length]),
    [
      ['__name__,a', 3],
      ['__name__,b,job,x', 1],
      ['__name__,c', 1],
    ],
  )
  engine.commit()
  engine.close()
  engine = await world.open()
  assert.deepEqual(world.heads.last.dump(), before)
  assert.equal(engine.counters.replayLost, 0)
})

/** prometheus.WriteRequest by hand: field 1 series, of field 1 labels and field 2 samples. */
function writeRequest(series: readonly [Record<string, string>, ...(readonly [number, number])[]][]): Uint8Array {
  const field = (number: number, bytes: readonly number[]): number[] => [
    (number << 3) | 2,
    ...varint(bytes.length),
    ...bytes,
  ]
  const text = (value: string): number[] => [...new TextEncoder().encode(value)]
  return Uint8Array.from(
    series.flatMap(([labels, ...samples]) =>
      field(1, [
        ...Object.entries(labels).flatMap(([name, value]) =>
          field(1, [...field(1, text(name)), ...field(2, text(value))]),
        ),
        ...samples.flatMap(([timestampMs, value]) =>
          field(2, [9, ...new Uint8Array(Float64Array.of(value).buffer), 16, ...varint(timestampMs)]),
        ),
      ]),
    ),
  )
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

test('series that retention removed are defined anew when they come back, also by replay', async () => {
  const world = new World(18)
  const agent = world.agent('web-1', { keyframeEvery: 100 })
  let engine = await world.open()
  const all: Sent[] = []
  const send = (): void => {
    const { header, bytes } = agent.batch()
    all.push({ agent, bytes, sequence: header.sequence })
    const { ack } = engine.acceptBatch(agent.subject, bytes.slice())
    if (ack?.kind !== 'keyframe-wanted') return
    assert.equal(engine.acceptBatch(agent.subject, all[ack.base]!.bytes.slice()).result, 'duplicate')
    assert.equal(engine.acceptBatch(agent.subject, bytes.slice()).result, 'stored')
  }
  for (let i = 0; i < 5; i++) send()
  assert.deepEqual(engine.trim(2 * NOW), [])
  assert.deepEqual(world.heads.last.dump(), [])
  for (let i = 0; i < 2; i++) send()
  assert.equal(engine.counters.keyframesWanted, 1)
  const before = world.heads.last.dump()
  assert.ok(before.length > 0)
  engine.close()
  engine = await world.open()
  assert.equal(engine.counters.replayLost, 0)
  engine.trim(NOW - 3_600_000 + 5 * INTERVAL)
  assert.deepEqual(world.heads.last.dump(), before)
})

test('a damaged record costs no other one, though its use of a keyframe is forgotten with it', async () => {
  const world = new World(13)
  world.options = { segmentBytes: 1 << 20 }
  const agent = world.agent('web-1', { keyframeEvery: 8 })
  const sealed = Array.from({ length: 32 }, () => agent.batch())
  const [a, b, c, d] = sealed
    .filter(({ header }) => header.base === header.sequence)
    .map(({ header }) => header.sequence)
  assert.ok(a === 0 && b! > 3)
  const batches = sealed.map(({ bytes }) => bytes)
  const path = '/data/wal/00000000.wal'
  const engine = await world.open()
  const ends = new Map<number, number>()
  // Before batch 3 the log has uses of two other keyframes, of keyframe 0 by batch 2, and of a third one.
  for (const sequence of [0, 1, b!, c!, 2, d!, 3]) {
    assert.equal(engine.acceptBatch(agent.subject, batches[sequence]!).ack?.kind, 'stored')
    engine.commit()
    ends.set(sequence, world.disk.stat(path)!.sizeBytes)
  }
  engine.close()
  world.disk.rot(path, (bytes) => {
    bytes[ends.get(2)! - 20]! ^= 1
    return bytes
  })
  const again = await world.open()
  assert.equal(again.replayReport.damages.length, 1)
  assert.equal(again.counters.replayLost, 0)
  const stored = again.cursor('web-1')[0]!.sequences
  assert.deepEqual(stored, [[0, 1], [3, 3], ...[b!, c!, d!].map((sequence) => [sequence, sequence])])
})

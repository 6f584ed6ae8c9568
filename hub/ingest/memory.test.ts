/** A head that is short of memory: what is acknowledged is in it as a whole, whatever free memory looks like. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SealedBatch } from '../../protocol/batch/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { createHead, createSampleBuffer, type HeadOptions, headRestorer, openReader } from '../tsdb/mod.ts'
import type { FromIngest, ToIngest } from './messages.ts'
import type { IngestEngine } from './mod.ts'
import { MemoryPressure } from './pressure.ts'
import { NOW, type SimulatedAgent, World } from './testing/world.ts'
import { runIngestWorker } from './worker.ts'

const ALL = { minTime: -8e15, maxTime: 8e15 }
const MIB = 2 ** 20

function worldWith(head: HeadOptions): World {
  const world = new World(7)
  withHead(world, head)
  return world
}

function withHead(world: World, head: HeadOptions): void {
  world.options = {
    ...world.options,
    limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 1e6 },
    heads: { create: () => createHead(head), restore: () => headRestorer(head) },
  }
}

/** A batch with one scrape of so many series, whose one label is as long as it is told. */
function batchOf(agent: SimulatedAgent, name: string, count: number, length: number, timeMs: number): SealedBatch {
  const ids = Uint32Array.from({ length: count }, (_, i) =>
    agent.encoder.define(labelsFrom({ __name__: name, i: `${name}${i}-`.padEnd(length, 'x') }), null),
  )
  agent.encoder.add({
    target: name,
    slotMs: timeMs,
    intervalMs: 15_000,
    timestampMs: timeMs,
    ids,
    values: Float64Array.from(ids, (_, i) => i),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  })
  return agent.encoder.seal()!
}

function stored(engine: IngestEngine, name: string): number {
  const reader = openReader(engine.share())
  const out = createSampleBuffer()
  let count = 0
  for (const ref of reader.select([{ name: '__name__', op: '=', value: name }], ALL)) {
    reader.read(ref, ALL, out)
    count += out.count
  }
  reader.release()
  return count
}

test('a batch for which there is no room is not acknowledged, and is stored whole once there is', async () => {
  const world = worldWith({ maxBytes: 5 * MIB })
  const agent = world.agent('web-1')
  const before = world.agent('web-0')
  const engine = await world.open()
  const old = batchOf(before, 'old', 420, 9000, NOW - 60_000)
  const large = batchOf(agent, 'new', 220, 9000, NOW)
  assert.equal(engine.acceptBatch(before.subject, old.bytes).result, 'stored')
  engine.commit()
  assert.ok(!engine.status().isMemoryFull)
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(engine.acceptBatch(agent.subject, large.bytes), { result: 'no-room', ack: null })
    engine.commit()
  }
  assert.deepEqual(
    engine.cursor('web-1').flatMap(({ sequences }) => sequences),
    [],
  )
  assert.ok(engine.isMemoryHigh, 'blocks are to be cut')
  engine.closeBefore(NOW - 1)
  engine.commit()
  engine.evict()
  assert.ok(!engine.isMemoryHigh)
  engine.evict()
  assert.equal(engine.acceptBatch(agent.subject, large.bytes).result, 'stored')
  engine.commit()
  assert.equal(stored(engine, 'new'), 220)
  engine.close()
  world.disk = world.disk.crash(() => 0.5)
  const again = await world.open()
  assert.equal(stored(again, 'new'), 220)
  again.close()
})

test('free memory in pieces that are too small costs no sample of what is acknowledged', async () => {
  const world = worldWith({ maxBytes: 2 * MIB, maxExemplars: 0 })
  const agent = world.agent('web-1')
  const engine = await world.open()
  const results: string[] = []
  let time = NOW - 600_000
  for (let n = 0; n < 12; n++) {
    const small = batchOf(agent, `small${n}`, 1200, 10, time)
    const large = batchOf(agent, `large${n}`, 30, 9000, time)
    for (const [name, batch, count] of [
      [`small${n}`, small, 1200],
      [`large${n}`, large, 30],
    ] as const) {
      const before = engine.status().isMemoryFull
      const { result } = engine.acceptBatch(agent.subject, batch.bytes)
      engine.commit()
      if (result === 'stored') assert.equal(stored(engine, name), count, `${name} is acknowledged`)
      else if (result === 'no-room' && !before) results.push(name)
    }
    time += 10_000
    engine.closeBefore(time - 1)
    engine.commit()
    engine.evict()
    engine.evict()
  }
  assert.ok(results.length > 0, 'some found no room where there seemed to be enough')
  engine.close()
})

test('the log is replayed whole under a lower cap, and nothing more is accepted until blocks were cut', async () => {
  const world = worldWith({ maxBytes: 64 * MIB })
  const all = Array.from({ length: 8000 }, (_, i) => ({
    labels: labelsFrom({ __name__: 'm', i: String(i) }),
    timestamps: [NOW],
    values: Float64Array.of(i),
  }))
  const body = () => snappyCompress(encodeWriteRequest(all))
  const agent = world.agent('web-1')
  for (const withCheckpoint of [false, true]) {
    withHead(world, { maxBytes: 64 * MIB })
    const engine = await world.open()
    assert.equal(engine.acceptRemoteWrite(body()).status, 204)
    engine.acceptBatch(agent.subject, batchOf(agent, `b${withCheckpoint}`, 3000, 10, NOW).bytes)
    engine.commit()
    if (withCheckpoint) engine.checkpoint()
    engine.close()
    withHead(world, { maxBytes: 2 * MIB })
    const small = await world.open()
    assert.equal(stored(small, 'm'), 8000)
    assert.equal(stored(small, `b${withCheckpoint}`), 3000)
    assert.ok(small.isMemoryHigh && small.status().isMemoryFull)
    assert.equal(small.acceptRemoteWrite(body()).status, 503)
    small.close()
  }
})

test("the hub's own scrapes define their series anew after some found no room", async () => {
  const engine = await worldWith({ maxBytes: MIB }).open()
  const ids = Uint32Array.from({ length: 6000 }, (_, i) => i)
  const definitions = [...ids].map((id) => ({
    id,
    labels: labelsFrom({ __name__: 'm', i: String(id) }),
    metadata: null,
  }))
  const scrape = {
    target: 't',
    slotMs: NOW,
    intervalMs: 15_000,
    timestampMs: NOW,
    ids,
    values: new Float64Array(ids.length),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  }
  assert.equal(engine.acceptLocal({ source: 'hub', epoch: 1, definitions, scrape, missed: [] }), false)
  engine.commit()
  assert.deepEqual(engine.evict(), ['hub'])
  // Those that were made, but had no room for a sample, go at the second time.
  assert.deepEqual(engine.evict(), ['hub'])
  assert.deepEqual(engine.evict(), [])
  engine.close()
})

test('that memory runs short is told once, until it has been relieved', async () => {
  const world = worldWith({ maxBytes: 5 * MIB })
  const agent = world.agent('web-1')
  const posted: FromIngest[] = []
  let ask: (message: ToIngest) => void = () => {}
  const ended = runIngestWorker(
    { post: (message) => void posted.push(message), onMessage: (fn) => (ask = fn) },
    { ...world.engineOptions(), groupCommitMs: 1 },
  )
  while (posted.length === 0) await new Promise((resolve) => setImmediate(resolve))
  ask({ kind: 'agents', agents: world.agents })
  const told = () => posted.filter(({ kind }) => kind === 'memory-high').length
  let id = 1
  for (let relief = 0; relief < 2; relief++) {
    for (let n = 0; n < 6; n++) {
      const { bytes } = batchOf(agent, `m${relief}-${n}`, 80, 9000, NOW - 60_000 + 10 * relief)
      ask({ kind: 'batch', id: id++, subject: agent.subject, bytes })
    }
    assert.equal(told(), relief + 1)
    ask({ kind: 'close-before', id: id++, maxTimeMs: NOW })
    ask({ kind: 'evict', id: id++ })
    ask({ kind: 'evict', id: id++ })
  }
  ask({ kind: 'close', id })
  await ended
})

const marks: readonly [usedAfterRelief: number | null, used: number, failures: number, isHigh: boolean][] = [
  [null, 74, 0, false],
  [null, 75, 0, true],
  [null, 10, 1, true],
  [60, 74, 0, false],
  [60, 80, 0, true],
  [80, 89, 0, false],
  [80, 90, 0, true],
  [98, 98, 0, false],
  [101, 101, 0, true],
  // As where readers held what was evicted until after the relief.
  [120, 105, 0, true],
]
for (const [relieved, used, failures, isHigh] of marks)
  test(`${used} of 100 in use after a relief to ${relieved}, ${failures} failures: ${isHigh ? '' : 'not '}high`, () => {
    const head = { memory: { usedBytes: relieved ?? 0, limitBytes: 100, failures: 0 } }
    const pressure = new MemoryPressure(head)
    if (relieved !== null) pressure.relieved()
    head.memory = { usedBytes: used, limitBytes: 100, failures }
    assert.equal(pressure.isHigh, isHigh)
  })

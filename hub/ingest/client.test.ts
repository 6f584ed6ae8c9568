import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../agent/env/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { setStaleAt } from '../../protocol/samples/mod.ts'
import { DirectoryLockedError, FatalDiskError } from '../wal/mod.ts'
import { createIngest, type Ingest } from './mod.ts'
import { inProcessPool } from './testing/pool.ts'
import { INTERVAL, NOW, World } from './testing/world.ts'

async function start(world: World, groupCommitMs = 1): Promise<Ingest> {
  const pool = inProcessPool(() => ({ ...world.engineOptions(), clock: systemClock, groupCommitMs }))
  const env = { ...world.engineOptions(), pool, clock: systemClock } as unknown as Env
  const ingest = await createIngest(env, { directory: '/data', hub: 'hub-1', logLevel: 'info', logFormat: 'logfmt' })
  ingest.setAgents(world.agents)
  return ingest
}

const kindOf = (answer: Awaited<ReturnType<Ingest['submitBatch']>>) =>
  answer === null || answer === 'silent' ? answer : answer.kind

const scrapeOf = (ids: number[], values: Float64Array, slotMs = NOW) => ({
  target: 'job/instance',
  slotMs,
  intervalMs: INTERVAL,
  timestampMs: slotMs,
  ids: Uint32Array.from(ids),
  values,
  timestamps: null,
  startTimestamps: null,
  histograms: null,
  exemplars: null,
})

test('many batches share a commit, and each gets its own acknowledgement once it is durable', async () => {
  const world = new World(1)
  const agent = world.agent('web-1')
  const ingest = await start(world)
  const batches = Array.from({ length: 20 }, () => agent.batch())
  const acks = await Promise.all(batches.map(({ bytes }) => ingest.submitBatch(agent.subject, bytes)))
  assert.deepEqual(
    acks,
    batches.map(({ header }) => ({
      kind: 'stored',
      epoch: NOW,
      sequences: [[header.sequence, header.sequence]],
      hub: 'hub-1',
    })),
  )
  assert.deepEqual(await ingest.cursor('web-1'), [{ epoch: NOW, sequences: [[0, 19]] }])
  const status = await ingest.status()
  assert.ok(status.wal.commits < 10, `${status.wal.commits} commits`)
  assert.equal(status.counters.batchesStored, 20)
  assert.equal(status.agents[0]?.watermarkMs, NOW - 3_600_000 + 19 * INTERVAL)
  // What was acknowledged needs no clean end.
  world.disk = world.disk.crash(() => 0)
  const again = await start(world)
  assert.deepEqual(await again.cursor('web-1'), [{ epoch: NOW, sequences: [[0, 19]] }])
  await again.close()
})

test('a batch that no answer would help is told from one that finds no room', async () => {
  const world = new World(1)
  const agent = world.agent('web-1')
  const ingest = await start(world)
  assert.equal(await ingest.submitBatch(agent.subject, new Uint8Array(100)), 'silent')
  ingest.setAgents([])
  assert.equal(await ingest.submitBatch(agent.subject, agent.batch().bytes), 'silent')
  await ingest.close()
})

test('a cursor tells only what is durable: an agent forgets what it names', async () => {
  const world = new World(1)
  const agent = world.agent('web-1')
  const ingest = await start(world, 50)
  const stored = ingest.submitBatch(agent.subject, agent.batch().bytes)
  const told = await ingest.cursor('web-1')
  assert.deepEqual(told, [{ epoch: NOW, sequences: [[0, 0]] }])
  world.disk = world.disk.crash(() => 0)
  const again = await start(world)
  assert.deepEqual(await again.cursor('web-1'), told)
  await again.close()
  await stored
  await ingest.close()
})

test('an embedded agent records through localSink(): no identity labels, stale bits kept, gaps in the ledger', async () => {
  const world = new World(2)
  let ingest = await start(world)
  const sink = ingest.localSink('embedded')
  const up = sink.define(labelsFrom({ __name__: 'up', job: 'node' }), { type: 'gauge', help: 'h', unit: '' })
  assert.equal(sink.define(labelsFrom({ __name__: 'up', job: 'node' }), null), up)
  sink.append(scrapeOf([up], Float64Array.of(1)))
  const gone = sink.define(labelsFrom({ __name__: 'gone', job: 'node' }), null)
  const values = new Float64Array(2)
  setStaleAt(new Uint32Array(values.buffer), 1)
  sink.append(scrapeOf([up, gone], values, NOW + 3 * INTERVAL))
  sink.missed({
    target: 'job/instance',
    fromMs: NOW + INTERVAL,
    toMs: NOW + INTERVAL,
    intervalMs: INTERVAL,
    reason: 'overrun',
  })
  const expected = [
    ['__name__,gone,job,node', [[NOW + 3 * INTERVAL, '7ff00000:2@0']]],
    [
      '__name__,up,job,node',
      [
        [NOW, '3ff00000:0@0'],
        [NOW + 3 * INTERVAL, '0:0@0'],
      ],
    ],
  ]
  for (const checkpoint of [true, false]) {
    const gaps = await ingest.ledger('embedded', 0, 2 * NOW)
    assert.deepEqual(
      gaps.map((gap) => [gap.fromMs - NOW, gap.reason]),
      [
        [INTERVAL, 'overrun'],
        [2 * INTERVAL, 'unknown'],
      ],
    )
    assert.deepEqual(world.heads.last.dump(), expected)
    const { agents } = await ingest.status()
    assert.deepEqual(
      agents.map(({ agent, isLocal, samples }) => [agent, isLocal, samples]),
      [['embedded', true, 3]],
    )
    assert.equal(world.heads.last.families.get('up')?.help, 'h')
    if (checkpoint) await ingest.checkpoint()
    await ingest.close()
    ingest = await start(world)
  }
  await ingest.close()
})

test('rule results and submitted scrapes are stored and survive', async () => {
  const world = new World(3)
  const ingest = await start(world)
  const labels = [labelsFrom({ __name__: 'job:up:sum', job: 'a' }), labelsFrom({ __name__: 'job:up:sum', job: 'b' })]
  const values = Float64Array.of(-0, 0)
  setStaleAt(new Uint32Array(values.buffer), 1)
  assert.equal(await ingest.appendRuleResults({ timestampMs: NOW, labels, values, histograms: null }), true)
  const definitions = [{ id: 0, labels: labelsFrom({ __name__: 'x' }), metadata: null }]
  const source = { name: 'push', epoch: 1 }
  assert.equal(await ingest.submitScrape(source, definitions, scrapeOf([0], Float64Array.of(5))), true)
  await ingest.close()
  const again = await start(world)
  assert.deepEqual(world.heads.last.dump(), [
    ['__name__,job:up:sum,job,a', [[NOW, '80000000:0@0']]],
    ['__name__,job:up:sum,job,b', [[NOW, '7ff00000:2@0']]],
    ['__name__,x', [[NOW, '40140000:0@0']]],
  ])
  await again.close()
})

test('more pages of the head are announced', async () => {
  const world = new World(4)
  const agent = world.agent('web-1')
  const ingest = await start(world)
  const shares: number[] = []
  ingest.onShare((share) => void shares.push(share.pages.length))
  world.heads.last.pages = 3
  await ingest.submitBatch(agent.subject, agent.batch().bytes)
  assert.deepEqual(shares, [3])
  assert.equal(ingest.share().pages.length, 3)
  await ingest.close()
})

test('a failed sync ends ingest: nothing more is acknowledged, and the owner is told', async () => {
  const world = new World(5)
  const agent = world.agent('web-1')
  const ingest = await start(world)
  await ingest.submitBatch(agent.subject, agent.batch().bytes)
  const fatal = new Promise<Error>((resolve) => void ingest.onFatal(resolve))
  world.disk.fault = (point) => (point === 'datasync' ? 'EIO' : null)
  await assert.rejects(ingest.submitBatch(agent.subject, agent.batch().bytes), FatalDiskError)
  assert.ok((await fatal) instanceof FatalDiskError)
  world.disk.fault = () => null
  await assert.rejects(ingest.submitBatch(agent.subject, agent.batch().bytes), FatalDiskError)
})

test('a locked data directory is an error of createIngest()', async () => {
  const world = new World(6)
  const first = await start(world)
  await assert.rejects(start(world), DirectoryLockedError)
  await first.close()
  await (await start(world)).close()
})

test('beyond the bytes in flight batches get no answer and writes 429, until there is room', async () => {
  const world = new World(7)
  const agent = world.agent('web-1')
  const ingest = await start(world)
  assert.equal(ingest.whenRoom(), undefined)
  const big = ingest.submitBatch(agent.subject, new Uint8Array(65 << 20))
  const room = ingest.whenRoom()
  assert.ok(room)
  assert.equal(await ingest.submitBatch(agent.subject, agent.batch().bytes), null)
  assert.equal((await ingest.remoteWrite(new Uint8Array(1))).status, 429)
  assert.equal(await big, 'silent')
  await room
  assert.equal(kindOf(await ingest.submitBatch(agent.subject, agent.batch().bytes)), 'keyframe-wanted')
  assert.equal((await ingest.status()).overloaded, 2)
  await ingest.close()
})

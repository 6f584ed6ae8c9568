/**
 * Agents' batches in any order, sent more than once, while blocks are cut, merged and the hub starts anew: what head and
 * blocks have together is what one head would have that got them in order.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { BlockStore, mergeReaders, openBlock, planCuts } from '../block/mod.ts'
import { contents, sorted } from '../block/testing/samples.ts'
import type { IngestEngine } from '../ingest/mod.ts'
import { NOW, type SimulatedAgent, World } from '../ingest/testing/world.ts'
import { createHead, headRestorer, openReader } from '../tsdb/mod.ts'
import { memoryLogger, seededRandom } from '../wal/testing/mod.ts'

const BLOCK_MS = 120_000
const SEEDS = process.env['HELIO_LONG'] ? 60 : 4

const heads = { create: () => createHead(), restore: () => headRestorer({}) }

function worldOf(seed: number): World {
  const world = new World(seed)
  world.options = { heads, limits: { maxFutureMs: Number.POSITIVE_INFINITY, maxSeriesPerAgent: 1000 } }
  return world
}

type Sent = { readonly agent: SimulatedAgent; readonly sequence: number; readonly bytes: Uint8Array }

/** As an agent delivers: when its keyframe is wanted, that goes first. */
function deliver(engine: IngestEngine, sent: Sent, all: readonly Sent[]): string {
  const { result, ack } = engine.acceptBatch(sent.agent.subject, sent.bytes.slice())
  if (ack?.kind !== 'keyframe-wanted') return result
  const keyframe = all.find(({ agent, sequence }) => agent === sent.agent && sequence === ack.base)!
  engine.acceptBatch(keyframe.agent.subject, keyframe.bytes.slice())
  return engine.acceptBatch(sent.agent.subject, sent.bytes.slice()).result
}

/** As hub/process/blocks.ts does, without its threads. @param merge false leaves what overlaps as it is */
class Blocks {
  readonly store: BlockStore
  readonly #world: World

  constructor(world: World) {
    this.#world = world
    this.store = BlockStore.open({ ...this.#env, log: memoryLogger(), directory: '/data/blocks' })
  }

  get #env() {
    return { disk: this.#world.disk, compressor: runtimeZstd }
  }

  round(engine: IngestEngine, until: number): void {
    const closed = engine.closeBefore(until)
    assert.ok(engine.commit())
    const reader = openReader(engine.share())
    for (const range of planCuts(reader.timeRange(), closed + 1, 0, BLOCK_MS)) this.store.cut(reader, range)
    reader.release()
    engine.evict()
  }

  all(engine: IngestEngine): [string, string[]][] {
    const blocks = this.store.share().paths.map((path) => openBlock(this.#env, path))
    const reader = openReader(engine.share())
    const found = sorted(contents(mergeReaders([reader, ...blocks])))
    reader.release()
    for (const block of blocks) block.close()
    return found
  }
}

for (let seed = 1; seed <= SEEDS; seed++)
  test(`late and repeated batches lie in blocks once, seed ${seed}`, async () => {
    const random = seededRandom(seed)
    const world = worldOf(seed)
    const agents = [world.agent('web-1'), world.agent('web-2')]
    const sent = agents.flatMap((agent) =>
      Array.from({ length: 40 }, (): Sent => {
        const { header, bytes } = agent.batch(4)
        return { agent, sequence: header.sequence, bytes }
      }),
    )
    const oracle = worldOf(99)
    oracle.agents.push(...world.agents)
    const inOrder = await oracle.open()
    for (const each of sent) assert.equal(deliver(inOrder, each, sent), 'stored')
    assert.ok(inOrder.commit())
    const expected = sorted(contents(openReader(inOrder.share())))
    inOrder.close()

    let engine = await world.open()
    let blocks = new Blocks(world)
    const queue = sent.map((each) => ({ ...each, key: random.float() })).sort((a, b) => a.key - b.key)
    const repeated = queue.filter(() => random.float() < 0.3)
    for (const each of [...queue, ...repeated]) {
      assert.match(deliver(engine, each, sent), /^(?:stored|duplicate)$/)
      const fate = random.float()
      if (fate < 0.08) blocks.round(engine, NOW - 3_600_000 + BLOCK_MS * Math.ceil(random.float() * 40))
      else if (fate < 0.12) blocks.store.compact(0, BLOCK_MS)
      else if (fate < 0.15) {
        assert.ok(engine.commit())
        if (random.float() < 0.5) engine.checkpoint()
        engine.close()
        engine = await world.open()
        blocks = new Blocks(world)
      }
    }
    assert.ok(engine.commit())
    assert.deepEqual(blocks.all(engine), expected)
    blocks.round(engine, NOW + BLOCK_MS)
    assert.deepEqual(blocks.all(engine), expected)
    while (blocks.store.compact(0, BLOCK_MS)) assert.deepEqual(blocks.all(engine), expected)
    const samples = expected.reduce((sum, [, lines]) => sum + lines.length, 0)
    assert.equal(
      blocks.store.list().reduce((sum, { stats }) => sum + stats.samples, 0),
      samples,
    )
    engine.close()
  })

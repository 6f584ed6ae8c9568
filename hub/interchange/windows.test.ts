/** Downsampled windows are verified and repaired as samples are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { BlockStore, openBlock, retentionFloors } from '../block/mod.ts'
import { ALL, bitsOf, fillHead, memoryEnv } from '../block/testing/samples.ts'
import { ALL_AGGREGATES, createAggregateBuffer, openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { openOwnBlocks } from './own-blocks.ts'
import { repairBlock } from './repair.ts'
import { verifyBlock } from './verify.ts'

const H = 3_600_000

const rows: readonly [what: string, samplesMs: number, windowsLost: number, effect: string][] = [
  ['made anew from the samples', 0, 0, 'is nothing'],
  ['told of as lost where the samples are gone', H, 6, 'are downsampled windows'],
]
for (const [what, samplesMs, windowsLost, effect] of rows)
  test(`a damaged run of windows is found, and ${what}`, () => {
    const env = memoryEnv()
    const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
    const floors = retentionFloors({ rules: [], timeMs: 0, downsampling: [{ resolutionMs: H, keepMs: 100 * H }] }, 0)
    const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
    const samples = Array.from({ length: 600 }, (_, i) => ({
      time: 60_000 * i,
      bits: bitsOf(i % 7),
      start: 0,
      kind: 0,
    }))
    const head = openReader(fillHead([{ labels: labelsFrom({ __name__: 'x' }), samples }]).share())
    for (let minTime = 0; minTime < 10 * H; minTime += 5 * H)
      store.cut(head, { minTime, maxTime: minTime + 5 * H }, inForce)
    // Far later, so that nothing can come to be merged with them any more.
    store.cut(
      openReader(
        fillHead([{ labels: labelsFrom({ __name__: 'x' }), samples: [{ ...samples[0]!, time: 90 * H }] }]).share(),
      ),
      { minTime: 90 * H, maxTime: 92 * H },
      inForce,
    )
    while (store.downsample(inForce, 2 * H));
    const gone = retentionFloors(
      { rules: [], timeMs: samplesMs, downsampling: [{ resolutionMs: H, keepMs: 1000 * H }] },
      95 * H,
    )
    if (samplesMs > 0) while (store.expire({ hidden: { tombstones: [], floors: gone }, deletes: 0 }));
    store.sweep()
    const own = openOwnBlocks(env, memoryLogger(), '/data')
    const meta = own.list()[0]!
    const path = (id: string): string => `/data/blocks/${id}`
    const rowsOf = (id: string): number[][] => {
      const block = openBlock(env, path(id))
      const rows = createAggregateBuffer()
      block.stored!.read(0, ALL, H, ALL_AGGREGATES, rows)
      block.close()
      return rows.columns.map((column) => [...column.subarray(0, rows.count)])
    }
    const before = rowsOf(meta.id)
    assert.equal(before[0]!.length, 6)
    assert.deepEqual(verifyBlock(env.disk, env.compressor, path(meta.id)), [])
    // The last run of the file is the windows'.
    const size = env.disk.stat(`${path(meta.id)}/chunks`)!.sizeBytes
    env.disk.rot(`${path(meta.id)}/chunks`, (all) => all.with(size - 1, all[size - 1]! ^ 1))
    assert.equal(verifyBlock(env.disk, env.compressor, path(meta.id)).length, 1)
    const repaired = repairBlock(own, meta)!
    assert.deepEqual([repaired.samplesLost, repaired.windowsLost], [0, windowsLost])
    assert.deepEqual(
      repaired.runs.map((run) => run.effect),
      [effect],
    )
    if (windowsLost > 0) return
    assert.deepEqual(verifyBlock(env.disk, env.compressor, path(repaired.newId!)), [])
    assert.deepEqual(rowsOf(repaired.newId!), before)
  })

/** What a repair sets aside is told of as missing from then on: it is only what was lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { BlockStore } from '../block/mod.ts'
import { bitsOf, fillHead, memoryEnv } from '../block/testing/samples.ts'
import { openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { openOwnBlocks } from './own-blocks.ts'
import { repairBlock } from './repair.ts'
import { verifyBlock } from './verify.ts'

const flip = (byte: number) => (all: Uint8Array) => all.with(byte, all[byte]! ^ 1)
const rows: readonly [what: string, rot: (all: Uint8Array) => Uint8Array, isLost: boolean][] = [
  ['a header that stands in front of whole runs', flip(3), false],
  ['a run of chunks', flip(40), true],
  ['nothing but the end, behind which there are more bytes,', (all) => Uint8Array.of(...all, 1, 2, 3), false],
  ['an end that is missing', (all) => all.subarray(0, all.length - 1), true],
]

for (const [what, rot, isLost] of rows)
  test(`a repair keeps ${isLost ? 'the block' : 'nothing'} of which ${what} is damaged`, () => {
    const env = memoryEnv()
    const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
    const samples = Array.from({ length: 60 }, (_, i) => ({ time: 60_000 * i, bits: bitsOf(i), start: 0, kind: 0 }))
    const head = openReader(fillHead([{ labels: labelsFrom({ __name__: 'x' }), samples }]).share())
    const { id } = store.cut(head, { minTime: 0, maxTime: 7_200_000 })!
    env.disk.rot(`/data/blocks/${id}/chunks`, rot)
    const own = openOwnBlocks(env, memoryLogger(), '/data')
    const { newId, keptAs, samplesLost } = repairBlock(own, own.list()[0]!)!
    assert.deepEqual([keptAs, samplesLost], isLost ? [`/data/blocks/${id}.damaged`, 60] : [null, 0])
    if (!isLost) assert.deepEqual(verifyBlock(env.disk, env.compressor, `/data/blocks/${newId}`), [])
    const { store: again } = openOwnBlocks(env, memoryLogger(), '/data')
    assert.deepEqual(
      again.damages().map(({ block }) => block),
      isLost ? [id] : [],
    )
    assert.deepEqual(env.disk.readDirectory('/data/blocks'), isLost ? [`${id}.damaged`] : [newId])
  })

/** Commands that only look leave a data directory as they find it, and know all the same what in it is damaged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { BlockStore, TOMBSTONES_FILE } from '../block/mod.ts'
import { bitsOf, fillHead, memoryEnv } from '../block/testing/samples.ts'
import { openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { openOwnBlocks } from './own-blocks.ts'
import { readOnlyDisk } from './read-only-disk.ts'

const flip = (all: Uint8Array) => all.with(20, all[20]! ^ 1)
const MANY = 40

test('damaged, unfinished and replaced blocks stay where they are for who only looks', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  const samples = Array.from({ length: MANY }, (_, i) => ({ time: 600_000 * i, bits: bitsOf(i), start: 0, kind: 0 }))
  const head = openReader(fillHead([{ labels: labelsFrom({ __name__: 'x' }), samples }]).share())
  const [whole, damaged, unread] = [0, 1, 2].map(
    (i) => store.cut(head, { minTime: 7_200_000 * i, maxTime: 7_200_000 * (i + 1) })!.id,
  )
  env.disk.rot(`/data/blocks/${damaged}/index`, flip)
  env.disk.rot(`/data/blocks/${unread}/meta.json`, flip)
  env.disk.makeDirectory('/data/blocks/5-6-9.tmp')
  env.disk.writeFileAtomic(`/data/${TOMBSTONES_FILE}`, 'no list of deletions')
  const files = () =>
    ['/data', '/data/blocks', `/data/blocks/${unread}`].map((path) => env.disk.readDirectory(path)).join()
  const meta = env.disk.readText(`/data/blocks/${unread}/meta.json`)
  const before = files()
  const opened = openOwnBlocks({ ...env, disk: readOnlyDisk(env.disk) }, memoryLogger(), '/data')
  assert.equal(files(), before)
  assert.equal(env.disk.readText(`/data/blocks/${unread}/meta.json`), meta)
  assert.deepEqual(
    opened.list().map(({ id }) => id),
    [whole, unread],
  )
  assert.ok(opened.store.damages().some(({ block, cost }) => block === damaged && cost === 'block'))
  assert.ok(opened.tombstones.isDamaged)
  openOwnBlocks(env, memoryLogger(), '/data')
  assert.notEqual(files(), before, 'a start does what it has to')
})

test('a directory that is not there is empty, and is not made', () => {
  const env = memoryEnv()
  env.disk.makeDirectory('/data')
  assert.deepEqual(openOwnBlocks({ ...env, disk: readOnlyDisk(env.disk) }, memoryLogger(), '/data').list(), [])
  assert.equal(env.disk.stat('/data/blocks'), null)
  assert.throws(() => readOnlyDisk(env.disk).open('/data/x', 'w'), /BUG/)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RingStoreError } from '../../protocol/env/mod.ts'
import { RingEngine } from './engine.ts'
import { MemoryRingFiles, readBatchHead } from './mod.ts'
import { batchId } from './rows.ts'
import { ringSuite } from './testing/engine-suite.ts'
import { group, record, START_MS } from './testing/records.ts'

const disks = new Map<string, MemoryRingFiles>()
ringSuite('memory', (key, capBytes) => {
  let files = disks.get(key)
  if (!files) disks.set(key, (files = new MemoryRingFiles(capBytes)))
  return files
})

test('a commit that fails leaves nothing, neither on disk nor in memory', () => {
  const files = new MemoryRingFiles(8_000_000)
  const ring = new RingEngine(files, readBatchHead)
  const { epoch } = ring.open(START_MS)
  ring.append(group(record({ epoch, sequence: 0 })))
  const before = ring.stats()
  files.failCommits = 1
  assert.throws(() => ring.append(group(record({ epoch, sequence: 1 }))), { code: 'FULL' })
  assert.deepEqual({ ...ring.stats(), commits: 0 }, { ...before, commits: 0 })
  ring.append(group(record({ epoch, sequence: 1 })))
  assert.equal(ring.stats().batches, 2)
})

test('after a failed sync nothing more is promised', () => {
  const files = new MemoryRingFiles(8_000_000)
  const ring = new RingEngine(files, readBatchHead)
  const { epoch } = ring.open(START_MS)
  files.failCommits = 1
  files.failure = () => new RingStoreError('IO', 'Cannot write: simulated fsync error')
  assert.throws(() => ring.append(group(record({ epoch, sequence: 0 }))), { code: 'IO' })
  assert.throws(() => ring.append(group(record({ epoch, sequence: 1 }))), { code: 'IO' })
})

test('a damaged batch costs that batch: set aside, salvaged, counted, announced', () => {
  const files = new MemoryRingFiles(8_000_000)
  const ring = new RingEngine(files, readBatchHead)
  const { epoch } = ring.open(START_MS)
  for (let n = 0; n < 10; n++) ring.append(group(record({ epoch, sequence: n })))
  files.content.body.get(batchId(1, 4))!.value[5]! ^= 1
  assert.deepEqual(
    ring.read(epoch, [[0, 9]], 1e9).map((b) => b.sequence),
    [0, 1, 2, 3, 5, 6, 7, 8, 9],
  )
  assert.match(files.setAside[0]!.reason, /checksum/)
  const commit = ring.append(group(record({ epoch: epoch + 1, sequence: 0 })))
  assert.equal(commit.recovery?.lostUnackedBatches, 1)
  assert.equal(commit.recovery?.salvagedBatches, 9)
  assert.deepEqual(
    commit.misses.map((m) => m.slots.fromMs),
    [record({ epoch, sequence: 4 }).minTimeMs],
  )
  assert.equal(ring.stats().lostBatches, 1)
})

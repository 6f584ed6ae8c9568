/** What the log tells of itself, on a real disk: sizes, times, and whether its last owner was killed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import { openWal } from './mod.ts'
import { memoryLogger, seededRandom } from './testing/mod.ts'

test('stats() tells the size on disk, how long replay and checkpoints took, and a lock that was left', () => {
  const directory = mkdtempSync(join(tmpdir(), 'heliograph-wal-'))
  // A second passes whenever somebody looks.
  let ms = 0
  const clock = { monotonic: () => (ms += 1000) }
  const open = () => openWal({ disk: nodeDisk, clock, log: memoryLogger(), random: seededRandom(1), directory })
  try {
    const wal = open()
    wal.replay(() => {})
    wal.append(1, [new Uint8Array(5000)])
    wal.commit()
    const { isCleanStart, replaySeconds, checkpointSeconds, sizeBytes } = wal.stats()
    assert.deepEqual([isCleanStart, replaySeconds, checkpointSeconds], [true, 1, 0])
    assert.equal(sizeBytes, statSync(join(directory, 'wal/00000000.wal')).size)
    wal.checkpoint((add) => add(1, [new Uint8Array(9)]))
    assert.deepEqual([wal.stats().checkpoints, wal.stats().checkpointSeconds], [1, 1])
    assert.ok(wal.stats().sizeBytes > sizeBytes)
    const index = (wal.checkpointTarget(), wal.cutForCheckpoint())
    wal.checkpointFinished(index)
    assert.deepEqual([wal.stats().checkpoints, wal.stats().checkpointSeconds], [2, 2])
    wal.close()
    // No process has this number.
    symlinkSync('4194999-1', join(directory, 'lock'))
    const next = open()
    assert.equal(next.stats().isCleanStart, false)
    next.close()
    const last = open()
    assert.equal(last.stats().isCleanStart, true)
    last.close()
  } finally {
    rmSync(directory, { recursive: true })
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Wal } from '../wal/mod.ts'
import { MemoryDisk, manualClock, memoryLogger } from '../wal/testing/mod.ts'
import { Checkpoints } from './checkpoints.ts'
import { newCounters } from './counters.ts'
import type { IngestHead } from './head.ts'

const MIB = 1 << 20

const rows: readonly [
  name: string,
  since: { readonly logBytes?: number; readonly samples?: number; readonly series?: number },
  pageBytes: number,
  isDue: boolean,
][] = [
  ['nothing', {}, 500 * MIB, false],
  ['all the log that is allowed', { logBytes: 256 * MIB }, 500 * MIB, true],
  ['less', { logBytes: 255 * MIB }, 500 * MIB, false],
  ['as much log as the head is large', { logBytes: 40 * MIB }, 40 * MIB, true],
  ['less than the head is large', { logBytes: 39 * MIB }, 40 * MIB, false],
  ['little log of a tiny head', { logBytes: 15 * MIB }, MIB, false],
  ['more of it', { logBytes: 16 * MIB }, MIB, true],
  ['many samples in little log', { logBytes: MIB, samples: 27_000_000 }, 500 * MIB, true],
  ['fewer', { logBytes: MIB, samples: 26_000_000 }, 500 * MIB, false],
  ['new series', { series: 100_000 }, 500 * MIB, true],
  ['fewer new series', { series: 99_999 }, 500 * MIB, false],
]
for (const [name, { logBytes = 0, samples = 0, series = 0 }, pageBytes, isDue] of rows)
  test(`a checkpoint is ${isDue ? '' : 'not '}due after: ${name}, with a head of ${pageBytes / MIB} MiB`, () => {
    let stats = { series: 5000, seriesRemoved: 200, samplesAppended: 1e9, pageBytes }
    let written = 0
    const wal = { bytesSinceCheckpoint: logBytes, checkpoint: () => void written++ } as unknown as Wal
    const checkpoints = new Checkpoints({
      clock: manualClock(0),
      disk: new MemoryDisk(),
      log: memoryLogger(),
      head: { stats: () => stats } as unknown as IngestHead,
      wal,
      counters: newCounters(),
      checkpointBytes: 256 * MIB,
      room: () => Number.POSITIVE_INFINITY,
      records: () => [],
    })
    checkpoints.restored()
    stats = { ...stats, seriesRemoved: 200 + series, samplesAppended: 1e9 + samples }
    checkpoints.ifDue()
    assert.equal(written, isDue ? 1 : 0)
  })

test('what a burst brought is looked at when nothing comes after it', async () => {
  let series = 0
  let written = 0
  const clock = manualClock(0)
  const wal = { bytesSinceCheckpoint: 0, checkpoint: () => void written++ } as unknown as Wal
  const head = { stats: () => ({ series, seriesRemoved: 0, samplesAppended: 0, pageBytes: MIB }) }
  const checkpoints = new Checkpoints({
    clock,
    disk: new MemoryDisk(),
    log: memoryLogger(),
    head: head as unknown as IngestHead,
    wal,
    counters: newCounters(),
    checkpointBytes: 256 * MIB,
    room: () => Number.POSITIVE_INFINITY,
    records: () => [],
  })
  const commit = async (made: number): Promise<void> => {
    series += made
    checkpoints.ifDue()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await commit(100_000)
  assert.equal(written, 1)
  await commit(900_000)
  assert.equal(written, 1, 'not one after the other')
  clock.advance(9999)
  assert.equal(written, 1)
  clock.advance(1)
  assert.equal(written, 2)
  checkpoints.close()
})

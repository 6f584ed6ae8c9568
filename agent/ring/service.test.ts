import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../scrape/testing/virtual-clock.ts'
import { MemoryRingFiles, RingEngine, RingService, readBatchHead } from './mod.ts'
import { group, record, START_MS } from './testing/records.ts'

test('acknowledgements go to disk with the next group, and alone only when none comes for half a minute', async () => {
  const clock = new VirtualClock(START_MS)
  const ring = new RingService(new RingEngine(new MemoryRingFiles(8_000_000), readBatchHead), clock)
  const { epoch } = await ring.open(START_MS)
  const commits = async (): Promise<number> => (await ring.stats()).commits
  const append = async (sequence: number): Promise<void> => {
    const done = ring.append(group(record({ epoch, sequence })))
    await clock.advance(1000)
    await done
  }
  await append(0)
  const before = await commits()
  for (let n = 1; n <= 10; n++) {
    await ring.acknowledge(epoch, [[n - 1, n - 1]])
    await clock.advance(14_000)
    await append(n)
  }
  assert.equal((await commits()) - before, 10)
  await clock.advance(60_000)
  assert.equal((await commits()) - before, 10, 'nothing is left to flush')
  await ring.acknowledge(epoch, [[10, 10]])
  await clock.advance(31_000)
  assert.equal((await commits()) - before, 11)
  await ring.close(clock.now())
})

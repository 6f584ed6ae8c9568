/**
 * Fail points at every change that the storage makes to its disk: one workload over log, checkpoints, cuts, merges and
 * retention is run once for each of its writes, syncs, renames, links and removals, and there the process is killed
 * (what was written stays), the power goes, or the call fails. Method: reliability.md R1 and R5.
 * In `npm test` every tenth point gets one of the ways, in turn; with HELIO_LONG=1 all points get all of them.
 * HELIO_SEED repeats a workload.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FaultPoint, MemoryDisk, seededRandom } from '../../hub/wal/testing/mod.ts'
import { Journal, judge, Storage } from './storage.ts'
import { live } from './workload.ts'

const IS_LONG = process.env['HELIO_LONG'] === '1'
const SEED = Number(process.env['HELIO_SEED'] ?? 1)
const STEPS = 110
const STRIDE = IS_LONG ? 1 : 10

/** What happens at the point; after a kill or a loss of power nothing more reaches the disk. */
const WAYS = ['kill', 'power', 'EIO', 'ENOSPC'] as const
type Way = (typeof WAYS)[number]

type Run = { readonly disk: MemoryDisk; readonly storage: Storage; readonly journal: Journal; readonly error: unknown }

/** @param failAt number of the change that fails; -1 none */
async function run(failAt: number, way: Way, seen: Map<FaultPoint, number> = new Map()): Promise<Run> {
  const { float: random } = seededRandom(SEED)
  const journal = new Journal()
  const disk = new MemoryDisk()
  const storage = await Storage.open(disk, journal, { seed: SEED })
  let changes = 0
  let isDead = false
  disk.fault = (point) => {
    if (isDead) return 'EIO'
    if (point === 'open') return null
    seen.set(point, (seen.get(point) ?? 0) + 1)
    if (changes++ !== failAt) return null
    isDead = way === 'kill' || way === 'power'
    return isDead ? 'EIO' : way
  }
  let error: unknown = null
  try {
    await live(storage, { steps: STEPS, random })
  } catch (caught) {
    error = caught
  }
  disk.fault = () => null
  return { disk, storage, journal, error }
}

function assertSound(storage: Storage, journal: Journal, where: string): void {
  const { problems, lost } = judge(storage.export(), journal)
  assert.deepEqual(problems, [], where)
  assert.deepEqual(lost, [], `${where}: acknowledged and lost`)
}

test('whatever change of the disk fails or is the last one, nothing acknowledged is lost', async (t) => {
  const seen = new Map<FaultPoint, number>()
  const whole = await run(-1, 'kill', seen)
  assert.equal(whole.error, null)
  assertSound(whole.storage, whole.journal, 'without a fault')
  const { counters } = whole.storage.blocks
  assert.ok(counters.cut > 2 && counters.compacted > 0 && counters.removed > 0, JSON.stringify(counters))
  assert.ok(whole.storage.engine.counters.checkpoints > 4)
  for (const point of ['write', 'datasync', 'rename', 'unlink', 'syncDirectory', 'removeDirectory'] as const)
    assert.ok((seen.get(point) ?? 0) > 0, `the workload has no ${point}`)
  const points = [...seen.values()].reduce((a, b) => a + b, 0)

  let runs = 0
  const fatal = new Map<Way, number>()
  for (let point = 0; point < points; point += STRIDE) {
    for (const way of IS_LONG ? WAYS : [WAYS[(point / STRIDE) % WAYS.length]!]) {
      const where = `HELIO_SEED=${SEED}, change ${point}: ${way}`
      const { disk, storage, journal, error } = await run(point, way)
      if (error) fatal.set(way, (fatal.get(way) ?? 0) + 1)
      const { float: random } = seededRandom(point)
      // A process that lives on serves what it has, from the disk that works again, and so does the next one.
      if (!error && way !== 'kill' && way !== 'power') assertSound(storage, journal, `${where}, the same process`)
      const after = await Storage.open(way === 'power' ? disk.crash(random) : disk.kill(), journal, { seed: point })
      assertSound(after, journal, `${where}, after the restart`)
      assert.equal(after.engine.counters.replayLost, 0, where)
      // And it goes on from there.
      await live(after, { steps: 12, random })
      after.commit()
      assertSound(after, journal, `${where}, later`)
      runs++
    }
  }
  t.diagnostic(`${points} points (${[...seen].map(([point, n]) => `${n} ${point}`).join(', ')}), ${runs} runs`)
  t.diagnostic(`lives that ended for it: ${[...fatal].map(([way, n]) => `${n} of ${way}`).join(', ')}`)
})

test('after a failed sync nothing is acknowledged any more', async () => {
  const { float: random } = seededRandom(1)
  const journal = new Journal()
  const disk = new MemoryDisk()
  const storage = await Storage.open(disk, journal, { seed: 1 })
  storage.send('write', random)
  assert.equal(storage.commit(), true)
  const acknowledged = journal.acknowledged.size
  disk.fault = (point) => (point === 'datasync' ? 'EIO' : null)
  storage.send('write', random)
  assert.throws(() => storage.commit(), { code: 'FATAL_DISK' })
  disk.fault = () => null
  assert.throws(() => storage.commit(), { code: 'FATAL_DISK' })
  assert.throws(() => storage.send('write', random), { code: 'FATAL_DISK' })
  assert.equal(journal.acknowledged.size, acknowledged)
})

/**
 * Loss of power, simulated: writes that were not synced are gone, or there in part by sectors of 512 bytes; names that
 * were not synced are gone or there; files end in garbage. Log, checkpoints and blocks together, through the engine.
 * Method: reliability.md R3. HELIO_LONG=1 goes through 1,000 states instead of 100, HELIO_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryDisk, seededRandom } from '../../hub/wal/testing/mod.ts'
import { Journal, judge, Storage } from './storage.ts'
import { live } from './workload.ts'

const LIVES = 4
const STATES = process.env['HELIO_LONG'] === '1' ? 1000 : 100
const FIRST_SEED = Number(process.env['HELIO_SEED'] ?? 1)

test(`after ${STATES} losses of power nothing acknowledged is lost, and nothing is served that was not sent`, async (t) => {
  let states = 0
  let lostUnacknowledged = 0
  const done = { cut: 0, early: 0, compacted: 0, removed: 0, checkpoints: 0 }
  for (let seed = FIRST_SEED; states < STATES; seed++) {
    const { float: random } = seededRandom(seed)
    const journal = new Journal()
    let disk = new MemoryDisk()
    const known = new Set<string>()
    let before = (_file: string): Uint8Array => new Uint8Array(0)
    for (let life = 0; life < LIVES; life++) {
      const storage = await Storage.open(disk, journal, { seed: seed * 100 + life })
      const verdict = judge(storage.export(), journal)
      assert.deepEqual(verdict.problems, [], `seed ${seed}, life ${life}`)
      assert.deepEqual(verdict.lost, [], `seed ${seed}, life ${life}: acknowledged and lost`)
      lostUnacknowledged += journal.sent.size - verdict.stored.size
      // Damage that a loss of power leaves may be stepped over, and may take what defines the rows after it, but must
      // never be in what was synced.
      const fresh = storage.engine.replayReport.damages.filter(
        ({ file, fromByte }) => !known.has(`${file}:${fromByte}`),
      )
      for (const { file, fromByte, toByte } of fresh) {
        const where = `seed ${seed}, life ${life}: ${file}, bytes ${fromByte} to ${toByte}`
        assert.notDeepEqual(disk.readFile(file).slice(fromByte, toByte), before(file).slice(fromByte, toByte), where)
        known.add(`${file}:${fromByte}`)
      }
      if (known.size === 0) assert.equal(storage.engine.counters.replayLost, 0, `seed ${seed}, life ${life}`)
      const stopAfter = failAfter(disk, Math.floor(random() * 150))
      try {
        await live(storage, { steps: 60, random })
      } catch (error) {
        if (!stopAfter.isDead) throw error
      }
      const { cut, compacted, removed } = storage.blocks.counters
      done.cut += cut
      done.early += storage.early
      done.compacted += compacted
      done.removed += removed
      done.checkpoints += storage.engine.counters.checkpoints
      before = syncedOf(disk)
      disk = disk.crash(random)
      states++
    }
  }
  assert.ok(lostUnacknowledged > 0, 'nothing was ever in flight: the test proves nothing')
  t.diagnostic(`${states} states from seed ${FIRST_SEED}: ${JSON.stringify(done)}`)
  for (const [what, count] of Object.entries(done)) assert.ok(count > 0, `no ${what} in the workload`)
})

/** What of a file was synced when the power went. */
function syncedOf(disk: MemoryDisk): (file: string) => Uint8Array {
  return (file) => {
    const at = file.lastIndexOf('/')
    const directory = disk.directories.get(file.slice(0, at))
    const name = file.slice(at + 1)
    return (directory?.now.get(name) ?? directory?.durable.get(name))?.durable ?? new Uint8Array(0)
  }
}

/** The power goes at the n-th change of the disk: it and all later ones fail. */
function failAfter(disk: MemoryDisk, changes: number): { readonly isDead: boolean } {
  let count = 0
  const state = { isDead: false }
  disk.fault = (point) => {
    if (point === 'open') return state.isDead ? 'EIO' : null
    if (++count <= changes) return null
    state.isDead = true
    return 'EIO'
  }
  return state
}

const planted: readonly [what: string, change: (disk: MemoryDisk) => Partial<MemoryDisk>][] = [
  [
    'a log that is not synced before the acknowledgement',
    (disk) => ({ open: (...args) => ({ ...disk.open(...args), datasync: () => {} }) }),
  ],
  ['names that are not synced', () => ({ syncDirectory: () => {} })],
]
for (const [what, change] of planted)
  test(`the simulation finds ${what}`, async () => {
    let lost = 0
    for (let seed = 1; seed <= 20 && lost === 0; seed++) {
      const { float: random } = seededRandom(seed)
      const journal = new Journal()
      const disk = new MemoryDisk()
      const storage = await Storage.open(careless(disk, change(disk)), journal, { seed })
      for (let i = 0; i < 20; i++) {
        storage.send('write', random)
        storage.commit()
      }
      const after = await Storage.open(disk.crash(random), journal, { seed: seed + 1 })
      lost += judge(after.export(), journal).lost.length
    }
    assert.ok(lost > 0)
  })

/** The disk, but for some of its methods. */
function careless(disk: MemoryDisk, changed: Partial<MemoryDisk>): MemoryDisk {
  return new Proxy(disk, {
    get(target, name) {
      const value = Reflect.get(changed, name) ?? Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

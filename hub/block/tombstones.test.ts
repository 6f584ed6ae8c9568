/** The file of deletions, and snapshots: after loss of power at any step, and with bytes changed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskError } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { openReader, type SeriesReader } from '../tsdb/mod.ts'
import { type MemoryDisk, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import {
  BlockStore,
  deletionOf,
  hideFromBlock,
  hideFromHead,
  mergeReaders,
  NO_FLOORS,
  NONE_IN_FORCE,
  openBlock,
  TOMBSTONES_FILE,
  TombstoneFile,
  writeSnapshot,
} from './mod.ts'
import { bitsOf, contents, fillHead, memoryEnv, sorted, type TestSeries } from './testing/samples.ts'

const FILE = '/data/tombstones.json'
const matchers: readonly Matcher[] = [{ name: 'job', op: '=~', value: 'größe|🦔"\\' }]
const deletion = { matchers, minTime: 1000, maxTime: 2000 }
const open = (disk: MemoryDisk): TombstoneFile => new TombstoneFile(disk, FILE, memoryLogger())

test('deletions outlive any loss of power once add() has returned', () => {
  for (let seed = 0; seed < 50; seed++) {
    const { disk } = memoryEnv()
    const file = open(disk)
    file.add([deletion])
    file.add([deletion, deletion])
    const found = open(disk.crash(seededRandom(seed).float))
    assert.deepEqual(found.list(), file.list())
    assert.equal(found.lastId, 3)
  }
})

test('a deletion that could not be written is not in force', () => {
  const { disk } = memoryEnv()
  const file = open(disk)
  file.add([deletion])
  disk.fault = (point) => (point === 'write' ? 'ENOSPC' : null)
  assert.throws(() => file.add([deletion]), { code: 'ENOSPC' })
  assert.equal(file.list().length, 1)
  disk.fault = () => null
  assert.deepEqual(open(disk).list(), file.list())
})

test('with any byte changed the file is set aside, and the hub starts', () => {
  const { disk } = memoryEnv()
  open(disk).add([deletion])
  const whole = disk.readFile(FILE)
  for (let at = 0; at < whole.length; at++) {
    disk.writeFileAtomic(FILE, whole.with(at, whole[at]! ^ (1 << (at % 8))))
    const file = open(disk)
    assert.ok(file.isDamaged, `byte ${at}`)
    assert.deepEqual(file.list(), [])
    assert.ok(disk.stat(`${FILE}.damaged`))
  }
  // What is cut off, too.
  for (let length = 0; length < whole.length; length++) {
    disk.writeFileAtomic(FILE, whole.subarray(0, length))
    assert.ok(open(disk).isDamaged, `${length} bytes`)
  }
})

test('a deletion is forgotten when no block and no head can show what it hides', () => {
  const { disk } = memoryEnv()
  const file = open(disk)
  file.add([deletion])
  file.prune(null, () => false)
  assert.deepEqual([file.list().length, file.list()[0]!.inHead], [1, true])
  file.prune(2000, () => false)
  assert.equal(file.list()[0]?.inHead, true)
  file.prune(2001, ({ id }) => id === 1)
  assert.deepEqual([file.list().length, file.list()[0]!.inHead], [1, false])
  file.prune(null, () => false)
  assert.deepEqual(file.list(), [])
  // Its number is not given out again: blocks remember it.
  const again = open(disk)
  again.add([deletion])
  assert.equal(again.list()[0]!.id, 2)
})

test('deletionOf() ends at the newest sample, and is nothing where the range is', () => {
  const newest = { inHead: 100, inBlocks: 90 }
  assert.deepEqual(deletionOf(matchers, { minTime: 5, maxTime: Infinity }, newest), {
    matchers,
    minTime: 5,
    maxTime: 100,
  })
  assert.equal(deletionOf(matchers, { minTime: 101, maxTime: Infinity }, newest), null)
  assert.equal(deletionOf(matchers, { minTime: 7, maxTime: 6 }, newest), null)
  const none = { inHead: -Infinity, inBlocks: -Infinity }
  assert.equal(deletionOf(matchers, { minTime: -Infinity, maxTime: Infinity }, none), null)
  assert.equal(deletionOf(matchers, { minTime: -Infinity, maxTime: 6 }, newest)?.minTime, Number.MIN_SAFE_INTEGER)
})

test('deletionOf() reaches what blocks have of the future, and in the head what was there', () => {
  const newest = { inHead: 100, inBlocks: 5000 }
  const range = { minTime: 5, maxTime: Infinity }
  assert.deepEqual(deletionOf(matchers, range, newest), { matchers, minTime: 5, maxTime: 5000, headMaxTime: 100 })
  const { env, store } = prepared()
  const [block] = store.list()
  const deletion = { id: 1, inHead: true, ...deletionOf([], { minTime: 0, maxTime: Infinity }, newest)! }
  const hidden = { tombstones: [deletion], floors: NO_FLOORS }
  const times = (reader: SeriesReader): number[] =>
    [...contents(reader).values()].flat().map((line) => Number(line.split(' ')[0]))
  const ofBlock = openBlock(env, `/data/blocks/${block!.id}`)
  assert.deepEqual(
    times(hideFromBlock(ofBlock, hidden, 0)).filter((time) => time <= 5000),
    [],
  )
  const head = openReader(fillHead([series('a', 0), series('a', 110)]).share())
  assert.ok(times(head).includes(0))
  assert.deepEqual(Math.min(...times(hideFromHead(head, hidden))), 110, 'what came later stays')
  const file = new TombstoneFile(env.disk, '/data/tombstones.json', memoryLogger())
  const { id: _, inHead: __, ...told } = deletion
  file.add([told])
  file.prune(101, () => true)
  assert.equal(file.list()[0]!.inHead, false, 'the head has nothing of it any more')
})

const series = (name: string, from: number): TestSeries => ({
  labels: labelsFrom({ __name__: name }),
  samples: Array.from({ length: 30 }, (_, i) => ({ time: from + i * 60_000, bits: bitsOf(i), start: 0, kind: 0 })),
})

/** A store with one block, and a head with more. */
function prepared() {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  const old = openReader(fillHead([series('a', 0), series('b', 0)]).share())
  store.cut(old, { minTime: 0, maxTime: 7_200_000 })
  const head = openReader(fillHead([series('a', 7_200_000), series('c', 14_000_000)]).share())
  env.disk.makeDirectory('/data/snapshots')
  env.disk.syncDirectory('/data')
  const snapshot = {
    directory: '/data/blocks',
    blocks: store.list(),
    head,
    sequence: store.nextSequence,
    blockMs: 7_200_000,
    inForce: NONE_IN_FORCE,
  }
  return { env, store, snapshot, expected: sorted(contents(mergeReaders([head, old]))) }
}

function restored(disk: MemoryDisk, folder: string): [string, string[]][] {
  const env = { ...memoryEnv(), disk }
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: `${folder}/blocks` })
  assert.equal(store.counters.damagedBlocks, 0)
  return sorted(contents(mergeReaders(store.share().paths.map((path) => openBlock(env, path)))))
}

test('a snapshot holds blocks and head; without links it is a copy', () => {
  for (const code of [null, 'EXDEV', 'EPERM']) {
    const { env, snapshot, expected } = prepared()
    const { disk } = env
    if (code)
      disk.link = (path) => {
        throw new DiskError(code, path, code)
      }
    writeSnapshot(env, '/data/snapshots/s', snapshot)
    assert.deepEqual(restored(disk, '/data/snapshots/s'), expected)
    assert.deepEqual(open(disk).list(), [])
    assert.ok(disk.stat(`/data/snapshots/s/${TOMBSTONES_FILE}`))
  }
})

test('a sample of long ago does not make a block of every two hours since', () => {
  const { env, snapshot } = prepared()
  const now = 1_800_000_000_000
  const head = openReader(fillHead([series('a', 0), series('b', now), series('c', 7_200_000 * 5)]).share())
  const before = process.cpuUsage()
  writeSnapshot(env, '/data/snapshots/s', { ...snapshot, blocks: [], head })
  // Of a CPU, whatever else the host does.
  assert.ok(process.cpuUsage(before).user < 5e6)
  assert.equal(env.disk.readDirectory('/data/snapshots/s/blocks').length, 3)
  assert.deepEqual(restored(env.disk, '/data/snapshots/s'), sorted(contents(head)))
})

test('a snapshot that power cut off is not there; one that was finished is whole', () => {
  let states = 0
  for (let failAt = 1; ; failAt++) {
    const { env, snapshot, expected } = prepared()
    let operations = 0
    let found: MemoryDisk[] = []
    const lose = (): void => {
      found = Array.from({ length: 4 }, (_, i) => env.disk.crash(seededRandom(failAt * 10 + i).float))
    }
    env.disk.fault = (point) => {
      if (point === 'open' || ++operations < failAt) return null
      if (found.length === 0) lose()
      return 'EIO'
    }
    let isDone = true
    try {
      writeSnapshot(env, '/data/snapshots/s', snapshot)
    } catch (error) {
      if ((error as { code?: string }).code !== 'EIO') throw error
      isDone = false
    }
    if (isDone) lose()
    for (const disk of found) {
      states++
      if (isDone || disk.stat('/data/snapshots/s')) assert.deepEqual(restored(disk, '/data/snapshots/s'), expected)
    }
    if (isDone) break
  }
  assert.ok(states > 40, `${states} states`)
})

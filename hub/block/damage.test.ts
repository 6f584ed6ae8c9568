/** Bit rot and loss of power: every byte of a block in turn, every step of writing, merging and removing one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom, labelsKey } from '../../protocol/labels/mod.ts'
import { createHead, createSampleBuffer, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { type MemoryDisk, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import { BlockDamagedError, BlockSet, BlockStore, mergeReaders, NOTHING_HIDDEN, openBlock, writeBlock } from './mod.ts'
import { ALL, bitsOf, contents, fillHead, memoryEnv, type TestSeries } from './testing/samples.ts'

const PATH = '/data/blocks'

/** 6 series; one of them histograms. */
function series(from: number, seed = 1): TestSeries[] {
  const random = seededRandom(seed)
  return Array.from({ length: 6 }, (_, i) => ({
    labels: labelsFrom({ __name__: `metric_${i}`, job: i % 2 ? 'node' : 'api' }),
    samples: Array.from({ length: 20 }, (_, k) => ({
      time: from + k * 15_000,
      bits: bitsOf(i === 2 ? random.float() : i === 5 ? Math.floor(random.float() * 900) : i * k),
      start: i === 4 ? 1000 : 0,
      kind: i === 5 ? 1 : 0,
    })),
  }))
}

test('a flipped bit anywhere is found: never another sample, loss confined to the run', () => {
  const env = memoryEnv()
  const head = openReader(fillHead(series(0)).share())
  const meta = writeBlock(env, PATH, head, {
    range: { minTime: 0, maxTime: 7_200_000 },
    sequence: 1,
    level: 1,
    sources: [],
  })!
  const whole = contents(openBlock(env, `${PATH}/${meta.id}`))
  let found = 0
  let partly = 0
  let bytes = 0
  for (const file of ['meta.json', 'index', 'chunks']) {
    const path = `${PATH}/${meta.id}/${file}`
    const size = env.disk.stat(path)!.sizeBytes
    for (let at = 0; at < size; at++) {
      const flip = (all: Uint8Array): Uint8Array => all.with(at, all[at]! ^ (1 << (at % 8)))
      env.disk.rot(path, flip)
      bytes++
      const damages: string[] = []
      try {
        const block = openBlock(env, `${PATH}/${meta.id}`, { onDamage: ({ piece }) => damages.push(piece) })
        for (const [key, lines] of contents(block)) assert.deepEqual(lines, whole.get(key))
        if (damages.length > 0) partly++
        const isRun = file === 'chunks' && at >= 16
        assert.equal(block.damagedRuns, isRun ? 1 : 0, `${file} byte ${at}`)
        if (!isRun) assert.deepEqual(contents(block), whole, `${file} byte ${at} costs nothing`)
      } catch (error) {
        if (!(error instanceof BlockDamagedError)) throw error
        damages.push(error.piece)
      }
      if (damages.length > 0) found++
      else assert.fail(`${file} byte ${at} was changed and nobody noticed`)
      env.disk.rot(path, flip)
    }
  }
  assert.equal(found, bytes)
  assert.ok(partly > 0, 'damage in chunks leaves the block open')
  assert.deepEqual(contents(openBlock(env, `${PATH}/${meta.id}`)), whole)
})

test('a chunks file that was cut off, or has more behind it, costs what is not there', () => {
  const env = memoryEnv()
  const all = series(0)
  const range = { minTime: 0, maxTime: 7_200_000 }
  const meta = writeBlock(env, PATH, reader(all), { range, sequence: 1, level: 1, sources: [] })!
  const path = `${PATH}/${meta.id}/chunks`
  const sound = env.disk.readFile(path).slice()
  const whole = contents(openBlock(env, `${PATH}/${meta.id}`))
  const read = (bytes: Uint8Array): { rest: Map<string, string[]>; damages: string[] } => {
    env.disk.writeFileAtomic(path, bytes)
    const damages: string[] = []
    const rest = contents(openBlock(env, `${PATH}/${meta.id}`, { onDamage: ({ piece }) => damages.push(piece) }))
    return { rest, damages }
  }
  assert.deepEqual(read(Uint8Array.of(...sound, 7, 7)), { rest: whole, damages: ['chunks'] })
  const { rest, damages } = read(sound.slice(0, sound.length - 1))
  assert.equal(damages.length, 2, String(damages))
  for (const [key, lines] of rest) assert.deepEqual(lines, whole.get(key))
})

test('what a block says of itself outlives either of its two texts, and both are whole after a start', () => {
  const { disk } = memoryEnv()
  const store = storeOn(disk)
  const { id } = store.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!
  const [meta] = store.list()
  const damage: Readonly<Record<string, (path: string) => void>> = {
    'a byte is changed': (path) => disk.rot(path, (all) => all.with(30, all[30]! ^ 1)),
    'it is empty': (path) => disk.writeFileAtomic(path, new Uint8Array(0)),
    'it is gone': (path) => disk.unlink(path),
  }
  for (const file of ['meta.json', 'meta.copy.json'])
    for (const [what, inflict] of Object.entries(damage)) {
      inflict(`${PATH}/${id}/${file}`)
      const again = storeOn(disk)
      assert.deepEqual(again.list(), [meta], `${file}: ${what}`)
      assert.deepEqual(
        again.damages().map(({ piece, cost }) => [piece, cost]),
        [[file, 'nothing']],
      )
      assert.deepEqual(storeOn(disk).damages(), [], 'it was written anew')
    }
  for (const file of ['meta.json', 'meta.copy.json']) disk.unlink(`${PATH}/${id}/${file}`)
  assert.equal(storeOn(disk).counters.damagedBlocks, 1)
})

test('what was set aside goes when it is beyond retention', () => {
  const { disk } = memoryEnv()
  const { id } = storeOn(disk).cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!
  disk.unlink(`${PATH}/${id}/index`)
  const store = storeOn(disk)
  const limits = { timeMs: 1000, sizeBytes: 0 }
  store.applyRetention(limits, 7_200_999)
  assert.deepEqual(disk.readDirectory(PATH), [`${id}.damaged`])
  store.applyRetention(limits, 7_201_000)
  assert.deepEqual(disk.readDirectory(PATH), [])
  assert.deepEqual(store.damages(), [])
})

test('what a merge could not read of a block stays missing, before a restart and after it, until it is beyond retention', () => {
  const { disk } = memoryEnv()
  const store = storeOn(disk)
  const range = { minTime: 0, maxTime: 7_200_000 }
  const { id } = store.cut(reader(series(0)), range)!
  store.cut(reader(series(60_000, 2)), range)
  disk.rot(`${PATH}/${id}/chunks`, (all) => all.with(40, all[40]! ^ 1))
  const merged = store.compact(0)!
  const lost = (of: BlockStore): string[] =>
    of
      .damages()
      .filter(({ cost }) => cost === 'block')
      .map(({ block }) => block)
  assert.deepEqual(lost(store), [id])
  store.sweep()
  assert.deepEqual(lost(storeOn(disk)), [id])
  store.applyRetention({ timeMs: 1000, sizeBytes: 0 }, 7_201_000)
  store.sweep()
  assert.deepEqual(disk.readDirectory(PATH), [], merged.id)
  assert.deepEqual(lost(store), [])
  assert.equal(store.counters.damagesForgotten, 1)
})

test('a source that is damaged after its merge, and before it is gone, is not missed', () => {
  const { disk } = memoryEnv()
  const store = storeOn(disk)
  const range = { minTime: 0, maxTime: 7_200_000 }
  const { id } = store.cut(reader(series(0)), range)!
  store.cut(reader(series(60_000, 2)), range)
  const merged = store.compact(0)!
  disk.rot(`${PATH}/${id}/index`, (all) => all.with(40, all[40]! ^ 1))
  const again = storeOn(disk)
  assert.deepEqual(again.list(), [merged])
  assert.deepEqual(again.damages(), [])
  assert.deepEqual(disk.readDirectory(PATH), [merged.id])
})

test('power may fail while a description changes, or is mended: the block stays, with the old one or the new one', () => {
  const prepared = memoryEnv().disk
  const { id } = storeOn(prepared).cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!
  prepared.unlink(`${PATH}/${id}/meta.copy.json`)
  prepared.syncDirectory(`${PATH}/${id}`)
  const ofNothing = {
    id: 5,
    matchers: [{ name: 'a', op: '=', value: 'absent' } as const],
    minTime: 0,
    maxTime: 9,
    inHead: false,
  }
  const inForce = { hidden: { ...NOTHING_HIDDEN, tombstones: [ofNothing] }, deletes: 5 }
  const states = crashes(
    (disk) => {
      for (const [path, directory] of prepared.kill().directories) disk.directories.set(path, directory)
      assert.ok(storeOn(disk).clean(inForce))
    },
    (disk, isDone) => {
      const store = storeOn(disk)
      assert.equal(store.counters.damagedBlocks, 0)
      const [block, ...more] = store.list()
      assert.deepEqual([block?.id, more], [id, []])
      assert.ok((isDone ? [5] : [0, 5, undefined]).includes(block!.deletes), String(block!.deletes))
      const whole = disk.readDirectory(`${PATH}/${id}`).filter((name) => !name.endsWith('.tmp'))
      assert.deepEqual(whole.sort(), ['chunks', 'index', 'meta.copy.json', 'meta.json'])
    },
  )
  assert.ok(states > 40, String(states))
})

test('a read that would need what is damaged says so each time, and no other does', () => {
  const env = memoryEnv()
  const range = { minTime: 0, maxTime: 7_200_000 }
  const meta = writeBlock(env, PATH, reader(series(0)), { range, sequence: 1, level: 1, sources: [] })!
  const missing: string[] = []
  const set = new BlockSet(env, {
    cacheBytes: 1 << 20,
    onDamage: () => {},
    onMissing: ({ piece }) => missing.push(piece),
  })
  const lost = { block: '7200000-14400000-2', piece: 'index', why: 'wrong checksum', cost: 'block' } as const
  const view = { paths: [`${PATH}/${meta.id}`], deletes: [0], hidden: NOTHING_HIDDEN, lost: [lost] }
  const missedIn = (minTime: number, maxTime: number): string[] => {
    missing.length = 0
    const all = set.behind(openReader(createHead().share()), view)
    const samples = createSampleBuffer()
    for (const ref of all.select([], { minTime, maxTime })) all.read(ref, { minTime, maxTime }, samples)
    return [...new Set(missing)]
  }
  assert.deepEqual(missedIn(0, 7_199_999), [])
  assert.deepEqual(missedIn(0, 7_200_000), ['index'])
  env.disk.rot(`${PATH}/${meta.id}/chunks`, (all) => all.with(40, all[40]! ^ 1))
  set.close()
  for (let again = 0; again < 2; again++) assert.deepEqual(missedIn(0, 7_199_999), ['run at byte 16'])
  assert.deepEqual(missedIn(7_100_000, 7_199_999), [], 'there are no samples')
})

test('a damaged run costs its own samples, not those of other runs', () => {
  const env = memoryEnv()
  const random = seededRandom(3)
  // Doubles that do not compress: several runs.
  const many = Array.from({ length: 40 }, (_, i) => ({
    labels: labelsFrom({ __name__: 'noise', instance: String(i) }),
    samples: Array.from({ length: 480 }, (_, k) => ({
      time: k * 15_000,
      bits: bitsOf(random.float()),
      start: 0,
      kind: 0,
    })),
  }))
  const head = openReader(fillHead(many).share())
  const range = { minTime: 0, maxTime: 7_200_000 }
  const meta = writeBlock(env, PATH, head, { range, sequence: 1, level: 1, sources: [] })!
  const whole = contents(openBlock(env, `${PATH}/${meta.id}`))
  env.disk.rot(`${PATH}/${meta.id}/chunks`, (all) => all.with(1000, all[1000]! ^ 1))
  const damages: string[] = []
  const block = openBlock(env, `${PATH}/${meta.id}`, { onDamage: ({ piece }) => damages.push(piece) })
  const rest = contents(block)
  assert.equal(damages.length, 1)
  assert.ok(rest.size > 0 && rest.size < whole.size, `${rest.size} of ${whole.size} series are left`)
  for (const [key, lines] of rest) assert.deepEqual(lines, whole.get(key))
})

function storeOn(disk: MemoryDisk): BlockStore {
  return BlockStore.open({ ...memoryEnv(), disk, log: memoryLogger(), directory: PATH })
}

function everything(disk: MemoryDisk, store: BlockStore): Map<string, string[]> {
  const { paths } = store.share()
  if (paths.length === 0) return new Map()
  return contents(mergeReaders(paths.map((path) => openBlock({ ...memoryEnv(), disk }, path))))
}

const UNREADABLE: readonly [how: string, (disk: MemoryDisk, block: string) => void][] = [
  ['damaged', (disk, block) => disk.rot(`${block}/index`, (all) => all.with(40, all[40]! ^ 4))],
  [
    'on a bad sector',
    (disk, block) => {
      disk.fault = (point, path) => (point === 'open' && path === `${block}/chunks` ? 'EIO' : null)
    },
  ],
]
for (const [how, spoil] of UNREADABLE)
  test(`a block that is ${how} is set aside when the store opens, the rest is served`, () => {
    const { disk } = memoryEnv()
    const store = storeOn(disk)
    const first = store.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!
    const second = store.cut(reader(series(7_200_000)), { minTime: 7_200_000, maxTime: 14_400_000 })!
    spoil(disk, `${PATH}/${first.id}`)
    const again = storeOn(disk)
    assert.deepEqual(
      again.list().map(({ id }) => id),
      [second.id],
    )
    assert.equal(again.counters.damagedBlocks, 1)
    assert.ok(disk.stat(`${PATH}/${first.id}.damaged`))
    assert.equal(everything(disk, again).size, 6)
    // Its number is not given out again.
    assert.ok(again.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!.sequence > second.sequence)
  })

const reader = (all: readonly TestSeries[]): SeriesReader => openReader(fillHead(all).share())

/** Checks what may be found when power fails before any one disk operation of the steps, and after the last. */
function crashes(steps: (disk: MemoryDisk) => void, check: (disk: MemoryDisk, isDone: boolean) => void): number {
  let states = 0
  for (let failAt = 1; ; failAt++) {
    const { disk } = memoryEnv()
    const found: MemoryDisk[] = []
    const random = seededRandom(failAt)
    const losePower = (): void => {
      for (let i = 0; i < 8; i++) found.push(disk.crash(random.float))
      found.push(disk.kill())
    }
    let operations = 0
    disk.fault = (point) => {
      if (point === 'open' || ++operations < failAt) return null
      // What the program does after this is on a disk that nobody will see.
      if (found.length === 0) losePower()
      return 'EIO'
    }
    let isDone = true
    try {
      steps(disk)
    } catch (error) {
      if ((error as { code?: string }).code !== 'EIO') throw error
      isDone = false
    }
    if (isDone) losePower()
    for (const each of found) check(each, isDone)
    states += found.length
    if (isDone) return states
  }
}

test('power may fail at any step of a cut: the block is whole or not there', () => {
  const expected = contents(reader(series(0)))
  const states = crashes(
    (disk) => void storeOn(disk).cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 }),
    (disk, isDone) => {
      const store = storeOn(disk)
      assert.equal(store.counters.damagedBlocks, 0)
      const found = everything(disk, store)
      if (isDone || found.size > 0) assert.deepEqual(found, expected)
      assert.ok(disk.readDirectory(PATH).every((name) => !name.endsWith('.tmp')))
    },
  )
  assert.ok(states > 40)
})

test('power may fail at any step of a merge and the sweep after it: nothing is lost, nothing is twice', () => {
  const parts = [series(0), series(60_000, 2), series(7_200_000)]
  const prepared = memoryEnv().disk
  const store = storeOn(prepared)
  parts.forEach((part, i) => void store.cut(reader(part), { minTime: i < 2 ? 0 : 7_200_000, maxTime: 14_400_000 }))
  const expected = everything(prepared, store)
  const states = crashes(
    (disk) => {
      const copy = prepared.kill()
      for (const [path, directory] of copy.directories) disk.directories.set(path, directory)
      const merging = storeOn(disk)
      assert.ok(merging.compact(0))
      assert.equal(merging.list().length, 1)
      merging.sweep()
    },
    (disk) => {
      const found = storeOn(disk)
      assert.equal(found.counters.damagedBlocks, 0)
      assert.deepEqual(everything(disk, found), expected)
      assert.ok([1, parts.length].includes(found.list().length), 'the sources or their merge, not both')
    },
  )
  assert.ok(states > 60)
})

test('a full disk ends a cut with an error and leaves nothing behind', () => {
  const { disk } = memoryEnv()
  const store = storeOn(disk)
  disk.capacityBytes = 300
  assert.throws(() => store.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 }), { code: 'ENOSPC' })
  assert.deepEqual(disk.readDirectory(PATH), [])
  disk.capacityBytes = Infinity
  assert.ok(store.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 }))
})

test('a merge around a damaged run keeps the damaged block aside', () => {
  const { disk } = memoryEnv()
  const store = storeOn(disk)
  const first = store.cut(reader(series(0)), { minTime: 0, maxTime: 7_200_000 })!
  store.cut(reader(series(900_000, 2)), { minTime: 0, maxTime: 7_200_000 })
  disk.rot(`${PATH}/${first.id}/chunks`, (all) => all.with(40, all[40]! ^ 4))
  const merged = store.compact(0)!
  assert.deepEqual(store.list(), [merged])
  assert.equal(store.counters.damagedRuns, 1)
  const found = everything(disk, store)
  const expected = contents(reader(series(900_000, 2)))
  for (const [key, lines] of expected) assert.deepEqual(found.get(key)?.slice(-lines.length), lines)
  store.sweep()
  assert.deepEqual(disk.readDirectory(PATH), [merged.id, `${first.id}.damaged`].sort())
})

test('the label sets of a damaged run are still known', () => {
  const env = memoryEnv()
  const range = { minTime: 0, maxTime: 7_200_000 }
  const meta = writeBlock(env, PATH, reader(series(0)), { range, sequence: 1, level: 1, sources: [] })!
  env.disk.rot(`${PATH}/${meta.id}/chunks`, (all) => all.with(40, all[40]! ^ 4))
  const block = openBlock(env, `${PATH}/${meta.id}`)
  const out = createSampleBuffer()
  const keys = [...block.select([], ALL)].map((ref) => {
    block.read(ref, ALL, out)
    return labelsKey(block.labels(ref))
  })
  assert.equal(keys.length, 6)
})

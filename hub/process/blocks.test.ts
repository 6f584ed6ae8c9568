/** The keeper of blocks with its thread in this one: what it asks, and that none of it grows with what is stored. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  BlockStore,
  NO_FLOORS,
  type RetentionLimits,
  runBlockThread,
  TOMBSTONES_FILE,
  type ToBlocks,
} from '../block/mod.ts'
import { bitsOf, fillHead, memoryEnv } from '../block/testing/samples.ts'
import type { Ingest } from '../ingest/mod.ts'
import { type Head, openReader } from '../tsdb/mod.ts'
import { manualClock, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import { BlockKeeper } from './blocks.ts'

const H = 3_600_000
const NOW = 1_800_000_000_000
const BLOCK_MS = 2 * H

type Started = {
  readonly keeper: BlockKeeper
  /** Runs a round of upkeep to its end. */
  readonly round: (waitMs?: number) => Promise<void>
  readonly head: Head
  readonly crossed: Crossed[]
  readonly listed: () => readonly number[]
  readonly setClock: (nowMs: number) => void
  /** What ingest says of its memory. */
  readonly memory: { isMemoryHigh: boolean; isMemoryFull: boolean }
  /** It says so by itself. */
  readonly tellMemory: () => void
}
type Crossed = { readonly kind: string; readonly chars: number }

/** @param hoursAgo of a sample of the one series each */
async function started(
  hoursAgo: readonly number[],
  limits: RetentionLimits = { timeMs: 0, sizeBytes: 0 },
  env = memoryEnv(),
  onCross: () => void = () => {},
): Promise<Started> {
  const clock = manualClock(NOW)
  const log = memoryLogger()
  const samples = hoursAgo.map((hours) => ({ time: NOW - hours * H, bits: bitsOf(hours), start: 0, kind: 0 }))
  const head = fillHead([{ labels: labelsFrom({ __name__: 'm' }), samples }])
  const crossed: Crossed[] = []
  const cross = <T>(message: T & { readonly kind: string }): T => {
    const text = JSON.stringify(message, (_, value) => (value instanceof SharedArrayBuffer ? 'shared' : value))
    crossed.push({ kind: message.kind, chars: text.length })
    onCross()
    return structuredClone(message)
  }
  const spawn = () => {
    let hear: (message: unknown) => void = () => {}
    let ask: (message: ToBlocks) => void = () => {}
    queueMicrotask(() => {
      void runBlockThread(
        { post: (message) => hear(cross(message)), onMessage: (fn) => (ask = fn) },
        { ...env, log, directory: '/data/blocks', openHead: (share) => openReader(share) },
      )
    })
    return {
      post: (message: unknown) => setImmediate(() => ask(cross(message as ToBlocks))),
      onMessage: (fn: (message: unknown) => void) => void (hear = fn),
      onExit: () => {},
      terminate: async () => {},
    }
  }
  const memory = {
    isMemoryHigh: false,
    isMemoryFailing: false,
    isMemoryFull: false,
    head: { usedBytes: 9, maxBytes: 10, series: 1 },
  }
  let tellMemory = (): void => {}
  const ingest = {
    status: async () => memory,
    onMemoryHigh: (fn: () => void) => void (tellMemory = fn),
    share: () => head.share(),
    onShare: () => {},
    closeBefore: async (maxTimeMs: number) => head.closeBefore(maxTimeMs),
    evict: async () => void head.evict(),
    checkpoint: async () => {},
  } as unknown as Ingest
  const keeper = await BlockKeeper.open({
    env: { clock, disk: env.disk, log, random: seededRandom(1), pool: { spawn } },
    ingest,
    directory: '/data',
    blockMs: BLOCK_MS,
    logLevel: 'error',
    logFormat: 'logfmt',
    limits: () => limits,
    floors: () => NO_FLOORS,
  })
  keeper.start()
  const round = async (waitMs = 60_000): Promise<void> => {
    const before = crossed.length
    clock.advance(waitMs)
    // Each question is answered in a turn of its own.
    for (let quiet = 0, seen = before; quiet < 5; quiet = crossed.length === seen ? quiet + 1 : 0) {
      seen = crossed.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'error'),
      [],
    )
  }
  const listed = () => keeper.state().blocks.map(({ minTime }) => minTime)
  return { keeper, round, head, crossed, listed, setClock: clock.set, memory, tellMemory: () => tellMemory() }
}

const everyHour = (count: number): number[] => Array.from({ length: count }, (_, i) => count - i)

test('what crosses to the block thread and back does not grow with the blocks, nor with the time that they span', async () => {
  const of = async (hoursAgo: readonly number[]) => {
    const { round, crossed, keeper, listed } = await started(hoursAgo)
    await round()
    const longest = Math.max(...crossed.map(({ chars }) => chars))
    const { blocks: _, ...digest } = keeper.state()
    assert.equal(digest.count, listed().length)
    assert.equal(keeper.view().paths.length, digest.count)
    return { longest, count: digest.count }
  }
  const few = await of(everyHour(8))
  const wide = await of([500_000, 1])
  // One in three windows that could be merged has its last block still to come.
  const many = await of(everyHour(500).filter((hours) => hours % 5 === 0))
  assert.ok(few.count < 10 && many.count > 5, JSON.stringify({ few, many }))
  for (const { longest } of [wide, many]) assert.ok(longest < few.longest + 200, JSON.stringify({ few, wide, many }))
})

test('deletions cross to the block thread once, and are forgotten when no block shows them', async () => {
  const { keeper, round, crossed } = await started(everyHour(8))
  for (let i = 0; i < 200; i++)
    keeper.deleteSeries([[{ name: '__name__', op: '=', value: 'm' }]], {
      minTime: NOW - 6 * H,
      maxTime: NOW - 5 * H + i,
    })
  assert.equal(keeper.view().hidden.tombstones.length, 200)
  await round()
  const long = crossed.filter(({ chars }) => chars > 10_000)
  assert.deepEqual(
    long.map(({ kind }) => kind),
    ['cut'],
  )
  assert.equal(keeper.view().hidden.tombstones.length, 0)
})

test('a deletion is kept for as long as a block that shows it is on disk, listed or not', async () => {
  const limits = { timeMs: 0, sizeBytes: 0 }
  const env = memoryEnv()
  let oldest = Number.NaN
  const isOnDisk = () => env.disk.readDirectory('/data/blocks').some((name) => name.startsWith(`${oldest}-`))
  let isDeleted = false
  let retired = 0
  const { keeper, round, listed, setClock } = await started(everyHour(8), limits, env, () => {
    if (!isDeleted || !isOnDisk()) return
    // A hub that is killed now has the block in its list again.
    if (!listed().includes(oldest)) retired++
    assert.equal(keeper.view().hidden.tombstones.length, 1)
  })
  await round()
  oldest = listed()[0]!
  assert.ok(listed().length > 2)
  keeper.deleteSeries([[{ name: '__name__', op: '=', value: 'm' }]], { minTime: 0, maxTime: oldest + 1 })
  isDeleted = true
  limits.timeMs = NOW - H - oldest - BLOCK_MS
  await round()
  assert.ok(!listed().includes(oldest) && isOnDisk())
  // More is cut before what is beyond retention goes.
  const before = retired
  setClock(NOW + 4 * H)
  await round()
  assert.ok(retired > before + 1 && !isOnDisk())
  assert.deepEqual(keeper.view().hidden.tombstones, [])
})

test('retention by size counts what is not blocks', async () => {
  const limits = { timeMs: 0, sizeBytes: 0 }
  const env = memoryEnv()
  const { keeper, round, listed } = await started(everyHour(8), limits, env)
  await round()
  const before = listed()
  const { sizeBytes } = keeper.state()
  env.disk.makeDirectory('/data/wal')
  env.disk.writeFileAtomic('/data/wal/00000001', new Uint8Array(10_000))
  env.disk.makeDirectory('/data/snapshots')
  env.disk.writeFileAtomic('/data/snapshots/mine', new Uint8Array(1e6))
  limits.sizeBytes = sizeBytes + 11_000
  await round()
  assert.deepEqual(listed(), before)
  limits.sizeBytes = sizeBytes + 9_999
  await round()
  assert.deepEqual(listed(), before.slice(1))
  assert.match(JSON.stringify(keeper.families()), new RegExp(`retention_limit_bytes.*${limits.sizeBytes}`))
})

test('a deletion of everything leaves alone what comes later, though a block ends later still', async () => {
  const env = memoryEnv()
  const minTime = BLOCK_MS * Math.floor(NOW / BLOCK_MS)
  const samples = [{ time: NOW, bits: bitsOf(1), start: 0, kind: 0 }]
  const imported = openReader(fillHead([{ labels: labelsFrom({ __name__: 'm' }), samples }]).share())
  BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' }).cut(
    imported,
    { minTime, maxTime: minTime + BLOCK_MS },
    { hidden: { tombstones: [], floors: NO_FLOORS }, deletes: 0 },
  )
  assert.ok(minTime + BLOCK_MS > NOW + 60_000)
  const { keeper } = await started([1], undefined, env)
  keeper.deleteSeries([[]], { minTime: 0, maxTime: Number.MAX_SAFE_INTEGER })
  const ends = [...env.disk.readText(`/data/${TOMBSTONES_FILE}`).matchAll(/"(maxTime|headMaxTime)":(-?\d+)/g)]
  assert.deepEqual(
    ends.map(([, what, time]) => [what, Number(time)]),
    [
      ['maxTime', minTime + BLOCK_MS - 1],
      ['headMaxTime', NOW],
    ],
  )
})

test('when memory runs short, what has ended is cut without a wait for what may still come late', async () => {
  const windowStart = NOW - (NOW % BLOCK_MS)
  // In the window before this one, which ended less than half a window ago.
  const hoursAgo = [(NOW - windowStart) / H + 1]
  const { round, listed, memory, setClock } = await started(hoursAgo)
  setClock(windowStart + 600_000)
  await round()
  assert.deepEqual(listed(), [])
  memory.isMemoryHigh = true
  await round()
  assert.deepEqual(listed(), [windowStart - BLOCK_MS])
})

test('when memory runs short in an open window, that is cut within a second, and merged once it has ended', async () => {
  const windowStart = NOW - (NOW % BLOCK_MS)
  const at = (minutes: number): number => (NOW - windowStart) / H - minutes / 60
  const minutes = [1, 20, 40, 59, 60]
  const { round, keeper, memory, tellMemory, setClock } = await started(minutes.map(at))
  const ranges = () =>
    keeper.state().blocks.map(({ minTime, maxTime }) => [minTime, maxTime].map((t) => t - windowStart))
  const samples = () => keeper.state().blocks.map((block) => block.stats.samples)
  setClock(windowStart + H)
  memory.isMemoryHigh = true
  tellMemory()
  await round(1000)
  const end = H - BLOCK_MS / 48
  assert.deepEqual(ranges(), [[0, end]])
  assert.deepEqual(samples(), [3], 'those of the last minutes stay, and so do their series')
  assert.match(JSON.stringify(keeper.families()), /heliograph_head_early_cuts_total[^}]*"value":1/)
  await round(1000)
  assert.deepEqual(ranges(), [[0, end]], 'what is left is too young')
  memory.isMemoryHigh = false
  setClock(windowStart + BLOCK_MS + H)
  await round()
  assert.deepEqual(ranges(), [
    [0, end],
    [end, BLOCK_MS],
  ])
  assert.deepEqual(samples(), [3, 2])
})

test('when memory is full of series that had no room for samples, they go', async () => {
  const { round, head, memory, tellMemory } = await started([])
  for (let i = 0; i < 5; i++) head.series(labelsFrom({ __name__: 'm', i: String(i) }))
  Object.assign(memory, { isMemoryHigh: true, isMemoryFull: true })
  tellMemory()
  // One that is made just now may get its first sample yet.
  for (let i = 0; i < 2; i++) await round(10_000)
  assert.equal(head.stats().series, 0)
})

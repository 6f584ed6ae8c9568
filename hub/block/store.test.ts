/** Plans and the store: what is cut, merged and removed, and that a merge changes no answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { openReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import type { BlockMeta } from './contract.ts'
import { BLOCK_MS, BlockSet, BlockStore, mergeReaders, planCompaction, planCuts, planRetention } from './mod.ts'
import { anySeries, contents, fillHead, memoryEnv, sorted } from './testing/samples.ts'

const H = 3_600_000

const cuts: readonly [
  name: string,
  head: [number, number] | null,
  nowMs: number,
  delayMs: number,
  minTimes: number[],
][] = [
  ['nothing of an empty head', null, 10 * H, H, []],
  ['nothing before the delay is over', [0, 2 * H], 3 * H, H, []],
  ['a range once the delay is over', [0, 2 * H], 3 * H + 1, H, [0]],
  ['all that is due, oldest first', [H, 7 * H], 7.5 * H, H, [0, 2 * H, 4 * H]],
  ['not past the newest sample', [H, 3 * H], 100 * H, H, [0, 2 * H]],
  ['before 1970 too', [-H, H], 3.5 * H, H, [-2 * H, 0]],
]
for (const [name, head, nowMs, delayMs, minTimes] of cuts)
  test(`planCuts() gives ${name}`, () => {
    const range = head && { minTime: head[0], maxTime: head[1] }
    assert.deepEqual(
      planCuts(range, nowMs, delayMs),
      minTimes.map((minTime) => ({ minTime, maxTime: minTime + BLOCK_MS })),
    )
  })

test('planCuts() gives one long range and no endless list for samples of any time', () => {
  for (const minTime of [-(2 ** 63), -9e15, 0]) {
    const ranges = planCuts({ minTime, maxTime: 2 ** 53 }, 1.7e12, H)
    assert.ok(ranges.length > 1000 && ranges.length <= 300_000, `${ranges.length} ranges`)
    assert.ok(ranges[0]!.minTime <= minTime && ranges[0]!.minTime > minTime - 2 * BLOCK_MS)
    for (let i = 1; i < ranges.length; i++) assert.equal(ranges[i]!.minTime, ranges[i - 1]!.maxTime)
    const { minTime: last, maxTime: end } = ranges.at(-1)!
    assert.ok(end - last === BLOCK_MS && last % BLOCK_MS === 0)
    assert.ok(end < 1.7e12 - H && end >= 1.7e12 - H - 2 * BLOCK_MS)
  }
})

function block(fromHour: number, toHour: number, sizeBytes = 100, sequence = fromHour): BlockMeta {
  return {
    version: 1,
    id: `${fromHour * H}-${toHour * H}-${sequence}`,
    minTime: fromHour * H,
    maxTime: toHour * H,
    sequence,
    level: 1,
    sources: [],
    stats: { series: 1, samples: 1, histograms: 0, chunks: 1, labelPairs: 1, symbols: 2 },
    indexCrc: 0,
    indexBytes: sizeBytes / 2,
    chunksBytes: sizeBytes / 2,
  }
}
const day = (count: number): BlockMeta[] => Array.from({ length: count }, (_, i) => block(2 * i, 2 * i + 2))

const merges: readonly [name: string, blocks: BlockMeta[], retentionHours: number, range: [number, number] | null][] = [
  ['nothing of no blocks', [], 0, null],
  ['nothing while the window may still grow', day(10), 0, null],
  ['ten short ones once an eleventh began', day(11), 0, [0, 20]],
  ['nothing that retention makes too long', day(11), 100, null],
  ['nothing twice', [block(0, 20), block(20, 22)], 0, null],
  ['overlapping ones first', [...day(11), block(4, 6, 100, 99)], 0, [4, 6]],
  ['overlaps of long and short', [block(0, 20), block(18, 20, 100, 99)], 100, [0, 20]],
  ['ten long ones', Array.from({ length: 11 }, (_, i) => block(20 * i, 20 * i + 20)), 0, [0, 200]],
  ['gaps as they are', [block(2, 4), block(14, 16), block(20, 22)], 0, [2, 16]],
]
for (const [name, blocks, retentionHours, range] of merges)
  test(`planCompaction() merges ${name}`, () => {
    const plan = planCompaction(blocks, retentionHours * H)
    assert.deepEqual(plan && [plan.range.minTime / H, plan.range.maxTime / H], range)
    if (plan) assert.ok(plan.sources.length > 1)
  })

test('planRetention() removes what is old, then the oldest until the rest fits', () => {
  const blocks = day(5)
  const ids = (limits: { timeMs: number; sizeBytes: number }) =>
    planRetention(blocks, limits, 10 * H).map(({ minTime }) => minTime / H)
  assert.deepEqual(ids({ timeMs: 0, sizeBytes: 0 }), [])
  assert.deepEqual(ids({ timeMs: 6 * H, sizeBytes: 0 }), [0, 2])
  assert.deepEqual(ids({ timeMs: 0, sizeBytes: 250 }), [0, 2, 4])
  assert.deepEqual(ids({ timeMs: 8 * H, sizeBytes: 400 }), [0])
})

test('cuts, merges and reopening change no answer', () => {
  const delay = H
  fc.assert(
    fc.property(anySeries(23 * H), fc.nat(3), (series, late) => {
      const env = memoryEnv()
      const options = { ...env, log: memoryLogger(), directory: '/data/blocks' }
      const store = BlockStore.open(options)
      const head = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
      const expected = sorted(contents(head))
      const ranges = planCuts(head.timeRange(), 1000 * H, delay)
      for (const range of ranges) store.cut(head, range)
      // What came late and was cut again lies over the first block of its range.
      for (const range of ranges.slice(0, late)) store.cut(head, range)
      const generation = store.share().generation
      const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: (error) => assert.fail(error) })
      const now = () => {
        const readers = set.readers(store.share().paths)
        return readers.length === 0 ? [] : sorted(contents(mergeReaders(readers)))
      }
      assert.deepEqual(now(), expected)
      const stored = expected.reduce((sum, [, lines]) => sum + lines.length, 0)
      let rounds = 0
      while (store.compact(0)) {
        assert.ok(++rounds < 20)
        assert.deepEqual(now(), expected)
      }
      if (rounds > 0) assert.ok(store.share().generation > generation)
      store.sweep()
      assert.equal(env.disk.readDirectory('/data/blocks').length, store.list().length)
      const again = BlockStore.open(options)
      assert.deepEqual(again.list(), store.list())
      assert.deepEqual(now(), expected)
      assert.equal(
        again.list().reduce((sum, { stats }) => sum + stats.samples, 0),
        stored,
      )
      set.close()
      head.release()
    }),
    { numRuns: 60 },
  )
})

test('the sizes of chunks are those of cuts, not of merges', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  const times = Array.from({ length: 60 }, (_, i) => i * 60_000)
  const samples = times.map((time) => ({ time, bits: 0n, start: 0, kind: 0 as const }))
  const head = openReader(fillHead([{ labels: ['a', 'b'] as never, samples }]).share())
  for (const each of [0, 1]) store.cut(head, { minTime: each * BLOCK_MS, maxTime: (each + 1) * BLOCK_MS })
  const meta = store.list()[0]!
  const shown = () => Object.values(store.chunkSizes.state).map(({ count, sum }) => [count, sum])
  const [ofSamples, ofBytes, ofRange] = shown()
  assert.deepEqual(ofSamples, [meta.stats.chunks, 60])
  assert.deepEqual([ofBytes![0], ofBytes![1]! > 0], [meta.stats.chunks, true])
  assert.deepEqual(ofRange, [meta.stats.chunks, times.at(-1)! - (meta.stats.chunks - 1) * 60_000])
  store.cut(head, { minTime: 0, maxTime: BLOCK_MS })
  const before = shown()
  while (store.compact(0));
  assert.equal(store.list().length, 1)
  assert.deepEqual(shown(), before)
})

test('a block that was removed can be read by those who have its path, until the sweep', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  const samples = [{ time: H, bits: 0n, start: 0, kind: 0 }]
  const head = openReader(fillHead([{ labels: ['a', 'b'] as never, samples }]).share())
  const meta = store.cut(head, { minTime: 0, maxTime: BLOCK_MS })!
  const { paths } = store.share()
  assert.deepEqual(store.applyRetention({ timeMs: H, sizeBytes: 0 }, 10 * H), [meta])
  assert.deepEqual(store.share().paths, [])
  const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: (error) => assert.fail(error) })
  assert.equal(set.readers(paths).length, 1)
  set.close()
  store.sweep()
  assert.deepEqual(env.disk.readDirectory('/data/blocks'), [])
})

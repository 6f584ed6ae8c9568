/** What is cut early, and which windows are complete. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BlockMeta } from './mod.ts'
import { cutsUntil, dueCuts, earlyCuts, type MemoryNeed, planCompaction, rangeAt, rangesOf } from './plan.ts'

const H = 3_600_000
const BLOCK = 2 * H
const LAG = BLOCK / 48
/** The start of a window. */
const W = 1000 * BLOCK
const NONE = Number.NEGATIVE_INFINITY

const early: readonly [name: string, head: [number, number], cutUntil: number, ranges: [number, number][]][] = [
  ['what has ended, first', [W - BLOCK, W + H], NONE, [[W - BLOCK, W]]],
  ['then what of the open window is not of the last minutes', [W, W + H], W, [[W, W + H - LAG]]],
  ['nothing of what came in the last minutes', [W + H - 2 * LAG + 1, W + H], W, []],
  ['the second part of a window beside its first', [W + H / 2, W + H], W + H / 2, [[W + H / 2, W + H - LAG]]],
  [
    'late samples of what was cut before, too',
    [W - 5, W + H],
    W + H / 2,
    [
      [W - BLOCK, W],
      [W, W + H / 2],
      [W + H / 2, W + H - LAG],
    ],
  ],
  ['late samples of ended windows alone, when the rest is young', [W - 5, W + H], W + H - LAG, [[W - BLOCK, W]]],
  ['samples ahead of the clock when their time has come', [W, W + BLOCK + H], W, [[W, W + H - LAG]]],
]
for (const [name, [minTime, maxTime], cutUntil, ranges] of early)
  test(`earlyCuts() gives ${name}`, () => {
    const due = earlyCuts({ minTime, maxTime }, W + H, BLOCK, cutUntil)
    assert.deepEqual(
      rangesOf(due).map((range) => [range.minTime, range.maxTime]),
      ranges,
    )
  })

const wanted: readonly [need: MemoryNeed, cutUntil: number, end: number | null][] = [
  ['soon', W + H - 2 * LAG + 1, null],
  ['by some', W + H - 2 * LAG + 1, W + H + 1],
  ['by some', W + H - LAG / 8, W + H + 1],
  ['by some', W + H - LAG / 8 + 1, null],
  ['by all', W + H - 1, W + H + 1],
  ['by all', W + H, W + H + 1],
  ['by all', W + H + 1, null],
  ['by all', W, W + H - LAG],
]
for (const [need, cutUntil, end] of wanted)
  test(`when memory is wanted ${need}, what is cut behind ${cutUntil - W - H} ends at ${end === null ? 'nothing' : end - W - H}`, () => {
    assert.equal(earlyCuts({ minTime: cutUntil, maxTime: W + H }, W + H, BLOCK, cutUntil, need)?.maxTime ?? null, end)
  })

const late: readonly [need: MemoryNeed, newest: number, ranges: [number, number][]][] = [
  ['soon', W + H / 2, []],
  ['by some', W + H / 2, [[W, W + H - 1]]],
  ['by all', W + H / 2, [[W, W + H - 1]]],
  ['by some', W + H, [[W, W + H - 1]]],
]
for (const [need, newest, ranges] of late)
  test(`when memory is wanted ${need} and late samples of the open window fill it, up to ${newest - W - H}, they go`, () => {
    const due = earlyCuts({ minTime: W + 5, maxTime: newest }, W + H, BLOCK, W + H - 1, need)
    assert.deepEqual(
      rangesOf(due).map((range) => [range.minTime, range.maxTime]),
      ranges,
    )
  })

const ahead: readonly [need: MemoryNeed, cutUntil: number, newest: number, end: number | null][] = [
  ['by all', W + H - LAG - 1, W + 2 * H, W + H + 1],
  ['by all', W + H - LAG + 1, W + 2 * H, W + 2 * H + 1],
  ['by all', W + H + 1, W + 2 * H, W + 2 * H + 1],
  ['by all', W + 2 * H + 1, W + 2 * H, W + 2 * H + 1],
  ['by some', W + H - LAG / 8 + 1, W + 2 * H, W + H - LAG / 8 + 1],
  ['soon', W + H - LAG + 1, W + 2 * H, null],
]
for (const [need, cutUntil, newest, end] of ahead)
  test(`when memory is wanted ${need} and samples ahead of the clock are left behind ${cutUntil - W - H}, what is cut ends at ${end === null ? 'nothing' : end - W - H}`, () => {
    const head = { minTime: W + H - LAG / 2, maxTime: newest }
    assert.equal(earlyCuts(head, W + H, BLOCK, cutUntil, need)?.maxTime ?? null, end)
  })

test('whatever was cut before, ranges follow one another, hold every time before the end, and cross no border', () => {
  const time = fc.integer({ min: -3 * BLOCK, max: 3 * BLOCK })
  fc.assert(
    fc.property(time, time, time, time, fc.boolean(), (a, b, end, border, isDue) => {
      const head = { minTime: Math.min(a, b), maxTime: Math.max(a, b) }
      const due = isDue ? dueCuts(head, end, 0, BLOCK, border) : cutsUntil(head, end, border, BLOCK)
      const ranges = rangesOf(due)
      if (!isDue) assert.equal(ranges.length > 0, head.minTime < end)
      for (const [i, { minTime, maxTime }] of ranges.entries()) {
        assert.ok(minTime < maxTime && maxTime - minTime <= BLOCK)
        assert.ok(Math.floor(minTime / BLOCK) === Math.floor((maxTime - 1) / BLOCK), 'of one window')
        assert.ok(border <= minTime || border >= maxTime)
        if (i > 0) assert.equal(minTime, ranges[i - 1]!.maxTime)
        assert.deepEqual(rangeAt(due!, maxTime - 1), ranges[i])
      }
      if (ranges.length > 0) assert.ok(ranges[0]!.minTime <= head.minTime)
      if (!isDue && ranges.length > 0) assert.equal(ranges.at(-1)!.maxTime, end)
    }),
    { numRuns: 2000 },
  )
})

const block = (minTime: number, maxTime: number): BlockMeta =>
  ({ id: `${minTime}-${maxTime}`, minTime, maxTime, stats: { samples: 1 } }) as unknown as BlockMeta

test('the pieces of a window are merged when it has ended, before it is merged with others', () => {
  const pieces = [block(W, W + H), block(W + H, W + H + 5), block(W + H + 5, W + BLOCK)]
  const merged = (blocks: BlockMeta[], retentionMs = 0) =>
    planCompaction(blocks, retentionMs, BLOCK, undefined, W + 2 * BLOCK)?.range
  assert.equal(merged(pieces), undefined, 'it may still get another')
  const next = block(W + BLOCK, W + BLOCK + H)
  assert.deepEqual(merged([...pieces, next]), { minTime: W, maxTime: W + BLOCK })
  assert.deepEqual(merged([...pieces, next], BLOCK), { minTime: W, maxTime: W + BLOCK }, 'however short retention is')
})

test('a block of the future makes no window complete', () => {
  const window = 10 * BLOCK
  const future = block(W + 10 * window, W + 10 * window + BLOCK)
  const count = (others: BlockMeta[]): number => {
    // A day and a half of blocks as they come, merged whenever that is due.
    let blocks = others
    let merges = 0
    for (let i = 0; i < 18; i++) {
      const end = W + (i + 1) * BLOCK
      blocks = [...blocks, block(end - BLOCK, end)]
      for (let plan = planCompaction(blocks, 0, BLOCK, undefined, end); plan; ) {
        merges++
        const { range, sources } = plan
        blocks = [...blocks.filter((each) => !sources.includes(each)), block(range.minTime, range.maxTime)]
        plan = planCompaction(blocks, 0, BLOCK, undefined, end)
      }
    }
    return merges
  }
  assert.equal(count([]), 1)
  assert.equal(count([future]), 1)
})

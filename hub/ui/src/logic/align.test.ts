import assert from 'node:assert/strict'
import { test } from 'node:test'
import { align, stepCount, summarize } from './align.ts'

const grid = { startMs: 10_000, endMs: 14_000, stepMs: 1000 }

test('align() puts missing steps as null between, before and after values', () => {
  const aligned = align(
    [
      {
        metric: { __name__: 'a' },
        values: [
          [11, '1'],
          [13, '3'],
        ],
      },
    ],
    grid,
  )
  assert.deepEqual(aligned.xs, [10, 11, 12, 13, 14])
  assert.deepEqual(aligned.ys, [[null, 1, null, 3, null]])
  assert.equal(aligned.gaps, 1, 'only the step inside the line is a gap')
})

test('align() tolerates the rounding of timestamps, and ignores times off the grid', () => {
  const fine = { startMs: 1_700_000_000_123, endMs: 1_700_000_000_123 + 10 * 14_400, stepMs: 14_400 }
  const at = (i: number): number => Math.round(fine.startMs + i * fine.stepMs) / 1000
  const values = [0, 5, 10, 11].map((i): [number, string] => [at(i), String(i)])
  const { ys } = align([{ metric: {}, values }], fine)
  assert.deepEqual(ys[0], [0, null, null, null, null, 5, null, null, null, null, 10])
})

test('align() counts what it cannot draw', () => {
  const aligned = align(
    [
      {
        metric: {},
        values: [
          [10, 'NaN'],
          [11, '+Inf'],
          [12, '2'],
        ],
      },
      { metric: { h: '1' }, histograms: [[10, {}]] },
    ],
    grid,
  )
  assert.deepEqual(aligned.ys, [[null, null, 2, null, null]])
  assert.equal(aligned.undrawable, 2)
  assert.equal(aligned.histograms, 1)
  assert.equal(aligned.gaps, 0)
})

test('stepCount() counts both ends', () => {
  assert.equal(stepCount(grid), 5)
  assert.equal(stepCount({ startMs: 0, endMs: 2999, stepMs: 1000 }), 3)
})

test('summarize() looks at values only', () => {
  assert.deepEqual(summarize([null, 4, null, 2, null]), { min: 2, max: 4, mean: 3, last: 2, count: 2 })
  assert.equal(summarize([null]), null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatAge, formatDuration, nextRange, parseDuration } from './duration.ts'

const ROWS: readonly (readonly [text: string, ms: number | null])[] = [
  ['1h', 3_600_000],
  ['1h30m', 5_400_000],
  ['1d', 86_400_000],
  ['2w', 14 * 86_400_000],
  ['1y', 365 * 86_400_000],
  ['250ms', 250],
  [' 5m ', 300_000],
  ['', null],
  ['0s', null],
  ['1.5h', null],
  ['30m1h', null],
  ['5', null],
  ['-5m', null],
  ['99999999999999y', null],
]
for (const [text, ms] of ROWS)
  test(`parseDuration() reads ${JSON.stringify(text)} as ${ms}`, () => assert.equal(parseDuration(text), ms))

test('parseDuration() undoes formatDuration()', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 * 365 * 86_400_000 }), (ms) =>
      assert.equal(parseDuration(formatDuration(ms)), ms),
    ),
  )
})

test('formatDuration() uses weeks and years only for whole ones', () => {
  assert.equal(formatDuration(14 * 86_400_000), '2w')
  assert.equal(formatDuration(10 * 86_400_000), '10d')
  assert.equal(formatDuration(14_400), '14s400ms')
})

test('nextRange() steps through the list and stops at its ends', () => {
  assert.equal(nextRange(3_600_000, 1), 7_200_000)
  assert.equal(nextRange(3_600_000, -1), 1_800_000)
  assert.equal(nextRange(4_000_000, -1), 3_600_000)
  assert.equal(nextRange(60_000, -1), 60_000)
})

test('formatAge() shortens as it grows', () => {
  assert.deepEqual([-5, 312, 4200, 42_000, 130_400, 3 * 3_600_000 + 61_000].map(formatAge), [
    '0ms',
    '312ms',
    '4.2s',
    '42s',
    '2m10s',
    '3h1m',
  ])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { gapLengthMs, gapReason, gapStripes, missedSlots } from './gaps.ts'

const gap = (fromMs: number, toMs: number, reason: string, intervalMs = 10) => ({
  target: 't',
  fromMs,
  toMs,
  intervalMs,
  reason,
})

test('a gap counts both its ends, and lasts until the scrape after it', () => {
  assert.equal(missedSlots(gap(100, 130, 'agent_down')), 4)
  assert.equal(gapLengthMs(gap(100, 130, 'agent_down')), 40)
  assert.equal(missedSlots(gap(100, 130, 'forgotten', 0)), null)
  assert.deepEqual(gapReason('new reason'), { kind: 'lost', text: 'new reason' })
})

test('gapStripes() joins neighbours and shows the worst of what lies over each other', () => {
  assert.deepEqual(
    gapStripes([gap(100, 190, 'shutdown'), gap(150, 160, 'overwritten'), gap(200, 200, 'pending')], 0, 400, 40),
    [
      { from: 10 / 40, to: 15 / 40, kind: 'missed' },
      { from: 15 / 40, to: 17 / 40, kind: 'lost' },
      { from: 17 / 40, to: 20 / 40, kind: 'missed' },
      { from: 20 / 40, to: 21 / 40, kind: 'late' },
    ],
  )
})

test('gapStripes() shows every gap, however short, and none outside', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 0, max: 5000 }), (fromMs, length) => {
      const stripes = gapStripes([gap(fromMs, fromMs + length, 'unknown', 1)], 0, 1000, 100)
      assert.equal(stripes.length, 1)
      assert.ok(stripes[0]!.from <= fromMs / 1000 && stripes[0]!.to > fromMs / 1000 && stripes[0]!.to <= 1)
    }),
  )
  assert.deepEqual(gapStripes([gap(-500, -400, 'unknown'), gap(2000, 3000, 'unknown')], 0, 1000, 100), [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { axisLabels, formatOffset, formatTime, parseTime, type Zone } from './time.ts'

const NOON = Date.UTC(2026, 10, 22, 12, 3, 15)

const ROWS: readonly (readonly [text: string, ms: number | null])[] = [
  ['2026-11-22 12:03:15', NOON],
  ['2026-11-22T12:03:15Z', NOON],
  ['2026-11-22T13:03:15+01:00', NOON],
  ['2026-11-22 12:03:15.250', NOON + 250],
  ['2026-11-22 12:03', NOON - 15_000],
  ['2026-11-22', Date.UTC(2026, 10, 22)],
  [String(NOON / 1000), NOON],
  ['2026-02-30', null],
  ['2026-11-22 25:00', null],
  ['yesterday', null],
  ['', null],
]
for (const [text, ms] of ROWS)
  test(`parseTime() reads ${JSON.stringify(text)}`, () => assert.equal(parseTime(text, 'utc'), ms))

test('parseTime() undoes formatTime() in both zones', () => {
  const times = fc.integer({ min: Date.UTC(1980, 0), max: Date.UTC(2100, 0) })
  fc.assert(fc.property(times, (ms) => assert.equal(parseTime(formatTime(ms, 'utc'), 'utc'), ms)))
  // The local hour that autumn repeats has two instants: the clock it shows must come back all the same.
  fc.assert(
    fc.property(times, (ms) => {
      const text = formatTime(ms, 'local')
      assert.equal(formatTime(parseTime(text, 'local')!, 'local'), text)
    }),
  )
})

test('formatOffset() names the zone', () => {
  assert.equal(formatOffset(NOON, 'utc'), '+00:00')
  assert.match(formatOffset(NOON, 'local'), /^[+-]\d\d:\d\d$/)
})

const label = (incr: number, ...seconds: number[]): string[] => axisLabels(seconds, incr, 'utc' satisfies Zone)

test('axisLabels() shows as much of the clock as needed, the date where it changes', () => {
  const midnight = Date.UTC(2026, 10, 23) / 1000
  assert.deepEqual(label(3600, midnight - 3600, midnight, midnight + 3600), [
    '23:00\n2026-11-22',
    '00:00\n2026-11-23',
    '01:00',
  ])
  assert.deepEqual(label(5, midnight), ['00:00:00\n2026-11-23'])
  assert.deepEqual(label(0.5, midnight + 0.5), ['00:00:00.500\n2026-11-23'])
  assert.deepEqual(label(86_400, midnight), ['11-23'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatGoDuration, parseGoDuration } from './mod.ts'

const rows: readonly (readonly [text: string, ms: number | string])[] = [
  ['0', 0],
  ['+5s', 5000],
  ['-1.5h', -5_400_000],
  ['1m2.5s', 62_500],
  ['.5s', 500],
  ['1h0m0s', 3_600_000],
  ['', 'time: invalid duration ""'],
  ['-', 'time: invalid duration "-"'],
  ['s', 'time: invalid duration "s"'],
  ['60', 'time: missing unit in duration "60"'],
  ['1d', 'time: unknown unit "d" in duration "1d"'],
  ['1h 2m', 'time: unknown unit "h " in duration "1h 2m"'],
]
for (const [text, wanted] of rows)
  test(`parseGoDuration() of ${JSON.stringify(text)}`, () => {
    if (typeof wanted === 'number') assert.equal(parseGoDuration(text), wanted)
    else assert.throws(() => parseGoDuration(text), { message: wanted })
  })

const printed: readonly (readonly [ms: number, text: string])[] = [
  [0, '0s'],
  [500, '500ms'],
  [1500, '1.5s'],
  [60_000, '1m0s'],
  [7_200_001, '2h0m0.001s'],
  [-60_000, '-1m0s'],
]
for (const [ms, text] of printed) test(`formatGoDuration() of ${ms}`, () => assert.equal(formatGoDuration(ms), text))

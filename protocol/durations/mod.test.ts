import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDuration } from './mod.ts'

const rows: readonly (readonly [text: string, ms: number | string])[] = [
  ['0', 0],
  ['1h30m', 5_400_000],
  ['1y2w3d4h5m6s7ms', 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_400_000 + 306_007],
  ['100ms', 100],
  ['', 'empty duration string'],
  ['5', 'not a valid duration string: "5"'],
  ['1h5', 'not a valid duration string: "1h5"'],
  ['-1h', 'not a valid duration string: "-1h"'],
  ['h', 'not a valid duration string: "h"'],
  ['1m1h', 'not a valid duration string: "1m1h"'],
  ['1h1h', 'not a valid duration string: "1h1h"'],
  ['5x', 'unknown unit "x" in duration "5x"'],
  ['1.5h', 'unknown unit "." in duration "1.5h"'],
  ['5 m', 'unknown unit " m" in duration "5 m"'],
  ['1m1h5x', 'not a valid duration string: "1m1h5x"'],
  ['300y', 'duration out of range'],
]
for (const [text, wanted] of rows)
  test(`parseDuration() of ${JSON.stringify(text)}`, () => {
    if (typeof wanted === 'number') assert.equal(parseDuration(text), wanted)
    else assert.throws(() => parseDuration(text), { name: 'DurationError', message: wanted })
  })

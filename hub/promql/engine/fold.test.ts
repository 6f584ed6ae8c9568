import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { foldConstants } from './fold.ts'

const rows: readonly (readonly [text: string, folded: string])[] = [
  ['a * 60 * 5', 'a * 60 * 5'],
  ['a * (60 * 5)', 'a * (300)'],
  ['a > 2 ^ 10 - 24', 'a > 1000'],
  ['-(2) * a', '-2 * a'],
  ['a + (1 > bool 2)', 'a + (0)'],
  ['clamp(a, 1 / 4, max_of(1, 2 + 1))', 'clamp(a, 0.25, 3)'],
  ['sum(a) / 0 * (0 / 0)', 'sum(a) / 0 * (NaN)'],
  ['time() - 60 * 60', 'time() - 3600'],
  ['scalar(a) + 1', 'scalar(a) + 1'],
  ['max_over_time((a * (2 * 3))[1h:1m])', 'max_over_time((a * (6))[1h:1m])'],
  ['5 % 3', '2'],
]
for (const [text, folded] of rows)
  test(`${text} is run as ${folded}`, () => {
    assert.equal(printExpr(foldConstants(parseExpr(text, ALL_FEATURES))), folded)
  })

test('what is folded stands where it was written', () => {
  const text = 'histogram_quantile(1 + 1, a)'
  const folded = foldConstants(parseExpr(text, ALL_FEATURES))
  assert.ok(folded.kind === 'call')
  assert.deepEqual(folded.args[0], { kind: 'number', value: 2, duration: false, pos: { start: 19, end: 24 } })
})

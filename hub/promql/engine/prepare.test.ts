/** What is prepared once for a tree is what would be prepared for it each time, over whatever range. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryRange } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { prepare } from './prepare.ts'

const RANGES: readonly QueryRange[] = [
  { startMs: 0, endMs: 0, stepMs: 1, instant: true },
  { startMs: 60_000, endMs: 600_000, stepMs: 15_000, instant: false },
  { startMs: 0, endMs: 7_200_000, stepMs: 60_000, instant: false },
]

const OF_ANY_RANGE = [
  'up',
  'sum by (a) (rate(x_total{b!="c"}[5m])) > 1',
  'x @ 10 offset 5m',
  'max_over_time(sum(rate(x_total[5m]))[1h:1m])',
  '(sum(a) - sum(b)) / sum(a) * (2 + 3)',
]
for (const text of OF_ANY_RANGE)
  test(`${text} is prepared once`, () => {
    const expr = parseExpr(text, ALL_FEATURES)
    const [first, ...others] = RANGES.map((range) => prepare(expr, range))
    for (const other of others) assert.equal(other, first)
  })

const REFUSED: readonly [text: string, message: string][] = [
  ['x[step() - step()]', '2:17: duration must be greater than 0'],
  ['x offset (5m / (step() - step()))', '10:31: division by zero'],
  ['x[5m % (2 - 2)]', '2:13: modulo by zero'],
  ['x offset (10 ^ 400 * step())', '10:27: duration is NaN or infinite'],
  ['x[10 ^ 12 * step()]', '2:18: duration is out of range'],
]
for (const [text, message] of REFUSED)
  test(`${text} is refused, and where`, () => {
    assert.throws(() => prepare(parseExpr(text, ALL_FEATURES), RANGES[1]!), { message })
  })

const OF_ITS_RANGE = [
  'x @ start()',
  'rate(x_total[5m] @ end())',
  'max_over_time(x[1h:1m] @ start())',
  'max_over_time(rate(x_total[step()])[1h:1m])',
  'rate(x_total[2 * step()])',
  'max_over_time(x[range():1m])',
  'max_over_time(x[1h:step()])',
  'x offset (range() / 2)',
  'max_over_time(x[1h:1m] offset step())',
  '(sum(x) + end()) / sum(x)',
  'sum(topk(step(), x))',
  'clamp(x, -(start()), range())',
]
for (const text of OF_ITS_RANGE)
  test(`${text} is prepared for each range`, () => {
    const expr = parseExpr(text, ALL_FEATURES)
    const texts = RANGES.slice(1).map((range) => {
      const prepared = printExpr(prepare(expr, range).expr)
      assert.equal(prepared, printExpr(prepare(parseExpr(text, ALL_FEATURES), range).expr))
      return prepared
    })
    assert.notEqual(texts[0], texts[1])
  })

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { createHead, openReader } from '../../tsdb/mod.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { isStored, keptSide } from './keys.ts'
import { evaluate } from './mod.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'

const rows: readonly [text: string, stored: boolean][] = [
  ['a', true],
  ['-rate(a[5m]) * 2', true],
  ['round(clamp(a, 0, 1)) > 1', true],
  ['1 + 2', false],
  ['topk(3, a) or b', true],
  ['a and sum(b)', true],
  ['sum(b) and a', false],
  ['a + b', true],
  ['{x="1"} + b', false],
  ['a > b', false],
  ['a + on (x) b', false],
  ['a + ignoring (x) b', false],
  ['a + on (x) group_left () b', true],
  ['sum(a) + on (x) group_right () b', true],
  ['a + on (x) group_left (y) b', false],
  ['a + fill (0) b', false],
  ['label_replace(a, "x", "", "", "")', false],
  ['absent_over_time(a[5m])', false],
]
for (const [text, stored] of rows)
  test(`${text} gives ${stored ? 'stored series' : 'series with labels of their own'}`, () => {
    assert.equal(isStored(parseExpr(text, ALL_FEATURES)), stored)
  })

test('the series of a group_right are those of the right side', () => {
  const expr = parseExpr('sum(a) * on (x) group_right () b', ALL_FEATURES)
  assert.ok(expr.kind === 'binary')
  assert.equal(keptSide(expr), expr.rhs)
})

test('what describes a metric goes with its name, also from keys', () => {
  const head = createHead({ maxBytes: 2 ** 24 })
  const described = [
    { __name__: 'a', __type__: 'gauge', x: '1' },
    { __name__: 'b', x: '1' },
  ]
  for (const labels of described) head.appendFloat(head.series(labelsFrom(labels)), 60_000, Float64Array.of(1), 0, 0)
  head.publish()
  const range = { startMs: 60_000, endMs: 60_000, stepMs: 1, instant: true }
  const matches = (text: string): number => {
    const reader = openReader(head.share())
    const result = evaluate({ expr: parseExpr(text), text, range, options: ENGINE_OPTIONS, reader })
    return result.type === 'vector' ? result.series.length : -1
  }
  assert.equal(matches('a * b'), 0)
  assert.equal(matches('abs(a) * b'), 1)
  assert.equal(matches('abs(a) * on (__type__, x) b'), 1)
  assert.equal(matches('abs(a) * on (__type__) b'), 1)
})

test('chains of 500 operators ask each part once what it is', () => {
  const head = createHead({ maxBytes: 2 ** 26 })
  for (const i of ['0', '1'])
    head.appendFloat(head.series(labelsFrom({ __name__: 'x', i })), 60_000, Float64Array.of(1), 0, 0)
  head.publish()
  const range = { startMs: 60_000, endMs: 60_000, stepMs: 1, instant: true }
  for (const op of ['+', 'and', 'or']) {
    const text = Array.from({ length: 500 }, () => 'x').join(` ${op} `)
    const started = process.cpuUsage()
    const reader = openReader(head.share())
    const result = evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader })
    const { user } = process.cpuUsage(started)
    assert.ok(result.type === 'vector' && result.series.length === 2)
    assert.ok(user < 2e6, `${op}: ${user / 1000} ms`)
  }
})

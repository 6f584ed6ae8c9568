import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axisValues, formatCount, formatSi, parseSample, plural } from './format.ts'

const SI: readonly (readonly [value: number, text: string])[] = [
  [0, '0'],
  [1, '1'],
  [1234567, '1.235M'],
  [-1500, '-1.5k'],
  [999.999, '1k'],
  [0.00042, '420µ'],
  [1e-15, '1e-15'],
  [1e30, '1e+30'],
  [Infinity, '+Inf'],
  [NaN, 'NaN'],
]
for (const [value, text] of SI) test(`formatSi() writes ${value} as ${text}`, () => assert.equal(formatSi(value), text))

const AXES: readonly (readonly [splits: readonly number[], incr: number, texts: readonly string[]])[] = [
  [[0, 0.25, 0.5], 0.25, ['0', '250m', '500m']],
  [[0, 0.5, 1], 0.5, ['0', '0.5', '1.0']],
  [[14e6, 16e6, 18e6], 2e6, ['14M', '16M', '18M']],
  [[0, 2500, 5000], 2500, ['0', '2.5k', '5.0k']],
  [[-2000, 0, 2000], 2000, ['-2k', '0', '2k']],
  [[0, 1e-14], 1e-14, ['0', '1.00e-14']],
]
for (const [splits, incr, texts] of AXES)
  test(`axisValues() gives ${JSON.stringify(splits)} one prefix`, () =>
    assert.deepEqual(axisValues(splits, incr), texts))

test('parseSample() reads what the API writes', () => {
  assert.deepEqual(['1.5', '+Inf', '-Inf', 'NaN', '1e-7'].map(parseSample), [1.5, Infinity, -Infinity, NaN, 1e-7])
})

test('counts are grouped and numbered', () => {
  assert.equal(formatCount(1234567), '1,234,567')
  assert.equal(plural(1, 'row'), '1 row')
  assert.equal(plural(2000, 'series', 'series'), '2,000 series')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatG } from '../context.ts'
import { parseBound } from './classic-buckets.ts'
import { DATE_FUNCTIONS } from './dates.ts'
import { goMax, goMin, goPow } from './math.ts'
import { quantileOf } from './order-statistics.ts'
import { naturalLess } from './sorting.ts'

test('calendar functions agree with Date', () => {
  fc.assert(
    fc.property(fc.integer({ min: -60_000_000_000, max: 200_000_000_000 }), (seconds) => {
      const date = new Date(seconds * 1000)
      const of = (name: string) => DATE_FUNCTIONS[name]!(seconds)
      assert.deepEqual(['year', 'month', 'day_of_month', 'day_of_week', 'hour', 'minute'].map(of), [
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCDay(),
        date.getUTCHours(),
        date.getUTCMinutes(),
      ])
      const nextMonth = new Date(0)
      nextMonth.setUTCFullYear(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)
      assert.equal(of('days_in_month'), nextMonth.getUTCDate())
    }),
  )
})

test('a fraction of a second before 1970 is 0, not -0', () => {
  for (const name of ['hour', 'minute']) assert.ok(Object.is(DATE_FUNCTIONS[name]!(-0.5), 0), name)
})

test('a time that no integer holds wraps around as in Go', () => {
  assert.equal(DATE_FUNCTIONS['year']!(NaN), 292277026596)
  assert.equal(DATE_FUNCTIONS['hour']!(Infinity), 15)
})

const NUMBERS: readonly [number, string][] = [
  [0, '0'],
  [-0, '-0'],
  [0.5, '0.5'],
  [100000, '100000'],
  [1000000, '1e+06'],
  [1.700002953e9, '1.700002953e+09'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [-2.5e-7, '-2.5e-07'],
  [Infinity, '+Inf'],
  [NaN, 'NaN'],
]
for (const [value, text] of NUMBERS) test(`%g of ${value} is ${text}`, () => assert.equal(formatG(value), text))

const BOUNDS: readonly [string, number | null][] = [
  ['+Inf', Infinity],
  ['-inf', -Infinity],
  ['infinity', Infinity],
  ['0.5', 0.5],
  ['1e3', 1000],
  ['.5', 0.5],
  ['5.', 5],
  ['0x1p-2', 0.25],
  ['', null],
  ['Hello World', null],
  ['1 ', null],
  ['0x10', null],
  ['1e999', null],
]
for (const [text, bound] of BOUNDS)
  test(`the bound ${JSON.stringify(text)} is ${bound}`, () => assert.equal(parseBound(text), bound))

const ORDER: readonly [string, string][] = [
  ['a2', 'a10'],
  ['1', '2'],
  ['a', 'a1'],
  ['cpu2-x', 'cpu10'],
  ['9223372036854775808', '99999999999999999999'],
  ['100000000000000000000', '99999999999999999999'],
  ['100000000000000000000', '9'],
]
for (const [a, b] of ORDER) {
  test(`naturally ${JSON.stringify(a)} comes before ${JSON.stringify(b)}`, () => {
    assert.equal(naturalLess(a, b), true)
    assert.equal(naturalLess(b, a), false)
  })
}

test('naturally nothing comes neither before nor behind something, as in natsort', () => {
  assert.equal(naturalLess('', 'a'), false)
  assert.equal(naturalLess('a', ''), false)
})

test('the edges of Go: infinities beat NaN, 1 to any power is 1', () => {
  assert.equal(goMax(Infinity, NaN), Infinity)
  assert.equal(goMin(-Infinity, NaN), -Infinity)
  assert.ok(Number.isNaN(goMax(-Infinity, NaN)))
  assert.equal(goPow(1, NaN), 1)
  assert.equal(goPow(-1, -Infinity), 1)
})

test('a quantile has NaN at its low end', () => {
  const of = (q: number, values: number[]) => quantileOf(q, Float64Array.from(values), values.length)
  assert.equal(of(0.5, [3, 1, 2]), 2)
  assert.equal(of(0.75, [1, 2, 3]), 2.5)
  assert.ok(Number.isNaN(of(0, [1, NaN, 2])))
  assert.equal(of(1, [1, NaN, 2]), 2)
  assert.equal(of(2, [1]), Infinity)
})

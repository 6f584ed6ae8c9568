/**
 * Sums, differences and factors of histograms, row by row. Rows as of Prometheus model/histogram/float_histogram_test.go
 * (v3): -Add, -Sub, -Mul, -Div, -Compact.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { type Fields, histogram, readSide, type Side, shown } from '../testing/histogram-rows.ts'
import { type Combined, combine, compact, divide, multiply } from './arithmetic.ts'

const GAUGE = CounterResetHint.gauge
const A: Fields = {
  zero: [0.01, 11],
  count: 30,
  sum: 2.345,
  up: '-2:2 2:3 = 1 0 3 4 7',
  down: '3:2 3:2 = 3 1 5 6',
}
const B: Fields = {
  zero: [0.01, 8],
  count: 21,
  sum: 1.234,
  up: '-1:4 0:3 = 5 4 2 3 6 2 5',
  down: '4:2 1:2 = 1 1 4 4',
}
const A1: Fields = {
  ...A,
  schema: 1,
  up: '-4:3 5:5 = 1 0 0 3 2 2 3 4',
  down: '6:3 6:4 = 3 0.5 0.5 2 3 2 4',
}
const A_AND_B: Fields = {
  zero: [0.01, 19],
  count: 51,
  sum: 3.579,
  up: '-2:5 0:3 = 1 5 4 2 6 10 9 5',
  down: '3:3 1:3 = 3 2 1 4 9 6',
}
const WIDE: Fields = { ...B, zero: [1, 17], up: '1:5 = 2 3 6 2 5' }
const PLAIN = { collision: false, reconciled: false }
const RECONCILED = { ...PLAIN, reconciled: true }
const own5 = (count: number, sum: number, counts: string): Fields => ({
  count,
  sum,
  bounds: [1, 2, 3, 4, 5],
  up: `0:2 1:3 = ${counts}`,
})

type SumRow = readonly [name: string, a: Fields, b: Fields, sum: Fields | null, notes: Omit<Combined, 'h'>]
const sums: readonly SumRow[] = [
  [
    'the same buckets, in other spans',
    {
      ...A,
      up: '-2:2 1:1 0:2 = 1 0 3 4 7',
    },
    {
      ...B,
      up: '-2:2 1:2 0:1 = 0 0 2 3 6',
      down: '3:7 = 1 1 0 0 0 4 4',
    },
    {
      ...A_AND_B,
      up: '-2:2 1:3 = 1 0 5 7 13',
      down: '3:2 3:2 = 4 2 9 10',
    },
    PLAIN,
  ],
  [
    'no bucket in common',
    A,
    {
      ...B,
      up: '0:2 3:3 = 5 4 2 3 6',
      down: '-9:2 3:2 = 1 1 4 4',
    },
    {
      ...A_AND_B,
      up: '-2:10 = 1 0 5 4 3 4 7 2 3 6',
      down: '-9:2 3:2 5:2 3:2 = 1 1 4 4 3 1 5 6',
    },
    PLAIN,
  ],
  ['some buckets in common', A, B, A_AND_B, PLAIN],
  ['another schema', B, A1, A_AND_B, PLAIN],
  ['a larger zero bucket', WIDE, A, { ...A_AND_B, zero: [1, 29], up: '1:5 = 2 6 10 9 5' }, PLAIN],
  [
    'a zero threshold inside of a bucket of the other',
    { ...WIDE, zero: [0.2, 17] },
    A,
    { ...A_AND_B, zero: [0.25, 29], up: '1:5 = 2 6 10 9 5' },
    PLAIN,
  ],
  [
    'another schema, a larger zero bucket in the finer',
    {
      ...B,
      up: '-2:5 0:3 = 2 5 4 2 3 6 2 5',
    },
    {
      ...A1,
      zero: [0.25, 12],
      up: '-3:2 5:5 = 1 0 3 2 2 3 4',
    },
    { ...A_AND_B, zero: [0.25, 22], up: '-1:7 = 6 4 2 6 10 9 5' },
    PLAIN,
  ],
  [
    'another schema, a larger zero bucket in the coarser',
    { ...B, zero: [0.25, 8] },
    A1,
    { ...A_AND_B, zero: [0.25, 20], up: '-1:7 = 5 4 2 6 10 9 5' },
    PLAIN,
  ],
  ['custom', own5(15, 2.345, '1 0 3 4 7'), own5(11, 1.234, '0 0 2 3 6'), own5(26, 3.579, '1 0 5 7 13'), PLAIN],
  [
    'custom, one bound in common',
    { count: 10, sum: 100, bounds: [1, 2.5], up: '0:3 = 2 3 5' },
    { count: 8, sum: 80, bounds: [1, 2, 3], up: '0:4 = 1 2 3 2' },
    { count: 18, sum: 180, bounds: [1], up: '0:2 = 3 15' },
    RECONCILED,
  ],
  [
    'custom, the bounds of one in the other',
    {
      count: 6,
      sum: 2.345,
      bounds: [2, 4],
      up: '0:1 1:1 = 1 5',
    },
    {
      count: 220,
      sum: 1.234,
      bounds: [1, 2, 3, 4, 5],
      up: '0:2 1:1 0:2 = 10 20 40 50 100',
    },
    { count: 226, sum: 3.579, bounds: [2, 4], up: '0:3 = 31 40 155' },
    RECONCILED,
  ],
  [
    'custom, no bound in common',
    { count: 3, sum: 50, bounds: [1.5], up: '0:2 = 1 2' },
    { count: 30, sum: 40, bounds: [2.5], up: '0:2 = 10 20' },
    { count: 33, sum: 90, bounds: [], up: '0:1 = 33' },
    RECONCILED,
  ],
  ['exponential and custom', A, own5(11, 12, '0 0 2 3 6'), null, PLAIN],
]
for (const [name, a, b, expected, notes] of sums)
  test(`a sum, either way round: ${name}`, () => {
    for (const [left, right] of [
      [a, b],
      [b, a],
    ] as const) {
      const result = combine(histogram(left), histogram(right), 1)
      if (expected === null || result === null) assert.equal(result, expected)
      else {
        const { h, ...told } = result
        assert.deepEqual(shown(h), shown(histogram(expected)))
        assert.deepEqual(told, notes)
      }
    }
  })

test('hints of a reset and of none collide', () => {
  const [reset, none] = [CounterResetHint.reset, CounterResetHint.notReset].map((hint) =>
    histogram({ hint, bounds: [] }),
  )
  for (const sign of [1, -1] as const) assert.equal(combine(reset!, none!, sign)!.collision, true)
})

const differences: readonly SumRow[] = [
  [
    'the same buckets',
    {
      ...A,
      sum: 23,
      up: '-2:2 1:3 = 1 0 3 4 7',
    },
    {
      ...B,
      sum: 12,
      up: '-2:2 1:3 = 0 0 2 3 6',
      down: '3:2 3:2 = 1 1 4 4',
    },
    {
      zero: [0.01, 3],
      count: 9,
      sum: 11,
      up: '-2:2 1:3 = 1 0 1 1 1',
      down: '3:2 3:2 = 2 0 1 2',
    },
    PLAIN,
  ],
  [
    'another schema',
    {
      zero: [0.01, 8],
      count: 59,
      sum: 1.234,
      up: '-2:5 0:3 = 2 5 4 2 3 6 7 5',
      down: '3:3 1:3 = 4 10 1 4 14 7',
    },
    {
      ...A1,
      zero: [0.01, 2],
      count: 19,
      sum: 0.345,
      up: '-4:3 5:5 = 1 0 0 1 2 2 3 4',
    },
    {
      zero: [0.01, 6],
      count: 40,
      sum: 0.889,
      up: '-2:8 = 1 5 4 2 2 2 0 5',
      down: '3:3 1:3 = 1 9 1 4 9 1',
    },
    PLAIN,
  ],
  ['custom', own5(15, 23, '1 0 3 4 7'), own5(11, 12, '0 0 2 3 6'), own5(4, 11, '1 0 1 1 1'), PLAIN],
  [
    'custom, other bounds',
    { ...own5(220, 9.9, '10 20 40 50 100'), hint: GAUGE },
    {
      count: 6,
      sum: 4.4,
      bounds: [2, 4],
      up: '0:1 1:1 = 1 5',
      hint: GAUGE,
    },
    { count: 214, sum: 5.5, bounds: [2, 4], up: '0:3 = 29 40 145', hint: GAUGE },
    RECONCILED,
  ],
  ['exponential and custom', A, own5(11, 12, '0 0 2 3 6'), null, PLAIN],
]
for (const [name, a, b, expected, notes] of differences)
  test(`a difference, and its negative: ${name}`, () => {
    for (const sign of [1, -1]) {
      const result = sign === 1 ? combine(histogram(a), histogram(b), -1) : combine(histogram(b), histogram(a), -1)
      if (expected === null || result === null) {
        assert.equal(result, expected)
        continue
      }
      const { h, ...told } = result
      const wanted = { ...multiply(histogram(expected), sign), counterResetHint: expected.hint ?? 0 }
      assert.deepEqual(shown(h), shown(wanted))
      assert.deepEqual(told, notes)
    }
  })

const TRIPLE: Fields = {
  zero: [0.01, 11],
  count: 30,
  sum: 23,
  up: '-2:2 1:3 = 1 0 3 4 7',
  down: '3:2 3:2 = 3 1 5 6',
}
const GAP: Fields = {
  zero: [0.01, 5.5],
  count: 3493.3,
  sum: 2349209.324,
  up: '-2:1 2:3 = 1 3.3 4.2 0.1',
  down: '3:2 3:2 = 3.1 3 1.234e5 1000',
}
const scaled = (text: Side, k: number): Side => {
  const [spans, counts] = text.split(' = ')
  return `${spans} = ${counts!
    .split(' ')
    .map((count) => Number(count) * k)
    .join(' ')}`
}
const times = (f: Fields, k: number, hint: CounterResetHint = 0): Fields => ({
  ...f,
  hint,
  zero: [f.zero?.[0] ?? 0, (f.zero?.[1] ?? 0) * k],
  count: f.count! * k,
  sum: f.sum! * k,
  up: scaled(f.up!, k),
  down: scaled(f.down!, k),
})
const factors: readonly [name: string, made: Histogram, expected: Fields][] = [
  ['nothing times anything', multiply(histogram({}), 3.1415), {}],
  ['times 0', multiply(histogram(GAP), 0), { zero: [0.01, 0] }],
  ['times 1', multiply(histogram(GAP), 1), GAP],
  ['times 3', multiply(histogram(TRIPLE), 3), times(TRIPLE, 3)],
  ['times -1', multiply(histogram(TRIPLE), -1), times(TRIPLE, -1, GAUGE)],
  ['times -2', multiply(histogram(TRIPLE), -2), times(TRIPLE, -2, GAUGE)],
  ['custom times 3', multiply(histogram(own5(30, 23, '1 0 3 4 7')), 3), own5(90, 69, '3 0 9 12 21')],
  ['nothing by anything', divide(histogram({}), 3.1415), {}],
  ['by 0', divide(histogram(GAP), 0), { zero: [0.01, Infinity], count: Infinity, sum: Infinity }],
  ['by 2', divide(histogram(TRIPLE), 2), times(TRIPLE, 0.5)],
  ['by -1', divide(histogram(GAP), -1), times(GAP, -1, GAUGE)],
  ['by -2', divide(histogram(TRIPLE), -2), times(TRIPLE, -0.5, GAUGE)],
  ['custom by 2', divide(histogram(own5(30, 23, '1 0 3 4 7')), 2), own5(15, 11.5, '0.5 0 1.5 2 3.5')],
]
for (const [name, made, expected] of factors)
  test(`a factor: ${name}`, () => assert.deepEqual(shown(made), shown(histogram(expected))))

const compacted: readonly [name: string, up: Side, expected: Side][] = [
  ['none', '', ''],
  ['as they are', '-2:1 2:3 = 1 3.3 4.2 0.1', '-2:1 2:3 = 1 3.3 4.2 0.1'],
  ['spans without a gap', '-2:1 0:3 0:1 = 1 3.3 4.2 0.1 3.3', '-2:5 = 1 3.3 4.2 0.1 3.3'],
  ['a span of no length', '-2:2 2:0 3:3 = 1 3 4 5 6', '-2:2 5:3 = 1 3 4 5 6'],
  ['spans of no length', '-2:2 2:0 2:0 2:0 3:3 = 1 3 4 5 6', '-2:2 9:3 = 1 3 4 5 6'],
  ['empty at both ends', '-4:4 5:6 = 0 0 1 3 4 5 6 0 0 0', '-2:2 5:3 = 1 3 4 5 6'],
  ['empty in the middle', '5:4 = 1 3 0 2', '5:2 1:1 = 1 3 2'],
  ['empty at the ends of spans', '-4:6 3:6 = 0 0 1 3 0 0 4 5 6 0 0 0', '-2:2 5:3 = 1 3 4 5 6'],
  ['empty in the middle of a span', '-4:6 3:3 = 0 0 1 0 0 3 4 5 6', '-2:1 2:1 3:3 = 1 3 4 5 6'],
  ['a span of empty ones', '-4:3 2:2 3:4 = 0 0 1 0 0 3 4 5 6', '-2:1 7:4 = 1 3 4 5 6'],
  ['spans of empty ones', '-10:2 2:1 3:3 = 0 0 0 0 2 3', '-1:2 = 2 3'],
  ['all empty', '-4:6 3:3 = 0 0 0 0 0 0 0 0 0', ''],
]
for (const [name, up, expected] of compacted)
  test(`buckets without empty ones: ${name}`, () => {
    const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = compact(histogram({ up, down: up }))
    const wanted = readSide(expected)
    assert.deepEqual({ positiveSpans: [...positiveSpans], positiveBuckets: [...positiveBuckets] }, wanted)
    assert.deepEqual({ positiveSpans: [...negativeSpans], positiveBuckets: [...negativeBuckets] }, wanted)
  })

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AggregateExpr } from '../../ast.ts'
import { ALL_FEATURES, parseExpr } from '../../parser/mod.ts'
import type { QueryContext } from '../context.ts'
import { FLOAT, NONE, newSeries, type Series } from '../types.ts'
import type { AccumulatorSpec } from './accumulators.ts'
import { newAccumulator } from './mod.ts'

const STEPS = 3

/** Nothing here is annotated, so no context is asked for. */
function specOf(op: string): AccumulatorSpec {
  return { ctx: {} as QueryContext, expr: parseExpr(`${op}(x)`, ALL_FEATURES) as AggregateExpr, steps: STEPS }
}

function seriesOf(values: readonly (number | null)[]): Series {
  const series = newSeries(STEPS, 0, null)
  values.forEach((value, i) => {
    // What stands where nothing is present is left from another series.
    series.values[i] = value ?? 77
    series.present[i] = value === null ? NONE : FLOAT
  })
  return series
}

const rows: readonly [op: string, given: (number | null)[][], wanted: (number | null)[]][] = [
  ['sum', [[1, null, -0]], [1, null, 0]],
  ['avg', [[1, null, -0]], [1, null, 0]],
  [
    'sum',
    [
      [1e100, null, 1],
      [1, 2, null],
      [-1e100, 3, 4],
    ],
    [1, 5, 5],
  ],
  [
    'avg',
    [
      [1, null, 1],
      [2, 2, null],
      [6, 4, 4],
    ],
    [3, 3, 2.5],
  ],
  [
    'max',
    [
      [1, null, -0],
      [0, null, NaN],
    ],
    [1, null, -0],
  ],
  [
    'max',
    [
      [1, NaN, -0],
      [2, NaN, 0],
      [NaN, 5, 0],
      [1, NaN, -0],
    ],
    [2, 5, -0],
  ],
  [
    'min',
    [
      [1, NaN, -0],
      [2, NaN, 0],
      [NaN, 5, 0],
      [0.5, NaN, 1],
    ],
    [0.5, 5, -0],
  ],
  [
    'min',
    [
      [NaN, 3, null],
      [2, 4, null],
    ],
    [2, 3, null],
  ],
  [
    'count',
    [
      [1, null, 1],
      [2, null, null],
    ],
    [2, null, 1],
  ],
  [
    'group',
    [
      [5, null, 5],
      [5, null, null],
    ],
    [1, null, 1],
  ],
  [
    'stdvar',
    [
      [1, null, 4],
      [3, null, null],
    ],
    [1, null, 0],
  ],
]

for (const [op, given, wanted] of rows) {
  const resultOf = ({ values, present }: Pick<Series, 'values' | 'present'>): (number | null)[] =>
    Array.from(values, (value, i) => (present[i] === FLOAT ? value : null))

  test(`${op} of ${JSON.stringify(given)}`, () => {
    const whole = newAccumulator(specOf(op))
    for (const values of given) whole.add(seriesOf(values))
    assert.deepEqual(resultOf(whole.finish()), wanted)
  })

  test(`${op} of ${JSON.stringify(given)}, each on a thread of its own`, () => {
    const [first, ...others] = given.map((values) => {
      const part = newAccumulator(specOf(op))
      part.add(seriesOf(values))
      return part.partial()!
    })
    const merged = newAccumulator(specOf(op), first)
    for (const other of others) merged.merge(other)
    assert.deepEqual(resultOf(merged.finish()), wanted)
  })
}

test('sums and averages of whole columns are those of columns with gaps elsewhere, also where they overflow', () => {
  const columns = [
    [1e308, 1, NaN],
    [1e308, 1e100, 1],
    [-1e308, 1, 1],
    [Infinity, -1e100, 1],
    [1, 3, 1],
  ]
  for (const op of ['sum', 'avg']) {
    const add = (all: readonly (readonly (number | null)[])[]): number[] => {
      const accumulator = newAccumulator(specOf(op))
      for (const values of all) accumulator.add(seriesOf(values))
      return [...accumulator.finish().values]
    }
    const whole = add(columns)
    for (let gap = 0; gap < STEPS; gap++) {
      const withGap = add(columns.map((values) => values.map((value, i) => (i === gap ? null : value))))
      for (let i = 0; i < STEPS; i++) if (i !== gap) assert.ok(Object.is(whole[i], withGap[i]), `${op} at ${i}`)
    }
    assert.equal(whole[1], op === 'sum' ? 5 : 1)
  }
})

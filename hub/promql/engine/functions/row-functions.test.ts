/** Rises of rows beside those of the samples in them: integers, so that no order of additions shows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AggregateColumn, type ChosenBuffer, createChosenBuffer, ensureRows } from '../../../tsdb/aggregates.ts'
import { newSeries, type Series } from '../types.ts'
import { newWindows, type Windows } from '../windows.ts'
import type { RangeCall, RangeFunction } from './range-call.ts'
import { delta, increase, rate } from './rate.ts'
import { ROW_FUNCTIONS } from './row-functions.ts'

const C = AggregateColumn
const ROW_MS = 10_000
const CALL = { anchored: false, smoothed: false } as RangeCall
const KERNELS: Readonly<Record<string, RangeFunction>> = { delta, increase, rate }

/** Of each row the samples in it, at least one, evenly spread. */
type Values = readonly (readonly number[])[]

const timeOf = (row: number, i: number, n: number): number => row * ROW_MS + (i + 1) * Math.floor(ROW_MS / n)

/** Windows of some rows, one after each row, over whatever has these times. */
function windowsOf(values: Values, rangeRows: number, times: readonly number[]): Windows {
  const at = { first: ROW_MS, step: ROW_MS, last: values.length * ROW_MS }
  const w = newWindows(values.length, rangeRows * ROW_MS, at, 0, 0)
  w.count = times.length
  w.times = Float64Array.from(times)
  for (let i = 0; i < values.length; i++) {
    const end = (i + 1) * ROW_MS
    w.lo[i] = times.filter((time) => time <= end - w.rangeMs).length
    w.hi[i] = times.filter((time) => time <= end).length
  }
  return w
}

function rowsOf(values: Values): ChosenBuffer {
  const out = createChosenBuffer()
  ensureRows(out, values.length)
  values.forEach((of, row) => {
    const resets = of.reduce((sum, value, i) => (i > 0 && value < of[i - 1]! ? sum + of[i - 1]! : sum), 0)
    const put = (column: AggregateColumn, value: number): number => (out.columns[column]![row] = value)
    out.times[row] = (row + 1) * ROW_MS
    out.widths[row] = ROW_MS
    put(C.samples, of.length)
    put(C.first, of[0]!)
    put(C.last, of.at(-1)!)
    put(C.firstTime, timeOf(row, 0, of.length))
    put(C.lastTime, timeOf(row, of.length - 1, of.length))
    put(C.resets, resets)
    out.count++
  })
  return out
}

const answers = ({ values, present }: Series): (number | null)[] =>
  Array.from(values, (value, i) => (present[i] === 0 ? null : value))

function assertSame(values: Values, rangeRows: number): void {
  const rows = rowsOf(values)
  const times = values.flatMap((of, row) => of.map((_, i) => timeOf(row, i, of.length)))
  for (const [name, kernel] of Object.entries(KERNELS)) {
    const [got, wanted] = [newSeries(values.length, 0, null), newSeries(values.length, 0, null)]
    const ofSamples = windowsOf(values, rangeRows, times)
    ofSamples.values = Float64Array.from(values.flat())
    kernel(ofSamples, wanted, CALL)
    const ofRows = windowsOf(values, rangeRows, [...rows.times.subarray(0, rows.count)])
    ROW_FUNCTIONS[name]!.compute(rows, ofRows, got, CALL)
    assert.deepEqual(answers(got), answers(wanted), `${name} over ${rangeRows} rows`)
  }
}

const series: readonly [name: string, values: Values][] = [
  ['rises', [[1, 2], [3], [5, 8]]],
  ['a reset between rows', [[1, 2], [1], [5, 8]]],
  ['resets within rows and between them', [[4, 2, 3], [1, 0, 7], [6], [5, 2]]],
  ['falls to zero and below it', [[3, 0], [-2, 0], [0, -1], [0]]],
  ['a fall below zero before a row whose own resets add as much', [[-3], [-4, 3, -2, 2], [5]]],
  ['a fall before a row whose own resets take it back', [[4], [2, -2, -4, -5], [0]]],
  ['no number', [[1, NaN], [NaN, 4, 3], [NaN], [2, 1]]],
  [
    'infinite numbers',
    [
      [1, Infinity],
      [3, -Infinity],
      [-Infinity, 2],
    ],
  ],
]
for (const [name, values] of series)
  test(`rows of ${name} rise as their samples do`, () => {
    for (let rangeRows = 1; rangeRows <= values.length; rangeRows++) assertSame(values, rangeRows)
  })

test('rows rise as their samples do', () => {
  const anyValue = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: -5, max: 5 }) },
    // Not -0: a rise of zero may come out as either zero.
    { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
  )
  const anyRow = fc.array(anyValue, { minLength: 1, maxLength: 5 })
  fc.assert(fc.property(fc.array(anyRow, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 6 }), assertSame), {
    numRuns: 2000,
  })
})

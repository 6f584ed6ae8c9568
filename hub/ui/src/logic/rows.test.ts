import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InstantData } from '../api/types.ts'
import { filterRows, rowsOf, sortRows, tableOf } from './rows.ts'

const vector: InstantData = {
  resultType: 'vector',
  result: [
    { metric: { __name__: 'a', host: 'h10' }, value: [5, '2'] },
    { metric: { __name__: 'a', host: 'h2' }, value: [5, '10'] },
    { metric: { __name__: 'a', host: 'h3' }, value: [5, 'NaN'] },
    { metric: { __name__: 'a', host: 'h4' }, value: [5, '+Inf'] },
  ],
}
const hosts = (rows: ReturnType<typeof sortRows>): string[] => rows.map(({ labels }) => labels['host'] ?? '')

test('sortRows() keeps the answer, sorts by value with NaN last, and by name with numbers in order', () => {
  const rows = rowsOf(vector)
  assert.deepEqual(hosts(sortRows(rows, { by: 'answer', isDescending: true })), ['h10', 'h2', 'h3', 'h4'])
  assert.deepEqual(hosts(sortRows(rows, { by: 'value', isDescending: true })), ['h4', 'h2', 'h10', 'h3'])
  assert.deepEqual(hosts(sortRows(rows, { by: 'value', isDescending: false })), ['h10', 'h2', 'h4', 'h3'])
  assert.deepEqual(hosts(sortRows(rows, { by: 'series', isDescending: false })), ['h2', 'h3', 'h4', 'h10'])
})

test('filterRows() looks into the whole series', () => {
  assert.deepEqual(hosts(filterRows(rowsOf(vector), ' HOST="H2" ')), ['h2'])
})

test('rowsOf() reads scalars, strings, ranges and native histograms', () => {
  assert.deepEqual(rowsOf({ resultType: 'scalar', result: [1, '3'] })[0]!.samples, [{ text: '3' }])
  assert.deepEqual(rowsOf({ resultType: 'string', result: [1, 'x @2'] })[0]!.samples, [{ text: 'x @2' }])
  const range = rowsOf({
    resultType: 'matrix',
    result: [
      {
        metric: {},
        values: [
          [1, '4'],
          [2, '5'],
        ],
        histograms: [],
      },
    ],
  })
  assert.deepEqual(range[0]!.samples, [
    { text: '4', seconds: 1 },
    { text: '5', seconds: 2 },
  ])
  const histogram = rowsOf({
    resultType: 'vector',
    result: [{ metric: {}, histogram: [1, { count: '3', sum: '7', buckets: [[3, '-1', '1', '3']] }] }],
  })
  assert.equal(histogram[0]!.samples[0]!.text, 'count 3, sum 7\n[-1, 1]: 3')
})

test('tableOf() has a column for every label of any row', () => {
  const rows = rowsOf({
    resultType: 'vector',
    result: [
      { metric: { b: '1' }, value: [5, '2'] },
      { metric: { a: '2' }, value: [5, '3'] },
    ],
  })
  assert.deepEqual(tableOf(rows), [
    ['a', 'b', 'value', 'timestamp'],
    ['', '1', '2', '5'],
    ['2', '', '3', '5'],
  ])
})

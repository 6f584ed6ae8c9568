import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exponentialBound } from './bounds.ts'

/** Read off upstream's table: twice the entry, as it stands for [0.5, 1). */
const rows: readonly [schema: number, index: number, halfBound: number][] = [
  [0, 0, 0.5],
  [1, 1, 0.7071067811865475],
  [2, 3, 0.8408964152537144],
  [3, 1, 0.5452538663326288],
  [4, 15, 0.9576032806985735],
  [5, 31, 0.9785720620876999],
  [6, 63, 0.9892280131939752],
  [7, 1, 0.5027149505564014],
  [7, 33, 0.5978321960199137],
  [7, 47, 0.6449179367033329],
  [7, 127, 0.9945994234836328],
  [8, 1, 0.5013556375251013],
  [8, 17, 0.5235525479396449],
  [8, 127, 0.7051948041086352],
]

for (const [schema, index, half] of rows) {
  test(`exponentialBound(${index}, ${schema}) is upstream's, bit for bit`, () => {
    assert.equal(exponentialBound(index, schema), 2 * half)
    assert.equal(exponentialBound(index - 3 * 2 ** schema, schema), half / 4)
  })
}

test('the bound of the last regular bucket is the largest double, that of the next infinite', () => {
  for (const schema of [-4, -1, 0, 3, 8]) {
    const last = 1024 * 2 ** schema
    assert.equal(exponentialBound(last, schema), Number.MAX_VALUE)
    assert.equal(exponentialBound(last + 1, schema) > Number.MAX_VALUE, true)
  }
})

test('bounds near the smallest doubles do not vanish early', () => {
  assert.equal(exponentialBound(-1074, 0), Number.MIN_VALUE)
  assert.equal(exponentialBound(-1074 * 4, 2), Number.MIN_VALUE)
})

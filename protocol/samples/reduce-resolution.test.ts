/** Rows as of Prometheus model/histogram/generic_test.go, TestReduceResolutionFloatHistogram, at the schemas in question. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { atMostSchema8, EMPTY_HISTOGRAM, type Histogram, isTooFine, type Span } from './mod.ts'

const spans = (list: readonly (readonly [number, number])[]): Span[] =>
  list.map(([offset, length]) => ({ offset, length }))
const histogram = (schema: number, list: readonly (readonly [number, number])[], counts: number[]): Histogram => ({
  ...EMPTY_HISTOGRAM,
  schema,
  positiveSpans: spans(list),
  positiveBuckets: counts,
  negativeSpans: spans(list),
  negativeBuckets: counts,
})

type Side = readonly [spans: readonly (readonly [number, number])[], counts: number[]]
const rows: readonly [name: string, schema: number, before: Side, after: Side][] = [
  ['none', 9, [[], []], [[], []]],
  ['one span', 10, [[[0, 4]], [1, 3, 1, 2]], [[[0, 2]], [1, 6]]],
  [
    'spans that meet',
    10,
    [
      [
        [0, 4],
        [0, 0],
        [3, 2],
      ],
      [1, 3, 1, 2, 4, 5],
    ],
    [[[0, 3]], [1, 6, 9]],
  ],
  [
    'spans that stay apart',
    9,
    [
      [
        [-5, 2],
        [11, 2],
      ],
      [1, 2, 3, 4],
    ],
    [
      [
        [-2, 1],
        [5, 2],
      ],
      [3, 3, 4],
    ],
  ],
  ['beyond what a shift can', 52, [[[-3, 7]], [1, 1, 1, 1, 1, 1, 1]], [[[0, 2]], [4, 3]]],
]
for (const [name, schema, [list, counts], [wantedSpans, wantedCounts]] of rows)
  test(`buckets of schema ${schema} as of schema 8: ${name}`, () => {
    const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets, ...rest } = atMostSchema8(
      histogram(schema, list, counts),
    )
    assert.equal(rest.schema, 8)
    assert.deepEqual([positiveSpans, positiveBuckets], [spans(wantedSpans), wantedCounts])
    assert.deepEqual([negativeSpans, negativeBuckets], [spans(wantedSpans), wantedCounts])
  })

for (const [schema, expected] of [
  [-53, false],
  [-9, false],
  [-4, false],
  [8, false],
  [9, true],
  [52, true],
  [53, false],
] as const)
  test(`schema ${schema} is ${expected ? '' : 'not '}too fine`, () => {
    const before = histogram(schema, [[0, 1]], [1])
    assert.equal(isTooFine(before), expected)
    assert.equal(atMostSchema8(before) === before, !expected)
  })

test('no observation is lost, and what is merged lies in the bucket that it is merged to', () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 9, max: 52 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 9 })), { maxLength: 8 }),
      fc.integer({ min: -4000, max: 0 }),
      (schema, parts, start) => {
        const list = parts.map(([gap, length], i) => [i === 0 ? start : gap, length] as const)
        const size = parts.reduce((sum, [, length]) => sum + length, 0)
        const before = histogram(
          schema,
          list,
          Array.from({ length: size }, (_, i) => i + 1),
        )
        const expected = new Map<number, number>()
        for (const [index, count] of indexed(before)) {
          const to = Math.ceil(index / 2 ** (schema - 8))
          expected.set(to, (expected.get(to) ?? 0) + count)
        }
        assert.deepEqual(indexed(atMostSchema8(before)), [...expected])
      },
    ),
  ))

function indexed({ positiveSpans, positiveBuckets }: Histogram): [index: number, count: number][] {
  let at = 0
  return positiveSpans
    .flatMap(({ offset, length }) => {
      at += offset
      return Array.from({ length }, (_): number => at++)
    })
    .map((index, i) => [index, positiveBuckets[i]!])
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PageSource } from '../../protocol/exposition/mod.ts'
import { type Histogram, withSchema } from '../../protocol/samples/mod.ts'
import { limitHistograms, schemaFor } from './histogram-limits.ts'
import { httpSource, withTargetDefaults } from './target.ts'

const HISTOGRAM: Histogram = {
  isFloat: false,
  isStale: false,
  counterResetHint: 0,
  schema: 2,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 15,
  sum: 0,
  positiveSpans: [
    { offset: -3, length: 4 },
    { offset: 2, length: 1 },
  ],
  positiveBuckets: [1, 2, 3, 4, 5],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [],
}

const limited = (histogram: Histogram, limit: number, factor: number) => {
  const histograms = new Map([[0, histogram]])
  const config = withTargetDefaults({
    job: 'j',
    source: httpSource({ address: 'h:1' }),
    labels: [] as never,
    nativeHistogramBucketLimit: limit,
    nativeHistogramMinBucketFactor: factor,
  })
  const error = limitHistograms({ histograms } as unknown as PageSource, config)
  return { error, histogram: histograms.get(0)! }
}

test('withSchema() puts each observation into the wider bucket that covers it', () => {
  // Buckets -3, -2, -1, 0 and 3 of schema 2; bucket i is (i+1)>>1 of schema 1.
  assert.deepEqual(withSchema(HISTOGRAM, 1), {
    ...HISTOGRAM,
    schema: 1,
    positiveSpans: [
      { offset: -1, length: 2 },
      { offset: 1, length: 1 },
    ],
    positiveBuckets: [3, 7, 5],
  })
  assert.deepEqual(withSchema(HISTOGRAM, -4).positiveBuckets, [10, 5])
})

test('a histogram over the limit loses resolution, or fails the scrape when it cannot', () => {
  assert.deepEqual(limited(HISTOGRAM, 0, 0), { error: '', histogram: HISTOGRAM })
  assert.equal(limited(HISTOGRAM, 3, 0).histogram.schema, 1)
  assert.equal(limited(HISTOGRAM, 2, 0).histogram.schema, 0)
  assert.equal(limited(HISTOGRAM, 1, 0).error, 'histogram bucket limit exceeded')
  const custom: Histogram = { ...HISTOGRAM, schema: -53, customValues: [1, 2, 3, 4] }
  assert.equal(limited(custom, 4, 0).error, 'histogram bucket limit exceeded')
  assert.equal(limited(custom, 5, 4).error, '')
})

test('the smallest factor between buckets bounds the schema', () => {
  for (const [factor, schema] of [
    [0, 8],
    [1, 8],
    [1.002, 8],
    [1.1, 2],
    [2, 0],
    [4, -1],
    [100_000, -4],
    [1e9, -4],
  ] as const)
    assert.equal(schemaFor(factor), schema, String(factor))
  assert.equal(limited(HISTOGRAM, 0, 2).histogram.schema, 0)
})

for (const [schema, expected] of [
  [8, 8],
  [9, 8],
  [52, 8],
] as const)
  test(`without limits, a histogram of schema ${schema} is kept as of schema ${expected}`, () => {
    const { error, histogram } = limited({ ...HISTOGRAM, schema }, 0, 0)
    assert.equal(error, '')
    assert.equal(histogram.schema, expected)
    assert.equal(
      histogram.positiveBuckets.reduce((sum, count) => sum + count, 0),
      15,
    )
  })

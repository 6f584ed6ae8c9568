import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Histogram } from '../samples/mod.ts'
import { encodeWriteRequest, WriteRequestDecoder } from './mod.ts'
import { histogramProblem } from './validate-histogram.ts'

const GOOD: Histogram = {
  isFloat: false,
  isStale: false,
  counterResetHint: 0,
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 10,
  sum: 7.5,
  positiveSpans: [
    { offset: -3, length: 2 },
    { offset: 0, length: 1 },
  ],
  positiveBuckets: [1, 2, 3],
  negativeSpans: [{ offset: 4, length: 1 }],
  negativeBuckets: [2],
  customValues: [],
}
const CUSTOM: Histogram = {
  ...GOOD,
  schema: -53,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 3,
  positiveSpans: [{ offset: 1, length: 2 }],
  positiveBuckets: [1, 2],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [0.5, 1],
}

const rows: readonly (readonly [name: string, histogram: Histogram, problem: RegExp | null])[] = [
  ['a good one', GOOD, null],
  ['a good one of custom buckets', CUSTOM, null],
  ['a stale marker, whatever it says', { ...GOOD, isStale: true, count: -1 }, null],
  ['one with a NaN among its observations', { ...GOOD, sum: Number.NaN, count: 11 }, null],
  ['floats that do not sum up exactly', { ...GOOD, isFloat: true, count: 10.000001 }, null],
  ['an unknown schema', { ...GOOD, schema: 9 }, /invalid schema.*got schema 9/],
  [
    'spans for more buckets',
    { ...GOOD, positiveSpans: [{ offset: 0, length: 4e9 }] },
    /positive side: spans need 4000000000 buckets, have 3 buckets/,
  ],
  ['spans for fewer buckets', { ...GOOD, negativeSpans: [] }, /negative side: spans need 0 buckets, have 1 buckets/],
  [
    'a later span that goes back',
    {
      ...GOOD,
      positiveSpans: [
        { offset: 0, length: 2 },
        { offset: -1, length: 1 },
      ],
    },
    /span number 2 with offset -1/,
  ],
  [
    'a negative bucket',
    { ...GOOD, positiveBuckets: [1, -2, 3] },
    /positive side: bucket number 2 has observation count of -2/,
  ],
  [
    'a count that is too small',
    { ...GOOD, count: 9 },
    /10 observations found in buckets, but the Count field is 9.*should equal/,
  ],
  ['a count that is too small beside NaN', { ...GOOD, sum: Number.NaN, count: 9 }, /at least/],
  [
    'custom bounds in an exponential one',
    { ...GOOD, customValues: [1] },
    /exponential schema must not have custom bounds/,
  ],
  [
    'custom bounds out of order',
    { ...CUSTOM, customValues: [1, 1] },
    /^custom buckets: previous bound is 1\.000000 and current is 1\.000000: histogram custom bounds must be in strictly increasing order$/,
  ],
  [
    'a custom bound below all',
    { ...CUSTOM, customValues: [1, Number.NEGATIVE_INFINITY] },
    /previous bound is 1\.000000 and current is -Inf/,
  ],
  // Of several faults the first is named, in upstream's order (Prometheus 3.5, 20,000 random histograms).
  [
    'custom bounds in an exponential one, of negative buckets too',
    { ...GOOD, customValues: [1], negativeBuckets: [-2] },
    /^negative side: bucket number 1/,
  ],
  [
    'custom bounds in an exponential one, whose spans are wrong too',
    { ...GOOD, customValues: [1], positiveSpans: [] },
    /^positive side: spans need 0 buckets/,
  ],
  [
    'a first span of custom buckets that goes back, and a second',
    {
      ...CUSTOM,
      positiveSpans: [
        { offset: -1, length: 1 },
        { offset: -1, length: 1 },
      ],
    },
    /^custom buckets: span number 1 with offset -1/,
  ],
  [
    'a custom bound of +Inf',
    { ...CUSTOM, customValues: [1, Number.POSITIVE_INFINITY] },
    /\+Inf bound must not be explicitly defined/,
  ],
  ['too few custom bounds', { ...CUSTOM, customValues: [1] }, /only 1 custom bounds defined.*total span length of 3/],
  ['custom buckets with a zero bucket', { ...CUSTOM, zeroCount: 1 }, /zero count of 0/],
  [
    'custom buckets with negative ones',
    { ...CUSTOM, negativeSpans: GOOD.negativeSpans, negativeBuckets: [2] },
    /must not have negative spans/,
  ],
]
for (const [name, histogram, problem] of rows)
  test(`histogramProblem() ${problem === null ? 'takes' : 'refuses'} ${name}`, () => {
    const found = histogramProblem(histogram)
    if (problem === null) assert.equal(found, null)
    else assert.match(found ?? '', problem)
  })

// As Prometheus since 3.7: what is finer than schema 8 loses resolution on its way in, what is coarser than -4 is refused.
for (const [schema, kept] of [
  [-5, null],
  [8, 8],
  [9, 8],
  [52, 8],
  [53, null],
] as const)
  test(`a histogram of schema ${schema} is ${kept === null ? 'refused' : `written as of schema ${kept}`}`, () => {
    const series = { labels: ['__name__', 'h'] as never, timestamps: [], values: new Float64Array(0) }
    const body = encodeWriteRequest([{ ...series, histograms: [{ timestampMs: 1, histogram: { ...GOOD, schema } }] }])
    const decode = () => new WriteRequestDecoder().decode(body).histograms[0]!.histogram
    if (kept === null) assert.throws(decode, new RegExp(`got schema ${schema}`))
    else assert.equal(decode().schema, kept)
  })

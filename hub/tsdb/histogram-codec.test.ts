import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { decodeHistogram, HistogramEncoder } from './histogram-codec.ts'

const spans = fc.array(fc.record({ offset: fc.integer(), length: fc.nat() }, { noNullPrototype: true }), {
  maxLength: 5,
})

function histogram(isFloat: boolean): fc.Arbitrary<Histogram> {
  const count = isFloat ? fc.double() : fc.maxSafeNat()
  const bucket = isFloat ? fc.double() : fc.maxSafeInteger()
  return fc.record(
    {
      isFloat: fc.constant(isFloat),
      isStale: fc.constant(false),
      counterResetHint: fc.nat(3).map((x) => x as CounterResetHint),
      schema: fc.constantFrom(-53, -4, 0, 3, 8),
      zeroThreshold: fc.double(),
      zeroCount: count,
      count,
      sum: fc.double(),
      positiveSpans: spans,
      positiveBuckets: fc.array(bucket, { maxLength: 40 }),
      negativeSpans: spans,
      negativeBuckets: fc.array(bucket, { maxLength: 40 }),
      customValues: fc.array(fc.double(), { maxLength: 10 }),
    },
    { noNullPrototype: true },
  )
}

test('a histogram is decoded as it was, float or integer', () => {
  const encoder = new HistogramEncoder()
  fc.assert(
    fc.property(fc.oneof(histogram(false), histogram(true)), (wanted) => {
      assert.deepEqual(decodeHistogram(encoder.encode(wanted)), wanted)
    }),
    { numRuns: 500 },
  )
})

test('a stale histogram is one or two bytes, and stale', () => {
  const [sample] = fc.sample(histogram(true), { numRuns: 1, seed: 1 })
  const bytes = new HistogramEncoder().encode({ ...sample!, isStale: true })
  assert.ok(bytes.length <= 2)
  const decoded = decodeHistogram(bytes)
  assert.deepEqual([decoded.isStale, decoded.isFloat, decoded.positiveBuckets], [true, true, []])
})

test('histograms of one layout share it, and no other', () => {
  const encoder = new HistogramEncoder()
  const base: Histogram = {
    ...EMPTY_HISTOGRAM,
    schema: 3,
    positiveSpans: [
      { offset: 1, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveBuckets: [1, 2, 3],
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: [4],
    customValues: [0.5, -0],
  }
  const variants: readonly Partial<Histogram>[] = [
    {},
    { positiveBuckets: [2, 3, 4] },
    { positiveSpans: [base.positiveSpans[0]!, { offset: 4, length: 1 }] },
    { positiveSpans: [{ offset: 1, length: 3 }] },
    { negativeSpans: [], negativeBuckets: [] },
    { customValues: [0.5, 0] },
    { customValues: [0.5, -0, 1] },
  ]
  const layoutOf = ({ positiveSpans, negativeSpans, customValues }: Histogram): readonly unknown[] => [
    positiveSpans,
    negativeSpans,
    customValues,
  ]
  for (const a of variants)
    for (const b of variants) {
      const [one, other] = [
        { ...base, ...a },
        { ...base, ...b },
      ]
      const decoded = [one, other, other].map((each) => decodeHistogram(encoder.encode(each)))
      assert.deepEqual(decoded, [one, other, other])
      layoutOf(decoded[1]!).forEach((part, i) => void assert.equal(layoutOf(decoded[2]!)[i], part))
    }
})

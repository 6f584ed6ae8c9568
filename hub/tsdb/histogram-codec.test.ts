import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CounterResetHint, Histogram } from '../../protocol/samples/mod.ts'
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

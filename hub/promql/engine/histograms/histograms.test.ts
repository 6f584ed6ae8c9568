import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../../../protocol/samples/mod.ts'
import { combine, compact, divide, equalHistograms, multiply } from './arithmetic.ts'
import { exponentialBound } from './bounds.ts'
import { allBuckets, listBuckets, packBuckets, reduceResolution } from './buckets.ts'
import { formatHistogram } from './format.ts'
import { histogramFraction, histogramQuantile } from './quantile.ts'
import { detectReset } from './resets.ts'
import { trimHistogram } from './trim.ts'

function histogram(fields: Partial<Histogram>): Histogram {
  return { ...EMPTY_HISTOGRAM, ...fields }
}

const side = fc.uniqueArray(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 0, max: 50 })), {
  selector: ([index]) => index,
  maxLength: 8,
})

/** Consistent histograms: the count is that of the buckets. */
const histograms: fc.Arbitrary<Histogram> = fc
  .record({
    schema: fc.integer({ min: -2, max: 3 }),
    positive: side,
    negative: side,
    zeroCount: fc.integer({ min: 0, max: 9 }),
    zeroThreshold: fc.constantFrom(0, 0.001, 0.25, 1),
  })
  .map(({ schema, positive, negative, zeroCount, zeroThreshold }) => {
    const pack = (buckets: readonly (readonly [number, number])[]) => {
      const sorted = buckets
        .filter(([index]) => exponentialBound(index - 1, schema) >= zeroThreshold)
        .sort(([a], [b]) => a - b)
      return packBuckets({ index: sorted.map(([index]) => index), count: sorted.map(([, count]) => count) })
    }
    const up = pack(positive)
    const down = pack(negative)
    const count = [...up.counts, ...down.counts].reduce((a, b) => a + b, zeroCount)
    return histogram({
      schema,
      zeroThreshold,
      zeroCount,
      count,
      sum: count * 1.5,
      positiveSpans: up.spans,
      positiveBuckets: up.counts,
      negativeSpans: down.spans,
      negativeBuckets: down.counts,
    })
  })

const total = (h: Histogram) => allBuckets(h).reduce((sum, bucket) => sum + bucket.count, 0)

test('a sum of histograms loses no observation, whatever the schemas and zero buckets', () => {
  fc.assert(
    fc.property(histograms, histograms, (a, b) => {
      const sum = combine(a, b, 1)!.h
      assert.equal(sum.count, a.count + b.count)
      assert.equal(total(sum), sum.count)
      assert.ok(sum.schema <= Math.min(a.schema, b.schema))
    }),
  )
})

test('addition does not depend on the order', () => {
  fc.assert(
    fc.property(histograms, histograms, (a, b) => assert.ok(equalHistograms(combine(a, b, 1)!.h, combine(b, a, 1)!.h))),
  )
})

test('a histogram less itself is empty', () => {
  fc.assert(
    fc.property(histograms, (h) => {
      const rest = combine(h, h, -1)!.h
      assert.equal(rest.count, 0)
      assert.equal(total(rest), 0)
    }),
  )
})

test('a counter that only grew was not reset, and the older after the newer was, if they differ', () => {
  fc.assert(
    fc.property(histograms, histograms, (a, b) => {
      const later = combine(a, b, 1)!.h
      assert.equal(detectReset({ ...later, counterResetHint: CounterResetHint.unknown }, a), false)
      assert.equal(
        detectReset(a, later),
        b.count > 0 || a.schema > later.schema || a.zeroThreshold < later.zeroThreshold,
      )
    }),
  )
})

test('spans and lists are two forms of the same buckets', () => {
  fc.assert(
    fc.property(histograms, (h) => {
      const list = listBuckets(h.positiveSpans, h.positiveBuckets)
      const packed = packBuckets(list)
      assert.deepEqual(packed.spans, compact(h).positiveSpans)
      assert.deepEqual(listBuckets(packed.spans, packed.counts), {
        index: list.index.filter((_, i) => list.count[i] !== 0),
        count: list.count.filter((count) => count !== 0),
      })
    }),
  )
})

test('quantiles rise with q and fractions invert them', () => {
  fc.assert(
    fc.property(
      histograms,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (h, p, q) => {
        if (h.count === 0) return
        const [low, high] = p < q ? [p, q] : [q, p]
        const a = histogramQuantile(low, h).value
        const b = histogramQuantile(high, h).value
        assert.ok(a <= b + 1e-9 * Math.abs(b), `${a} at ${low} is above ${b} at ${high}`)
        const { value } = histogramFraction(-Infinity, Infinity, h)
        assert.ok(Math.abs(value - 1) < 1e-12)
      },
    ),
  )
})

test('what is trimmed away below and above makes up the whole', () => {
  fc.assert(
    fc.property(histograms, fc.double({ min: -100, max: 100, noNaN: true }), (h, at) => {
      const below = trimHistogram(h, at, true)
      const above = trimHistogram(h, at, false)
      assert.ok(Math.abs(below.count + above.count - h.count) < 1e-9 * Math.max(1, h.count))
    }),
  )
})

const BOUNDS: readonly [index: number, schema: number, bound: number][] = [
  [0, 0, 1],
  [1, 0, 2],
  [-1, 0, 0.5],
  [1, 2, 2 * 0.5946035575013605],
  [1, -1, 4],
  [1024, 0, Number.MAX_VALUE],
  [1023, 0, 2 ** 1023],
  [256, -2, Number.MAX_VALUE],
  [-1074, 0, 2 ** -1074],
]
for (const [index, schema, bound] of BOUNDS) {
  test(`bucket ${index} of schema ${schema} ends at ${bound}`, () =>
    assert.equal(exponentialBound(index, schema), bound))
}

test('a lower resolution merges neighbouring buckets', () => {
  const list = { index: [-3, -1, 0, 1, 2, 3, 5], count: [1, 2, 3, 4, 5, 6, 7] }
  assert.deepEqual(reduceResolution(list, 1, 0), { index: [-1, 0, 1, 2, 3], count: [1, 5, 9, 6, 7] })
})

test('factors below zero make a gauge, division by zero removes the buckets', () => {
  const h = histogram({ count: 3, sum: 6, positiveSpans: [{ offset: 0, length: 1 }], positiveBuckets: [3] })
  assert.equal(multiply(h, -1).counterResetHint, CounterResetHint.gauge)
  const none = divide(h, 0)
  assert.deepEqual([none.count, none.sum, none.positiveBuckets], [Infinity, Infinity, []])
})

test('explicit hints decide about resets', () => {
  const more = histogram({ count: 5 })
  const less = histogram({ count: 3 })
  assert.equal(detectReset({ ...more, counterResetHint: CounterResetHint.reset }, less), true)
  assert.equal(detectReset({ ...less, counterResetHint: CounterResetHint.notReset }, more), false)
})

test('a populated bucket that is gone is a reset, also behind an empty one that is gone', () => {
  const first = histogram({ count: 9, positiveSpans: [{ offset: 1, length: 3 }], positiveBuckets: [5, 0, 4] })
  const ended = histogram({ count: 20, positiveSpans: [{ offset: 1, length: 1 }], positiveBuckets: [20] })
  assert.equal(detectReset(ended, first), true)
  assert.equal(detectReset(ended, { ...first, count: 5, positiveBuckets: [5, 0, 0] }), false)
})

test('a histogram prints its populated buckets', () => {
  const h = histogram({
    count: 6,
    sum: 1e6,
    zeroCount: 1,
    zeroThreshold: 0.001,
    positiveSpans: [{ offset: 0, length: 3 }],
    positiveBuckets: [2, 0, 1],
    negativeSpans: [{ offset: 1, length: 1 }],
    negativeBuckets: [2],
  })
  assert.equal(formatHistogram(h), '{count:6, sum:1e+06, [-2,-1):2, [-0.001,0.001]:1, (0.5,1]:2, (2,4]:1}')
})

test('buckets are listed as far as both spans and counts go', () => {
  const spans = [
    { offset: -1, length: 2 },
    { offset: 3, length: 1 },
  ]
  assert.deepEqual(listBuckets(spans, [5, 6, 7]), { index: [-1, 0, 4], count: [5, 6, 7] })
  assert.deepEqual(listBuckets(spans, [5, 6, 7, 8]), { index: [-1, 0, 4], count: [5, 6, 7] })
  assert.deepEqual(listBuckets(spans, [5]), { index: [-1], count: [5] })
})

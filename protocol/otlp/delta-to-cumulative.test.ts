/** Deltas made cumulative: streams, what is left out of them, and histograms of all kinds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addExponential } from './add-exponential.ts'
import { DeltaToCumulative } from './delta-to-cumulative.ts'
import { blankPoint, type OtlpKind, type OtlpMetric, type OtlpPoint, type OtlpResource } from './model.ts'
import { readOtlpJson } from './read-json.ts'
import { writeOtlpJson } from './write-json.ts'

const START = 1000

function request(
  kind: OtlpKind,
  points: Partial<OtlpPoint>[],
  more: Partial<OtlpMetric> = {},
  host = 'a',
): OtlpResource[] {
  const metric: OtlpMetric = {
    name: 'm',
    description: '',
    unit: '',
    kind,
    temporality: 1,
    isMonotonic: true,
    points: points.map((point) => ({ ...blankPoint(), startMs: START, ...point })),
    ...more,
  }
  const scope = { name: 's', version: '1', schemaUrl: '', attributes: [], metrics: [metric] }
  return [{ attributes: [['host', host]], scopes: [scope] }]
}

const pointsOf = (resources: readonly OtlpResource[]): readonly OtlpPoint[] =>
  resources.flatMap(({ scopes }) => scopes.flatMap(({ metrics }) => metrics.flatMap(({ points }) => points)))

const values = (resources: readonly OtlpResource[]): [number, number][] =>
  pointsOf(resources).map(({ timeMs, value }) => [timeMs, value])

test('points of a stream become its sum so far, whatever the order of their attributes', () => {
  const converter = new DeltaToCumulative()
  const attributes = [['a', '1'] as const, ['b', '2'] as const]
  const first = converter.convert(request('sum', [{ timeMs: 2000, value: 5, attributes }]), 0)
  assert.deepEqual(values(first), [[2000, 5]])
  assert.equal(first[0]!.scopes[0]!.metrics[0]!.temporality, 2)
  const second = converter.convert(
    request('sum', [
      { timeMs: 3000, value: 2, attributes: attributes.toReversed() },
      { timeMs: 4000, startMs: 3000, value: 1, attributes },
    ]),
    0,
  )
  assert.deepEqual(values(second), [
    [3000, 7],
    [4000, 8],
  ])
  assert.ok(pointsOf(second).every(({ startMs }) => startMs === START))
})

const apart: readonly [what: string, other: OtlpResource[]][] = [
  ['resources', request('sum', [{ timeMs: 3000, value: 1 }], {}, 'b')],
  ['names', request('sum', [{ timeMs: 3000, value: 1 }], { name: 'n' })],
  ['units', request('sum', [{ timeMs: 3000, value: 1 }], { unit: 's' })],
  ['monotonicity', request('sum', [{ timeMs: 3000, value: 1 }], { isMonotonic: false })],
  ['attributes', request('sum', [{ timeMs: 3000, value: 1, attributes: [['x', 'y']] }])],
]
for (const [what, other] of apart)
  test(`streams of other ${what} are others`, () => {
    const converter = new DeltaToCumulative()
    converter.convert(request('sum', [{ timeMs: 2000, value: 5 }]), 0)
    assert.deepEqual(values(converter.convert(other, 0)), [[3000, 1]])
    assert.equal(converter.streamCount, 2)
  })

test('points that are older than their stream are left out, and a metric that has no others', () => {
  const converter = new DeltaToCumulative()
  converter.convert(request('sum', [{ timeMs: 2000, value: 5 }]), 0)
  const late = { timeMs: 1999, value: 1 }
  const older = { timeMs: 3000, startMs: START - 1, value: 1 }
  assert.deepEqual(converter.convert(request('sum', [late, older]), 0)[0]!.scopes[0]!.metrics, [])
  assert.deepEqual(values(converter.convert(request('sum', [late, { timeMs: 3000, value: 1 }]), 0)), [[3000, 6]])
})

test('a request that comes again, because it was not stored, gives the sum that it gave, and adds nothing', () => {
  const converter = new DeltaToCumulative()
  const again = () => request('sum', [{ timeMs: 3000, value: 2 }])
  converter.convert(request('sum', [{ timeMs: 2000, value: 5 }]), 0)
  assert.deepEqual(values(converter.convert(again(), 0)), [[3000, 7]])
  assert.deepEqual(values(converter.convert(again(), 0)), [[3000, 7]])
  assert.deepEqual(values(converter.convert(request('sum', [{ timeMs: 4000, value: 1 }]), 0)), [[4000, 8]])
})

test('a stream is forgotten after five minutes without a point', () => {
  const converter = new DeltaToCumulative()
  converter.convert(request('sum', [{ timeMs: 2000, value: 5 }]), 0)
  converter.convert([], 300_000)
  assert.equal(converter.streamCount, 1)
  converter.convert([], 360_001)
  assert.equal(converter.streamCount, 0)
  assert.deepEqual(values(converter.convert(request('sum', [{ timeMs: 3000, value: 1 }]), 360_001)), [[3000, 1]])
})

test('what has no deltas is not touched', () => {
  const converter = new DeltaToCumulative()
  const all = [...request('sum', [{ value: 5 }], { temporality: 2 }), ...request('gauge', [{ value: 5 }])]
  assert.equal(converter.convert(all, 0), all)
  assert.equal(converter.streamCount, 0)
})

test('explicit histograms are added bucket by bucket; other bounds begin anew, and a sum that is missing stays so', () => {
  const converter = new DeltaToCumulative()
  const point = (timeMs: number, more: Partial<OtlpPoint> = {}) => ({
    timeMs,
    bounds: [1, 2],
    bucketCounts: [1, 0, 2],
    count: 3,
    sum: 7,
    ...more,
  })
  const add = (more: Partial<OtlpPoint>): Partial<OtlpPoint> => {
    const [{ bucketCounts, count, sum }] = pointsOf(converter.convert(request('histogram', [more]), 0)) as [OtlpPoint]
    return { bucketCounts, count, sum }
  }
  add(point(2000))
  assert.deepEqual(add(point(3000)), { bucketCounts: [2, 0, 4], count: 6, sum: 14 })
  assert.deepEqual(add(point(4000, { sum: null })), { bucketCounts: [3, 0, 6], count: 9, sum: null })
  assert.deepEqual(add(point(5000)), { bucketCounts: [4, 0, 8], count: 12, sum: null })
  assert.deepEqual(add(point(6000, { bounds: [1, 3] })), { bucketCounts: [1, 0, 2], count: 3, sum: 7 })
})

const exponential = (more: Partial<OtlpPoint>): OtlpPoint => ({ ...blankPoint(), sum: 0, ...more })
const sums: readonly [what: string, a: Partial<OtlpPoint>, b: Partial<OtlpPoint>, result: Partial<OtlpPoint>][] = [
  [
    'of one scale',
    { scale: 0, positive: { offset: 0, counts: [1, 2] }, zeroCount: 1 },
    { scale: 0, positive: { offset: -1, counts: [1] }, negative: { offset: 3, counts: [4] }, zeroCount: 2 },
    { scale: 0, positive: { offset: -1, counts: [1, 1, 2] }, negative: { offset: 3, counts: [4] }, zeroCount: 3 },
  ],
  [
    'at the coarser scale, also of odd and negative offsets',
    { scale: 2, positive: { offset: -3, counts: [1, 2, 3, 4, 5] } },
    { scale: 1, positive: { offset: 0, counts: [10] } },
    { scale: 1, positive: { offset: -2, counts: [1, 5, 19] } },
  ],
  [
    'whose empty buckets are far from all others, which take no room',
    { scale: 0, positive: { offset: -(2 ** 30), counts: [0] } },
    { scale: 0, positive: { offset: 2 ** 30, counts: [3, 0] }, negative: { offset: -(2 ** 30), counts: [0] } },
    { scale: 0, positive: { offset: 2 ** 30, counts: [3] }, negative: { offset: -(2 ** 30), counts: [0] } },
  ],
  [
    'at a scale that is more than 31 steps coarser',
    { scale: 40, positive: { offset: 2 ** 30, counts: [1] }, negative: { offset: -3, counts: [2] } },
    { scale: 0, positive: { offset: 0, counts: [1] } },
    { scale: 0, positive: { offset: 0, counts: [2] }, negative: { offset: -1, counts: [2] } },
  ],
  [
    'whose offsets are as far from one another as they can be',
    { scale: 40, positive: { offset: -(2 ** 31), counts: [1] } },
    { scale: 40, positive: { offset: 2 ** 31 - 1, counts: [2] } },
    { scale: 15, positive: { offset: -64, counts: [1, ...new Array<number>(126).fill(0), 2] } },
  ],
  [
    'of 161 buckets at a coarser scale',
    { scale: 3, positive: { offset: 0, counts: [1] } },
    { scale: 3, positive: { offset: 160, counts: [2] } },
    { scale: 2, positive: { offset: 0, counts: [1, ...new Array<number>(79).fill(0), 2] } },
  ],
  [
    'with the wider zero bucket',
    { scale: 0, zeroThreshold: 2, zeroCount: 1, positive: { offset: 2, counts: [1] } },
    {
      scale: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      positive: { offset: -1, counts: [1, 2, 4] },
      negative: { offset: 0, counts: [8, 16] },
    },
    {
      scale: 0,
      zeroThreshold: 2,
      zeroCount: 1 + 3 + 8,
      positive: { offset: 1, counts: [4, 1] },
      negative: { offset: 1, counts: [16] },
    },
  ],
]
for (const [what, a, b, result] of sums)
  test(`exponential histograms are added ${what}`, () => {
    for (const [left, right] of [
      [a, b],
      [b, a],
    ] as const) {
      const sum = addExponential(exponential(left), exponential(right))
      for (const [key, value] of Object.entries(result)) assert.deepEqual(sum[key as keyof OtlpPoint], value, key)
    }
  })

test('no observation is lost when exponential histograms are added', () => {
  const buckets = fc.record({
    offset: fc.integer({ min: -300, max: 300 }),
    counts: fc.array(fc.nat(9), { maxLength: 30 }),
  })
  const any = fc.record({
    scale: fc.integer({ min: -4, max: 12 }),
    zeroThreshold: fc.constantFrom(0, 0.001, 1, 3),
    zeroCount: fc.nat(9),
    positive: buckets,
    negative: buckets,
  })
  const total = ({ zeroCount, positive, negative }: Pick<OtlpPoint, 'zeroCount' | 'positive' | 'negative'>): number =>
    [...positive.counts, ...negative.counts].reduce((sum, count) => sum + count, zeroCount)
  fc.assert(
    fc.property(any, any, (a, b) => {
      const sum = addExponential(exponential(a), exponential(b))
      assert.equal(total(sum), total(a) + total(b))
      for (const { counts } of [sum.positive, sum.negative]) {
        const used = counts.flatMap((count, i) => (count > 0 ? [i] : []))
        assert.ok(used.length === 0 || used.at(-1)! - used[0]! <= 160)
      }
    }),
    { numRuns: 2000 },
  )
})

test('resources written as JSON are read as they were', () => {
  const all = [
    ...request('sum', [{ timeMs: 1_767_225_600_001, value: -0, attributes: [['a', 'b']] }]),
    ...request('sum', [{ value: Number.POSITIVE_INFINITY, flags: 1 }], {
      description: 'd',
      unit: 'By',
      isMonotonic: false,
    }),
    ...request('exponential', [{ scale: -2, positive: { offset: -5, counts: [1, 2] }, count: 3, sum: Number.NaN }]),
    ...request('histogram', [{ bounds: [0.5, 2], bucketCounts: [1, 2, 3], sum: 1e300 }]),
    ...request('summary', [{ quantiles: [{ quantile: 0.5, value: Number.NaN }], count: 2 }], { temporality: 0 }),
    ...request('gauge', [
      { value: 5e-324, exemplars: [{ timeMs: 5, value: 2, traceId: 'ab', spanId: '', attributes: [['x', 'y']] }] },
    ]),
  ]
  assert.deepEqual(readOtlpJson(writeOtlpJson(all)), all)
})

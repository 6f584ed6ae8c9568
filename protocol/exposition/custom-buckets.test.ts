import assert from 'node:assert/strict'
import { test } from 'node:test'
import { customBuckets } from './custom-buckets.ts'
import type { PageOptions } from './page-source.ts'
import { pageSource } from './page-sources.ts'

const OPTIONS: PageOptions = {
  format: 'text',
  ignoreTimestamps: false,
  startTimestamps: false,
  typeAndUnitLabels: false,
  convertClassic: true,
}
const pageOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const CLASSIC = `# TYPE a histogram
a_bucket{x="1",le="0.5"} 2
a_bucket{x="1",le="1"} 2
a_bucket{x="1",le="2"} 5
a_bucket{x="1",le="+Inf"} 6
a_sum{x="1"} 7.5
a_count{x="1"} 6
# TYPE b gauge
b 1
`

test('the lines of a classic histogram become one sample with custom buckets', () => {
  const source = pageSource(OPTIONS)
  for (let round = 0; round < 3; round++) {
    source.read(pageOf(CLASSIC), OPTIONS)
    assert.equal(source.count, 2)
    const [position] = [...source.histograms!.keys()]
    assert.deepEqual(source.histograms!.get(position!), {
      isFloat: false,
      isStale: false,
      counterResetHint: 0,
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count: 6,
      sum: 7.5,
      positiveSpans: [{ offset: 0, length: 4 }],
      positiveBuckets: [2, 0, 3, 1],
      negativeSpans: [],
      negativeBuckets: [],
      customValues: [0.5, 1, 2],
    })
    const own = source.newSeries.filter(({ slot }) => slot === source.slots[position!])
    assert.deepEqual(
      own.map(({ labels }) => [...labels]),
      round === 0 ? [['__name__', 'a', 'x', '1']] : [],
    )
  }
})

test('the classic lines stay where they are wanted', () => {
  const options = { ...OPTIONS, classicHistograms: true }
  const source = pageSource(options)
  source.read(pageOf(CLASSIC), options)
  assert.equal(source.count, 8)
  assert.equal(source.histograms!.size, 1)
})

test('customBuckets() takes what upstream takes', () => {
  const rows: readonly [bounds: number[], counts: number[], count: number | null, wanted: unknown][] = [
    [[1, Infinity], [1, 3], 3, { buckets: [1, 2], count: 3 }],
    [[Infinity, 1], [3, 1], 3, { buckets: [1, 2], count: 3 }],
    [[1], [1], 3, { buckets: [1, 2], count: 3 }],
    [[1, Infinity], [1, 3], null, { buckets: [1, 2], count: 3 }],
    [[1, Infinity], [0.5, 3], 3, { buckets: [0.5, 2.5], count: 3 }],
    [[1, 2], [3, 2], 3, null],
    [[1, Infinity], [1, 3], 4, null],
    [[1], [5], 3, null],
    [[], [], null, null],
  ]
  for (const [bounds, counts, count, wanted] of rows) {
    const got = customBuckets(bounds, counts, 1, count)
    assert.deepEqual(
      got === null ? null : { buckets: got.positiveBuckets, count: got.count },
      wanted,
      `${bounds} ${counts}`,
    )
  }
})

test('customBuckets() lays empty buckets out as upstream', () => {
  const spansOf = (...perBucket: number[]): unknown => {
    let sum = 0
    const counts = perBucket.map((own) => (sum += own))
    const bounds = perBucket.map((_, i) => (i + 1 < perBucket.length ? i : Number.POSITIVE_INFINITY))
    const got = customBuckets(bounds, counts, 1, sum)!
    return [got.positiveSpans.map(({ offset, length }) => [offset, length]), got.positiveBuckets]
  }
  // Of integers, up to two between others stay; those at the ends never do.
  assert.deepEqual(spansOf(0, 1, 0, 0, 2, 0), [[[1, 4]], [1, 0, 0, 2]])
  assert.deepEqual(spansOf(1, 0, 0, 0, 2), [
    [
      [0, 1],
      [3, 1],
    ],
    [1, 2],
  ])
  assert.deepEqual(spansOf(0.5, 0, 1.5), [
    [
      [0, 1],
      [1, 1],
    ],
    [0.5, 1.5],
  ])
  assert.deepEqual(spansOf(0, 0), [[], []])
})

test('customBuckets() takes the first of two samples for one bound', () => {
  const got = customBuckets([1, 1, Number.POSITIVE_INFINITY], [1, 2, 3], 1, 3)!
  assert.deepEqual([got.customValues, got.positiveBuckets], [[1], [1, 2]])
})

test('compact() forgets histograms that went, and moves the others', () => {
  const source = pageSource(OPTIONS)
  const page = (round: number): Uint8Array => {
    const lines = ['# TYPE a histogram']
    for (let i = 0; i < 100; i++)
      lines.push(
        `a_bucket{i="${round}-${i}",le="1"} 1`,
        `a_bucket{i="${round}-${i}",le="+Inf"} 1`,
        `a_count{i="${round}-${i}"} 1`,
      )
    return pageOf(`${lines.join('\n')}\n`)
  }
  let moved = 0
  for (let round = 0; round < 20; round++) {
    source.read(page(round), OPTIONS)
    assert.equal(source.histograms!.size, 100)
    const slots = [...source.histograms!.keys()].map((at) => source.slots[at]!)
    const map = source.compact()
    if (map === null) continue
    moved++
    assert.equal(new Set(slots.map((slot) => map[slot])).size, 100)
    source.read(page(round), OPTIONS)
    assert.equal(source.newSeries.length, 0)
    assert.deepEqual(
      [...source.histograms!.keys()].map((at) => source.slots[at]),
      slots.map((slot) => map[slot]),
    )
  }
  assert.ok(moved > 0)
  assert.ok(source.slotCount < 2500, `${source.slotCount} slots`)
})

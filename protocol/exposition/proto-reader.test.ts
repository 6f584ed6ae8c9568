import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import type { Histogram } from '../samples/mod.ts'
import { ExpositionError } from './errors.ts'
import type { PageOptions } from './page-source.ts'
import { pageSource } from './page-sources.ts'

/** client_model's metrics.proto. */
const SCHEMA = `syntax = "proto2";
message LabelPair { optional string name = 1; optional string value = 2; }
message Timestamp { optional int64 seconds = 1; optional int32 nanos = 2; }
message Value { optional double value = 1; }
message Counter { optional double value = 1; optional Exemplar exemplar = 2; optional Timestamp created = 3; }
message Quantile { optional double quantile = 1; optional double value = 2; }
message Summary { optional uint64 count = 1; optional double sum = 2; repeated Quantile quantile = 3; optional Timestamp created = 4; }
message Histogram { optional uint64 count = 1; optional double countFloat = 4; optional double sum = 2; repeated Bucket bucket = 3;
  optional Timestamp created = 15; optional sint32 schema = 5; optional double zeroThreshold = 6; optional uint64 zeroCount = 7;
  optional double zeroCountFloat = 8; repeated Span negativeSpan = 9; repeated sint64 negativeDelta = 10; repeated double negativeCount = 11;
  repeated Span positiveSpan = 12; repeated sint64 positiveDelta = 13 [packed = true]; repeated double positiveCount = 14; repeated Exemplar exemplars = 16; }
message Bucket { optional uint64 count = 1; optional double countFloat = 4; optional double bound = 2; optional Exemplar exemplar = 3; }
message Span { optional sint32 offset = 1; optional uint32 length = 2; }
message Exemplar { repeated LabelPair label = 1; optional double value = 2; optional Timestamp timestamp = 3; }
message Metric { repeated LabelPair label = 1; optional Value gauge = 2; optional Counter counter = 3; optional Summary summary = 4;
  optional Value untyped = 5; optional Histogram histogram = 7; optional int64 timestampMs = 6; }
message MetricFamily { optional string name = 1; optional string help = 2; optional int32 type = 3; repeated Metric metric = 4; optional string unit = 5; }
`
const Family = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('MetricFamily')
const TYPE = { counter: 0, gauge: 1, summary: 2, untyped: 3, histogram: 4, gaugeHistogram: 5 }

function page(...families: object[]): Uint8Array {
  return Buffer.concat(families.map((family) => Family.encodeDelimited(Family.fromObject(family)).finish()))
}

const OPTIONS: PageOptions = {
  format: 'protobuf',
  ignoreTimestamps: false,
  startTimestamps: true,
  typeAndUnitLabels: false,
  nativeHistograms: true,
}

type Sample = readonly [series: string, value: number | Histogram, timestampMs?: number, startMs?: number]

/** What a first reading of the page gives. */
function read(bytes: Uint8Array, options: Partial<PageOptions> = {}, source = pageSource({ ...OPTIONS, ...options })) {
  source.read(bytes, { ...OPTIONS, ...options })
  const names = new Map(
    source.newSeries.map(({ slot, labels }) => {
      const pairs = []
      for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}=${labels[i + 1]}`)
      return [slot, pairs.join(' ')]
    }),
  )
  const samples: Sample[] = []
  for (let i = 0; i < source.count; i++) {
    const own = source.timestamps?.[i] ?? Number.NaN
    const start = source.startTimestamps?.[i] ?? 0
    samples.push([
      names.get(source.slots[i]!)!,
      source.histograms?.get(i) ?? source.values[i]!,
      ...(Number.isNaN(own) && start === 0 ? [] : [own]),
      ...(start === 0 ? [] : [start]),
    ] as unknown as Sample)
  }
  return { source, samples }
}

const PARTS = { isStale: false, counterResetHint: 0, zeroCount: 0, customValues: [] } as const

test('counters, gauges, untyped metrics and summaries, with labels, timestamps and start times', () => {
  const bytes = page(
    {
      name: 'hits_total',
      help: 'Hits.',
      type: TYPE.counter,
      metric: [
        { label: [{ name: 'code', value: '200' }], counter: { value: 7, created: { seconds: 5, nanos: 250_000_000 } } },
        { label: [{ name: 'code', value: '500' }], counter: { value: 1 }, timestampMs: 1234 },
      ],
    },
    { name: 'heat_celsius', type: TYPE.gauge, unit: 'celsius', metric: [{ gauge: { value: Number.NaN } }] },
    { name: 'größe', type: TYPE.untyped, metric: [{ untyped: { value: -0 } }] },
    {
      name: 'wait_seconds',
      type: TYPE.summary,
      metric: [
        {
          summary: {
            count: 3,
            sum: 1.5,
            quantile: [
              { quantile: 0.5, value: 0.4 },
              { quantile: 1, value: 0.9 },
            ],
          },
        },
      ],
    },
  )
  const { samples, source } = read(bytes)
  assert.deepEqual(samples, [
    ['__name__=hits_total code=200', 7, Number.NaN, 5250],
    ['__name__=hits_total code=500', 1, 1234],
    ['__name__=heat_celsius', Number.NaN],
    ['__name__=größe', -0],
    ['__name__=wait_seconds_count', 3],
    ['__name__=wait_seconds_sum', 1.5],
    ['__name__=wait_seconds quantile=0.5', 0.4],
    ['__name__=wait_seconds quantile=1.0', 0.9],
  ])
  const { seenAt: _, ...metadata } = source.metadata.get('heat_celsius') as never as { seenAt: number }
  assert.deepEqual(metadata, { type: 'gauge', help: '', unit: 'celsius' })
})

test('native histograms: integer, float and gauge; classic parts only when they are wanted', () => {
  const integer = {
    count: 9,
    sum: 12.5,
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 2,
    positiveSpan: [
      { offset: -1, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveDelta: [1, 1, 1],
    negativeSpan: [{ offset: 0, length: 1 }],
    negativeDelta: [1],
    bucket: [{ bound: 1, count: 4 }],
    created: { seconds: 9 },
  }
  const float = {
    countFloat: 1.5,
    sum: 2,
    zeroThreshold: 1,
    positiveSpan: [{ offset: 0, length: 1 }],
    positiveCount: [1.5],
  }
  const bytes = page(
    { name: 'a', type: TYPE.histogram, metric: [{ histogram: integer }] },
    { name: 'b', type: TYPE.gaugeHistogram, metric: [{ histogram: float }] },
  )
  const a: Histogram = {
    ...PARTS,
    isFloat: false,
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 2,
    count: 9,
    sum: 12.5,
    positiveSpans: [
      { offset: -1, length: 2 },
      { offset: 3, length: 1 },
    ],
    positiveBuckets: [1, 2, 3],
    negativeSpans: [{ offset: 0, length: 1 }],
    negativeBuckets: [1],
  }
  const b: Histogram = {
    ...PARTS,
    isFloat: true,
    counterResetHint: 3,
    schema: 0,
    zeroThreshold: 1,
    count: 1.5,
    sum: 2,
    positiveSpans: [{ offset: 0, length: 1 }],
    positiveBuckets: [1.5],
    negativeSpans: [],
    negativeBuckets: [],
  }
  const classicA: Sample[] = [
    ['__name__=a_count', 9, Number.NaN, 9000],
    ['__name__=a_sum', 12.5, Number.NaN, 9000],
    ['__name__=a_bucket le=1.0', 4, Number.NaN, 9000],
    ['__name__=a_bucket le=+Inf', 9, Number.NaN, 9000],
  ]
  const nativeA: Sample = ['__name__=a', a, Number.NaN, 9000]
  assert.deepEqual(read(bytes).samples, [nativeA, ['__name__=b', b]])
  assert.deepEqual(read(bytes, { classicHistograms: true }).samples, [nativeA, ...classicA, ['__name__=b', b]])
  assert.deepEqual(read(bytes, { nativeHistograms: false }).samples.slice(0, 4), classicA)
  // What is native already is not converted as well.
  const converted = read(bytes, { classicHistograms: true, convertClassic: true }).samples
  assert.deepEqual(converted, [nativeA, ...classicA, ['__name__=b', b]])
})

test('empty buckets of native histograms become gaps, as upstream keeps them', () => {
  const histogram = {
    ...{ count: 7, sum: 1, schema: 0, zeroThreshold: 0.5, zeroCount: 1 },
    positiveSpan: [
      { offset: -2, length: 3 },
      { offset: 1, length: 2 },
      { offset: 0, length: 1 },
    ],
    // 0, 2, 0, then 3, 0, 1.
    positiveDelta: [0, 2, -2, 3, -3, 1],
    negativeSpan: [{ offset: 4, length: 2 }],
    negativeDelta: [0, 0],
  }
  const [sample] = read(page({ name: 'h', type: TYPE.histogram, metric: [{ histogram }] })).samples
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = sample![1] as Histogram
  assert.deepEqual(
    [positiveSpans, positiveBuckets],
    [
      [
        { offset: -1, length: 1 },
        { offset: 2, length: 1 },
        { offset: 1, length: 1 },
      ],
      [2, 3, 1],
    ],
  )
  assert.deepEqual([negativeSpans, negativeBuckets], [[], []])
})

test('a family without metrics is passed over, whatever its unit', () => {
  const { source, samples } = read(
    page(
      { name: 'a_seconds', type: TYPE.gauge, unit: 'bytes', help: 'h' },
      { name: 'b', type: TYPE.gauge, metric: [{ gauge: { value: 1 } }] },
    ),
  )
  assert.deepEqual(samples, [['__name__=b', 1]])
  assert.deepEqual([...source.metadata.keys()], ['b'])
})

test('a histogram whose parts do not agree is refused', () => {
  const rows: readonly [histogram: object, message: RegExp][] = [
    [
      { count: 1, positiveSpan: [{ offset: 0, length: 2 }], positiveDelta: [1] },
      /spans need 2 buckets, have 1 buckets/,
    ],
    [
      { count: 5, positiveSpan: [{ offset: 0, length: 1 }], positiveDelta: [1] },
      /1 observations found in buckets, but the Count field is 5/,
    ],
    [{ count: 0, zeroThreshold: 1, schema: -5 }, /got schema -5/],
    [{ count: 0, zeroThreshold: 1, schema: 53 }, /got schema 53/],
    [
      {
        count: 1,
        positiveSpan: [
          { offset: 0, length: 1 },
          { offset: -1, length: 0 },
        ],
        positiveDelta: [1],
      },
      /span number 2 with offset -1/,
    ],
    [
      { count: 0, positiveSpan: [{ offset: 0, length: 2 }], positiveDelta: [1, -2] },
      /bucket number 2 has observation count of -1/,
    ],
  ]
  for (const [histogram, message] of rows) {
    const bytes = page({ name: 'a', type: TYPE.histogram, metric: [{ histogram }] })
    assert.throws(
      () => read(bytes),
      (error) => error instanceof ExpositionError && message.test(error.message),
    )
  }
})

test('exemplars: of counters, of buckets, and of native histograms with a time of their own', () => {
  const exemplar = (value: number, seconds?: number) => ({
    label: [{ name: 'trace_id', value: `t${value}` }],
    value,
    ...(seconds !== undefined && { timestamp: { seconds } }),
  })
  const native = { count: 1, zeroCount: 1, zeroThreshold: 1, exemplars: [exemplar(1, 7), exemplar(2)] }
  const classic = { count: 1, bucket: [{ bound: 1, count: 1, exemplar: exemplar(3) }] }
  const bytes = page(
    { name: 'c_total', type: TYPE.counter, metric: [{ counter: { value: 1, exemplar: exemplar(4, 8) } }] },
    { name: 'n', type: TYPE.histogram, metric: [{ histogram: native }] },
    { name: 'h', type: TYPE.histogram, metric: [{ histogram: classic }] },
  )
  const { source } = read(bytes)
  assert.deepEqual(
    source.exemplars.map(({ position, exemplar: { value, timestampMs } }) => [position, value, timestampMs]),
    [
      [0, 4, 8000],
      [1, 1, 7000],
      [4, 3, null],
    ],
  )
})

test('a series is known by its labels, at its second sight and among duplicates', () => {
  const metric = (value: number, timestampMs = 0) => ({
    label: [{ name: 'a', value: 'x' }],
    gauge: { value },
    ...(timestampMs > 0 && { timestampMs }),
  })
  const { source } = read(page({ name: 'g', type: TYPE.gauge, metric: [metric(1), metric(2), metric(3, 99)] }))
  assert.deepEqual([source.count, source.duplicates, source.repeats, source.scraped], [2, 1, 1, 3])
  assert.equal(source.newSeries.length, 1)
  source.read(page({ name: 'g', type: TYPE.gauge, metric: [metric(5)] }), OPTIONS)
  assert.deepEqual([source.count, source.values[0], source.newSeries.length], [1, 5, 0])
})

test('compact() forgets series that went, and moves the others', () => {
  const source = pageSource(OPTIONS)
  const pageOf = (round: number) =>
    page({
      name: 'g',
      type: TYPE.gauge,
      metric: Array.from({ length: 300 }, (_, i) => ({
        label: [{ name: 'i', value: `${round}-${i}` }],
        gauge: { value: i },
      })),
    })
  let moved = 0
  for (let round = 0; round < 20; round++) {
    source.read(pageOf(round), OPTIONS)
    if (source.compact() !== null) moved++
  }
  assert.ok(moved > 0)
  assert.ok(source.slotCount < 2000, `${source.slotCount} slots`)
  source.read(pageOf(19), OPTIONS)
  assert.equal(source.newSeries.length, 0)
})

test('whatever the bytes are, the reader ends with samples or with an ExpositionError', () => {
  const good = page(
    {
      name: 'h',
      type: TYPE.histogram,
      metric: [{ label: [{ name: 'a', value: 'b' }], histogram: { count: 1, bucket: [{ bound: 1, count: 1 }] } }],
    },
    { name: 's', type: TYPE.summary, metric: [{ summary: { count: 1, quantile: [{ quantile: 0.5, value: 1 }] } }] },
  )
  const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 })
  fc.assert(
    fc.property(edits, fc.nat(good.length), (changes, length) => {
      const bytes = Uint8Array.from(good)
      for (const [at, byte] of changes) bytes[at] = byte
      try {
        read(bytes.subarray(0, length))
      } catch (error) {
        assert.ok(error instanceof ExpositionError, String(error))
      }
    }),
    { numRuns: 500 },
  )
})

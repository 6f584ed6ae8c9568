import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { type Labels, labelsFrom } from '../labels/mod.ts'
import { type CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../samples/mod.ts'
import {
  decodeWriteRequest,
  encodeWriteRequest,
  RemoteWriteError,
  snappyCompress,
  snappyDecompress,
  WriteRequestDecoder,
  type WriteSeries,
} from './mod.ts'

// The published message definitions, for an independent reader and writer.
const { root } = protobuf.parse(`
  syntax = "proto3"; package prometheus;
  message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
  message MetricMetadata {
    enum MetricType { UNKNOWN = 0; COUNTER = 1; GAUGE = 2; HISTOGRAM = 3; GAUGEHISTOGRAM = 4; SUMMARY = 5; INFO = 6; STATESET = 7; }
    MetricType type = 1; string metric_family_name = 2; string help = 4; string unit = 5;
  }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  message Label { string name = 1; string value = 2; }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; }
  message Histogram {
    enum ResetHint { UNKNOWN = 0; YES = 1; NO = 2; GAUGE = 3; }
    oneof count { uint64 count_int = 1; double count_float = 2; }
    double sum = 3; sint32 schema = 4; double zero_threshold = 5;
    oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
    repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
    repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
    ResetHint reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16;
  }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
`)
const Message = root.lookupType('prometheus.WriteRequest')
const encodeTheirs = (object: object): Uint8Array => Message.encode(Message.fromObject(object)).finish()
const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replace(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

test('reads a request made by hand', () => {
  const request = decodeWriteRequest(
    bytesOf(`
      0a 2a
        0a 0e 0a 08 5f5f6e616d655f5f 12 02 7570
        0a 08 0a 03 6a6f62 12 01 61
        12 0e 09 0200000000 00f07f 10 e8 07 28 01 20 02
      1a 0f 08 02 12 02 7570 22 03 4c 6f 2e 2a 02 73 73`),
  )
  assert.equal(request.seriesCount, 1)
  assert.deepEqual(request.labels(0), { labels: ['__name__', 'up', 'job', 'a'], problem: null })
  assert.deepEqual([...request.sampleStart], [0, 1])
  assert.deepEqual([...request.timestamps], [1000])
  assert.deepEqual(new BigUint64Array(request.values.buffer), BigUint64Array.of(0x7ff0000000000002n))
  assert.deepEqual(request.metadata, [{ family: 'up', metadata: { type: 'gauge', help: 'Lo.', unit: 'ss' } }])
  assert.equal(request.labelBytes(0)!.length, 26)
})

type Row = {
  readonly labels: Labels
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[]
  readonly histograms: readonly { readonly timestampMs: number; readonly histogram: Histogram }[]
}

const spansOf = (length: number): { offset: number; length: number }[] => (length === 0 ? [] : [{ offset: -2, length }])
const buckets = fc.array(fc.nat(1000), { maxLength: 6 })
const histograms: fc.Arbitrary<Histogram> = fc
  .record({
    isFloat: fc.boolean(),
    counterResetHint: fc.constantFrom<CounterResetHint>(0, 1, 2, 3),
    schema: fc.constantFrom(-53, -4, 0, 8),
    zeroThreshold: fc.constantFrom(0, 1e-128),
    zeroCount: fc.nat(),
    count: fc.maxSafeInteger().map(Math.abs),
    sum: fc.double({ noNaN: true }),
    positiveBuckets: buckets,
    negativeBuckets: buckets,
  })
  .map((given) => {
    const isCustom = given.schema === -53
    const h = isCustom ? { ...given, zeroCount: 0, zeroThreshold: 0, negativeBuckets: [] } : given
    const customValues = isCustom ? Array.from({ length: h.positiveBuckets.length + 2 }, (_, i) => i / 7) : []
    return {
      ...h,
      // What makes a histogram of them: validate-histogram.ts.
      count: h.isFloat ? h.count : [h.zeroCount, ...h.positiveBuckets, ...h.negativeBuckets].reduce((a, b) => a + b),
      isStale: false,
      positiveSpans: spansOf(h.positiveBuckets.length).map((span) => (isCustom ? { ...span, offset: 1 } : span)),
      negativeSpans: spansOf(h.negativeBuckets.length),
      customValues,
    }
  })
const names = fc.stringMatching(/^[a-zé🎈]{1,8}$/u)
const rows: fc.Arbitrary<Row> = fc.record({
  labels: fc
    .tuple(names, fc.dictionary(names, names, { maxKeys: 4 }))
    .map(([name, rest]) => labelsFrom({ ...rest, __name__: name })),
  samples: fc.array(fc.record({ value: fc.double(), timestamp: fc.maxSafeInteger() }), { maxLength: 4 }),
  histograms: fc.array(fc.record({ timestampMs: fc.maxSafeInteger(), histogram: histograms }), { maxLength: 2 }),
})

const toSeries = (row: Row): WriteSeries => ({
  labels: row.labels,
  timestamps: row.samples.map(({ timestamp }) => timestamp),
  values: Float64Array.from(row.samples, ({ value }) => value),
  histograms: row.histograms,
  exemplars: [{ labels: ['trace_id', 'a'], value: 1.5, timestampMs: null }],
})

function assertDecoded(bytes: Uint8Array, expected: readonly Row[]): void {
  const request = decodeWriteRequest(bytes)
  assert.equal(request.seriesCount, expected.length)
  expected.forEach(({ labels, samples }, s) => {
    assert.deepEqual(request.labels(s), { labels: [...labels], problem: null })
    const [from, to] = [request.sampleStart[s]!, request.sampleStart[s + 1]!]
    assert.deepEqual(
      [...request.values.subarray(from, to)],
      samples.map(({ value }) => value),
    )
    assert.deepEqual(
      [...request.timestamps.subarray(from, to)],
      samples.map(({ timestamp }) => timestamp),
    )
  })
  assert.deepEqual(
    JSON.stringify(request.histograms),
    JSON.stringify(
      expected.flatMap(({ histograms: found }, series) =>
        found.map(({ timestampMs, histogram: h }) => ({
          series,
          timestampMs,
          histogram: {
            isFloat: h.isFloat,
            isStale: h.isStale,
            counterResetHint: h.counterResetHint,
            schema: h.schema,
            zeroThreshold: h.zeroThreshold,
            zeroCount: h.zeroCount,
            count: h.count,
            sum: h.sum,
            positiveSpans: h.positiveSpans,
            positiveBuckets: h.positiveBuckets,
            negativeSpans: h.negativeSpans,
            negativeBuckets: h.negativeBuckets,
            customValues: h.customValues,
          },
          // Version 1.0 has none.
          startMs: 0,
        })),
      ),
    ),
  )
}

test('decode(encode(x)) is x', () => {
  fc.assert(
    fc.property(fc.array(rows, { maxLength: 4 }), (list) => {
      assertDecoded(snappyDecompress(snappyCompress(encodeWriteRequest(list.map(toSeries)))), list)
    }),
  )
})

test('protobufjs reads what we write, and we read what it writes', () => {
  fc.assert(
    fc.property(fc.array(rows, { maxLength: 4 }), (list) => {
      const theirs = Message.decode(encodeWriteRequest(list.map(toSeries)))
      assertDecoded(Message.encode(theirs).finish(), list)
    }),
  )
})

test('exemplars and metadata come through', () => {
  const request = decodeWriteRequest(
    encodeTheirs({
      timeseries: [
        {
          labels: [{ name: '__name__', value: 'x' }],
          exemplars: [{ labels: [{ name: 'trace_id', value: 'abc' }], value: 2.5, timestamp: 17 }, { value: 1 }],
        },
      ],
      metadata: [{ type: 4, metricFamilyName: 'x', help: 'H', unit: 's' }, { help: 'of nothing' }],
    }),
  )
  assert.deepEqual(request.exemplars, [
    { series: 0, exemplar: { labels: ['trace_id', 'abc'], value: 2.5, timestampMs: 17 } },
    { series: 0, exemplar: { labels: [], value: 1, timestampMs: null } },
  ])
  assert.deepEqual(request.metadata, [{ family: 'x', metadata: { type: 'gaugehistogram', help: 'H', unit: 's' } }])
})

test('a stale marker as a histogram keeps being one', () => {
  const stale: Histogram = { ...EMPTY_HISTOGRAM, isStale: true, sum: Number.NaN }
  const series = { labels: labelsFrom({ __name__: 'x' }), timestamps: [], values: new Float64Array(0) }
  const bytes = encodeWriteRequest([
    { ...series, histograms: [{ timestampMs: -5, histogram: stale }] },
    { ...series, histograms: [{ timestampMs: -5, histogram: { ...stale, isStale: false } }] },
  ])
  const found = decodeWriteRequest(bytes).histograms
  assert.deepEqual(
    found.map(({ timestampMs, histogram }) => [timestampMs, histogram.isStale]),
    [
      [-5, true],
      [-5, false],
    ],
  )
})

const label = (name: string, value: string): object => ({ name, value })
const labelRows: readonly [name: string, labels: readonly object[], expected: readonly string[] | string][] = [
  ['sorts labels', [label('b', '2'), label('__name__', 'x'), label('a', '1')], ['__name__', 'x', 'a', '1', 'b', '2']],
  ['drops empty values', [label('__name__', 'x'), label('a', '')], ['__name__', 'x']],
  ['refuses no name', [label('a', '1')], 'invalid metric name or labels, got {a="1"}'],
  ['refuses no labels', [], 'invalid metric name or labels, got {}'],
  ['refuses an empty name', [label('__name__', '')], 'invalid metric name or labels, got {__name__=""}'],
  [
    'refuses an empty label name',
    [label('__name__', 'x'), label('', '1')],
    'invalid metric name or labels, got {""="1", __name__="x"}',
  ],
  [
    'refuses a repeated label',
    [label('__name__', 'x'), label('a', '1'), label('a', '2')],
    'invalid labels for series, labels {__name__="x", a="1", a="2"}, duplicated label a',
  ],
]
for (const [name, labels, expected] of labelRows)
  test(`labels() ${name}`, () => {
    const request = decodeWriteRequest(encodeTheirs({ timeseries: [{ labels, samples: [{ value: 1 }] }] }))
    assert.deepEqual(
      request.labels(0),
      typeof expected === 'string' ? { labels: null, problem: expected } : { labels: expected, problem: null },
    )
  })

test('labels() refuses what is not UTF-8', () => {
  const bytes = encodeTheirs({ timeseries: [{ labels: [label('__name__', 'xx'), label('a', 'bb')] }] })
  bytes[bytes.length - 1] = 0xff
  assert.match(decodeWriteRequest(bytes).labels(0).problem!, /^invalid metric name or labels, got /)
})

test('labelBytes() is null when samples stand between labels', () => {
  const series = '12 09 09 0000000000000000 0a 08 0a 03 6a6f62 12 01 61'
  const together = decodeWriteRequest(bytesOf(`0a 15 ${series}`))
  assert.equal(together.labelBytes(0)!.length, 10)
  const apart = decodeWriteRequest(bytesOf(`0a 1f 0a 08 0a 03 6a6f62 12 01 61 ${series}`))
  assert.equal(apart.labelBytes(0), null)
})

test('unpacked lists of a histogram are read', () => {
  // positive_deltas 3 and -1, each a field of its own; custom_values 1.0.
  // positive_spans, count 5, schema -53.
  const histogram = '60 06 60 01 81 01 000000000000f03f 78 05 5a 02 10 02 08 05 20 69'
  const request = decodeWriteRequest(bytesOf(`0a 1a 22 18 ${histogram}`))
  assert.deepEqual(request.histograms[0]!.histogram.positiveBuckets, [3, 2])
  assert.deepEqual(request.histograms[0]!.histogram.customValues, [1])
  assert.equal(request.histograms[0]!.timestampMs, 5)
})

test('more series or samples than allowed are too-large', () => {
  const bytes = encodeTheirs({ timeseries: [{ samples: [{ value: 1 }, { value: 2 }] }, {}] })
  const isTooLarge = (error: unknown): boolean => error instanceof RemoteWriteError && error.code === 'too-large'
  assert.throws(() => new WriteRequestDecoder({ maxSeries: 1, maxSamples: 10 }).decode(bytes), isTooLarge)
  assert.throws(() => new WriteRequestDecoder({ maxSeries: 10, maxSamples: 1 }).decode(bytes), isTooLarge)
  assert.equal(new WriteRequestDecoder({ maxSeries: 2, maxSamples: 2 }).decode(bytes).seriesCount, 2)
})

test('damaged messages are read or refused with a RemoteWriteError, labels() never throws', () => {
  let refused = 0
  fc.assert(
    fc.property(
      fc.array(rows, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (list, changes) => {
        const bytes = encodeWriteRequest(list.map(toSeries))
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        let request: ReturnType<typeof decodeWriteRequest>
        try {
          request = decodeWriteRequest(bytes)
        } catch (error) {
          assert.ok(error instanceof RemoteWriteError, String((error as Error).stack))
          refused++
          return
        }
        for (let s = 0; s < request.seriesCount; s++) request.labels(s)
      },
    ),
    { numRuns: 2000 },
  )
  assert.ok(refused > 200, `only ${refused} refused`)
})

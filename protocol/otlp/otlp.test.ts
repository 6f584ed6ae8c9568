import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { RemoteWriteError, type WriteColumns } from '../remote-write/mod.ts'
import { isStaleAt } from '../samples/mod.ts'
import { decodeOtlp, metricName, OTLP_DEFAULTS } from './mod.ts'
import { type LabelRules, labelName, type NameStrategy, unitName } from './names.ts'

/** What the reader reads of opentelemetry-proto, by its field numbers. */
const SCHEMA = `syntax = "proto3";
message Request { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
message ArrayValue { repeated AnyValue values = 1; }
message Metric { string name = 1; string description = 2; string unit = 3;
  oneof data { Points gauge = 5; Points sum = 7; Histograms histogram = 9; Exponentials exponential_histogram = 10; Summaries summary = 11; } }
message Points { repeated Point data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histograms { repeated Histogram data_points = 1; int32 aggregation_temporality = 2; }
message Exponentials { repeated Exponential data_points = 1; int32 aggregation_temporality = 2; }
message Summaries { repeated Summary data_points = 1; }
message Point { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated Exemplar exemplars = 5; repeated KeyValue attributes = 7; uint32 flags = 8; }
message Histogram { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; optional double sum = 5;
  repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated Exemplar exemplars = 8; repeated KeyValue attributes = 9; uint32 flags = 10; }
message Exponential { repeated KeyValue attributes = 1; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
  optional double sum = 5; sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9; uint32 flags = 10;
  repeated Exemplar exemplars = 11; double zero_threshold = 14; }
message Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
message Summary { fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
  repeated Quantile quantile_values = 6; repeated KeyValue attributes = 7; uint32 flags = 8; }
message Quantile { double quantile = 1; double value = 2; }
message Exemplar { fixed64 time_unix_nano = 2; double as_double = 3; bytes span_id = 4; bytes trace_id = 5; repeated KeyValue filtered_attributes = 7; }
`
const Request = protobuf.parse(SCHEMA).root.lookupType('Request')

const encode = (request: object): Uint8Array => Request.encode(Request.fromObject(request)).finish()

/** As the JSON encoding writes it: ids in hexadecimal, not base64. */
const asJson = (request: object): Uint8Array => {
  const hex = (data: unknown): unknown => Buffer.from(data as string, 'base64').toString('hex')
  return new TextEncoder().encode(
    JSON.stringify(request, (key, value) => (key === 'traceId' || key === 'spanId' ? hex(value) : value)),
  )
}

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
const TIME = { timeUnixNano: '1767225600123999999', startTimeUnixNano: '1767225000000000000' }
const request = (...metrics: object[]) => ({
  resourceMetrics: [
    { resource: { attributes: [attribute('service.name', 's')] }, scopeMetrics: [{ scope: { name: 'lib' }, metrics }] },
  ],
})

const METRICS = [
  {
    name: 'requests',
    description: 'd',
    unit: '1',
    sum: {
      aggregationTemporality: 2,
      isMonotonic: true,
      dataPoints: [
        {
          ...TIME,
          asInt: '-9007199254740991',
          attributes: [
            attribute('a.b', 'x'),
            attribute('a/b', 'y'),
            {
              key: 'list',
              value: { arrayValue: { values: [{ intValue: '1' }, { boolValue: true }, { doubleValue: 0.5 }] } },
            },
          ],
          exemplars: [
            {
              ...{ timeUnixNano: TIME.timeUnixNano },
              asDouble: 2,
              traceId: 'AAECAwQFBgcICQoLDA0ODw==',
              spanId: 'AQIDBAUGBwg=',
            },
          ],
        },
      ],
    },
  },
  { name: 'gone', gauge: { dataPoints: [{ ...TIME, flags: 1 }] } },
  {
    name: 'h',
    histogram: {
      aggregationTemporality: 2,
      dataPoints: [{ ...TIME, count: '3', explicitBounds: [1, 2], bucketCounts: ['1', '1', '1'] }],
    },
  },
  {
    name: 'e',
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [
        {
          ...TIME,
          count: '9',
          sum: 1,
          scale: 10,
          zeroThreshold: 0.1,
          positive: { offset: -3, bucketCounts: ['1', '2', '3'] },
          negative: { offset: 0, bucketCounts: ['3'] },
        },
      ],
    },
  },
  {
    name: 'q',
    summary: { dataPoints: [{ ...TIME, count: '2', sum: 3, quantileValues: [{ quantile: 0.5, value: 1 }] }] },
  },
]

function plain(columns: WriteColumns): unknown {
  const words = new Uint32Array(columns.values.buffer)
  return {
    series: Array.from({ length: columns.seriesCount }, (_, s) => ({
      ...columns.labels(s),
      samples: Array.from({ length: columns.sampleStart[s + 1]! - columns.sampleStart[s]! }, (_, i) => {
        const at = columns.sampleStart[s]! + i
        const value = isStaleAt(words, at) ? 'stale' : columns.values[at]
        return [columns.timestamps[at], value, columns.startTimes?.[at] ?? 0]
      }),
    })),
    histograms: columns.histograms,
    exemplars: columns.exemplars,
    metadata: columns.metadata,
  }
}

test('protobuf and JSON of one request are the same series', () => {
  const both = request(...METRICS)
  const fromProto = plain(decodeOtlp(encode(both), false))
  assert.deepEqual(fromProto, plain(decodeOtlp(asJson(both), true)))
  const { series } = fromProto as { series: { labels: string[]; samples: unknown[] }[] }
  assert.deepEqual(series[0], {
    labels: ['__name__', 'requests_total', 'a_b', 'x;y', 'job', 's', 'list', '[1,true,0.5]'],
    problem: null,
    samples: [[1_767_225_600_123, -9007199254740991, 1_767_225_000_000]],
  } as object)
  assert.deepEqual(series[1]!.samples, [[1_767_225_600_123, 'stale', 0]])
})

test('a scale above 8 is merged down, into the buckets that hold the same values', () => {
  const { histograms } = decodeOtlp(encode(request(METRICS[3]!)), false)
  const { histogram } = histograms[0]!
  // Scale 10 to 8: four buckets become one; indexes -3, -2, -1 are all in (2^(-4/1024), 1], bucket 0 of Prometheus.
  assert.equal(histogram.schema, 8)
  assert.deepEqual([histogram.positiveSpans, histogram.positiveBuckets], [[{ offset: 0, length: 1 }], [6]])
  assert.deepEqual([histogram.negativeSpans, histogram.negativeBuckets], [[{ offset: 1, length: 1 }], [3]])
  assert.equal(histogram.zeroThreshold, 0.1)
})

test('a scale however large is merged down', () => {
  const point = { ...TIME, count: '5', scale: 50, positive: { offset: 2 ** 30, bucketCounts: ['5'] } }
  const metric = { name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [point] } }
  const { histogram } = decodeOtlp(encode(request(metric)), false).histograms[0]!
  assert.deepEqual([histogram.positiveSpans, histogram.positiveBuckets], [[{ offset: 1, length: 1 }], [5]])
})

for (const [what, more] of [
  ['scale', { scale: 2 ** 31 }],
  ['offset', { positive: { offset: 1e300, bucketCounts: ['1'] } }],
  ['offset with a fraction', { positive: { offset: 0.5, bucketCounts: ['1'] } }],
] as const)
  test(`a ${what} that is no number of 32 bits is refused`, () => {
    const metric = {
      name: 'e',
      exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ ...TIME, count: '1', ...more }] },
    }
    assert.throws(() => decodeOtlp(asJson(request(metric)), true), /32 bits/)
  })

test('what cannot be stored is named, and the rest is stored', () => {
  const delta = {
    name: 'd',
    sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...TIME, asInt: '1' }] },
  }
  const columns = decodeOtlp(encode(request(delta, METRICS[1]!, { name: 'none', gauge: { dataPoints: [] } })), false)
  const problems = Array.from({ length: columns.seriesCount }, (_, s) => columns.labels(s).problem)
  assert.deepEqual(problems, [
    null,
    'invalid temporality and type combination for metric "d"',
    'empty data points. none is dropped',
  ])
})

test('deltas are stored as they are where the feature says so', () => {
  const exponential = {
    ...TIME,
    count: '3',
    sum: 1,
    scale: 0,
    zeroCount: '0',
    positive: { offset: 0, bucketCounts: ['3'] },
  }
  const metrics = [
    { name: 'd', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...TIME, asInt: '1' }] } },
    { name: 'e', exponentialHistogram: { aggregationTemporality: 1, dataPoints: [exponential] } },
    { name: 'u', sum: { aggregationTemporality: 0, dataPoints: [{ ...TIME, asInt: '1' }] } },
  ] as unknown as Parameters<typeof request>
  const columns = decodeOtlp(encode(request(...metrics)), false, { ...OTLP_DEFAULTS, allowDelta: true })
  assert.deepEqual(
    columns.metadata.map(({ family, metadata }) => [family, metadata.type]),
    [
      ['d_total', 'unknown'],
      ['e', 'unknown'],
    ],
  )
  assert.equal(columns.histograms[0]!.histogram.counterResetHint, 3)
  const problems = Array.from({ length: columns.seriesCount }, (_, s) => columns.labels(s).problem)
  assert.match(problems.at(-1)!, /invalid temporality and type combination for metric "u"/)
})

test('an exponential histogram whose count is not that of its buckets is named', () => {
  const point = { ...TIME, count: '4', sum: 1, scale: 0, zeroCount: '0', positive: { offset: 0, bucketCounts: ['3'] } }
  const metric = { name: 'e', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [point] } }
  const columns = decodeOtlp(encode(request(metric as never)), false)
  assert.equal(columns.histograms.length, 0)
  assert.match(columns.labels(0).problem ?? '', /^e: invalid native histogram: 3 observations found in buckets/)
})

const typed: readonly (readonly [what: string, metric: Record<string, unknown>, labels: readonly string[]])[] = [
  ['a counter', { name: 'a', unit: 'By/s', sum: { isMonotonic: true } }, ['counter', 'bytes_per_second']],
  ['a sum that may fall', { name: 'a', unit: '', sum: { isMonotonic: false } }, ['gauge']],
  ['a gauge of ones', { name: 'a', unit: '1', gauge: {} }, ['gauge']],
  ['a gauge with a note for a unit', { name: 'a', unit: '{request}', gauge: {} }, ['gauge']],
  ['a histogram', { name: 'a', unit: 'ms', histogram: { explicitBounds: [1] } }, ['histogram', 'milliseconds']],
  ['a summary', { name: 'a', unit: 'us', summary: {} }, ['summary', 'microseconds']],
]
for (const [what, metric, labels] of typed)
  test(`with typeAndUnitLabels the series of ${what} say what they are, and target_info says nothing`, () => {
    const point = { ...TIME, asDouble: 1, count: '1', sum: 1, bucketCounts: ['1', '0'], explicitBounds: [1] }
    const own = Object.entries(metric).map(([key, value]) => [
      key,
      typeof value === 'string' ? value : { ...(value as object), aggregationTemporality: 2, dataPoints: [point] },
    ])
    const body = request(Object.fromEntries(own) as object)
    body.resourceMetrics[0]!.resource.attributes.push(attribute('host.name', 'h1'))
    const columns = decodeOtlp(asJson(body), true, { ...OTLP_DEFAULTS, typeAndUnitLabels: true })
    for (let s = 0; s < columns.seriesCount; s++) {
      const all = columns.labels(s).labels!
      const told = ['__type__', '__unit__'].flatMap((label) =>
        all.includes(label) ? all[all.indexOf(label) + 1]! : [],
      )
      assert.deepEqual(told, all.includes('target_info') ? [] : labels, all.join())
    }
    assert.ok(columns.seriesCount > 1)
  })

test('an attribute that is called __name__ is no label', () => {
  const point = { ...TIME, asDouble: 1, attributes: [attribute('__name__', 'x'), attribute('a', 'b')] }
  const body = request({ name: 'm', gauge: { dataPoints: [point] } })
  body.resourceMetrics[0]!.resource.attributes.push(attribute('__name__', 'y'), attribute('c', 'd'))
  const columns = decodeOtlp(asJson(body), true, { ...OTLP_DEFAULTS, translationStrategy: 'NoTranslation' })
  const all = Array.from({ length: columns.seriesCount }, (_, s) => columns.labels(s).labels)
  assert.deepEqual(all, [
    ['__name__', 'm', 'a', 'b', 'job', 's'],
    ['__name__', 'target_info', 'c', 'd', 'job', 's'],
  ])
})

test('settings: strategies, promotion, scope, custom buckets', () => {
  const own = { ...request(METRICS[2]!) }
  own.resourceMetrics[0]!.resource.attributes.push(attribute('host.name', 'h1'))
  const settings = {
    ...OTLP_DEFAULTS,
    promoteResourceAttributes: ['host.name'],
    promoteScopeMetadata: true,
    convertHistogramsToNhcb: true,
  }
  const columns = decodeOtlp(encode(own), false, settings)
  const labels = ['__name__', 'h', 'host_name', 'h1', 'job', 's', 'otel_scope_name', 'lib']
  assert.deepEqual(columns.labels(0).labels, labels)
  assert.deepEqual(columns.histograms[0]!.histogram.customValues, [1, 2])
  assert.deepEqual(columns.labels(1).labels, ['__name__', 'target_info', 'host_name', 'h1', 'job', 's'])
})

const NAMES: readonly [string, string, 'gauge' | 'counter' | 'other', string, string, string][] = [
  [
    'http.server.duration',
    's',
    'other',
    'http_server_duration_seconds',
    'http_server_duration',
    'http.server.duration_seconds',
  ],
  ['requests.count', '1', 'counter', 'requests_count_total', 'requests_count', 'requests.count_total'],
  ['memory.usage', 'By', 'gauge', 'memory_usage_bytes', 'memory_usage', 'memory.usage_bytes'],
  ['memory_usage_bytes', 'By', 'gauge', 'memory_usage_bytes', 'memory_usage_bytes', 'memory_usage_bytes'],
  ['io', 'valueOf/constructor', 'gauge', 'io_valueOf_per_constructor', 'io', 'io_valueOf_per_constructor'],
  ['hit', '1', 'gauge', 'hit_ratio', 'hit', 'hit_ratio'],
  ['total.io', 'By/s', 'counter', 'io_bytes_per_second_total', 'total_io', 'total.io_bytes_per_second_total'],
  ['active', '{connection}', 'other', 'active', 'active', 'active'],
  ['2xx', '', 'other', '_2xx', '_2xx', '2xx'],
]

test('names follow the strategy', () => {
  for (const [name, unit, kind, withSuffixes, without, utf8] of NAMES) {
    assert.equal(metricName(name, unit, kind, 'UnderscoreEscapingWithSuffixes'), withSuffixes)
    assert.equal(metricName(name, unit, kind, 'UnderscoreEscapingWithoutSuffixes'), without)
    assert.equal(metricName(name, unit, kind, 'NoUTF8EscapingWithSuffixes'), utf8)
    assert.equal(metricName(name, unit, kind, 'NoTranslation'), name)
  }
  assert.throws(() => metricName('___!', '', 'other', 'UnderscoreEscapingWithoutSuffixes'))
  assert.deepEqual(
    ['a.b', '1a', '_a', '__a', 'ok'].map((name) => labelName(name, 'UnderscoreEscapingWithSuffixes')),
    ['a_b', 'key_1a', 'key_a', '__a', 'ok'],
  )
})

// As otlptranslator 1.0.0 answers, settings of Prometheus' defaults first.
const LABELS: readonly [string, NameStrategy, LabelRules, string | RegExp][] = [
  ['_', 'UnderscoreEscapingWithSuffixes', {}, 'key_'],
  ['$', 'UnderscoreEscapingWithoutSuffixes', {}, 'key_'],
  ['a..b', 'UnderscoreEscapingWithSuffixes', {}, 'a__b'],
  ['a..b', 'UnderscoreEscapingWithSuffixes', { keepUnderscores: false }, 'a_b'],
  ['a__b', 'UnderscoreEscapingWithSuffixes', { keepUnderscores: false }, 'a_b'],
  ['_a', 'UnderscoreEscapingWithSuffixes', { sanitizeUnderscore: false }, '_a'],
  ['', 'NoTranslation', {}, /^label name is empty$/],
  ['__', 'NoTranslation', {}, /^label name "__" contains only underscores$/],
  ['%%', 'UnderscoreEscapingWithSuffixes', {}, /^normalization for label name "%%" resulted in invalid name "__"$/],
]
for (const [name, strategy, rules, expected] of LABELS)
  test(`the label ${JSON.stringify(name)} by ${strategy} ${JSON.stringify(rules)}`, () => {
    if (typeof expected === 'string') assert.equal(labelName(name, strategy, rules), expected)
    else assert.throws(() => labelName(name, strategy, rules), { message: expected })
  })

test('units hold what a metric name may hold', () => {
  const units = ['a__b', '__', '_s_', 'foo_', 'foo bar', 's/s/s', 'By/s', '1/s', '{x}/s', '%']
  assert.deepEqual(units.map(unitName), [
    ...['a_b', '', 's', 'foo', 'foo_bar', 'seconds_per_s_s', 'bytes_per_second', 'per_second', 'per_second', 'percent'],
  ])
  assert.equal(metricName('x', '_s_', 'counter', 'UnderscoreEscapingWithSuffixes'), 'x_s__total')
  assert.equal(metricName('x', 'foo_/s', 'other', 'UnderscoreEscapingWithSuffixes'), 'x_foo_per_second')
})

test('a label name of which nothing is left loses its metric, not the others', () => {
  const point = (key: string) => ({ ...TIME, asDouble: 1, attributes: [attribute(key, 'x')] })
  const gauge = (name: string, ...keys: string[]) => ({ name, gauge: { dataPoints: keys.map(point) } })
  const columns = decodeOtlp(encode(request(gauge('a', 'ok', '%%', 'ok') as never, gauge('b', 'ok') as never)), false)
  const all = Array.from({ length: columns.seriesCount }, (_, i) => columns.labels(i))
  assert.deepEqual(
    all.filter(({ problem }) => (problem ?? null) !== null).map(({ problem }) => problem),
    ['normalization for label name "%%" resulted in invalid name "__"'],
  )
  assert.deepEqual(
    all.filter(({ problem }) => (problem ?? null) === null).map(({ labels }) => labels?.[1]),
    ['a', 'b'],
  )
})

test('no bytes make the reader do anything but refuse or answer', () => {
  const good = encode(request(...METRICS))
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const bytes = good.slice()
      bytes[at] = byte
      for (const cut of [bytes, bytes.subarray(0, at)]) {
        try {
          plain(decodeOtlp(cut, false))
        } catch (error) {
          assert.ok(error instanceof RemoteWriteError, String(error))
        }
      }
    }),
    { numRuns: 2000 },
  )
})

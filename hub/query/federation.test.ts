/** Native histograms at `/federate`, as web/federate_test.go has them: read back by the parser of scrapes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pageSource } from '../../protocol/exposition/mod.ts'
import { EMPTY_LABELS, labelsFrom } from '../../protocol/labels/mod.ts'
import { CounterResetHint, CUSTOM_BUCKETS_SCHEMA, EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { createHead, openReader } from '../tsdb/mod.ts'
import { writeFederation } from './federation.ts'

const MINUTE = 60_000
const HISTOGRAM: Histogram = {
  ...EMPTY_HISTOGRAM,
  isFloat: false,
  schema: 1,
  zeroThreshold: 0.001,
  zeroCount: 2,
  count: 12,
  sum: 39.4,
  positiveSpans: [
    { offset: -3, length: 2 },
    { offset: 1, length: 2 },
  ],
  positiveBuckets: [1, 2, 1, 1],
  negativeSpans: [{ offset: 0, length: 2 }],
  negativeBuckets: [2, 3],
}

test('native histograms are families of their own kind, and are left out of text', () => {
  const head = createHead()
  const ref = (foo: string): number => head.series(labelsFrom({ __name__: 'test_metric', foo }))
  head.appendFloat(ref('0'), 100 * MINUTE, Float64Array.of(7), 0, 0)
  head.appendHistogram(ref('1'), 100 * MINUTE, HISTOGRAM, 0)
  head.appendHistogram(ref('2'), 100 * MINUTE, { ...HISTOGRAM, counterResetHint: CounterResetHint.gauge }, 0)
  head.appendFloat(ref('3'), 100 * MINUTE, Float64Array.of(Number.NaN), 0, 0)
  const custom = { ...EMPTY_HISTOGRAM, schema: CUSTOM_BUCKETS_SCHEMA, count: 1, customValues: [1] }
  head.appendHistogram(
    ref('4'),
    100 * MINUTE,
    { ...custom, positiveSpans: [{ offset: 0, length: 1 }], positiveBuckets: [1] },
    0,
  )
  head.publish()
  const reader = openReader(head.share())
  const written = (format: 'text' | 'protobuf'): Uint8Array =>
    writeFederation(reader, [[{ name: '__name__', op: '=', value: 'test_metric' }]], {
      timeMs: 101 * MINUTE,
      lookbackMs: 5 * MINUTE,
      externalLabels: EMPTY_LABELS,
      escaping: 'allow-utf-8',
      format,
    })
  try {
    assert.equal(
      new TextDecoder().decode(written('text')),
      '# TYPE test_metric untyped\ntest_metric{foo="0",instance=""} 7 6000000\ntest_metric{foo="3",instance=""} NaN 6000000\n',
    )
    const options = {
      format: 'protobuf',
      ignoreTimestamps: false,
      startTimestamps: false,
      typeAndUnitLabels: false,
      nativeHistograms: true,
    } as const
    const source = pageSource(options)
    source.read(written('protobuf'), options)
    assert.deepEqual(
      source.newSeries.map(({ labels }) => [...labels].join(' ')),
      ['0', '1', '2', '3'].map((foo) => `__name__ test_metric foo ${foo} instance `),
    )
    assert.deepEqual(
      [...source.timestamps!].slice(0, source.count),
      Array.from({ length: 4 }, () => 100 * MINUTE),
    )
    assert.deepEqual([source.values[0], source.values[3]], [7, Number.NaN])
    const [counter, gauge] = [source.histograms!.get(1)!, source.histograms!.get(2)!]
    const hint = (counterResetHint: CounterResetHint): Histogram => ({ ...HISTOGRAM, isFloat: true, counterResetHint })
    assert.deepEqual(counter, hint(CounterResetHint.unknown))
    assert.deepEqual(gauge, hint(CounterResetHint.gauge))
  } finally {
    reader.release()
  }
})

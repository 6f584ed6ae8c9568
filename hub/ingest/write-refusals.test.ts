/**
 * What the sender of a write is told of what is not stored, through the engine and the real head.
 * Rows as of Prometheus storage/remote/write_handler_test.go, TestRemoteWriteHandler_V2Message,
 * TestOutOfOrderSample_V1Message and TestHistogramValidationErrorHandling (v3.14); texts of samples as of storage/errors.go.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snappyCompress, type WriteKind } from '../../protocol/remote-write/mod.ts'
import { createHead, headRestorer } from '../tsdb/mod.ts'
import type { IngestEngine } from './mod.ts'
import { NOW, World } from './testing/world.ts'
import { Request1, Request2 } from './testing/write-messages.ts'

const SYMBOLS = ['', '__name__', 'm', 'n', 'a', 'b']
const M = [1, 2, 4, 5]
const N = [1, 3]
const [NAMED_M, NAMED_N] = ['{__name__="m", a="b"}', '{__name__="n"}']
const sample = (timestamp: number, value = 1): object => ({ timestamp, value })
const histogram = (timestamp: number, countInt = 3): object => ({
  timestamp,
  countInt,
  sum: 1,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [1, 1],
})

async function engineWith(outOfOrderWindowMs: number | null, world = new World(41)): Promise<IngestEngine> {
  world.options = {
    heads: { create: () => createHead({}), restore: () => headRestorer({}) },
    limits: { maxFutureMs: 600_000, maxSeriesPerAgent: 100, outOfOrderWindowMs },
  }
  return world.open()
}

type Told = { status: number; message: string; written: string }
function tell(engine: IngestEngine, bytes: Uint8Array, format: WriteKind['format']): Told {
  const { status, message, written } = engine.acceptRemoteWrite(snappyCompress(bytes), { format, encoding: 'snappy' })
  engine.commit()
  return { status, message, written: `${written.samples} ${written.histograms} ${written.exemplars}` }
}
const write2 = (engine: IngestEngine, ...timeseries: object[]): Told =>
  tell(engine, Request2.encode(Request2.fromObject({ symbols: SYMBOLS, timeseries })).finish(), 'rw2')
const write1 = (engine: IngestEngine, ...timeseries: object[]): Told =>
  tell(engine, Request1.encode(Request1.fromObject({ timeseries })).finish(), 'rw1')

const good = { labelsRefs: N, samples: [sample(NOW)] }
const MISCOUNTED =
  "3 observations found in buckets, but the Count field is 9: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"
const rows: readonly [what: string, series: object[], message: string, written: string][] = [
  [
    'a sample that is out of order, beside others',
    [{ labelsRefs: M, samples: [sample(NOW), sample(NOW - 1), sample(NOW + 1)] }, good],
    `out of order sample for series ${NAMED_M}`,
    '3 0 0',
  ],
  [
    'another value for a time',
    [{ labelsRefs: M, samples: [sample(NOW, 0.5), sample(NOW, 2e6)] }, good],
    `duplicate sample for timestamp ${NOW}; overrides not allowed: existing 0.5, new value 2e+06 for series ${NAMED_M}`,
    '2 0 0',
  ],
  ['the same value for a time', [{ labelsRefs: M, samples: [sample(NOW), sample(NOW)] }, good], '', '3 0 0'],
  [
    'another histogram for a time',
    [{ labelsRefs: M, histograms: [histogram(NOW), { ...histogram(NOW), sum: 7 }] }, good],
    `duplicate sample for timestamp for series ${NAMED_M}`,
    '1 1 0',
  ],
  [
    'a histogram that is out of order',
    [{ labelsRefs: M, histograms: [histogram(NOW), histogram(NOW - 1)] }, good],
    `out of order sample for series ${NAMED_M}`,
    '1 1 0',
  ],
  [
    'a histogram that is none, beside one that is',
    [{ labelsRefs: M, histograms: [histogram(NOW), histogram(NOW + 1, 9)] }, good],
    `${MISCOUNTED} for series ${NAMED_M}`,
    '1 1 0',
  ],
  [
    'a series with floats and histograms',
    [{ labelsRefs: M, samples: [sample(NOW - 1)], histograms: [histogram(NOW)] }, good],
    '',
    '2 1 0',
  ],
  [
    'a sample of the far future',
    [{ labelsRefs: M, samples: [sample(NOW + 700_000)] }, good],
    `out of bounds: timestamp is too far in the future for series ${NAMED_M}`,
    '1 0 0',
  ],
  [
    'exemplars with bad references, beside one that is right',
    [
      {
        labelsRefs: M,
        samples: [sample(NOW)],
        exemplars: [
          { labelsRefs: [4], value: 1, timestamp: NOW },
          { labelsRefs: [4, 99], value: 1, timestamp: NOW },
          { labelsRefs: [4, 5], value: 1, timestamp: NOW },
        ],
      },
      good,
    ],
    `parsing exemplar for series ${NAMED_M}: invalid labelRefs length 1\nparsing exemplar for series ${NAMED_M}: labelRefs 4 (name) = 99 (value) outside of symbols table (size 6)`,
    '2 0 1',
  ],
  [
    'metadata with bad references',
    [{ labelsRefs: M, samples: [sample(NOW)], metadata: { type: 1, helpRef: 77 } }, good],
    'parsing metadata for series [1 2 4 5]: symbol reference 77 outside of symbols table (size 6)',
    '1 0 0',
  ],
  [
    'several faults, told by series',
    [
      { labelsRefs: M, histograms: [histogram(NOW, 9)], samples: [sample(NOW), sample(NOW - 1)] },
      { labelsRefs: [4, 5], samples: [sample(NOW)] },
      { labelsRefs: N, samples: [sample(NOW), sample(NOW - 1)] },
    ],
    `out of order sample for series ${NAMED_M}\n${MISCOUNTED} for series ${NAMED_M}\ninvalid metric name or labels, got {a="b"}\nout of order sample for series ${NAMED_N}`,
    '2 0 0',
  ],
]
for (const [what, series, message, written] of rows)
  test(`2.0 answers ${what}`, async () => {
    const engine = await engineWith(0)
    assert.deepEqual(write2(engine, ...series), { status: message === '' ? 204 : 400, message, written })
    engine.close()
  })

test('2.0 names a series that has a histogram at the time', async () => {
  const engine = await engineWith(null)
  assert.equal(write2(engine, { labelsRefs: M, histograms: [histogram(NOW)] }).status, 204)
  assert.equal(
    write2(engine, { labelsRefs: M, samples: [sample(NOW, 5)] }).message,
    `duplicate sample for timestamp ${NOW}; overrides not allowed: existing is a histogram, new value 5 for series ${NAMED_M}`,
  )
  engine.close()
})

test('2.0 says what is too old', async () => {
  const engine = await engineWith(60_000)
  assert.equal(write2(engine, { labelsRefs: M, samples: [sample(NOW)] }).status, 204)
  const { status, message } = write2(engine, { labelsRefs: M, samples: [sample(NOW - 60_001)] })
  assert.deepEqual([status, message], [400, `too old sample for series ${NAMED_M}`])
  engine.close()
})

test('exemplars with too long labels are left out, and no error', async () => {
  const engine = await engineWith(0)
  const symbols = [...SYMBOLS, 'ü'.repeat(127), 'ü'.repeat(128)]
  const exemplars = [
    { labelsRefs: [4, 6], value: 1, timestamp: NOW },
    { labelsRefs: [4, 7], value: 1, timestamp: NOW },
  ]
  const timeseries = [{ labelsRefs: M, samples: [sample(NOW)], exemplars }]
  const told = tell(engine, Request2.encode(Request2.fromObject({ symbols, timeseries })).finish(), 'rw2')
  assert.deepEqual(told, { status: 204, message: '', written: '1 0 1' })
  engine.close()
})

test('samples of series with invalid labels are counted', async () => {
  const engine = await engineWith(0)
  write2(engine, { labelsRefs: [4, 5], samples: [sample(NOW), sample(NOW + 1)], histograms: [histogram(NOW + 2)] })
  assert.equal(engine.counters.remoteWriteInvalidLabels, 3)
  engine.close()
})

test('2.0 tells a hundred faults, however many there are', async () => {
  const engine = await engineWith(0)
  const exemplars = Array.from({ length: 500 }, () => ({ labelsRefs: [9], value: 1, timestamp: NOW }))
  const samples = Array.from({ length: 500 }, (_, i) => sample(NOW - i))
  const told = write2(engine, { labelsRefs: M, samples, exemplars })
  assert.equal(told.message.split('\n').length, 100)
  assert.equal(told.written, '1 0 0')
  engine.close()
})

const labels = (name: string): object[] => [{ name: '__name__', value: name }]
test('1.0 tells the first fault alone, without its series, which the log names', async () => {
  const engine = await engineWith(0)
  const series = [
    { labels: labels('m'), samples: [sample(NOW), sample(NOW - 1)] },
    { labels: labels('n'), samples: [sample(NOW), sample(NOW, 2)] },
    { labels: [{ name: 'a', value: 'b' }], samples: [sample(NOW)] },
  ]
  const { status, message } = write1(engine, ...series)
  assert.deepEqual([status, message], [400, 'out of order sample'])
  assert.equal(write1(engine, series[2]!).status, 204, 'labels that are none are counted, and no error')
  engine.close()
})

test('1.0 refuses a request with a histogram that is none', async () => {
  const engine = await engineWith(0)
  const both = [
    { labels: labels('n'), samples: [sample(NOW)] },
    { labels: labels('m'), histograms: [histogram(NOW, 9)] },
  ]
  const { status, message } = write1(engine, ...both)
  assert.deepEqual([status, message], [400, MISCOUNTED])
  engine.close()
})

test('of many series with bad labels the histograms are counted in one go, and one line is logged', async () => {
  const world = new World(42)
  const engine = await engineWith(null, world)
  const before = process.cpuUsage()
  const { status } = write2(
    engine,
    ...Array.from({ length: 100_000 }, (_, i) => ({ labelsRefs: [], histograms: i % 2 ? [histogram(NOW)] : [] })),
    { labelsRefs: [], samples: [sample(NOW)], histograms: [histogram(NOW), histogram(NOW)] },
  )
  // A second; a minute when each series looked through all histograms.
  assert.ok(process.cpuUsage(before).user < 12_000_000)
  const lines = world.log.lines.filter(({ message }) => message === 'A series that was written is refused')
  assert.deepEqual([status, engine.counters.remoteWriteInvalidLabels, lines.length], [400, 50_003, 1])
})

test('a symbol of megabytes that many series have is not told once for each', async () => {
  const engine = await engineWith(null)
  const symbols = [...SYMBOLS, 'x'.repeat(8 << 20), ...Array.from({ length: 100 }, (_, i) => `s${i}`)]
  const write = (ofSeries: object): Told => {
    const timeseries = Array.from({ length: 100 }, (_, i) => ({ labelsRefs: [1, 2, 4, 6, 5, 7 + i], ...ofSeries }))
    return tell(engine, Request2.encode(Request2.fromObject({ symbols, timeseries })).finish(), 'rw2')
  }
  for (const ofSeries of [
    { histograms: [histogram(NOW, 9)] },
    { samples: [sample(NOW)], exemplars: [{ labelsRefs: [9999, 1] }] },
    { samples: [sample(NOW + 1e10)] },
    {},
  ]) {
    const { status, message } = write(ofSeries)
    assert.equal(status, 400)
    // 800 MB, which no string holds: the hub took it for a fault of its storage, and stopped.
    assert.ok(message.length < 100_000, `${message.length}`)
    assert.match(message, /__name__="m"|label_value_length exceeded: 100 series/)
  }
})

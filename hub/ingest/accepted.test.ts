/** What was refused when it came stays refused, and what was acknowledged stays, through kills and the real replay. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteKind } from '../../protocol/remote-write/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { createHead, createSampleBuffer, type HeadOptions, headRestorer, openReader } from '../tsdb/mod.ts'
import { openWal } from '../wal/mod.ts'
import type { IngestEngine } from './mod.ts'
import { RecordType, writePrefix } from './records.ts'
import { Refusals } from './refusals.ts'
import { NOW, World } from './testing/world.ts'
import { REMOTE_WRITE_1 } from './write-answer.ts'

const MINUTE = 60_000
const ALL = { minTime: -8e15, maxTime: 8e15 }

type Row = { readonly name: string; readonly timeMs: number; readonly value: number }
type Inlet = { readonly kind: WriteKind; readonly encode: (rows: readonly Row[]) => Uint8Array }

const histogramOf = (value: number): Histogram => ({
  isFloat: false,
  isStale: false,
  counterResetHint: 0,
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCount: 1,
  count: 1 + value,
  sum: value,
  positiveSpans: [{ offset: 2, length: 1 }],
  positiveBuckets: [value],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [],
})

const seriesOf = ({ name, timeMs, value }: Row) => ({
  labels: labelsFrom({ __name__: name }),
  timestamps: [timeMs],
  values: Float64Array.of(value),
})

const Request2 = protobuf
  .parse(`syntax = "proto3"; package io.prometheus.write.v2;
    message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
    message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; }
    message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
    message BucketSpan { sint32 offset = 1; uint32 length = 2; }
    message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; uint64 zero_count_int = 6;
      repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; int64 timestamp = 15; }`)
  .root.lookupType('io.prometheus.write.v2.Request')

function request2(rows: readonly Row[], what: (row: Row) => object): Uint8Array {
  const symbols = ['', '__name__', ...rows.map(({ name }) => name)]
  const timeseries = rows.map((row, i) => ({ labelsRefs: [1, 2 + i], ...what(row) }))
  return snappyCompress(Request2.encode(Request2.fromObject({ symbols, timeseries })).finish())
}

const nanos = (timeMs: number): string => `${timeMs}000000`
const otlp = (metrics: readonly object[]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))

const RW2: WriteKind = { format: 'rw2', encoding: 'snappy' }
const OTLP: WriteKind = { format: 'otlp-json', encoding: 'identity' }

const INLETS: Readonly<Record<string, Inlet>> = {
  'remote write 1.0': {
    kind: REMOTE_WRITE_1,
    encode: (rows) => snappyCompress(encodeWriteRequest(rows.map(seriesOf))),
  },
  'remote write 1.0 with exemplars': {
    kind: REMOTE_WRITE_1,
    encode: (rows) =>
      snappyCompress(
        encodeWriteRequest(
          rows.map((row) => ({
            ...seriesOf(row),
            exemplars: [{ labels: ['trace_id', 'x'], value: row.value, timestampMs: row.timeMs }],
          })),
        ),
      ),
  },
  'remote write 1.0 with metadata': {
    kind: REMOTE_WRITE_1,
    encode: (rows) =>
      snappyCompress(
        encodeWriteRequest(
          rows.map(seriesOf),
          rows.map(({ name }) => ({ family: name, metadata: { type: 'gauge', help: 'h', unit: '' } })),
        ),
      ),
  },
  'remote write 1.0 with histograms': {
    kind: REMOTE_WRITE_1,
    encode: (rows) =>
      snappyCompress(
        encodeWriteRequest(
          rows.map(({ name, timeMs, value }) => ({
            labels: labelsFrom({ __name__: name }),
            timestamps: [],
            values: new Float64Array(0),
            histograms: [{ timestampMs: timeMs, histogram: histogramOf(value) }],
          })),
        ),
      ),
  },
  'remote write 2.0': {
    kind: RW2,
    encode: (rows) => request2(rows, ({ timeMs, value }) => ({ samples: [{ value, timestamp: timeMs }] })),
  },
  'remote write 2.0 with start times': {
    kind: RW2,
    encode: (rows) =>
      request2(rows, ({ timeMs, value }) => ({
        samples: [{ value, timestamp: timeMs, startTimestamp: NOW - 90 * MINUTE }],
      })),
  },
  'remote write 2.0 with histograms': {
    kind: RW2,
    encode: (rows) =>
      request2(rows, ({ timeMs, value }) => ({
        histograms: [
          {
            countInt: value,
            sum: value,
            schema: 3,
            positiveSpans: [{ offset: 2, length: 1 }],
            positiveDeltas: [value],
            timestamp: timeMs,
          },
        ],
      })),
  },
  OTLP: {
    kind: OTLP,
    encode: (rows) =>
      otlp(
        rows.map(({ name, timeMs, value }) => ({
          name,
          gauge: { dataPoints: [{ timeUnixNano: nanos(timeMs), asDouble: value }] },
        })),
      ),
  },
  'OTLP with exponential histograms': {
    kind: OTLP,
    encode: (rows) =>
      otlp(
        rows.map(({ name, timeMs, value }) => ({
          name,
          exponentialHistogram: {
            aggregationTemporality: 2,
            dataPoints: [
              {
                timeUnixNano: nanos(timeMs),
                startTimeUnixNano: nanos(NOW - 90 * MINUTE),
                count: String(value),
                sum: value,
                scale: 3,
                zeroCount: '0',
                positive: { offset: 1, bucketCounts: [String(value)] },
              },
            ],
          },
        })),
      ),
  },
}

type Bounds = { readonly windowMs?: number | null; readonly futureMs?: number; readonly head?: HeadOptions }

/** A process with these bounds on what the one before, killed, has left. */
async function open(
  world: World,
  { windowMs = null, futureMs = 10 * MINUTE, head = {} }: Bounds,
): Promise<IngestEngine> {
  world.disk = world.disk.kill()
  world.options = {
    heads: { create: () => createHead(head), restore: () => headRestorer(head) },
    limits: { maxFutureMs: futureMs, maxSeriesPerAgent: 100, outOfOrderWindowMs: windowMs },
  }
  return await world.open()
}

function dump(engine: IngestEngine): string[] {
  const reader = openReader(engine.share())
  const buffer = createSampleBuffer()
  try {
    return [...reader.select([], ALL)]
      .flatMap((ref) => {
        reader.read(ref, ALL, buffer)
        const n = buffer.count
        if (n === 0) return []
        const columns = [buffer.times, buffer.values, buffer.flags, buffer.startTimes ?? []].map((each) =>
          each.slice(0, n),
        )
        return `${reader.labels(ref)} ${columns.join(' ')} ${JSON.stringify(buffer.histograms?.slice(0, n))} ${JSON.stringify(reader.exemplars(ref, ALL))}`
      })
      .sort()
  } finally {
    reader.release()
  }
}

type Case = {
  readonly why: string
  readonly bounds: Bounds
  readonly lax: Bounds
  /** What the second request has; the first is `a` at NOW. */
  readonly rows: readonly Row[]
  readonly status: number
  /** Series that have samples then. */
  readonly names: string
}

const row = (name: string, timeMs: number, value: number): Row => ({ name, timeMs, value })

const CASES: readonly Case[] = [
  {
    why: 'out of order, without a window',
    bounds: { windowMs: 0 },
    lax: {},
    rows: [row('a', NOW - MINUTE, 2), row('b', NOW, 3)],
    status: 400,
    names: 'ab',
  },
  {
    why: 'too old, with a window',
    bounds: { windowMs: 10 * MINUTE },
    lax: {},
    rows: [row('b', NOW, 3), row('a', NOW - 20 * MINUTE, 2), row('c', NOW - 20 * MINUTE, 2)],
    status: 400,
    names: 'abc',
  },
  {
    why: 'too far in the future',
    bounds: {},
    lax: { futureMs: 1000 * MINUTE },
    rows: [row('a', NOW + 60 * MINUTE, 2), row('c', NOW + 60 * MINUTE, 2), row('b', NOW, 3)],
    status: 400,
    names: 'ab',
  },
  {
    why: 'over a limit of series',
    bounds: { head: { maxSeries: 2 } },
    lax: {},
    rows: [row('b', NOW, 3), row('c', NOW, 2), row('a', NOW + 1, 4)],
    status: 429,
    names: 'ab',
  },
  {
    why: 'another value at the same time',
    bounds: {},
    lax: {},
    rows: [row('a', NOW, 2), row('b', NOW, 3)],
    status: 400,
    names: 'ab',
  },
]

for (const [inlet, { kind, encode }] of Object.entries(INLETS))
  for (const { why, bounds, lax, rows, status, names } of CASES)
    test(`${inlet}: what is refused (${why}) does not come back after a kill`, async () => {
      const world = new World(41)
      const engine = await open(world, bounds)
      const accept = (all: readonly Row[]) => engine.acceptRemoteWrite(encode(all), kind)
      assert.equal(accept([row('a', NOW, 1)]).status, 204)
      assert.equal(accept(rows).status, status)
      assert.ok(engine.commit())
      const before = dump(engine)
      assert.equal(before.map((line) => line.match(/^__name__,(\w)/)![1]).join(''), names)
      for (const after of [bounds, lax]) {
        const again = await open(world, after)
        assert.deepEqual(dump(again), before)
        assert.equal(again.counters.replayLost, 0)
      }
    })

for (const [inlet, { kind, encode }] of Object.entries(INLETS))
  test(`${inlet}: what is acknowledged is there under bounds that would refuse it`, async () => {
    const world = new World(42)
    const engine = await open(world, { futureMs: 60 * MINUTE })
    for (const timeMs of [NOW + 30 * MINUTE, NOW, NOW - 60 * MINUTE])
      assert.equal(engine.acceptRemoteWrite(encode([row('a', timeMs, 1), row('b', timeMs, 2)]), kind).status, 204)
    assert.ok(engine.commit())
    const before = dump(engine)
    const again = await open(world, { futureMs: MINUTE, windowMs: 0 })
    assert.deepEqual(dump(again), before)
  })

test('a request of which nothing is stored leaves nothing in the log', async () => {
  const world = new World(43)
  const engine = await open(world, { windowMs: 0 })
  const { kind, encode } = INLETS['remote write 2.0']!
  engine.acceptRemoteWrite(encode([row('a', NOW, 1)]), kind)
  engine.commit()
  assert.equal(engine.acceptRemoteWrite(encode([row('a', NOW - 1, 1)]), kind).status, 400)
  assert.equal(engine.acceptRemoteWrite(encode([row('a', NOW, 1)]), kind).status, 204)
  assert.equal(engine.pendingBytes, 0)
})

/** A log with one record, and the process that replays it. */
async function replayed(type: number, parts: readonly Uint8Array[]): Promise<{ engine: IngestEngine; world: World }> {
  const world = new World(44)
  const wal = openWal(world.engineOptions())
  wal.replay(
    () => {},
    () => {},
  )
  wal.append(type, parts)
  wal.commit()
  wal.close()
  return { engine: await open(world, { windowMs: 0 }), world }
}

const { kind, encode } = INLETS['remote write 2.0']!
const body = encode([row('a', NOW, 1), row('b', NOW, 2), row('a', NOW - MINUTE, 1), row('c', NOW + 60 * MINUTE, 1)])

test('a record of an earlier version, without refusals, is applied whole but for what is in the future', async () => {
  const { engine } = await replayed(RecordType.write, [writePrefix(NOW, kind), body])
  assert.deepEqual(
    dump(engine).map((line) => line.split(' ').slice(0, 2).join(' ')),
    [`__name__,a ${NOW - MINUTE},${NOW}`, `__name__,b ${NOW}`],
  )
})

test('refusals that do not fit what the body decodes to count for nothing, and that is logged', async () => {
  const refusals = new Refusals(3, 3, 0)
  for (let i = 0; i < 3; i++) refusals.refuseSample(i)
  const { engine, world } = await replayed(RecordType.accepted, [writePrefix(NOW, kind), refusals.encode(), body])
  assert.equal(dump(engine).length, 2)
  assert.equal(world.log.lines.filter(({ message }) => message.includes('decoded otherwise')).length, 1)
})

test('refusals that are none cost their record, and that is counted', async () => {
  const { engine } = await replayed(RecordType.accepted, [writePrefix(NOW, kind), new Uint8Array(16).fill(255), body])
  assert.equal(dump(engine).length, 0)
  assert.equal(engine.counters.replayLost, 1)
})

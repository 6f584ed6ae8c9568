/**
 * Zeros at start timestamps, through the engine, the real head and the real replay, by each way in. Rows as of Prometheus
 * tsdb/head_test.go, TestHeadAppender_AppendSTZeroSample, scrape/manager_test.go, TestManagerSTZeroIngestion, and
 * storage/remote/write_handler_test.go, TestRemoteWriteHandler_V2Message (v3.14).
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import type { Scrape } from '../../protocol/batch/types.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import { CounterResetHint, CUSTOM_BUCKETS_SCHEMA, EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { createHead, createSampleBuffer, type Head, headRestorer, openReader } from '../tsdb/mod.ts'
import { newCounters } from './counters.ts'
import type { IngestEngine } from './mod.ts'
import { RecordType } from './records.ts'
import { StartZeros } from './start-zeros.ts'
import { MemoryHead } from './testing/memory-head.ts'
import { NOW, type SimulatedAgent, World } from './testing/world.ts'

const HOUR = 3_600_000
const ALL = { minTime: -8e15, maxTime: 8e15 }
const LABELS = labelsFrom({ __name__: 'a_total' })

/** Times are relative to NOW. */
type Sample = { readonly t: number; readonly st: number; readonly v: number | Histogram }
/** What the series holds then: time and value. */
type Held = readonly [t: number, v: number | Histogram]

const ORDER: Readonly<Record<string, readonly [sent: readonly Sample[], held: readonly Held[]]>> = {
  'a start before the first sample': [
    [s(100, 1, 10)],
    [
      [1, 0],
      [100, 10],
    ],
  ],
  'no start': [[{ t: 100, st: -NOW, v: 10 }], [[100, 10]]],
  'the same start again': [
    [s(100, 1, 10), s(101, 1, 11)],
    [
      [1, 0],
      [100, 10],
      [101, 11],
    ],
  ],
  'a newer start': [
    [s(100, 1, 10), s(102, 101, 10)],
    [
      [1, 0],
      [100, 10],
      [101, 0],
      [102, 10],
    ],
  ],
  'a start that is the time of the sample before': [
    [s(100, 1, 10), s(101, 100, 10)],
    [
      [1, 0],
      [100, 10],
      [101, 10],
    ],
  ],
  'a start before the sample before': [
    [s(100, 1, 10), s(102, 99, 10)],
    [
      [1, 0],
      [100, 10],
      [102, 10],
    ],
  ],
  'a start that is the time of its sample': [[s(100, 100, 10)], [[100, 10]]],
  'a start after its sample': [[s(100, 101, 10)], [[100, 10]]],
  'a start just within reach': [
    [s(100, 100 - HOUR, 10)],
    [
      [100 - HOUR, 0],
      [100, 10],
    ],
  ],
  'a start out of reach': [[s(100, 99 - HOUR, 10)], [[100, 10]]],
  'a late sample': [
    [s(100, 1, 10), s(50, 20, 5)],
    [
      [1, 0],
      [50, 5],
      [100, 10],
    ],
  ],
  'a start beyond a late sample': [
    [s(100, 1, 10), s(50, 60, 5)],
    [
      [1, 0],
      [50, 5],
      [100, 10],
    ],
  ],
  'a zero of its own': [
    [s(100, 1, 0), s(102, 101, 0)],
    [
      [1, 0],
      [100, 0],
      [101, 0],
      [102, 0],
    ],
  ],
  'another start that says less': [
    [s(100, 1, 10), s(110, 1, 11), s(130, 120, 1)],
    [
      [1, 0],
      [100, 10],
      [110, 11],
      [120, 0],
      [130, 1],
    ],
  ],
}

function s(t: number, st: number, v: number | Histogram): Sample {
  return { t, st, v }
}

const exponential: Histogram = {
  ...EMPTY_HISTOGRAM,
  isFloat: false,
  schema: 3,
  zeroThreshold: 1e-5,
  zeroCount: 1,
  count: 4,
  sum: 7,
  positiveSpans: [{ offset: 2, length: 2 }],
  positiveBuckets: [1, 2],
}
const custom: Histogram = {
  ...EMPTY_HISTOGRAM,
  isFloat: false,
  schema: CUSTOM_BUCKETS_SCHEMA,
  count: 3,
  sum: 7,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [1, 2],
  customValues: [0.5, 1],
}
const LAYOUTS: Readonly<Record<string, Histogram>> = {
  exponential,
  custom,
  'exponential of floats': { ...exponential, isFloat: true },
  'custom of floats': { ...custom, isFloat: true },
}
const emptied = ({ isFloat, schema, zeroThreshold, customValues }: Histogram): Histogram => ({
  ...EMPTY_HISTOGRAM,
  isFloat,
  schema,
  zeroThreshold,
  customValues,
})

const Request2 = protobuf
  .parse(`syntax = "proto3"; package io.prometheus.write.v2;
    message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
    message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; }
    message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
    message Span { sint32 offset = 1; uint32 length = 2; }
    message Histogram {
      uint64 count_int = 1; double count_float = 2; double sum = 3; sint32 schema = 4; double zero_threshold = 5;
      uint64 zero_count_int = 6; double zero_count_float = 7; repeated Span positive_spans = 11;
      repeated sint64 positive_deltas = 12; repeated double positive_counts = 13; int64 timestamp = 15;
      repeated double custom_values = 16; int64 start_timestamp = 17; }`)
  .root.lookupType('io.prometheus.write.v2.Request')

function histogram2(h: Histogram, timestamp: number, startTimestamp: number): object {
  const { schema, zeroThreshold, sum, positiveSpans, customValues, positiveBuckets } = h
  const own = h.isFloat
    ? { countFloat: h.count, zeroCountFloat: h.zeroCount, positiveCounts: positiveBuckets }
    : {
        countInt: h.count,
        zeroCountInt: h.zeroCount,
        positiveDeltas: positiveBuckets.map((count, i) => count - (positiveBuckets[i - 1] ?? 0)),
      }
  return { schema, zeroThreshold, sum, positiveSpans, customValues, timestamp, startTimestamp, ...own }
}

function request2(sent: readonly Sample[]): Uint8Array {
  const of = ({ t, st, v }: Sample): object =>
    typeof v === 'number'
      ? { value: v, timestamp: NOW + t, startTimestamp: NOW + st }
      : histogram2(v, NOW + t, NOW + st)
  const part = typeof sent[0]!.v === 'number' ? 'samples' : 'histograms'
  const message = { symbols: ['', '__name__', 'a_total'], timeseries: [{ labelsRefs: [1, 2], [part]: sent.map(of) }] }
  return snappyCompress(Request2.encode(Request2.fromObject(message)).finish())
}

const scrapeOf = (id: number, { t, st, v }: Sample): Scrape => ({
  target: 't',
  slotMs: NOW + t,
  intervalMs: 15_000,
  timestampMs: NOW + t,
  ids: Uint32Array.of(id),
  values: Float64Array.of(typeof v === 'number' ? v : 0),
  timestamps: null,
  startTimestamps: Float64Array.of(NOW + st),
  histograms: typeof v === 'number' ? null : new Map([[0, v]]),
  exemplars: null,
})

/** An engine over the real head, and what it holds. */
class Hub {
  readonly world = new World(77)
  readonly agent: SimulatedAgent = this.world.agent('web-1', { keyframeEvery: 2 })
  engine!: IngestEngine
  head!: Head
  #defined = false

  async open(isOn = true): Promise<this> {
    const heads = {
      create: () => (this.head = createHead({})),
      restore: () => {
        const { push, finish } = headRestorer({})
        return { push, finish: () => (this.head = finish()) }
      },
    }
    this.world.options = { heads, ...(isOn && { startZeroReachMs: HOUR }) }
    this.engine = await this.world.open()
    return this
  }

  /** One batch of a scrape for each sample. */
  batch(sent: readonly Sample[]): Uint8Array {
    const { encoder } = this.agent
    for (const sample of sent) encoder.add(scrapeOf(encoder.define(LABELS, null), sample))
    return encoder.seal()!.bytes
  }

  accept(bytes: Uint8Array): string {
    const { result } = this.engine.acceptBatch(this.agent.subject, bytes.slice())
    this.engine.commit()
    return result
  }

  local(sent: readonly Sample[]): void {
    for (const sample of sent) {
      const definitions = this.#defined ? [] : [{ id: 0, labels: LABELS, metadata: null }]
      this.#defined = true
      this.engine.acceptLocal({ source: 'embedded', epoch: 1, definitions, scrape: scrapeOf(0, sample), missed: [] })
    }
    this.engine.commit()
  }

  write(sent: readonly Sample[]): void {
    const answer = this.engine.acceptRemoteWrite(request2(sent), { format: 'rw2', encoding: 'snappy' })
    assert.equal(answer.status, 204)
    this.engine.commit()
  }

  otlp(sent: readonly Sample[]): void {
    const nanos = (ms: number): string => `${NOW + ms}000000`
    const dataPoints = sent.map(({ t, st, v }) => ({
      asDouble: v,
      timeUnixNano: nanos(t),
      startTimeUnixNano: nanos(st),
    }))
    const metrics = [{ name: 'a', sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } }]
    const body = new TextEncoder().encode(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))
    const answer = this.engine.acceptRemoteWrite(body, { format: 'otlp-json', encoding: 'identity' })
    assert.equal(answer.status, 204)
    this.engine.commit()
  }

  /** Of the only series, relative to NOW. */
  held(): Held[] {
    const reader = openReader(this.head.share())
    const buffer = createSampleBuffer()
    try {
      const [ref, ...others] = reader.select([], ALL)
      assert.deepEqual(others, [])
      reader.read(ref!, ALL, buffer)
      return Array.from({ length: buffer.count }, (_, i): Held => {
        const histogram = buffer.histograms?.[i]
        return [buffer.times[i]! - NOW, histogram ? { ...histogram, counterResetHint: 0 } : buffer.values[i]!]
      })
    } finally {
      reader.release()
    }
  }

  async restart(isOn = true): Promise<void> {
    // As after kill -9.
    this.world.disk = this.world.disk.kill()
    await this.open(isOn)
    assert.equal(this.engine.counters.replayLost, 0)
  }
}

const OF_FLOATS = 'OTLP'
const INLETS: Readonly<Record<string, (hub: Hub, sent: readonly Sample[]) => void>> = {
  'batches of an agent': (hub, sent) => {
    for (const sample of sent) assert.equal(hub.accept(hub.batch([sample])), 'stored')
  },
  'one batch of an agent': (hub, sent) => assert.equal(hub.accept(hub.batch(sent)), 'stored'),
  'scrapes of the hub': (hub, sent) => hub.local(sent),
  'remote writes 2.0': (hub, sent) => {
    for (const sample of sent) hub.write([sample])
  },
  'one remote write 2.0': (hub, sent) => hub.write(sent),
  [OF_FLOATS]: (hub, sent) => hub.otlp(sent),
}

for (const [inlet, send] of Object.entries(INLETS)) {
  test(`${inlet}: a zero stands at a start between the newest sample and its own, and survives a restart`, async (t) => {
    for (const [name, [sent, held]] of Object.entries(ORDER))
      await t.test(name, async () => {
        const hub = await new Hub().open()
        send(hub, sent)
        assert.deepEqual(hub.held(), held)
        const { samplesStored, startZeros } = hub.engine.counters
        assert.deepEqual(
          { samplesStored, startZeros },
          { samplesStored: sent.length, startZeros: held.length - sent.length },
        )
        for (const isOn of [true, false]) {
          await hub.restart(isOn)
          assert.deepEqual(hub.held(), held)
        }
        hub.engine.checkpoint()
        await hub.restart()
        assert.deepEqual(hub.held(), held)
      })
  })

  if (inlet !== OF_FLOATS)
    test(`${inlet}: the zero of a histogram is an empty one of its layout`, async (t) => {
      for (const [name, like] of Object.entries(LAYOUTS))
        await t.test(name, async () => {
          const hub = await new Hub().open()
          send(hub, [s(100, 1, like), s(110, 1, like), s(130, 120, like)])
          const held: Held[] = [
            [1, emptied(like)],
            [100, like],
            [110, like],
            [120, emptied(like)],
            [130, like],
          ]
          assert.deepEqual(hub.held(), held)
          await hub.restart()
          assert.deepEqual(hub.held(), held)
        })
    })

  test(`${inlet}: without the flag there are none, and the log that was written without it brings none back`, async () => {
    const hub = await new Hub().open(false)
    send(hub, [s(100, 1, 10), s(102, 101, 10)])
    assert.deepEqual(hub.held(), [
      [100, 10],
      [102, 10],
    ])
    await hub.restart(true)
    assert.deepEqual(hub.held(), [
      [100, 10],
      [102, 10],
    ])
    assert.equal(hub.engine.counters.startZeros, 0)
  })
}

test('a batch that comes again brings nothing, and neither its agent’s figures nor its ledger know of zeros', async () => {
  const [on, off] = [await new Hub().open(), await new Hub().open(false)]
  for (const hub of [on, off]) {
    const bytes = hub.batch([s(0, -50, 1), s(15_000, -50, 2), s(60_000, 50_000, 1)])
    assert.equal(hub.accept(bytes), 'stored')
    assert.equal(hub.accept(bytes), 'duplicate')
    await hub.restart(hub === on)
    assert.equal(hub.accept(bytes), 'duplicate')
  }
  assert.deepEqual(on.held(), [
    [-50, 0],
    [0, 1],
    [15_000, 2],
    [50_000, 0],
    [60_000, 1],
  ])
  assert.deepEqual(on.engine.agents(), off.engine.agents())
  const gaps = ({ engine, agent }: Hub) => engine.ledger(agent.name, NOW - HOUR, NOW + HOUR)
  assert.deepEqual(gaps(on), gaps(off))
  assert.deepEqual(on.engine.cursor(on.agent.name), off.engine.cursor(off.agent.name))
})

test('a counter that lives on costs the log no byte', async () => {
  const bytes = async (isOn: boolean): Promise<number> => {
    const hub = await new Hub().open(isOn)
    hub.local([s(100, 1, 10)])
    hub.engine.acceptLocal({
      source: 'embedded',
      epoch: 1,
      definitions: [],
      scrape: scrapeOf(0, s(200, 1, 11)),
      missed: [],
    })
    return hub.engine.pendingBytes
  }
  assert.equal(await bytes(true), await bytes(false))
})

test('a start in the time that blocks were cut of is out of reach', async () => {
  const hub = await new Hub().open()
  hub.local([s(0, -10, 1)])
  hub.engine.closeBefore(NOW + 1000)
  hub.local([s(2000, 999, 1)])
  hub.local([s(3000, 2500, 1)])
  assert.deepEqual(hub.held(), [
    [-10, 0],
    [0, 1],
    [2000, 1],
    [2500, 0],
    [3000, 1],
  ])
})

test('what found no room is logged when it comes again, though the head has its zeros', () => {
  const head = new MemoryHead()
  const logged: number[] = []
  const counters = newCounters()
  const zeros = new StartZeros({ head, counters, record: (type) => void logged.push(type), reachMs: HOUR })
  zeros.endReplay()
  const refs = Uint32Array.of(head.series(LABELS))
  const apply = () => zeros.begin()!.ofScrape(scrapeOf(0, s(100, 1, 10)), refs)
  apply()
  zeros.forget()
  zeros.logBefore(Uint8Array.of(1))
  assert.deepEqual(logged, [])
  apply()
  zeros.logBefore(Uint8Array.of(1))
  apply()
  zeros.logBefore(Uint8Array.of(1))
  assert.deepEqual(logged, [RecordType.zeros])
  assert.equal(counters.startZeros, 1)
})

test('by its hint, a histogram’s zero is where the counter begins anew', () => {
  const head = new MemoryHead()
  const zeros = new StartZeros({ head, counters: newCounters(), record: () => {}, reachMs: HOUR })
  zeros.endReplay()
  const ref = head.series(LABELS)
  zeros.begin()!.ofScrape(scrapeOf(0, s(100, 1, exponential)), Uint32Array.of(ref))
  const zero = { ...emptied(exponential), counterResetHint: CounterResetHint.reset }
  assert.deepEqual(JSON.parse(head.samples[ref]!.get(NOW + 1)!.split('@')[0]!), zero)
})

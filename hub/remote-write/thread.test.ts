import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { RELABEL_DEFAULTS } from '../../protocol/relabel/mod.ts'
import { snappyCompress, WriteRequest2Encoder } from '../../protocol/remote-write/mod.ts'
import { EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import type { IngestEngine } from '../ingest/thread_mod.ts'
import { segmentOf } from '../wal/mod.ts'
import { FAMILIES_SHARD } from './messages.ts'
import { BEFORE, collect, contentsOf, decoded, type Samples, SendingWorld, SPEC, write } from './testing/world.ts'

const histogram: Histogram = {
  ...EMPTY_HISTOGRAM,
  isFloat: false,
  count: 3,
  sum: 4.5,
  zeroCount: 1,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveBuckets: [1, 1],
}

/** One of 2.0 with all that it may have, stored and logged as it came. */
function writeAll(engine: IngestEngine, step: number): void {
  const encoder = new WriteRequest2Encoder()
  const at = BEFORE + 1000 * step
  const exemplars = [{ labels: ['trace', `t${step}`], value: 1, timestampMs: at }]
  const metadata = { type: 'counter', help: 'All.', unit: 's' } as const
  const values = Float64Array.of(step)
  encoder.float(labelsFrom({ __name__: 'all_total' }), at, values, 0, { startMs: BEFORE, metadata, exemplars })
  encoder.histogram(labelsFrom({ __name__: 'native' }), at, histogram, { startMs: 0, metadata: null, exemplars: [] })
  const body = snappyCompress(encoder.finish())
  assert.equal(engine.acceptRemoteWrite(body, { format: 'rw2', encoding: 'snappy' }).status, 204)
}

function local(engine: IngestEngine, step: number, isFirst: boolean, epoch = 1): void {
  const ids = Uint32Array.of(0, 1)
  const definitions = isFirst
    ? [0, 1].map((id) => ({
        id,
        labels: labelsFrom({ __name__: `l${id}`, job: 'own' }),
        metadata: { type: 'gauge', help: `L${id}.`, unit: '' } as const,
      }))
    : []
  const at = BEFORE + 1000 * step
  const values = new Float64Array(BigUint64Array.of(0x7ff0000000000002n, BigInt(step)).buffer)
  const scrape = { target: 'own', slotMs: at, intervalMs: 1000, timestampMs: at, ids, values }
  const rest = { timestamps: null, startTimestamps: null, histograms: null, exemplars: null }
  engine.acceptLocal({ source: 'hub', epoch, definitions, scrape: { ...scrape, ...rest }, missed: [] })
}

function rules(engine: IngestEngine, step: number): void {
  const labels = [labelsFrom({ __name__: 'rule:one', a: 'b' })]
  engine.acceptRules({ timestampMs: BEFORE + 1000 * step, labels, values: Float64Array.of(step), histograms: null })
}

test('whatever comes in, by whichever way, is sent once, bit for bit; over checkpoints, evictions and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1e6 }),
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 5, maxLength: 60 }),
      fc.boolean(),
      async (seed, steps, isVersion2) => {
        const spec = { ...SPEC, isVersion2 }
        const world = new SendingWorld(seed)
        let engine = await world.ingest.open()
        const agent = world.ingest.agent('host-1')
        engine.setAgents(world.ingest.agents)
        world.start(spec)
        const sent: Samples = new Map()
        const twice: string[] = []
        const take = (count?: number): void =>
          world.answer((request) => void twice.push(...collect(request, sent, isVersion2)), count)
        const stored: Samples = new Map()
        let isLocalKnown = false
        let epoch = 1
        let wasKilled = false
        for (const [step, action] of [...steps.entries()]) {
          switch (action) {
            case 0: {
              const { bytes } = agent.batch(1 + (step % 3))
              // After an eviction it may be that the keyframe is wanted first: then it is not stored.
              assert.match(engine.acceptBatch(agent.subject, bytes).result, /^(?:stored|wanted)$/)
              break
            }
            case 1:
              write(engine, step)
              break
            case 2:
              writeAll(engine, step)
              break
            case 3:
              local(engine, step, !isLocalKnown, epoch)
              isLocalKnown = true
              break
            case 4:
              rules(engine, step)
              break
            case 5:
              engine.commit()
              engine.checkpoint()
              break
            case 6:
              world.advance(150)
              break
            case 7:
              take(1 + (step % 3))
              break
            case 8:
              world.advance(6000)
              break
            case 9: {
              // A clean stop: what is under way is answered first.
              world.advance(100)
              world.thread.receive({ kind: 'close', key: spec.key, forget: false })
              take()
              world.advance(100)
              assert.ok(world.closed.includes(spec.key))
              world.start(spec)
              break
            }
            case 10:
              wasKilled = true
              world.start(spec)
              break
            case 12:
              engine.commit()
              for (const [key, text] of contentsOf(engine.share())) stored.set(key, text)
              engine.closeBefore(BEFORE + 1000 * step)
              engine.commit()
              if (engine.evict().length > 0) {
                isLocalKnown = false
                epoch++
              }
              break
            case 11:
              engine.commit()
              engine.close()
              engine = await world.ingest.open()
          }
        }
        engine.commit()
        for (let i = 0; i < 20; i++) {
          world.advance(1500)
          take()
        }
        for (const [key, text] of contentsOf(engine.share())) stored.set(key, text)
        assert.deepEqual(sorted(sent), sorted(stored))
        if (!wasKilled) assert.deepEqual(twice, [])
        const { gaps, lostRecords } = world.states.get(spec.key)!
        assert.deepEqual({ gaps, lostRecords }, { gaps: 0, lostRecords: 0 })
        engine.close()
      },
    ),
    { numRuns: 60 },
  )
})

const sorted = (samples: Samples): [string, string][] => [...samples].sort(([a], [b]) => (a < b ? -1 : 1))

test('an endpoint that is new begins at the end of the log as it is, one that is known where it was', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  write(engine, 1)
  engine.commit()
  world.start({ ...SPEC, startAt: world.synced.end })
  write(engine, 2)
  engine.commit()
  world.advance(1500)
  const sent: Samples = new Map()
  world.answer((request) => void collect(request, sent))
  assert.deepEqual(
    [...sent.keys()],
    Array.from({ length: 5 }, (_, i) => `{__name__="w", series="${i}"} @${BEFORE + 2000}`),
  )
  world.advance(6000)
  // While nobody follows.
  write(engine, 3)
  engine.commit()
  world.start({ ...SPEC, startAt: world.synced.end })
  world.advance(1500)
  sent.clear()
  world.answer((request) => void collect(request, sent))
  assert.equal(sent.size, 5)
})

test('nothing is sent before it is on disk', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start(SPEC)
  write(engine, 1)
  world.advance(3000)
  assert.equal(world.requests.length, 0)
  engine.commit()
  world.advance(3000)
  assert.equal(world.requests.length, 1)
})

test('external labels are added where a series lacks them, then relabelling decides; what it drops is counted', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  const rule = { ...RELABEL_DEFAULTS, sourceLabels: ['series', 'site'], regex: '[12];(.*)', action: 'keep' } as const
  const rename = { ...RELABEL_DEFAULTS, sourceLabels: ['site'], targetLabel: 'place' }
  world.start({ ...SPEC, externalLabels: ['series', 'not', 'site', 'a'], relabel: [rule, rename] })
  write(engine, 1)
  engine.commit()
  world.advance(1500)
  const sent: Samples = new Map()
  world.answer((request) => void collect(request, sent))
  assert.deepEqual(
    [...sent.keys()].map((key) => key.split(' @')[0]),
    ['1', '2'].map((series) => `{__name__="w", place="a", series="${series}", site="a"}`),
  )
  world.advance(1000)
  assert.equal(world.states.get(SPEC.key)!.dropped.dropped_series.samples, 3)
})

test('what is not answered for is bounded: the rest waits in the log, which is held for it', async () => {
  const world = new SendingWorld(1)
  world.ingest.options = { ...world.ingest.options, segmentBytes: 4096 }
  const engine = await world.ingest.open()
  world.start({ ...SPEC, capacity: 100 })
  for (let step = 1; step <= 200; step++) {
    write(engine, step)
    engine.commit()
    if (step % 20 === 0) engine.checkpoint()
    world.advance(200)
  }
  const { pending } = world.states.get(SPEC.key)!
  assert.ok(pending.samples >= 100 && pending.samples < 130, `${pending.samples} samples are pending`)
  assert.equal(world.synced.neededSegment, 0)
  for (let i = 0; i < 3; i++) {
    world.advance(5000)
    await Promise.resolve()
    await Promise.resolve()
  }
  const { read, unread } = world.states.get(SPEC.key)!
  const left = 1000 - read.samples
  assert.ok(unread > 0.7 * left && unread < 1.5 * left, `about ${unread} of ${left} are unread`)
  const sent: Samples = new Map()
  const twice: string[] = []
  for (let i = 0; i < 200 && sent.size < 1000; i++) {
    world.answer((request) => void twice.push(...collect(request, sent)))
    world.advance(500)
  }
  assert.equal(sent.size, 1000)
  assert.deepEqual(twice, [])
  world.advance(6000)
  assert.ok(world.synced.neededSegment! > 0)
})

for (const [limit, maxBacklogBytes, retentionSizeBytes] of [
  ['the log', 10_000, 0],
  ['all that is stored', Number.POSITIVE_INFINITY, 40_000],
] as const)
  test(`a receiver that is too far behind, by a limit of ${limit}, is passed over: each sample is sent or counted, and the log is let go`, async () => {
    const world = new SendingWorld(1)
    world.ingest.options = { ...world.ingest.options, segmentBytes: 4096 }
    world.maxBacklogBytes = maxBacklogBytes
    const engine = await world.ingest.open()
    world.start({ ...SPEC, capacity: 100, retentionSizeBytes })
    const sent: Samples = new Map()
    let given = 0
    for (let step = 1; step <= 400; step++) {
      write(engine, step)
      engine.commit()
      world.advance(200)
      await Promise.resolve()
      await Promise.resolve()
      // As the main thread would: what is discarded is answered for without having been sent.
      if (world.discards > 0) world.answer(({ contents }) => void (given += contents.samples))
      world.discards = 0
    }
    for (let i = 0; i < 100; i++) {
      world.advance(1500)
      await Promise.resolve()
      world.answer((request) => void collect(request, sent))
    }
    const { dropped, pending } = world.states.get(SPEC.key)!
    assert.equal(pending.samples, 0)
    assert.ok(dropped.backlog_too_large.samples > 0)
    assert.equal(sent.size + given + dropped.backlog_too_large.samples, 2000)
    assert.ok(world.synced.neededSegment! >= segmentOf(world.synced.end) - 1)
  })

test('1.0 has its families at their interval; 2.0 says with each series what it is', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start({ ...SPEC, metadata: { intervalMs: 60_000, maxSamplesPerSend: 1 } })
  local(engine, 1, true)
  engine.commit()
  world.advance(2000)
  const families = world.requests.filter(({ shard }) => shard === FAMILIES_SHARD)
  assert.deepEqual(
    families.map((request) => decoded(request).metadata),
    [0, 1].map((i) => [{ family: `l${i}`, metadata: { type: 'gauge', help: `L${i}.`, unit: '' } }]),
  )
  world.answer(() => {})
  world.advance(50_000)
  assert.equal(world.requests.length, 0)
  world.advance(10_000)
  assert.equal(world.requests.length, 2)
  world.start({ ...SPEC, key: '2', isVersion2: true })
  world.advance(2000)
  assert.deepEqual(
    decoded(world.requests[0]!, true).metadata.map(({ family }) => family),
    ['l0', 'l1'],
  )
})

test('exemplars go along with a sample of their series; what 1.0 cannot say, and samples over the age limit, are counted', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start(
    { ...SPEC, key: 'v2', isVersion2: true },
    { ...SPEC, sendNativeHistograms: false, sampleAgeLimitMs: 60_000 },
  )
  writeAll(engine, 1)
  engine.commit()
  world.advance(2000)
  const [request] = world.requests
  assert.deepEqual(request?.contents.exemplars, 1)
  const columns = decoded(request!, true)
  assert.deepEqual(columns.labels(columns.exemplars[0]!.series).labels, ['__name__', 'all_total'])
  assert.equal(columns.startTimes?.[0], BEFORE)
  assert.equal(world.requests.length, 1)
  assert.deepEqual(world.states.get(SPEC.key)!.dropped.too_old, { samples: 1, histograms: 0, exemplars: 1 })
})

test('shards keep the samples of a series together and in order; their number changes when nothing is under way', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start({ ...SPEC, minShards: 3 })
  for (let step = 1; step <= 20; step++) write(engine, step, 40)
  engine.commit()
  world.advance(1500)
  world.thread.receive({ kind: 'shards', key: SPEC.key, shards: 2 })
  for (let step = 21; step <= 30; step++) write(engine, step, 40)
  engine.commit()
  world.advance(1500)
  const shardOf = new Map<string, number>()
  const lastTime = new Map<string, number>()
  const seen = new Set<number>()
  for (let i = 0; i < 5; i++) {
    world.answer((request) => {
      seen.add(request.shard)
      const { seriesCount, labels, timestamps } = withLabels(decoded(request))
      for (let s = 0; s < seriesCount; s++) {
        const series = labels(s)
        const isOld = timestamps[s]! <= BEFORE + 20_000
        if (isOld) assert.equal(shardOf.get(series) ?? request.shard, request.shard)
        else assert.ok(request.shard < 2)
        if (isOld) shardOf.set(series, request.shard)
        assert.ok(timestamps[s]! > (lastTime.get(series) ?? 0), series)
        lastTime.set(series, timestamps[s]!)
      }
    })
    world.advance(1500)
  }
  assert.equal(lastTime.size, 40)
  assert.deepEqual([...lastTime.values()], Array(40).fill(BEFORE + 30_000))
  assert.deepEqual([...seen].sort(), [0, 1, 2])
})

const withLabels = (columns: ReturnType<typeof decoded>) => ({
  seriesCount: columns.seriesCount,
  timestamps: columns.timestamps,
  labels: (series: number) => columns.labels(series).labels!.join(),
})

test('a segment that is gone before it was read is said so, and the rest is sent', async () => {
  const world = new SendingWorld(1)
  world.ingest.options = { ...world.ingest.options, segmentBytes: 4096 }
  const engine = await world.ingest.open()
  world.start(SPEC)
  world.advance(100)
  for (let step = 1; step <= 100; step++) {
    write(engine, step)
    engine.commit()
  }
  engine.checkpoint()
  engine.checkpoint()
  for (const index of [0, 1]) world.ingest.disk.unlink(`/data/wal/0000000${index}.wal`)
  world.start(SPEC)
  const sent: Samples = new Map()
  for (let i = 0; i < 20; i++) {
    world.advance(1500)
    world.answer((request) => void collect(request, sent))
  }
  assert.ok(sent.size < 500)
  write(engine, 101)
  engine.commit()
  world.advance(3000)
  world.answer((request) => void collect(request, sent))
  assert.ok(sent.has(`{__name__="w", series="4"} @${BEFORE + 101_000}`))
  assert.equal(world.states.get(SPEC.key)!.gaps, 1)
})

test('series that are gone are forgotten with a checkpoint; what is sent is the same', async () => {
  const world = new SendingWorld(1)
  world.spareSeries = 10
  const engine = await world.ingest.open()
  world.start(SPEC)
  const sent: Samples = new Map()
  const twice: string[] = []
  const isRenewed = (): number => world.ingest.log.lines.filter(({ message }) => /read anew/.test(message)).length
  for (let step = 1; step <= 100; step++) {
    write(engine, step, 5, `w${step}`)
    local(engine, step, step === 1)
    engine.commit()
    world.advance(700)
    world.answer((request) => void twice.push(...collect(request, sent)), 1)
    if (step % 10 === 0) {
      engine.trim(BEFORE + 1000 * (step - 2))
      engine.checkpoint()
    }
  }
  for (let i = 0; i < 20; i++) {
    world.advance(1500)
    world.answer((request) => void twice.push(...collect(request, sent)))
  }
  assert.ok(isRenewed() > 1, `renewed ${isRenewed()} times`)
  assert.equal(sent.size, 700)
  assert.deepEqual(twice, [])
  assert.deepEqual(world.states.get(SPEC.key)!.lostRecords, 0)
})

test('late samples go in requests of their own', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start({ ...SPEC, maxSamplesPerSend: 100 })
  for (const step of [5, 6, 2, 7, 3]) write(engine, step)
  engine.commit()
  world.advance(1500)
  assert.deepEqual(
    world.requests.map((request) => [...new Set(decoded(request).timestamps)].map((time) => (time - BEFORE) / 1000)),
    [
      [5, 6, 7],
      [2, 3],
    ],
  )
})

test('cursors of endpoints that are gone go', async () => {
  const world = new SendingWorld(1)
  const engine = await world.ingest.open()
  world.start(SPEC, { ...SPEC, key: '0002' })
  const names = (): string[] => world.ingest.disk.readDirectory('/data/remote-write')
  assert.deepEqual(names(), ['0001.json', '0001.recent', '0002.json', '0002.recent'])
  world.thread.receive({ kind: 'close', key: '0002', forget: true })
  world.advance(200)
  assert.deepEqual(names(), ['0001.json', '0001.recent'])
  world.start({ ...SPEC, key: '0003' })
  assert.deepEqual(names(), ['0003.json', '0003.recent'])
  engine.close()
})

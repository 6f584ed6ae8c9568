import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBatch, type Keyframe } from '../../protocol/batch/mod.ts'
import { noSigner, sha256, zstd } from '../../protocol/batch/testing/arbitraries.ts'
import type { Logger, RingBatch } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { setStaleAt } from '../../protocol/samples/mod.ts'
import { VirtualClock } from '../scrape/testing/virtual-clock.ts'
import { MemoryRingFiles, Recorder, type RecorderOptions, RingEngine, RingService, readBatchHead } from './mod.ts'
import { batchId } from './rows.ts'

const START_MS = 1_700_000_000_000
const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }

class Bench {
  readonly clock = new VirtualClock(START_MS)
  readonly files = new MemoryRingFiles(8_000_000)
  readonly committed: RingBatch[] = []
  readonly fatal: Error[] = []
  recorder!: Recorder
  ring!: RingService

  async open(options: Partial<RecorderOptions> = {}): Promise<Recorder> {
    this.ring = new RingService(new RingEngine(this.files, readBatchHead), this.clock)
    this.recorder = await Recorder.open({
      agent: 'web-1',
      ring: this.ring,
      clock: this.clock,
      log,
      signer: noSigner,
      hasher: sha256,
      compressor: zstd,
      onFatal: (error) => this.fatal.push(error),
      ...options,
    })
    this.recorder.onCommitted((batch) => this.committed.push(batch))
    return this.recorder
  }

  async close(): Promise<void> {
    const done = this.recorder.close()
    await this.clock.advance(1000)
    await done
  }

  scrape(slotMs: number, names: readonly string[], stale: readonly string[] = []): void {
    const all = [...names, ...stale]
    const values = Float64Array.from(all, (_, i) => Math.sin(slotMs + i))
    const words = new Uint32Array(values.buffer)
    for (let i = names.length; i < all.length; i++) setStaleAt(words, i)
    this.recorder.append({
      target: 't',
      slotMs,
      intervalMs: 1000,
      timestampMs: slotMs,
      ids: Uint32Array.from(all, (name) => this.recorder.define(labelsFrom({ __name__: name }), null)),
      values,
      timestamps: null,
      startTimestamps: null,
      histograms: null,
      exemplars: null,
    })
  }

  decoded() {
    const keyframes = new Map<string, Keyframe>()
    return this.committed.map(({ epoch, base, bytes }) => {
      const result = decodeBatch(bytes, keyframes.get(`${epoch}/${base}`) ?? null, zstd)
      if (result.keyframe) keyframes.set(`${epoch}/${base}`, result.keyframe)
      return result
    })
  }
}

test('a batch is sealed when nothing is under way, if that is wished, and never an empty one', async () => {
  const bench = new Bench()
  await bench.open({ sealWhenSettled: true })
  bench.recorder.settled()
  bench.scrape(START_MS, ['a', 'b'])
  bench.scrape(START_MS + 1, ['a', 'b'])
  assert.equal(bench.recorder.stats().sealedBatches, 0)
  bench.recorder.settled()
  bench.recorder.settled()
  assert.equal(bench.recorder.stats().sealedBatches, 1)
  await bench.clock.advance(0)
  assert.equal(bench.committed.length, 1)
  // Nobody says so of the next one: its age does.
  bench.scrape(START_MS + 1000, ['a', 'b'])
  await bench.clock.advance(5000)
  assert.equal(bench.committed.length, 2)
  await bench.close()

  const other = new Bench()
  await other.open()
  other.scrape(START_MS, ['a'])
  other.recorder.settled()
  assert.equal(other.recorder.stats().sealedBatches, 0)
  await other.close()
})

test('a batch is sealed when its oldest sample is batchAgeMs old, and told only once it is on disk', async () => {
  const bench = new Bench()
  await bench.open({ batchAgeMs: 3000 })
  bench.scrape(START_MS, ['x'])
  await bench.clock.advance(1000)
  bench.scrape(START_MS + 1000, ['x'])
  await bench.clock.advance(1900)
  assert.equal(bench.committed.length, 0)
  await bench.clock.advance(200)
  assert.equal(bench.committed.length, 1)
  assert.equal(bench.decoded()[0]!.scrapes.length, 2)
  assert.equal((await bench.ring.stats()).batches, 1)
  await bench.close()
})

test('a batch is sealed before it grows beyond maxBatchBytes', async () => {
  const bench = new Bench()
  await bench.open({ maxBatchBytes: 20_000 })
  const names = Array.from({ length: 300 }, (_, i) => `m${i}`)
  for (let n = 0; n < 100; n++) {
    bench.scrape(START_MS + n * 1000, names)
    // The first two batches teach the encoder what a sample costs.
    if (n === 1 || n === 3) await bench.clock.advance(6000)
  }
  await bench.clock.advance(6000)
  const rest = bench.committed.slice(2)
  assert.ok(rest.length > 3)
  for (const { sizeBytes } of rest) assert.ok(sizeBytes <= 22_000, `${sizeBytes}`)
  await bench.close()
})

test('a batch holds no more than maxBatchSamples, whatever they are estimated to cost', async () => {
  const bench = new Bench()
  await bench.open({ maxBatchSamples: 1000 })
  const names = Array.from({ length: 300 }, (_, i) => `m${i}`)
  for (let n = 0; n < 10; n++) bench.scrape(START_MS + n * 1000, names)
  await bench.clock.advance(6000)
  assert.deepEqual(
    bench.committed.map(({ sampleCount }) => sampleCount),
    [900, 900, 900, 300],
  )
  await bench.close()
})

test('a restart knows the series that lived, without those that had ended', async () => {
  const bench = new Bench()
  await bench.open()
  bench.scrape(START_MS, ['x', 'y', 'z'])
  bench.scrape(START_MS + 1000, ['x', 'y'], ['z'])
  await bench.close()
  const recorder = await bench.open()
  assert.deepEqual(recorder.previousTargets(), [{ target: 't', slotMs: START_MS + 1000, intervalMs: 1000 }])
  assert.deepEqual(
    recorder.previousSeries('t').map(({ labels }) => labels[1]),
    ['x', 'y'],
  )
  assert.deepEqual(recorder.previousSeries('t'), [], 'told once')
  bench.scrape(START_MS + 2000, ['x'])
  assert.deepEqual(recorder.previousTargets(), [])
  await bench.close()
})

test('series that are new since the series were last saved are known after a stop with nothing pending', async () => {
  const bench = new Bench()
  await bench.open({ batchAgeMs: 1000 })
  for (const [n, names] of [['x'], ['x', 'y']].entries()) {
    bench.scrape(START_MS + n * 2000, names)
    await bench.clock.advance(2000)
  }
  assert.equal(bench.committed.length, 2)
  await bench.close()
  assert.equal(bench.committed.length, 2)
  const recorder = await bench.open()
  assert.deepEqual(
    recorder.previousSeries('t').map(({ labels }) => labels[1]),
    ['x', 'y'],
  )
  await bench.close()
})

test('a batch that is sealed in the moment in which the one before is on disk is committed, too', async () => {
  const bench = new Bench()
  const recorder = await bench.open()
  let flushed: Promise<void> | null = null
  recorder.onCommitted((batch) => {
    bench.committed.push(batch)
    if (flushed !== null) return
    flushed = Promise.resolve().then(() => {
      bench.scrape(START_MS + 2000, ['x'])
      return recorder.flush()
    })
  })
  bench.scrape(START_MS, ['x'])
  const first = recorder.flush()
  // The ring lets a while pass between two transactions.
  await bench.clock.advance(2000)
  await Promise.all([first, flushed])
  assert.equal(bench.committed.length, 2)
  await bench.close()
})

test('a target that ended is forgotten: no gap at the next start', async () => {
  const bench = new Bench()
  await bench.open()
  bench.scrape(START_MS, ['x'])
  bench.scrape(START_MS + 1000, [], ['x'])
  await bench.close()
  const recorder = await bench.open()
  assert.deepEqual(recorder.previousTargets(), [])
  bench.scrape(START_MS + 60_000, ['x'])
  await bench.close()
  assert.deepEqual(
    bench.decoded().flatMap(({ missed }) => missed),
    [],
  )
})

test('a target of an earlier life that ends unseen is forgotten too', async () => {
  const bench = new Bench()
  await bench.open()
  bench.scrape(START_MS, ['x'])
  await bench.close()
  await bench.open()
  bench.scrape(START_MS + 60_000, [], ['x'])
  await bench.close()
  const recorder = await bench.open()
  assert.deepEqual(recorder.previousTargets(), [])
  await bench.close()
})

test('a full disk: batches wait, then scrapes become overrun gaps, and all of it arrives once there is room', async () => {
  const bench = new Bench()
  const recorder = await bench.open({ maxQueuedBytes: 2000, batchAgeMs: 1000 })
  bench.files.failCommits = 8
  for (let n = 0; n < 60; n++) {
    bench.scrape(START_MS + n * 1000, ['x', 'y'])
    await bench.clock.advance(1000)
  }
  await bench.clock.advance(60_000)
  bench.scrape(START_MS + 60_000, ['x', 'y'])
  await bench.close()
  const batches = bench.decoded()
  const stored = batches.flatMap(({ scrapes }) => scrapes.map(({ slotMs }) => slotMs))
  const missed = batches.flatMap((batch) => batch.missed)
  for (const { reason } of missed) assert.equal(reason, 'overrun')
  for (const { fromMs, toMs } of missed) for (let at = fromMs; at <= toMs; at += 1000) stored.push(at)
  assert.deepEqual(
    stored.sort((a, b) => a - b),
    Array.from({ length: 61 }, (_, n) => START_MS + n * 1000),
  )
  assert.ok(recorder.stats().droppedScrapes > 0)
  assert.deepEqual(bench.fatal, [])
})

test('after damage a new epoch begins with a keyframe, and the lost slots are announced', async () => {
  const bench = new Bench()
  const recorder = await bench.open({ batchAgeMs: 1000 })
  const { epoch } = recorder
  for (let n = 0; n < 6; n++) {
    bench.scrape(START_MS + n * 1000, ['x'])
    await bench.clock.advance(1100)
  }
  bench.files.content.body.get(batchId(1, 3))!.value[9]! ^= 4
  await bench.ring.read(epoch, [[0, 5]], 1e9)
  for (let n = 8; n < 12; n++) {
    bench.scrape(START_MS + n * 1000, ['x'])
    await bench.clock.advance(1100)
  }
  assert.ok(recorder.epoch > epoch)
  assert.equal(recorder.stats().recoveries, 1)
  const last = bench.committed[bench.committed.length - 1]!
  assert.equal(last.epoch, recorder.epoch)
  const lost = bench.decoded()[3]!.scrapes[0]!.slotMs
  const missed = bench.decoded().flatMap((batch) => batch.missed)
  assert.ok(missed.some(({ fromMs, toMs, reason }) => fromMs <= lost && lost <= toMs && reason === 'overwritten'))
  await bench.close()
})

test('a dictionary full of dead series starts anew in another epoch', async () => {
  const bench = new Bench()
  const recorder = await bench.open({ batchAgeMs: 1000 })
  const { epoch } = recorder
  for (let n = 0; n < 30; n++) {
    bench.scrape(
      START_MS + n * 1000,
      Array.from({ length: 1000 }, (_, i) => `m${n}_${i}`),
    )
    await bench.clock.advance(1100)
  }
  assert.ok(recorder.epoch > epoch)
  assert.equal(bench.decoded().flatMap(({ scrapes }) => scrapes).length, 30)
  await bench.close()
})

test('a disk that cannot be trusted is fatal', async () => {
  const bench = new Bench()
  await bench.open({ batchAgeMs: 1000 })
  const { RingStoreError } = await import('../../protocol/env/mod.ts')
  bench.files.failCommits = 1
  bench.files.failure = () => new RingStoreError('IO', 'Cannot write: simulated fsync error')
  bench.scrape(START_MS, ['x'])
  await bench.clock.advance(2000)
  assert.equal(bench.fatal.length, 1)
  assert.equal(bench.committed.length, 0)
})

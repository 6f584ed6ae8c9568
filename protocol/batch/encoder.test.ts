import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchError, decodeBatch, type Keyframe, type Scrape, type SealedBatch } from './mod.ts'
import { newEncoder, seriesLabels, signer, stored, zstd } from './testing/arbitraries.ts'

const INTERVAL_MS = 15_000

function scrape(slot: number, ids: readonly number[], values: readonly number[], target = 'node'): Scrape {
  return {
    target,
    slotMs: slot * INTERVAL_MS,
    intervalMs: INTERVAL_MS,
    timestampMs: slot * INTERVAL_MS,
    ids: Uint32Array.from(ids),
    values: Float64Array.from(values),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  }
}

test('the same labels get the same id, in order of definition', () => {
  const encoder = newEncoder()
  assert.deepEqual(
    [1, 2, 1, 3].map((series) => encoder.define(seriesLabels(series), null)),
    [0, 1, 0, 2],
  )
  assert.equal(encoder.definitionCount, 3)
})

test('seal() is null when nothing is pending, and empties what was', () => {
  const encoder = newEncoder()
  assert.equal(encoder.seal(), null)
  encoder.define(seriesLabels(0), null)
  assert.equal(encoder.seal(), null)
  encoder.add(scrape(1, [0], [1]))
  assert.deepEqual([encoder.pendingScrapes, encoder.pendingSamples], [1, 1])
  assert.ok(encoder.pendingBytesEstimate > 256)
  assert.equal(encoder.seal()!.header.sampleCount, 1)
  assert.deepEqual([encoder.pendingScrapes, encoder.pendingSamples, encoder.seal()], [0, 0, null])
})

test('the estimate counts the new series that a batch carries, not all since the keyframe', () => {
  const encoder = newEncoder({ keyframeEvery: 100, keyframeGrowth: 0.5 })
  for (let s = 0; s < 100; s++) encoder.define(seriesLabels(s), null)
  encoder.add(scrape(1, [...Array(100).keys()], Array(100).fill(1)))
  assert.ok(encoder.pendingBytesEstimate > 1600)
  encoder.seal()
  const fresh = Array.from({ length: 50 }, (_, i) => encoder.define(seriesLabels(100 + i), null))
  encoder.add(scrape(2, fresh, fresh))
  assert.ok(encoder.pendingBytesEstimate > 800 + 256)
  const { header } = encoder.seal()!
  assert.equal(header.base, 0)
  encoder.add(scrape(3, [0], [1], 'other'))
  assert.ok(encoder.pendingBytesEstimate < 800, `${encoder.pendingBytesEstimate} bytes for one sample`)
})

test('keyframes come at first, after keyframeEvery batches, on growth and on demand', () => {
  const encoder = newEncoder({ keyframeEvery: 4, keyframeGrowth: 0.1 })
  for (let s = 0; s < 20; s++) encoder.define(seriesLabels(s), null)
  let slot = 0
  const base = (): number => {
    encoder.add(scrape(++slot, [0, encoder.definitionCount - 1], [1, 2]))
    return encoder.seal()!.header.base
  }
  assert.deepEqual([base(), base(), base(), base(), base(), base()], [0, 0, 0, 0, 4, 4])
  encoder.forceKeyframe()
  assert.deepEqual([base(), base()], [6, 6])
  for (let s = 20; s < 22; s++) encoder.define(seriesLabels(s), null)
  assert.equal(base(), 6, '10 % more do not suffice')
  encoder.define(seriesLabels(22), null)
  assert.equal(base(), 9)
})

test('with keyframeShare keyframes wait until they are a small part of the bytes, but not for ever', () => {
  const gaps = (values: number): number[] => {
    const encoder = newEncoder({ keyframeEvery: 2, keyframeShare: 1 / 8 })
    for (let s = 0; s < 500; s++) encoder.define(seriesLabels(s), null)
    const ids = Array.from({ length: values }, (_, i) => i)
    const bytes: number[] = []
    const distances: number[] = []
    for (let slot = 1, last = 0; distances.length < 3; slot++) {
      encoder.add(
        scrape(
          slot,
          ids,
          ids.map((i) => Math.sin(slot + i)),
        ),
      )
      const { header, bytes: sealed } = encoder.seal()!
      if (header.base === header.sequence && header.sequence > 0) {
        distances.push(header.sequence - last)
        last = header.sequence
        const between = bytes.slice(1).reduce((sum, n) => sum + n, 0)
        if (distances.at(-1)! < 32) assert.ok(bytes[0]! <= between / 8, `${bytes[0]} of ${between}`)
        bytes.length = 0
      }
      bytes.push(sealed.length)
    }
    return distances
  }
  assert.deepEqual(gaps(1), [32, 32, 32])
  for (const distance of gaps(400)) assert.ok(distance > 2 && distance < 32, `${distance}`)
})

test('a batch carries the definitions that it uses and its keyframe lacks, each time', () => {
  const encoder = newEncoder({ keyframeGrowth: 10 })
  encoder.define(seriesLabels(0), null)
  encoder.add(scrape(1, [0], [1]))
  const base = decodeBatch(encoder.seal()!.bytes, null, zstd).keyframe!
  encoder.define(seriesLabels(1), null)
  encoder.define(seriesLabels(2), null)
  for (const slot of [2, 3]) {
    encoder.add(scrape(slot, [0, 2], [1, 2]))
    const batch = decodeBatch(encoder.seal()!.bytes, base, zstd)
    assert.deepEqual(batch.definitions, [{ id: 2, labels: seriesLabels(2), metadata: null }])
  }
})

test('samples keep their series whatever their order, the same again, another, or with repeats', () => {
  const encoder = newEncoder()
  for (let s = 0; s < 5; s++) encoder.define(seriesLabels(s), null)
  const orders = [
    [3, 1, 4, 0],
    [3, 1, 4, 0],
    [3, 1, 4, 0],
    [0, 4, 1, 3],
    [0, 1, 3, 4],
    [3, 1, 4, 0],
    [4, 2, 4, 0],
  ]
  for (const target of ['a', 'b'])
    for (const [i, ids] of orders.entries()) {
      encoder.add(
        scrape(
          i,
          ids,
          ids.map((id, at) => 100 * i + 10 * id + at),
          target,
        ),
      )
    }
  const { scrapes } = decodeBatch(encoder.seal()!.bytes, null, zstd)
  const pairs = (ids: ArrayLike<number>, value: (at: number) => number): string[] =>
    Array.from(ids, (id, at) => `${id}=${value(at)}`).sort()
  assert.equal(scrapes.length, 14)
  for (const { slotMs, ids, values } of scrapes) {
    const i = slotMs / INTERVAL_MS
    const given = orders[i]!
    assert.deepEqual(
      pairs(ids, (at) => values[at]!),
      pairs(given, (at) => 100 * i + 10 * given[at]! + at),
    )
  }
})

test('a keyframe restates targets that it has no scrape of, and forgets those that are gone', () => {
  const encoder = newEncoder({ keyframeEvery: 2, keyframeGrowth: 10 })
  const targetsOf = (keyframe: Keyframe | null): string[] => keyframe!.targets.map(({ target }) => target)
  for (let s = 0; s < 4; s++) encoder.define(seriesLabels(s), null)
  encoder.add(scrape(1, [0, 1], [10, 11]))
  encoder.add(scrape(1, [2, 3], [12.5, Number.NaN], 'slow'))
  encoder.seal()
  encoder.add(scrape(2, [0, 1], [20, 21]))
  encoder.seal()
  encoder.add(scrape(3, [0, 1], [30, 31]))
  const second = decodeBatch(encoder.seal()!.bytes, null, zstd)
  assert.equal(second.scrapes.length, 1, 'restated rows are no scrapes')
  assert.deepEqual(targetsOf(second.keyframe), ['node', 'slow'])
  assert.deepEqual([...second.keyframe!.values], [30, 31, 12.5, Number.NaN])
  encoder.add(scrape(4, [2, 3], [12.5, Number.NaN], 'slow'))
  const small = decodeBatch(encoder.seal()!.bytes, second.keyframe, zstd)
  assert.deepEqual([...small.scrapes[0]!.values], [12.5, Number.NaN])
  for (const slot of [5, 6, 7, 8]) {
    encoder.add(scrape(slot, [0, 1], [slot, slot]))
    const { bytes, header } = encoder.seal()!
    if (header.base !== header.sequence) continue
    assert.deepEqual(targetsOf(decodeBatch(bytes, null, zstd).keyframe), slot === 5 ? ['node', 'slow'] : ['node'])
  }
})

test('a quiet target costs next to nothing', () => {
  const encoder = newEncoder({ compressor: stored })
  const ids = Array.from({ length: 1000 }, (_, s) => encoder.define(seriesLabels(s), null))
  const values = ids.map((id) => id * 1.5)
  encoder.add(scrape(1, ids, values))
  encoder.seal()
  for (let slot = 2; slot < 22; slot++) encoder.add(scrape(slot, ids, values))
  // A mode byte a series, four bytes a scrape, and the envelope.
  assert.ok(encoder.seal()!.bytes.length < 1000 + 20 * 5 + 250)
})

test('a caller that breaks the contract is told', () => {
  const encoder = newEncoder()
  encoder.define(seriesLabels(0), null)
  const good = scrape(1, [0], [1])
  const rows: readonly Scrape[] = [
    { ...good, values: new Float64Array(2) },
    { ...good, timestamps: new Float64Array(2) },
    { ...good, slotMs: 0.5 },
    { ...good, timestampMs: Number.NaN },
    { ...good, intervalMs: -1 },
    { ...good, ids: Uint32Array.of(1) },
    { ...good, exemplars: [{ id: 1, exemplar: { labels: [], value: 1, timestampMs: null } }] },
  ]
  for (const row of rows) assert.throws(() => encoder.add(row), /^Error: BUG: /)
  const missed = { target: 'node', fromMs: 10, toMs: 5, intervalMs: 5, reason: 'budget' } as const
  assert.throws(() => encoder.missed(missed), /^Error: BUG: /)
  assert.throws(() => newEncoder({ agent: 'Not An Id' }))
  assert.equal(encoder.pendingScrapes, 0)
})

test('golden: the bytes of a keyframe and of a batch on it', () => {
  const encoder = newEncoder({ compressor: stored, signer, keyframeGrowth: 10 })
  encoder.define(seriesLabels(0), { type: 'counter', help: 'Help.', unit: 's' })
  encoder.define(seriesLabels(1), null)
  encoder.add(scrape(1, [0, 1], [100, 0.25]))
  const keyframe = encoder.seal()!
  encoder.add(scrape(2, [0, 1], [107, 0.75]))
  encoder.add({ ...scrape(3, [1], [Math.PI]), timestampMs: 45_003 })
  encoder.missed({ target: 'node', fromMs: 60_000, toMs: 60_000, intervalMs: 15_000, reason: 'suspended' })
  const batch = encoder.seal()!
  assert.equal(payloadHex(keyframe), GOLDEN_KEYFRAME)
  assert.equal(payloadHex(batch), GOLDEN_BATCH)
  // Bytes of version 1 stay readable for ever.
  assert.throws(() => decodeBatch(batch.bytes, null, stored), BatchError)
  const { scrapes } = decodeBatch(batch.bytes, decodeBatch(keyframe.bytes, null, stored).keyframe, stored)
  assert.deepEqual([...scrapes[1]!.values], [Math.PI])
})

const payloadHex = ({ header, bytes }: SealedBatch): string =>
  Buffer.from(bytes.subarray(bytes.length - 64 - header.compressedBytes)).toString('hex')
const GOLDEN_KEYFRAME =
  '561502000200020a080406080a02080205015f5f6e616d655f5f6d6f64657365726965736d65747269635f30c3af646c6520f09f8e8873306d65747269635f31733148656c702e73010108090200000100030200030104020500060207010000046e6f646501010001000100b0ea010000001e06323200003349ec3cbb229ad8d3ace5c066f255fbb02cef312fd938966387d146802cf90d2e67f59fea9b29dc170836ed568328db369dbb23815e8c963aabd265ea7e2d08'
const GOLDEN_BATCH =
  '0315020001100e0000000100010000020000b0ea010000000006000201010002010e0018002d0044005400fb002138e1007f0001046e6f6465e0d40300987504b8e83d74d929c38403a9da505ffd1a6b7a080d9d2e7477039652b8eaceaae8ffde8fa4b03cc092955d3f121a125cd0e062ba41d0584a0e49c5f5a43adf8d650d'

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Metadata } from '../samples/mod.ts'
import {
  type BatchEncoder,
  BatchError,
  decodeBatch,
  type Keyframe,
  readHeader,
  type Scrape,
  withoutDefinitions,
} from './mod.ts'
import {
  type ArbitraryScrape,
  assertSameScrapes,
  newEncoder,
  SERIES_COUNT,
  seriesLabels,
  seriesMetadata,
  sha256,
  stored,
  streams,
  toScrape,
  zstd,
} from './testing/arbitraries.ts'

type Sent = { readonly bytes: Uint8Array; readonly scrapes: readonly Scrape[] }

function send(encoder: BatchEncoder, stream: readonly (readonly ArbitraryScrape[])[]): Sent[] {
  // Series are defined as they turn up, so that later batches bring definitions of their own.
  const idOf = (series: number): number => encoder.define(seriesLabels(series), seriesMetadata(series))
  return stream.map((batch) => {
    const scrapes = batch.map((arbitrary) => {
      for (const { id } of arbitrary.exemplars ?? []) for (let s = 0; s <= id; s++) idOf(s)
      return toScrape(arbitrary, idOf)
    })
    for (const scrape of scrapes) encoder.add(scrape)
    return { bytes: encoder.seal()!.bytes, scrapes }
  })
}

test('decodeBatch() undoes seal() bit for bit, in any order, with nothing but the keyframe', () => {
  fc.assert(
    fc.property(streams, fc.integer({ min: 1, max: 4 }), (stream, keyframeEvery) => {
      const encoder = newEncoder({ keyframeEvery, keyframeGrowth: 10, compressor: stored })
      const sent = send(encoder, stream)
      const keyframes = new Map<number, Keyframe>()
      const labels = new Map<number, readonly string[]>()
      const later: Sent[] = []
      let previous: Uint8Array = new Uint8Array(32)
      for (const { bytes, scrapes } of sent) {
        if (decodableAlone(bytes)) {
          const batch = decodeBatch(bytes, null, stored)
          keyframes.set(batch.header.sequence, withoutDefinitions(batch.keyframe!))
          for (const definition of batch.definitions) labels.set(definition.id, definition.labels)
          assertSameScrapes(batch.scrapes, scrapes)
        } else later.push({ bytes, scrapes })
      }
      for (const { bytes, scrapes } of later.reverse()) {
        const base = keyframes.get(baseOf(bytes))!
        const batch = decodeBatch(bytes, base, stored)
        assert.equal(batch.keyframe, null)
        for (const definition of batch.definitions) labels.set(definition.id, definition.labels)
        assertSameScrapes(batch.scrapes, scrapes)
      }
      for (const { bytes, scrapes } of sent) {
        const { header } = decodeBatch(bytes, keyframes.get(baseOf(bytes)) ?? null, stored)
        assert.deepEqual(header.previousHash, previous)
        previous = sha256.sha256(bytes)
        assert.equal(
          header.sampleCount,
          scrapes.reduce((sum, { ids }) => sum + ids.length, 0),
        )
      }
      // Every series used has come with its labels.
      for (const { scrapes } of sent)
        for (const { ids } of scrapes) for (const id of ids) assert.ok(labels.has(id), `series ${id}`)
    }),
    { numRuns: 300 },
  )
})

test('definitions and metadata arrive as they were given', () => {
  const encoder = newEncoder()
  for (let s = 0; s < SERIES_COUNT; s++) encoder.define(seriesLabels(s), seriesMetadata(s))
  encoder.missed({ target: 'node', fromMs: 30_000, toMs: 60_000, intervalMs: 15_000, reason: 'overrun' })
  const batch = decodeBatch(encoder.seal()!.bytes, null, zstd)
  assert.deepEqual(
    batch.definitions,
    Array.from({ length: SERIES_COUNT }, (_, id) => ({ id, labels: seriesLabels(id), metadata: seriesMetadata(id) })),
  )
  assert.deepEqual(batch.missed, [
    { target: 'node', fromMs: 30_000, toMs: 60_000, intervalMs: 15_000, reason: 'overrun' },
  ])
  assert.deepEqual([batch.header.minTimeMs, batch.header.maxTimeMs], [30_000, 60_000])
})

function assertArrives(all: readonly (Metadata | null)[]): void {
  const encoder = newEncoder()
  for (const [s, metadata] of all.entries()) encoder.define(seriesLabels(s), metadata)
  encoder.missed({ target: 'node', fromMs: 30_000, toMs: 60_000, intervalMs: 15_000, reason: 'overrun' })
  const { definitions } = decodeBatch(encoder.seal()!.bytes, null, zstd)
  assert.deepEqual(
    definitions.map(({ metadata }) => metadata),
    all,
  )
}

test('the name of a family arrives where it was given, and costs metadata that has none nothing', () => {
  const told = { type: 'counter', help: 'Help.', unit: '', family: 'x' } as const
  const other = { type: 'counter', help: 'Help.', unit: '', family: 'y' } as const
  const plain = { type: 'counter', help: 'Help.', unit: '' } as const
  const all = [told, other, plain, told, null, plain]
  assertArrives(all)
})

test('texts that look alike when put in a row are metadata of their own', () => {
  const all = [
    { type: 'counter', help: 'h\xffx', unit: '' },
    { type: 'gauge', help: 'Other.', unit: '' },
    { type: 'counter', help: 'h', unit: '', family: 'x' },
    { type: 'counter', help: 'h', unit: '', family: 'x\xff' },
    { type: 'gauge', help: 'b\xffc', unit: 'a' },
    { type: 'gauge', help: 'c', unit: 'a\xffb' },
    { type: 'gauge', help: 'Last.', unit: '', family: 'y' },
  ] as const
  assertArrives(all)
})

test('a batch without its keyframe, or with another, is base-missing', () => {
  const encoder = newEncoder({ keyframeEvery: 2, keyframeGrowth: 10 })
  const id = encoder.define(seriesLabels(1), null)
  const [first, second, third] = [0, 1, 2].map((slot) => {
    encoder.add(oneSample(id, slot))
    return encoder.seal()!.bytes
  })
  const base = decodeBatch(first!, null, zstd).keyframe!
  const isMissing = (error: unknown): boolean => error instanceof BatchError && error.code === 'base-missing'
  assert.throws(() => decodeBatch(second!, null, zstd), isMissing)
  assert.throws(() => decodeBatch(second!, { ...base, epoch: base.epoch + 1 }, zstd), isMissing)
  assert.throws(() => decodeBatch(second!, { ...base, agent: 'web-2' }, zstd), isMissing)
  assert.throws(() => decodeBatch(second!, decodeBatch(third!, null, zstd).keyframe, zstd), isMissing)
  assert.equal(decodeBatch(second!, structuredClone(base), zstd).scrapes.length, 1)
})

test('any damaged payload is refused with a BatchError', () => {
  const mutations = fc.array(
    fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'flip', 'insert', 'delete', 'huge'), value: fc.nat(255) }),
    { minLength: 1, maxLength: 4 },
  )
  let refused = 0
  fc.assert(
    fc.property(streams, mutations, (stream, changes) => {
      const sent = send(newEncoder({ compressor: stored, keyframeGrowth: 10 }), stream)
      const base = decodeBatch(sent[0]!.bytes, null, stored).keyframe
      for (const { bytes } of sent) {
        const isKeyframe = decodableAlone(bytes)
        // Everything but the envelope, whose lengths would stop most changes early.
        const damaged = { compress: stored.compress, decompress: (payload: Uint8Array) => mutate(payload, changes) }
        try {
          decodeBatch(bytes, isKeyframe ? null : base, damaged)
        } catch (error) {
          assert.ok(error instanceof BatchError, String((error as Error).stack))
          refused++
        }
      }
    }),
    { numRuns: 1500 },
  )
  assert.ok(refused > 500, `only ${refused} refused`)
})

/** Of one length, since the header declares it. */
function mutate(payload: Uint8Array, changes: readonly { at: number; kind: string; value: number }[]): Uint8Array {
  const out = payload.slice()
  for (const { at, kind, value } of changes) {
    const i = at % out.length
    if (kind === 'set') out[i] = value
    else if (kind === 'flip') out[i]! ^= 1 << (value & 7)
    else if (kind === 'huge') out.fill(255, i, i + 7)
    else if (kind === 'insert') {
      out.copyWithin(i + 1, i)
      out[i] = value
    } else out.copyWithin(i, i + 1)
  }
  return out
}

function oneSample(id: number, slot: number): Scrape {
  return {
    target: 'node',
    slotMs: slot * 15_000,
    intervalMs: 15_000,
    timestampMs: slot * 15_000,
    ids: Uint32Array.of(id),
    values: Float64Array.of(slot),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  }
}

const decodableAlone = (bytes: Uint8Array): boolean => {
  try {
    decodeBatch(bytes, null, stored)
    return true
  } catch (error) {
    if (error instanceof BatchError && error.code === 'base-missing') return false
    throw error
  }
}

function baseOf(bytes: Uint8Array): number {
  return readHeader(bytes).base
}

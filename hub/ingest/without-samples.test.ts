/** Remote write of series without samples. Rows as a real Prometheus 3.5 answers and keeps them (1.0). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import type { Exemplar, Histogram } from '../../protocol/samples/mod.ts'
import { createHead, headRestorer, openReader, type ReaderShare } from '../tsdb/mod.ts'
import { NOW, World } from './testing/world.ts'

const ALL = { minTime: Number.NEGATIVE_INFINITY, maxTime: Number.POSITIVE_INFINITY }

const HISTOGRAM: Histogram = {
  isFloat: true,
  isStale: false,
  counterResetHint: 0,
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 1,
  sum: 1,
  positiveSpans: [{ offset: 0, length: 1 }],
  positiveBuckets: [1],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [],
}

const exemplar = (id: string): Exemplar => ({ labels: ['id', id], value: 1, timestampMs: NOW })
const empty = (name: string, more: Partial<WriteSeries> = {}): WriteSeries => ({
  labels: labelsFrom({ __name__: name }),
  timestamps: [],
  values: new Float64Array(0),
  ...more,
})
const full = (name: string, more: Partial<WriteSeries> = {}): WriteSeries => ({
  ...empty(name, more),
  timestamps: [NOW],
  values: Float64Array.of(1),
})

/** What there is, as `name: ids of exemplars`. */
function kept(share: ReaderShare): string[] {
  const reader = openReader(share)
  try {
    return [...reader.select([], ALL)].map((ref) => {
      const ids = reader.exemplars(ref, ALL).map(({ labels }) => labels[1])
      return [reader.labels(ref)[1], ...ids].join(' ')
    })
  } finally {
    reader.release()
  }
}

test('a series whose samples were all refused is none that anyone is told of', async () => {
  const world = new World(33)
  world.options = { heads: { create: () => createHead({}), restore: () => headRestorer({}) } }
  const engine = await world.open()
  const far = { ...full('far'), timestamps: [NOW + 3_600_000] }
  assert.equal(engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest([far, full('a')]))).status, 400)
  engine.commit()
  assert.deepEqual(kept(engine.share()), ['a'])
  engine.close()
})

const rows: readonly [name: string, requests: readonly WriteSeries[][], expected: readonly string[]][] = [
  ['alone', [[empty('a')]], []],
  ['beside one with a sample', [[empty('a'), full('b')]], ['b']],
  ['with an exemplar alone', [[empty('a', { exemplars: [exemplar('x')] })]], []],
  ['after its sample, in the same request', [[full('a'), empty('a', { exemplars: [exemplar('x')] })]], ['a x']],
  ['before its sample', [[empty('a', { exemplars: [exemplar('x')] }), full('a')]], ['a']],
  ['after its sample, in another request', [[full('a')], [empty('a', { exemplars: [exemplar('x')] })]], ['a x']],
  ['before its sample, in another request', [[empty('a')], [full('a')]], ['a']],
  ['with a histogram', [[empty('a', { histograms: [{ timestampMs: NOW, histogram: HISTOGRAM }] })]], ['a']],
]
for (const [name, requests, expected] of rows)
  test(`a series without samples is not made: ${name}`, async () => {
    const world = new World(32)
    world.options = { heads: { create: () => createHead({}), restore: () => headRestorer({}) } }
    let engine = await world.open()
    for (const request of requests) {
      assert.equal(engine.acceptRemoteWrite(snappyCompress(encodeWriteRequest(request))).status, 204)
      engine.commit()
    }
    assert.deepEqual(kept(engine.share()), expected)
    engine.close()
    engine = await world.open()
    assert.deepEqual(kept(engine.share()), expected, 'nor by the replay of the log')
    engine.close()
  })

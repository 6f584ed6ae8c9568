import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom, labelsToObject } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import type { HeadStats } from './head-contract.ts'
import {
  AppendResult,
  createHead,
  createSampleBuffer,
  type Head,
  openReader,
  restoreHead,
  type SampleBuffer,
  type SeriesRef,
  SnapshotError,
  StalePagesError,
} from './mod.ts'

const ALL = { minTime: -Infinity, maxTime: Infinity }
const STALE = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer)

export function readAll(
  head: Head,
  ref: SeriesRef,
  range = ALL,
): { times: number[]; values: number[]; out: SampleBuffer } {
  const reader = openReader(head.share())
  try {
    const out = createSampleBuffer()
    reader.read(ref, range, out)
    return { times: [...out.times.subarray(0, out.count)], values: [...out.values.subarray(0, out.count)], out }
  } finally {
    reader.release()
  }
}

function floatAt(head: Head, ref: SeriesRef, time: number, value: number, start = 0): AppendResult {
  return head.appendFloat(ref, time, new Float64Array([value]), 0, start)
}

test('a column is read back, with times, over many chunks', () => {
  const head = createHead()
  const refs = new Uint32Array(10).map((_, i) => head.series(labelsFrom({ __name__: 'm', i: String(i) })))
  const values = new Float64Array(10)
  for (let scrape = 0; scrape < 1000; scrape++) {
    for (let i = 0; i < 10; i++) values[i] = i === 0 ? 5 : i === 1 ? scrape * 3 : Math.sin(scrape * i)
    assert.equal(head.appendColumn(1_700_000_000_000 + scrape * 15_000, refs, values, 10), 10)
  }
  head.publish()
  for (let i = 0; i < 10; i++) {
    const { times, values } = readAll(head, refs[i]!)
    assert.equal(times.length, 1000)
    for (let scrape = 0; scrape < 1000; scrape++) {
      assert.equal(times[scrape], 1_700_000_000_000 + scrape * 15_000)
      assert.equal(values[scrape], i === 0 ? 5 : i === 1 ? scrape * 3 : Math.sin(scrape * i))
    }
  }
})

test('a column is invisible until it is published, in every one of its series', () => {
  const head = createHead()
  const refs = new Uint32Array(4).map((_, i) => head.series(labelsFrom({ i: String(i) })))
  head.appendColumn(1000, refs, new Float64Array([1, 2, 3, 4]), 4)
  assert.deepEqual(readAll(head, refs[0]!).times, [])
  head.publish()
  head.appendColumn(2000, refs, new Float64Array([1, 9, 3, 4]), 4)
  assert.deepEqual(readAll(head, refs[1]!).values, [2])
  head.publish()
  assert.deepEqual(readAll(head, refs[1]!).values, [2, 9])
})

test('values keep their bits: NaN payloads, -0, stale markers', () => {
  const bits = [0x7ff0000000000002n, 0x7ff8000000000001n, 0xfff8dead0000beefn, 0x8000000000000000n, 0n, 1n]
  for (const column of [true, false]) {
    const head = createHead()
    const refs = new Uint32Array(4).map((_, i) => head.series(labelsFrom({ i: String(i) })))
    bits.forEach((value, t) => {
      const values = new Float64Array(new BigUint64Array([value, value, value, value]).buffer)
      if (column) head.appendColumn(1000 * t, refs, values, 4)
      else head.appendFloat(refs[2]!, 1000 * t, values, 2, 0)
    })
    head.publish()
    const { out } = readAll(head, refs[2]!)
    assert.deepEqual([...new BigUint64Array(out.values.buffer).subarray(0, out.count)], bits)
    assert.deepEqual([...out.flags.subarray(0, out.count)], [1, 0, 0, 0, 0, 0])
    assert.equal(out.mixed, true)
  }
})

test('a run at the time of a stale marker contradicts it', () => {
  const head = createHead()
  const refs = new Uint32Array(4).map((_, i) => head.series(labelsFrom({ i: String(i) })))
  const values = new Float64Array(new BigUint64Array([0n, 0n, 0n, 0x7ff0000000000002n]).buffer)
  head.appendColumn(1000, refs, values, 4)
  const results = new Uint8Array(4)
  const { duplicate, conflicting } = AppendResult
  assert.equal(head.appendRun(1000, refs, new Float64Array(4), 0, 4, results), 0)
  assert.deepEqual([...results], [duplicate, duplicate, duplicate, conflicting])
})

test('a sample that was stored is a duplicate, another value at its time conflicts and the first stays', () => {
  const head = createHead()
  const ref = head.series(labelsFrom({ a: 'b' }))
  assert.equal(floatAt(head, ref, 1000, 1), AppendResult.stored)
  assert.equal(floatAt(head, ref, 3000, 3), AppendResult.stored)
  assert.equal(floatAt(head, ref, 2000, 2), AppendResult.stored)
  for (const [time, value] of [
    [1000, 1],
    [2000, 2],
    [3000, 3],
  ] as const) {
    assert.equal(floatAt(head, ref, time, value), AppendResult.duplicate)
    assert.equal(floatAt(head, ref, time, value + 1), AppendResult.conflicting)
  }
  head.publish()
  assert.deepEqual(readAll(head, ref).values, [1, 2, 3])
  const { drops, lateSamples } = head.stats()
  assert.deepEqual([drops.duplicates, drops.conflicting, lateSamples], [3, 3, 1])
})

test('backlog does not undo a newer stale marker', () => {
  const head = createHead()
  const ref = head.series(labelsFrom({ a: 'b' }))
  floatAt(head, ref, 1000, 1)
  head.appendFloat(ref, 5000, STALE, 0, 0)
  floatAt(head, ref, 3000, 3)
  head.publish()
  const { out, times } = readAll(head, ref)
  assert.deepEqual(times, [1000, 3000, 5000])
  assert.deepEqual([...out.flags.subarray(0, 3)], [0, 0, 1])
})

test('start timestamps are kept, of late samples and far apart ones too', () => {
  const head = createHead()
  const ref = head.series(labelsFrom({ a: 'b' }))
  const starts = new Map<number, number>()
  const append = (time: number, start: number) => {
    starts.set(time, start)
    assert.equal(floatAt(head, ref, time, time, start), AppendResult.stored)
  }
  for (let i = 0; i < 40; i++) append(10_000 + i * 100, i < 20 ? 777 : i % 3 === 0 ? 1_700_000_000_000 + i : 10_000 + i)
  for (let i = 39; i >= 0; i--) append(9_950 + i * 100, i % 2 ? 0 : 55)
  head.publish()
  const { out, times } = readAll(head, ref)
  assert.equal(out.count, 80)
  assert.deepEqual(
    times.map((t, i) => [t, out.startTimes![i]]),
    [...starts].sort(([a], [b]) => a - b),
  )
})

const INTEGER_HISTOGRAM: Histogram = {
  isFloat: false,
  isStale: false,
  counterResetHint: 0,
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCount: 2,
  count: 21,
  sum: 18.4,
  positiveSpans: [
    { offset: 0, length: 2 },
    { offset: -3, length: 1 },
  ],
  positiveBuckets: [5, 3, 9],
  negativeSpans: [{ offset: 1, length: 1 }],
  negativeBuckets: [2],
  customValues: [],
}

test('the histogram ahead of those that were asked for is told of, where there is one', () => {
  const head = createHead({ maxBytes: 1 << 22 })
  const ref = head.series(labelsFrom({ __name__: 'h' }))
  for (let i = 1; i <= 5; i++) head.appendHistogram(ref, 1000 * i, { ...INTEGER_HISTOGRAM, sum: i }, 0)
  const alone = head.series(labelsFrom({ __name__: 'alone' }))
  head.appendHistogram(alone, 1000, INTEGER_HISTOGRAM, 0)
  head.publish()
  const reader = openReader(head.share())
  const out = createSampleBuffer()
  const sumBefore = (of: SeriesRef, minTime: number): number | undefined => {
    reader.read(of, { minTime, maxTime: 9000 }, out)
    return out.before?.sum
  }
  assert.equal(sumBefore(ref, 0), undefined)
  assert.equal(sumBefore(ref, 3001), 3)
  assert.equal(sumBefore(ref, 5000), 4)
  assert.equal(sumBefore(alone, 0), undefined)
  assert.equal(sumBefore(ref, 2000), 1)
  assert.equal(sumBefore(999 as SeriesRef, 2000), undefined)
  reader.release()
})

test('histograms of all kinds are read back among floats, in order and late', () => {
  const head = createHead()
  const ref = head.series(labelsFrom({ a: 'b' }))
  const custom: Histogram = {
    ...INTEGER_HISTOGRAM,
    schema: -53,
    customValues: [0.1, 0.5, 10],
    negativeSpans: [],
    negativeBuckets: [],
  }
  const float: Histogram = {
    ...INTEGER_HISTOGRAM,
    isFloat: true,
    counterResetHint: 3,
    zeroCount: 0.5,
    positiveBuckets: [1.5, -2.25, 3],
  }
  const fractional: Histogram = { ...INTEGER_HISTOGRAM, count: 2 ** 60 }
  const stale: Histogram = { ...INTEGER_HISTOGRAM, isStale: true }
  floatAt(head, ref, 1000, 1)
  assert.equal(head.appendHistogram(ref, 2000, INTEGER_HISTOGRAM, 500), AppendResult.stored)
  assert.equal(head.appendHistogram(ref, 3000, custom, 0), AppendResult.stored)
  floatAt(head, ref, 4000, 4)
  assert.equal(head.appendHistogram(ref, 5000, stale, 0), AppendResult.stored)
  assert.equal(head.appendHistogram(ref, 2500, float, 0), AppendResult.stored)
  assert.equal(head.appendHistogram(ref, 2250, fractional, 0), AppendResult.stored)
  assert.equal(head.appendHistogram(ref, 2500, float, 0), AppendResult.duplicate)
  assert.equal(head.appendHistogram(ref, 2500, custom, 0), AppendResult.conflicting)
  assert.equal(floatAt(head, ref, 2500, 0), AppendResult.conflicting)
  assert.equal(head.appendHistogram(ref, 1000, custom, 0), AppendResult.conflicting)
  head.publish()
  const { out, times } = readAll(head, ref)
  assert.deepEqual(times, [1000, 2000, 2250, 2500, 3000, 4000, 5000])
  assert.deepEqual([...out.flags.subarray(0, 7)], [0, 2, 2, 2, 2, 0, 2])
  assert.deepEqual(out.histograms![1], INTEGER_HISTOGRAM)
  assert.deepEqual(out.histograms![2], fractional)
  assert.deepEqual(out.histograms![3], float)
  assert.deepEqual(out.histograms![4], custom)
  assert.equal(out.histograms![6]!.isStale, true)
  assert.equal(out.startTimes![1], 500)
  assert.deepEqual([out.values[0], out.values[5]], [1, 4])
})

test('exemplars and metadata are read back; the oldest exemplars give way', () => {
  const head = createHead({ maxExemplars: 3 })
  const ref = head.series(labelsFrom({ a: 'b' }))
  for (let i = 0; i < 5; i++) head.appendExemplar(ref, { labels: ['trace', `é${i}`], value: i, timestampMs: i * 10 })
  head.appendExemplar(ref, { labels: ['trace', 'x'.repeat(400)], value: 1, timestampMs: 1 })
  head.setMetadata('m', { type: 'counter', help: 'A thing', unit: '' })
  head.setMetadata('m', { type: 'counter', help: 'A thing', unit: '' })
  head.setMetadata('m', { type: 'gauge', help: 'Another', unit: 'bytes' })
  const reader = openReader(head.share())
  assert.deepEqual(reader.exemplars(ref, { minTime: 0, maxTime: 30 }), [
    { labels: ['trace', 'é2'], value: 2, timestampMs: 20 },
    { labels: ['trace', 'é3'], value: 3, timestampMs: 30 },
  ])
  assert.deepEqual(reader.metadata().get('m'), [
    { type: 'counter', help: 'A thing', unit: '' },
    { type: 'gauge', help: 'Another', unit: 'bytes' },
  ])
  reader.release()
  assert.equal(head.stats().drops.exemplars, 1)
})

test('the buffer of exemplars knows its oldest and its series, after a restart too', () => {
  const shown = ({ exemplars, exemplarsAppended, exemplarSlots, exemplarSeries, oldestExemplarMs }: HeadStats) => [
    exemplars,
    exemplarsAppended,
    exemplarSlots,
    exemplarSeries,
    oldestExemplarMs,
  ]
  const head = createHead({ maxExemplars: 3 })
  const refs = ['a', 'b', 'c'].map((a) => head.series(labelsFrom({ a })))
  const append = (to: Head, of: number, timestampMs: number | null): void =>
    to.appendExemplar(refs[of]!, { labels: [], value: 1, timestampMs })
  assert.deepEqual(shown(head.stats()), [0, 0, 3, 0, null])
  append(head, 0, 10)
  append(head, 1, 20)
  assert.deepEqual(shown(head.stats()), [2, 2, 3, 2, 10])
  append(head, 1, 30)
  append(head, 1, 40)
  assert.deepEqual(shown(head.stats()), [3, 4, 3, 1, 20])
  const restored = restoreHead([...head.serialize()], { maxExemplars: 3 })
  assert.deepEqual(shown(restored.stats()), [3, 0, 3, 1, 20])
  append(restored, 2, null)
  assert.deepEqual(shown(restored.stats()), [3, 1, 3, 2, 30])
})

test('a restored head may lose series before anyone has looked for one by its labels', () => {
  const head = createHead()
  const value = Float64Array.of(1)
  const labels = Array.from({ length: 3000 }, (_, i) => labelsFrom({ i: String(i) }))
  for (const [i, of] of labels.entries()) head.appendFloat(head.series(of), i % 2 === 0 ? 1000 : 9000, value, 0, 0)
  const restored = restoreHead(head.serialize())
  assert.equal(restored.trim(5000), 1500)
  for (const [i, of] of labels.entries()) assert.equal(restored.series(of), i % 2 === 1 ? i : 3000 + i / 2)
  assert.equal(restored.stats().series, 3000)
})

test('limits refuse series and count what they refused', () => {
  const head = createHead({ maxSeries: 2, maxLabelsPerSeries: 2, maxLabelNameLength: 5, maxLabelValueLength: 5 })
  assert.equal(head.series(labelsFrom({ a: '1' })), 0)
  assert.equal(head.series(labelsFrom({ a: '1', b: '2', c: '3' })), -1)
  assert.equal(head.series(labelsFrom({ a: '123456' })), -1)
  assert.equal(head.series(labelsFrom({ a: '2' })), 1)
  assert.equal(head.series(labelsFrom({ a: '3' })), -1)
  assert.equal(head.series(labelsFrom({ a: '1' })), 0)
  const { drops } = head.stats()
  assert.deepEqual([drops.labelLimit, drops.seriesLimit], [2, 1])
})

test('at the memory cap samples are refused, what is stored stays right, and retention makes room again', () => {
  const head = createHead({ maxBytes: 1 << 20, maxExemplars: 0 })
  const refs = new Uint32Array(400).map((_, i) => head.series(labelsFrom({ i: String(i) })))
  const values = new Float64Array(400)
  let full = 0
  let stored = 0
  for (let t = 0; t < 500; t++) {
    for (let i = 0; i < 400; i++) values[i] = Math.sin(t * 400 + i)
    const n = head.appendColumn(t * 1000, refs, values, 400)
    stored += n
    if (n < 400) full = t
    if (full > 0 && t > full + 5) break
  }
  assert.ok(full > 0 && head.stats().drops.memoryLimit > 0)
  head.publish()
  const reader = openReader(head.share())
  const out = createSampleBuffer()
  let read = 0
  for (const ref of refs) {
    reader.read(ref, ALL, out)
    read += out.count
    for (let k = 0; k < out.count; k++) assert.equal(out.values[k], Math.sin((out.times[k]! / 1000) * 400 + ref))
  }
  reader.release()
  assert.equal(read, stored)
  head.trim(full * 1000)
  for (let i = 0; i < 4; i++) head.trim(full * 1000)
  assert.equal(head.appendColumn(1e9, refs, values, 400), 400 - head.stats().drops.unknownSeries)
})

test('trim() drops old samples and series, and gives memory back once readers are gone', () => {
  const head = createHead()
  const names = (prefix: string) =>
    new Uint32Array(200).map((_, i) => head.series(labelsFrom({ n: `${prefix}${i}`, job: prefix })))
  const old = names('old')
  const kept = names('kept')
  const values = new Float64Array(200)
  for (let t = 0; t < 600; t++) {
    for (let i = 0; i < 200; i++) values[i] = Math.sin(t + i)
    if (t < 300) head.appendColumn(t * 1000, old, values, 200)
    head.appendColumn(t * 1000, kept, values, 200)
  }
  head.publish()
  const reader = openReader(head.share())
  assert.equal(reader.select([], ALL).length, 400)
  const before = head.stats().usedBytes
  assert.equal(head.trim(400_000), 200)
  assert.equal(head.stats().limbo > 0, true)
  assert.ok(head.stats().usedBytes >= before - 600 * 200)
  // Labels of a series that died under the query are still there.
  assert.equal(labelsToObject(reader.labels(old[3]!))['n'], 'old3')
  reader.release()
  head.trim(400_000)
  assert.equal(head.stats().limbo, 0)
  assert.ok(head.stats().usedBytes < before / 2, `${head.stats().usedBytes} of ${before}`)
  assert.equal(floatAt(head, old[0]!, 1e6, 1), AppendResult.unknownSeries)
  const after = openReader(head.share())
  assert.equal(after.seriesCount, 200)
  assert.deepEqual(after.labelValues('job', [], ALL), ['kept'])
  assert.equal(after.symbolId('old7'), -1)
  assert.deepEqual(after.timeRange(), { minTime: 400_000, maxTime: 599_000 })
  const out = createSampleBuffer()
  after.read(kept[5]!, ALL, out)
  assert.deepEqual([out.count, out.times[0]], [200, 400_000])
  after.release()
  // Ids are used again for new names.
  const again = names('new')
  head.appendColumn(700_000, again, values, 200)
  head.publish()
  const last = openReader(head.share())
  assert.deepEqual(last.labelValues('job', [], ALL), ['kept', 'new'])
  assert.equal(labelsToObject(last.labels(again[9]!))['n'], 'new9')
  last.release()
})

test('a series without samples outlives one trim()', () => {
  const head = createHead()
  const ref = head.series(labelsFrom({ a: 'b' }))
  assert.equal(head.trim(1000), 0)
  assert.equal(head.isLive(ref), true)
  assert.equal(head.trim(1000), 1)
  assert.equal(head.isLive(ref), false)
})

test('clearOwner() ends the claims of a thread that died', () => {
  const head = createHead()
  openReader(head.share(), { owner: 7 })
  openReader(head.share(), { owner: 7 })
  const mine = openReader(head.share(), { owner: 8 })
  assert.equal(head.stats().activeReaders, 3)
  assert.equal(head.clearOwner(7), 2)
  assert.equal(head.stats().activeReaders, 1)
  mine.release()
})

test('a snapshot restores a head that goes on; damage is refused', () => {
  const head = createHead()
  const refs = new Uint32Array(300).map((_, i) => head.series(labelsFrom({ i: String(i), job: 'a' })))
  const values = new Float64Array(300)
  const append = (to: Head, t: number) => {
    for (let i = 0; i < 300; i++) values[i] = i % 3 === 0 ? 7 : Math.sin(t * i)
    to.appendColumn(t * 1000, refs, values, 300)
  }
  for (let t = 0; t < 100; t++) append(head, t)
  floatAt(head, refs[5]!, 50_500, 42)
  head.setMetadata('m', { type: 'gauge', help: 'h', unit: 'u' })
  head.trim(20_000)
  const bytes = Buffer.concat([...head.serialize()])
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, i) =>
    bytes.subarray(i * 1000, i * 1000 + 1000),
  )
  const restored = restoreHead(pieces)
  const counts = ({ series, chunks, chunkPayloadBytes }: HeadStats) => ({ series, chunks, chunkPayloadBytes })
  assert.deepEqual(counts(restored.stats()), counts(head.stats()))
  for (const h of [head, restored]) for (let t = 100; t < 200; t++) append(h, t)
  for (const h of [head, restored]) h.publish()
  assert.equal(restored.series(labelsFrom({ i: '17', job: 'a' })), refs[17])
  assert.equal(restored.series(labelsFrom({ i: 'new' })), 300)
  for (const ref of [0, 1, 5, 299]) assert.deepEqual(readAll(restored, ref).values, readAll(head, ref).values)
  assert.equal(readAll(restored, 5).values.includes(42), true)
  assert.equal(restored.stats().samplesAppended, head.stats().samplesAppended)
  for (const at of [30, 5000, bytes.length - 10]) {
    const broken = new Uint8Array(bytes)
    broken[at]! ^= 4
    assert.throws(() => restoreHead([broken]), SnapshotError)
  }
  assert.throws(() => restoreHead([bytes.subarray(0, bytes.length - 30)]), SnapshotError)
  const iterator = head.serialize()[Symbol.iterator]()
  iterator.next()
  append(head, 300)
  assert.throws(() => iterator.next(), /changed while its snapshot/)
})

test('cardinality() names the largest', () => {
  const head = createHead()
  for (let i = 0; i < 5; i++) head.series(labelsFrom({ __name__: 'big', i: String(i) }))
  head.series(labelsFrom({ __name__: 'small', i: '0' }))
  const { seriesCountByMetricName, labelValueCountByLabelName, seriesCountByLabelValuePair, memoryInBytesByLabelName } =
    openReader(head.share()).cardinality!(2)
  assert.deepEqual(seriesCountByMetricName, [
    { name: 'big', value: 5 },
    { name: 'small', value: 1 },
  ])
  assert.deepEqual(labelValueCountByLabelName[0], { name: 'i', value: 5 })
  assert.deepEqual(seriesCountByLabelValuePair, [
    { name: '__name__=big', value: 5 },
    { name: 'i=0', value: 2 },
  ])
  // Name, value, and a byte for the length of each, as upstream counts.
  assert.deepEqual(memoryInBytesByLabelName[0], { name: '__name__', value: 5 * (8 + 3 + 2) + (8 + 5 + 2) })
  assert.equal(openReader(head.share()).cardinality!(1).labelPairCount, 7)
})

test('a share that is too old is refused with an error that says so, never answered in part', () => {
  const head = createHead()
  const refs = new Uint32Array(2000).map((_, i) => head.series(labelsFrom({ i: String(i) })))
  const old = head.share()
  const pages: SharedArrayBuffer[] = []
  head.onPage((page) => pages.push(page))
  const values = new Float64Array(2000)
  for (let t = 0; t < 800; t++) {
    for (let i = 0; i < 2000; i++) values[i] = Math.sin(t * i)
    head.appendColumn(t * 1000, refs, values, 2000)
  }
  head.publish()
  assert.ok(pages.length > 0)
  const reader = openReader(old)
  assert.throws(() => {
    const out = createSampleBuffer()
    for (const ref of refs) {
      reader.read(ref, ALL, out)
      assert.equal(out.count, 800)
    }
  }, StalePagesError)
  reader.release()
  assert.equal(readAll(head, refs[1999]!).times.length, 800)
})

test('100,000 series cost little beside their samples, and nothing on the JavaScript heap', () => {
  const head = createHead()
  const n = 100_000
  globalThis.gc?.()
  const heapBefore = process.memoryUsage().heapUsed
  const refs = new Uint32Array(n).map((_, i) =>
    head.series(
      labelsFrom({ __name__: `m${i % 500}`, instance: `host-${i >> 10}`, job: 'node', cpu: String(i % 64), mode: 'x' }),
    ),
  )
  const indexBytes = head.stats().usedBytes / n
  const values = new Float64Array(n)
  for (let t = 0; t < 40; t++) {
    for (let i = 0; i < n; i++) values[i] = i % 3 === 0 ? t * 15 + (i % 7) : i
    for (let from = 0; from < n; from += 1000) {
      head.appendColumn(t * 15_000, refs.subarray(from, from + 1000), values.subarray(from, from + 1000), 1000)
    }
    head.publish()
  }
  const { usedBytes, chunkPayloadBytes } = head.stats()
  const heap = (process.memoryUsage().heapUsed - heapBefore) / n
  console.log(
    `# ${indexBytes.toFixed(0)} B a series for the index, ${(usedBytes / n).toFixed(0)} with 40 samples each ` +
      `(${(chunkPayloadBytes / n / 40).toFixed(2)} B a sample encoded), ${heap.toFixed(0)} B of heap`,
  )
  assert.ok(indexBytes < 160, `${indexBytes} bytes`)
  assert.ok(usedBytes / n < 330, `${usedBytes / n} bytes`)
})

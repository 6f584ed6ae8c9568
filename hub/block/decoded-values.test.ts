/** What a thread keeps of blocks, and what reads say of their samples, against the samples themselves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createSampleBuffer, DecodedValues, openReader, type SeriesReader, type TimeRange } from '../tsdb/mod.ts'
import { mergeReaders, openBlock, writeBlock } from './mod.ts'
import { ALL, anySeries, contents, fillHead, memoryEnv, sorted, type TestSeries } from './testing/samples.ts'

const BLOCK_MS = 7_200_000
const PATH = '/data/blocks'
/** No chunk is longer, and few fit. */
const SEGMENT_VALUES = 1024

test('what is claimed is there until the ring has come round, and longer when it is moved', () => {
  const kept = new DecodedValues(4 * 8 * 10, 10)
  assert.equal(kept.has(0), false)
  const put = (value: number): number => {
    const place = kept.claim(4)
    kept.segmentOf(place).fill(value, kept.offsetOf(place), kept.offsetOf(place) + 4)
    return place
  }
  const valueAt = (place: number): number | null =>
    kept.has(place) ? kept.segmentOf(place)[kept.offsetOf(place)]! : null
  // Two fit into a segment.
  const places = [1, 2, 3, 4, 5, 6, 7, 8].map(put)
  assert.deepEqual(places.map(valueAt), [1, 2, 3, 4, 5, 6, 7, 8])
  assert.deepEqual(
    places.map((place) => kept.isOld(place)),
    [true, true, false, false, false, false, false, false],
  )
  assert.equal(kept.bytes, 4 * 8 * 10)
  // There is room for nothing: both of the oldest go, and the one that is being moved stays.
  const moved = kept.move(places[0]!, 4)
  assert.deepEqual([moved, ...places].map(valueAt), [1, null, null, 3, 4, 5, 6, 7, 8])
  for (let value = 9; value < 14; value++) put(value)
  assert.deepEqual([moved, ...places].map(valueAt), [1, null, null, null, null, null, null, 7, 8])
})

test('reads with few values kept are those without, and what they say of times and values is so', () => {
  const anyRange = fc
    .tuple(fc.nat(3 * BLOCK_MS), fc.nat(3 * BLOCK_MS))
    .map((times): TimeRange => ({ minTime: Math.min(...times), maxTime: Math.max(...times) }))
  const timesOf = new Map<number, string>()
  fc.assert(
    fc.property(anySeries(2 * BLOCK_MS), fc.array(anyRange, { minLength: 1, maxLength: 4 }), (series, asked) => {
      const env = memoryEnv()
      const kept = new DecodedValues(0, SEGMENT_VALUES)
      const within = (from: number, to: number): TestSeries[] =>
        series
          .map(({ labels, samples }) => ({ labels, samples: samples.filter(({ time }) => time >= from && time < to) }))
          .filter(({ samples }) => samples.length > 0)
      const head = fillHead(within(2 * BLOCK_MS, Number.POSITIVE_INFINITY)).share()
      const plain: SeriesReader[] = [openReader(head)]
      const keeping: SeriesReader[] = [openReader(head)]
      for (const sequence of [0, 1]) {
        const [minTime, maxTime] = [sequence * BLOCK_MS, (sequence + 1) * BLOCK_MS]
        const source = openReader(fillHead(within(minTime, maxTime)).share())
        const block = { range: { minTime, maxTime }, sequence, level: 1, sources: [] }
        const meta = writeBlock(env, PATH, source, block)
        source.release()
        if (meta === null) continue
        plain.push(openBlock(env, `${PATH}/${meta.id}`))
        keeping.push(openBlock(env, `${PATH}/${meta.id}`, { values: kept }))
      }
      const [without, merged] = [mergeReaders(plain), mergeReaders(keeping)]
      // The second time some are kept.
      for (const range of [...asked, ALL, ...asked]) {
        assert.deepEqual(sorted(contents(merged, range)), sorted(contents(without, range)))
        const buffer = createSampleBuffer()
        for (const ref of merged.select([], range)) {
          buffer.timesKey = buffer.rising = 0
          merged.read(ref, range, buffer)
          const { count, timesKey, rising, times, values, flags } = buffer
          if (timesKey !== 0) {
            const text = times.subarray(0, count).join()
            assert.equal(timesOf.get(timesKey) ?? text, text)
            timesOf.set(timesKey, text)
          }
          assert.ok(rising <= count)
          for (let i = 0; i < rising; i++) assert.ok(flags[i] === 0 && values[i]! >= (values[i - 1] ?? -Infinity))
        }
      }
      without.release()
      merged.release()
    }),
    { numRuns: 60 },
  )
  assert.ok(timesOf.size > 50)
})

test('series of a target have one number for their times, in blocks and in the head behind them', () => {
  const env = memoryEnv()
  const ofTarget = ['a', 'b', 'c'].map((instance) => ({ name: 'up', instance }))
  const between = (from: number, to: number): TestSeries[] =>
    ofTarget.map((labels) => ({
      labels: ['instance', labels.instance, 'name', labels.name] as unknown as TestSeries['labels'],
      samples: Array.from({ length: (to - from) / 15_000 }, (_, i) => ({
        time: from + i * 15_000,
        bits: 0x3ff0000000000000n,
        start: 0,
        kind: 0,
      })),
    }))
  const source = openReader(fillHead(between(0, BLOCK_MS)).share())
  const block = { range: { minTime: 0, maxTime: BLOCK_MS }, sequence: 1, level: 1, sources: [] }
  const { id } = writeBlock(env, PATH, source, block)!
  const opened = openBlock(env, `${PATH}/${id}`, { values: new DecodedValues(1 << 20) })
  const merged = mergeReaders([openReader(fillHead(between(BLOCK_MS, BLOCK_MS + 600_000)).share()), opened])
  const buffer = createSampleBuffer()
  const read = (range: TimeRange): [number, number, number][] =>
    [...merged.select([], range)].map((ref) => {
      merged.read(ref, range, buffer)
      return [buffer.timesKey!, buffer.rising!, buffer.count]
    })
  const [first, ...others] = read(ALL)
  assert.ok(first![0] > 1)
  assert.deepEqual(first!.slice(1), [480, 520])
  assert.deepEqual(others, [first, first])
  // Other times have another.
  const [later] = read({ minTime: 1, maxTime: BLOCK_MS + 600_000 })
  assert.notEqual(later![0], first![0])
  merged.release()
  source.release()
})

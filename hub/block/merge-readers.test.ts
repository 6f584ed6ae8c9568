/** Head and blocks as one reader against one head that holds everything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom, labelsKey } from '../../protocol/labels/mod.ts'
import type { Matcher, MatchOp } from '../../protocol/matchers/mod.ts'
import {
  createSampleBuffer,
  openReader,
  type SampleBuffer,
  type SeriesReader,
  type Shard,
  type TimeRange,
} from '../tsdb/mod.ts'
import { mergeReaders, openBlock, writeBlock } from './mod.ts'
import { ALL, anySeries, bitsOf, contents, fillHead, memoryEnv, sorted, type TestSeries } from './testing/samples.ts'

const MAX_TIME = 3 * 7_200_000
const PATH = '/data/blocks'

/** Of each series a part: sample i goes to the part that `deal` names; the rest of the head's rules stay the same. */
function parts(series: readonly TestSeries[], deal: readonly number[], count: number): TestSeries[][] {
  // Of one time and series the head keeps the first: leave the others out before dealing.
  const whole = series.map(({ labels, samples }) => {
    const seen = new Set<number>()
    return { labels, samples: samples.filter(({ time }) => !seen.has(time) && seen.add(time)) }
  })
  let next = 0
  const owners = whole.map(({ samples }) => samples.map(() => deal[next++ % deal.length]! % count))
  return Array.from({ length: count }, (_, part) =>
    whole
      .map(({ labels, samples }, s) => ({ labels, samples: samples.filter((_, i) => owners[s]![i] === part) }))
      .filter(({ samples }) => samples.length > 0),
  )
}

function assertSameNewest(reader: SeriesReader, range: TimeRange): void {
  const [whole, newest] = [createSampleBuffer(), createSampleBuffer()]
  const lastOf = ({ count, times, values, flags, startTimes, histograms }: SampleBuffer): unknown => [
    times[count - 1],
    [...new Uint32Array(values.buffer, values.byteOffset + 8 * Math.max(0, count - 1), 2)],
    flags[count - 1],
    startTimes?.[count - 1] ?? 0,
    histograms?.[count - 1],
  ]
  for (const ref of reader.select([], range)) {
    reader.read(ref, range, whole)
    reader.readNewest!(ref, range, newest)
    assert.equal(newest.count > 0, whole.count > 0)
    if (whole.count > 0) assert.deepEqual(lastOf(newest), lastOf(whole))
  }
}

const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('__name__', 'job', 'instance'),
  op: fc.constantFrom<MatchOp>('=', '!=', '=~', '!~'),
  value: fc.constantFrom('up', 'node', 'a', '', 'a|b', '.+'),
})

test('head and overlapping blocks together are the head that was never cut', () => {
  fc.assert(
    fc.property(
      anySeries(MAX_TIME),
      fc.array(fc.nat(2), { minLength: 1, maxLength: 20 }),
      fc.tuple(fc.nat(MAX_TIME), fc.nat(MAX_TIME)),
      fc.array(matcher, { maxLength: 2 }),
      (series, deal, asked, matchers) => {
        const all = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
        const env = memoryEnv()
        const [recent, ...older] = parts(series, deal, 3)
        const readers: SeriesReader[] = [openReader(fillHead(recent!).share())]
        older.forEach((part, i) => {
          const source = openReader(fillHead(part).share())
          const block = { range: { minTime: 0, maxTime: 2 * MAX_TIME }, sequence: i, level: 1, sources: [] }
          const meta = writeBlock(env, PATH, source, block)
          if (meta) readers.push(openBlock(env, `${PATH}/${meta.id}`))
          source.release()
        })
        const merged = mergeReaders(readers)
        const range = { minTime: Math.min(...asked), maxTime: Math.max(...asked) }
        assert.deepEqual(sorted(contents(merged, range)), sorted(contents(all, range)))
        assert.deepEqual(sorted(contents(merged)), sorted(contents(all)))
        for (const each of [range, ALL]) assertSameNewest(merged, each)
        const keys = (reader: SeriesReader, shard?: Shard) =>
          [...reader.select(matchers, ALL, shard)].map((ref) => labelsKey(reader.labels(ref)))
        assert.deepEqual(keys(merged).sort(), keys(all).sort())
        const shards = [0, 1, 2].flatMap((index) => keys(merged, { index, count: 3 }))
        assert.deepEqual(shards.sort(), keys(all).sort())
        // As the threads of a query have them, each with a reader of its own.
        const ordered = [0, 1, 2].flatMap((index) => {
          const own = mergeReaders(readers)
          const refs = [...own.select(matchers, ALL, { index, count: 3 })]
          return refs.map((ref) => ({ order: own.orderOf?.(ref) ?? ref, key: labelsKey(own.labels(ref)) }))
        })
        ordered.sort((a, b) => a.order - b.order)
        assert.deepEqual(
          ordered.map(({ key }) => key),
          keys(mergeReaders(readers)),
        )
        assert.deepEqual(merged.labelNames(matchers, ALL), all.labelNames(matchers, ALL))
        assert.deepEqual(merged.labelValues('job', matchers, ALL), all.labelValues('job', matchers, ALL))
        const ids = new Map<string, number>()
        const refs = merged.select([], ALL)
        assert.deepEqual(refs, refs.slice().sort())
        for (const ref of refs) {
          const labels = [...merged.labelIds(ref)]
          assert.deepEqual(
            labels.map((id) => merged.symbol(id)),
            [...merged.labels(ref)],
          )
          for (const id of labels) {
            // One text, one id, whichever reader it came from.
            assert.equal(ids.get(merged.symbol(id)) ?? id, id)
            assert.equal(merged.symbolId(merged.symbol(id)), id)
            ids.set(merged.symbol(id), id)
          }
        }
        merged.release()
        all.release()
      },
    ),
    { numRuns: 200 },
  )
})

const labels = labelsFrom({ __name__: 'up' })
const one = (time: number, value: number): TestSeries => ({
  labels,
  samples: [{ time, bits: bitsOf(value), start: 0, kind: 0 }],
})

test('of two samples at one time the reader that stands first has the say', () => {
  const env = memoryEnv()
  const heads = [one(5, 1), one(5, 2), one(5, 3)].map((series) => openReader(fillHead([series]).share()))
  const blocks = heads.slice(1).map((reader, i) => {
    const block = { range: { minTime: 0, maxTime: 10 }, sequence: 9 - i, level: 1, sources: [] }
    return openBlock(env, `${PATH}/${writeBlock(env, PATH, reader, block)!.id}`)
  })
  const sampleOf = (readers: readonly SeriesReader[]): number => {
    const out = createSampleBuffer()
    const merged = mergeReaders(readers)
    const refs = merged.select([], ALL)
    assert.equal(refs.length, 1)
    merged.read(refs[0]!, ALL, out)
    assert.equal(out.count, 1)
    return out.values[0]!
  }
  assert.equal(sampleOf([heads[0]!, ...blocks]), 1)
  assert.equal(sampleOf(blocks), 2)
  assert.equal(sampleOf(blocks.toReversed()), 3)
})

test('a label that the head learns during a query keeps the id that a block gave it', () => {
  const env = memoryEnv()
  const cut = openReader(fillHead([one(5, 1)]).share())
  const meta = writeBlock(env, PATH, cut, { range: { minTime: 0, maxTime: 10 }, sequence: 1, level: 1, sources: [] })!
  const head = fillHead([{ labels: labelsFrom({ a: 'b' }), samples: one(20, 1).samples }])
  const merged = mergeReaders([openReader(head.share()), openBlock(env, `${PATH}/${meta.id}`)])
  const before = merged.symbolId('up')
  assert.ok(before >= 0)
  fillHead([one(20, 2)], head)
  const refs = merged.select([{ name: '__name__', op: '=', value: 'up' }], ALL)
  assert.equal(refs.length, 1)
  assert.deepEqual([...merged.labelIds(refs[0]!)], [merged.symbolId('__name__'), before])
  const out = createSampleBuffer()
  merged.read(refs[0]!, ALL, out)
  assert.deepEqual([...out.times.subarray(0, out.count)], [5, 20])
})

test('a series has one ref in a selection, whatever ranges were selected before', () => {
  const env = memoryEnv()
  const at = (from: number): TestSeries[] => [
    {
      labels: labelsFrom({ __name__: 'up', job: 'node' }),
      samples: Array.from({ length: 100 }, (_, i) => ({ time: from + 1000 * i, bits: bitsOf(i), start: 0, kind: 0 })),
    },
  ]
  const blocks = [0, 100_000].map((minTime, sequence) => {
    const block = { range: { minTime, maxTime: minTime + 100_000 }, sequence, level: 1, sources: [] }
    const meta = writeBlock(env, PATH, openReader(fillHead(at(minTime)).share()), block)!
    return openBlock(env, `${PATH}/${meta.id}`)
  })
  const ranges = [
    { minTime: 50_000, maxTime: 150_000 },
    { minTime: 150_000, maxTime: 250_000 },
    { minTime: 50_000, maxTime: 99_000 },
    { minTime: 0, maxTime: 300_000 },
  ]
  const out = createSampleBuffer()
  for (const first of ranges)
    for (const second of ranges)
      for (const third of ranges) {
        const merged = mergeReaders([openReader(fillHead(at(200_000)).share()), ...blocks])
        for (const range of [first, second, third]) {
          const refs = merged.select([], range)
          assert.equal(refs.length, 1)
          merged.read(refs[0]!, range, out)
          assert.equal(out.count, Math.min(300, range.maxTime / 1000 + 1) - range.minTime / 1000)
        }
        merged.release()
      }
})

test('a label that the head forgets during a query keeps its id: a series of three blocks stays one', () => {
  const env = memoryEnv()
  const blocks = [0, 1, 2].map((sequence) => {
    const range = { minTime: 10 * sequence, maxTime: 10 * sequence + 10 }
    const cut = openReader(fillHead([one(10 * sequence + 5, 1)]).share())
    return openBlock(env, `${PATH}/${writeBlock(env, PATH, cut, { range, sequence, level: 1, sources: [] })!.id}`)
  })
  const head = fillHead([one(40, 1), { labels: labelsFrom({ a: 'b' }), samples: one(90, 1).samples }])
  // Between the second block's answer and the third's, the head gives up the series, and its labels.
  const third = new Proxy(blocks[2]!, {
    get(block, name) {
      if (name !== 'select') {
        const value = Reflect.get(block, name) as unknown
        return typeof value === 'function' ? value.bind(block) : value
      }
      return (...args: Parameters<SeriesReader['select']>) => {
        head.trim(50)
        head.publish()
        return block.select(...args)
      }
    },
  })
  const merged = mergeReaders([openReader(head.share()), blocks[0]!, blocks[1]!, third])
  const refs = merged.select([{ name: '__name__', op: '=', value: 'up' }], { minTime: 0, maxTime: 30 })
  assert.equal(new Set([...refs].map((ref) => labelsKey(merged.labels(ref)))).size, refs.length, 'one ref a series')
  assert.equal(merged.symbolId('up'), merged.labelIds(refs[0]!)[1])
  const out = createSampleBuffer()
  merged.read(refs[0]!, { minTime: 0, maxTime: 30 }, out)
  assert.deepEqual([...out.times.subarray(0, out.count)], [5, 15, 25])
})

test('the newest sample is read alone where the head has all of the range', () => {
  const env = memoryEnv()
  const from = (start: number): TestSeries[] => [
    {
      labels: labelsFrom({ __name__: 'up' }),
      samples: Array.from({ length: 40 }, (_, i) => ({ time: start + i * 1000, bits: BigInt(i), start: 0, kind: 0 })),
    },
  ]
  const source = openReader(fillHead(from(0)).share())
  const block = { range: { minTime: 0, maxTime: MAX_TIME }, sequence: 1, level: 1, sources: [] }
  const opened = openBlock(env, `${PATH}/${writeBlock(env, PATH, source, block)!.id}`)
  const merged = mergeReaders([openReader(fillHead(from(MAX_TIME)).share()), opened])
  const [ref] = merged.select([], ALL)
  const buffer = createSampleBuffer()
  const count = (minTime: number): number => {
    merged.readNewest!(ref!, { minTime, maxTime: 2 * MAX_TIME }, buffer)
    return buffer.count
  }
  assert.deepEqual([count(MAX_TIME), count(0)], [8, 80])
})

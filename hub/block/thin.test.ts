/** What of the samples is left answers the same, where that is promised. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createSampleBuffer, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { BlockStore, NONE_IN_FORCE, openBlock, resolutionOf, thinned } from './mod.ts'
import { ALL, anySeries, bitsOf, contents, fillHead, memoryEnv, sorted, type TestSeries } from './testing/samples.ts'

const R = 300_000
const H = 3_600_000

type Float = { readonly time: number; readonly value: number }

function floatsOf(reader: SeriesReader): Float[] {
  const out = createSampleBuffer()
  const refs = reader.select([], ALL)
  assert.equal(refs.length, 1)
  reader.read(refs[0]!, ALL, out)
  return Array.from({ length: out.count }, (_, i) => ({ time: out.times[i]!, value: out.values[i]! }))
}

const anyFloats = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40_000 }), fc.integer({ min: 0, max: 50 }), fc.nat(20)), {
    minLength: 1,
    maxLength: 600,
  })
  .map((steps) => {
    let time = 0
    let value = 0
    // A counter that starts anew now and then.
    return steps.map(([gap, more, fate]) => ({ time: (time += gap), value: (value = fate === 0 ? 0 : value + more) }))
  })

const headOf = (name: string, samples: readonly Float[]): SeriesReader =>
  openReader(
    fillHead([
      {
        labels: labelsFrom({ __name__: name }),
        samples: samples.map(({ time, value }) => ({ time, bits: bitsOf(value), start: 0, kind: 0 })),
      },
    ]).share(),
  )

/** Over the window (t - R, t]. */
const windowAt = (samples: readonly Float[], end: number, length: number): number[] =>
  samples.filter(({ time }) => time > end - length && time <= end).map(({ value }) => value)

const rise = (values: readonly number[]): number =>
  values.reduce((sum, value, i) => sum + (i === 0 ? 0 : value < values[i - 1]! ? value : value - values[i - 1]!), 0)
const resets = (values: readonly number[]): number =>
  values.filter((value, i) => i > 0 && value < values[i - 1]!).length

test('aligned windows have the same first, last, lowest and highest; of counters the same rise and resets', () => {
  fc.assert(
    fc.property(anyFloats, fc.constantFrom('x_total', 'x'), fc.integer({ min: 1, max: 5 }), (all, name, buckets) => {
      const head = headOf(name, all)
      const left = floatsOf(thinned(head, R))
      const times = new Set(all.map(({ time, value }) => `${time} ${value}`))
      for (const { time, value } of left) assert.ok(times.has(`${time} ${value}`), 'nothing is invented')
      for (let end = R; end <= all.at(-1)!.time + R; end += R) {
        const [raw, few] = [windowAt(all, end, buckets * R), windowAt(left, end, buckets * R)]
        assert.equal(few.length > 0, raw.length > 0)
        if (raw.length === 0) continue
        assert.deepEqual([few[0], few.at(-1)], [raw[0], raw.at(-1)])
        assert.deepEqual([Math.min(...few), Math.max(...few)], [Math.min(...raw), Math.max(...raw)])
        if (name === 'x') continue
        assert.equal(rise(few), rise(raw))
        assert.equal(resets(few), resets(raw))
      }
      head.release()
    }),
    { numRuns: 100 },
  )
})

test('thinning twice is thinning once; histograms and stale markers stay, bits as they were', () => {
  fc.assert(
    fc.property(anySeries(9 * H), (series) => {
      const head = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
      const once = sorted(contents(thinned(head, 12 * R)))
      assert.deepEqual(sorted(contents(thinned(thinned(head, R), R))), sorted(contents(thinned(head, R))))
      assert.deepEqual(sorted(contents(thinned(thinned(head, R), 12 * R))), once)
      const whole = new Map(sorted(contents(head)))
      for (const [key, lines] of once) {
        const all = new Set(whole.get(key))
        assert.ok(lines.every((line) => all.has(line)))
        const special = (line: string): boolean => line.split(' ')[2] !== '0'
        assert.deepEqual(lines.filter(special), whole.get(key)!.filter(special))
      }
      head.release()
    }),
    { numRuns: 60 },
  )
})

const ramp = (name: string, from: number): TestSeries => ({
  labels: labelsFrom({ __name__: name }),
  samples: Array.from({ length: 480 }, (_, i) => ({ time: from + i * 15_000, bits: bitsOf(i), start: 0, kind: 0 })),
})

test('blocks are thinned out as they come of age, one at a time; merges keep the finest until then', () => {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  for (let i = 0; i < 3; i++) {
    const head = openReader(fillHead([ramp('x_total', i * 2 * H)]).share())
    store.cut(head, { minTime: i * 2 * H, maxTime: (i + 1) * 2 * H })
  }
  const inForce = (...thinning: { maxTime: number; resolutionMs: number }[]) => ({ ...NONE_IN_FORCE, thinning })
  assert.ok(!store.thin(inForce()))
  const young = inForce({ maxTime: 4 * H, resolutionMs: R }, { maxTime: 2 * H, resolutionMs: 12 * R })
  let rounds = 0
  while (store.thin(young)) rounds++
  assert.equal(rounds, 2)
  assert.deepEqual(
    store.list().map(({ resolutionMs, stats }) => [resolutionMs, stats.samples]),
    [
      // The first sample of a block is the last of the bucket before.
      [12 * R, 5],
      [R, 49],
      [undefined, 480],
    ],
  )
  assert.equal(resolutionOf(young.thinning, 2 * H), 12 * R)
  const late = openReader(fillHead([ramp('x_total', 7500)]).share())
  store.cut(late, { minTime: 0, maxTime: 2 * H })
  assert.ok(store.compact(0, 2 * H, inForce()))
  assert.equal(store.list()[0]!.resolutionMs, undefined)
  assert.equal(store.list()[0]!.stats.samples, 485)
  while (store.thin(young));
  assert.equal(store.list()[0]!.resolutionMs, 12 * R)
  const again = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
  assert.deepEqual(again.list(), store.list())
  for (const { id } of again.list()) openBlock(env, `/data/blocks/${id}`).close()
})

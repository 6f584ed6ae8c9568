/** Answers from downsampled windows beside those from all samples: the same where that is promised, close where it is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { BlockSet, BlockStore, type Floors, NO_FLOORS, retentionFloors } from '../block/mod.ts'
import { bitsOf, fillHead, memoryEnv, type TestSample, type TestSeries } from '../block/testing/samples.ts'
import type { QueryResult } from '../promql/contract.ts'
import { evaluate, type Query } from '../promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../promql/engine/testing/options.ts'
import { parseExpr } from '../promql/parser/mod.ts'
import { createHead, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { parserFeatures } from './features.ts'

const S = 1000
const M5 = 300 * S
const H = 3600 * S
const BLOCK = 2 * H
const PATH = '/data/blocks'
const TIERS = [
  { resolutionMs: M5, keepMs: 10_000 * H },
  { resolutionMs: H, keepMs: 10_000 * H },
]
/** Counts what is read as samples. */
class CountingReader extends DelegatingReader {
  samples = 0

  override read(...args: Parameters<SeriesReader['read']>): void {
    this.reader.read(...args)
    this.samples += args[2].count
  }
}

type Stored = { readonly reader: CountingReader; readonly close: () => void; readonly store: BlockStore }

/** What came when the rest had been merged, and where blocks end besides, as those do that memory is short for. */
type Beside = {
  readonly late?: readonly TestSeries[]
  readonly isLateMerged?: boolean
  readonly lateInHead?: readonly TestSeries[]
  readonly cuts?: readonly number[]
}

/** All that is before `until` in blocks, merged as far as they go, the rest in the head. */
function stored(
  series: readonly TestSeries[],
  until: number,
  floors: Floors,
  { late = [], isLateMerged = true, lateInHead = [], cuts = [] }: Beside = {},
): Stored {
  const env = memoryEnv()
  const store = BlockStore.open({ ...env, log: memoryLogger(), directory: PATH })
  const inForce = { hidden: { tombstones: [], floors }, deletes: 0 }
  const cut = (part: readonly TestSeries[]): void => {
    const old = openReader(fillHead(part).share())
    const grid = Array.from({ length: Math.ceil(until / BLOCK) }, (_, i) => i * BLOCK)
    const ends = [...new Set([...grid, ...cuts, until])].sort((a, b) => a - b)
    for (let i = 1; i < ends.length; i++) store.cut(old, { minTime: ends[i - 1]!, maxTime: ends[i]! }, inForce)
    old.release()
  }
  cut(series)
  const settle = (): void => {
    while (store.compact(0, BLOCK, inForce) || store.expire(inForce) || store.downsample(inForce, BLOCK));
  }
  settle()
  if (late.length > 0) {
    cut(late)
    if (isLateMerged) settle()
  }
  const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: () => assert.fail('nothing is damaged') })
  const recent = series.map(({ labels, samples }) => ({ labels, samples: samples.filter(({ time }) => time >= until) }))
  const head = openReader(
    fillHead(
      [...recent, ...lateInHead].filter(({ samples }) => samples.length > 0),
      createHead(),
    ).share(),
  )
  const { paths } = store.share()
  const reader = set.behind(head, { paths, deletes: paths.map(() => 0), hidden: inForce.hidden })
  const close = (): void => {
    head.release()
    set.close()
  }
  return { reader: new CountingReader(reader), close, store }
}

type Times = { readonly startMs: number; readonly endMs: number; readonly stepMs: number }

function ask(reader: SeriesReader, text: string, times: Times | number): QueryResult {
  const range: Query['range'] =
    typeof times === 'number'
      ? { startMs: times, endMs: times, stepMs: 1, instant: true }
      : { ...times, instant: false }
  return evaluate({
    expr: parseExpr(text, parserFeatures(['promql-experimental-functions'])),
    text,
    range,
    reader,
    options: ENGINE_OPTIONS,
  })
}

/** By labels: values by step, absent where there is none. */
function columns(result: QueryResult): Map<string, (number | string | null)[]> {
  assert.ok(result.type === 'matrix' || result.type === 'vector')
  return new Map(
    result.series.map(({ labels, values, present, histograms }) => [
      JSON.stringify(labels),
      Array.from(values, (value, i) =>
        present[i] === 0 ? null : present[i] === 2 ? JSON.stringify(histograms![i]) : value,
      ),
    ]),
  )
}

const EXACT = [
  'count_over_time',
  'min_over_time',
  'max_over_time',
  'first_over_time',
  'last_over_time',
  'present_over_time',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
] as const
const ADDED = ['sum_over_time', 'avg_over_time'] as const
const RISES = ['increase', 'rate', 'delta'] as const

/** @param slack of each step's answer, by labels */
function assertSame(
  got: QueryResult,
  wanted: QueryResult,
  what: string,
  slack: (labels: string, step: number) => number,
): void {
  const [a, b] = [columns(got), columns(wanted)]
  assert.deepEqual([...a.keys()].sort(), [...b.keys()].sort(), what)
  for (const [labels, values] of b) {
    values.forEach((value, step) => {
      const other = a.get(labels)![step]!
      const isClose =
        typeof value === 'number' && typeof other === 'number' && Math.abs(value - other) <= slack(labels, step)
      assert.ok(Object.is(value, other) || isClose, `${what} ${labels} step ${step}: ${other}, not ${value}`)
    })
  }
}

/** 1e-12 of all that was added. */
function slackOf(reader: SeriesReader, range: string, times: Times | number): (labels: string, step: number) => number {
  const [count, min, max] = ['count', 'min', 'max'].map((name) =>
    columns(ask(reader, `${name}_over_time({__name__=~".+"}${range})`, times)),
  )
  return (labels, step) => {
    const of = (all: Map<string, unknown[]> | undefined): number => {
      const value = all?.get(labels)?.[step]
      return typeof value === 'number' && Number.isFinite(value) ? Math.abs(value) : 0
    }
    return 1e-12 * of(count) * Math.max(of(min), of(max))
  }
}

type Kind = 'integers' | 'fractions' | 'odd' | 'histograms'
const WHOLE_COUNTER = 0

/** A series that is scraped, with pauses, jitter, resets, ends; of numbers of all sorts. */
const anyShape = fc.record({
  kind: fc.constantFrom<Kind>('integers', 'integers', 'fractions', 'odd', 'histograms'),
  isCounter: fc.boolean(),
  from: fc.integer({ min: 0, max: 4 * H }),
  every: fc.constantFrom(60 * S, 150 * S, 300 * S, 37 * S, 600 * S),
  steps: fc.array(
    fc.record({
      jitter: fc.constantFrom(0, 0, 0, 3, 59 * S),
      fate: fc.nat(40),
      more: fc.integer({ min: 0, max: 9 }),
    }),
    { minLength: 20, maxLength: 120 },
  ),
  repeat: fc.integer({ min: 1, max: 6 }),
})
type Shape = typeof anyShape extends fc.Arbitrary<infer T> ? T : never

const ODD = [0x7ff8000000000001n, 0x7ff0000000000000n, 0xfff0000000000000n, 0x8000000000000000n, 1n]
const STALE = 0x7ff0000000000002n

function samplesOf({ kind, isCounter, from, every, steps, repeat }: Shape): TestSample[] {
  const out: TestSample[] = []
  let time = from
  let value = WHOLE_COUNTER
  for (let round = 0; round < repeat; round++)
    for (const { jitter, fate, more } of steps) {
      time += every + jitter
      if (fate === 0) time += 3 * H
      if (fate === 1) value = 0
      value = isCounter ? value + more : more - 4
      const bits =
        fate === 2
          ? STALE
          : kind === 'odd' && fate < 12
            ? ODD[fate % ODD.length]!
            : bitsOf(kind === 'fractions' ? value / 7 : value)
      const isHistogram = kind === 'histograms' && fate > 30
      out.push({ time, bits: isHistogram ? BigInt(17 * fate) : bits, start: 0, kind: isHistogram ? 1 : 0 })
    }
  return out.filter(({ time: at }) => at < 60 * H)
}

const seriesOf = (shapes: readonly Shape[]): TestSeries[] =>
  shapes.map((shape, i) => ({
    labels: labelsFrom({ __name__: 'x_total', i: String(i), kind: shape.kind }),
    samples: samplesOf(shape),
  }))

const anyRange = fc.constantFrom(M5, 2 * M5, H, 2 * H, 6 * H, 24 * H)
const anyStep = fc.constantFrom(M5, 3 * M5, H, 5 * H)
const secondsText = (ms: number): string => `[${ms / S}s]`

const goneBefore = (now: number, timeMs: number): Floors =>
  retentionFloors({ rules: [], timeMs, downsampling: TIERS }, now)
const forEver = goneBefore(60 * H, 0)

function assertAllSame(
  a: Stored,
  b: Stored,
  { range, offset, times }: { range: string; offset: string; times: Times },
): void {
  const selector = `{__name__=~".+"}${range}${offset}`
  const slack = slackOf(b.reader, `${range}${offset}`, times)
  for (const name of [...EXACT, ...ADDED, ...RISES]) {
    const text = `${name}(${selector})`
    const [got, wanted] = [ask(a.reader, text, times), ask(b.reader, text, times)]
    const isAdded = (ADDED as readonly string[]).includes(name)
    const isRise = (RISES as readonly string[]).includes(name)
    assertSame(got, wanted, text, (labels, step) =>
      isAdded || (isRise && !labels.includes('integers')) ? slack(labels, step) : 0,
    )
    assert.deepEqual(got.annotations, wanted.annotations)
  }
}

test('windows that are made of whole ones are answered the same with and without downsampling', () => {
  fc.assert(
    fc.property(
      fc.array(anyShape, { minLength: 1, maxLength: 4 }),
      anyRange,
      anyStep,
      fc.integer({ min: 0, max: 600 }),
      fc.constantFrom('', ' offset 10m', ' offset -1h', ' offset 7s'),
      fc.constantFrom(0, 0, 1, 59 * S),
      (shapes, range, stepMs, startStep, offset, shift) => {
        const series = seriesOf(shapes)
        const a = stored(series, 50 * H, forEver)
        const b = stored(series, 50 * H, NO_FLOORS)
        const startMs = startStep * M5 + shift
        assertAllSame(a, b, {
          range: secondsText(range),
          offset,
          times: { startMs, endMs: startMs + 12 * stepMs, stepMs },
        })
        a.close()
        b.close()
      },
    ),
    // To shrink a failure takes longer than all other tests.
    { endOnFailure: true, numRuns: 30 },
  )
})

/** Mostly merged and with nothing in the head: else samples are read. */
const anyBeside: fc.Arbitrary<Beside> = fc.record({
  late: fc.array(anyShape, { minLength: 1, maxLength: 3 }).map(seriesOf),
  isLateMerged: fc.constantFrom(true, true, true, false),
  // Few of each, so that blocks with and without them follow one another.
  lateInHead: fc
    .oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(anyShape, { maxLength: 2 }))
    .map((shapes) =>
      seriesOf(shapes).map(({ labels, samples }) => ({ labels, samples: samples.filter((_, i) => i % 40 === 3) })),
    ),
  cuts: fc.array(fc.integer({ min: 1, max: 50 * H - 1 }), { maxLength: 4 }),
})

test('and so they are when samples came late, and when the samples are gone', () => {
  fc.assert(
    fc.property(
      fc.array(anyShape, { minLength: 1, maxLength: 3 }),
      anyBeside,
      anyRange,
      anyStep,
      fc.integer({ min: 0, max: 500 }),
      (shapes, beside, range, stepMs, startStep) => {
        const series = seriesOf(shapes)
        const a = stored(series, 50 * H, forEver, beside)
        const b = stored(series, 50 * H, NO_FLOORS, beside)
        const startMs = startStep * M5
        const times = { startMs, endMs: startMs + 12 * stepMs, stepMs }
        assertAllSame(a, b, { range: secondsText(range), offset: '', times })
        a.close()
        b.close()
        // Histograms are the last of their windows then.
        const floats = series.filter((_, i) => shapes[i]!.kind !== 'histograms')
        const { cuts = [] } = beside
        const gone = stored(floats, 50 * H, goneBefore(50 * H, H), { cuts })
        const whole = stored(floats, 50 * H, NO_FLOORS, { cuts })
        assertAllSame(gone, whole, { range: secondsText(range), offset: '', times })
        gone.close()
        whole.close()
      },
    ),
    { endOnFailure: true, numRuns: 20 },
  )
})

test('resets whose amounts add up to more than a number holds are taken from the samples', () => {
  // In each window two, before which the counter was almost as large as can be: the first fall takes one of them back.
  const large = steady((i) => ([0, 1, 2, 5, 6].includes(i % 10) ? 1.5e308 : 0))
  const infinite = steady((i) => (i % 50 === 0 ? Number.POSITIVE_INFINITY : i))
  const series = [large, infinite]
  for (const [i, { samples }] of series.entries()) {
    const labels = labelsFrom({ __name__: 'x_total', i: String(i), kind: 'integers' })
    const one = [{ labels, samples: samples.slice(0, 5000) }]
    const a = stored(one, 40 * H, forEver)
    const b = stored(one, 40 * H, NO_FLOORS)
    assertAllSame(a, b, { range: '[5m]', offset: '', times: { startMs: 10 * H, endMs: 11 * H, stepMs: M5 } })
    a.close()
    b.close()
  }
})

/** 100 hours of one sample in 30 s, so that all windows are full. */
const steady = (value: (i: number) => number): TestSeries => ({
  labels: labelsFrom({ __name__: 'x_total' }),
  samples: Array.from({ length: 12_000 }, (_, i) => ({
    time: 30 * S * i + 7,
    bits: bitsOf(value(i)),
    start: 0,
    kind: 0,
  })),
})

test('windows are read, not samples; and neither where they do not fit', () => {
  const a = stored([steady((i) => i % 1000)], 100 * H, goneBefore(100 * H, 0))
  const times = { startMs: 20 * H, endMs: 90 * H, stepMs: H }
  for (const name of [...EXACT, ...ADDED, ...RISES]) {
    a.reader.samples = 0
    // Nothing but what is in blocks that have no windows yet.
    assert.equal(columns(ask(a.reader, `${name}(x_total[10h])`, { ...times, endMs: 75 * H })).size, 1)
    assert.equal(a.reader.samples, 0, name)
    ask(a.reader, `${name}(x_total[10h])`, { ...times, startMs: times.startMs + 1 })
    assert.ok(a.reader.samples > 8000, name)
  }
  a.close()
})

/** What windows of `width` know of a range that ends then: the whole windows that end in it. */
const known = (end: number, range: number, width: number): { end: number; range: number } => {
  const last = width * Math.floor(end / width)
  return { end: last, range: last - width * Math.floor((end - Math.max(range, width)) / width) }
}

const SCALED: ReadonlySet<string> = new Set(['count_over_time', 'sum_over_time', 'increase', 'delta'])

test('of samples that are gone, windows that do not fit are those that end in them; amounts are scaled', () => {
  fc.assert(
    fc.property(
      fc.array(
        anyShape.filter(({ kind }) => kind === 'integers' || kind === 'fractions'),
        { minLength: 1, maxLength: 3 },
      ),
      fc.integer({ min: 3 * H, max: 38 * H }),
      fc.oneof(fc.integer({ min: 1, max: 3 * H }), fc.constantFrom(30 * S, M5, H)),
      (shapes, end, range) => {
        const series = seriesOf(shapes)
        const gone = stored(series, 60 * H, goneBefore(60 * H, H))
        const whole = stored(series, 60 * H, NO_FLOORS)
        for (const name of [...EXACT, ...ADDED, ...RISES]) {
          const got = ask(gone.reader, `${name}({__name__=~".+"}[${range}ms])`, end)
          // Windows that fit are tested above.
          if (end % M5 === 0 && range % M5 === 0) continue
          const like = known(end, range, M5)
          const wanted = ask(whole.reader, `${name}({__name__=~".+"}[${like.range}ms])`, like.end)
          assert.ok(wanted.type === 'vector' && got.type === 'vector')
          const scale = SCALED.has(name) ? range / like.range : 1
          const scaled = {
            ...wanted,
            series: wanted.series.map((one) => ({ ...one, values: one.values.map((value) => value * scale) })),
          }
          assertSame(got, scaled, `${name} ${range} at ${end}`, (labels) => {
            const [value] = columns(scaled).get(labels)!
            return 1e-9 * (1 + Math.abs(value as number))
          })
          if (got.series.length > 0)
            assert.deepEqual(
              got.annotations.map(({ message }) => /downsampled data was used .* up to 5m/.test(message)),
              [true],
            )
        }
        gone.close()
        whole.close()
      },
    ),
    { endOnFailure: true, numRuns: 30 },
  )
})

test('of samples that are gone, an instant selector gives the last of a window, for as much longer as that is', () => {
  const series = steady((i) => i)
  const stale = { ...series.samples[5000]!, bits: STALE }
  const samples = [...series.samples.slice(0, 5000), stale, ...series.samples.slice(5400)]
  const gone = stored([{ ...series, samples }], 100 * H, goneBefore(100 * H, 2 * H))
  const at = (time: number): unknown => {
    const result = ask(gone.reader, 'x_total', time)
    return result.type === 'vector' ? (result.series[0]?.values[0] ?? null) : null
  }
  // The last sample of a window of 5 m is its tenth, 29.993 s before the end.
  assert.equal(at(20 * H), 2399)
  assert.equal(at(20 * H - 40 * S), 2389)
  assert.equal(at(20 * H + M5 - 40 * S), 2399)
  assert.equal(at(20 * H + M5 - 1), 2409)
  // The series ended in the window before.
  assert.equal(at(30 * S * 5000 + 7), null)
  assert.equal(at(30 * S * 5000 + M5), null)
  assert.equal(at(30 * S * 5400 + M5), 5409)
  // In that hour is nothing but the stale marker.
  assert.deepEqual(ask(gone.reader, 'count_over_time(x_total[1h])', 30 * S * 5000 + H).annotations, [])
  // The first window after the pause ends later.
  assert.deepEqual(columns(ask(gone.reader, 'count_over_time(x_total[1h])', 30 * S * 5400 + M5 - S)).size, 0)
  const plain = ask(gone.reader, 'x_total', 20 * H)
  assert.match(plain.annotations[0]!.message, /downsampled data was used .* windows of up to 5m/)
  // Functions that windows know nothing of see the last samples.
  const changes = ask(gone.reader, 'changes(x_total[1h])', 20 * H)
  assert.ok(changes.type === 'vector' && changes.series[0]!.values[0] === 11 && changes.annotations.length === 1)
  assert.deepEqual(ask(gone.reader, 'x_total', 99 * H).annotations, [])
  gone.close()
})

test('each width is kept as long as its rule says; the finest that there is answers', () => {
  const names = ['short', 'long', 'other']
  const series = names.map((name) => ({ ...steady((i) => i), labels: labelsFrom({ __name__: name }) }))
  const is = (name: string) => [{ name: '__name__', op: '=' as const, value: name }]
  const now = 100 * H
  const floors = retentionFloors(
    {
      rules: [
        { matchers: is('short'), timeMs: 10 * H, downsampling: [] },
        { matchers: is('long'), timeMs: 90 * H, downsampling: [{ resolutionMs: H, keepMs: 95 * H }] },
      ],
      timeMs: 20 * H,
      downsampling: [
        { resolutionMs: M5, keepMs: 40 * H },
        { resolutionMs: H, keepMs: 80 * H },
      ],
    },
    now,
  )
  const gone = stored(series, 100 * H, floors)
  const count = (name: string, end: number, range = H): unknown => {
    const result = ask(gone.reader, `count_over_time(${name}[${range}ms])`, end)
    return result.type === 'vector' ? (result.series[0]?.values[0] ?? null) : null
  }
  assert.deepEqual([count('short', 95 * H), count('short', 89 * H)], [120, null])
  assert.deepEqual([count('long', 15 * H), count('long', 8 * H), count('long', 3 * H)], [120, 120, null])
  assert.deepEqual([count('other', 70 * H), count('other', 30 * H), count('other', 15 * H)], [120, 120, null])
  // In windows of 5 m ten samples, in those of 1 h as many of 120 as make five minutes.
  assert.deepEqual([count('other', 70 * H + 1, M5), count('other', 30 * H + 1, M5)], [10, 10])
  const widthAt = (end: number): string => ask(gone.reader, 'max_over_time(other[5m])', end + 1).annotations[0]!.message
  assert.match(widthAt(70 * H), /up to 5m/)
  assert.match(widthAt(30 * H), /up to 1h/)
  // What is on disk is what is shown, but for blocks that are still to be merged and have no windows.
  for (const { minTime, stats, tiers } of gone.store.list()) {
    assert.equal(stats.samples > 0, minTime >= 10 * H)
    if (minTime < 50 * H)
      assert.deepEqual(
        tiers?.map(({ rows }) => rows > 0),
        [minTime >= 8 * H, minTime >= 4 * H],
      )
  }
  gone.close()
})

test('the window that a query falls into is found in the block before its own', () => {
  const samples = Array.from({ length: 62 * 60 }, (_, i) => ({
    time: i * 60 * S,
    bits: bitsOf(i * 3),
    start: 0,
    kind: 0,
  }))
  const series = [{ labels: labelsFrom({ __name__: 'x_total' }), samples }]
  const downsampling = [{ resolutionMs: H, keepMs: 10_000 * H }]
  const floors = retentionFloors({ rules: [], timeMs: 20 * H, downsampling }, 61 * H)
  for (const minutes of [-10, 10, 70]) {
    const { reader, close, store } = stored(series, 60 * H, floors)
    assert.ok(store.list().some(({ minTime, stats }) => minTime === 20 * H && stats.samples === 0))
    const result = ask(reader, 'rate(x_total[5m])', 20 * H + minutes * 60 * S)
    const [rates] = [...columns(result).values()]
    assert.ok(Math.abs(Number(rates?.[0]) - 3 / 60) < 1e-9, `${minutes} min after the boundary: ${rates?.[0]}`)
    close()
  }
})

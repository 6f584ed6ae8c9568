/** Deletions and retention by series: against a model, over head, blocks, merges and cleaning. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Labels, labelsFrom, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../protocol/matchers/mod.ts'
import { ALL_AGGREGATES, createAggregateBuffer, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { seenBlock } from './downsampled-block.ts'
import { expiredKeys, MatchedRefs, NO_EXPIRY } from './hiding.ts'
import {
  BLOCK_MS,
  BlockSet,
  BlockStore,
  type Hidden,
  hideFromHead,
  NO_FLOORS,
  NOTHING_HIDDEN,
  planCuts,
  type Tombstone,
  writeBlock,
} from './mod.ts'
import { ALL, anySeries, bitsOf, contents, fillHead, memoryEnv, sorted, type TestSeries } from './testing/samples.ts'

const H = 3_600_000

const anyMatchers = fc.constantFrom<readonly Matcher[]>(
  [{ name: '__name__', op: '=', value: 'up' }],
  [{ name: 'job', op: '=~', value: 'node|api' }],
  [{ name: 'instance', op: '!=', value: 'a' }],
  [
    { name: '__name__', op: '!=', value: 'up' },
    { name: 'job', op: '=', value: '' },
  ],
)

const anyTombstones = fc
  .array(fc.record({ matchers: anyMatchers, from: fc.integer({ min: -H, max: 9 * H }), length: fc.nat(4 * H) }), {
    maxLength: 4,
  })
  .map((all) =>
    all.map(
      ({ matchers, from, length }, i): Tombstone => ({
        id: i + 1,
        matchers,
        minTime: from,
        maxTime: from + length,
        inHead: true,
      }),
    ),
  )

const anyFloors = fc.record({
  rules: fc.array(fc.record({ matchers: anyMatchers, minTime: fc.integer({ min: 0, max: 8 * H }) }), { maxLength: 3 }),
  minTime: fc.constantFrom(Number.NEGATIVE_INFINITY, H, 5 * H),
})

test('a deletion of what comes after a block leaves the window that reaches beyond it', () => {
  const env = memoryEnv()
  const labels = labelsFrom({ __name__: 'up' })
  const samples = Array.from({ length: 120 }, (_, i) => ({ time: i * 60_000, bits: bitsOf(i), start: 0, kind: 0 }))
  const widthMs = 1.5 * H
  const tiers = { widths: [widthMs], expiry: NO_EXPIRY, goneBefore: undefined }
  const block = { range: { minTime: 0, maxTime: 2 * H }, sequence: 1, level: 1, sources: [], tiers }
  const meta = writeBlock(env, '/data/blocks', openReader(fillHead([{ labels, samples }]).share()), block)
  const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: () => assert.fail('nothing is damaged') })
  const floors = { ...NO_FLOORS, tiers: [{ widthMs, floors: NO_FLOORS }] }
  const endsWith = (minTime: number, maxTime: number): readonly number[] => {
    const tombstones: Tombstone[] = [{ id: 1, matchers: [], minTime, maxTime, inHead: false }]
    const { stored } = seenBlock(set.readers([`/data/blocks/${meta!.id}`])[0]!, { tombstones, floors }, 0)
    const rows = createAggregateBuffer()
    assert.equal(stored!.read(0, ALL, widthMs, ALL_AGGREGATES, rows), true)
    return [...rows.times.subarray(0, rows.count)]
  }
  assert.deepEqual(endsWith(2 * H, 4 * H), [0, widthMs, 2 * widthMs])
  assert.deepEqual(endsWith(2 * H - 1, 4 * H), [0, widthMs])
  set.close()
})

const matches = (matchers: readonly Matcher[], labels: Labels): boolean =>
  matchers.every((matcher) => compileMatcher(matcher)(labelValue(labels, matcher.name)))

/** What is to be left of what the reader has. */
function model(reader: SeriesReader, { tombstones, floors }: Hidden): [string, string[]][] {
  const labelsOf = new Map(
    [...reader.select([], ALL)].map((ref) => [labelsKey(reader.labels(ref)), reader.labels(ref)]),
  )
  return sorted(contents(reader)).flatMap(([key, lines]): [string, string[]][] => {
    const labels = labelsOf.get(key)!
    const floor = floors.rules.find(({ matchers }) => matches(matchers, labels))?.minTime ?? floors.minTime
    const left = lines.filter((line) => {
      const time = Number(line.split(' ')[0])
      const isDeleted = tombstones.some((t) => matches(t.matchers, labels) && time >= t.minTime && time <= t.maxTime)
      return time >= floor && !isDeleted
    })
    return left.length > 0 ? [[key, left]] : []
  })
}

const keysOf = (reader: SeriesReader): string[] =>
  [...reader.select([], ALL)].map((ref) => labelsKey(reader.labels(ref)))

test('what is hidden is in no answer, all else is: of the head, of blocks, after merges, after cleaning', () => {
  fc.assert(
    fc.property(anySeries(9 * H), anyTombstones, anyFloors, fc.nat(3), (series, tombstones, floors, cutsBefore) => {
      const env = memoryEnv()
      const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
      const hidden: Hidden = { tombstones, floors }
      const inForce = { hidden, deletes: tombstones.length, thinning: [] }
      const head = openReader(fillHead(series.filter(({ samples }) => samples.length > 0)).share())
      const expected = model(head, hidden)
      assert.deepEqual(sorted(contents(hideFromHead(head, hidden))), expected)

      const ranges = planCuts(head.timeRange(), 1000 * H, H)
      // Some are older than the deletions, and must hide; the others are written without.
      ranges.forEach((range, i) => void store.cut(head, range, i < cutsBefore ? undefined : inForce))
      for (const range of ranges.slice(0, 1)) store.cut(head, range)
      const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: (error) => assert.fail(error) })
      const empty = (): SeriesReader => openReader(fillHead([]).share())
      const now = (shown: Hidden): [string, string[]][] => {
        const { paths } = store.share()
        const deletes = paths.map((path) => store.list().find(({ id }) => path.endsWith(`/${id}`))!.deletes ?? 0)
        const reader = set.behind(empty(), { paths, deletes, hidden: shown })
        return sorted(contents(reader))
      }
      assert.deepEqual(now(hidden), expected)
      while (store.compact(0, BLOCK_MS, inForce)) assert.deepEqual(now(hidden), expected)
      while (store.clean(inForce)) assert.deepEqual(now(hidden), expected)
      // Nothing is left that deletions would have to hide.
      assert.deepEqual(now({ tombstones: [], floors }), expected)
      assert.ok(!store.clean(inForce))
      while (store.expire(inForce)) assert.deepEqual(now(hidden), expected)
      for (const { maxTime, expired = [] } of store.list())
        if (floors.rules.length > 0) for (const key of expiredKeys(floors, maxTime)) assert.ok(expired.includes(key))
      store.sweep()
      const again = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
      assert.deepEqual(again.list(), store.list())
      assert.equal(again.counters.damagedBlocks, 0)
      set.close()
      head.release()
    }),
    { numRuns: 80 },
  )
})

const times = (...all: number[]) => all.map((time) => ({ time, bits: bitsOf(time), start: 0, kind: 0 }))
const series = (name: string, ...at: number[]): TestSeries => ({
  labels: labelsFrom({ __name__: name }),
  samples: times(...at),
})
const named = (name: string): readonly Matcher[] => [{ name: '__name__', op: '=', value: name }]
const tombstone = (name: string, minTime: number, maxTime: number): Tombstone => ({
  id: 1,
  matchers: named(name),
  minTime,
  maxTime,
  inHead: true,
})

test('a series of which nothing is left in the range is not selected; its label values stay known', () => {
  const head = openReader(fillHead([series('a', 1000, 2000, 9000), series('b', 1000)]).share())
  const hidden = { tombstones: [tombstone('a', 0, 5000), { ...tombstone('b', 0, 5000), id: 2 }], floors: NO_FLOORS }
  const reader = hideFromHead(head, hidden)
  assert.deepEqual(keysOf(reader), [labelsKey(labelsFrom({ __name__: 'a' }))])
  assert.deepEqual([...reader.select(named('b'), ALL)], [])
  assert.deepEqual([...reader.select(named('a'), { minTime: 0, maxTime: 4000 })], [])
  assert.deepEqual(reader.labelValues('__name__', [], ALL), ['a', 'b'])
})

test('the first rule that matches has the say, and the default only where none does', () => {
  const head = openReader(fillHead([series('a', 10, 20, 30), series('b', 10, 20, 30)]).share())
  const floors = {
    rules: [
      { matchers: named('a'), minTime: 15 },
      { matchers: [], minTime: 25 },
    ],
    minTime: 100,
  }
  const left = (rules: typeof floors.rules) =>
    Object.fromEntries(
      sorted(contents(hideFromHead(head, { tombstones: [], floors: { ...floors, rules } }))).map(([key, lines]) => [
        key,
        lines.map((line) => Number(line.split(' ')[0])),
      ]),
    )
  const key = (name: string): string => labelsKey(labelsFrom({ __name__: name }))
  assert.deepEqual(left(floors.rules), { [key('a')]: [20, 30], [key('b')]: [30] })
  assert.deepEqual(left(floors.rules.toReversed()), { [key('a')]: [30], [key('b')]: [30] })
  assert.deepEqual(left([floors.rules[0]!]), { [key('a')]: [20, 30] })
})

test('without anything to hide the reader is the one that was given', () => {
  const head = openReader(fillHead([series('a', 10)]).share())
  assert.equal(hideFromHead(head, NOTHING_HIDDEN), head)
  assert.equal(hideFromHead(head, { tombstones: [tombstone('a', 20, 30)], floors: NO_FLOORS }), head)
  assert.equal(
    hideFromHead(head, { tombstones: [{ ...tombstone('a', 0, 30), inHead: false }], floors: NO_FLOORS }),
    head,
  )
})

test('what deletions select is remembered for as long as these are in force', () => {
  const matched = new MatchedRefs(openReader(fillHead([]).share()))
  const deletions: readonly Tombstone[] = []
  matched.knownWith(deletions)
  matched.of([{ name: 'a', op: '=', value: 'b' }])
  matched.knownWith(deletions)
  assert.equal(matched.size, 1)
  matched.knownWith([])
  assert.equal(matched.size, 0)
})

/** Deletions and retention by series: against a model, over head, blocks, merges and cleaning. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Labels, labelsFrom, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../protocol/matchers/mod.ts'
import { openReader, type SeriesReader } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { expiredKeys } from './hiding.ts'
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

/** The newest sample alone against all of the range, through head, blocks, late samples, deletions and retention. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import {
  createHead,
  createSampleBuffer,
  openReader,
  type SampleBuffer,
  type SeriesReader,
  type TimeRange,
} from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { BlockSet, BlockStore, type Hidden, planCuts, type Tombstone } from './mod.ts'
import { ALL, anySeries, fillHead, memoryEnv } from './testing/samples.ts'

const H = 3_600_000
const UNTIL = 9 * H

const anyMatchers = fc.constantFrom<readonly Matcher[]>(
  [],
  [{ name: '__name__', op: '=', value: 'up' }],
  [{ name: 'job', op: '=~', value: 'node|api' }],
  [{ name: 'instance', op: '!=', value: 'a' }],
)

const anyHidden: fc.Arbitrary<Hidden> = fc.record({
  tombstones: fc
    .array(
      fc.record({
        matchers: anyMatchers,
        minTime: fc.integer({ min: 0, max: UNTIL }),
        length: fc.nat(2 * H),
        inHead: fc.boolean(),
      }),
      { maxLength: 3 },
    )
    .map((all) =>
      all.map(({ length, ...rest }, i): Tombstone => ({ ...rest, id: i + 1, maxTime: rest.minTime + length })),
    ),
  floors: fc.record({
    rules: fc.array(fc.record({ matchers: anyMatchers, minTime: fc.integer({ min: 0, max: UNTIL }) }), {
      maxLength: 2,
    }),
    minTime: fc.constantFrom(Number.NEGATIVE_INFINITY, 5 * H),
  }),
})

function lastOf({ count, times, values, flags, startTimes, histograms }: SampleBuffer): unknown {
  if (count === 0) return null
  const bits = new Uint32Array(values.buffer, values.byteOffset + 8 * (count - 1), 2)
  return [times[count - 1], [...bits], flags[count - 1], startTimes?.[count - 1] ?? 0, histograms?.[count - 1]]
}

const timesOf = new Map<number, string>()

/** One number, the same times; and what is said to rise does. */
function assertKnownTimes({ count, times, values, flags, timesKey = 0, rising = 0 }: SampleBuffer): void {
  const text = times.subarray(0, count).join()
  if (timesKey !== 0) assert.equal(timesOf.get(timesKey) ?? text, text)
  if (timesKey !== 0) timesOf.set(timesKey, text)
  for (let i = 0; i < rising; i++) assert.ok(flags[i] === 0 && values[i]! >= (values[i - 1] ?? -Infinity))
}

/** As an instant query asks: the newest alone where the reader can, else all. */
function assertSameNewest(reader: SeriesReader, range: TimeRange): void {
  const [whole, newest] = [createSampleBuffer(), createSampleBuffer()]
  for (const ref of reader.select([], range)) {
    const lasts: unknown[] = []
    // The second time chunks are kept decoded, the third time they are found.
    for (let again = 0; again < 3; again++) {
      reader.read(ref, range, whole)
      lasts.push(lastOf(whole))
      assertKnownTimes(whole)
    }
    assert.deepEqual(lasts[2], lasts[0])
    if (reader.readNewest) reader.readNewest(ref, range, newest)
    else reader.read(ref, range, newest)
    assert.deepEqual(lastOf(newest), lastOf(whole))
  }
}

test('the newest sample is that of the whole range, be it in head or block, late, stale, deleted or beyond retention', () => {
  fc.assert(
    fc.property(
      anySeries(UNTIL),
      anySeries(UNTIL),
      anyHidden,
      fc.nat(9),
      fc.nat(3),
      fc.array(fc.tuple(fc.integer({ min: 0, max: UNTIL }), fc.constantFrom(0, 1, 300_000, 3 * H)), { maxLength: 8 }),
      (series, later, hidden, cutHours, lost, asked) => {
        const env = memoryEnv()
        const store = BlockStore.open({ ...env, log: memoryLogger(), directory: '/data/blocks' })
        const head = fillHead(
          series.filter(({ samples }) => samples.length > 0),
          createHead({ maxBytes: 2 ** 26 }),
        )
        const before = openReader(head.share())
        const known = before.timeRange()
        const cut = known === null ? 0 : Math.min(cutHours * H, known.maxTime)
        if (known !== null)
          for (const range of planCuts(known, known.maxTime, H))
            if (range.maxTime <= cut) store.cut(before, { ...range, maxTime: range.maxTime })
        before.release()
        head.closeBefore(cut)
        head.evict()
        // Some of it is late: newer than blocks, older than them, in the middle of them.
        fillHead(
          later.filter(({ samples }) => samples.length > 0),
          head,
        )
        const set = new BlockSet(env, { cacheBytes: 1 << 20, onDamage: (error) => assert.fail(error) })
        const { paths } = store.share()
        const away = paths.slice(0, lost).map((path) => ({ block: path, piece: 'index', why: 'gone' }) as never)
        const shown = { paths: paths.slice(lost), deletes: [], hidden, lost: away }
        const reader = set.behind(openReader(head.share()), shown)
        const ranges = asked.map(([maxTime, length]) => ({ minTime: maxTime - length, maxTime }))
        for (const range of [ALL, { minTime: cut, maxTime: 2 * UNTIL }, ...ranges]) assertSameNewest(reader, range)
        reader.release()
        set.close()
      },
    ),
    { numRuns: Number(process.env['NEWEST_RUNS'] ?? 100) },
  )
})

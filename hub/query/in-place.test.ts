/** Small queries are answered without a worker, as a worker would; everything else is left to the workers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openReader } from '../tsdb/mod.ts'
import { NO_BLOCKS, type QueryTask } from './contract.ts'
import { InPlace } from './in-place.ts'
import { runPart } from './run-task.ts'
import { INTERVAL_MS, seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'

const SAMPLES = 40
const END = (SAMPLES - 1) * INTERVAL_MS
const head = seededHead({ seed: 3, series: 400, samples: SAMPLES })

const instant = (query: string, timeMs = END): QueryTask => ({
  kind: 'instant',
  query,
  timeMs,
  limit: 0,
  settings: SETTINGS,
})

/** A clock that stands still: no machine is too slow for these. */
const inPlace = (blocks = NO_BLOCKS, now = (): number => 0): InPlace =>
  new InPlace({ share: () => head.share(), blocks: () => blocks, now, cpuMs: now })

function byWorker(task: QueryTask): string {
  const reader = openReader(head.share())
  try {
    const given = { task, part: { kind: 'whole' as const, threads: 1 }, queuedMs: 0, before: null }
    return new TextDecoder().decode(runPart(given, { reader, flags: new Int32Array(1), now: () => 0 }).body)
  } finally {
    reader.release()
  }
}

for (const query of [
  'x_total{g="g1"}',
  'sum by (g) (rate(x_total{g="g1"}[5m]))',
  'y{i="7"} + on (i) x_total{i="7"}',
  '1 + 1',
  'time()',
  'absent(nothing)',
  'y{g="g0",i!="5"} > 0',
]) {
  test(`${query} is answered as a worker does`, () => {
    const task = instant(query)
    const answer = inPlace().answer(task)
    assert.notEqual(answer, null)
    assert.equal(new TextDecoder().decode(answer!.body), byWorker(task))
  })
}

const LARGE: readonly (readonly [string, string])[] = [
  ['many series', 'x_total'],
  ['a regular expression over all values', 'x_total{i=~".*1.*"}'],
  ['no matcher that names a value', '{g!=""}'],
  ['many samples', 'count_over_time(x_total{g=~"g1|g2|g3"}[10m])'],
  ['many steps of a subquery', 'max_over_time(y{i="1"}[1h:10ms])'],
  ['an error', 'x_total{'],
  ['an error of evaluation', 'x_total{i="1"} + on (nothing) y{g="g1"}'],
  ['long text', `y{i="1"}${' '.repeat(600)}`],
]
for (const [what, query] of LARGE) {
  test(`${what}: left to the workers`, () => assert.equal(inPlace().answer(instant(query)), null))
}

test('a time that may be in blocks is left to the workers, the time after is not', () => {
  const one = inPlace({
    ...NO_BLOCKS,
    paths: [`blocks/0-${END - 300_000}-1`],
    deletes: [0],
    coveredUntil: END - 300_000,
  })
  assert.notEqual(one.answer(instant('y{i="1"}')), null)
  assert.equal(one.answer(instant('y{i="1"}', END - 1)), null)
  assert.equal(one.answer(instant('last_over_time(y{i="1"}[6m])')), null)
})

test('what was deleted is not seen', () => {
  const matchers = [{ name: 'i', op: '=', value: '1' }] as const
  const tombstone = { id: 1, matchers, minTime: 0, maxTime: END, inHead: true }
  const one = inPlace({ ...NO_BLOCKS, hidden: { ...NO_BLOCKS.hidden, tombstones: [tombstone] } })
  const answer = one.answer(instant('y{i="1"}'))
  assert.ok(answer === null || /"result":\[\]/.test(new TextDecoder().decode(answer.body)))
})

test('what reads little and computes much ends soon, and is left to the workers', () => {
  let now = 0
  // A millisecond at each look: enough looks, and the query is late.
  const one = inPlace(NO_BLOCKS, () => now++)
  assert.equal(one.answer(instant('quantile_over_time(0.5, y{g="g1"}[5m])')), null)
  assert.ok(now < 40, `${now} looks`)
})

test('what was slow goes to the workers for a while, and is tried again', () => {
  let now = 0
  let costMs = 5
  // Each look at the clock takes so long.
  const slow = inPlace(NO_BLOCKS, () => {
    const at = now
    now += costMs
    return at
  })
  const task = instant('y{i="1"}')
  const first = slow.answer(task)
  costMs = 0
  assert.equal(slow.answer(task), null)
  now += 1000
  assert.notEqual(slow.answer(task), null)
  assert.notEqual(first, undefined)
})

/** Small queries are answered without a worker, as a worker would; everything else is left to the workers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evictedUntil, openReader } from '../tsdb/mod.ts'
import { NO_BLOCKS, type QueryTask } from './contract.ts'
import { InPlace } from './in-place.ts'
import { runPart } from './run-task.ts'
import { INTERVAL_MS, seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'

const SAMPLES = 60
const END = (SAMPLES - 1) * INTERVAL_MS
const head = seededHead({ seed: 3, series: 1200, samples: SAMPLES })

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
  'sum(rate(x_total{i=~"1|2|6",g=~"g[1-2]"}[5m]))',
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
  ['a counted repetition in a regular expression', 'y{g=~"(.{1,30}){1,33}x|g1",i="1"}'],
  ['one that an escape hides', String.raw`y{g=~"(.\x7b1,30}){1,33}x|g1",i="1"}`],
  ['long classes in a function', String.raw`label_replace(y{i="1"}, "a", "$1", "g", "(?i)[\\pL\\pN]+")`],
  ['no matcher that names a value', '{g!=""}'],
  ['many samples', 'count_over_time(x_total{g=~"g0|g1|g2|g3"}[15m])'],
  ['many steps of a subquery', 'max_over_time(y{i="1"}[1h:10ms])'],
  ['an error', 'x_total{'],
  ['an error of evaluation', 'x_total{i="1"} + on (nothing) y{g="g1"}'],
  ['long text', `y{i="1"}${' '.repeat(600)}`],
]
for (const [what, query] of LARGE) {
  test(`${what}: left to the workers`, () => assert.equal(inPlace().answer(instant(query)), null))
}

test('a regular expression over all values is for the workers until it has been tried on all of them, in parts', () => {
  const task = instant('count(x_total{i=~".*7.*1"})')
  let nowMs = 0
  const thread = inPlace(NO_BLOCKS, () => nowMs)
  const answers = Array.from({ length: 8 }, () => {
    nowMs += 1000
    return thread.answer(task)
  })
  const first = answers.findIndex((answer) => answer !== null)
  assert.ok(first > 0, `answer ${first}`)
  for (const answer of answers.slice(first)) assert.equal(new TextDecoder().decode(answer?.body), byWorker(task))
})

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

test('what went to blocks that this thread was not told of yet is left to the workers', () => {
  const own = seededHead({ seed: 3, series: 8, samples: SAMPLES })
  own.closeBefore(END / 2)
  own.evict()
  own.publish()
  const evicted = evictedUntil(own.share())
  assert.ok(evicted > 0)
  const answerWith = (coveredUntil: number) =>
    new InPlace({
      share: () => own.share(),
      blocks: () => ({ ...NO_BLOCKS, coveredUntil }),
      now: () => 0,
      cpuMs: () => 0,
    }).answer(instant('y{i="1"}'))
  assert.notEqual(answerWith(evicted), null)
  assert.equal(answerWith(evicted - 1), null)
})

test('what was deleted is not seen', () => {
  const matchers = [{ name: 'i', op: '=', value: '1' }] as const
  const tombstone = { id: 1, matchers, minTime: 0, maxTime: END, inHead: true }
  const one = inPlace({ ...NO_BLOCKS, hidden: { ...NO_BLOCKS.hidden, tombstones: [tombstone] } })
  const answer = one.answer(instant('y{i="1"}'))
  assert.ok(answer === null || /"result":\[\]/.test(new TextDecoder().decode(answer.body)))
})

test('what was deleted is not looked for among many series', () => {
  // Some of them are hidden, and which of them only a selection would tell.
  const matchers = [{ name: 'job', op: '=', value: 'test' }] as const
  const tombstone = { id: 1, matchers, minTime: 0, maxTime: 10, inHead: true }
  const one = inPlace({ ...NO_BLOCKS, hidden: { ...NO_BLOCKS.hidden, tombstones: [tombstone] } })
  assert.equal(one.answer(instant('last_over_time(y{i="1"}[1h])')), null)
})

const DISCOVERY: readonly QueryTask[] = [
  { kind: 'series', matches: ['y{g="g1"}', 'x_total{i="3"}'], startMs: 0, endMs: END, limit: 0 },
  { kind: 'labels', matches: ['y{g="g1"}'], startMs: 0, endMs: END, limit: 0 },
  { kind: 'values', label: 'i', matches: ['y{g="g1"}'], startMs: 0, endMs: END, limit: 2 },
]
for (const task of DISCOVERY) {
  test(`${task.kind} of few series are answered as a worker does`, () => {
    const answer = inPlace().answer(task)
    assert.notEqual(answer, null)
    assert.equal(new TextDecoder().decode(answer!.body), byWorker(task))
  })
}
test('values of a label are answered when they are in order, in parts, however many series there are', () => {
  for (const label of ['g', 'i', 'none']) {
    const ever = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY }
    const task = { kind: 'values', label, matches: [], ...ever, limit: 0 } as const
    let nowMs = 0
    const thread = inPlace(NO_BLOCKS, () => nowMs)
    for (let again = 0; again < 4; again++) {
      const answer = thread.answer(task)
      assert.equal(new TextDecoder().decode(answer?.body), byWorker(task))
      nowMs += 1000
    }
    assert.equal(inPlace({ ...NO_BLOCKS, paths: ['blocks/0-1-1'], deletes: [0], coveredUntil: 0 }).answer(task), null)
  }
})

test('discovery among many series is left to the workers', () => {
  const ever = { startMs: 0, endMs: END, limit: 0 }
  assert.equal(inPlace().answer({ kind: 'series', matches: ['y'], ...ever }), null)
  assert.equal(inPlace().answer({ kind: 'labels', matches: [], ...ever }), null)
})

/** A thread of which each look at its account costs so much, beside a clock that is set by hand. */
class Thread {
  nowMs = 0
  spentMs = 0
  costMs = 0
  looks = 0
  readonly inPlace = new InPlace({
    share: () => head.share(),
    blocks: () => NO_BLOCKS,
    now: () => (this.nowMs += 0.3),
    cpuMs: () => {
      this.looks++
      return (this.spentMs += this.costMs)
    },
  })

  /** Was it tried? */
  tries(query: string): boolean {
    const { looks } = this
    this.inPlace.answer(instant(query))
    return this.looks > looks
  }

  wait(ms: number): void {
    this.nowMs += ms
  }
}

test('what reads little and computes much ends soon, and is left to the workers', () => {
  const thread = new Thread()
  thread.costMs = 1
  assert.equal(thread.inPlace.answer(instant('quantile_over_time(0.5, y{g="g1"}[5m])')), null)
  assert.ok(thread.looks < 12, `${thread.looks} looks`)
})

test('what was stopped for its time is not tried again soon, and then after twice as long', () => {
  const thread = new Thread()
  thread.costMs = 3
  const query = 'quantile_over_time(0.5, y{g="g1"}[5m])'
  assert.equal(thread.tries(query), true)
  for (const pauseMs of [50, 100, 200, 400]) {
    thread.wait(pauseMs - 25)
    assert.equal(thread.tries(query), false, `before ${pauseMs} ms`)
    thread.wait(50)
    assert.equal(thread.tries(query), true, `after ${pauseMs} ms`)
  }
})

test('what was stopped may take longer the next time: code that is always stopped is never compiled', () => {
  const thread = new Thread()
  const query = 'quantile_over_time(0.5, y{g="g1"}[5m])'
  const spends = (): number => {
    const { spentMs } = thread
    assert.equal(thread.inPlace.answer(instant(query)), null)
    thread.wait(10_000)
    return thread.spentMs - spentMs
  }
  thread.costMs = 1
  const spent = [spends(), spends(), spends(), spends()]
  const lookMs = 3 * thread.costMs
  for (const [i, maxMs] of [5, 10, 20, 20].entries())
    assert.ok(spent[i]! >= maxMs && spent[i]! <= maxMs + lookMs, `${spent} of at most ${maxMs}`)
})

test('what was stopped long ago is as good as new: its code may have been thrown away meanwhile', () => {
  const thread = new Thread()
  thread.costMs = 3
  const query = 'quantile_over_time(0.5, y{g="g1"}[5m])'
  for (const pauseMs of [75, 150, 300]) {
    assert.equal(thread.tries(query), true)
    thread.wait(pauseMs)
  }
  thread.wait(20_000)
  assert.equal(thread.tries(query), true)
  thread.wait(75)
  assert.equal(thread.tries(query), true)
})

test('what is too large is not tried again for a minute, however long it took to find that out', () => {
  const thread = new Thread()
  thread.costMs = 2
  assert.equal(thread.tries('x_total'), true)
  thread.wait(59_000)
  assert.equal(thread.tries('x_total'), false)
  thread.wait(2000)
  assert.equal(thread.tries('x_total'), true)
})

test('what was slow is tried some more, for code is compiled by being run, and then goes to the workers for a while', () => {
  const thread = new Thread()
  thread.costMs = 2.6
  const query = 'y{i="1"}'
  let tries = 0
  while (thread.tries(query)) {
    tries++
    thread.wait(500)
  }
  assert.ok(tries > 4 && tries < 40, `${tries} tries`)
  thread.costMs = 0
  assert.equal(thread.tries(query), false)
  thread.wait(1000)
  assert.equal(thread.tries(query), true)
  assert.equal(thread.tries(query), true)
})

test('many at once leave the thread a part of its time', () => {
  const thread = new Thread()
  thread.costMs = 1
  const answered = Array.from({ length: 20 }, (_, i) => thread.inPlace.answer(instant(`y{i="${i}"}`)) !== null)
  assert.ok(answered[0])
  assert.ok(answered.includes(false))
  thread.wait(10)
  assert.notEqual(thread.inPlace.answer(instant('y{i="9"}')), null)
})

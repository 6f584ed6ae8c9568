import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryTask } from './contract.ts'
import { SplitTimes } from './split-times.ts'
import { SETTINGS } from './testing/settings.ts'

const task = (query = 'sum(x)', endMs = 1000): QueryTask => ({
  kind: 'range',
  query,
  startMs: 0,
  endMs,
  stepMs: 10,
  limit: 0,
  settings: SETTINGS,
})

/** Ways that are taken when one thread takes so long, and several together. */
function ways(wholeMs: number, togetherMs: number, runs: number, times = new SplitTimes()): string[] {
  const taken: string[] = []
  for (let i = 0; i < runs; i++) {
    const way = times.wayOf(task()) === 'together' ? 'together' : 'whole'
    times.note(task(), way, way === 'whole' ? wholeMs : togetherMs)
    taken.push(way)
  }
  return taken
}

const shareOf = (taken: readonly string[], way: string): number =>
  taken.filter((each) => each === way).length / taken.length

test('the quicker way is taken, and the other tried again now and then', () => {
  for (const [wholeMs, togetherMs, better] of [
    [10, 6, 'together'],
    [6, 10, 'whole'],
    [10, 9.9, 'together'],
    [4, 3.9, 'whole'],
    [4, 2.5, 'together'],
  ] as const) {
    const taken = ways(wholeMs, togetherMs, 1000)
    assert.equal(shareOf(taken.slice(13, 50), better), 1, `${wholeMs} ${togetherMs}`)
    assert.ok(shareOf(taken, better) > 0.95, `${shareOf(taken, better)}`)
    assert.ok(shareOf(taken.slice(500), better) < 1)
  }
})

test('what has become slow the one way is soon done the other', () => {
  const times = new SplitTimes()
  assert.equal(ways(10, 6, 50, times).at(-1), 'together')
  assert.equal(ways(10, 30, 200, times).at(-1), 'whole')
})

test('what is short, or cannot be cut, is left to one thread', () => {
  assert.deepEqual(new Set(ways(0.5, 0.1, 50)), new Set(['whole']))
  const times = new SplitTimes()
  times.cannot(task())
  assert.equal(times.wayOf(task()), 'whole')
})

test('what takes long together is not tried on one thread; other texts and other lengths are other queries', () => {
  const times = new SplitTimes()
  assert.equal(times.wayOf(task()), 'unknown')
  for (let i = 0; i < 200; i++) times.note(task(), 'together', 500)
  assert.equal(times.wayOf(task()), 'together')
  for (const other of [task('sum(y)'), task('sum(x)', 2000)]) assert.equal(times.wayOf(other), 'unknown')
  assert.equal(times.wayOf({ ...task(), startMs: 500, endMs: 1500 } as QueryTask), 'together')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SequenceSet } from './mod.ts'

test('neighbours and overlaps melt into one interval', () => {
  const set = new SequenceSet()
  for (const sequence of [0, 1, 2, 5, 4, 3]) assert.ok(set.add(sequence))
  assert.deepEqual(set.toIntervals(), [[0, 5]])
  set.addInterval(8, 9)
  set.addInterval(20, 30)
  set.addInterval(7, 25)
  assert.deepEqual(set.toIntervals(), [
    [0, 5],
    [7, 30],
  ])
  assert.equal(set.size, 30)
  assert.deepEqual([set.contains(5), set.contains(6), set.contains(7), set.contains(31)], [true, false, true, false])
  assert.deepEqual([set.containsInterval(7, 30), set.containsInterval(5, 7)], [true, false])
})

test('a set that is full takes what melts, and nothing else', () => {
  const set = new SequenceSet(
    [
      [0, 0],
      [10, 10],
    ],
    2,
  )
  assert.equal(set.add(20), false)
  assert.equal(set.add(11), true)
  assert.equal(set.addInterval(1, 9), true)
  assert.equal(set.add(20), true)
  assert.deepEqual(set.toIntervals(), [
    [0, 11],
    [20, 20],
  ])
  assert.equal(set.merge(new SequenceSet([[40, 41]])), false)
})

test('what is no interval is a RangeError', () => {
  for (const [first, last] of [
    [-1, 2],
    [3, 2],
    [0.5, 1],
    [0, Number.POSITIVE_INFINITY],
  ] as const)
    assert.throws(() => new SequenceSet().addInterval(first, last), RangeError)
})

test('it equals a plain set, in canonical form, after any additions', () => {
  const interval = fc.tuple(fc.nat(60), fc.nat(8)).map(([first, n]) => [first, first + n] as const)
  fc.assert(
    fc.property(fc.array(interval), fc.array(interval, { maxLength: 5 }), (list, more) => {
      const set = new SequenceSet(list)
      assert.ok(set.merge(new SequenceSet(more)))
      const plain = new Set<number>()
      for (const [first, last] of [...list, ...more]) for (let s = first; s <= last; s++) plain.add(s)
      for (let s = 0; s < 75; s++) assert.equal(set.contains(s), plain.has(s))
      assert.equal(set.size, plain.size)
      const intervals = set.toIntervals()
      for (let i = 1; i < intervals.length; i++) assert.ok(intervals[i]![0] > intervals[i - 1]![1] + 1)
      assert.deepEqual(new SequenceSet(intervals).toIntervals(), intervals)
    }),
  )
})

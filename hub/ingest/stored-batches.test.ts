import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { StoredBatches } from './stored-batches.ts'

/** The chain as an honest agent makes it: batch n names the hash of n - 1. */
const hash = (sequence: number): Uint8Array => Uint8Array.of(sequence & 255, (sequence >> 8) & 255, 1)

test('any order of sequences gives the intervals of the set, and an honest chain never breaks', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(60), { maxLength: 60 }), (sequences) => {
      const set = new StoredBatches()
      for (const sequence of sequences) {
        assert.equal(set.has(sequence), false)
        const alone = set.standsAlone(sequence)
        const before = set.intervalCount
        assert.deepEqual(set.add(sequence, hash(sequence - 1), hash(sequence)), [])
        assert.equal(set.intervalCount > before, alone)
      }
      const expected: number[][] = []
      for (const sequence of [...sequences].sort((a, b) => a - b)) {
        const last = expected.at(-1)
        if (last && last[1] === sequence - 1) last[1] = sequence
        else expected.push([sequence, sequence])
      }
      const again = StoredBatches.load(set.save())
      for (const each of [set, again]) {
        assert.deepEqual(each.intervals(), expected)
        for (let n = 0; n <= 61; n++) assert.equal(each.has(n), sequences.includes(n))
        assert.equal(each.newest, Math.max(-1, ...sequences))
        assert.equal(each.isContiguous, expected.length === 0 || (expected.length === 1 && expected[0]![0] === 0))
      }
    }),
  )
})

test('a spliced batch is noticed whichever of the neighbours comes last', () => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [1, 3, 0, 2],
    [2, 0, 3, 1],
    [0, 2, 3, 1],
  ]) {
    const set = new StoredBatches()
    const broken: number[] = []
    for (const sequence of order)
      broken.push(...set.add(sequence, sequence === 2 ? hash(77) : hash(sequence - 1), hash(sequence)))
    assert.deepEqual(broken, [2], `order ${order}`)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SequenceSet } from '../../protocol/batch/mod.ts'
import { parsePubAck } from './mod.ts'
import { covered, Quorum } from './quorum.ts'
import { type InFlight, Window } from './window.ts'

const pubAcks: readonly [text: string, expected: object][] = [
  ['{"stream":"HELIO","seq":7}', { kind: 'taken', duplicate: false }],
  ['{"stream":"HELIO","seq":7,"duplicate":true}', { kind: 'taken', duplicate: true }],
  ['{"error":{"code":503,"description":"no space"}}', { kind: 'error', code: 503, message: 'no space' }],
  ['{"error":{}}', { kind: 'error', code: 0, message: 'unknown error' }],
  ['+OK', { kind: 'error', code: 0, message: 'the answer to a publish is not a PubAck' }],
  ['null', { kind: 'error', code: 0, message: 'the answer to a publish is not a PubAck' }],
  ['{"seq":7}', { kind: 'error', code: 0, message: 'the answer to a publish names no stream' }],
]
for (const [text, expected] of pubAcks)
  test(`parsePubAck(${text})`, () => assert.deepEqual(parsePubAck(new TextEncoder().encode(text)), expected))

test('covered() holds exactly the sequences that enough hubs have', () => {
  const hub = fc.array(fc.nat(30), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(hub, { maxLength: 4 }), fc.integer({ min: 1, max: 3 }), (hubs, depth) => {
      const sets = hubs.map((sequences) => new SequenceSet(sequences.map((s) => [s, s])))
      const expected = new SequenceSet()
      for (let s = 0; s <= 30; s++) if (sets.filter((set) => set.contains(s)).length >= depth) expected.add(s)
      assert.deepEqual(covered(sets, depth), expected.toIntervals())
    }),
  )
})

test('one hub that says it twice is one hub', () => {
  const quorum = new Quorum(2)
  assert.deepEqual(quorum.add('a', 1, [[0, 5]]), [])
  assert.deepEqual(quorum.add('a', 1, [[0, 5]]), [])
  assert.deepEqual(quorum.add('b', 2, [[0, 5]]), [])
  assert.deepEqual(quorum.add('b', 1, [[3, 9]]), [[3, 5]])
})

test('a window counts bytes, and lets a batch larger than itself through alone', () => {
  const entry = (sequence: number, size: number): InFlight => ({
    epoch: 1,
    sequence,
    base: 0,
    sealedMs: 0,
    bytes: new Uint8Array(size),
    lane: 'fresh',
    sends: 0,
    dueAt: 0,
  })
  const window = new Window({ maxBatches: 2, maxBytes: 100 })
  assert.ok(window.hasRoom(500))
  const large = entry(0, 500)
  window.add(large)
  assert.ok(!window.hasRoom(1))
  assert.ok(window.remove(large))
  assert.ok(!window.remove(large))
  window.add(entry(1, 10))
  assert.ok(window.hasRoom(90) && !window.hasRoom(91))
  window.add(entry(2, 10))
  assert.ok(!window.hasRoom(1))
  assert.equal(window.bytes, 20)
})

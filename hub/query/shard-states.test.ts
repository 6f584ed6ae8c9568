import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flagBytes, Mailboxes, ShardStates } from './shard-states.ts'

test('a shard is begun by one of all who would, each its own first, and its end is told', () => {
  const words = new Int32Array(new SharedArrayBuffer(flagBytes(3)))
  const [one, other] = [new ShardStates(words), new ShardStates(words)]
  assert.deepEqual([one.begin(4, 3, 0), other.begin(4, 3, 1), one.begin(4, 3, 0)], [1, 2, 0])
  assert.deepEqual([other.begin(5, 3, 1), one.begin(0, 3, 0)], [-1, -1])
  one.end(1, 0, 'put')
  other.end(2, 1, 'large')
  assert.deepEqual(other.wait(1), { how: 'put', lane: 0 })
  assert.deepEqual(one.wait(2), { how: 'large', lane: 1 })
})

test('what a thread had begun when it died is dead, and nothing else is', () => {
  const words = new Int32Array(new SharedArrayBuffer(flagBytes(4)))
  const states = new ShardStates(words)
  for (const [own, lane] of [
    [0, 1],
    [1, 2],
    [2, 1],
  ] as const)
    states.begin(own, 4, lane)
  states.end(2, 1, 'put')
  states.died(1)
  assert.deepEqual(states.wait(0), { how: 'dead', lane: 1 })
  assert.deepEqual(states.wait(2), { how: 'put', lane: 1 })
  assert.equal(states.begin(3, 4, 3), 3)
  states.end(1, 2, 'put')
  assert.equal(states.wait(1).how, 'put')
})

test('states leave the words of others alone', () => {
  const words = new Int32Array(new SharedArrayBuffer(flagBytes(2))).fill(7)
  const states = new ShardStates(words)
  states.reset()
  assert.deepEqual([...words], [7, 7, 7, 0, 0])
  states.end(states.begin(1, 2, 1), 1, 'large')
  assert.deepEqual([...words.subarray(0, 4)], [7, 7, 7, 0])
})

test('mailboxes go from query to query', () => {
  const mailboxes = new Mailboxes()
  const [first, second] = mailboxes.take(2)
  mailboxes.giveBack([first!])
  assert.equal(mailboxes.take(1)[0], first)
  assert.notEqual(mailboxes.take(1)[0], second)
})

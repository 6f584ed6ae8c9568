import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flagBytes, Mailboxes, ShardStates } from './shard-states.ts'

test('a shard is begun by one of all who would, and its end is told', () => {
  const words = new Int32Array(new SharedArrayBuffer(flagBytes(3)))
  const [one, other] = [new ShardStates(words), new ShardStates(words)]
  assert.deepEqual([one.begin(1), other.begin(1), one.begin(1)], [true, false, false])
  assert.deepEqual([other.begin(2), one.begin(2)], [true, false])
  one.end(1, 'put')
  other.end(2, 'dead')
  assert.deepEqual([other.wait(1), one.wait(2)], ['put', 'dead'])
})

test('states leave the words of others alone', () => {
  const words = new Int32Array(new SharedArrayBuffer(flagBytes(2))).fill(7)
  const states = new ShardStates(words)
  states.reset()
  assert.deepEqual([...words], [7, 7, 7, 0, 0])
  states.begin(1)
  states.end(1, 'large')
  assert.deepEqual([...words.subarray(0, 4)], [7, 7, 7, 0])
  assert.equal(states.wait(1), 'large')
})

test('mailboxes go from query to query', () => {
  const mailboxes = new Mailboxes()
  const [first, second] = mailboxes.take(2)
  mailboxes.giveBack([first!])
  assert.equal(mailboxes.take(1)[0], first)
  assert.notEqual(mailboxes.take(1)[0], second)
})

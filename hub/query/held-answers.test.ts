import assert from 'node:assert/strict'
import { test } from 'node:test'
import { giveBack, HeldAnswers } from './held-answers.ts'

const MIB = 1 << 20

test('large answers have room until others hold it; what is given back makes room', () => {
  const held = new HeldAnswers(20 * MIB)
  const first = new Uint8Array(12 * MIB)
  assert.equal(held.admit(first), true)
  const second = new Uint8Array(12 * MIB)
  assert.equal(held.admit(second), false)
  assert.equal(second.length, 0, 'its memory is free')
  assert.equal(held.admit(new Uint8Array(8 * MIB)), true)
  assert.equal(held.bytes(), 20 * MIB)
  giveBack(first)
  assert.deepEqual([first.length, held.bytes()], [0, 8 * MIB])
  assert.equal(held.admit(new Uint8Array(12 * MIB)), true)
})

test('what an answer did not need of its buffer does not count', () => {
  const held = new HeldAnswers(20 * MIB)
  assert.equal(held.admit(new Uint8Array(16 * MIB).subarray(0, 9 * MIB)), true)
  assert.equal(held.bytes(), 9 * MIB)
})

test('one alone has room whatever its size; small ones always have', () => {
  const held = new HeldAnswers(5 * MIB)
  const first = new Uint8Array(6 * MIB)
  assert.equal(held.admit(first), true)
  for (let i = 0; i < 10; i++) assert.equal(held.admit(new Uint8Array(MIB)), true)
  assert.equal(held.bytes(), 6 * MIB)
})

test('small ones, and parts behind the beginning of a buffer, are not taken from others', () => {
  const small = new Uint8Array(10)
  const part = new Uint8Array(16 * MIB).subarray(1)
  const answer = new Uint8Array(16 * MIB).subarray(0, 9 * MIB)
  giveBack(answer)
  assert.equal(answer.length, 0, 'it had the rest of the buffer for growing only')
  giveBack(small)
  giveBack(part)
  assert.deepEqual([small.length, part.length], [10, 16 * MIB - 1])
})

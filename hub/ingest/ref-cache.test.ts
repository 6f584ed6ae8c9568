import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RefCache } from './ref-cache.ts'

test('refs are found again after any growth, and dead ones are forgotten', () => {
  const cache = new RefCache()
  const key = (i: number): [number, number] => [Math.imul(i, 0x9e3779b1) >>> 0, (i * 7) >>> 0]
  const count = 20_000
  for (let i = 0; i < count; i++) cache.set(...key(i), i)
  for (let i = 0; i < count; i++) assert.equal(cache.get(...key(i)), i)
  assert.equal(cache.get(...key(count)), -1)
  cache.forgetDead((ref) => ref % 3 === 0)
  assert.equal(cache.size, Math.ceil(count / 3))
  for (let i = 0; i < count; i++) assert.equal(cache.get(...key(i)), i % 3 === 0 ? i : -1)
})

test('keys that share their first word, or all of their slot, are told apart', () => {
  const cache = new RefCache()
  cache.set(5, 1, 10)
  cache.set(5, 2, 11)
  cache.set(5 + 1024, 1, 12)
  assert.deepEqual([cache.get(5, 1), cache.get(5, 2), cache.get(5 + 1024, 1), cache.get(5, 3)], [10, 11, 12, -1])
})

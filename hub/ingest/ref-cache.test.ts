import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RefCache } from './ref-cache.ts'

test('refs are found again after any growth, and dead ones are forgotten', () => {
  const cache = new RefCache()
  const key = (i: number): [number, number] => [Math.imul(i, 0x9e3779b1) >>> 0, (i * 7 + 1) >>> 0] // never two zeros
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

test('of a series that comes in two encodings the last is known, and its place is not taken twice', () => {
  const cache = new RefCache()
  for (let turn = 0; turn < 5000; turn++) {
    cache.set(5, 1, 10)
    assert.deepEqual([cache.get(5, 1), cache.get(6, 1)], [10, -1])
    cache.set(6, 1, 10)
    assert.deepEqual([cache.get(5, 1), cache.get(6, 1)], [-1, 10])
  }
  cache.set(7, 1, 11)
  cache.forgetDead((ref) => ref === 10)
  assert.deepEqual([cache.get(6, 1), cache.get(7, 1), cache.size], [10, -1, 1])
})

test('refs grow without end while series come and go: what is kept is by the live ones', () => {
  const cache = new RefCache()
  let refs = 0
  for (let day = 0; day < 20; day++) {
    for (let i = 0; i < 20_000; i++, refs++) cache.set(Math.imul(refs + 1, 0x9e3779b1) >>> 0, refs, refs)
    cache.forgetDead((ref) => ref >= refs - 1000)
    assert.equal(cache.size, 1000)
    assert.ok(cache.byteLength < 512 << 10, `${cache.byteLength} bytes`)
  }
})

test('a million series weigh 18 MiB', () => {
  const cache = new RefCache()
  for (let ref = 0; ref < 1_000_000; ref++) cache.set(Math.imul(ref + 1, 0x9e3779b1) >>> 0, ref, ref)
  assert.ok(cache.byteLength <= 18 << 20, `${cache.byteLength} bytes`)
})

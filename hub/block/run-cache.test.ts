import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RunCache } from './run-cache.ts'

const TEN = (): number => 10
/** What is kept of the keys, in any order. */
const kept = (cache: RunCache, keys: readonly string[]): string[] => keys.filter((key) => cache.find(key) !== undefined)

test('what was not used goes first, and no more is kept than fits', () => {
  const cache = new RunCache(30)
  for (const key of ['a', 'b', 'c']) cache.get(key, () => key, TEN)
  assert.equal(cache.find('a'), 'a')
  cache.get('d', () => 'd', TEN)
  assert.equal(cache.bytes, 30)
  assert.deepEqual(kept(cache, ['a', 'b', 'c', 'd']), ['a', 'c', 'd'])
})

test('when all were used the oldest goes', () => {
  const cache = new RunCache(20)
  for (const key of ['a', 'b']) cache.get(key, () => key, TEN)
  cache.find('a')
  cache.find('b')
  cache.get('c', () => 'c', TEN)
  assert.equal(cache.bytes, 20)
  assert.deepEqual(kept(cache, ['a', 'b', 'c']), ['b', 'c'])
})

test('what is larger than all room is kept until the next comes', () => {
  const cache = new RunCache(20)
  cache.get('a', () => 'a', TEN)
  assert.equal(
    cache.get(
      'large',
      () => 'large',
      () => 100,
    ),
    'large',
  )
  assert.deepEqual([cache.bytes, kept(cache, ['a', 'large'])], [100, ['large']])
  cache.get('b', () => 'b', TEN)
  cache.get('c', () => 'c', TEN)
  assert.equal(cache.bytes <= 20, true)
})

test('blocks are forgotten by prefix', () => {
  const cache = new RunCache(100)
  for (const key of ['x:1', 'y:1']) cache.get(key, () => key, TEN)
  cache.forget('x:')
  assert.deepEqual([cache.bytes, kept(cache, ['x:1', 'y:1'])], [10, ['y:1']])
})

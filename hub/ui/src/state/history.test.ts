import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HistoryWalk, readHistory, rememberExpr, type TextStore } from './history.ts'

function memory(initial?: string): TextStore {
  let text = initial ?? null
  return {
    getItem: () => text,
    setItem: (_, value) => {
      text = value
    },
  }
}

test('history keeps the newest first, each once, and no more than fifty', () => {
  const store = memory()
  for (const expr of ['a', 'b', 'a', ' ']) rememberExpr(store, expr)
  assert.deepEqual(readHistory(store), ['a', 'b'])
  for (let i = 0; i < 80; i++) rememberExpr(store, `expr ${i}`)
  assert.equal(readHistory(store).length, 50)
  assert.equal(readHistory(store)[0], 'expr 79')
})

test('history survives a broken and a refusing store', () => {
  assert.deepEqual(readHistory(memory('{"not": "a list"}')), [])
  assert.deepEqual(readHistory(memory('[1, "a", null')), [])
  assert.deepEqual(readHistory(memory('[1, "a", null]')), ['a'])
  const full: TextStore = {
    getItem: () => null,
    setItem: () => {
      throw new Error('full')
    },
  }
  assert.doesNotThrow(() => rememberExpr(full, 'up'))
})

test('a walk goes to older entries and back to the draft', () => {
  const store = memory('["b", "a"]')
  const walk = new HistoryWalk()
  assert.equal(walk.older('draft', store), 'b')
  assert.equal(walk.older('b', store), 'a')
  assert.equal(walk.older('a', store), null)
  assert.equal(walk.newer(), 'b')
  assert.equal(walk.newer(), 'draft')
  assert.equal(walk.newer(), null)
})

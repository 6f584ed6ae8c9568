import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance, formatSelector, nearestNames, selectorsOf } from './empty.ts'

test('selectorsOf() finds selectors wherever they stand in a tree', () => {
  const up = {
    type: 'vectorSelector',
    name: 'up',
    matchers: [
      { type: '=', name: 'job', value: 'x' },
      { type: '=', name: '__name__', value: 'up' },
    ],
  }
  const tree = { type: 'binaryExpr', lhs: { type: 'call', args: [{ ...up, type: 'matrixSelector' }] }, rhs: up }
  assert.deepEqual(selectorsOf(tree).map(formatSelector), ['up{job="x"}'])
  assert.deepEqual(selectorsOf({ type: 'vectorSelector', matchers: 'broken' }), [])
  assert.deepEqual(selectorsOf(null), [])
})

test('formatSelector() writes names that are none inside the braces', () => {
  assert.equal(formatSelector({ name: 'my metric', matchers: [] }), '{"my metric"}')
  assert.equal(formatSelector({ name: '', matchers: [{ type: '=~', name: 'a b', value: '"' }] }), '{"a b"=~"\\""}')
})

test('nearestNames() finds slips and parts of names', () => {
  const names = ['node_cpu_seconds_total', 'node_load1', 'up', 'go_goroutines']
  assert.deepEqual(nearestNames('node_cpu_second_total', names), ['node_cpu_seconds_total'])
  assert.deepEqual(nearestNames('cpu_seconds', names), ['node_cpu_seconds_total'])
  assert.deepEqual(nearestNames('completely_else', names), [])
})

test('editDistance() counts edits and gives up above its limit', () => {
  assert.equal(editDistance('kitten', 'sitting', 5), 3)
  assert.equal(editDistance('kitten', 'sitting', 2), 3)
  assert.equal(editDistance('same', 'same', 2), 0)
})

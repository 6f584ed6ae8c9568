import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorPosition } from './error-position.ts'

test('errorPosition() finds line and column of a parse error', () => {
  assert.deepEqual(errorPosition('invalid parameter "query": 1:5: parse error: unexpected end', 'sum('), {
    line: 'sum(',
    lineNumber: 1,
    column: 5,
  })
  assert.equal(errorPosition('2:3: parse error: x', 'a +\n  )')?.line, '  )')
})

test('errorPosition() knows when there is none', () => {
  assert.equal(errorPosition('query timed out in 12:30: expression evaluation', 'up'), null)
  assert.equal(errorPosition('9:1: parse error: x', 'up'), null)
})

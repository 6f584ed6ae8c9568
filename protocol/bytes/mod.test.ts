import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinBytes } from './mod.ts'

test('joined bytes stand one after the other, apart from what they were joined from', () => {
  const first = Uint8Array.of(1, 2)
  for (const [parts, want] of [
    [[], []],
    [[first], [1, 2]],
    [
      [first, new Uint8Array(0), Uint8Array.of(9, 3).subarray(1)],
      [1, 2, 3],
    ],
  ] as const) {
    const out = joinBytes(parts)
    assert.deepEqual([...out], [...want])
    out.fill(7)
  }
  assert.deepEqual([...first], [1, 2])
})

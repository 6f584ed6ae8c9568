import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newBytes, newFloats } from './columns.ts'

for (const steps of [0, 1, 8, 9, 65, 241, 1024, 1025]) {
  test(`columns of ${steps} steps are zero, and none writes into another`, () => {
    const columns = Array.from({ length: 200 }, (_, i) => ({ i, floats: newFloats(steps), bytes: newBytes(steps) }))
    for (const { i, floats, bytes } of columns) {
      assert.equal(floats.length, steps)
      assert.equal(bytes.length, steps)
      assert.ok(floats.every((x) => x === 0) && bytes.every((x) => x === 0))
      floats.fill(i + 1)
      bytes.fill(i + 1)
    }
    for (const { i, floats, bytes } of columns)
      assert.ok(floats.every((x) => x === i + 1) && bytes.every((x) => x === ((i + 1) & 0xff)))
  })
}

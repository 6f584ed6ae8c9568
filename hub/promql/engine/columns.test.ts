import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFull, newBytes, newFloats } from './columns.ts'

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

test('a column is full when each of its bytes is 1, whoever was asked about before', () => {
  const columns = [3, 64, 65, 100, 240, 1030].map(newBytes)
  // Not where whole words begin.
  columns.push(new Uint8Array(new ArrayBuffer(200), 3, 150))
  for (let round = 0; round < 3; round++)
    for (const column of columns) {
      column.fill(1)
      for (let again = 0; again < 3; again++) assert.equal(isFull(column), true)
      for (const at of [0, 1, column.length >> 1, column.length - 1])
        for (const other of [0, 2]) {
          column[at] = other
          assert.equal(isFull(column), false, `${column.length} ${at}`)
          column[at] = 1
        }
    }
})

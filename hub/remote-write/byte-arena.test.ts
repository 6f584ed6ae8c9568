import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteArena } from './byte-arena.ts'

test('get() gives what was put, until there is no room', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5000), fc.nat(400_000)), { maxLength: 20 }), (rows) => {
      const arena = new ByteArena(3 << 20)
      const put = new Map<number, Uint8Array>()
      for (const [n, length] of rows) {
        if (put.has(n)) continue
        const bytes = new Uint8Array(length).fill(n)
        if (arena.put(n, bytes)) put.set(n, bytes)
      }
      for (const [n, bytes] of put) assert.deepEqual(arena.get(n), bytes)
      assert.equal(arena.get(5001), null)
      const total = rows.reduce((sum, [, length]) => sum + length, 0)
      if (total <= 600_000) assert.equal(put.size, new Set(rows.map(([n]) => n)).size)
    }),
  )
})

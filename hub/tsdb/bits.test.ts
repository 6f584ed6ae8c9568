import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Cursor, packDeltas, sumDeltas, unpackDeltas } from './bits.ts'

/** Times of scrapes: even, a few milliseconds off, some missing, and pauses of any length; or any whole numbers at all. */
const steps = fc.oneof(
  fc.array(fc.constantFrom(15_000, 15_000, 30_000), { minLength: 1, maxLength: 64 }),
  fc.array(
    fc.integer({ min: -20, max: 20 }).map((jitter) => 15_000 + jitter),
    { minLength: 1, maxLength: 64 },
  ),
  fc.array(fc.oneof(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 1, max: 2 ** 31 })), {
    minLength: 1,
    maxLength: 64,
  }),
  fc.array(
    fc.integer({ min: -5, max: 5 }).map((x) => 4096 * x),
    { minLength: 1, maxLength: 64 },
  ),
  fc.array(fc.integer({ min: -(2 ** 45), max: 2 ** 45 }), { minLength: 1, maxLength: 20 }),
  // As far as 32-bit integers go, and beyond: by the smallest delta, one way or the other, and by the bits of each.
  fc.array(fc.constantFrom(2 ** 24, 2 ** 25 - 1), { minLength: 60, maxLength: 64 }),
  fc.array(fc.constantFrom(2 ** 26, 2 ** 26 + 1), { minLength: 60, maxLength: 64 }),
  fc.array(fc.constantFrom(-(2 ** 26), -(2 ** 26) - 1), { minLength: 60, maxLength: 64 }),
  fc.array(fc.constantFrom(0, 2 ** 27 - 1), { minLength: 60, maxLength: 64 }),
)
const base = fc.oneof(fc.constantFrom(0, 1_764_460_800_000), fc.integer({ min: -(2 ** 44), max: 2 ** 44 }))

test('whole numbers come back from packed deltas, by words and byte by byte, and their last one by itself', () => {
  let packed = 0
  fc.assert(
    fc.property(base, steps, fc.nat(9), fc.nat(3), (first, deltas, at, before) => {
      let value = first
      const ints = Float64Array.from([...new Array<number>(before).fill(7), ...deltas.map((delta) => (value += delta))])
      const n = deltas.length
      const out = new Uint8Array(at + 16 + 8 * n)
      const end = packDeltas(ints, before, n, first, out, at)
      if (end < 0) {
        const range = Math.max(...deltas) - Math.min(...deltas)
        assert.ok(range > 0xffffffff, `refused deltas of a range of ${range}`)
        return
      }
      packed++
      for (const byWords of [true, false]) {
        const cursor = new Cursor()
        if (byWords) cursor.view = new DataView(out.buffer)
        cursor.pos = at
        const got = new Float64Array(n + 2)
        unpackDeltas(out, cursor, n, first, got, 1)
        assert.deepEqual([...got], [0, ...ints.subarray(before), 0])
        assert.equal(cursor.pos, end)
        cursor.pos = at
        unpackDeltas(out, cursor, n, first, got, 1, 100)
        assert.deepEqual([...got], [0, ...ints.subarray(before).map((value) => value / 100), 0])
        assert.equal(cursor.pos, end)
        cursor.pos = at
        assert.equal(sumDeltas(out, cursor, n, first), ints.at(-1))
        assert.equal(cursor.pos, end)
      }
    }),
    { numRuns: 2000 },
  )
  assert.ok(packed > 1000)
})

test('scrapes that are on time take no bits, those that are off by milliseconds a few', () => {
  const bytes = (n: number, step: (i: number) => number): number => {
    const ints = Float64Array.from({ length: n }, (_, i) => step(i))
    return packDeltas(ints, 0, n, 0, new Uint8Array(1024), 0)
  }
  assert.ok(bytes(64, (i) => 15_000 * (i + 1)) <= 4)
  assert.ok(bytes(64, (i) => 15_000 * (i + 1) + (i % 8)) <= 40)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashLabelBytes } from './label-hash.ts'

function hashOf(bytes: Uint8Array, before: number): string {
  const shifted = new Uint8Array(before + bytes.length + 3)
  shifted.set(bytes, before)
  const out = new Uint32Array(3)
  hashLabelBytes(new DataView(shifted.buffer), before, before + bytes.length, out, 1)
  return `${out[1]}:${out[2]}`
}

test('equal bytes have one hash wherever they stand; one changed, added or lost byte makes another', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(9), fc.nat(), (bytes, before, at) => {
      const hash = hashOf(bytes, before)
      assert.equal(hashOf(bytes, 0), hash)
      const changed = bytes.slice()
      changed[at % bytes.length]! ^= 1 << (at % 8)
      assert.notEqual(hashOf(changed, before), hash)
      assert.notEqual(hashOf(Uint8Array.of(...bytes, 0), before), hash)
      assert.notEqual(hashOf(bytes.subarray(1), before), hash)
    }),
  )
})

test('a million label sets that differ in a number have a million hashes, and either word spreads evenly', () => {
  const seen = new Set<string>()
  const buckets = [new Uint32Array(256), new Uint32Array(256)]
  const bytes = new TextEncoder().encode('__name__ node_cpu_seconds_total cpu 000000 mode idle')
  const view = new DataView(bytes.buffer)
  const out = new Uint32Array(2)
  const count = 1_000_000
  for (let n = 0; n < count; n++) {
    for (let digit = 0, rest = n; digit < 6; digit++, rest = Math.floor(rest / 10)) bytes[36 + digit] = 48 + (rest % 10)
    hashLabelBytes(view, 0, bytes.length, out, 0)
    seen.add(`${out[0]},${out[1]}`)
    buckets[0]![out[0]! & 255]!++
    buckets[1]![out[1]! >>> 24]!++
  }
  assert.equal(seen.size, count)
  for (const bucket of buckets.flatMap((each) => [...each]))
    assert.ok(Math.abs(bucket - count / 256) < 400, `${bucket}`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Inflater } from './net-inflate.ts'

const MIB = 1024 * 1024
const lying = (body: Uint8Array, size: number): Buffer => {
  const out = gzipSync(body)
  out.writeUInt32LE(size, out.length - 4)
  return out
}

test('what was compressed comes out, of one member or of several, at any sizes in any order', () => {
  const inflater = new Inflater()
  const members = fc.array(fc.uint8Array({ maxLength: 200_000 }), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(members, (parts) => {
      const got = inflater.inflate(Buffer.concat(parts.map((part) => gzipSync(part))), MIB)
      assert.ok(got !== 'large' && Buffer.from(got).equals(Buffer.concat(parts)))
    }),
    { numRuns: 60 },
  )
})

test('a body over the limit is large, whatever its trailer says', () => {
  const inflater = new Inflater()
  const body = Buffer.alloc(50_000, 'x')
  assert.equal(inflater.inflate(gzipSync(body), 49_999), 'large')
  assert.equal(inflater.inflate(gzipSync(Buffer.concat([body, body])), 99_999), 'large')
  assert.equal(inflater.inflate(Buffer.concat([gzipSync(Buffer.alloc(9 * MIB)), gzipSync('x')]), MIB), 'large')
  const got = inflater.inflate(gzipSync(body), 50_000)
  assert.ok(got !== 'large' && body.equals(got))
})

test('damage is refused or left to the stream, and the next body is read', () => {
  const inflater = new Inflater()
  const good = gzipSync('metric 1\n'.repeat(500))
  const flipped = Buffer.from(good)
  flipped[20]! ^= 0xff
  for (const bad of [
    Buffer.from('not gzip'),
    good.subarray(0, 30),
    flipped,
    lying(Buffer.from('abc'), 2),
    Buffer.of(31),
  ]) {
    // What is cut off ends in any number: it may pass for large.
    const isCut = bad.length === 30
    if (isCut) assert.equal(inflater.inflate(bad, MIB), 'large')
    else assert.throws(() => inflater.inflate(bad, MIB), Error)
    const got = inflater.inflate(good, MIB)
    assert.ok(got !== 'large' && got.length === 4500)
  }
})

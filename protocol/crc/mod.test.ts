import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from './mod.ts'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
// The vectors of RFC 3720, appendix B.4, and the usual check value.
const rows: readonly [name: string, bytes: Uint8Array, crc: number][] = [
  ['nothing', new Uint8Array(0), 0],
  ['"123456789"', ascii('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 ascending', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 descending', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
]
for (const [name, bytes, crc] of rows) test(`crc32c() of ${name}`, () => assert.equal(crc32c(bytes), crc))

function plain(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('crc32c() equals the bitwise form on any range, whole or continued', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)]
      assert.equal(crc32c(bytes, from, to), plain(bytes.subarray(from, to)))
      assert.equal(crc32c(bytes, from, bytes.length, crc32c(bytes, 0, from)), plain(bytes))
    }),
  )
})

test('crc32c() changes with every flipped bit', () => {
  const bytes = ascii('a record of the write-ahead log')
  const crc = crc32c(bytes)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    assert.notEqual(crc32c(bytes), crc)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Labels, labelsFrom } from '../../../../protocol/labels/mod.ts'
import { hashPlace, xxHash64 } from './hash.ts'

test('xxHash64() has its published values', () => {
  const hash = (text: string) => xxHash64(new TextEncoder().encode(text))
  assert.equal(hash(''), 'ef46db3751d8e999')
  assert.equal(hash('a'), 'd24ec4f1a98c6e5b')
  assert.equal(hash('abc'), '44bc2cf5ad770999')
  assert.equal(hash('The quick brown fox jumps over the lazy dog'), '0b242d361fda71bc')
})

test('xxHash64() is what it is with whole words', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(BigInt(`0x${xxHash64(bytes)}`), plainHash64(bytes))
    }),
    { numRuns: 2000 },
  )
})

test('hashPlace() hashes names and values behind their lengths', () => {
  const label = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.string({ minLength: 250, maxLength: 600 }))
  fc.assert(
    fc.property(fc.dictionary(label, label, { maxKeys: 6 }), (pairs) => {
      const labels = labelsFrom(pairs)
      assert.equal(hashPlace(labels), Number(plainHash64(encoded(labels))) / 2 ** 64)
    }),
  )
})

test('hashPlace() tells label sets apart that read the same', () => {
  assert.notEqual(hashPlace(labelsFrom({ a: 'bc' })), hashPlace(labelsFrom({ ab: 'c' })))
})

function encoded(labels: Labels): Uint8Array {
  const parts: number[] = []
  for (const text of labels) {
    const bytes = new TextEncoder().encode(text)
    const { length } = bytes
    if (length < 255) parts.push(length)
    else parts.push(255, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff)
    parts.push(...bytes)
  }
  return Uint8Array.from(parts)
}

const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n
const MASK = 0xffffffffffffffffn

/** The plain version: seed 0. */
function plainHash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let hash: bigint
  if (bytes.length >= 32) {
    let v1 = (P1 + P2) & MASK
    let v2 = P2
    let v3 = 0n
    let v4 = -P1 & MASK
    for (; at + 32 <= bytes.length; at += 32) {
      v1 = round(v1, view.getBigUint64(at, true))
      v2 = round(v2, view.getBigUint64(at + 8, true))
      v3 = round(v3, view.getBigUint64(at + 16, true))
      v4 = round(v4, view.getBigUint64(at + 24, true))
    }
    hash = (rotate(v1, 1n) + rotate(v2, 7n) + rotate(v3, 12n) + rotate(v4, 18n)) & MASK
    for (const v of [v1, v2, v3, v4]) hash = ((hash ^ round(0n, v)) * P1 + P4) & MASK
  } else hash = P5
  hash = (hash + BigInt(bytes.length)) & MASK
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK
    at += 4
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK
  return hash ^ (hash >> 32n)
}

function round(acc: bigint, input: bigint): bigint {
  return (rotate((acc + input * P2) & MASK, 31n) * P1) & MASK
}

function rotate(x: bigint, bits: bigint): bigint {
  return ((x << bits) | (x >> (64n - bits))) & MASK
}

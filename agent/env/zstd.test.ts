import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BatchEncoder, decodeBatch, verifyBatch } from '../../protocol/batch/mod.ts'
import { encodeSeed } from '../../protocol/identity/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { runtimeSigner, runtimeVerifier } from './ed25519.ts'
import { runtimeSha256 } from './sha256.ts'
import { runtimeZstd } from './zstd.ts'

test('decompress() undoes compress() at any level', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.constantFrom(1, 3, 9), (bytes, level) => {
      const packed = runtimeZstd.compress(bytes, level)
      assert.deepEqual(Buffer.from(runtimeZstd.decompress(packed, bytes.length)), Buffer.from(bytes))
    }),
    { numRuns: 50 },
  )
})

test('decompress() stops a bomb at the limit, and throws for damage', () => {
  const bomb = runtimeZstd.compress(new Uint8Array(50 << 20), 1)
  assert.ok(bomb.length < 50_000)
  const before = process.memoryUsage().arrayBuffers
  assert.throws(() => runtimeZstd.decompress(bomb, 1 << 20))
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20)
  assert.throws(() => runtimeZstd.decompress(Uint8Array.of(1, 2, 3), 100))
})

test('output larger than one chunk comes whole', () => {
  const bytes = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 2654435761) >>> 24)
  const packed = runtimeZstd.compress(bytes, 1)
  assert.ok(Buffer.from(runtimeZstd.decompress(packed, bytes.length)).equals(Buffer.from(bytes)))
  assert.throws(() => runtimeZstd.decompress(packed, bytes.length - 1))
})

test('sha256() of "abc" is the one of FIPS 180-2', () =>
  assert.equal(
    Buffer.from(runtimeSha256.sha256(Buffer.from('abc'))).toString('hex'),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  ))

test('a batch goes through the runtime whole', () => {
  const signer = runtimeSigner(encodeSeed(new Uint8Array(32).fill(5)))
  const encoder = new BatchEncoder({
    agent: 'web-1',
    epoch: 1,
    signer,
    hasher: runtimeSha256,
    compressor: runtimeZstd,
  })
  const id = encoder.define(labelsFrom({ __name__: 'up' }), null)
  encoder.add({
    target: 'node',
    slotMs: 1000,
    intervalMs: 1000,
    timestampMs: 1000,
    ids: Uint32Array.of(id),
    values: Float64Array.of(1),
    timestamps: null,
    startTimestamps: null,
    histograms: null,
    exemplars: null,
  })
  const { bytes, header } = encoder.seal()!
  assert.deepEqual(verifyBatch(bytes, signer.publicKey, runtimeVerifier()), header)
  assert.deepEqual([...decodeBatch(bytes, null, runtimeZstd).scrapes[0]!.values], [1])
})

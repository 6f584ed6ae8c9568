import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeSeed, naclSigner, naclVerifier } from '../../protocol/identity/mod.ts'
import { runtimeSigner, runtimeVerifier } from './ed25519.ts'

test('the runtime and tweetnacl make and accept the same signatures', () => {
  const verifier = runtimeVerifier()
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(),
      (raw, message, flip) => {
        const seed = encodeSeed(raw)
        const [fast, plain] = [runtimeSigner(seed), naclSigner(seed)]
        assert.deepEqual(fast.publicKey, plain.publicKey)
        const signature = fast.sign(message)
        assert.deepEqual(signature, plain.sign(message))
        assert.ok(verifier.verify(message, signature, plain.publicKey))
        signature[(flip >> 3) % 64]! ^= 1 << (flip & 7)
        assert.equal(verifier.verify(message, signature, plain.publicKey), false)
        assert.equal(naclVerifier.verify(message, signature, plain.publicKey), false)
      },
    ),
    { numRuns: 15 },
  )
})

test('verify() is false, and does not throw, for what is no key or no signature', () => {
  const verifier = runtimeVerifier()
  const key = runtimeSigner(encodeSeed(new Uint8Array(32).fill(3))).publicKey
  assert.equal(verifier.verify(new Uint8Array(3), new Uint8Array(64), new Uint8Array(32).fill(255)), false)
  assert.equal(verifier.verify(new Uint8Array(3), new Uint8Array(63), key), false)
  assert.equal(verifier.verify(new Uint8Array(3), new Uint8Array(64), key.subarray(1)), false)
})

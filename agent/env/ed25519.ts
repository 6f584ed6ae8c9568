/**
 * Ed25519 of the runtime (OpenSSL on Node, BoringSSL on Bun): 50 times tweetnacl's speed, for the hot path. Signatures
 * are the same bytes: `ed25519.test.ts` compares them with the reference in protocol/identity.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { decodeSeed, KEY_BYTES, SIGNATURE_BYTES, type Signer, type Verifier } from '../../protocol/identity/mod.ts'

/** DER before the 32 raw bytes: PKCS #8 and SubjectPublicKeyInfo of Ed25519, RFC 8410. */
const PKCS8_PREFIX = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20])
const SPKI_PREFIX = Uint8Array.from([0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0])
const MAX_CACHED_KEYS = 4096

/** @param seed `SU…` @throws KeyError */
export function runtimeSigner(seed: string): Signer {
  const key = createPrivateKey({ key: join(PKCS8_PREFIX, decodeSeed(seed)), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    publicKey: new Uint8Array(spki.subarray(SPKI_PREFIX.length)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  }
}

/** Keeps the parsed keys of the agents seen last: parsing costs as much as a third of a verification. */
export function runtimeVerifier(): Verifier {
  const keys = new Map<string, KeyObject>()
  return {
    verify(message, signature, publicKey) {
      if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false
      try {
        return verify(null, message, keyObject(keys, publicKey), signature)
      } catch {
        // Not a point on the curve: no signature verifies under it.
        return false
      }
    },
  }
}

function keyObject(keys: Map<string, KeyObject>, publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, KEY_BYTES).toString('latin1')
  const known = keys.get(name)
  if (known !== undefined) return known
  if (keys.size >= MAX_CACHED_KEYS) keys.delete(keys.keys().next().value!)
  const key = createPublicKey({ key: join(SPKI_PREFIX, publicKey), format: 'der', type: 'spki' })
  keys.set(name, key)
  return key
}

function join(prefix: Uint8Array, raw: Uint8Array): Buffer {
  return Buffer.concat([prefix, raw])
}

/**
 * Ed25519 signatures: the two interfaces that the rest of the system signs and verifies through, and their reference
 * implementation on tweetnacl. The runtime's own, faster form is `agent/env/ed25519.ts`; a test there compares both.
 */
import nacl from 'tweetnacl'
import type { Random } from '../env/mod.ts'
import { decodeSeed, encodePublicKey, encodeSeed, KEY_BYTES, SIGNATURE_BYTES } from './nkey.ts'

export interface Signer {
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The 64-byte signature of `message`; the same for the same message. */
  sign(message: Uint8Array): Uint8Array
}

export interface Verifier {
  /** False for anything that is not a valid signature, wrong lengths included; never throws. `publicKey` is raw. */
  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
}

/** A new identity's seed, `SU…`. Whoever holds it is the agent: store it with mode 0600. */
export const generateSeed = (random: Random): string => encodeSeed(random.bytes(KEY_BYTES))

/** `U…` of a `SU…` seed. @throws KeyError */
export const publicKeyOfSeed = (seed: string): string =>
  encodePublicKey(nacl.sign.keyPair.fromSeed(decodeSeed(seed)).publicKey)

/** @param seed `SU…` @throws KeyError */
export function naclSigner(seed: string): Signer {
  const pair = nacl.sign.keyPair.fromSeed(decodeSeed(seed))
  return { publicKey: pair.publicKey, sign: (message) => nacl.sign.detached(message, pair.secretKey) }
}

export const naclVerifier: Verifier = {
  verify(message, signature, publicKey) {
    if (signature.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false
    return isReducedScalar(signature) && nacl.sign.detached.verify(message, signature, publicKey)
  },
}

/** The order of the base point, 2^252 + 27742317777372353535851937790883648493, little-endian. */
const ORDER = [
  0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0x10,
]

/** RFC 8032 wants S < L, or a signature could be rewritten without the key; tweetnacl does not look, OpenSSL does. */
function isReducedScalar(signature: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = signature[32 + i]! - ORDER[i]!
    if (difference !== 0) return difference < 0
  }
  return false
}

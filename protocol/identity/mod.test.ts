import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAccount, fromPublic, fromSeed } from '@nats-io/nkeys'
import fc from 'fast-check'
import { isAgentId } from '../subjects/mod.ts'
import {
  agentIdFor,
  agentIdFromHostName,
  decodePublicKey,
  decodeSeed,
  encodePublicKey,
  encodeSeed,
  generateSeed,
  KeyError,
  naclSigner,
  naclVerifier,
  publicKeyOfSeed,
} from './mod.ts'

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 })
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

test('nkeys read what we write and write what we read', () => {
  fc.assert(
    fc.property(keys, (raw) => {
      const seed = encodeSeed(raw)
      const theirs = fromSeed(ascii(seed))
      assert.match(seed, /^SU[A-Z2-7]{56}$/)
      assert.equal(theirs.getPublicKey(), publicKeyOfSeed(seed))
      assert.equal(new TextDecoder().decode(theirs.getSeed()), seed)
      assert.deepEqual(decodeSeed(seed), raw)
      assert.deepEqual(decodePublicKey(encodePublicKey(raw)), raw)
      const message = ascii('nonce')
      assert.ok(fromPublic(publicKeyOfSeed(seed)).verify(message, naclSigner(seed).sign(message)))
    }),
    { numRuns: 20 },
  )
})

test('generateSeed() takes its 32 bytes from the injected randomness', () => {
  const random = { bytes: (count: number) => new Uint8Array(count).fill(7), float: () => 0 }
  assert.deepEqual(decodeSeed(generateSeed(random)), new Uint8Array(32).fill(7))
})

test('any wrong character is found', () => {
  const seed = encodeSeed(new Uint8Array(32).fill(9))
  const key = publicKeyOfSeed(seed)
  for (const [text, decode] of [
    [seed, decodeSeed],
    [key, decodePublicKey],
  ] as const)
    for (let i = 0; i < text.length; i++)
      for (const other of 'AZ27a0=') {
        if (text[i] === other) continue
        assert.throws(() => decode(text.slice(0, i) + other + text.slice(i + 1)), KeyError)
      }
})

const refused: readonly [what: string, code: KeyError['code'], run: () => unknown][] = [
  ['an empty seed', 'bad-length', () => decodeSeed('')],
  ['a public key as a seed', 'bad-length', () => decodeSeed(encodePublicKey(new Uint8Array(32)))],
  ['an account key', 'bad-prefix', () => decodePublicKey(createAccount().getPublicKey())],
  ['31 raw bytes', 'bad-length', () => encodeSeed(new Uint8Array(31))],
  ['lower case', 'bad-character', () => decodePublicKey(encodePublicKey(new Uint8Array(32)).toLowerCase())],
]
for (const [what, code, run] of refused)
  test(`refuses ${what}`, () => assert.throws(run, (error) => error instanceof KeyError && error.code === code))

test('a KeyError does not show the seed', () => {
  const seed = encodeSeed(new Uint8Array(32).fill(9))
  const broken = `${seed.slice(0, -1)}7`
  assert.throws(
    () => decodeSeed(broken),
    (error: Error) => !error.message.includes(seed.slice(3, 12)),
  )
})

test('signs as RFC 8032 (7.1, TEST 2)', () => {
  const signer = naclSigner(encodeSeed(hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb')))
  const signature = signer.sign(Uint8Array.of(0x72))
  assert.deepEqual(signer.publicKey, hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c'))
  assert.deepEqual(
    signature,
    hex(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ),
  )
  assert.ok(naclVerifier.verify(Uint8Array.of(0x72), signature, signer.publicKey))
})

test('verify() is false for changed, short and malleated signatures', () => {
  const signer = naclSigner(encodeSeed(new Uint8Array(32).fill(1)))
  const message = ascii('batch')
  const good = signer.sign(message)
  assert.equal(naclVerifier.verify(message, good.slice(0, 63), signer.publicKey), false)
  assert.equal(naclVerifier.verify(message, good, signer.publicKey.slice(1)), false)
  assert.equal(naclVerifier.verify(ascii('botch'), good, signer.publicKey), false)
  // S + L is the same point, and a signature nobody made.
  const order = hex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
  const malleated = good.slice()
  for (let i = 0, carry = 0; i < 32; i++) {
    const sum = malleated[32 + i]! + order[i]! + carry
    malleated[32 + i] = sum & 255
    carry = sum >> 8
  }
  assert.equal(naclVerifier.verify(message, malleated, signer.publicKey), false)
})

const slugs: readonly [host: string, id: string][] = [
  ['web-1', 'web-1'],
  ['Web_1.example.org', 'web-1'],
  ['-édge-', 'dge'],
  ['', 'agent'],
  ['...', 'agent'],
  ['a'.repeat(80), 'a'.repeat(64)],
]
for (const [host, id] of slugs)
  test(`agentIdFromHostName("${host}") is ${id}`, () => assert.equal(agentIdFromHostName(host), id))

test('every host name gives valid agent ids', () => {
  fc.assert(
    fc.property(fc.string(), keys, (host, raw) => {
      assert.ok(isAgentId(agentIdFromHostName(host)))
      assert.ok(isAgentId(agentIdFor(host, encodePublicKey(raw))))
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { naclVerifier } from '../identity/mod.ts'
import { encodeHeader } from './header.ts'
import {
  BatchError,
  type BatchErrorCode,
  type BatchHeader,
  checkAgent,
  DEFAULT_BATCH_LIMITS,
  decodeBatch,
  readHeader,
  verifyBatch,
} from './mod.ts'
import { newEncoder, signer, stored, zstd } from './testing/arbitraries.ts'

const HEADER: BatchHeader = {
  version: 1,
  agent: 'web-1',
  epoch: 1_700_000_000_000,
  sequence: 70_000,
  base: 69_990,
  previousHash: Uint8Array.from({ length: 32 }, (_, i) => i),
  compressedBytes: 3,
  inflatedBytes: 300,
  minTimeMs: -5,
  maxTimeMs: 1_700_000_300_000,
  sampleCount: 24,
}

const envelope = (header: BatchHeader): Uint8Array => {
  const head = encodeHeader(header)
  const bytes = new Uint8Array(head.length + header.compressedBytes + 64)
  bytes.set(head)
  return bytes
}

function signed(): { readonly bytes: Uint8Array; readonly header: BatchHeader } {
  const encoder = newEncoder({ signer })
  encoder.missed({ target: 'node', fromMs: 0, toMs: 0, intervalMs: 1000, reason: 'shutdown' })
  return encoder.seal()!
}

const throwsCode = (run: () => unknown, code: BatchErrorCode): void =>
  assert.throws(run, (error) => error instanceof BatchError && error.code === code)

test('readHeader() undoes encodeHeader()', () => assert.deepEqual(readHeader(envelope(HEADER)), HEADER))

test('encodeHeader() writes these bytes', () => {
  assert.equal(
    Buffer.from(encodeHeader(HEADER)).toString('hex'),
    [
      '484201', // HB, version 1
      '8a', // array of 10
      '657765622d31', // agent
      '1b0000018bcfe56800', // epoch
      '1a00011170', // sequence
      '1a00011166', // base
      '5820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', // hash
      '03', // compressed
      '19012c', // inflated
      '24', // -5
      '1b0000018bcfe9fbe0', // max time
      '1818', // samples
    ].join(''),
  )
})

const refused: readonly [name: string, code: BatchErrorCode, bytes: () => Uint8Array][] = [
  ['nothing', 'bad-length', () => new Uint8Array(0)],
  ['66 bytes', 'bad-length', () => envelope(HEADER).subarray(0, 66)],
  ['another magic', 'bad-magic', () => envelope(HEADER).with(0, 0x47)],
  ['version 2', 'unknown-version', () => envelope(HEADER).with(2, 2)],
  ['a missing byte', 'bad-length', () => envelope(HEADER).slice(0, -1)],
  ['an extra byte', 'bad-length', () => new Uint8Array([...envelope(HEADER), 0])],
  ['a bad agent id', 'bad-payload', () => envelope({ ...HEADER, agent: 'Web' })],
  ['a base after itself', 'bad-payload', () => envelope({ ...HEADER, base: HEADER.sequence + 1 })],
  ['a reversed time range', 'bad-payload', () => envelope({ ...HEADER, minTimeMs: 2e12 })],
  ['a short hash', 'bad-payload', () => envelope({ ...HEADER, previousHash: new Uint8Array(31) })],
  ['65 MiB to inflate', 'too-large', () => envelope({ ...HEADER, inflatedBytes: 65 << 20 })],
  ['5 million samples', 'too-large', () => envelope({ ...HEADER, sampleCount: 5_000_000 })],
  ['9 fields', 'bad-payload', () => envelope(HEADER).with(3, 0x89)],
]
for (const [name, code, bytes] of refused)
  test(`readHeader() refuses ${name}: ${code}`, () => throwsCode(() => readHeader(bytes()), code))

test('readHeader() refuses more bytes than the limit before it looks', () =>
  throwsCode(() => readHeader(envelope(HEADER), { ...DEFAULT_BATCH_LIMITS, maxBatchBytes: 100 }), 'too-large'))

test('verifyBatch() accepts what the agent signed, and no changed byte', () => {
  const { bytes, header } = signed()
  assert.deepEqual(verifyBatch(bytes, signer.publicKey, naclVerifier), header)
  for (let i = 0; i < bytes.length; i++) {
    const changed = bytes.with(i, bytes[i]! ^ 1)
    assert.throws(() => verifyBatch(changed, signer.publicKey, naclVerifier), BatchError)
  }
  throwsCode(() => verifyBatch(bytes, new Uint8Array(32).fill(9), naclVerifier), 'bad-signature')
})

test("checkAgent() refuses another agent's batch", () => {
  const { header } = signed()
  checkAgent(header, 'web-1')
  throwsCode(() => checkAgent(header, 'web-2'), 'identity-mismatch')
})

test('decodeBatch() refuses a payload that inflates to other than it declares', () => {
  const { bytes } = signed()
  const longer = { ...zstd, decompress: (payload: Uint8Array) => new Uint8Array([...stored.decompress(payload, 0), 0]) }
  throwsCode(() => decodeBatch(bytes, null, longer), 'bad-payload')
  const failing = {
    ...zstd,
    decompress: () => {
      throw new Error('zstd says no')
    },
  }
  throwsCode(() => decodeBatch(bytes, null, failing), 'bad-payload')
})

test('arbitrary bytes are refused with a BatchError', () => {
  const good = signed().bytes
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 5 })
  const damaged = fc.tuple(changes, fc.nat(good.length)).map(([list, length]) => {
    const bytes = good.slice()
    for (const [at, value] of list) bytes[at] = value
    return length % 3 === 0 ? bytes : bytes.subarray(0, length)
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), (bytes) => {
      for (const read of [
        () => readHeader(bytes),
        () => decodeBatch(bytes, null, zstd),
        () => verifyBatch(bytes, signer.publicKey, { verify: () => false }),
      ])
        try {
          read()
        } catch (error) {
          assert.ok(error instanceof BatchError, String((error as Error).stack))
        }
    }),
    { numRuns: 1000 },
  )
})

/**
 * The envelope of a batch:
 *
 *     ┌──────────┬─────────┬───────────────────────┬──────────────────────┬──────────────────────┐
 *     │ magic    │ version │ header                │ payload              │ signature            │
 *     │ 2 bytes  │ 1 byte  │ CBOR array of 10      │ zstd, compressedBytes│ 64 bytes, Ed25519    │
 *     │ 'H' 'B'  │ 1       │ in BatchHeader's order│                      │ of all bytes before  │
 *     └──────────┴─────────┴───────────────────────┴──────────────────────┴──────────────────────┘
 *
 * A reader goes by it in this order: `readHeader` (cheap: is it whole, is it ours), `verifyBatch`, then drops what it
 * has by (agent, epoch, sequence), and only then `decodeBatch` inflates.
 */
import { SIGNATURE_BYTES, type Verifier } from '../identity/mod.ts'
import { isAgentId } from '../subjects/mod.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import {
  readArray,
  readBytes,
  readInteger,
  readText,
  readUnsigned,
  writeArray,
  writeBytes,
  writeInteger,
  writeText,
} from './cbor.ts'
import { BatchError } from './errors.ts'
import { type BatchLimits, DEFAULT_BATCH_LIMITS } from './limits.ts'
import type { BatchHeader } from './types.ts'

export const MAGIC = [0x48, 0x42] as const
export const VERSION = 1
export const HASH_BYTES = 32
const FIELD_COUNT = 10
const PREFIX_BYTES = MAGIC.length + 1
const MAX_HEADER_BYTES = 512

/** Magic, version and header: what stands before the payload. */
export function encodeHeader(header: BatchHeader): Uint8Array {
  const out = new ByteWriter(256)
  for (const byte of MAGIC) out.byte(byte)
  out.byte(header.version)
  writeArray(out, FIELD_COUNT)
  writeText(out, header.agent)
  writeInteger(out, header.epoch)
  writeInteger(out, header.sequence)
  writeInteger(out, header.base)
  writeBytes(out, header.previousHash)
  writeInteger(out, header.compressedBytes)
  writeInteger(out, header.inflatedBytes)
  writeInteger(out, header.minTimeMs)
  writeInteger(out, header.maxTimeMs)
  writeInteger(out, header.sampleCount)
  return out.bytes()
}

/**
 * Reads the header and checks that the message is as long as it says. Nothing is trusted yet: the agent's name is what
 * tells which public key `verifyBatch` needs.
 * @throws BatchError bad-magic, unknown-version, bad-length, too-large, bad-payload
 */
export function readHeader(bytes: Uint8Array, limits: BatchLimits = DEFAULT_BATCH_LIMITS): BatchHeader {
  return splitBatch(bytes, limits).header
}

/**
 * @param publicKey raw 32 bytes
 * @throws BatchError bad-signature, and all of `readHeader`
 */
export function verifyBatch(
  bytes: Uint8Array,
  publicKey: Uint8Array,
  verifier: Verifier,
  limits: BatchLimits = DEFAULT_BATCH_LIMITS,
): BatchHeader {
  const { header } = splitBatch(bytes, limits)
  const end = bytes.length - SIGNATURE_BYTES
  if (!verifier.verify(bytes.subarray(0, end), bytes.subarray(end), publicKey))
    throw new BatchError(
      'bad-signature',
      `Cannot accept batch ${header.sequence} of agent "${header.agent}": its signature does not match the enrolled key`,
      { offset: end },
    )
  return header
}

/** The name on the subject (or connection) must be the name under the signature. @throws BatchError identity-mismatch */
export function checkAgent(header: BatchHeader, agent: string): void {
  if (header.agent === agent) return
  throw new BatchError(
    'identity-mismatch',
    `Cannot accept batch ${header.sequence}: it is signed by agent "${header.agent}" and came as agent "${agent}"`,
  )
}

/** Header and compressed payload (borrowed from `bytes`). */
export function splitBatch(
  bytes: Uint8Array,
  limits: BatchLimits,
): { readonly header: BatchHeader; readonly payload: Uint8Array } {
  checkPrefix(bytes)
  if (bytes.length > limits.maxBatchBytes)
    throw new BatchError(
      'too-large',
      `Cannot accept a batch of ${bytes.length} bytes: at most ${limits.maxBatchBytes} are allowed (maxBatchBytes)`,
    )
  const input = new ByteReader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + MAX_HEADER_BYTES), 'batch header')
  const header = readFields(input)
  const start = PREFIX_BYTES + input.offset
  const expected = start + header.compressedBytes + SIGNATURE_BYTES
  if (expected !== bytes.length)
    throw new BatchError(
      'bad-length',
      `Cannot read batch ${header.sequence} of agent "${header.agent}": expected ${expected} bytes, got ${bytes.length}`,
    )
  checkDeclared(header, limits)
  return { header, payload: bytes.subarray(start, start + header.compressedBytes) }
}

function checkPrefix(bytes: Uint8Array): void {
  if (bytes.length < PREFIX_BYTES + SIGNATURE_BYTES)
    throw new BatchError('bad-length', `Cannot read a batch of ${bytes.length} bytes: it is shorter than any batch`)
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1])
    throw new BatchError('bad-magic', 'Cannot read a batch: it does not start with "HB"', { offset: 0 })
  if (bytes[2] !== VERSION)
    throw new BatchError(
      'unknown-version',
      `Cannot read a batch of version ${bytes[2]}: this program reads version ${VERSION}; update it`,
      { offset: 2 },
    )
}

function readFields(input: ByteReader): BatchHeader {
  if (readArray(input) !== FIELD_COUNT) input.fail(`expected ${FIELD_COUNT} fields`)
  const agent = readText(input, 64)
  if (!isAgentId(agent)) input.fail('the agent id is not valid')
  const header: BatchHeader = {
    version: VERSION,
    agent,
    epoch: readUnsigned(input),
    sequence: readUnsigned(input),
    base: readUnsigned(input),
    previousHash: readBytes(input).slice(),
    compressedBytes: readUnsigned(input),
    inflatedBytes: readUnsigned(input),
    minTimeMs: readInteger(input),
    maxTimeMs: readInteger(input),
    sampleCount: readUnsigned(input),
  }
  if (header.previousHash.length !== HASH_BYTES) input.fail(`the hash must have ${HASH_BYTES} bytes`)
  if (header.base > header.sequence) input.fail('the base comes after the batch')
  if (header.minTimeMs > header.maxTimeMs) input.fail('its time range is reversed')
  return header
}

function checkDeclared(header: BatchHeader, limits: BatchLimits): void {
  const check = (value: number, limit: number, what: string, setting: string): void => {
    if (value > limit)
      throw new BatchError(
        'too-large',
        `Cannot accept batch ${header.sequence} of agent "${header.agent}": ${value} ${what}, at most ${limit} are allowed (${setting})`,
      )
  }
  check(header.inflatedBytes, limits.maxInflatedBytes, 'inflated bytes', 'maxInflatedBytes')
  check(header.sampleCount, limits.maxSamples, 'samples', 'maxSamples')
}

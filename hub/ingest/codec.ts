/** The batch codec as ingest uses it: protocol/batch, with the runtime's primitives bound. */
import {
  type BatchLimits,
  type Compressor,
  checkAgent,
  DEFAULT_BATCH_LIMITS,
  decodeBatch,
  type Hasher,
  type Keyframe,
  readHeader,
  verifyBatch,
  withoutDefinitions,
} from '../../protocol/batch/mod.ts'
import type { BatchHeader, DecodedBatch } from '../../protocol/batch/types.ts'
import type { Verifier } from '../../protocol/identity/mod.ts'

export type DecodedKeyframe = Keyframe

/** `keyframe` is what later batches are decoded against; null when the batch is none. */
export type Decoded = { readonly batch: DecodedBatch; readonly keyframe: DecodedKeyframe | null }

/** All throw `BatchError`, but `hash`. */
export interface BatchCodec {
  readHeader(bytes: Uint8Array): BatchHeader
  checkAgent(header: BatchHeader, agent: string): void
  verify(bytes: Uint8Array, publicKey: Uint8Array): void
  /** @param keyframe null for a batch that is one */
  decode(bytes: Uint8Array, keyframe: DecodedKeyframe | null): Decoded
  hash(bytes: Uint8Array): Uint8Array
}

export type CodecPrimitives = {
  readonly verifier: Verifier
  readonly compressor: Compressor
  readonly hasher: Hasher
}

export function createBatchCodec(primitives: CodecPrimitives, limits: BatchLimits = DEFAULT_BATCH_LIMITS): BatchCodec {
  const { verifier, compressor, hasher } = primitives
  return {
    readHeader: (bytes) => readHeader(bytes, limits),
    checkAgent,
    verify: (bytes, publicKey) => void verifyBatch(bytes, publicKey, verifier, limits),
    decode(bytes, base) {
      const { keyframe, ...batch } = decodeBatch(bytes, base, compressor, limits)
      // The definitions become refs of the head; as strings they would be most of what a keyframe weighs.
      return { batch, keyframe: keyframe ? withoutDefinitions(keyframe) : null }
    },
    hash: (bytes) => hasher.sha256(bytes),
  }
}

/**
 * The batch: how scrapes travel from agent to hub, exactly once and accounted for. `types.ts` is the contract,
 * `header.ts` the envelope, `sections.ts` the payload; `encoder.ts` is the agent's side and `decoder.ts` the hub's.
 */
export { type Cursor, decodeAck, decodeCursor, encodeAck, encodeCursor } from './acks.ts'
export type { Compressor, Hasher } from './compressor.ts'
export { type DecodeResult, decodeBatch } from './decoder.ts'
export { BatchEncoder, type BatchEncoderOptions, type SealedBatch } from './encoder.ts'
export { BatchError, type BatchErrorCode } from './errors.ts'
export { checkAgent, HASH_BYTES, readHeader, VERSION as BATCH_VERSION, verifyBatch } from './header.ts'
export { type Keyframe, type KeyframeTarget, withoutDefinitions } from './keyframe.ts'
export { type BatchLimits, DEFAULT_BATCH_LIMITS, MAX_TIME_MS } from './limits.ts'
export { SequenceSet } from './sequence-set.ts'
export { isTargetEnd } from './target-end.ts'
export type {
  Ack,
  BatchHeader,
  DecodedBatch,
  MissedSlots,
  MissReason,
  SampleSink,
  Scrape,
  SequenceInterval,
  SeriesDefinition,
  SeriesId,
} from './types.ts'

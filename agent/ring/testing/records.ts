/** Batches for tests of the ring: bytes that say what they are, so that a mix-up is seen. */
import type { RingGroup, RingRecord } from '../../../protocol/env/mod.ts'

export const INTERVAL_MS = 5000
export const START_MS = 1_700_000_000_000

/** Batch n covers slot n of target "a" and holds 10 samples; every `keyframeEvery`th is a keyframe. */
export function record(options: {
  readonly epoch: number
  readonly sequence: number
  readonly sizeBytes?: number
  readonly keyframeEvery?: number
}): RingRecord {
  const { epoch, sequence, sizeBytes = 10_000, keyframeEvery = 20 } = options
  const slotMs = START_MS + sequence * INTERVAL_MS
  const bytes = recordBytes(epoch, sequence, sizeBytes)
  return {
    epoch,
    sequence,
    base: sequence - (sequence % keyframeEvery),
    sizeBytes: bytes.length,
    sampleCount: 10,
    minTimeMs: slotMs,
    maxTimeMs: slotMs,
    sealedMs: slotMs + 100,
    covered: [{ target: 'a', fromMs: slotMs, toMs: slotMs, intervalMs: INTERVAL_MS }],
    missed: [],
    bytes,
  }
}

export function recordBytes(epoch: number, sequence: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  let state = (epoch % 1_000_003) * 31 + sequence * 7919 + 1
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

export function group(...records: RingRecord[]): RingGroup {
  const last = records[records.length - 1]
  return {
    records,
    announced: [],
    lastSlots: last ? [{ target: 'a', slotMs: last.maxTimeMs, intervalMs: INTERVAL_MS }] : [],
    dictionaries: [],
  }
}

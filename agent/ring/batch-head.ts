/** A head read from the batch itself: what salvage falls back to. Its slots are not known then. */
import { readHeader } from '../../protocol/batch/mod.ts'
import type { HeadReader } from './salvage.ts'

export const readBatchHead: HeadReader = (bytes) => {
  try {
    const h = readHeader(bytes)
    return {
      epoch: h.epoch,
      sequence: h.sequence,
      base: h.base,
      sizeBytes: bytes.length,
      sampleCount: h.sampleCount,
      minTimeMs: h.minTimeMs,
      maxTimeMs: h.maxTimeMs,
      sealedMs: h.maxTimeMs,
      covered: [],
      missed: [],
    }
  } catch {
    return null
  }
}

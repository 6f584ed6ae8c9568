/** The agent's durable ring of sealed batches, and the recorder that fills it. */

export { readBatchHead } from './batch-head.ts'
export { RingEngine } from './engine.ts'
export { MemoryRingFiles } from './memory.ts'
export { Recorder, type RecorderOptions, type RecorderStats } from './recorder.ts'
export type { HeadRow } from './rows.ts'
export type { HeadReader } from './salvage.ts'
export { GROUP_DEFAULTS, type GroupOptions, RingService } from './service.ts'
export { mergeGaps, SlotRuns } from './slot-runs.ts'
export { RingDamage, type RingFiles, type RingTables, ringChecksum, type SalvageSource, verified } from './tables.ts'

/** Below this the write-ahead log's share leaves too little for batches. */
export const RING_CAP_BYTES_MIN = 8_000_000

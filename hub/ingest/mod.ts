/** Ingest: the only writer of the head. Everything that is stored comes through here, and is durable when it says so. */
export type { KnownAgent } from './batches.ts'
export {
  createCheckpointThread,
  type FromCheckpoint,
  ThreadCheckpointer,
  type ToCheckpoint,
} from './checkpoint-thread.ts'
export { CheckpointCopier, type Checkpointer, type CheckpointRecord, type PageCopies } from './checkpointer.ts'
export { createIngest, type Ingest, IngestFailedError, type IngestOptions } from './client.ts'
export { createBatchCodec } from './codec.ts'
export type { BatchReason, IngestCounters } from './counters.ts'
export { type EngineOptions, IngestEngine } from './engine.ts'
export type { HeadFactory, HeadRestorer, IngestHead } from './head.ts'
export { withIdentity } from './identity-labels.ts'
export type { Gap, GapReason } from './ledger.ts'
export type { BatchAnswer, FromIngest, IngestPort, ToIngest } from './messages.ts'
export type { RuleResults } from './records.ts'
export type { WriteAnswer, WriteDecoder } from './remote-write.ts'
export type { AgentStatusOfIngest, IngestStatus } from './status.ts'
export { type IngestWorkerOptions, runIngestWorker } from './worker.ts'
export {
  DEFAULT_CHECKPOINT_BYTES,
  DEFAULT_GROUP_COMMIT_MS,
  DEFAULT_MAX_FUTURE_MS,
  DEFAULT_MAX_SERIES_PER_AGENT,
  type IngestWorkerData,
} from './worker-data.ts'

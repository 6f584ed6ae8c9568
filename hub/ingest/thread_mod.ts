/** The door of the ingest thread, and of whoever runs its engine without the thread. */
export type { KnownAgent } from './batches.ts'
export { ThreadCheckpointer } from './checkpoint-thread.ts'
export type { Checkpointer, CheckpointRecord, PageCopies } from './checkpointer.ts'
export { createBatchCodec } from './codec.ts'
export { type EngineOptions, IngestEngine } from './engine.ts'
export type { HeadFactory, HeadRestorer, IngestHead } from './head.ts'
export { withIdentity } from './identity-labels.ts'
export type { FromIngest, IngestPort, ToIngest } from './messages.ts'
export type { WriteDecoder } from './remote-write.ts'
export { type IngestWorkerOptions, runIngestWorker } from './worker.ts'
export {
  DEFAULT_CHECKPOINT_BYTES,
  DEFAULT_GROUP_COMMIT_MS,
  DEFAULT_MAX_FUTURE_MS,
  DEFAULT_MAX_SERIES_PER_AGENT,
  type IngestWorkerData,
} from './worker-data.ts'

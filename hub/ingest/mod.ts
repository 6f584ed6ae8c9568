/**
 * Ingest: the only writer of the head. Everything that is stored comes through here, and is durable when it says so.
 * This is the door for the main thread; what runs in threads of its own has thread_mod.ts and checkpoint_mod.ts, so that
 * no thread loads what another one runs.
 */
export type { KnownAgent } from './batches.ts'
export { createIngest, type Ingest, IngestFailedError, type IngestOptions } from './client.ts'
export type { BatchReason, IngestCounters } from './counters.ts'
export type { EngineOptions, IngestEngine } from './engine.ts'
export type { Gap, GapReason } from './ledger.ts'
export type { BatchAnswer } from './messages.ts'
export type { RuleResults } from './records.ts'
export type { WriteDecoder, WritePreparer } from './remote-write.ts'
export type { AgentStatusOfIngest, IngestStatus } from './status.ts'
export type { IngestWorkerData } from './worker-data.ts'
export type { WriteAnswer } from './write-answer.ts'

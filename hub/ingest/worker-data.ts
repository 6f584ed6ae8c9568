/** What the ingest thread is started with: plain data. */
import type { LogLevel } from '../../protocol/env/mod.ts'
import type { HeadOptions } from '../tsdb/mod.ts'
import type { BatchLimitsOfHub } from './batches.ts'

export type IngestWorkerData = {
  /** The data directory. */
  readonly directory: string
  /** The hub's name in acknowledgements. */
  readonly hub: string
  readonly logLevel: LogLevel
  readonly logFormat: 'logfmt' | 'json'
  readonly limits?: Partial<BatchLimitsOfHub>
  readonly head?: HeadOptions
  /** Of the engine's. */
  readonly startZeroReachMs?: number
  readonly segmentBytes?: number
  readonly checkpointBytes?: number
  /** Free disk space below which nothing is acknowledged; default two segments. */
  readonly reserveBytes?: number
  readonly groupCommitMs?: number
  /** Of a `SyncedEnd`: for threads that follow the log. */
  readonly synced?: SharedArrayBuffer
}

export const DEFAULT_MAX_FUTURE_MS = 10 * 60 * 1000
export const DEFAULT_MAX_SERIES_PER_AGENT = 100_000
export const DEFAULT_CHECKPOINT_BYTES = 256 << 20
/** Long enough for many agents to share a sync, short beside the sync itself. */
export const DEFAULT_GROUP_COMMIT_MS = 2

/** The TSDB's head: recent samples in shared memory, one writer, readers in any thread. */
export type { Cardinality, NamedCount } from './cardinality.ts'
export {
  type Appender,
  AppendResult,
  type ReaderShare,
  type SampleBuffer,
  type SeriesReader,
  type SeriesRef,
  type Shard,
  type SymbolId,
  type TimeRange,
} from './contract.ts'
export { HeadFullError, SnapshotError, StalePagesError, TooManyReadersError } from './errors.ts'
export { createHead, type Head, type HeadDrops, type HeadOptions, type HeadStats, restoreHead } from './head.ts'
export { openReader, type ReaderOptions } from './reader.ts'
export { createSampleBuffer } from './sample-buffer.ts'

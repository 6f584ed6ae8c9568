/** The TSDB's head: recent samples in shared memory, one writer, readers in any thread. */
export {
  AGGREGATE_COLUMNS,
  type AggregateBuffer,
  AggregateColumn,
  ALL_AGGREGATES,
  type ChosenAggregates,
  type ChosenBuffer,
  clearRows,
  createAggregateBuffer,
  createChosenBuffer,
  ensureRows,
  HISTOGRAM_AGGREGATES,
  type StoredAggregates,
} from './aggregates.ts'
export { readBits, viewBits, writeBits } from './bits.ts'
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
export { createHead, headRestorer, restoreHead } from './create-head.ts'
export { DecodedValues } from './decoded-values.ts'
export { HeadFullError, SnapshotError, StalePagesError, TooManyReadersError } from './errors.ts'
export type { Head, HeadDrops, HeadMemory, HeadOptions, HeadStats, SeriesLimit } from './head-contract.ts'
export { decodeHistogram, HistogramEncoder } from './histogram-codec.ts'
export { evictedUntil, evictions, openReader, type ReaderOptions, releaseOwner } from './reader.ts'
export { createSampleBuffer, ensureCapacity } from './sample-buffer.ts'
export { COPY_BYTES_MAX, type Copied, copyPages, SECTION_HEADER_BYTES } from './snapshot.ts'
export { LastTimes, NO_TIMES, timesKeyAfter } from './times-key.ts'

/** The TSDB's head: recent samples in shared memory, one writer, readers in any thread. */
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
export { HeadFullError, SnapshotError, StalePagesError, TooManyReadersError } from './errors.ts'
export { createHead, headRestorer, restoreHead } from './head.ts'
export type { Head, HeadDrops, HeadOptions, HeadStats, SeriesLimit } from './head-contract.ts'
export { decodeHistogram, HistogramEncoder } from './histogram-codec.ts'
export { evictedUntil, openReader, type ReaderOptions, releaseOwner } from './reader.ts'
export { createSampleBuffer, ensureCapacity } from './sample-buffer.ts'
export { COPY_BYTES_MAX, type Copied, copyPages, SECTION_HEADER_BYTES } from './snapshot.ts'

/** Blocks of Prometheus's TSDB as bytes: index, chunks, tombstones, meta.json; read and written, without touching a disk. */
export { ByteCursor } from './byte-cursor.ts'
export { ChunkColumns, ChunkEncoding } from './columns.ts'
export { TsdbFormatError } from './errors.ts'
export { type ChunkMeta, type IndexSeries, TsdbIndex } from './index-reader.ts'
export { type AppendBytes, TsdbIndexWriter } from './index-writer.ts'
export { decodeTsdbMeta, encodeTsdbMeta, isUlid, makeUlid, type TsdbMeta } from './meta.ts'
export {
  CHUNK_HEAD_BYTES,
  checkSegmentHeader,
  chunkRecordBytes,
  decodeChunk,
  encodeChunkRecord,
  openChunkRecord,
  SEGMENT_BYTES_MAX,
  segmentHeader,
  segmentName,
} from './segment.ts'
export { type EncodedChunk, type SampleColumns, SeriesChunker } from './series-chunks.ts'
export { decodeTombstones, emptyTombstones, type Interval, type Tombstones } from './tombstones.ts'
export { type InflateZstd, WalPageReader } from './wal-pages.ts'
export { readWalRecord, type WalVisitor } from './wal-records.ts'

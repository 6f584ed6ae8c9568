/** The hub's write-ahead log: checksummed records, group commit, checkpoints, recovery. */
export { DirectoryLockedError, DiskFullError, FatalDiskError } from './errors.ts'
export { checkpointName, listFiles, segmentName } from './names.ts'
export { type RecordVisitor, scanFile } from './reader.ts'
export { decodeHeaderPage, HEADER_PAGE_BYTES } from './record.ts'
export { CHECKPOINT_END, type Damage, type ReplayReport } from './replay.ts'
export { DiskReserve, type ReserveOptions } from './reserve.ts'
export { type AddRecord, DEFAULT_SEGMENT_BYTES, openWal, type Wal, type WalOptions, type WalStats } from './wal.ts'

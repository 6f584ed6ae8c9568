/** The hub's write-ahead log: checksummed records, group commit, checkpoints, recovery. */
export { CHECKPOINT_END, CheckpointFile, type CheckpointTarget } from './checkpoint-file.ts'
export { DirectoryLockedError, DiskFullError, FatalDiskError } from './errors.ts'
export { checkpointName, listFiles, segmentName } from './names.ts'
export { type RecordVisitor, scanFile } from './reader.ts'
export { decodeHeaderPage, HEADER_PAGE_BYTES } from './record.ts'
export type { Damage, ReplayReport } from './replay.ts'
export { DiskReserve, type ReserveOptions } from './reserve.ts'
export { type AddRecord, DEFAULT_SEGMENT_BYTES, openWal, type Wal, type WalOptions, type WalStats } from './wal.ts'

/** The hub's write-ahead log: checksummed records, group commit, checkpoints, recovery. */
export { DirectoryLockedError, DiskFullError, FatalDiskError } from './errors.ts'
export type { RecordVisitor } from './reader.ts'
export type { Damage, ReplayReport } from './replay.ts'
export { DiskReserve, type ReserveOptions } from './reserve.ts'
export { type AddRecord, DEFAULT_SEGMENT_BYTES, openWal, type Wal, type WalOptions, type WalStats } from './wal.ts'

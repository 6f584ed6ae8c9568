/** Blocks: what the head held, on disk; immutable, checked on every read, behind the same reader as the head. */

export { BlockSet, type VisibleBlocks } from './block-set.ts'
export { ChunkSizes, type ChunkSizesState } from './chunk-sizes.ts'
export type { BlockEnv, BlockMeta, BlockRange, BlockReader, BlockStats, OnDamage } from './contract.ts'
export type { BlockStoreCounters } from './counters.ts'
export { SNAPSHOTS_FOLDER } from './disk-use.ts'
export { BlockDamagedError, type Damage } from './errors.ts'
export { growingHead } from './growing-head.ts'
export {
  type Floors,
  type Hidden,
  hideFromBlock,
  hideFromHead,
  NO_FLOORS,
  NOTHING_HIDDEN,
  type TierFloors,
  type Tombstone,
} from './hiding.ts'
export { decodeIndex } from './index-format.ts'
export { BlockIndex } from './index-reader.ts'
export { mergeReaders } from './merge-readers.ts'
export { metaCopyDamage } from './meta.ts'
export { firstTimeIn } from './next-time.ts'
export { type OpenBlockOptions, openBlock } from './open-block.ts'
export {
  BLOCK_MS,
  type CompactionPlan,
  cutsUntil,
  type DueCuts,
  dueCuts,
  earlyCuts,
  planCompaction,
  planCuts,
  planRetention,
  type RetentionLimits,
  rangeAt,
  rangesOf,
} from './plan.ts'
export { type KeptWindows, longestRetention, retentionFloors } from './retention-floors.ts'
export { RunCache } from './run-cache.ts'
export { countRows, sameTiers } from './series-tiers.ts'
export { decodeShared, encodeShared, type Shared } from './shared-list.ts'
export { BLOCKS_FOLDER, type Snapshot, writeSnapshot } from './snapshot.ts'
export {
  type BlockShare,
  BlockStore,
  type InForce,
  NONE_IN_FORCE,
} from './store.ts'
export {
  type Asked,
  type BlocksDigest,
  type BlocksPort,
  type BlocksState,
  type BlockThreadOptions,
  type FromBlocks,
  runBlockThread,
  type ToBlocks,
} from './thread.ts'
export { deletionOf, TOMBSTONES_FILE, TombstoneFile, tombstonesDamage } from './tombstones.ts'
export { type NewBlock, UNFINISHED, writeBlock, writeBlockInSlices } from './write-block.ts'

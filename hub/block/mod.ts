/** Blocks: what the head held, on disk; immutable, checked on every read, behind the same reader as the head. */

export { BlockSet, type VisibleBlocks } from './block-set.ts'
export { ChunkSizes, type ChunkSizesState } from './chunk-sizes.ts'
export type { BlockEnv, BlockMeta, BlockRange, BlockReader, BlockStats, OnDamage } from './contract.ts'
export { BlockDamagedError } from './errors.ts'
export { growingHead } from './growing-head.ts'
export {
  type Floors,
  type Hidden,
  hideFromBlock,
  hideFromHead,
  NO_FLOORS,
  NOTHING_HIDDEN,
  type Tombstone,
} from './hiding.ts'
export { decodeIndex } from './index-format.ts'
export { BlockIndex } from './index-reader.ts'
export { mergeReaders } from './merge-readers.ts'
export { type OpenBlockOptions, openBlock } from './open-block.ts'
export {
  BLOCK_MS,
  type CompactionPlan,
  planCompaction,
  planCuts,
  planRetention,
  type RetentionLimits,
} from './plan.ts'
export { RunCache } from './run-cache.ts'
export { BLOCKS_FOLDER, type Snapshot, writeSnapshot } from './snapshot.ts'
export {
  type BlockShare,
  BlockStore,
  type BlockStoreCounters,
  type Damage,
  type InForce,
  NONE_IN_FORCE,
} from './store.ts'
export { resolutionOf, type Thinning, thinned } from './thin.ts'
export {
  type BlocksPort,
  type BlocksState,
  type BlockThreadOptions,
  type FromBlocks,
  runBlockThread,
  type ToBlocks,
} from './thread.ts'
export { deletionOf, TOMBSTONES_FILE, TombstoneFile } from './tombstones.ts'
export { type NewBlock, writeBlock, writeBlockInSlices } from './write-block.ts'

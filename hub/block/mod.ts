/** Blocks: what the head held, on disk; immutable, checked on every read, behind the same reader as the head. */
export type { BlockEnv, BlockMeta, BlockRange, BlockReader, BlockStats, OnDamage } from './contract.ts'
export { BlockDamagedError } from './errors.ts'
export { type OpenBlockOptions, openBlock } from './open-block.ts'
export { RunCache } from './run-cache.ts'
export { type NewBlock, writeBlock, writeBlockInSlices } from './write-block.ts'

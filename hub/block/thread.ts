/** The block thread: the one writer of blocks, doing what the main thread decides. Plain data crosses. */

import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import type { ReaderShare, SeriesReader } from '../tsdb/mod.ts'
import type { ChunkSizesState } from './chunk-sizes.ts'
import type { BlockMeta, BlockRange } from './contract.ts'
import type { RetentionLimits } from './plan.ts'
import { writeSnapshot } from './snapshot.ts'
import { BlockStore, type BlockStoreCounters, type Damage, type InForce } from './store.ts'
import { firstTimeFrom } from './write-block.ts'

export type ToBlocks =
  /** Cuts the head's samples in these ranges. */
  | {
      readonly kind: 'cut'
      readonly id: number
      readonly share: ReaderShare
      readonly ranges: readonly BlockRange[]
      readonly inForce: InForce
    }
  /**
   * Retention, then one merge if one is due, else one block written anew without what has expired or is not kept so finely; removes from disk
   * what no query can want any more.
   */
  | {
      readonly kind: 'maintain'
      readonly id: number
      readonly nowMs: number
      readonly limits: RetentionLimits
      readonly blockMs: number
      readonly inForce: InForce
    }
  /** Carries out deletions in one block. */
  | { readonly kind: 'clean'; readonly id: number; readonly inForce: InForce }
  | {
      readonly kind: 'snapshot'
      readonly id: number
      readonly target: string
      /** Null: without the head. */
      readonly share: ReaderShare | null
      readonly blockMs: number
      readonly inForce: InForce
    }
  | { readonly kind: 'close'; readonly id: number }
  /** The head has more pages. For whoever opens it: work that is under way may be waiting for them. */
  | { readonly kind: 'share'; readonly share: ReaderShare }

export type BlocksState = {
  /** Oldest first. */
  readonly blocks: readonly BlockMeta[]
  /** For queries: the first has the say. */
  readonly paths: readonly string[]
  readonly generation: number
  readonly sizeBytes: number
  readonly counters: BlockStoreCounters
  readonly chunkSizes: ChunkSizesState
  readonly damages: readonly Damage[]
  /** Blocks that are not listed any more wait for their removal from disk. */
  readonly hasRetired: boolean
}

export type FromBlocks =
  | { readonly kind: 'ready'; readonly state: BlocksState }
  | { readonly kind: 'done'; readonly id: number; readonly state: BlocksState; readonly isMore: boolean }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string; readonly state: BlocksState }

export type BlockThreadOptions = {
  readonly disk: Disk
  readonly compressor: Compressor
  readonly log: Logger
  readonly directory: string
  readonly openHead: (share: ReaderShare) => SeriesReader
}

export interface BlocksPort {
  post(message: FromBlocks): void
  onMessage(fn: (message: ToBlocks) => void): void
}

/** Resolves when asked to close. @throws DiskError when the directory cannot be read */
export function runBlockThread(port: BlocksPort, options: BlockThreadOptions): Promise<void> {
  const store = BlockStore.open(options)
  return new Promise((resolve) => {
    port.onMessage((message) => {
      if (message.kind === 'share') return
      if (message.kind === 'close') {
        store.sweep()
        port.post({ kind: 'done', id: message.id, state: stateOf(store), isMore: false })
        resolve()
        return
      }
      try {
        const isMore = work(store, message, options)
        port.post({ kind: 'done', id: message.id, state: stateOf(store), isMore })
      } catch (error) {
        // A full disk, most of all: what was there is untouched, and it is tried again.
        port.post({ kind: 'failed', id: message.id, message: (error as Error).message, state: stateOf(store) })
      }
    })
    port.post({ kind: 'ready', state: stateOf(store) })
  })
}

type Work = Exclude<ToBlocks, { kind: 'close' | 'share' }>

function work(store: BlockStore, message: Work, options: BlockThreadOptions): boolean {
  switch (message.kind) {
    case 'cut':
      return cut(store, message, options)
    case 'maintain':
      return maintain(store, message)
    case 'clean':
      return store.clean(message.inForce)
    case 'snapshot':
      snapshot(store, message, options)
      return false
  }
}

function cut(store: BlockStore, message: ToBlocks & { kind: 'cut' }, { openHead }: BlockThreadOptions): boolean {
  const reader = openHead(message.share)
  try {
    let nextTime = Number.NEGATIVE_INFINITY
    for (const range of message.ranges) {
      if (range.maxTime <= nextTime) continue
      // One sample of long ago makes a hundred thousand ranges, nearly all of them empty.
      if (!store.cut(reader, range, message.inForce)) nextTime = firstTimeFrom(reader, range.maxTime)
    }
  } finally {
    reader.release()
  }
  return false
}

/** One merge at a time: between two, the main thread may want a cut. */
function maintain(store: BlockStore, message: ToBlocks & { kind: 'maintain' }): boolean {
  const { nowMs, limits, blockMs, inForce } = message
  store.sweep()
  store.applyRetention(limits, nowMs)
  const before = store.counters.compacted
  store.compact(limits.timeMs, blockMs, inForce)
  return store.counters.compacted > before || store.expire(inForce) || store.thin(inForce)
}

function snapshot(
  store: BlockStore,
  { target, share, blockMs, inForce }: ToBlocks & { kind: 'snapshot' },
  { disk, compressor, directory, openHead }: BlockThreadOptions,
): void {
  const head = share && openHead(share)
  try {
    const parts = { directory, blocks: store.list(), head, sequence: store.nextSequence, blockMs, inForce }
    writeSnapshot({ disk, compressor }, target, parts)
  } finally {
    head?.release()
  }
}

function stateOf(store: BlockStore): BlocksState {
  const { paths, generation } = store.share()
  return {
    blocks: store.list(),
    paths,
    generation,
    sizeBytes: store.sizeBytes(),
    counters: { ...store.counters },
    chunkSizes: store.chunkSizes.state,
    damages: store.damages(),
    hasRetired: store.hasRetired,
  }
}

/** The block thread: the one writer of blocks, doing what the main thread decides. Plain data crosses. */

import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import type { ReaderShare, SeriesReader } from '../tsdb/mod.ts'
import type { BlockMeta, BlockRange } from './contract.ts'
import type { RetentionLimits } from './plan.ts'
import { BlockStore, type BlockStoreCounters } from './store.ts'

export type ToBlocks =
  /** Cuts the head's samples in these ranges. */
  | { readonly kind: 'cut'; readonly id: number; readonly share: ReaderShare; readonly ranges: readonly BlockRange[] }
  /** Retention, then one merge if one is due; removes from disk what no query can want any more. */
  | {
      readonly kind: 'maintain'
      readonly id: number
      readonly nowMs: number
      readonly limits: RetentionLimits
      readonly blockMs: number
    }
  | { readonly kind: 'close'; readonly id: number }

export type BlocksState = {
  /** Oldest first. */
  readonly blocks: readonly BlockMeta[]
  /** For queries: the first has the say. */
  readonly paths: readonly string[]
  readonly generation: number
  readonly sizeBytes: number
  readonly counters: BlockStoreCounters
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
      if (message.kind === 'close') {
        store.sweep()
        port.post({ kind: 'done', id: message.id, state: stateOf(store), isMore: false })
        resolve()
        return
      }
      try {
        const isMore = message.kind === 'cut' ? cut(store, message, options) : maintain(store, message)
        port.post({ kind: 'done', id: message.id, state: stateOf(store), isMore })
      } catch (error) {
        // A full disk, most of all: what was there is untouched, and it is tried again.
        port.post({ kind: 'failed', id: message.id, message: (error as Error).message, state: stateOf(store) })
      }
    })
    port.post({ kind: 'ready', state: stateOf(store) })
  })
}

function cut(store: BlockStore, message: ToBlocks & { kind: 'cut' }, { openHead }: BlockThreadOptions): boolean {
  const reader = openHead(message.share)
  try {
    for (const range of message.ranges) store.cut(reader, range)
  } finally {
    reader.release()
  }
  return false
}

/** One merge at a time: between two, the main thread may want a cut. */
function maintain(store: BlockStore, { nowMs, limits, blockMs }: ToBlocks & { kind: 'maintain' }): boolean {
  store.sweep()
  store.applyRetention(limits, nowMs)
  const before = store.counters.compacted
  store.compact(limits.timeMs, blockMs)
  return store.counters.compacted > before
}

function stateOf(store: BlockStore): BlocksState {
  const { paths, generation } = store.share()
  return { blocks: store.list(), paths, generation, sizeBytes: store.sizeBytes(), counters: { ...store.counters } }
}

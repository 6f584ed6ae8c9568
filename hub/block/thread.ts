/** The block thread: the one writer of blocks, doing what the main thread decides. Plain data crosses. */

import type { Compressor } from '../../protocol/batch/mod.ts'
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import type { ReaderShare, SeriesReader } from '../tsdb/mod.ts'
import type { ChunkSizesState } from './chunk-sizes.ts'
import type { BlockMeta } from './contract.ts'
import type { BlockStoreCounters } from './counters.ts'
import { bytesBesideBlocks } from './disk-use.ts'
import type { Damage } from './errors.ts'
import type { Floors, Tombstone } from './hiding.ts'
import { firstTimeIn } from './next-time.ts'
import { type DueCuts, type RetentionLimits, rangeAt } from './plan.ts'
import { encodeShared, type Shared } from './shared-list.ts'
import { writeSnapshot } from './snapshot.ts'
import { BlockStore, type InForce } from './store.ts'
import { isOpenIn } from './tombstones.ts'

/** `InForce` as it is asked for: deletions, of which there may be ten thousand, come with the question that follows a change. */
export type Asked = {
  /** Undefined: those of the question before. */
  readonly tombstones: readonly Tombstone[] | undefined
  readonly floors: Floors
  readonly deletes: number
}

/** None of them grows with what is stored: what the main thread posts, it pays for. */
export type ToBlocks =
  /** Cuts the head's samples in the ranges that are due. */
  | {
      readonly kind: 'cut'
      readonly id: number
      readonly share: ReaderShare
      /** Null: none are. */
      readonly due: DueCuts | null
      readonly asked: Asked
    }
  /**
   * Retention, then one merge if one is due, else one block written anew without what has expired, or with
   * downsampled windows; removes from disk what no query can want any more.
   */
  | {
      readonly kind: 'maintain'
      readonly id: number
      readonly nowMs: number
      /** Of all that is stored: what is not blocks counts against the size. */
      readonly limits: RetentionLimits
      readonly blockMs: number
      readonly asked: Asked
    }
  /** Carries out deletions in one block. */
  | { readonly kind: 'clean'; readonly id: number; readonly asked: Asked }
  | {
      readonly kind: 'snapshot'
      readonly id: number
      readonly target: string
      /** Null: without the head. */
      readonly share: ReaderShare | null
      readonly blockMs: number
      readonly asked: Asked
    }
  | { readonly kind: 'close'; readonly id: number }
  /** The head has more pages. For whoever opens it: work that is under way may be waiting for them. */
  | { readonly kind: 'share'; readonly share: ReaderShare }

/** What is told after each answer; it does not grow with the number of blocks. */
export type BlocksDigest = {
  /** Grows with every change of the blocks. */
  readonly generation: number
  readonly count: number
  /** ms; 0 without blocks. */
  readonly oldestTime: number
  /** Of the newest sample that a block may hold; -Infinity without blocks. */
  readonly newestTime: number
  readonly sizeBytes: number
  /** In all blocks together. */
  readonly symbols: number
  readonly counters: BlockStoreCounters
  readonly chunkSizes: ChunkSizesState
  /** Blocks that are not listed any more wait for their removal from disk. */
  readonly hasRetired: boolean
  /** For queries; both as in `VisibleBlocks`. */
  readonly paths: Shared<{ readonly paths: readonly string[]; readonly deletes: readonly number[] }>
  /** Oldest first. */
  readonly list: Shared<readonly BlockMeta[]>
  readonly damages: Shared<readonly Damage[]>
}

/** What others ask the main thread for: the list is read when somebody looks at it. */
export type BlocksState = BlocksDigest & { readonly blocks: readonly BlockMeta[] }

export type FromBlocks =
  | { readonly kind: 'ready'; readonly digest: BlocksDigest }
  | {
      readonly kind: 'done'
      readonly id: number
      readonly digest: BlocksDigest
      readonly isMore: boolean
      /** Of the deletions up to `newestDelete`, those (`Tombstone.id`) that a block may still show. */
      readonly openDeletes: readonly number[]
      readonly newestDelete: number
    }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string; readonly digest: BlocksDigest }

export type BlockThreadOptions = {
  readonly disk: Disk
  readonly compressor: Compressor
  readonly log: Logger
  /** Of the blocks, in that of all data. */
  readonly directory: string
  readonly openHead: (share: ReaderShare) => SeriesReader
}

export interface BlocksPort {
  post(message: FromBlocks): void
  onMessage(fn: (message: ToBlocks) => void): void
}

/** Resolves when asked to close. @throws DiskError when the directory cannot be read */
export function runBlockThread(port: BlocksPort, options: BlockThreadOptions): Promise<void> {
  const thread = new BlockThread(options)
  return new Promise((resolve) => {
    port.onMessage((message) => {
      if (message.kind === 'share') return
      port.post(thread.answer(message))
      if (message.kind === 'close') resolve()
    })
    port.post({ kind: 'ready', digest: thread.digest() })
  })
}

type Question = Exclude<ToBlocks, { kind: 'share' }>
type Work = Exclude<Question, { kind: 'close' }>

class BlockThread {
  readonly #options: BlockThreadOptions
  readonly #store: BlockStore
  #tombstones: readonly Tombstone[] = []
  #lists: { readonly version: string; readonly told: ReturnType<typeof listsOf> } | null = null

  constructor(options: BlockThreadOptions) {
    this.#options = options
    this.#store = BlockStore.open(options)
  }

  answer(message: Question): FromBlocks {
    const { id } = message
    try {
      const isMore = this.#answer(message)
      const newestDelete = this.#tombstones.at(-1)?.id ?? 0
      return { kind: 'done', id, digest: this.digest(), isMore, openDeletes: this.#openDeletes(), newestDelete }
    } catch (error) {
      // A full disk, most of all: what was there is untouched, and it is tried again.
      return { kind: 'failed', id, message: (error as Error).message, digest: this.digest() }
    }
  }

  digest(): BlocksDigest {
    const store = this.#store
    const version = `${store.generation} ${store.damages().length + store.counters.damagesForgotten}`
    if (this.#lists?.version !== version) this.#lists = { version, told: listsOf(store) }
    return {
      ...this.#lists.told,
      generation: store.generation,
      counters: { ...store.counters },
      chunkSizes: store.chunkSizes.state,
      hasRetired: store.hasRetired,
    }
  }

  /** Returns whether there is more to do. */
  #answer(message: Question): boolean {
    if (message.kind === 'close') {
      this.#store.sweep()
      return false
    }
    const inForce = this.#inForce(message)
    switch (message.kind) {
      case 'cut':
        this.#cut(message, inForce)
        return false
      case 'maintain':
        return this.#maintain(message, inForce)
      case 'clean':
        return this.#store.clean(inForce)
      case 'snapshot':
        this.#snapshot(message, inForce)
        return false
    }
  }

  #inForce({ asked: { tombstones, floors, deletes } }: Work): InForce {
    if (tombstones !== undefined) this.#tombstones = tombstones
    return { hidden: { tombstones: this.#tombstones, floors }, deletes }
  }

  #openDeletes(): number[] {
    const blocks = this.#store.list()
    return this.#tombstones.filter((each) => blocks.some((block) => isOpenIn(each, block))).map(({ id }) => id)
  }

  #cut({ share, due }: ToBlocks & { kind: 'cut' }, inForce: InForce): void {
    if (due === null) return
    const reader = this.#options.openHead(share)
    try {
      let nextTime = due.minTime
      for (let range = rangeAt(due, nextTime); range !== null; range = rangeAt(due, nextTime)) {
        const isEmpty = this.#store.cut(reader, range, inForce) === null
        // One sample of long ago makes a hundred thousand ranges, nearly all of them empty.
        nextTime = isEmpty
          ? firstTimeIn(reader, { minTime: range.maxTime, maxTime: due.maxTime }, due.blockMs)
          : range.maxTime
      }
    } finally {
      reader.release()
    }
  }

  /** One merge at a time: between two, the main thread may want a cut. */
  #maintain({ nowMs, limits, blockMs }: ToBlocks & { kind: 'maintain' }, inForce: InForce): boolean {
    const store = this.#store
    store.sweep()
    store.applyRetention(this.#forBlocks(limits), nowMs)
    const before = store.counters.compacted
    store.compact(limits.timeMs, blockMs, inForce, nowMs)
    return store.counters.compacted > before || store.expire(inForce) || store.downsample(inForce, blockMs, nowMs)
  }

  #forBlocks({ timeMs, sizeBytes }: RetentionLimits): RetentionLimits {
    if (sizeBytes === 0) return { timeMs, sizeBytes }
    const { disk, directory } = this.#options
    const ids = new Set(this.#store.list().map(({ id }) => id))
    const others = bytesBesideBlocks(disk, directory.slice(0, directory.lastIndexOf('/')), ids)
    return { timeMs, sizeBytes: Math.max(1, sizeBytes - others) }
  }

  #snapshot({ target, share, blockMs }: ToBlocks & { kind: 'snapshot' }, inForce: InForce): void {
    const { disk, compressor, directory, openHead } = this.#options
    const store = this.#store
    const head = share && openHead(share)
    try {
      const parts = { directory, blocks: store.list(), head, sequence: store.nextSequence, blockMs, inForce }
      writeSnapshot({ disk, compressor }, target, parts)
    } finally {
      head?.release()
    }
  }
}

/** What takes time in proportion to the number of blocks. */
function listsOf(store: BlockStore) {
  const blocks = store.list()
  const { paths } = store.share()
  const deletes = new Map(blocks.map((block) => [block.id, block.deletes ?? 0]))
  return {
    count: blocks.length,
    oldestTime: blocks[0]?.minTime ?? 0,
    newestTime: blocks.reduce((newest, { maxTime }) => Math.max(newest, maxTime - 1), Number.NEGATIVE_INFINITY),
    sizeBytes: store.sizeBytes(),
    symbols: blocks.reduce((sum, { stats }) => sum + stats.symbols, 0),
    paths: encodeShared({
      paths,
      deletes: paths.map((path) => deletes.get(path.slice(path.lastIndexOf('/') + 1)) ?? 0),
    }),
    list: encodeShared(blocks),
    damages: encodeShared(store.damages()),
  }
}

/**
 * The blocks of a query thread. Queries name them by paths; those that were named before are used again, with one
 * bounded cache for all.
 */
import { DecodedValues, type SeriesReader } from '../tsdb/mod.ts'
import { rangeOfId } from './block-names.ts'
import type { BlockEnv, BlockReader, OnDamage } from './contract.ts'
import { seenBlock } from './downsampled-block.ts'
import { BlockDamagedError, type Damage } from './errors.ts'
import { type Hidden, hideFromHead } from './hiding.ts'
import { LazyBlock } from './lazy-block.ts'
import { mergeReaders } from './merge-readers.ts'
import { openBlock } from './open-block.ts'
import { RunCache } from './run-cache.ts'

/** What stands behind the head, and what of all is not to be seen. */
export type VisibleBlocks = {
  /** Of two blocks with a sample at one time, the one that stands first has the say. */
  readonly paths: readonly string[]
  /** By path: `BlockMeta.deletes`. */
  readonly deletes: readonly number[]
  readonly hidden: Hidden
  /** Blocks that were set aside, and are missing from every answer about their time. */
  readonly lost?: readonly Damage[]
}

export type BlockSetOptions = {
  /** For inflated runs and decoded times. */
  readonly cacheBytes: number
  /** For decoded values, 8 bytes a sample. Default 0: each read decodes. */
  readonly valueBytes?: number
  readonly onDamage: OnDamage
  /** Hears at each read, at least once, of what it would need and is damaged. */
  readonly onMissing?: OnDamage
}

export class BlockSet {
  readonly #env: BlockEnv
  readonly #onDamage: OnDamage
  readonly #onMissing: OnDamage
  readonly #blocks = new Map<string, LazyBlock>()
  readonly cache: RunCache
  readonly #values: DecodedValues | null

  constructor(env: BlockEnv, options: BlockSetOptions) {
    this.#env = env
    this.#onDamage = options.onDamage
    this.#onMissing = options.onMissing ?? (() => {})
    const { cacheBytes, valueBytes = 0 } = options
    this.cache = new RunCache(cacheBytes)
    this.#values = valueBytes > 0 ? new DecodedValues(valueBytes) : null
  }

  /**
   * Readers of these blocks in this order, opened when they are first needed (which throws DiskError `ENOENT` for one
   * that is gone); damaged ones are empty. Blocks that are not named are closed, so no query of the thread may be
   * running. Do not close the readers.
   */
  readers(paths: readonly string[]): LazyBlock[] {
    const wanted = new Set(paths)
    for (const [path, block] of this.#blocks) {
      if (wanted.has(path)) continue
      block.close()
      this.#blocks.delete(path)
    }
    return paths.map((path) => this.#block(path))
  }

  /** One reader over the head and these blocks, as `readers`. */
  behind(head: SeriesReader, { paths, deletes, hidden, lost = [] }: VisibleBlocks): SeriesReader {
    const readers = this.readers(paths)
    for (const { matched } of readers) matched.knownWith(hidden.tombstones)
    const blocks = readers.map((block, i) => seenBlock(block, hidden, deletes[i] ?? 0))
    return mergeReaders([hideFromHead(head, hidden), ...blocks, ...lost.map((damage) => this.#lost(damage))])
  }

  close(): void {
    this.readers([])
  }

  #block(path: string): LazyBlock {
    const known = this.#blocks.get(path)
    if (known) return known
    const block = new LazyBlock(rangeOfId(path), () => this.#open(path), this.#onMissing)
    this.#blocks.set(path, block)
    return block
  }

  /** Empty, but for what it says of itself. */
  #lost({ block, piece, why }: Damage): LazyBlock {
    return new LazyBlock(rangeOfId(block), () => new BlockDamagedError(block, piece, why), this.#onMissing)
  }

  #open(path: string): BlockReader | BlockDamagedError {
    try {
      return openBlock(this.#env, path, {
        cache: this.cache,
        ...(this.#values !== null && { values: this.#values }),
        onDamage: this.#onDamage,
        onMissing: this.#onMissing,
      })
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#onDamage(error)
      return error
    }
  }
}

/**
 * The blocks of a query thread. Queries name them by paths; those that were named before are used again, with one
 * bounded cache for all.
 */
import type { SeriesReader } from '../tsdb/mod.ts'
import type { BlockEnv, BlockReader, OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { type Hidden, hideFromBlock, hideFromHead } from './hiding.ts'
import { LazyBlock } from './lazy-block.ts'
import { mergeReaders } from './merge-readers.ts'
import { openBlock } from './open-block.ts'
import { RunCache } from './run-cache.ts'

const ID = /(?:^|\/)(-?\d+)-(-?\d+)-\d+$/

/** What stands behind the head, and what of all is not to be seen. */
export type VisibleBlocks = {
  /** Of two blocks with a sample at one time, the one that stands first has the say. */
  readonly paths: readonly string[]
  /** By path: `BlockMeta.deletes`. */
  readonly deletes: readonly number[]
  readonly hidden: Hidden
}

export type BlockSetOptions = {
  /** For inflated runs and decoded times. */
  readonly cacheBytes: number
  /** For decoded values, 8 bytes a sample. Default 0: each read decodes. */
  readonly valueBytes?: number
  readonly onDamage: OnDamage
}

export class BlockSet {
  readonly #env: BlockEnv
  readonly #onDamage: OnDamage
  readonly #blocks = new Map<string, LazyBlock>()
  readonly cache: RunCache
  readonly values: RunCache
  readonly #keepsValues: boolean

  constructor(env: BlockEnv, options: BlockSetOptions) {
    this.#env = env
    this.#onDamage = options.onDamage
    this.#keepsValues = (options.valueBytes ?? 0) > 0
    this.cache = new RunCache(options.cacheBytes)
    this.values = new RunCache(options.valueBytes ?? 0)
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
  behind(head: SeriesReader, { paths, deletes, hidden }: VisibleBlocks): SeriesReader {
    const blocks = this.readers(paths).map((block, i) => hideFromBlock(block, hidden, deletes[i] ?? 0, block.matched))
    return mergeReaders([hideFromHead(head, hidden), ...blocks])
  }

  close(): void {
    this.readers([])
  }

  #block(path: string): LazyBlock {
    const known = this.#blocks.get(path)
    if (known) return known
    const [, minTime, maxTime] = ID.exec(path) ?? []
    const range = { minTime: Number(minTime ?? 0), maxTime: Number(maxTime ?? 0) }
    const block = new LazyBlock(range, () => this.#open(path))
    this.#blocks.set(path, block)
    return block
  }

  #open(path: string): BlockReader | null {
    try {
      return openBlock(this.#env, path, {
        cache: this.cache,
        ...(this.#keepsValues && { values: this.values }),
        onDamage: this.#onDamage,
      })
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#onDamage(error)
      return null
    }
  }
}

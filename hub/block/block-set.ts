/**
 * The open blocks of a query thread. Queries name the blocks by paths; those that were open before are used again, with
 * one bounded cache for all.
 */
import type { BlockEnv, BlockReader, OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'
import { openBlock } from './open-block.ts'
import { RunCache } from './run-cache.ts'

export class BlockSet {
  readonly #env: BlockEnv
  readonly #onDamage: OnDamage
  readonly #open = new Map<string, BlockReader>()
  /** Not tried again. */
  readonly #damaged = new Set<string>()
  readonly cache: RunCache

  constructor(env: BlockEnv, options: { readonly cacheBytes: number; readonly onDamage: OnDamage }) {
    this.#env = env
    this.#onDamage = options.onDamage
    this.cache = new RunCache(options.cacheBytes)
  }

  /**
   * Readers of these blocks in this order, without the damaged ones; blocks that are not named are closed, so no
   * query of the thread may be running. Do not close the readers.
   * @throws DiskError
   */
  readers(paths: readonly string[]): BlockReader[] {
    const wanted = new Set(paths)
    for (const [path, reader] of this.#open) {
      if (wanted.has(path)) continue
      reader.close()
      this.#open.delete(path)
    }
    for (const path of this.#damaged) if (!wanted.has(path)) this.#damaged.delete(path)
    return paths.flatMap((path) => this.#reader(path) ?? [])
  }

  close(): void {
    this.readers([])
  }

  #reader(path: string): BlockReader | null {
    const known = this.#open.get(path)
    if (known) return known
    if (this.#damaged.has(path)) return null
    try {
      const reader = openBlock(this.#env, path, { cache: this.cache, onDamage: this.#onDamage })
      this.#open.set(path, reader)
      return reader
    } catch (error) {
      if (!(error instanceof BlockDamagedError)) throw error
      this.#damaged.add(path)
      this.#onDamage(error)
      return null
    }
  }
}

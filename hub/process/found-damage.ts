/** Damage of blocks, whoever came upon it: each piece is told of and counted once. */
import type { Logger } from '../../protocol/env/mod.ts'
import { type Damage, decodeShared, type Shared } from '../block/mod.ts'

/** Of the list that is shown; all are counted. */
const DAMAGES_MAX = 1000
/** Lost blocks that each query hears of. */
const LOST_MAX = 100

type OfThread = Shared<readonly Damage[]>

export class FoundDamage {
  readonly #log: Logger
  /** What query workers have found, by `keyOf`. */
  readonly #found = new Map<string, Damage>()
  #uncounted = 0
  #all: { readonly of: OfThread; readonly found: number; readonly damages: readonly Damage[] } | null = null
  #lost: { readonly of: OfThread; readonly blocks: readonly Damage[] } | null = null

  constructor(log: Logger) {
    this.#log = log
  }

  /** A query worker has found something that is not what was written; each of them comes upon it by itself. */
  saw(damage: Damage): void {
    if (this.#found.has(keyOf(damage))) return
    if (this.#found.size < DAMAGES_MAX) this.#found.set(keyOf(damage), damage)
    else this.#uncounted++
    this.#log.error('Damaged data in a block is not served; the rest is', { ...damage })
  }

  /** @param ofThread what the block thread has found */
  all(ofThread: OfThread): readonly Damage[] {
    if (this.#all?.of === ofThread && this.#all.found === this.#found.size) return this.#all.damages
    const byKey = new Map([...decodeShared(ofThread), ...this.#found.values()].map((each) => [keyOf(each), each]))
    this.#all = { of: ofThread, found: this.#found.size, damages: [...byKey.values()] }
    return this.#all.damages
  }

  /** Never less than before. @param forgotten by the block thread, of what it has found */
  count(ofThread: OfThread, forgotten: number): number {
    return this.all(ofThread).length + this.#uncounted + forgotten
  }

  /** Blocks that no query can read, for what is to be said of its answer. */
  lost(ofThread: OfThread): readonly Damage[] {
    if (this.#lost?.of !== ofThread) {
      const blocks = decodeShared(ofThread).filter(({ cost }) => cost === 'block')
      this.#lost = { of: ofThread, blocks: blocks.slice(-LOST_MAX) }
    }
    return this.#lost.blocks
  }
}

const keyOf = ({ block, piece }: Damage): string => `${block}\n${piece}`

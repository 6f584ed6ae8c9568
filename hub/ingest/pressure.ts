/**
 * When memory should be relieved by a cut of blocks before their time: well before nothing more is accepted, for to
 * write a block takes a while. After each relief the mark moves, to where half of the room that it left is used up: so
 * a head that is large because it has many series, which no cut makes fewer, is not cut again and again.
 */
import type { HeadMemory } from '../tsdb/head-contract.ts'

/** Of the memory that may be used, what is free when the first cut begins. */
const FREE_SHARE = 1 / 4

export class MemoryPressure {
  readonly #head: { readonly memory: HeadMemory }
  #markBytes = Number.POSITIVE_INFINITY
  #failures = 0

  constructor(head: { readonly memory: HeadMemory }) {
    this.#head = head
  }

  get isHigh(): boolean {
    const { usedBytes, limitBytes } = this.#head.memory
    // What readers held at a relief is given back later: a mark that was set beyond the limit must not hide that all is refused.
    const markBytes = Math.max(0, Math.min(FREE_SHARE * limitBytes, this.#markBytes))
    return limitBytes - usedBytes <= markBytes || this.isFailing
  }

  /** Something found no room: free memory may be in pieces of the wrong sizes. */
  get isFailing(): boolean {
    return this.#head.memory.failures > this.#failures
  }

  /** Blocks were cut, and what they hold was evicted. */
  relieved(): void {
    const { usedBytes, limitBytes, failures } = this.#head.memory
    this.#markBytes = (limitBytes - usedBytes) / 2
    this.#failures = failures
  }

  /** What found no room so far has been dealt with. */
  begin(): void {
    this.#failures = this.#head.memory.failures
  }
}

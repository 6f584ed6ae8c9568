/**
 * Who does which shard of a query that several threads compute together: a word a shard, behind the other words of the
 * query's flags. The thread that leads does the first and whatever nobody has begun when it comes to it, so that it never
 * waits for a thread that is late.
 *
 *     flags: why it is to stop | owners, one a lane | states, one a shard
 */

import type { WorkerAnswer } from './contract.ts'

/** What became of a shard that another thread began: `put` into the mailbox, too `large` for it, or the thread is `dead`. */
export type ShardEnd = 'put' | 'large' | 'dead'

const FREE = 0
const BEGUN = 1
const ENDS: readonly ShardEnd[] = ['put', 'large', 'dead']
const FIRST_END = 2

/** What one thread knows of the shards that others compute. */
export type SharedShards = {
  /** True: nobody has begun it, and this thread is the one to do it. */
  begin(index: number): boolean
  /** Waits for its end. */
  wait(index: number): ShardEnd
  /** The answer of whoever ended it, when it was `put`. */
  take(index: number): WorkerAnswer
}

/** @param threads that a query has at most */
export const flagBytes = (threads: number): number => 4 * (1 + 2 * threads)

export class ShardStates {
  readonly #words: Int32Array
  readonly #first: number

  constructor(words: Int32Array) {
    this.#words = words
    this.#first = (words.length + 1) >>> 1
  }

  /** Before anybody is told of them. */
  reset(): void {
    this.#words.fill(FREE, this.#first)
  }

  /** True: the caller is the one to do it. */
  begin(index: number): boolean {
    return Atomics.compareExchange(this.#words, this.#first + index, FREE, BEGUN) === FREE
  }

  /** What was written before is visible to whoever learns of it from `wait`. */
  end(index: number, how: ShardEnd): void {
    Atomics.store(this.#words, this.#first + index, FIRST_END + ENDS.indexOf(how))
    Atomics.notify(this.#words, this.#first + index)
  }

  /** Until it has ended. Not on the main thread. */
  wait(index: number): ShardEnd {
    for (;;) {
      const state = Atomics.load(this.#words, this.#first + index) // pairs with the store in `end`
      if (state >= FIRST_END) return ENDS[state - FIRST_END]!
      Atomics.wait(this.#words, this.#first + index, state)
    }
  }
}

/** Each for one shard's answer; what of it is not used takes no memory. */
const MAIL_BYTES = 4 << 20

/** Shared memory that goes from query to query. */
export class Mailboxes {
  readonly #free: SharedArrayBuffer[] = []

  take(count: number): SharedArrayBuffer[] {
    return Array.from({ length: count }, () => this.#free.pop() ?? new SharedArrayBuffer(MAIL_BYTES))
  }

  /** When none of the threads that knew them runs any more. */
  giveBack(mailboxes: readonly SharedArrayBuffer[]): void {
    this.#free.push(...mailboxes)
  }
}

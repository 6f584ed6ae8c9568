/**
 * Who does which shard of a query that several threads compute together: a word a shard, behind the other words of the
 * query's flags. All threads, the leading one too, begin what nobody has begun yet, so that none waits for one that is late;
 * each its own first, the same in all queries, for of those series it has kept what it decoded.
 *
 *     flags: why the query is to stop | owners, one a lane | states, one a shard
 *     state: 0: free; else how it is (0-1), lane + 1 of the thread that began it (2-31)
 */
import type { WorkerAnswer } from './contract.ts'

/** What became of a shard: `put` into its lane's mailbox, too `large` for that, or its thread is `dead`. */
export type ShardEnd = 'put' | 'large' | 'dead'

/** What one thread knows of the shards that others compute. */
export type SharedShards = {
  /** Index of one that this thread is the one to do; -1: all are begun. */
  begin(): number
  /** Waits for its end. */
  wait(index: number): ShardEnd
  /** The answer of whoever ended it, when it was `put`. */
  take(index: number): WorkerAnswer
}

const FREE = 0
const BEGUN = 0
const ENDS: readonly ShardEnd[] = ['put', 'large', 'dead']

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

  /** Index of a shard that the caller is the one to do, of those that are free the first from `own` on; -1: none is. */
  begin(own: number, count: number, lane: number): number {
    for (let i = 0; i < count; i++) {
      const index = (own + i) % count
      if (Atomics.compareExchange(this.#words, this.#first + index, FREE, stateOf(lane, BEGUN)) === FREE) return index
    }
    return -1
  }

  /** What was written before is visible to whoever learns of it from `wait`. */
  end(index: number, lane: number, how: ShardEnd): void {
    Atomics.store(this.#words, this.#first + index, stateOf(lane, 1 + ENDS.indexOf(how)))
    Atomics.notify(this.#words, this.#first + index)
  }

  /** What the thread of the lane has begun it will not end. */
  died(lane: number): void {
    for (let index = 0; this.#first + index < this.#words.length; index++)
      if (Atomics.load(this.#words, this.#first + index) === stateOf(lane, BEGUN)) this.end(index, lane, 'dead')
  }

  /** Until a shard that was begun has ended. Not on the main thread. */
  wait(index: number): { readonly how: ShardEnd; readonly lane: number } {
    for (;;) {
      const state = Atomics.load(this.#words, this.#first + index) // pairs with the store in `end`
      const how = ENDS[(state & 3) - 1]
      if (how !== undefined) return { how, lane: (state >>> 2) - 1 }
      Atomics.wait(this.#words, this.#first + index, state)
    }
  }
}

function stateOf(lane: number, how: number): number {
  return ((lane + 1) << 2) | how
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

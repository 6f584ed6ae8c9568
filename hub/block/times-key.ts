/**
 * Numbers that stand for the times of a read (`SampleBuffer.timesKey`): the same number, the same times. Series of a target
 * are sampled together, and what was computed of the times of one is good for the next, without a look at each time.
 *
 * A read's times are pieces of columns, one behind another; what each piece adds is remembered for a while. Of this thread.
 */

import type { SampleBuffer } from '../tsdb/mod.ts'

/** Of a read that has no samples yet. */
export const NO_TIMES = 1

const SLOTS = 256
const FIELDS = 5
/** Key before, column, from, to; then the key with it. */
const memo = new Float64Array(SLOTS * FIELDS)
let lastKey = NO_TIMES
let lastOfMemory = 0

/**
 * The key of what had `before` with the times [from, to) of a column behind it; 0 when `before` is unknown (0).
 * @param column a number that no other column of this thread has or had
 */
export function timesKeyAfter(before: number, column: number, from: number, to: number): number {
  if (before === 0) return 0
  const at = FIELDS * (Math.abs(before + column + from) % SLOTS)
  if (memo[at] === before && memo[at + 1] === column && memo[at + 2] === from && memo[at + 3] === to)
    return memo[at + 4]!
  memo[at] = before
  memo[at + 1] = column
  memo[at + 2] = from
  memo[at + 3] = to
  // Never one that was given before: what is forgotten is not recognised, and no more than that.
  return (memo[at + 4] = ++lastKey)
}

/** Numbers columns that say nothing of their times: one that is like the last has its number. */
export class LastTimes {
  #times = new Float64Array(0)
  #count = -1
  #column = 0

  columnOf({ times, count }: Pick<SampleBuffer, 'times' | 'count'>): number {
    if (this.#isLast(times, count)) return this.#column
    if (this.#times.length < count) this.#times = new Float64Array(2 * count)
    for (let i = 0; i < count; i++) this.#times[i] = times[i]!
    this.#count = count
    // Those of blocks are not negative.
    this.#column = --lastOfMemory
    return this.#column
  }

  #isLast(times: Float64Array, count: number): boolean {
    const last = this.#times
    if (count !== this.#count) return false
    for (let i = 0; i < count; i++) if (times[i] !== last[i]) return false
    return true
  }
}

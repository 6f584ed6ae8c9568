/**
 * Numbers that stand for the times of a read (`SampleBuffer.timesKey`): the same number, the same times. Series of a target
 * are sampled together, and what was computed of the times of one is good for the next, without a look at each time.
 *
 * A read's times are pieces of columns, one behind another; what each piece adds is remembered for a while. Of this thread.
 */

import type { SampleBuffer } from './contract.ts'

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

/** A number that no other column of this thread has or had. Those of blocks are not negative. */
export function newColumn(): number {
  return --lastOfMemory
}

/** The key of a read while its pieces come: a piece that goes on where the last one ended makes one with it. */
export class TimesTrail {
  #before = NO_TIMES
  #column = 0
  #from = 0
  #to = 0
  /** Columns of the groups of a head. */
  readonly #groups = new Map<number, number>()
  readonly #lastLoose = new LastTimes()

  begin(out: SampleBuffer): void {
    out.timesKey = NO_TIMES
    this.#column = 0
  }

  /** Of the samples that were added, where those before are known. */
  add(out: SampleBuffer, column: number, from: number, to: number): void {
    if (out.timesKey === 0) return
    if (column !== this.#column || from !== this.#to) {
      this.#before = out.timesKey ?? 0
      this.#column = column
      this.#from = from
    }
    this.#to = to
    out.timesKey = timesKeyAfter(this.#before, column, this.#from, to)
  }

  addTicks(out: SampleBuffer, group: number, from: number, to: number): void {
    if (out.timesKey === 0) return
    let column = this.#groups.get(group)
    if (column === undefined) this.#groups.set(group, (column = newColumn()))
    this.add(out, column, from, to)
  }

  /** Those of the buffer from `from` on, which say nothing of themselves. */
  addLoose(out: SampleBuffer, from: number): void {
    if (out.count > from && out.timesKey !== 0) this.add(out, this.#lastLoose.columnOf(out, from), 0, out.count - from)
  }

  /** When ids of groups may have been given out anew. */
  forgetGroups(): void {
    this.#groups.clear()
  }
}

/** Numbers columns that say nothing of their times: one that is like the last has its number. */
export class LastTimes {
  /** Of the last times; 0 where it was not known. */
  #key = 0
  #times = new Float64Array(0)
  #count = -1
  #column = 0

  /**
   * Of the buffer's times from `from` on.
   * @param key theirs, where it is known; else 0
   */
  columnOf({ times, count: end }: Pick<SampleBuffer, 'times' | 'count'>, from = 0, key = 0): number {
    const count = end - from
    if (key !== 0 && key === this.#key) return this.#column
    this.#key = key
    if (this.#isLast(times, from, count)) return this.#column
    if (this.#times.length < count) this.#times = new Float64Array(2 * count)
    for (let i = 0; i < count; i++) this.#times[i] = times[from + i]!
    this.#count = count
    this.#column = newColumn()
    return this.#column
  }

  #isLast(times: Float64Array, from: number, count: number): boolean {
    const last = this.#times
    if (count !== this.#count) return false
    for (let i = 0; i < count; i++) if (times[from + i] !== last[i]) return false
    return true
  }
}

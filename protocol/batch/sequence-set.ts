/**
 * A set of batch sequence numbers as sorted, disjoint, non-adjacent intervals: a hub's cursor, an agent's record of
 * what is acknowledged. Batches arrive nearly in order, so it stays at a handful of intervals; it is bounded all the
 * same, since each interval is a hole that some broken peer could make.
 */
import type { SequenceInterval } from './types.ts'

export class SequenceSet {
  private readonly firsts: number[] = []
  private readonly lasts: number[] = []
  readonly maxIntervals: number

  constructor(intervals: Iterable<SequenceInterval> = [], maxIntervals = 65_536) {
    this.maxIntervals = maxIntervals
    for (const [first, last] of intervals) this.addInterval(first, last)
  }

  get intervalCount(): number {
    return this.firsts.length
  }

  /** How many numbers are in the set. */
  get size(): number {
    let size = 0
    for (let i = 0; i < this.firsts.length; i++) size += this.lasts[i]! - this.firsts[i]! + 1
    return size
  }

  contains(sequence: number): boolean {
    const i = this.indexOf(sequence)
    return i < this.firsts.length && this.firsts[i]! <= sequence
  }

  /** True if `[first, last]` is in the set as a whole. */
  containsInterval(first: number, last: number): boolean {
    const i = this.indexOf(first)
    return i < this.firsts.length && this.firsts[i]! <= first && this.lasts[i]! >= last
  }

  /** False, with nothing changed, when it would need more than `maxIntervals` intervals. */
  add(sequence: number): boolean {
    return this.addInterval(sequence, sequence)
  }

  /**
   * Both ends included. False, with nothing changed, when it would need more than `maxIntervals` intervals.
   * @throws RangeError unless 0 <= first <= last, both safe integers
   */
  addInterval(first: number, last: number): boolean {
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first)
      throw new RangeError(`Cannot add sequences ${first} to ${last}: expected 0 <= first <= last`)
    // Everything from `from` to before `to` touches or overlaps the new interval and melts into it.
    const from = this.indexOf(first - 1)
    let to = from
    while (to < this.firsts.length && this.firsts[to]! <= last + 1) to++
    if (to === from && this.firsts.length >= this.maxIntervals) return false
    const start = to > from ? Math.min(first, this.firsts[from]!) : first
    const end = to > from ? Math.max(last, this.lasts[to - 1]!) : last
    this.firsts.splice(from, to - from, start)
    this.lasts.splice(from, to - from, end)
    return true
  }

  /** Adds all of `other`; false if some of it did not fit. */
  merge(other: SequenceSet): boolean {
    let fits = true
    for (const [first, last] of other.toIntervals()) fits = this.addInterval(first, last) && fits
    return fits
  }

  /** Ascending. */
  toIntervals(): SequenceInterval[] {
    return this.firsts.map((first, i) => [first, this.lasts[i]!])
  }

  /** Index of the first interval that ends at or after `sequence`. */
  private indexOf(sequence: number): number {
    let low = 0
    let high = this.lasts.length
    // Nearly always the last interval, or past it.
    if (high > 0 && this.firsts[high - 1]! <= sequence) return this.lasts[high - 1]! >= sequence ? high - 1 : high
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lasts[middle]! < sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}

/**
 * The buckets of one sign in a histogram sum that is being made: counts and their compensation beside each other in
 * one typed array that is used again. While all that is added has one layout, the buckets are not even numbered.
 */
import type { Span } from '../../../../protocol/samples/mod.ts'
import {
  type BucketList,
  coverOf,
  isPacked,
  listIndices,
  newCounts,
  type PackedBuckets,
  packBuckets,
  sameSpans,
} from './buckets.ts'

const NOTHING = new Float64Array(0)

/** The final counts of the side that is being packed. */
let finals = new Float64Array(256)

/** Of the buckets that are being added, their indices. */
let numbers = new Int32Array(256)

export class Side {
  size = 0
  /** The layout as it came; null once it is one of several joined. */
  #spans: readonly Span[] | null = null
  #isPacked = false
  /** The layout as ascending bucket indices; null until someone asks. */
  #index: readonly number[] | null = null
  /** Counts in the first half, what rounding took from each in the second. */
  #data: Float64Array = NOTHING

  start(spans: readonly Span[], counts: readonly number[]): void {
    const size = coverOf(spans, counts)
    this.#spans = spans
    this.#isPacked = size === counts.length && isPacked(spans)
    this.#index = null
    this.size = size
    if (this.#data.length < 2 * size) this.#data = new Float64Array(2 * size)
    const data = this.#data
    const comps = data.length >> 1
    for (let i = 0; i < size; i++) {
      data[i] = counts[i]!
      data[comps + i] = 0
    }
  }

  /** Hot: bench/hub/native-histograms.bench.ts */
  add(spans: readonly Span[], counts: readonly number[], factor: number): void {
    const size = coverOf(spans, counts)
    if (size === 0) return
    if (size === this.size && this.#spans !== null && sameSpans(this.#spans, spans)) {
      const data = this.#data
      const comps = data.length >> 1
      for (let i = 0; i < size; i++) addAt(data, comps, i, counts[i]! * factor)
    } else {
      this.#include(numberOf(spans, size), size)
      this.#addAll(counts, size, factor)
    }
  }

  addList({ index, count }: BucketList, factor: number): void {
    const size = index.length
    if (size === 0) return
    if (numbers.length < size) numbers = new Int32Array(2 * size)
    for (let i = 0; i < size; i++) numbers[i] = index[i]!
    this.#include(numbers, size)
    this.#addAll(count, size, factor)
  }

  /** Buckets that are all there, numbered in `numbers`. */
  #addAll(counts: readonly number[], size: number, factor: number): void {
    const mine = this.#indices()
    const theirs = numbers
    const data = this.#data
    const comps = data.length >> 1
    for (let i = 0, j = 0; j < size; j++) {
      while (mine[i]! < theirs[j]!) i++
      addAt(data, comps, i, counts[j]! * factor)
    }
  }

  /** Counts as they are, without compensation. */
  list(): BucketList {
    return { index: this.#indices() as number[], count: Array.from(this.#data.subarray(0, this.size)) }
  }

  /** Both halves are put through `change`, which must make the same layout of both. */
  map(change: (list: BucketList) => BucketList): void {
    const comps = this.#data.length >> 1
    const index = this.#indices() as number[]
    const counts = change({ index, count: Array.from(this.#data.subarray(0, this.size)) })
    const lost = change({ index, count: Array.from(this.#data.subarray(comps, comps + this.size)) })
    this.#replace(counts.index, counts.count, lost.count)
  }

  /** Without the first buckets, so that `kept` are left. */
  keepLast(kept: number): void {
    const from = this.size - kept
    if (from === 0) return
    const comps = this.#data.length >> 1
    const data = this.#data
    this.#replace(this.#indices().slice(from), data.slice(from, this.size), data.slice(comps + from, comps + this.size))
  }

  /** One of the two numbers is 1. */
  scale(factor: number, divisor: number): void {
    const data = this.#data
    const comps = data.length >> 1
    for (let i = 0; i < this.size; i++) {
      data[i] = (data[i]! * factor) / divisor
      data[comps + i] = (data[comps + i]! * factor) / divisor
    }
  }

  largest(): number {
    let most = 0
    for (let i = 0; i < this.size; i++) most = Math.max(most, Math.abs(this.#data[i]!))
    return most
  }

  /** Every count divided, its compensation added, times `factor`; without those that are then, or were before, zero. */
  pack(factor: number, divisor: number, keepsEmpty: boolean): PackedBuckets {
    const { size } = this
    if (finals.length < size) finals = new Float64Array(2 * size)
    const out = finals
    const data = this.#data
    const comps = data.length >> 1
    let kept = 0
    for (let i = 0; i < size; i++) {
      let value = data[i]! / divisor + data[comps + i]! / divisor
      if (value !== 0) value *= factor
      if (value !== 0 || keepsEmpty) kept++
      out[i] = value
    }
    if (kept < size || this.#spans === null || !this.#isPacked)
      return packBuckets({ index: this.#indices(), count: out }, keepsEmpty)
    const counts = newCounts(size)
    for (let i = 0; i < size; i++) counts[i] = out[i]!
    return { spans: this.#spans, counts }
  }

  #indices(): readonly number[] {
    this.#index ??= listIndices(this.#spans!, this.size)
    return this.#index
  }

  /** Makes room for those of the `count` buckets that are not there yet. */
  #include(index: Int32Array, count: number): void {
    const mine = this.#indices()
    const { size } = this
    let missing = 0
    for (let i = 0, j = 0; j < count; j++) {
      while (i < size && mine[i]! < index[j]!) i++
      if (i === size || mine[i] !== index[j]) missing++
    }
    if (missing === 0) return
    const before = this.#data
    const compsBefore = before.length >> 1
    const all = new Array<number>(size + missing)
    const data = new Float64Array(2 * all.length)
    for (let i = 0, j = 0, to = 0; to < all.length; to++) {
      const isMine = i < size && (j >= count || mine[i]! <= index[j]!)
      const at = isMine ? mine[i]! : index[j]!
      all[to] = at
      while (j < count && index[j]! <= at) j++
      if (!isMine) continue
      data[to] = before[i]!
      data[all.length + to] = before[compsBefore + i++]!
    }
    this.#take(all, data)
  }

  #replace(index: readonly number[], counts: ArrayLike<number>, comps: ArrayLike<number>): void {
    const data = new Float64Array(2 * index.length)
    data.set(counts)
    data.set(comps, index.length)
    this.#take(index, data)
  }

  #take(index: readonly number[], data: Float64Array): void {
    this.#spans = null
    this.#index = index
    this.#data = data
    this.size = index.length
  }
}

function numberOf(spans: readonly Span[], size: number): Int32Array {
  if (numbers.length < size) numbers = new Int32Array(2 * size)
  let at = 0
  let next = 0
  for (let s = 0; s < spans.length; s++) {
    const span = spans[s]!
    at += span.offset
    for (let i = 0; i < span.length && next < size; i++) numbers[next++] = at++
  }
  return numbers
}

/** Neumaier's addition. */
function addAt(data: Float64Array, comps: number, i: number, value: number): void {
  const sum = data[i]!
  const next = sum + value
  data[i] = next
  if (!Number.isFinite(next)) data[comps + i] = 0
  else data[comps + i]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
}

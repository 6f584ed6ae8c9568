/**
 * Sums of native histograms, compensated like float sums, with differing schemas, zero thresholds, custom bounds and
 * reset hints reconciled on the way. Semantics: Prometheus model/histogram/float_histogram.go, KahanAdd, Add, Sub.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { type BucketList, listBuckets, packBuckets, reduceResolution, usesCustomBuckets } from './buckets.ts'
import { type Sides, trimBelow, zeroCountFor } from './zero.ts'

/** What happened in an addition; 'incompatible' = one exponential, one with custom buckets (nothing was added). */
export type Added = { readonly collision: boolean; readonly reconciled: boolean } | 'incompatible'

type Side = BucketList & { readonly comp: number[] }

export class HistogramAccumulator {
  schema: number
  hint: CounterResetHint
  customValues: readonly number[]
  zeroThreshold: number
  #zeroCount: number
  #zeroComp = 0
  #count: number
  #countComp = 0
  #sum: number
  #sumComp = 0
  #positive: Side
  #negative: Side

  constructor(first: Histogram) {
    this.schema = first.schema
    this.hint = first.counterResetHint
    this.customValues = first.customValues
    this.zeroThreshold = first.zeroThreshold
    this.#zeroCount = first.zeroCount
    this.#count = first.count
    this.#sum = first.sum
    this.#positive = withComp(listBuckets(first.positiveSpans, first.positiveBuckets))
    this.#negative = withComp(listBuckets(first.negativeSpans, first.negativeBuckets))
  }

  /** Adds `factor` times `other` (1 or -1 for exact sums). */
  add(other: Histogram, factor = 1): Added {
    const custom = usesCustomBuckets(this)
    if (custom !== usesCustomBuckets(other)) return 'incompatible'
    const collision = this.#adjustHint(other.counterResetHint)
    const reconciled = custom ? this.#addCustom(other, factor) : this.#addExponential(other, factor)
    ;[this.#count, this.#countComp] = neumaier(this.#count, this.#countComp, other.count * factor)
    ;[this.#sum, this.#sumComp] = neumaier(this.#sum, this.#sumComp, other.sum * factor)
    return { collision, reconciled }
  }

  /** Lowers the resolution to `schema`, if it is not that low already. */
  reduceTo(schema: number): void {
    if (usesCustomBuckets(this) || schema >= this.schema) return
    this.#positive = reduceSide(this.#positive, this.schema, schema)
    this.#negative = reduceSide(this.#negative, this.schema, schema)
    this.schema = schema
  }

  /** True when adding `other` would make any component infinite. */
  wouldOverflow(other: Histogram): boolean {
    const over = (a: number, b: number) => !Number.isFinite(a + b)
    if (over(this.#count, other.count) || over(this.#sum, other.sum) || over(this.#zeroCount, other.zeroCount)) {
      return true
    }
    const largest = (counts: readonly number[]) => counts.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    return (
      over(largest(this.#positive.count), largest(other.positiveBuckets)) ||
      over(largest(this.#negative.count), largest(other.negativeBuckets))
    )
  }

  scale(factor: number): void {
    this.#count *= factor
    this.#countComp *= factor
    this.#sum *= factor
    this.#sumComp *= factor
    this.#zeroCount *= factor
    this.#zeroComp *= factor
    for (const side of [this.#positive, this.#negative]) {
      for (let i = 0; i < side.count.length; i++) {
        side.count[i]! *= factor
        side.comp[i]! *= factor
      }
    }
  }

  /** The sum so far times `factor`, without empty buckets. */
  result(factor = 1, divisor = 1): Histogram {
    const final = (value: number, comp: number) => (value / divisor + comp / divisor) * factor
    const pack = (side: Side) =>
      packBuckets({ index: side.index, count: side.count.map((count, i) => final(count, side.comp[i]!)) })
    const positive = pack(this.#positive)
    const negative = pack(this.#negative)
    return {
      isFloat: true,
      isStale: false,
      counterResetHint: this.hint,
      schema: this.schema,
      zeroThreshold: this.zeroThreshold,
      zeroCount: final(this.#zeroCount, this.#zeroComp),
      count: final(this.#count, this.#countComp),
      sum: final(this.#sum, this.#sumComp),
      positiveSpans: positive.spans,
      positiveBuckets: positive.counts,
      negativeSpans: negative.spans,
      negativeBuckets: negative.counts,
      customValues: this.customValues,
    }
  }

  /** As adjustCounterReset upstream: returns true for reset against not-reset. */
  #adjustHint(other: CounterResetHint): boolean {
    const mine = this.hint
    if (mine === other || mine === CounterResetHint.gauge) return false
    if (other === CounterResetHint.gauge) {
      this.hint = CounterResetHint.gauge
      return false
    }
    this.hint = CounterResetHint.unknown
    return mine !== CounterResetHint.unknown && other !== CounterResetHint.unknown
  }

  #addExponential(other: Histogram, factor: number): boolean {
    let positive = listBuckets(other.positiveSpans, other.positiveBuckets)
    let negative = listBuckets(other.negativeSpans, other.negativeBuckets)
    const zero = this.#reconcileZero(other, { schema: other.schema, positive, negative })
    ;[this.#zeroCount, this.#zeroComp] = neumaier(this.#zeroCount, this.#zeroComp, zero * factor)
    if (this.zeroThreshold !== other.zeroThreshold) {
      positive = trimBelow(positive, other.schema, this.zeroThreshold)
      negative = trimBelow(negative, other.schema, this.zeroThreshold)
    }
    if (other.schema < this.schema) {
      this.#positive = reduceSide(this.#positive, this.schema, other.schema)
      this.#negative = reduceSide(this.#negative, this.schema, other.schema)
      this.schema = other.schema
    } else if (other.schema > this.schema) {
      positive = reduceResolution(positive, other.schema, this.schema)
      negative = reduceResolution(negative, other.schema, this.schema)
    }
    this.#positive = addSide(this.#positive, positive, factor)
    this.#negative = addSide(this.#negative, negative, factor)
    return false
  }

  /** Widens this zero bucket as needed and returns the zero count of `other` at the common threshold. */
  #reconcileZero(other: Histogram, sides: Sides): number {
    let count = other.zeroCount
    let threshold = other.zeroThreshold
    while (threshold !== this.zeroThreshold) {
      if (this.zeroThreshold > threshold) {
        ;({ count, threshold } = zeroCountFor(sides, other.zeroCount, other.zeroThreshold, this.zeroThreshold))
      }
      if (threshold > this.zeroThreshold) {
        const mine = { schema: this.schema, positive: this.#positive, negative: this.#negative }
        const wider = zeroCountFor(mine, this.#zeroCount, this.zeroThreshold, threshold)
        this.#zeroCount = wider.count
        this.zeroThreshold = wider.threshold
        this.#positive = trimSide(this.#positive, this.schema, wider.threshold)
        this.#negative = trimSide(this.#negative, this.schema, wider.threshold)
      }
    }
    return count
  }

  /** Returns true when the bounds differed and were reduced to those that both have. */
  #addCustom(other: Histogram, factor: number): boolean {
    const theirs = listBuckets(other.positiveSpans, other.positiveBuckets)
    if (sameNumbers(this.customValues, other.customValues)) {
      this.#positive = addSide(this.#positive, theirs, factor)
      return false
    }
    const common = intersectBounds(this.customValues, other.customValues)
    const mine = mapToBounds(this.#positive, this.customValues, common)
    const comps = mapToBounds({ index: this.#positive.index, count: this.#positive.comp }, this.customValues, common)
    const side = { ...mine, comp: comps.count }
    this.#positive = addSide(side, mapToBounds(theirs, other.customValues, common), factor)
    this.customValues = common
    return true
  }
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

export function intersectBounds(a: readonly number[], b: readonly number[]): number[] {
  const theirs = new Set(b)
  return a.filter((bound) => theirs.has(bound))
}

/** Counts moved to the layout of `to`, whose bounds are some of `from`. Every target bucket is listed. */
export function mapToBounds(list: BucketList, from: readonly number[], to: readonly number[]): BucketList {
  const count = new Array<number>(to.length + 1).fill(0)
  let target = 0
  for (let i = 0; i < list.index.length; i++) {
    const at = list.index[i]!
    if (at < from.length) while (target < to.length && to[target]! < from[at]!) target++
    else target = to.length
    count[target]! += list.count[i]!
  }
  return { index: count.map((_, i) => i), count }
}

function neumaier(sum: number, comp: number, value: number): [number, number] {
  const next = sum + value
  if (!Number.isFinite(next)) return [next, 0]
  if (Math.abs(sum) >= Math.abs(value)) return [next, comp + (sum - next + value)]
  return [next, comp + (value - next + sum)]
}

function withComp(list: BucketList): Side {
  return { ...list, comp: new Array<number>(list.index.length).fill(0) }
}

function reduceSide(side: Side, schema: number, target: number): Side {
  const comp = reduceResolution({ index: side.index, count: side.comp }, schema, target)
  return { ...reduceResolution(side, schema, target), comp: comp.count }
}

function trimSide(side: Side, schema: number, threshold: number): Side {
  const kept = trimBelow(side, schema, threshold)
  return { ...kept, comp: side.comp.slice(side.index.length - kept.index.length) }
}

function addSide(side: Side, other: BucketList, factor: number): Side {
  if (other.index.length === 0) return side
  if (sameNumbers(side.index, other.index)) {
    for (let i = 0; i < side.index.length; i++) {
      const [count, comp] = neumaier(side.count[i]!, side.comp[i]!, other.count[i]! * factor)
      side.count[i] = count
      side.comp[i] = comp
    }
    return side
  }
  const out: Side = { index: [], count: [], comp: [] }
  let i = 0
  let j = 0
  while (i < side.index.length || j < other.index.length) {
    const mine = i < side.index.length ? side.index[i]! : Infinity
    const theirs = j < other.index.length ? other.index[j]! : Infinity
    let count = mine <= theirs ? side.count[i]! : 0
    let comp = mine <= theirs ? side.comp[i]! : 0
    if (theirs <= mine) [count, comp] = neumaier(count, comp, other.count[j]! * factor)
    out.index.push(Math.min(mine, theirs))
    out.count.push(count)
    out.comp.push(comp)
    if (mine <= theirs) i++
    if (theirs <= mine) j++
  }
  return out
}

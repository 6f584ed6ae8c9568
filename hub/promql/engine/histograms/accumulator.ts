/**
 * Sums of native histograms, compensated like float sums, with differing schemas, zero thresholds, custom bounds and
 * reset hints reconciled on the way. Semantics: Prometheus model/histogram/float_histogram.go, KahanAdd, Add, Sub.
 */
import { CounterResetHint, type Histogram } from '../../../../protocol/samples/mod.ts'
import { type BucketList, listBuckets, type PackedBuckets, reduceResolution, usesCustomBuckets } from './buckets.ts'
import { Side } from './side.ts'
import { trimBelow, zeroCountFor } from './zero.ts'

/** What happened in an addition; 'incompatible' = one exponential, one with custom buckets (nothing was added). */
export type Added = { readonly collision: boolean; readonly reconciled: boolean } | 'incompatible'

const ADDED = {
  plainly: { collision: false, reconciled: false },
  colliding: { collision: true, reconciled: false },
  reconciled: { collision: false, reconciled: true },
  both: { collision: true, reconciled: true },
} as const

export class HistogramAccumulator {
  schema = 0
  hint: CounterResetHint = CounterResetHint.unknown
  customValues: readonly number[] = []
  zeroThreshold = 0
  #zeroCount = 0
  #zeroComp = 0
  #count = 0
  #countComp = 0
  #sum = 0
  #sumComp = 0
  /** Nothing was added: no compensation takes the sign from -0. */
  #isAlone = true
  readonly #positive = new Side()
  readonly #negative = new Side()

  /** A new sum of `first` alone, in the arrays of the one before. */
  start(first: Histogram): this {
    this.schema = first.schema
    this.hint = first.counterResetHint
    this.customValues = first.customValues
    this.zeroThreshold = first.zeroThreshold
    this.#zeroCount = first.zeroCount
    this.#count = first.count
    this.#sum = first.sum
    this.#zeroComp = this.#countComp = this.#sumComp = 0
    this.#isAlone = true
    this.#positive.start(first.positiveSpans, first.positiveBuckets)
    this.#negative.start(first.negativeSpans, first.negativeBuckets)
    return this
  }

  /** Adds `factor` times `other`, which is 1 or -1. */
  add(other: Histogram, factor = 1): Added {
    const custom = usesCustomBuckets(this)
    if (custom !== usesCustomBuckets(other)) return 'incompatible'
    this.#isAlone = false
    const collision = this.#adjustHint(other.counterResetHint)
    const reconciled = custom ? this.#addCustom(other, factor) : this.#addExponential(other, factor)
    const count = other.count * factor
    this.#countComp = compensation(this.#count, this.#countComp, count)
    this.#count += count
    const sum = other.sum * factor
    this.#sumComp = compensation(this.#sum, this.#sumComp, sum)
    this.#sum += sum
    if (reconciled) return collision ? ADDED.both : ADDED.reconciled
    return collision ? ADDED.colliding : ADDED.plainly
  }

  get count(): number {
    return this.#count + this.#countComp
  }

  /** Lowers the resolution to `schema`, if it is not that low already. */
  reduceTo(schema: number): void {
    if (usesCustomBuckets(this) || schema >= this.schema) return
    const before = this.schema
    this.#positive.map((list) => reduceResolution(list, before, schema))
    this.#negative.map((list) => reduceResolution(list, before, schema))
    this.schema = schema
  }

  /** True when adding `other` would make any component infinite. */
  wouldOverflow(other: Histogram): boolean {
    return (
      isInfinite(this.#count + other.count) ||
      isInfinite(this.#sum + other.sum) ||
      isInfinite(this.#zeroCount + other.zeroCount) ||
      isInfinite(this.#positive.largest() + largest(other.positiveBuckets)) ||
      isInfinite(this.#negative.largest() + largest(other.negativeBuckets))
    )
  }

  scale(factor: number): void {
    this.#count *= factor
    this.#countComp *= factor
    this.#sum *= factor
    this.#sumComp *= factor
    this.#zeroCount *= factor
    this.#zeroComp *= factor
    this.#positive.scale(factor, 1)
    this.#negative.scale(factor, 1)
  }

  /** Not the same as scaling by 1 / divisor: that one is rounded itself. */
  divide(divisor: number): void {
    this.#count /= divisor
    this.#countComp /= divisor
    this.#sum /= divisor
    this.#sumComp /= divisor
    this.#zeroCount /= divisor
    this.#zeroComp /= divisor
    this.#positive.scale(1, divisor)
    this.#negative.scale(1, divisor)
  }

  /**
   * The sum so far over `divisor`, times `factor`, without empty buckets unless they are to be kept; it stays as it is
   * when more is added.
   */
  result(factor = 1, divisor = 1, keepsEmpty = false): Histogram {
    const positive: PackedBuckets = this.#positive.pack(factor, divisor, keepsEmpty)
    const negative: PackedBuckets = this.#negative.pack(factor, divisor, keepsEmpty)
    return {
      isFloat: true,
      isStale: false,
      counterResetHint: this.hint,
      schema: this.schema,
      zeroThreshold: this.zeroThreshold,
      zeroCount: this.#final(this.#zeroCount / divisor, this.#zeroComp / divisor) * factor,
      count: this.#final(this.#count / divisor, this.#countComp / divisor) * factor,
      sum: this.#final(this.#sum / divisor, this.#sumComp / divisor) * factor,
      positiveSpans: positive.spans,
      positiveBuckets: positive.counts,
      negativeSpans: negative.spans,
      negativeBuckets: negative.counts,
      customValues: this.customValues,
    }
  }

  #final(value: number, comp: number): number {
    return this.#isAlone ? value : value + comp
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
    if (other.schema === this.schema && other.zeroThreshold === this.zeroThreshold) {
      this.#addZero(other.zeroCount * factor)
      this.#positive.add(other.positiveSpans, other.positiveBuckets, factor)
      this.#negative.add(other.negativeSpans, other.negativeBuckets, factor)
      return false
    }
    let positive = listBuckets(other.positiveSpans, other.positiveBuckets)
    let negative = listBuckets(other.negativeSpans, other.negativeBuckets)
    const zero = this.#reconcileZero(other, positive, negative)
    this.#addZero(zero * factor)
    if (this.zeroThreshold !== other.zeroThreshold) {
      positive = trimBelow(positive, other.schema, this.zeroThreshold)
      negative = trimBelow(negative, other.schema, this.zeroThreshold)
    }
    if (other.schema < this.schema) this.reduceTo(other.schema)
    else if (other.schema > this.schema) {
      positive = reduceResolution(positive, other.schema, this.schema)
      negative = reduceResolution(negative, other.schema, this.schema)
    }
    this.#positive.addList(positive, factor)
    this.#negative.addList(negative, factor)
    return false
  }

  #addZero(count: number): void {
    this.#zeroComp = compensation(this.#zeroCount, this.#zeroComp, count)
    this.#zeroCount += count
  }

  /** Widens this zero bucket as needed and returns the zero count of `other` at the common threshold. */
  #reconcileZero(other: Histogram, positive: BucketList, negative: BucketList): number {
    const sides = { schema: other.schema, positive, negative }
    let count = other.zeroCount
    let threshold = other.zeroThreshold
    while (threshold !== this.zeroThreshold) {
      if (this.zeroThreshold > threshold) {
        ;({ count, threshold } = zeroCountFor(sides, other.zeroCount, other.zeroThreshold, this.zeroThreshold))
      }
      if (threshold > this.zeroThreshold) {
        const mine = { schema: this.schema, positive: this.#positive.list(), negative: this.#negative.list() }
        const wider = zeroCountFor(mine, this.#zeroCount, this.zeroThreshold, threshold)
        this.#zeroCount = wider.count
        this.zeroThreshold = wider.threshold
        this.#positive.keepLast(trimBelow(mine.positive, this.schema, wider.threshold).index.length)
        this.#negative.keepLast(trimBelow(mine.negative, this.schema, wider.threshold).index.length)
      }
    }
    return count
  }

  /** Returns true when the bounds differed and were reduced to those that both have. */
  #addCustom(other: Histogram, factor: number): boolean {
    const { customValues } = this
    if (sameNumbers(customValues, other.customValues)) {
      this.#positive.add(other.positiveSpans, other.positiveBuckets, factor)
      return false
    }
    const common = intersectBounds(customValues, other.customValues)
    const theirs = listBuckets(other.positiveSpans, other.positiveBuckets)
    this.#positive.map((list) => mapToBounds(list, customValues, common))
    this.#positive.addList(mapToBounds(theirs, other.customValues, common), factor)
    this.customValues = common
    return true
  }
}

function isInfinite(x: number): boolean {
  return x === Infinity || x === -Infinity
}

function largest(counts: readonly number[]): number {
  let most = 0
  for (let i = 0; i < counts.length; i++) most = Math.max(most, Math.abs(counts[i]!))
  return most
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

/** What `comp` becomes when `value` is added to `sum`, by Neumaier. */
function compensation(sum: number, comp: number, value: number): number {
  const next = sum + value
  if (!Number.isFinite(next)) return 0
  return comp + (Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum)
}

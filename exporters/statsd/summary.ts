/**
 * A summary: count, sum, and quantiles of the observations of the last `maxAge`, each within its own error.
 *
 * `ageBuckets` streams overlap in time: every observation goes into all of them, quantiles are read from the oldest,
 * which is emptied every maxAge/ageBuckets to become the youngest. A stream is the targeted quantile sketch of Cormode,
 * Korn, Muthukrishnan and Srivastava ("Effective computation of biased quantiles over data streams", 2005).
 * Semantics: client_golang prometheus/summary.go; beorn7/perks quantile/stream.go.
 */
import type { Quantile, SummaryOptions } from './mapping-config.ts'

const DEFAULT_MAX_AGE_MS = 600_000
const DEFAULT_AGE_BUCKETS = 5
const DEFAULT_BUF_CAP = 500

export class Summary {
  count = 0
  sum = 0
  readonly quantiles: readonly Quantile[]
  readonly #streams: readonly QuantileStream[]
  readonly #streamMs: number
  #head = 0
  #headEndMs: number

  constructor({ quantiles, maxAgeMs, ageBuckets, bufCap }: SummaryOptions, nowMs: number) {
    this.quantiles = [...quantiles].sort((a, b) => a.quantile - b.quantile)
    const buckets = ageBuckets || DEFAULT_AGE_BUCKETS
    this.#streamMs = (maxAgeMs || DEFAULT_MAX_AGE_MS) / buckets
    this.#streams = Array.from({ length: buckets }, () => new QuantileStream(this.quantiles, bufCap || DEFAULT_BUF_CAP))
    this.#headEndMs = nowMs + this.#streamMs
  }

  observe(value: number, times: number, nowMs: number): void {
    this.#rotate(nowMs)
    this.count += times
    this.sum += value * times
    for (const stream of this.#streams) stream.insert(value, times)
  }

  /** Flat pairs `[quantile, value, …]`; NaN where nothing was observed within the window. */
  values(nowMs: number): number[] {
    this.#rotate(nowMs)
    const head = this.#streams[this.#head]!
    return this.quantiles.flatMap(({ quantile }) => [quantile, head.query(quantile)])
  }

  #rotate(nowMs: number): void {
    const steps = Math.ceil((nowMs - this.#headEndMs) / this.#streamMs)
    if (!(steps > 0)) return
    for (let i = 0; i < Math.min(steps, this.#streams.length); i++) {
      this.#streams[this.#head]!.reset()
      this.#head = (this.#head + 1) % this.#streams.length
    }
    this.#headEndMs += steps * this.#streamMs
  }
}

/** Columns of the sketch: ascending values, how many observations each stands for, and the slack of its rank. */
class QuantileStream {
  readonly #targets: readonly Quantile[]
  readonly #bufCap: number
  #values: number[] = []
  #widths: number[] = []
  #deltas: number[] = []
  #total = 0
  #pending: number[] = []

  constructor(targets: readonly Quantile[], bufCap: number) {
    this.#targets = targets
    this.#bufCap = bufCap
  }

  insert(value: number, times: number): void {
    if (times > this.#bufCap) {
      this.#flush()
      this.#merge([value], times)
      return
    }
    for (let i = 0; i < times; i++) {
      this.#pending.push(value)
      if (this.#pending.length >= this.#bufCap) this.#flush()
    }
  }

  query(quantile: number): number {
    if (this.#values.length === 0) {
      // Few observations: exact.
      if (this.#pending.length === 0) return Number.NaN
      this.#pending.sort(ascending)
      return this.#pending[Math.max(0, Math.ceil(this.#pending.length * quantile) - 1)]!
    }
    this.#flush()
    const wanted = Math.ceil(quantile * this.#total)
    const limit = wanted + Math.ceil(this.#slack(wanted) / 2)
    let rank = 0
    for (let i = 1; i < this.#values.length; i++) {
      rank += this.#widths[i - 1]!
      if (rank + this.#widths[i]! + this.#deltas[i]! > limit) return this.#values[i - 1]!
    }
    return this.#values.at(-1)!
  }

  reset(): void {
    this.#values = []
    this.#widths = []
    this.#deltas = []
    this.#total = 0
    this.#pending = []
  }

  #flush(): void {
    if (this.#pending.length === 0) return
    this.#pending.sort(ascending)
    this.#merge(this.#pending, 1)
    this.#pending = []
  }

  /** How far the rank of the observation at `rank` may be off: the tightest of the targets. */
  #slack(rank: number): number {
    let least = Infinity
    for (const { quantile, error } of this.#targets) {
      const slack =
        quantile * this.#total <= rank
          ? (2 * error * rank) / quantile
          : (2 * error * (this.#total - rank)) / (1 - quantile)
      if (slack < least) least = slack
    }
    return least
  }

  /** @param added ascending, each of `width` observations */
  #merge(added: readonly number[], width: number): void {
    const [values, widths, deltas]: [number[], number[], number[]] = [[], [], []]
    let rank = 0
    let old = 0
    const push = (value: number, w: number, delta: number): void => {
      values.push(value)
      widths.push(w)
      deltas.push(delta)
      rank += w
    }
    for (const value of added) {
      while (old < this.#values.length && !(this.#values[old]! > value)) {
        push(this.#values[old]!, this.#widths[old]!, this.#deltas[old]!)
        old++
      }
      const isLast = old === this.#values.length
      push(value, width, isLast ? 0 : Math.max(0, Math.floor(this.#slack(rank)) - 1))
      this.#total += width
    }
    for (; old < this.#values.length; old++) push(this.#values[old]!, this.#widths[old]!, this.#deltas[old]!)
    this.#values = values
    this.#widths = widths
    this.#deltas = deltas
    this.#compress()
  }

  /** Joins neighbours, from the greatest down, while the joint's rank stays within the slack. */
  #compress(): void {
    const count = this.#values.length
    if (count < 2) return
    let kept = count - 1
    let rank = this.#total - 1 - this.#widths[kept]!
    for (let i = count - 2; i >= 0; i--) {
      const width = this.#widths[i]!
      if (width + this.#widths[kept]! + this.#deltas[kept]! <= this.#slack(rank)) this.#widths[kept]! += width
      else {
        kept--
        this.#values[kept] = this.#values[i]!
        this.#widths[kept] = width
        this.#deltas[kept] = this.#deltas[i]!
      }
      rank -= width
    }
    this.#values.splice(0, kept)
    this.#widths.splice(0, kept)
    this.#deltas.splice(0, kept)
  }
}

const ascending = (a: number, b: number): number => a - b

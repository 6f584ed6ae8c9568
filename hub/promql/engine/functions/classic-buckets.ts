/**
 * Quantiles and fractions of classic histograms, whose buckets are series with an `le` label.
 * Semantics: Prometheus promql/quantile.go, BucketQuantile and BucketFraction (v3.14).
 */
/** Cumulative counts by ascending upper bound; `size` of the arrays are in use. */
export type ClassicBuckets = {
  readonly bounds: Float64Array
  readonly counts: Float64Array
  size: number
  /** What the last quantile had to change for the counts to be monotonic; null for nothing. */
  forced: Forced | null
}

/** What had to be changed for counts to rise with the bound. */
export type Forced = { minBucket: number; maxBucket: number; maxDiff: number }

const SMALL_DELTA = 1e-12
const MIN_NORMAL = 2.2250738585072014e-308

/** Changes the counts, and says so in `forced`. */
export function bucketQuantile(q: number, buckets: ClassicBuckets): number {
  buckets.forced = null
  if (Number.isNaN(q)) return NaN
  if (q < 0) return -Infinity
  if (q > 1) return Infinity
  const { bounds, counts } = buckets
  if (bounds[buckets.size - 1] !== Infinity) return NaN
  coalesce(buckets)
  const { size } = buckets
  buckets.forced = makeMonotonic(buckets)
  const observations = counts[size - 1]!
  if (size < 2 || observations === 0) return NaN
  let rank = q * observations
  let at = 0
  while (at < size - 1 && !(counts[at]! >= rank)) at++
  if (at === size - 1) return bounds[size - 2]!
  if (at === 0 && bounds[0]! <= 0) return bounds[0]!
  const start = at > 0 ? bounds[at - 1]! : 0
  const below = at > 0 ? counts[at - 1]! : 0
  rank -= below
  return start + (bounds[at]! - start) * (rank / (counts[at]! - below))
}

export function bucketFraction(lower: number, upper: number, buckets: ClassicBuckets): number {
  const { bounds, counts } = buckets
  if (bounds[buckets.size - 1] !== Infinity) return NaN
  coalesce(buckets)
  const { size } = buckets
  const total = counts[size - 1]!
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN
  if (lower >= upper) return 0
  return (rankOf(upper, buckets, total) - rankOf(lower, buckets, total)) / total
}

/** How many observations lie below `value`, by linear interpolation. */
function rankOf(value: number, { bounds, counts, size }: ClassicBuckets, total: number): number {
  let start = bounds[0]! <= 0 ? -Infinity : 0
  let rank = 0
  for (let i = 0; i < size; i++) {
    const end = bounds[i]!
    const count = counts[i]!
    if (start >= value) return Math.min(rank, total)
    if (end > value) {
      const found = start === -Infinity ? count : rank + ((count - rank) * (value - start)) / (end - start)
      return Math.min(found, total)
    }
    rank = count
    start = end
  }
  return total
}

/** Buckets of the same bound become one. */
function coalesce(buckets: ClassicBuckets): void {
  const { bounds, counts } = buckets
  let last = 0
  for (let i = 1; i < buckets.size; i++) {
    if (bounds[i] === bounds[last]) counts[last]! += counts[i]!
    else {
      last++
      bounds[last] = bounds[i]!
      counts[last] = counts[i]!
    }
  }
  buckets.size = last + 1
}

/** Differences that are float noise are dropped in silence; larger decreases are raised and reported. */
function makeMonotonic({ bounds, counts, size }: ClassicBuckets): Forced | null {
  let forced: Forced | null = null
  let previous = counts[0]!
  for (let i = 1; i < size; i++) {
    const count = counts[i]!
    if (count === previous) continue
    if (almostEqual(previous, count)) counts[i] = previous
    else if (count < previous) {
      counts[i] = previous
      forced ??= { minBucket: Infinity, maxBucket: -Infinity, maxDiff: 0 }
      forced.minBucket = Math.min(forced.minBucket, bounds[i]!)
      forced.maxBucket = Math.max(forced.maxBucket, bounds[i]!)
      forced.maxDiff = Math.max(forced.maxDiff, previous - count)
    } else previous = count
  }
  return forced
}

function almostEqual(a: number, b: number): boolean {
  const sum = Math.abs(a) + Math.abs(b)
  const difference = Math.abs(a - b)
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DELTA * MIN_NORMAL
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA
}

/** As Go's strconv.ParseFloat; null for what it refuses. */
export function parseBound(text: string): number | null {
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return NaN
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return finite(Number(text))
  const hex = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)$/i.exec(text)
  if (hex === null || (hex[2] === '' && hex[3] === '')) return null
  const mantissa = Number(`0x${hex[2]}${hex[3]}`) * 2 ** (Number(hex[4]) - 4 * hex[3]!.length)
  return finite(hex[1] === '-' ? -mantissa : mantissa)
}

/** Digits that no double holds are refused. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)

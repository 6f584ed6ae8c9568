/**
 * histogram_count(), _sum(), _avg(), _stddev(), _stdvar(): one number of each native histogram; floats are dropped.
 * Semantics: Prometheus promql/functions.go, simpleHistogramFunc and histogramVariance (v3.14).
 */
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import { allBuckets, usesCustomBuckets } from '../histograms/buckets.ts'
import { type Kahan, kahanAdd } from '../kahan.ts'
import { FLOAT, HISTOGRAM, NONE, type Series } from '../types.ts'

export const HISTOGRAM_FUNCTIONS: Readonly<Record<string, (h: Histogram) => number>> = {
  histogram_count: (h) => h.count,
  histogram_sum: (h) => h.sum,
  histogram_avg: (h) => h.sum / h.count,
  histogram_stdvar: variance,
  histogram_stddev: (h) => Math.sqrt(variance(h)),
}

/** In place. */
export function mapHistograms(series: Series, f: (h: Histogram) => number): void {
  const { values, present, histograms } = series
  for (let i = 0; i < present.length; i++) {
    if (present[i] === HISTOGRAM) {
      values[i] = f(histograms![i]!)
      present[i] = FLOAT
    } else present[i] = NONE
  }
  series.histograms = null
}

/** Every observation is taken to be in the middle of its bucket: geometric, arithmetic for custom buckets, 0 for zero. */
function variance(h: Histogram): number {
  const mean = h.sum / h.count
  const custom = usesCustomBuckets(h)
  const total: Kahan = { sum: 0, c: 0 }
  for (const { lower, upper, count } of allBuckets(h)) {
    if (count === 0) continue
    let middle = 0
    if (custom) middle = (upper + lower) / 2
    else if (!(lower <= 0 && upper >= 0)) middle = Math.sqrt(upper * lower) * (upper < 0 ? -1 : 1)
    const delta = middle - mean
    kahanAdd(total, count * delta * delta)
  }
  return (total.sum + total.c) / h.count
}

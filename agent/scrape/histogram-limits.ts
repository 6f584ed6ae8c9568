/**
 * `native_histogram_bucket_limit` and `native_histogram_min_bucket_factor`: native histograms that are too fine lose
 * resolution, two buckets becoming one at each step; what cannot be made small enough fails the scrape.
 * Semantics: Prometheus scrape/target.go, bucketLimitAppender and maxSchemaAppender; scrape/scrape.go, pickSchema;
 * model/histogram, reduceResolution (v3.14).
 */
import type { PageSource } from '../../protocol/exposition/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../../protocol/samples/mod.ts'
import type { ScrapeTargetConfig } from './target.ts'

const MIN_SCHEMA = -4
const MAX_SCHEMA = 8

/** Changes the histograms of the page in place. @returns why the scrape fails, or '' */
export function limitHistograms(
  { histograms }: PageSource,
  { nativeHistogramBucketLimit: limit, nativeHistogramMinBucketFactor: factor }: ScrapeTargetConfig,
): string {
  if (histograms === null || (limit === 0 && factor === 0)) return ''
  const maxSchema = schemaFor(factor)
  const changed = histograms as Map<number, Histogram>
  for (const [position, histogram] of histograms) {
    let result = histogram
    if (result.schema !== CUSTOM_BUCKETS_SCHEMA && result.schema > maxSchema) result = withSchema(result, maxSchema)
    while (limit > 0 && bucketCount(result) > limit) {
      if (result.schema <= MIN_SCHEMA) return 'histogram bucket limit exceeded'
      result = withSchema(result, result.schema - 1)
    }
    if (result !== histogram) changed.set(position, result)
  }
  return ''
}

/** The finest schema whose buckets grow by at least this factor. */
export function schemaFor(factor: number): number {
  if (factor <= 1) return MAX_SCHEMA
  // Plus 0: not -0.
  const floor = Math.floor(-Math.log2(Math.log2(factor))) + 0
  return Math.min(MAX_SCHEMA, Math.max(MIN_SCHEMA, floor))
}

const bucketCount = ({ positiveBuckets, negativeBuckets }: Histogram): number =>
  positiveBuckets.length + negativeBuckets.length

/** The same observations in wider buckets. @param schema below the histogram's */
export function withSchema(histogram: Histogram, schema: number): Histogram {
  const shift = histogram.schema - schema
  const positive = widened(histogram.positiveSpans, histogram.positiveBuckets, shift)
  const negative = widened(histogram.negativeSpans, histogram.negativeBuckets, shift)
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  }
}

function widened(spans: readonly Span[], counts: readonly number[], shift: number) {
  const out: { offset: number; length: number }[] = []
  const buckets: number[] = []
  let index = 0
  let position = 0
  let last = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++, index++) {
      // Bucket i covers (base^(i-1), base^i]: with base squared its number is halved, upwards.
      const wide = ((index - 1) >> shift) + 1
      const count = counts[position++] ?? 0
      if (buckets.length > 0 && wide === last) buckets[buckets.length - 1]! += count
      else {
        if (out.length === 0) out.push({ offset: wide, length: 1 })
        else if (wide === last + 1) out.at(-1)!.length++
        else out.push({ offset: wide - last - 1, length: 1 })
        buckets.push(count)
        last = wide
      }
    }
  }
  return { spans: out, buckets }
}

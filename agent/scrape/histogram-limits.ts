/**
 * `native_histogram_bucket_limit` and `native_histogram_min_bucket_factor`: native histograms that are too fine lose
 * resolution, two buckets becoming one at each step; what cannot be made small enough fails the scrape.
 * Semantics: Prometheus scrape/target.go, bucketLimitAppender and maxSchemaAppender; scrape/scrape.go, pickSchema;
 * model/histogram, reduceResolution (v3.14).
 */
import type { PageSource } from '../../protocol/exposition/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, withSchema } from '../../protocol/samples/mod.ts'
import type { ScrapeTargetConfig } from './target.ts'

const MIN_SCHEMA = -4
const MAX_SCHEMA = 8

/** Changes the histograms of the page in place. @returns why the scrape fails, or '' */
export function limitHistograms(
  { histograms }: PageSource,
  { nativeHistogramBucketLimit: limit, nativeHistogramMinBucketFactor: factor }: ScrapeTargetConfig,
): string {
  if (histograms === null) return ''
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

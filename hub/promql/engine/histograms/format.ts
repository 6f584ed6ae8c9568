/** A native histogram as text, for count_values(). Semantics: Prometheus model/histogram, FloatHistogram.String. */
import type { Histogram } from '../../../../protocol/samples/mod.ts'
import { formatG } from '../context.ts'
import { type Bucket, negativeBuckets, positiveBuckets, zeroBucket } from './buckets.ts'

export function formatHistogram(h: Histogram): string {
  const shown = negativeBuckets(h).reverse()
  if (h.zeroCount !== 0) shown.push(zeroBucket(h))
  shown.push(...positiveBuckets(h))
  const buckets = shown.filter((bucket) => bucket.count !== 0).map(formatBucket)
  return `{${[`count:${formatG(h.count)}`, `sum:${formatG(h.sum)}`, ...buckets].join(', ')}}`
}

function formatBucket(bucket: Bucket): string {
  const open = bucket.lowerInclusive ? '[' : '('
  const close = bucket.upperInclusive ? ']' : ')'
  return `${open}${formatG(bucket.lower)},${formatG(bucket.upper)}${close}:${formatG(bucket.count)}`
}

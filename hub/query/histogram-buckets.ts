/** Buckets of a native histogram with their bounds, in ascending order. Semantics: Prometheus model/histogram, AllBucketIterator. */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../../protocol/samples/mod.ts'

/** `boundaries`: 0 (lower, upper], 1 [lower, upper), 3 [lower, upper]. */
export type Bucket = {
  readonly boundaries: 0 | 1 | 3
  readonly lower: number
  readonly upper: number
  readonly count: number
}

/** Without empty buckets. */
export function histogramBuckets(h: Histogram): Bucket[] {
  const out: Bucket[] = []
  const negative: Bucket[] = []
  eachBucket(h.negativeSpans, h.negativeBuckets, (index, count) => {
    if (count !== 0) negative.push({ boundaries: 1, lower: -bound(h, index), upper: -bound(h, index - 1), count })
  })
  out.push(...negative.reverse())
  if (h.zeroCount !== 0)
    out.push({ boundaries: 3, lower: -h.zeroThreshold, upper: h.zeroThreshold, count: h.zeroCount })
  eachBucket(h.positiveSpans, h.positiveBuckets, (index, count) => {
    if (count !== 0) out.push({ boundaries: 0, lower: bound(h, index - 1), upper: bound(h, index), count })
  })
  return out
}

function eachBucket(
  spans: readonly Span[],
  counts: readonly number[],
  fn: (index: number, count: number) => void,
): void {
  let index = 0
  let at = 0
  for (const { offset, length } of spans) {
    index += offset
    for (let i = 0; i < length; i++) fn(index++, counts[at++] ?? 0)
  }
}

/** Upper bound of the bucket with this index. Semantics: getBound, getBoundExponential. */
function bound(h: Histogram, index: number): number {
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    if (index < 0) return -Infinity
    return h.customValues[index] ?? Infinity
  }
  if (h.schema <= 0) return 2 ** (index * 2 ** -h.schema)
  const perDoubling = 2 ** h.schema
  const rest = ((index % perDoubling) + perDoubling) % perDoubling
  return 2 ** (rest / perDoubling) * 2 ** Math.floor(index / perDoubling)
}

/**
 * Zero buckets of different width made equal: the wider threshold swallows the buckets that it covers, and grows to
 * the next bucket bound if it ends inside a populated one.
 * Semantics: Prometheus model/histogram/float_histogram.go, reconcileZeroBuckets.
 */
import { exponentialBound } from './bounds.ts'
import type { BucketList } from './buckets.ts'

export type Sides = { readonly schema: number; readonly positive: BucketList; readonly negative: BucketList }

/** What the zero count would be with a larger threshold, and the threshold as adjusted to a bucket bound. */
export function zeroCountFor(
  sides: Sides,
  zeroCount: number,
  zeroThreshold: number,
  larger: number,
): { count: number; threshold: number } {
  if (larger === zeroThreshold) return { count: zeroCount, threshold: larger }
  let threshold = larger
  for (;;) {
    let count = zeroCount
    const up = swallow(sides.positive, sides.schema, threshold)
    count += up.count
    threshold = up.threshold
    const down = swallow(sides.negative, sides.schema, threshold)
    count += down.count
    if (down.threshold === threshold) return { count, threshold }
    // The negative side moved the threshold, so the positive side must be looked at again.
    threshold = down.threshold
  }
}

function swallow(list: BucketList, schema: number, larger: number): { count: number; threshold: number } {
  let count = 0
  for (let i = 0; i < list.index.length; i++) {
    const at = list.index[i]!
    if (exponentialBound(at - 1, schema) >= larger) break
    count += list.count[i]!
    const upper = exponentialBound(at, schema)
    if (upper > larger) return { count, threshold: list.count[i] === 0 ? larger : upper }
  }
  return { count, threshold: larger }
}

/** Without the buckets below `threshold`, which must be a bucket bound. */
export function trimBelow(list: BucketList, schema: number, threshold: number): BucketList {
  let from = 0
  while (from < list.index.length && exponentialBound(list.index[from]! - 1, schema) < threshold) from++
  return from === 0 ? list : { index: list.index.slice(from), count: list.count.slice(from) }
}

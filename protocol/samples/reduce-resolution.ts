/**
 * Exponential buckets merged into wider ones. Sources may send schemas up to 52, of which none beyond 8 is kept.
 * Semantics: Prometheus model/histogram, reduceResolution and ExponentialSchemaMax; storage/remote/write_handler.go and
 * scrape/target.go, maxSchemaAppender (v3.14).
 */
import type { Histogram, Span } from './mod.ts'

const SCHEMA_MAX = 8
const SCHEMA_MAX_RESERVED = 52

/** Whether `atMostSchema8` has anything to do; finer ones still are no histograms. */
export const isTooFine = ({ schema }: Pick<Histogram, 'schema'>): boolean =>
  Number.isInteger(schema) && schema > SCHEMA_MAX && schema <= SCHEMA_MAX_RESERVED

/** Of a schema up to 52: the same observations in buckets of schema 8, or as they are. See `withSchema`. */
export const atMostSchema8 = (histogram: Histogram): Histogram =>
  isTooFine(histogram) ? withSchema(histogram, SCHEMA_MAX) : histogram

/**
 * The same observations in wider buckets. Spans must cover as many buckets as there are.
 * @param schema below the histogram's, which is exponential
 */
export function withSchema(histogram: Histogram, schema: number): Histogram {
  // No shift: the difference may be more than an int32 has bits.
  const merged = 2 ** (histogram.schema - schema)
  const positive = reduced(histogram.positiveSpans, histogram.positiveBuckets, merged)
  const negative = reduced(histogram.negativeSpans, histogram.negativeBuckets, merged)
  return {
    ...histogram,
    schema,
    positiveSpans: positive.spans,
    positiveBuckets: positive.counts,
    negativeSpans: negative.spans,
    negativeBuckets: negative.counts,
  }
}

/** Bucket i ends at base^i: i of them end inside of the coarser bucket of the next multiple of `merged`. */
function reduced(
  spans: readonly Span[],
  counts: readonly number[],
  merged: number,
): { readonly spans: Span[]; readonly counts: number[] } {
  const out: { offset: number; length: number }[] = []
  const sums: number[] = []
  let from = 0
  let last = 0
  let at = 0
  for (const { offset, length } of spans) {
    from += offset
    for (let i = 0; i < length; i++, from++) {
      const index = Math.floor((from - 1) / merged) + 1
      const count = counts[at++] ?? 0
      if (sums.length > 0 && index === last) sums[sums.length - 1]! += count
      else {
        if (sums.length > 0 && index === last + 1) out.at(-1)!.length++
        else out.push({ offset: sums.length === 0 ? index : index - last - 1, length: 1 })
        sums.push(count)
        last = index
      }
    }
  }
  return { spans: out, counts: sums }
}

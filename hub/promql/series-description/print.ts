/** Histograms as literals of the series notation. Semantics: Prometheus model/histogram, FloatHistogram.TestExpression. */
import { CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../../../protocol/samples/mod.ts'
import { formatG } from '../printer/mod.ts'

const HINT_NAMES: readonly string[] = ['', 'reset', 'not_reset', 'gauge']

/** @example printHistogram(histogram) // '{{schema:1 count:3 sum:2 buckets:[1 2]}}' */
export function printHistogram(h: Histogram): string {
  const parts: string[] = []
  const number = (key: string, value: number) => {
    if (value !== 0) parts.push(`${key}:${formatG(value)}`)
  }
  number('schema', h.schema)
  number('count', h.count)
  number('sum', h.sum)
  number('z_bucket', h.zeroCount)
  number('z_bucket_w', h.zeroThreshold)
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) parts.push(`custom_values:[${h.customValues.map(formatG).join(' ')}]`)
  if (h.counterResetHint !== CounterResetHint.unknown) {
    parts.push(`counter_reset_hint:${HINT_NAMES[h.counterResetHint]}`)
  }
  addBuckets(parts, 'offset', 'buckets', h.positiveSpans, h.positiveBuckets)
  addBuckets(parts, 'n_offset', 'n_buckets', h.negativeSpans, h.negativeBuckets)
  return `{{${parts.join(' ')}}}`
}

/** The notation has one span, so gaps become empty buckets. */
function addBuckets(
  parts: string[],
  offsetKey: string,
  key: string,
  spans: readonly Span[],
  buckets: readonly number[],
): void {
  const filled: number[] = []
  let offset = 0
  let next = 0
  for (const [i, span] of spans.entries()) {
    if (i === 0) offset = span.offset
    else for (let gap = 0; gap < span.offset; gap++) filled.push(0)
    for (let n = 0; n < span.length; n++) filled.push(buckets[next++] ?? 0)
  }
  if (filled.length === 0) return
  if (offset !== 0) parts.push(`${offsetKey}:${offset}`)
  parts.push(`${key}:[${filled.map(formatG).join(' ')}]`)
}

/** Histograms of tables, in few letters. */
import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  EMPTY_HISTOGRAM,
  type Histogram,
} from '../../../../protocol/samples/mod.ts'
import { compact } from '../histograms/arithmetic.ts'

/** One side's spans, as `offset:length`, and its counts: `-2:1 2:3 = 1 3.3 4.2 0.1`. */
export type Side = string
export type Fields = {
  readonly schema?: number
  readonly hint?: CounterResetHint
  readonly count?: number
  readonly sum?: number
  readonly zero?: readonly [threshold: number, count: number]
  readonly up?: Side
  readonly down?: Side
  /** Of custom buckets, which it makes them. */
  readonly bounds?: readonly number[]
}

export function readSide(text: Side): Pick<Histogram, 'positiveSpans' | 'positiveBuckets'> {
  const [spans = '', counts = ''] = text.split('=').map((part) => part.trim())
  const words = (list: string) => list.split(' ').filter((word) => word !== '')
  return {
    positiveSpans: words(spans).map((span) => {
      const [offset, length] = span.split(':').map(Number)
      return { offset: offset!, length: length! }
    }),
    positiveBuckets: words(counts).map(Number),
  }
}

export function histogram({
  schema = 0,
  hint = 0,
  count = 0,
  sum = 0,
  zero = [0, 0],
  up,
  down,
  bounds,
}: Fields): Histogram {
  const negative = readSide(down ?? '')
  return {
    ...EMPTY_HISTOGRAM,
    isFloat: true,
    counterResetHint: hint,
    schema: bounds ? CUSTOM_BUCKETS_SCHEMA : schema,
    count,
    sum,
    zeroThreshold: zero[0],
    zeroCount: zero[1],
    ...readSide(up ?? ''),
    negativeSpans: negative.positiveSpans,
    negativeBuckets: negative.positiveBuckets,
    customValues: [...(bounds ?? [])],
  }
}

/** To be compared: without empty buckets, the last digits and the sign of zeros. */
export function shown(h: Histogram): object {
  const { isStale: _, isFloat: __, ...rest } = compact(h)
  const round = (value: number) => Number(value.toPrecision(12)) + 0
  return {
    ...rest,
    sum: round(rest.sum),
    count: round(rest.count),
    zeroCount: round(rest.zeroCount),
    positiveBuckets: rest.positiveBuckets.map(round),
    negativeBuckets: rest.negativeBuckets.map(round),
    positiveSpans: [...rest.positiveSpans],
    negativeSpans: [...rest.negativeSpans],
    customValues: [...rest.customValues],
  }
}

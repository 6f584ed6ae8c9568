/**
 * Samples: floats, the stale marker, native histograms.
 *
 * The stale marker is a NaN with the bits 0x7ff0000000000002 that JavaScript may change when it travels as a number:
 * move sample bits only with typed-array copies (`set`, `slice`, `copyWithin`) and test them through a `Uint32Array`
 * over the same bytes. After decoding, "stale" is a flag of its own.
 */
export const STALE_HIGH = 0x7ff00000
export const STALE_LOW = 0x00000002
/** The ordinary NaN that Prometheus stores for a NaN value (math.NaN() upstream: 0x7ff8000000000001). */
export const NORMAL_NAN_HIGH = 0x7ff80000
export const NORMAL_NAN_LOW = 0x00000001

/** Little-endian hosts only (all supported ones): the low word of double `i` is word `2i`. */
export function isStaleAt(words: Uint32Array<ArrayBufferLike>, index: number): boolean {
  return words[2 * index + 1] === STALE_HIGH && words[2 * index] === STALE_LOW
}

export function setStaleAt(words: Uint32Array<ArrayBufferLike>, index: number): void {
  words[2 * index] = STALE_LOW
  words[2 * index + 1] = STALE_HIGH
}

export const CounterResetHint = { unknown: 0, reset: 1, notReset: 2, gauge: 3 } as const
export type CounterResetHint = (typeof CounterResetHint)[keyof typeof CounterResetHint]

/** Schema of custom-bucket histograms (NHCB); -4…8 are the exponential ones. */
export const CUSTOM_BUCKETS_SCHEMA = -53

export type Span = { readonly offset: number; readonly length: number }

/**
 * A native histogram sample. Bucket counts are absolute, not deltas, whether it came as an integer or a float
 * histogram (`isFloat`); an integer histogram has integers everywhere but in `sum`.
 * Semantics: Prometheus model/histogram, FloatHistogram and Histogram. A histogram whose `isStale` is true is a stale
 * marker that arrived in a histogram series; its other fields mean nothing.
 */
export type Histogram = {
  readonly isFloat: boolean
  readonly isStale: boolean
  readonly counterResetHint: CounterResetHint
  readonly schema: number
  readonly zeroThreshold: number
  readonly zeroCount: number
  readonly count: number
  readonly sum: number
  readonly positiveSpans: readonly Span[]
  readonly positiveBuckets: readonly number[]
  readonly negativeSpans: readonly Span[]
  readonly negativeBuckets: readonly number[]
  /** Finite upper bounds, for `CUSTOM_BUCKETS_SCHEMA` only; else empty. */
  readonly customValues: readonly number[]
}

/** No observations and no buckets: what others are made of with a spread. */
export const EMPTY_HISTOGRAM: Histogram = {
  isFloat: true,
  isStale: false,
  counterResetHint: CounterResetHint.unknown,
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 0,
  sum: 0,
  positiveSpans: [],
  positiveBuckets: [],
  negativeSpans: [],
  negativeBuckets: [],
  customValues: [],
}

export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown'

export type Metadata = {
  readonly type: MetricType
  readonly help: string
  readonly unit: string
  /**
   * Of a series' metadata: the name of its family, where `familyOf` does not yield it from the name of the series. So
   * with the counters and infos of OpenMetrics, and where relabelling has given the series another name.
   */
  readonly family?: string
}

export { familyOf } from './family.ts'

export type Exemplar = {
  readonly labels: readonly string[]
  readonly value: number
  readonly timestampMs: number | null
}

/** Go's strconv.FormatFloat(v, 'f', -1, 64) with upstream's NaN/Inf names, as the HTTP API prints samples. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  if (Object.is(value, -0)) return '-0'
  const text = String(value)
  const e = text.indexOf('e')
  return e < 0 ? text : expandExponent(text, e)
}

function expandExponent(text: string, e: number): string {
  const negative = text[0] === '-'
  const mantissa = text.slice(negative ? 1 : 0, e)
  const exponent = Number(text.slice(e + 1))
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = whole + fraction
  const point = whole.length + exponent
  const body =
    point <= 0
      ? `0.${'0'.repeat(-point)}${digits}`
      : point >= digits.length
        ? digits + '0'.repeat(point - digits.length)
        : `${digits.slice(0, point)}.${digits.slice(point)}`
  return negative ? `-${body}` : body
}

export { atMostSchema8, isTooFine, withSchema } from './reduce-resolution.ts'

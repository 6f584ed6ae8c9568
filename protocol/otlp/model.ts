/** OTLP metrics as both encodings say them. Times are milliseconds, 0 unknown; attributes are texts already. */
export type Attributes = readonly (readonly [name: string, value: string])[]

export type OtlpExemplar = {
  readonly timeMs: number
  readonly value: number
  /** Hexadecimal, '' when absent. */
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

export type OtlpBuckets = { readonly offset: number; readonly counts: readonly number[] }

/** The fields of all kinds of points; each kind uses its own. */
export type OtlpPoint = {
  attributes: Attributes
  startMs: number
  timeMs: number
  /** Bit 0: nothing was recorded, the series is stale. */
  flags: number
  value: number
  count: number
  /** null when not given. */
  sum: number | null
  bucketCounts: readonly number[]
  bounds: readonly number[]
  scale: number
  zeroCount: number
  zeroThreshold: number
  positive: OtlpBuckets
  negative: OtlpBuckets
  quantiles: readonly { readonly quantile: number; readonly value: number }[]
  exemplars: readonly OtlpExemplar[]
}

export type OtlpKind = 'gauge' | 'sum' | 'histogram' | 'exponential' | 'summary'

export type OtlpMetric = {
  readonly name: string
  readonly description: string
  readonly unit: string
  /** '' for a kind that this version does not know. */
  readonly kind: OtlpKind | ''
  /** 0 unspecified, 1 delta, 2 cumulative. */
  readonly temporality: number
  readonly isMonotonic: boolean
  readonly points: readonly OtlpPoint[]
}

export type OtlpScope = {
  readonly name: string
  readonly version: string
  readonly schemaUrl: string
  readonly attributes: Attributes
  readonly metrics: readonly OtlpMetric[]
}

export type OtlpResource = { readonly attributes: Attributes; readonly scopes: readonly OtlpScope[] }

const NO_BUCKETS: OtlpBuckets = { offset: 0, counts: [] }

export const blankPoint = (): OtlpPoint => ({
  attributes: [],
  startMs: 0,
  timeMs: 0,
  flags: 0,
  value: 0,
  count: 0,
  sum: null,
  bucketCounts: [],
  bounds: [],
  scale: 0,
  zeroCount: 0,
  zeroThreshold: 0,
  positive: NO_BUCKETS,
  negative: NO_BUCKETS,
  quantiles: [],
  exemplars: [],
})

/** A value as a label's text. Semantics: OpenTelemetry collector pcommon Value.AsString. */
export function attributeText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return numberText(value)
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? Number(inner) : inner instanceof Map ? Object.fromEntries(inner) : inner,
  )
}

/** As Go's encoding/json prints floats. */
function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-6 && size < 1e21)) return Object.is(value, -0) ? '-0' : String(value)
  return value
    .toExponential()
    .replace(/e([+-])(\d)$/, 'e$10$2')
    .replace(/e-0(\d)$/, 'e-0$1')
}

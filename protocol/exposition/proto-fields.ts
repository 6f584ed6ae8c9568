/** Tags (field number × 8 + wire type) of io.prometheus.client. Semantics: prometheus/client_model metrics.proto. */
export const FamilyTag = { name: 10, help: 18, type: 24, metric: 34, unit: 42 } as const
export const MetricTag = {
  label: 10,
  gauge: 18,
  counter: 26,
  summary: 34,
  untyped: 42,
  timestamp: 48,
  histogram: 58,
} as const
export const LabelTag = { name: 10, value: 18 } as const
export const CounterTag = { value: 9, exemplar: 18, created: 26 } as const
/** Gauge and Untyped. */
export const ValueTag = { value: 9 } as const
export const SummaryTag = { count: 8, sum: 17, quantile: 26, created: 34 } as const
export const QuantileTag = { quantile: 9, value: 17 } as const
export const HistogramTag = {
  count: 8,
  sum: 17,
  bucket: 26,
  countFloat: 33,
  schema: 40,
  zeroThreshold: 49,
  zeroCount: 56,
  zeroCountFloat: 65,
  negativeSpan: 74,
  negativeDelta: 80,
  negativeDeltas: 82,
  negativeCount: 89,
  negativeCounts: 90,
  positiveSpan: 98,
  positiveDelta: 104,
  positiveDeltas: 106,
  positiveCount: 113,
  positiveCounts: 114,
  created: 122,
  exemplar: 130,
} as const
export const BucketTag = { count: 8, bound: 17, exemplar: 26, countFloat: 33 } as const
export const SpanTag = { offset: 8, length: 16 } as const
export const ExemplarTag = { label: 10, value: 17, timestamp: 26 } as const
export const TimestampTag = { seconds: 8, nanos: 16 } as const

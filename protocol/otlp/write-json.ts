/** Resources as OTLP in JSON: what `readOtlpJson` makes the same of. */
import type { Attributes, OtlpBuckets, OtlpExemplar, OtlpKind, OtlpMetric, OtlpPoint, OtlpResource } from './model.ts'

type Json = Readonly<Record<string, unknown>>

const KEYS: Readonly<Record<OtlpKind, string>> = {
  gauge: 'gauge',
  sum: 'sum',
  histogram: 'histogram',
  exponential: 'exponentialHistogram',
  summary: 'summary',
}

export function writeOtlpJson(resources: readonly OtlpResource[]): Uint8Array {
  const resourceMetrics = resources.map((resource) => ({
    resource: { attributes: attributes(resource.attributes) },
    scopeMetrics: resource.scopes.map(({ name, version, schemaUrl, attributes: own, metrics }) => ({
      scope: { name, version, attributes: attributes(own) },
      schemaUrl,
      metrics: metrics.map(metric),
    })),
  }))
  return new TextEncoder().encode(JSON.stringify({ resourceMetrics }))
}

function metric({ name, description, unit, kind, temporality, isMonotonic, points }: OtlpMetric): Json {
  const data = { aggregationTemporality: temporality, isMonotonic, dataPoints: points.map(point) }
  return { name, description, unit, ...(kind !== '' && { [KEYS[kind]]: data }) }
}

function point(own: OtlpPoint): Json {
  return {
    attributes: attributes(own.attributes),
    startTimeUnixNano: nanos(own.startMs),
    timeUnixNano: nanos(own.timeMs),
    flags: own.flags,
    asDouble: number(own.value),
    count: own.count,
    ...(own.sum !== null && { sum: number(own.sum) }),
    bucketCounts: own.bucketCounts,
    explicitBounds: own.bounds.map(number),
    scale: own.scale,
    zeroCount: own.zeroCount,
    zeroThreshold: number(own.zeroThreshold),
    positive: buckets(own.positive),
    negative: buckets(own.negative),
    quantileValues: own.quantiles.map(({ quantile, value }) => ({ quantile: number(quantile), value: number(value) })),
    exemplars: own.exemplars.map(exemplar),
  }
}

const buckets = ({ offset, counts }: OtlpBuckets): Json => ({ offset, bucketCounts: counts })

function exemplar({ timeMs, value, traceId, spanId, attributes: own }: OtlpExemplar): Json {
  return { timeUnixNano: nanos(timeMs), asDouble: number(value), traceId, spanId, filteredAttributes: attributes(own) }
}

const attributes = (all: Attributes) => all.map(([key, stringValue]) => ({ key, value: { stringValue } }))

const nanos = (ms: number): string => String(BigInt(Math.trunc(ms)) * 1_000_000n)

/** What JSON has no number for is a text; it has none for -0 either. */
const number = (value: number): number | string => {
  if (Object.is(value, -0)) return '-0'
  return Number.isFinite(value) ? value : String(value)
}

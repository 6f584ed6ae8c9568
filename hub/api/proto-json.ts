/**
 * Metric families as protobuf's JSON writes them: 64-bit integers are strings, NaN and infinities too, and what is empty
 * is left out. Semantics: prometheus/client_model metrics.proto; google.golang.org/protobuf encoding/protojson.
 */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'

type Json = { [name: string]: unknown }

export function protoJson({ name, help, type, metrics }: MetricFamily): object {
  return {
    name,
    ...(help !== null && { help }),
    type: type.toUpperCase(),
    metric:
      type === 'histogram' || type === 'summary' ? compound(metrics, type) : metrics.map((each) => simple(each, type)),
  }
}

function simple({ labels, value, timestampMs }: Metric, type: string): Json {
  return { ...labelled(labels), [type]: { value: number(value) }, ...stamped(timestampMs) }
}

/** Lines that stand together become one metric; its count is the last of them. */
function compound(lines: readonly Metric[], type: 'histogram' | 'summary'): Json[] {
  const out: Json[] = []
  let parts: Json[] = []
  let sum: unknown = 0
  for (const { labels, value, suffix, timestampMs } of lines) {
    if (suffix === '_sum') sum = number(value)
    else if (suffix === '_count') {
      const of = { sampleCount: String(value), sampleSum: sum, ...(parts.length > 0 && { [PARTS[type]]: parts }) }
      out.push({ ...labelled(labels), [type]: of, ...stamped(timestampMs) })
      parts = []
    } else {
      const bound = labels.at(-1)!
      if (type === 'summary') parts.push({ quantile: Number(bound), value: number(value) })
      // The bucket without a bound is the count.
      else if (bound !== '+Inf') parts.push({ cumulativeCount: String(value), upperBound: Number(bound) })
    }
  }
  return out
}

const PARTS = { histogram: 'bucket', summary: 'quantile' } as const

function labelled(labels: readonly string[]): Json {
  if (labels.length === 0) return {}
  const label = Array.from({ length: labels.length / 2 }, (_, i) => ({ name: labels[2 * i], value: labels[2 * i + 1] }))
  return { label }
}

function stamped(timestampMs: number | undefined): Json {
  return timestampMs === undefined ? {} : { timestampMs: String(timestampMs) }
}

function number(value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

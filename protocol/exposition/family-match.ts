import type { MetricType } from '../samples/mod.ts'

const SUFFIXES: Readonly<Partial<Record<MetricType, readonly string[]>>> = {
  counter: ['_total'],
  histogram: ['_bucket', '_sum', '_count'],
  gaugehistogram: ['_bucket', '_gsum', '_gcount'],
  summary: ['_sum', '_count'],
  info: ['_info'],
}

/**
 * Whether a series is one of the family that the last meta line named: metadata must not stick to strangers that
 * merely follow.
 * Semantics: Prometheus model/textparse/family.go, isSeriesPartOfFamily (v3).
 */
export function belongsToFamily(metric: string, family: string, type: MetricType): boolean {
  if (!metric.startsWith(family)) return false
  const suffix = (SUFFIXES[type] ?? []).find((s) => metric.endsWith(s))
  const base = suffix === undefined ? metric : metric.slice(0, -suffix.length)
  // In the text format the family's own name may end in _total, in OpenMetrics never.
  const ownSuffix = type === 'counter' ? '_total' : type === 'info' ? '_info' : ''
  const name = ownSuffix !== '' && family.endsWith(ownSuffix) ? family.slice(0, -ownSuffix.length) : family
  return base === name
}

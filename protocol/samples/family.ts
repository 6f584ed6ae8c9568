/** Which family a series is of, for those whose metadata does not say it. */
import type { MetricType } from './mod.ts'

const PARTS: Readonly<Partial<Record<MetricType, RegExp>>> = {
  histogram: /_(?:bucket|count|sum)$/,
  gaugehistogram: /_(?:bucket|gcount|gsum|count|sum)$/,
  summary: /_(?:count|sum)$/,
}

/**
 * A series' name less the suffix that the parts of a histogram or summary have. An agent says a family's name only where
 * this does not yield it, and hubs of other versions read that: what it yields must stay.
 * @example familyOf('rpc_seconds_bucket', 'histogram') // 'rpc_seconds'
 */
export const familyOf = (name: string, type: MetricType): string => (PARTS[type] ? name.replace(PARTS[type], '') : name)

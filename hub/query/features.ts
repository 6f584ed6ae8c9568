/** Names of `--enable-feature` and what they switch. Semantics: Prometheus cmd/prometheus/main.go, setFeatureListOptions. */
import type { ParserFeatures } from '../promql/ast.ts'

export const KNOWN_FEATURES: readonly string[] = [
  'promql-experimental-functions',
  'promql-duration-expr',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
  'promql-delayed-name-removal',
  'promql-per-step-stats',
  'use-start-timestamps',
  'type-and-unit-labels',
  'native-histograms',
  'exemplar-storage',
  'created-timestamp-zero-ingestion',
  'concurrent-rule-eval',
  'auto-reload-config',
  'extra-scrape-metrics',
  'memory-snapshot-on-shutdown',
  'metadata-wal-records',
  'otlp-deltatocumulative',
  'otlp-native-delta-ingestion',
  'delayed-compaction',
  'old-ui',
]

export function parserFeatures(features: readonly string[]): ParserFeatures {
  return {
    experimentalFunctions: features.includes('promql-experimental-functions'),
    // Stable in 3.14: its flag has no effect any more.
    durationExpressions: true,
    extendedRangeSelectors: features.includes('promql-extended-range-selectors'),
    binopFillModifiers: features.includes('promql-binop-fill-modifiers'),
  }
}

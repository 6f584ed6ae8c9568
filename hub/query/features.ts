/** Names of `--enable-feature` and what they switch. Semantics: Prometheus cmd/prometheus/main.go, setFeatureListOptions. */
import type { ParserFeatures } from '../promql/ast.ts'

/** Counters begin with a zero at the time since when they count. */
export const START_ZEROS = 'created-timestamp-zero-ingestion'

/** Those that switch something here, and those that are always on. */
const ACTED_UPON: readonly string[] = [
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
  'metadata-wal-records',
  'otlp-native-delta-ingestion',
  'otlp-deltatocumulative',
  'search-api',
  START_ZEROS,
]

/** Of others the operator is warned; as upstream does it, they are no error. */
export function isActedUpon(feature: string): boolean {
  return ACTED_UPON.includes(feature)
}

export function parserFeatures(features: readonly string[]): ParserFeatures {
  return {
    experimentalFunctions: features.includes('promql-experimental-functions'),
    // Stable in 3.14: its flag has no effect any more.
    durationExpressions: true,
    extendedRangeSelectors: features.includes('promql-extended-range-selectors'),
    binopFillModifiers: features.includes('promql-binop-fill-modifiers'),
  }
}

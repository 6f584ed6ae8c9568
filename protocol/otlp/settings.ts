/** How OTLP becomes series. Semantics: Prometheus config.OTLPConfig (v3.14). */
import type { LabelRules, NameStrategy } from './names.ts'

export type OtlpSettings = LabelRules & {
  readonly translationStrategy: NameStrategy
  readonly promoteResourceAttributes: readonly string[]
  readonly promoteAllResourceAttributes: boolean
  /** With `promoteAllResourceAttributes`: all but these. */
  readonly ignoreResourceAttributes: readonly string[]
  readonly promoteScopeMetadata: boolean
  readonly keepIdentifyingResourceAttributes: boolean
  readonly convertHistogramsToNhcb: boolean
  /** Feature otlp-native-delta-ingestion: deltas are stored as they are. */
  readonly allowDelta: boolean
  /** Feature otlp-deltatocumulative: deltas are made cumulative before they are stored. */
  readonly convertDelta: boolean
  /** Feature type-and-unit-labels: series say what they are in `__type__` and `__unit__`. */
  readonly typeAndUnitLabels: boolean
}

export const OTLP_DEFAULTS: OtlpSettings = {
  translationStrategy: 'UnderscoreEscapingWithSuffixes',
  promoteResourceAttributes: [],
  promoteAllResourceAttributes: false,
  ignoreResourceAttributes: [],
  promoteScopeMetadata: false,
  keepIdentifyingResourceAttributes: false,
  convertHistogramsToNhcb: false,
  allowDelta: false,
  convertDelta: false,
  typeAndUnitLabels: false,
}

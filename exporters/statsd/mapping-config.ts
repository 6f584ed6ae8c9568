/**
 * The mapping file. Semantics: statsd_exporter pkg/mapper/mapper.go, InitFromYAMLString (v0.30).
 * Keys that nobody knows are passed over, as there; the first of them is told.
 */
import {
  boolean,
  type Cursor,
  type Decoder,
  decodeYaml,
  list,
  natural,
  number,
  object,
  oneOf,
  parsed,
  type Raw,
  record,
  string,
} from '../../protocol/config/mod.ts'
import { parseGoDuration } from '../../protocol/durations/mod.ts'
import type { EventKind } from './event.ts'

export type Quantile = { readonly quantile: number; readonly error: number }
export type SummaryOptions = {
  readonly quantiles: readonly Quantile[]
  /** 0: the default, as in the next two. */
  readonly maxAgeMs: number
  readonly ageBuckets: number
  readonly bufCap: number
}
export type ObserverType = 'summary' | 'histogram'
export type MatchType = 'glob' | 'regex'

export type Mapping = {
  readonly match: string
  readonly matchType: MatchType
  /** null: of any kind. */
  readonly kind: EventKind | null
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly help: string
  readonly action: 'map' | 'drop'
  readonly observerType: ObserverType | null
  readonly summary: SummaryOptions
  readonly buckets: readonly number[]
  readonly ttlMs: number
  readonly honorLabels: boolean
  readonly scale: number | null
}

export type MappingDefaults = {
  /** null: nobody chose, which is a summary. */
  readonly observerType: ObserverType | null
  readonly summary: SummaryOptions
  readonly buckets: readonly number[]
  readonly matchType: MatchType
  readonly globDisableOrdering: boolean
  readonly ttlMs: number
}

export type MappingConfig = { readonly defaults: MappingDefaults; readonly mappings: readonly Mapping[] }

/** client_golang's DefBuckets. */
const DEFAULT_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DEFAULT_QUANTILES: readonly Quantile[] = [
  { quantile: 0.5, error: 0.05 },
  { quantile: 0.9, error: 0.01 },
  { quantile: 0.99, error: 0.001 },
]
const NO_SUMMARY: SummaryOptions = { quantiles: [], maxAgeMs: 0, ageBuckets: 0, bufCap: 0 }
export const DEFAULTS: MappingDefaults = {
  observerType: null,
  summary: { ...NO_SUMMARY, quantiles: DEFAULT_QUANTILES },
  buckets: DEFAULT_BUCKETS,
  matchType: 'glob',
  globDisableOrdering: false,
  ttlMs: 0,
}

/** Upstream's: no part begins with a dash, the first with no digit either. */
const GLOB = /^(?:\*|[a-zA-Z_][a-zA-Z0-9_-]*)(?:\.(?:\*|[a-zA-Z0-9_][a-zA-Z0-9_-]*))*$/
const NAME = /^(?:[a-zA-Z_]|\$\{?\d+\}?)(?:[a-zA-Z0-9_]|\$\{?\d+\}?)*$/
/** Two letters at least, as upstream's labelNameRE has it. */
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]+$/

/**
 * @param onUnknown hears of the first key that has no effect, with file, line and column
 * @throws ConfigError with file, line and column
 */
export function loadMappingConfig(
  text: string,
  file: string,
  onUnknown: (problem: string) => void = () => {},
): MappingConfig {
  const { value } = decodeYaml(text, file, root, { ignoreUnknown: true })
  try {
    decodeYaml(text, file, root)
  } catch (error) {
    onUnknown((error as Error).message)
  }
  return value
}

const observerType = oneOf(
  ['', 'summary', 'histogram'],
  (v) => `invalid observer type "${v}"; take summary or histogram`,
)
const matchType = oneOf(['', 'glob', 'regex'], (v) => `invalid match type "${v}"; take glob or regex`)
const kind = oneOf(
  ['', 'counter', 'gauge', 'observer', 'timer'],
  (v) => `invalid metric type "${v}"; take counter, gauge or observer`,
)
const action = oneOf(['', 'map', 'drop'], (v) => `invalid action type "${v}"; take map or drop`)
const duration = parsed((text) => (text === '' ? 0 : parseGoDuration(text)))
const quantiles = list(
  object('metricObjective', { quantile: number, error: number }, (raw) => ({
    quantile: raw.quantile ?? 0,
    error: raw.error ?? 0,
  })),
)
const summaryOptions: Decoder<SummaryOptions> = object(
  'SummaryOptions',
  { quantiles, max_age: duration, age_buckets: natural, buf_cap: natural },
  (raw) => ({
    quantiles: raw.quantiles ?? [],
    maxAgeMs: raw.max_age ?? 0,
    ageBuckets: raw.age_buckets ?? 0,
    bufCap: raw.buf_cap ?? 0,
  }),
)
const buckets: Decoder<readonly number[]> = (at) => {
  const bounds = list(number)(at)
  bounds.forEach((bound, i) => {
    if (i > 0 && bound <= bounds[i - 1]!) at.fail(`buckets must ascend, got ${bounds[i - 1]} before ${bound}`)
  })
  return bounds
}
/** The page is text: native histograms have no form there, so that their options are read and have no effect. */
const histogramOptions: Decoder<readonly number[]> = object(
  'HistogramOptions',
  { buckets, native_histogram_bucket_factor: number, native_histogram_max_buckets: natural },
  (raw) => raw.buckets ?? [],
)

const DEFAULT_FIELDS = {
  observer_type: observerType,
  timer_type: observerType,
  buckets,
  quantiles,
  match_type: matchType,
  glob_disable_ordering: boolean,
  ttl: duration,
  summary_options: summaryOptions,
  histogram_options: histogramOptions,
}
const defaults: Decoder<MappingDefaults> = object('mapperConfigDefaults', DEFAULT_FIELDS, (raw) => ({
  observerType: raw.observer_type || raw.timer_type || null,
  summary: withQuantiles(raw.summary_options ?? NO_SUMMARY, raw.quantiles ?? [], DEFAULT_QUANTILES),
  buckets: firstFilled(raw.histogram_options, raw.buckets, DEFAULT_BUCKETS),
  matchType: raw.match_type || DEFAULTS.matchType,
  globDisableOrdering: raw.glob_disable_ordering ?? false,
  ttlMs: raw.ttl ?? 0,
}))

const MAPPING_FIELDS = {
  match: string,
  name: string,
  labels: record(string, (name, at) => {
    if (!LABEL.test(name)) at.fail(`invalid label key: ${name}`)
  }),
  observer_type: observerType,
  timer_type: observerType,
  buckets,
  quantiles,
  match_type: matchType,
  help: string,
  action,
  match_metric_type: kind,
  ttl: duration,
  summary_options: summaryOptions,
  histogram_options: histogramOptions,
  honor_labels: boolean,
  scale: number,
}
type RawMapping = Raw<typeof MAPPING_FIELDS>

const root: Decoder<MappingConfig> = (at) => {
  if (at.isNull) return { defaults: DEFAULTS, mappings: [] }
  const fields = { defaults, mappings: list(object('MetricMapping', MAPPING_FIELDS, (raw, here) => ({ raw, here }))) }
  return object('MetricMapper', fields, (raw) => {
    const base = raw.defaults ?? DEFAULTS
    return {
      defaults: base,
      mappings: (raw.mappings ?? []).map(({ raw: one, here }) => finishMapping(one, here, base)),
    }
  })(at)
}

function finishMapping(raw: RawMapping, at: Cursor, base: MappingDefaults): Mapping {
  const match = raw.match ?? ''
  const name = raw.name ?? ''
  const type = raw.match_type || base.matchType
  if (name === '') at.fail("metric mapping didn't set a metric name")
  if (!NAME.test(name)) at.fail(`metric name "${name}" must be of letters, digits, _ and references like \${1}`)
  if (type === 'glob' && !GLOB.test(match))
    at.fail(`invalid match: "${match}"; a glob is of names and * between dots, anything else needs match_type: regex`)
  const observer = raw.observer_type || raw.timer_type || base.observerType
  if (observer === 'histogram' && raw.summary_options)
    at.fail('cannot use histogram observer and summary options at the same time')
  if (observer === 'summary' && raw.histogram_options)
    at.fail('cannot use summary observer and histogram options at the same time')
  if (raw.quantiles?.length && raw.summary_options?.quantiles.length)
    at.fail(`cannot use quantiles in both the top level and summary options at the same time in ${match}`)
  if (raw.buckets?.length && raw.histogram_options?.length)
    at.fail(`cannot use buckets in both the top level and histogram options at the same time in ${match}`)
  const own = withQuantiles(raw.summary_options ?? NO_SUMMARY, raw.quantiles ?? [], base.summary.quantiles)
  return {
    match,
    matchType: type,
    kind: raw.match_metric_type === 'timer' ? 'observer' : raw.match_metric_type || null,
    name,
    labels: raw.labels ?? {},
    help: raw.help ?? '',
    action: raw.action || 'map',
    observerType: observer,
    summary: {
      quantiles: own.quantiles,
      maxAgeMs: own.maxAgeMs || base.summary.maxAgeMs,
      ageBuckets: own.ageBuckets || base.summary.ageBuckets,
      bufCap: own.bufCap || base.summary.bufCap,
    },
    buckets: firstFilled(raw.histogram_options, raw.buckets, base.buckets),
    ttlMs: raw.ttl || base.ttlMs,
    honorLabels: raw.honor_labels ?? false,
    scale: raw.scale ?? null,
  }
}

const withQuantiles = (
  options: SummaryOptions,
  legacy: readonly Quantile[],
  fallback: readonly Quantile[],
): SummaryOptions => ({ ...options, quantiles: firstFilled(options.quantiles, legacy, fallback) })

const firstFilled = <T>(...lists: (readonly T[] | undefined)[]): readonly T[] =>
  lists.find((one) => one !== undefined && one.length > 0) ?? []

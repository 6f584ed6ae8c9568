/** One entry of `scrape_configs`, and what `global` gives it. Semantics: Prometheus config.ScrapeConfig (v3.14). */
import type { NameValidationScheme, RelabelConfig } from '../relabel/mod.ts'
import {
  boolean,
  type Cursor,
  type Decoder,
  list,
  natural,
  number,
  object,
  oneOf,
  parsed,
  pointer,
  type Raw,
  record,
  string,
} from './decode.ts'
import { type DiscoveryConfig, duration } from './discovery.ts'
import { collectDiscovery, DISCOVERY_FIELDS } from './discovery-sections.ts'
import { finishHttp, HTTP_FIELDS, type HttpClientConfig } from './http-client.ts'
import { finishRelabel, relabelRules } from './relabel.ts'
import { parseBytes } from './units.ts'

export const SCRAPE_PROTOCOLS = [
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
  'PrometheusProto',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
] as const
export type ScrapeProtocol = (typeof SCRAPE_PROTOCOLS)[number]
const DEFAULT_PROTOCOLS: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
]
const PROTO_FIRST: readonly ScrapeProtocol[] = ['PrometheusProto', ...DEFAULT_PROTOCOLS]
export type EscapingScheme = 'allow-utf-8' | 'underscores' | 'dots' | 'values'

/** Limits and switches that `global` sets and a job overrides; 0 = no limit. */
export type ScrapeDefaults = {
  readonly scrapeIntervalMs: number
  readonly scrapeTimeoutMs: number
  readonly protocols: readonly ScrapeProtocol[] | null
  readonly bodySizeLimitBytes: number
  readonly sampleLimit: number
  /** Ours. `soft`: above the limit the series already known stay and new ones are refused. */
  readonly sampleLimitMode: 'hard' | 'soft'
  readonly targetLimit: number
  readonly labelLimit: number
  readonly labelNameLengthLimit: number
  readonly labelValueLengthLimit: number
  readonly keepDroppedTargets: number
  readonly nameValidation: NameValidationScheme
  readonly escaping: EscapingScheme | ''
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  readonly convertClassicToNhcb: boolean
  readonly extraScrapeMetrics: boolean
  /** Of a flag, not of a file: see `LoadOptions`. */
  readonly startTimestamps: boolean
  readonly failureLogFile: string
}

export type ScrapeConfig = Omit<ScrapeDefaults, 'protocols' | 'escaping'> & {
  readonly jobName: string
  readonly honorLabels: boolean
  readonly honorTimestamps: boolean
  readonly trackTimestampsStaleness: boolean
  readonly params: Readonly<Record<string, readonly string[]>>
  readonly protocols: readonly ScrapeProtocol[]
  readonly fallbackProtocol: ScrapeProtocol | ''
  readonly escaping: EscapingScheme
  readonly metricsPath: string
  readonly scheme: string
  readonly enableCompression: boolean
  readonly nativeHistogramBucketLimit: number
  readonly nativeHistogramMinBucketFactor: number
  readonly http: HttpClientConfig
  readonly discovery: readonly DiscoveryConfig[]
  readonly relabel: readonly RelabelConfig[]
  readonly metricRelabel: readonly RelabelConfig[]
}

const supported = `supported: [${SCRAPE_PROTOCOLS.join(' ')}]`
const scheme = oneOf(
  ['', 'legacy', 'utf8'] as const,
  (value) => `unrecognized ValidationScheme: ${JSON.stringify(value)}`,
)
const escaping: Decoder<'' | 'allow-utf-8' | 'underscores' | 'dots' | 'values'> = (at) => {
  const whose = at.key.startsWith('global.') ? 'global' : 'scrape config'
  const complain = (value: string): string =>
    `unknown ${whose} name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got ${JSON.stringify(value)}`
  return oneOf(['', 'allow-utf-8', 'underscores', 'dots', 'values'], complain)(at)
}

/** Keys that stand in `global` and in a job alike. */
export const SHARED_FIELDS = {
  scrape_interval: duration,
  scrape_timeout: duration,
  scrape_protocols: pointer(list(string)),
  body_size_limit: parsed(parseBytes),
  sample_limit: natural,
  sample_limit_mode: oneOf(
    ['', 'hard', 'soft'] as const,
    (value) => `sample_limit_mode is hard or soft, got ${JSON.stringify(value)}`,
  ),
  target_limit: natural,
  label_limit: natural,
  label_name_length_limit: natural,
  label_value_length_limit: natural,
  keep_dropped_targets: natural,
  metric_name_validation_scheme: scheme,
  metric_name_escaping_scheme: escaping,
  scrape_native_histograms: boolean,
  always_scrape_classic_histograms: boolean,
  convert_classic_histograms_to_nhcb: boolean,
  extra_scrape_metrics: boolean,
  scrape_failure_log_file: string,
} as const

export type SharedRaw = Raw<typeof SHARED_FIELDS>

const JOB_FIELDS = {
  ...SHARED_FIELDS,
  ...HTTP_FIELDS,
  ...DISCOVERY_FIELDS,
  job_name: string,
  honor_labels: boolean,
  honor_timestamps: boolean,
  track_timestamps_staleness: boolean,
  params: record(list(string)),
  fallback_scrape_protocol: string,
  metrics_path: string,
  scheme: string,
  enable_compression: boolean,
  native_histogram_bucket_limit: natural,
  native_histogram_min_bucket_factor: number,
  relabel_configs: relabelRules('empty or null target relabeling rule in scrape config'),
  metric_relabel_configs: relabelRules('empty or null metric relabeling rule in scrape config'),
} as const

/** Decoded, but not yet completed by `global` (which may stand below it in the file). */
export type PendingJob = {
  readonly jobName: string
  readonly at: Cursor
  readonly finish: (defaults: ScrapeDefaults) => ScrapeConfig
}

type JobRaw = {
  readonly [K in keyof typeof JOB_FIELDS]?: (typeof JOB_FIELDS)[K] extends Decoder<infer T> ? T : never
}

export const pendingJob: Decoder<PendingJob> = object('config.ScrapeConfig', JOB_FIELDS, (raw, at) => {
  const job = raw as unknown as JobRaw
  const jobName = job.job_name ?? ''
  // Sections of a job are checked where upstream checks them: while the file is read, before the job as a whole.
  const http = finishHttp(job as Raw<typeof HTTP_FIELDS>, at)
  if (jobName === '') at.fail('job_name is empty')
  return { jobName, at, finish: (defaults) => finishJob(job, at, http, defaults) }
})

function finishJob(raw: JobRaw, at: Cursor, http: HttpClientConfig, defaults: ScrapeDefaults): ScrapeConfig {
  const name = JSON.stringify(raw.job_name)
  const shared = finishShared(raw as SharedRaw, at, defaults, `for scrape config with job name ${name}`)
  const fallback = raw.fallback_scrape_protocol ?? ''
  if (fallback !== '' && !isProtocol(fallback)) {
    at.fail(
      `invalid fallback_scrape_protocol for scrape config with job name ${name}: unknown scrape protocol ${fallback}, ${supported}`,
    )
  }
  const relabel = finishRelabel(raw.relabel_configs, shared.nameValidation)
  const metricRelabel = finishRelabel(raw.metric_relabel_configs, shared.nameValidation)
  const escapingScheme = shared.escaping || (shared.nameValidation === 'legacy' ? 'underscores' : 'allow-utf-8')
  if (shared.nameValidation === 'legacy' && escapingScheme === 'allow-utf-8') {
    at.fail('utf8 metric names requested but validation scheme is not set to UTF8')
  }
  // As upstream: both are at their best in protobuf.
  const isProtoFirst = shared.scrapeNativeHistograms || shared.startTimestamps
  return {
    ...shared,
    jobName: raw.job_name ?? '',
    honorLabels: raw.honor_labels ?? false,
    honorTimestamps: raw.honor_timestamps ?? true,
    trackTimestampsStaleness: raw.track_timestamps_staleness ?? false,
    params: raw.params ?? {},
    protocols: shared.protocols ?? (isProtoFirst ? PROTO_FIRST : DEFAULT_PROTOCOLS),
    fallbackProtocol: fallback as ScrapeProtocol | '',
    escaping: escapingScheme,
    metricsPath: raw.metrics_path ?? '/metrics',
    scheme: raw.scheme ?? 'http',
    enableCompression: raw.enable_compression ?? true,
    nativeHistogramBucketLimit: raw.native_histogram_bucket_limit ?? 0,
    nativeHistogramMinBucketFactor: raw.native_histogram_min_bucket_factor ?? 0,
    http,
    discovery: collectDiscovery(raw),
    relabel,
    metricRelabel,
  }
}

/** What a section with the shared keys makes of the defaults from above it. `whose` ends the complaints. */
export function finishShared(raw: SharedRaw, at: Cursor, defaults: ScrapeDefaults, whose: string): ScrapeDefaults {
  const scrapeIntervalMs = raw.scrape_interval || defaults.scrapeIntervalMs
  if (raw.scrape_timeout && raw.scrape_timeout > scrapeIntervalMs) {
    at.fail(
      whose === ''
        ? 'global scrape timeout greater than scrape interval'
        : `scrape timeout greater than scrape interval ${whose}`,
    )
  }
  const inherited = Math.min(defaults.scrapeTimeoutMs, scrapeIntervalMs)
  return {
    scrapeIntervalMs,
    scrapeTimeoutMs: raw.scrape_timeout || inherited,
    protocols: protocols(raw.scrape_protocols, at, whose) ?? defaults.protocols,
    bodySizeLimitBytes: raw.body_size_limit || defaults.bodySizeLimitBytes,
    sampleLimit: raw.sample_limit || defaults.sampleLimit,
    sampleLimitMode: raw.sample_limit_mode || defaults.sampleLimitMode,
    targetLimit: raw.target_limit || defaults.targetLimit,
    labelLimit: raw.label_limit || defaults.labelLimit,
    labelNameLengthLimit: raw.label_name_length_limit || defaults.labelNameLengthLimit,
    labelValueLengthLimit: raw.label_value_length_limit || defaults.labelValueLengthLimit,
    keepDroppedTargets: raw.keep_dropped_targets || defaults.keepDroppedTargets,
    nameValidation: raw.metric_name_validation_scheme || defaults.nameValidation,
    escaping: raw.metric_name_escaping_scheme || defaults.escaping,
    scrapeNativeHistograms: raw.scrape_native_histograms ?? defaults.scrapeNativeHistograms,
    alwaysScrapeClassicHistograms: raw.always_scrape_classic_histograms ?? defaults.alwaysScrapeClassicHistograms,
    convertClassicToNhcb: raw.convert_classic_histograms_to_nhcb ?? defaults.convertClassicToNhcb,
    extraScrapeMetrics: raw.extra_scrape_metrics ?? defaults.extraScrapeMetrics,
    startTimestamps: defaults.startTimestamps,
    failureLogFile: raw.scrape_failure_log_file ?? defaults.failureLogFile,
  }
}

function protocols(names: readonly string[] | undefined, at: Cursor, whose: string): readonly ScrapeProtocol[] | null {
  if (!names) return null
  const end = ` ${whose === '' ? 'for global config' : whose}`
  if (names.length === 0) at.fail(`scrape_protocols cannot be empty${end}`)
  const seen = new Set<string>()
  for (const name of names) {
    if (!isProtocol(name)) at.fail(`scrape_protocols: unknown scrape protocol ${name}, ${supported}${end}`)
    if (seen.has(name)) at.fail(`duplicated protocol in scrape_protocols, got [${names.join(' ')}]${end}`)
    seen.add(name)
  }
  return names as readonly ScrapeProtocol[]
}

function isProtocol(name: string): name is ScrapeProtocol {
  return (SCRAPE_PROTOCOLS as readonly string[]).includes(name)
}

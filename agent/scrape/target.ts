/**
 * What to scrape and how: one target after discovery and relabelling. Semantics: Prometheus config.ScrapeConfig and
 * scrape.Target (v3.14); names follow `prometheus.yml`.
 */
import type { HttpRequest } from '../../protocol/env/mod.ts'
import type { MetricFamily, ScrapeProtocol } from '../../protocol/exposition/mod.ts'
import { EMPTY_LABELS, type Labels, labelValue } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import { fnv64, hex64 } from './hash.ts'

export type HttpSource = {
  readonly kind: 'http'
  readonly scheme: 'http' | 'https'
  /** host:port */
  readonly address: string
  readonly path: string
  readonly params: Readonly<Record<string, readonly string[]>>
  /** Authorization and the like; a function is asked before every scrape (credentials read from files). */
  readonly headers:
    | Readonly<Record<string, string>>
    | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
  readonly tls: NonNullable<HttpRequest['tls']> | null
  readonly followRedirects: boolean
  /** Servers on TLS that refuse HTTP/1.1 are asked in HTTP/2. */
  readonly enableHttp2: boolean
  readonly enableCompression: boolean
  /** The proxy on the way to a URL. */
  readonly proxyFor: (url: string) => HttpRequest['proxy']
  /** A text that differs whenever `proxyFor` does: functions cannot be compared. */
  readonly proxyId: string
}

/** Scraped without HTTP: the agent's own exporters. */
export type CollectSource = {
  readonly kind: 'collect'
  /** Stands for the URL on the targets page, and for the function when two configs are compared. */
  readonly name: string
  readonly collect: () => CollectResult | Promise<CollectResult>
}
/** A page of text 0.0.4, or the families themselves. */
export type CollectResult = Uint8Array | readonly MetricFamily[]

/** 0: the default below, or none where there is no default. */
export type ScrapeLimits = {
  /** Inflated body; 0 = 16 MiB. */
  readonly bodyBytes: number
  /** Samples after metric relabelling; 0 = 200,000. */
  readonly samples: number
  /** Above `samples` the series already known stay and new ones are refused, instead of the scrape as a whole. */
  readonly isSoft: boolean
  readonly labels: number
  readonly labelNameLength: number
  readonly labelValueLength: number
  /** Targets of one job. */
  readonly targets: number
}
export const DEFAULT_BODY_LIMIT_BYTES = 16 * 1024 * 1024
export const DEFAULT_SAMPLE_LIMIT = 200_000

export type ScrapeTargetConfig = {
  readonly job: string
  readonly source: HttpSource | CollectSource
  readonly intervalMs: number
  /** At most `intervalMs`. */
  readonly timeoutMs: number
  /** Public labels after relabelling (job and instance among them); every series gets them. */
  readonly labels: Labels
  /** Before relabelling, for the targets page. */
  readonly discoveredLabels: Labels
  readonly honorLabels: boolean
  readonly honorTimestamps: boolean
  readonly trackTimestampsStaleness: boolean
  readonly limits: ScrapeLimits
  /** null drops the series. */
  readonly metricRelabel: ((labels: Labels) => Labels | null) | null
  /** A text that differs whenever the rules do: functions cannot be compared. */
  readonly metricRelabelId: string
  /** Best first. */
  readonly protocols: readonly ScrapeProtocol[]
  readonly fallbackProtocol: ScrapeProtocol | null
  readonly nameValidation: 'utf8' | 'legacy'
  readonly escaping: 'allow-utf-8' | 'underscores' | 'dots' | 'values'
  readonly extraScrapeMetrics: boolean
  /** Native parts of histograms (protobuf) become native samples. */
  readonly scrapeNativeHistograms: boolean
  readonly alwaysScrapeClassicHistograms: boolean
  /** Classic histograms become native ones with custom buckets. */
  readonly convertClassicToNhcb: boolean
  /** Buckets of one native histogram: its resolution falls until they fit; 0 = any number. */
  readonly nativeHistogramBucketLimit: number
  /** Growth from one bucket to the next, at least; 0 = any. */
  readonly nativeHistogramMinBucketFactor: number
  /** OpenMetrics `_created` lines become start timestamps (upstream's flag created-timestamp-zero-ingestion). */
  readonly startTimestamps: boolean
  /** `__type__` and `__unit__` labels (upstream's flag type-and-unit-labels). */
  readonly typeAndUnitLabels: boolean
  /** Every failed scrape adds a line to this file; '' for none. */
  readonly failureLogFile: string
}

export type ScrapeTargetInput = Pick<ScrapeTargetConfig, 'job' | 'source' | 'labels'> &
  Partial<Omit<ScrapeTargetConfig, 'limits'>> & { readonly limits?: Partial<ScrapeLimits> }

const NO_LIMITS: ScrapeLimits = {
  bodyBytes: 0,
  samples: 0,
  isSoft: false,
  labels: 0,
  labelNameLength: 0,
  labelValueLength: 0,
  targets: 0,
}

/** Upstream's defaults for all that is not given. */
export function withTargetDefaults(input: ScrapeTargetInput): ScrapeTargetConfig {
  return {
    intervalMs: 60_000,
    timeoutMs: Math.min(10_000, input.intervalMs ?? 60_000),
    discoveredLabels: EMPTY_LABELS,
    honorLabels: false,
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    metricRelabel: null,
    metricRelabelId: '',
    protocols: ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
    fallbackProtocol: null,
    nameValidation: 'utf8',
    escaping: 'allow-utf-8',
    extraScrapeMetrics: false,
    scrapeNativeHistograms: false,
    alwaysScrapeClassicHistograms: false,
    convertClassicToNhcb: false,
    nativeHistogramBucketLimit: 0,
    nativeHistogramMinBucketFactor: 0,
    startTimestamps: false,
    typeAndUnitLabels: false,
    failureLogFile: '',
    ...input,
    limits: { ...NO_LIMITS, ...input.limits },
  }
}

/** `withTargetDefaults`' companion for the source. */
export function httpSource(input: Pick<HttpSource, 'address'> & Partial<HttpSource>): HttpSource {
  return {
    kind: 'http',
    scheme: 'http',
    path: '/metrics',
    params: {},
    headers: {},
    tls: null,
    followRedirects: true,
    enableHttp2: true,
    enableCompression: true,
    proxyFor: () => undefined,
    proxyId: '',
    ...input,
  }
}

/** As Go's url.URL prints it: parameters sorted by name. */
export function targetUrl(source: ScrapeTargetConfig['source']): string {
  if (source.kind === 'collect') return source.name
  const query = new URLSearchParams()
  for (const name of Object.keys(source.params).sort()) {
    for (const value of source.params[name] ?? []) query.append(name, value)
  }
  const path = source.path.replace(/[?# ]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
  const slash = path === '' || path.startsWith('/') ? '' : '/'
  const suffix = query.size === 0 ? '' : `?${query}`
  return `${source.scheme}://${source.address}${slash}${path}${suffix}`
}

/** Hash of what makes a target this one: its labels and URL, as upstream. */
export function targetHash(config: ScrapeTargetConfig): bigint {
  return fnv64(`${config.labels.join('\xff')}\xff${targetUrl(config.source)}`)
}

/**
 * What spreads targets over their interval. The collectors of one process are due together: one wake-up, one batch, one
 * commit and one message for all of them cost a third of those for each; what spreads hosts is the seed.
 */
export function slotHash(config: ScrapeTargetConfig): bigint {
  return config.source.kind === 'collect' ? 0n : targetHash(config)
}

/** Stable over reloads and restarts; unique within an agent. */
export function targetKey(config: ScrapeTargetConfig): string {
  return `${config.job}/${labelValue(config.labels, 'instance')}/${hex64(targetHash(config))}`
}

/** Equal when nothing about the scrape changed. Functions are left out: their ids stand for them. */
export function configFingerprint(config: ScrapeTargetConfig): string {
  const { discoveredLabels: _, failureLogFile: __, ...rest } = config
  return JSON.stringify(rest, (_key, value: unknown) => (typeof value === 'function' ? 'function' : value))
}

export type TargetHealth = 'unknown' | 'up' | 'down'

/** For the targets page and its API. */
export type TargetStatus = {
  readonly key: string
  readonly job: string
  readonly url: string
  readonly labels: Labels
  readonly discoveredLabels: Labels
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly health: TargetHealth
  /** '' when the last scrape went well. */
  readonly lastError: string
  /** What a good scrape had to leave out: the soft sample limit, with the offender; '' when nothing. */
  readonly warning: string
  /** When the last scrape began; null before the first. */
  readonly lastScrapeMs: number | null
  readonly lastScrapeDurationMs: number
  readonly nextSlotMs: number
  /** Of the last scrape, after metric relabelling. */
  readonly samples: number
  /** Series known, with those that come and go. */
  readonly series: number
  readonly metadata: () => readonly TargetMetadata[]
}
export type TargetMetadata = Metadata & { readonly family: string }

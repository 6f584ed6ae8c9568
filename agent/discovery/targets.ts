/**
 * From `scrape_configs` to targets: the addresses that discovery gives, their labels relabelled.
 * Semantics: Prometheus scrape/target.go, PopulateLabels (v3.14).
 */

import {
  type HttpClientConfig,
  joinPath,
  type OtherDiscovery,
  type ScrapeConfig,
  type StaticConfig,
} from '../../protocol/config/mod.ts'
import { formatDuration, parseDuration } from '../../protocol/durations/mod.ts'
import { type Labels, labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import {
  type CompiledRelabel,
  compileRelabel,
  type RelabelConfig,
  relabel,
  traceRelabel,
} from '../../protocol/relabel/mod.ts'
import { type HttpSource, httpSource, type ScrapeTargetConfig, withTargetDefaults } from '../scrape/mod.ts'
import type { TargetGroup, TargetLabels } from './group.ts'
import { type AccessDeps, credentialHeaders, type ReadText, tlsOptions, tokensOf } from './http-access.ts'
import { proxyFor } from './proxy.ts'

export type DroppedTarget = {
  readonly job: string
  readonly discoveredLabels: Labels
  /** The rule that dropped it, as in the file; '' where the configuration's limit did. */
  readonly rule: string
}

export type Discovered = {
  readonly targets: readonly ScrapeTargetConfig[]
  readonly dropped: readonly DroppedTarget[]
  /** Sections that nothing here acts upon yet, and targets that cannot be used: for the log. */
  readonly problems: readonly string[]
}

export const METRICS_PATH_LABEL = '__metrics_path__'

/** Dropped targets kept for the targets page when the configuration sets no limit. */
const KEEP_DROPPED = 1000

/** What a section has found so far; a text: why nothing here acts upon it. */
export type GroupsOf = (section: OtherDiscovery) => readonly TargetGroup[] | string

/** What one job's targets took to work out. */
export type JobSync = {
  readonly job: string
  readonly seconds: number
  /** Dropped ones included. */
  readonly discovered: number
  /** That cannot be used. */
  readonly failed: number
}

export function discoverTargets(
  configs: readonly ScrapeConfig[],
  deps: AccessDeps,
  groupsOf: GroupsOf,
  onSync?: (sync: JobSync) => void,
): Discovered {
  const targets: ScrapeTargetConfig[] = []
  const dropped: DroppedTarget[] = []
  const problems: string[] = []
  const { pathLabel = METRICS_PATH_LABEL } = deps
  for (const config of configs) {
    const job = `job ${JSON.stringify(config.jobName)}`
    const rules = config.relabel.map((rule) => compileRelabel(rule, config.nameValidation))
    for (const reason of config.http.unsupported) problems.push(`${job}: ${reason}; it is not scraped`)
    if (config.http.unsupported.length > 0) continue
    const beganMs = deps.clock.monotonic()
    const shared = sharedSettings(config, deps, problems)
    let keptDropped = 0
    let discoveredCount = 0
    let failed = 0
    for (const section of config.discovery) {
      const groups =
        section.kind === 'static' ? staticGroups(section as StaticConfig) : groupsOf(section as OtherDiscovery)
      if (typeof groups === 'string') {
        problems.push(`${job}: ${groups}`)
        continue
      }
      for (const group of groups) {
        discoveredCount += group.targets.length
        for (const own of group.targets) {
          const discovered = discoveredLabels(config, { ...group.labels, ...own }, pathLabel)
          const outcome = populate(config, discovered, rules, pathLabel)
          if (outcome === null) {
            if (keptDropped++ < (config.keepDroppedTargets || KEEP_DROPPED))
              dropped.push({
                job: config.jobName,
                discoveredLabels: discovered,
                rule: droppingRule(config, rules, discovered),
              })
          } else if (typeof outcome === 'string') {
            failed++
            problems.push(`${job}, target ${JSON.stringify(own['__address__'] ?? group.source)}: ${outcome}`)
          } else
            targets.push(
              withTargetDefaults({
                ...shared,
                ...outcome,
                source: { ...shared.source, ...outcome.source },
                discoveredLabels: discovered,
              }),
            )
        }
      }
    }
    const seconds = (deps.clock.monotonic() - beganMs) / 1000
    onSync?.({ job: config.jobName, seconds, discovered: discoveredCount, failed })
  }
  return { targets, dropped, problems }
}

const staticGroups = ({ targets, labels }: StaticConfig): TargetGroup[] => [
  { source: 'static', targets: targets.map((address) => ({ __address__: address })), labels },
]

/** Own labels win over the job's settings. Semantics: Prometheus scrape/target.go, PopulateDiscoveredLabels. */
function discoveredLabels(config: ScrapeConfig, own: TargetLabels, pathLabel: string): Labels {
  const params = Object.entries(config.params).flatMap(([name, values]) =>
    values[0] === undefined ? [] : [[`__param_${name}`, values[0]] as const],
  )
  return labelsFrom({
    job: config.jobName,
    __scrape_interval__: formatDuration(config.scrapeIntervalMs),
    __scrape_timeout__: formatDuration(config.scrapeTimeoutMs),
    [pathLabel]: config.metricsPath,
    __scheme__: config.scheme,
    ...Object.fromEntries(params),
    ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== '')),
  })
}

type Populated = Pick<ScrapeTargetConfig, 'labels' | 'intervalMs' | 'timeoutMs'> & {
  readonly source: Pick<HttpSource, 'scheme' | 'address' | 'path' | 'params'>
}

/** null: a rule dropped it. A text: why it cannot be scraped. */
function populate(
  config: ScrapeConfig,
  discovered: Labels,
  rules: readonly CompiledRelabel[],
  pathLabel: string,
): Populated | string | null {
  const result = relabel(rules, discovered)
  if (result === null) return null
  const address = labelValue(result, '__address__')
  if (address === '') return 'no address'
  if (/[/\s]/.test(address)) return `${JSON.stringify(address)} is not a valid hostname`
  const scheme = labelValue(result, '__scheme__')
  if (scheme !== 'http' && scheme !== 'https') return `invalid scheme: ${JSON.stringify(scheme)}`
  const intervalMs = durationOf(result, 'interval')
  if (typeof intervalMs === 'string') return intervalMs
  const timeoutMs = durationOf(result, 'timeout')
  if (typeof timeoutMs === 'string') return timeoutMs
  if (intervalMs === 0) return 'scrape interval cannot be 0'
  if (timeoutMs === 0) return 'scrape timeout cannot be 0'
  if (timeoutMs > intervalMs)
    return `scrape timeout cannot be greater than scrape interval ("${formatDuration(timeoutMs)}" > "${formatDuration(intervalMs)}")`
  const shown: Record<string, string> = {}
  const params: Record<string, readonly string[]> = { ...config.params }
  for (const [name, value] of Object.entries(labelsToObject(result))) {
    if (name.startsWith('__param_'))
      params[name.slice('__param_'.length)] = [value, ...(config.params[name.slice('__param_'.length)] ?? []).slice(1)]
    if (!name.startsWith('__')) shown[name] = value
  }
  shown['instance'] ??= address
  return {
    labels: labelsFrom(shown),
    intervalMs,
    timeoutMs,
    source: { scheme, address, path: labelValue(result, pathLabel) || '/metrics', params },
  }
}

/** Milliseconds, or what is wrong with them. */
function durationOf(labels: Labels, what: 'interval' | 'timeout'): number | string {
  try {
    return parseDuration(labelValue(labels, `__scrape_${what}__`))
  } catch (error) {
    return `error parsing scrape ${what}: ${(error as Error).message}`
  }
}

function sharedSettings(config: ScrapeConfig, deps: AccessDeps, problems: string[]) {
  const metricRules = config.metricRelabel.map((rule) => compileRelabel(rule, config.nameValidation))
  return {
    job: config.jobName,
    honorLabels: config.honorLabels,
    honorTimestamps: config.honorTimestamps,
    trackTimestampsStaleness: config.trackTimestampsStaleness,
    limits: {
      bodyBytes: config.bodySizeLimitBytes,
      samples: config.sampleLimit,
      isSoft: config.sampleLimitMode === 'soft',
      labels: config.labelLimit,
      labelNameLength: config.labelNameLengthLimit,
      labelValueLength: config.labelValueLengthLimit,
      targets: config.targetLimit,
    },
    metricRelabel: metricRules.length === 0 ? null : (labels: Labels) => relabel(metricRules, labels),
    metricRelabelId: JSON.stringify(config.metricRelabel),
    protocols: config.protocols,
    fallbackProtocol: config.fallbackProtocol === '' ? null : config.fallbackProtocol,
    nameValidation: config.nameValidation,
    escaping: config.escaping,
    extraScrapeMetrics: config.extraScrapeMetrics,
    startTimestamps: config.startTimestamps,
    failureLogFile: config.failureLogFile && joinPath(deps.directory ?? '.', config.failureLogFile),
    scrapeNativeHistograms: config.scrapeNativeHistograms,
    alwaysScrapeClassicHistograms: config.alwaysScrapeClassicHistograms,
    convertClassicToNhcb: config.convertClassicToNhcb,
    nativeHistogramBucketLimit: config.nativeHistogramBucketLimit,
    nativeHistogramMinBucketFactor: config.nativeHistogramMinBucketFactor,
    source: httpSource({
      address: '',
      headers: scrapeHeaders(config.http, deps),
      tls: scrapeTls(config, deps.readText, problems),
      proxyFor: (url: string) => proxyFor(config.http, url, deps.environment),
      proxyId: JSON.stringify([config.http.proxyUrl, config.http.noProxy, config.http.proxyFromEnvironment]),
      followRedirects: config.http.followRedirects,
      enableHttp2: config.http.enableHttp2,
      enableCompression: config.enableCompression,
    }),
  }
}

/** The first rule with which the target is gone, in the words of the file. */
function droppingRule(config: ScrapeConfig, rules: readonly CompiledRelabel[], discovered: Labels): string {
  const at = traceRelabel(rules, discovered).indexOf(null)
  return at < 0 ? '' : `relabel_configs[${at}]: ${describeRule(config.relabel[at]!)}`
}

function describeRule({ action, sourceLabels, regex, targetLabel }: RelabelConfig): string {
  return [
    `action: ${action}`,
    ...(sourceLabels.length > 0 ? [`source_labels: [${sourceLabels.join(', ')}]`] : []),
    ...(regex ? [`regex: ${regex}`] : []),
    ...(targetLabel ? [`target_label: ${targetLabel}`] : []),
  ].join(', ')
}

function scrapeHeaders(http: HttpClientConfig, deps: AccessDeps): HttpSource['headers'] {
  const credentials = credentialHeaders(http, deps.readText)
  const tokens = http.oauth2 ? tokensOf(http.oauth2, deps) : null
  if (tokens) return async () => ({ ...credentials?.(), authorization: await tokens.header() })
  return credentials ?? {}
}

function scrapeTls(config: ScrapeConfig, readText: ReadText, problems: string[]): HttpSource['tls'] {
  try {
    return tlsOptions(config.http.tls, readText)
  } catch (error) {
    problems.push(`job ${JSON.stringify(config.jobName)}: ${(error as Error).message}`)
    return null
  }
}

/**
 * From `scrape_configs` to targets: the addresses that discovery gives, their labels relabelled.
 * Semantics: Prometheus scrape/target.go, PopulateLabels (v3.14).
 */

import type { HttpClientConfig, ScrapeConfig, TlsConfig } from '../../protocol/config/mod.ts'
import { formatDuration, parseDuration } from '../../protocol/durations/mod.ts'
import { type Labels, labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, compileRelabel, relabel } from '../../protocol/relabel/mod.ts'
import { type HttpSource, httpSource, type ScrapeTargetConfig, withTargetDefaults } from '../scrape/mod.ts'

export type DroppedTarget = { readonly job: string; readonly discoveredLabels: Labels }

export type Discovered = {
  readonly targets: readonly ScrapeTargetConfig[]
  readonly dropped: readonly DroppedTarget[]
  /** Sections that nothing here acts upon yet, and targets that cannot be used: for the log. */
  readonly problems: readonly string[]
}

/** Reads a file of credentials or certificates; throws when it cannot. */
export type ReadText = (path: string) => string

/** Dropped targets kept for the targets page when the configuration sets no limit. */
const KEEP_DROPPED = 1000

export function discoverTargets(configs: readonly ScrapeConfig[], readText: ReadText): Discovered {
  const targets: ScrapeTargetConfig[] = []
  const dropped: DroppedTarget[] = []
  const problems: string[] = []
  for (const config of configs) {
    const rules = config.relabel.map((rule) => compileRelabel(rule, config.nameValidation))
    const shared = sharedSettings(config, readText, problems)
    for (const section of config.discovery) {
      if (section.kind !== 'static') {
        problems.push(
          `job ${JSON.stringify(config.jobName)}: ${section.kind} discovery is not supported yet, its targets are not scraped`,
        )
        continue
      }
      const { targets: addresses, labels } = section as Extract<typeof section, { kind: 'static' }>
      for (const address of addresses) {
        const discovered = discoveredLabels(config, address, labels)
        const outcome = populate(config, discovered, rules)
        if (outcome === null) {
          if (dropped.length < (config.keepDroppedTargets || KEEP_DROPPED))
            dropped.push({ job: config.jobName, discoveredLabels: discovered })
        } else if (typeof outcome === 'string')
          problems.push(`job ${JSON.stringify(config.jobName)}, target ${JSON.stringify(address)}: ${outcome}`)
        else
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
  return { targets, dropped, problems }
}

function discoveredLabels(config: ScrapeConfig, address: string, own: Readonly<Record<string, string>>): Labels {
  const params = Object.entries(config.params).flatMap(([name, values]) =>
    values[0] === undefined ? [] : [[`__param_${name}`, values[0]] as const],
  )
  return labelsFrom({
    job: config.jobName,
    __scrape_interval__: formatDuration(config.scrapeIntervalMs),
    __scrape_timeout__: formatDuration(config.scrapeTimeoutMs),
    __metrics_path__: config.metricsPath,
    __scheme__: config.scheme,
    ...Object.fromEntries(params),
    ...own,
    __address__: address,
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
): Populated | string | null {
  const result = relabel(rules, discovered)
  if (result === null) return null
  const address = labelValue(result, '__address__')
  if (address === '') return 'no address'
  if (/[/\s]/.test(address)) return `${JSON.stringify(address)} is not a valid hostname`
  const scheme = labelValue(result, '__scheme__')
  if (scheme !== 'http' && scheme !== 'https') return `invalid scheme: ${JSON.stringify(scheme)}`
  let intervalMs: number
  let timeoutMs: number
  try {
    intervalMs = parseDuration(labelValue(result, '__scrape_interval__'))
    timeoutMs = parseDuration(labelValue(result, '__scrape_timeout__'))
  } catch (error) {
    return `error parsing scrape interval or timeout: ${(error as Error).message}`
  }
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
    source: { scheme, address, path: labelValue(result, '__metrics_path__') || '/metrics', params },
  }
}

function sharedSettings(config: ScrapeConfig, readText: ReadText, problems: string[]) {
  const metricRules = config.metricRelabel.map((rule) => compileRelabel(rule, config.nameValidation))
  return {
    job: config.jobName,
    honorLabels: config.honorLabels,
    honorTimestamps: config.honorTimestamps,
    trackTimestampsStaleness: config.trackTimestampsStaleness,
    limits: {
      bodyBytes: config.bodySizeLimitBytes,
      samples: config.sampleLimit,
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
    source: httpSource({
      address: '',
      headers: authorizationOf(config.http, readText),
      tls: tlsOf(config.http.tls, config.jobName, readText, problems),
      followRedirects: config.http.followRedirects,
      enableCompression: config.enableCompression,
    }),
  }
}

/** Files are read anew before every scrape, so that rotated credentials count at once. */
function authorizationOf(http: HttpClientConfig, readText: ReadText): HttpSource['headers'] {
  const { basicAuth, authorization, headers } = http
  const extra = Object.entries(headers)
  if (!basicAuth && !authorization && extra.length === 0) return {}
  return () => {
    const out: Record<string, string> = {}
    for (const [name, { values, secrets, files }] of extra) {
      out[name.toLowerCase()] = [
        ...values,
        ...secrets.map((secret) => secret.reveal()),
        ...files.map((file) => readText(file).trim()),
      ].join(', ')
    }
    if (basicAuth) {
      const user = basicAuth.usernameFile ? readText(basicAuth.usernameFile).trim() : basicAuth.username
      const password = basicAuth.passwordFile ? readText(basicAuth.passwordFile).trim() : basicAuth.password.reveal()
      out['authorization'] = `Basic ${base64(`${user}:${password}`)}`
    } else if (authorization) {
      const credentials = authorization.credentialsFile
        ? readText(authorization.credentialsFile).trim()
        : authorization.credentials.reveal()
      out['authorization'] = `${authorization.type} ${credentials}`
    }
    return out
  }
}

function base64(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

function tlsOf(tls: TlsConfig | null, job: string, readText: ReadText, problems: string[]): HttpSource['tls'] {
  if (!tls) return null
  const file = (path: string, inline: string): string | undefined => {
    if (path === '') return inline === '' ? undefined : inline
    try {
      return readText(path)
    } catch (error) {
      problems.push(`job ${JSON.stringify(job)}: cannot read ${JSON.stringify(path)}: ${(error as Error).message}`)
      return undefined
    }
  }
  const ca = file(tls.caFile, tls.ca)
  const cert = file(tls.certFile, tls.cert)
  const key = file(tls.keyFile, tls.key.reveal())
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls.serverName !== '' && { serverName: tls.serverName }),
    ...(tls.minVersion === 'TLS13' && { minVersion: 'TLSv1.3' as const }),
    insecureSkipVerify: tls.insecureSkipVerify,
  }
}

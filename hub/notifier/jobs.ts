/**
 * A section of `alerting.alertmanagers` in the terms of discovery: what is found and relabelled like a scrape target is
 * asked to take alerts instead. Semantics: Prometheus notifier/alertmanagerset.go, AlertmanagerFromGroup (v3.5).
 */
import { type AlertmanagerTarget, DEFAULT_GLOBAL, type ScrapeConfig } from '../../protocol/config/mod.ts'
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'

export const ALERTS_PATH_LABEL = '__alerts_path__'

/** Of the section at `index`: its targets bear this as their job. */
export const jobNameOf = (index: number): string => `config-${index}`

export function discoveryJob(section: AlertmanagerTarget, index: number): ScrapeConfig {
  const { scheme, pathPrefix, timeoutMs, discovery, http, relabel } = section
  return {
    ...DEFAULT_GLOBAL,
    jobName: jobNameOf(index),
    scheme,
    metricsPath: `/${`${pathPrefix}/api/v2/alerts`.replace(/^\/+/, '')}`.replace(/\/{2,}/g, '/'),
    // Discovery wants them so; nothing is scraped.
    scrapeIntervalMs: Math.max(DEFAULT_GLOBAL.scrapeIntervalMs, timeoutMs),
    scrapeTimeoutMs: timeoutMs,
    http,
    discovery,
    relabel,
    params: {},
    metricRelabel: [],
    protocols: [],
    fallbackProtocol: '',
    escaping: 'allow-utf-8',
    honorLabels: false,
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    enableCompression: false,
    nativeHistogramBucketLimit: 0,
    nativeHistogramMinBucketFactor: 0,
  }
}

/** Of an Alertmanager as it was found. Semantics: alertmanagerLabels.URL. */
export function discoveredUrl(labels: Labels): string {
  const [scheme, address, path] = ['__scheme__', '__address__', ALERTS_PATH_LABEL].map((name) =>
    labelValue(labels, name),
  )
  return `${scheme}://${address}${path}`
}

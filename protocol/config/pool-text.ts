/**
 * One job of `scrape_configs` as it is in effect, for `/api/v1/scrape_pools/config`: what the file says, secrets hidden,
 * and what every job has if it does not say so. Semantics: Prometheus web/api/v1/api.go (v3.14), whose text has more of
 * the defaults.
 */
import { stringify } from 'yaml'
import { formatDuration } from '../durations/mod.ts'
import type { Cursor } from './decode.ts'
import type { ScrapeConfig } from './scrape.ts'

export function scrapePoolText({ node, source }: Cursor, job: ScrapeConfig): string {
  const { jobName, scrapeIntervalMs, scrapeTimeoutMs, metricsPath, scheme, honorTimestamps } = job
  const told = {
    job_name: jobName,
    honor_timestamps: honorTimestamps,
    scrape_interval: formatDuration(scrapeIntervalMs),
    scrape_timeout: formatDuration(scrapeTimeoutMs),
    scrape_protocols: job.protocols,
    metrics_path: metricsPath,
    scheme,
  }
  const saved = [...source.secrets].map(([secret, shown]) => [secret, secret.value, shown] as const)
  for (const [secret, , shown] of saved) secret.value = shown
  const given = node!.toJS(source.document) as Readonly<Record<string, unknown>>
  for (const [secret, value] of saved) secret.value = value
  const more = Object.entries(given).filter(([name, value]) => !Object.hasOwn(told, name) && value !== null)
  return stringify({ ...told, ...Object.fromEntries(more) }, { lineWidth: 0 })
}

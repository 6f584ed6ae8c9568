/**
 * Metrics of discovery under upstream's names. Semantics: Prometheus discovery/metrics.go, metrics_refresh.go, and
 * scrape/metrics.go for what a sync of targets took (v3.5). Without `updates_delayed_total`: what is due is sent.
 */
import { counter, gauge, type Metric, type MetricFamily, Summary } from '../../protocol/exposition/mod.ts'
import type { DiscoveryCounters } from './group.ts'
import type { Running } from './manager.ts'
import type { JobSync } from './targets.ts'

export type DiscoveryCounts = {
  /** Of targets, to who asked for them. */
  readonly updates: number
  /** From the mechanisms. */
  readonly received: number
  /** Sections that nothing here acts upon. */
  readonly failed: number
}

/** @param name `scrape` or `notify` */
export function discoveryFamilies(
  all: readonly Running[],
  name: string,
  { updates, received, failed }: DiscoveryCounts,
): MetricFamily[] {
  const byKind = new Map<string, DiscoveryCounters>()
  for (const { kind, counters } of all) {
    const sum = byKind.get(kind) ?? { refreshes: 0, failures: 0, durations: counters.durations }
    sum.refreshes += counters.refreshes
    sum.failures += counters.failures
    byKind.set(kind, sum)
  }
  const each = (value: (sum: DiscoveryCounters) => number): Metric[] =>
    [...byKind].map(([kind, sum]) => ({ labels: ['mechanism', kind], value: value(sum) }))
  const own = (value: number): Metric[] => [{ labels: ['name', name], value }]
  return [
    counter(
      'heliograph_sd_refreshes_total',
      'Number of refreshes, and of files and services read.',
      each((sum) => sum.refreshes),
    ),
    counter(
      'prometheus_sd_refresh_failures_total',
      'Number of refresh failures for the given SD mechanism.',
      each((sum) => sum.failures),
    ),
    {
      name: 'prometheus_sd_refresh_duration_seconds',
      help: 'The duration of a refresh in seconds for the given SD mechanism.',
      type: 'summary',
      metrics: [...byKind].flatMap(([kind, { durations }]) => durations.lines(['mechanism', kind])),
    },
    counter('prometheus_sd_updates_total', 'Total number of update events sent to the SD consumers.', own(updates)),
    counter(
      'prometheus_sd_received_updates_total',
      'Total number of update events received from the SD providers.',
      own(received),
    ),
    gauge(
      'prometheus_sd_failed_configs',
      'Current number of service discovery configurations that failed to load.',
      own(failed),
    ),
  ]
}

/** By job: what its targets took to work out, and what they were. */
export class SyncCounters {
  readonly #jobs = new Map<string, { readonly seconds: Summary; syncs: number; failed: number; discovered: number }>()

  /** Forgets jobs that the configuration has no more. */
  keep(jobs: readonly string[]): void {
    const kept = new Set(jobs)
    for (const job of this.#jobs.keys()) if (!kept.has(job)) this.#jobs.delete(job)
  }

  add({ job, seconds, discovered, failed }: JobSync): void {
    let counts = this.#jobs.get(job)
    if (counts === undefined) {
      counts = { seconds: new Summary([0.01, 0.05, 0.5, 0.9, 0.99]), syncs: 0, failed: 0, discovered: 0 }
      this.#jobs.set(job, counts)
    }
    counts.seconds.observe(seconds)
    counts.syncs++
    counts.failed += failed
    counts.discovered = discovered
  }

  families(name: string): MetricFamily[] {
    const jobs = [...this.#jobs]
    return [
      gauge(
        'prometheus_sd_discovered_targets',
        'Current number of discovered targets.',
        jobs.map(([job, { discovered }]) => ({ labels: ['config', job, 'name', name], value: discovered })),
      ),
      counter(
        'prometheus_target_scrape_pool_sync_total',
        'Total number of syncs that were executed on a scrape pool.',
        jobs.map(([job, { syncs }]) => ({ labels: ['scrape_job', job], value: syncs })),
      ),
      counter(
        'prometheus_target_sync_failed_total',
        'Total number of target sync failures.',
        jobs.map(([job, { failed }]) => ({ labels: ['scrape_job', job], value: failed })),
      ),
      {
        name: 'prometheus_target_sync_length_seconds',
        help: 'Actual interval to sync the scrape pool.',
        type: 'summary',
        metrics: jobs.flatMap(([job, { seconds }]) => seconds.lines(['scrape_job', job])),
      },
    ]
  }
}

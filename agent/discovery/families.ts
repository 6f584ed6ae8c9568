/** Metrics of discovery under upstream's names. Semantics: Prometheus discovery/metrics_*.go (v3.14). */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Running } from './manager.ts'

export function discoveryFamilies(all: readonly Running[], updates: number): MetricFamily[] {
  const byKind = new Map<string, { targets: number; refreshes: number; failures: number; seconds: number }>()
  for (const { kind, groups, counters } of all) {
    const sum = byKind.get(kind) ?? { targets: 0, refreshes: 0, failures: 0, seconds: 0 }
    for (const { targets } of groups.values()) sum.targets += targets.length
    sum.refreshes += counters.refreshes
    sum.failures += counters.failures
    sum.seconds = Math.max(sum.seconds, counters.lastRefreshSeconds)
    byKind.set(kind, sum)
  }
  if (byKind.size === 0) return []
  const family = (
    name: string,
    type: MetricFamily['type'],
    help: string,
    value: (sum: { targets: number; refreshes: number; failures: number; seconds: number }) => number,
  ): MetricFamily => ({
    name,
    help,
    type,
    metrics: [...byKind].map(([kind, sum]) => ({ labels: ['mechanism', kind], value: value(sum) })),
  })
  return [
    family('prometheus_sd_discovered_targets', 'gauge', 'Current number of discovered targets.', (s) => s.targets),
    family('prometheus_sd_refresh_total', 'counter', 'Number of refreshes.', (s) => s.refreshes),
    family('prometheus_sd_refresh_failures_total', 'counter', 'Number of refresh failures.', (s) => s.failures),
    family(
      'prometheus_sd_last_refresh_duration_seconds',
      'gauge',
      'The duration of the last refresh in seconds.',
      (s) => s.seconds,
    ),
    {
      name: 'prometheus_sd_updates_total',
      help: 'Total number of update events sent to the SD consumers.',
      type: 'counter',
      metrics: [{ labels: [], value: updates }],
    },
  ]
}

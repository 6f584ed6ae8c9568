/** What the exporter says of itself. Names and helps: statsd_exporter main.go, pkg/mapper/mapper_cache.go (v0.30). */
import { counter, gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { type EventKind, type LineCounters, newLineCounters } from './event.ts'
import type { Mapper } from './mapper.ts'
import type { Registry } from './registry.ts'
import type { Relay } from './relay.ts'

export type EventError = 'empty_metric_name' | 'illegal_negative_counter' | 'too_many_series'

export type StatsdCounters = LineCounters & {
  udpPackets: number
  /** Batches of what was received together. */
  flushes: number
  unixgramPackets: number
  tcpConnections: number
  tcpErrors: number
  tcpTooLongLines: number
  unmapped: number
  readonly events: Map<EventKind, number>
  readonly actions: Map<'map' | 'drop', number>
  readonly errors: Map<EventError, number>
  /** By kind and metric name, `gauge\nname`; bounded: what is beyond counts under an empty name. */
  readonly conflicts: Map<string, number>
  readonly reloads: Map<'success' | 'failure', number>
}

const MAX_CONFLICT_NAMES = 1000

export function newStatsdCounters(): StatsdCounters {
  return {
    ...newLineCounters(),
    udpPackets: 0,
    flushes: 0,
    unixgramPackets: 0,
    tcpConnections: 0,
    tcpErrors: 0,
    tcpTooLongLines: 0,
    unmapped: 0,
    events: new Map(),
    actions: new Map(),
    errors: new Map(),
    conflicts: new Map(),
    reloads: new Map(),
  }
}

export function increment<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

export function countConflict({ conflicts }: StatsdCounters, kind: EventKind, name: string): void {
  const key = `${kind}\n${name}`
  increment(conflicts, conflicts.has(key) || conflicts.size < MAX_CONFLICT_NAMES ? key : `${kind}\n`)
}

export type SelfSources = {
  readonly counters: StatsdCounters
  readonly mapper: Mapper
  readonly registry: Registry
  readonly relay: Relay | null
  /** Packets that the kernel dropped. */
  readonly drops: number
}

export function selfFamilies({ counters, mapper, registry, relay, drops }: SelfSources): MetricFamily[] {
  const one = (value: number): Metric[] => [{ labels: [], value }]
  const by = (label: string, counts: ReadonlyMap<string, number>): Metric[] =>
    [...counts].map(([key, value]) => ({ labels: [label, key], value }))
  return [
    counter('statsd_exporter_events_total', 'The total number of StatsD events seen.', by('type', counters.events)),
    counter(
      'statsd_exporter_events_unmapped_total',
      'The total number of StatsD events no mapping was found for.',
      one(counters.unmapped),
    ),
    counter(
      'statsd_exporter_udp_packets_total',
      'The total number of StatsD packets received over UDP.',
      one(counters.udpPackets),
    ),
    // Upstream counts what did not fit into its queue; ours is the kernel's.
    counter(
      'statsd_exporter_udp_packet_drops_total',
      'The total number of dropped StatsD packets which received over UDP.',
      one(drops),
    ),
    counter(
      'statsd_exporter_event_queue_flushed_total',
      'Number of times events were flushed to exporter',
      one(counters.flushes),
    ),
    ...(relay === null ? [] : relayFamilies(relay)),
    counter(
      'statsd_exporter_tcp_connections_total',
      'The total number of TCP connections handled.',
      one(counters.tcpConnections),
    ),
    counter(
      'statsd_exporter_tcp_connection_errors_total',
      'The number of errors encountered reading from TCP.',
      one(counters.tcpErrors),
    ),
    counter(
      'statsd_exporter_tcp_too_long_lines_total',
      'The number of lines discarded due to being too long.',
      one(counters.tcpTooLongLines),
    ),
    counter(
      'statsd_exporter_unixgram_packets_total',
      'The total number of StatsD packets received over Unixgram.',
      one(counters.unixgramPackets),
    ),
    counter('statsd_exporter_lines_total', 'The total number of StatsD lines received.', one(counters.lines)),
    counter('statsd_exporter_samples_total', 'The total number of StatsD samples received.', one(counters.samples)),
    counter(
      'statsd_exporter_sample_errors_total',
      'The total number of errors parsing StatsD samples.',
      by('reason', counters.sampleErrors),
    ),
    counter('statsd_exporter_tags_total', 'The total number of DogStatsD tags processed.', one(counters.tags)),
    counter(
      'statsd_exporter_tag_errors_total',
      'The number of errors parsing DogStatsD tags.',
      one(counters.tagErrors),
    ),
    counter(
      'statsd_exporter_config_reloads_total',
      'The number of configuration reloads.',
      by('outcome', counters.reloads),
    ),
    gauge(
      'statsd_exporter_loaded_mappings',
      'The current number of configured metric mappings.',
      one(mapper.config.mappings.length),
    ),
    counter(
      'statsd_exporter_events_conflict_total',
      'The total number of StatsD events with conflicting names.',
      [...counters.conflicts].map(([key, value]) => {
        const [kind = '', name = ''] = key.split('\n')
        return { labels: ['metric_name', name, 'type', kind], value }
      }),
    ),
    counter(
      'statsd_exporter_events_error_total',
      'The total number of StatsD events discarded due to errors.',
      by('reason', counters.errors),
    ),
    counter(
      'statsd_exporter_events_actions_total',
      'The total number of StatsD events by action.',
      by('action', counters.actions),
    ),
    gauge('statsd_exporter_metrics_total', 'The total number of metrics.', by('type', registry.familyCounts)),
    ...mapperFamilies(mapper),
  ]
}

/** Of the mapper's cache; the graphite exporter has them under the same names. */
export function mapperFamilies(mapper: Mapper): MetricFamily[] {
  const one = (value: number): Metric[] => [{ labels: [], value }]
  return [
    gauge(
      'statsd_metric_mapper_cache_length',
      'The count of unique metrics currently cached.',
      one(mapper.cacheLength),
    ),
    counter('statsd_metric_mapper_cache_gets_total', 'The count of total metric cache gets.', one(mapper.cacheGets)),
    counter('statsd_metric_mapper_cache_hits_total', 'The count of total metric cache hits.', one(mapper.cacheHits)),
  ]
}

function relayFamilies({ target, packets, longLines, lines }: Relay): MetricFamily[] {
  const of = (value: number): Metric[] => [{ labels: ['target', target], value }]
  return [
    counter('statsd_exporter_relay_packets_total', 'The number of StatsD packets relayed.', of(packets)),
    counter('statsd_exporter_relay_long_lines_total', 'The number lines that were too long to relay.', of(longLines)),
    counter(
      'statsd_exporter_relay_lines_relayed_total',
      'The number of lines that were buffered to be relayed.',
      of(lines),
    ),
  ]
}

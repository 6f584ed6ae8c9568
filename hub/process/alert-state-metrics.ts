/**
 * Of the alerts' state and of the cluster that shares it. The names are Alertmanager's where a thing is the same: what it
 * gossips, a hub puts into a bucket.
 */
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Dispatcher } from '../alerts/mod.ts'
import type { Cluster } from '../cluster/mod.ts'

const one = (value: number) => [{ labels: [], value }]

export function alertStateFamilies({ cluster, logCounters, silences }: Dispatcher): MetricFamily[] {
  const sent = (kind: string): number => cluster?.shared.find(({ prefix }) => prefix === kind)?.counters.sent ?? 0
  return [
    counter('alertmanager_nflog_queries_total', 'Number of notification log queries.', one(logCounters.queries)),
    counter('alertmanager_nflog_query_errors_total', 'Number of notification log queries that failed.', one(0)),
    counter(
      'alertmanager_nflog_maintenance_total',
      'How often expired entries of the notification log were looked for.',
      one(logCounters.sweeps),
    ),
    counter(
      'alertmanager_nflog_maintenance_errors_total',
      'How often expired entries of the notification log could not be removed.',
      one(logCounters.sweepFailures),
    ),
    counter(
      'alertmanager_nflog_gossip_messages_propagated_total',
      'Number of entries of the notification log that were told to the other members.',
      one(sent('sent')),
    ),
    counter('alertmanager_silences_queries_total', 'How many silence queries were made.', one(silences.queries)),
    counter('alertmanager_silences_query_errors_total', 'How many silence queries did not succeed.', one(0)),
    counter(
      'alertmanager_silences_maintenance_total',
      'How often silences that ended long ago were looked for.',
      one(silences.sweeps),
    ),
    counter(
      'alertmanager_silences_maintenance_errors_total',
      'How often silences that ended long ago could not be removed.',
      one(silences.sweepFailures),
    ),
    counter(
      'alertmanager_silences_gossip_messages_propagated_total',
      'Number of silences that were told to the other members.',
      one(sent('silence')),
    ),
    gauge(
      'alertmanager_cluster_enabled',
      'Indicates whether the clustering is enabled or not.',
      one(cluster === null ? 0 : 1),
    ),
    ...(cluster ? clusterFamilies(cluster) : []),
  ]
}

function clusterFamilies({ status, position, counters, shared }: Cluster): MetricFamily[] {
  const byKind = (value: (each: Cluster['shared'][number]) => number) =>
    shared.map((each) => ({ labels: ['kind', each.prefix], value: value(each) }))
  return [
    gauge('alertmanager_cluster_members', 'Number of current members of the cluster.', one(status.peers.length)),
    gauge('alertmanager_cluster_peer_info', "A metric with a constant '1' value labeled by peer name.", [
      { labels: ['peer', status.name], value: 1 },
    ]),
    gauge(
      'alertmanager_peer_position',
      "This hub's position among the members by name: so many notify before it does.",
      one(position),
    ),
    counter('alertmanager_cluster_peers_joined_total', 'A counter of members that joined.', one(counters.joined)),
    counter('alertmanager_cluster_peers_left_total', 'A counter of members that left.', one(counters.left)),
    gauge(
      'heliograph_cluster_settled',
      'Whether the other members are known, or were waited for in vain.',
      one(status.status === 'ready' ? 1 : 0),
    ),
    counter(
      'heliograph_cluster_lease_failures_total',
      'Renewals of the lease that failed; the others may take this hub for gone.',
      one(counters.failures),
    ),
    counter(
      'heliograph_cluster_claim_failures_total',
      'Notifications of which no claim could be made: another hub may have sent them as well.',
      one(counters.claimFailures),
    ),
    counter(
      'heliograph_cluster_received_total',
      'Entries taken over from other members.',
      byKind(({ counters: c }) => c.received),
    ),
    counter(
      'heliograph_cluster_conflicts_total',
      'Entries that another member had changed in the same moment.',
      byKind(({ counters: c }) => c.conflicts),
    ),
    counter(
      'heliograph_cluster_failures_total',
      'Entries that could not be shared when they changed.',
      byKind(({ counters: c }) => c.failures),
    ),
    gauge(
      'heliograph_cluster_pending',
      'Entries that the other members cannot know yet.',
      byKind(({ pending }) => pending),
    ),
  ]
}

/**
 * The hub's own metrics: those that Prometheus's mixins query under their names, and our own; bench/e2e/mixin.test.ts has
 * the list, and compares it with a real Prometheus. Without a meaning here, and left out: `prometheus_sd_<mechanism>_*`
 * (`prometheus_sd_refresh_*` counts all of them alike), `prometheus_target_scrape_pools_*`, `_symboltable_items` and
 * `prometheus_target_metadata_cache_bytes` (targets have no pools), `prometheus_api_notification_*`, `net_conntrack_*` and
 * `go_*`. Storage: head-metrics.ts, block-metrics.ts; remote write: hub/remote-write/families.ts.
 */
import { counter, gauge, type MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Dispatcher } from '../alerts/mod.ts'
import type { BuildInfo } from '../api/mod.ts'
import type { BusStats } from '../bus/mod.ts'
import type { IngestStatus } from '../ingest/mod.ts'
import type { QueryCounters, QueryLog } from '../query/mod.ts'
import type { Group, RuleManager } from '../rules/mod.ts'

const one = (value: number) => [{ labels: [], value }]

/** What the program is, and whether it does what it was told. */
export function processFamilies(
  { version, revision, branch, goVersion }: BuildInfo,
  reload: { readonly ok: boolean; readonly atMs: number },
  isReady: boolean,
): MetricFamily[] {
  // `goversion` is the runtime's; without `goos`, `goarch` and `tags`, which say what Go was told to build.
  const built = ['branch', branch, 'goversion', goVersion, 'revision', revision, 'version', version]
  return [
    gauge(
      'prometheus_build_info',
      "A metric with a constant '1' value labeled by version, revision, branch, and the runtime's version as goversion.",
      [{ labels: built, value: 1 }],
    ),
    gauge('heliograph_build_info', "A metric with a constant '1' value labeled by version and program.", [
      { labels: ['program', 'hub', 'version', version], value: 1 },
    ]),
    gauge(
      'prometheus_ready',
      'Whether startup was fully completed and the server is ready for normal operation.',
      one(isReady ? 1 : 0),
    ),
    gauge(
      'prometheus_config_last_reload_successful',
      'Whether the last configuration reload attempt was successful.',
      one(reload.ok ? 1 : 0),
    ),
    gauge(
      'prometheus_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
      one(reload.atMs / 1000),
    ),
  ]
}

export function ingestFamilies({
  counters: c,
  refused,
  agents,
  wal,
  isFull,
  isMemoryFull,
  availableBytes,
  replay,
}: IngestStatus): MetricFamily[] {
  const reasons = Object.entries(refused).map(([reason, value]) => ({ labels: ['reason', reason], value }))
  const perAgent = (value: (agent: IngestStatus['agents'][number]) => number) =>
    agents.map((agent) => ({ labels: ['agent', agent.agent], value: value(agent) }))
  return [
    counter('heliograph_ingest_batches_stored_total', 'Batches stored and acknowledged.', one(c.batchesStored)),
    counter(
      'heliograph_ingest_batches_duplicate_total',
      'Batches that had been stored before, acknowledged again.',
      one(c.batchesDuplicate),
    ),
    counter('heliograph_ingest_batch_bytes_total', 'Bytes of stored batches as received.', one(c.batchBytes)),
    counter('heliograph_ingest_batches_refused_total', 'Batches not stored, by reason.', reasons),
    counter('heliograph_ingest_keyframes_wanted_total', 'Keyframes asked for.', one(c.keyframesWanted)),
    counter(
      'heliograph_ingest_samples_not_stored_total',
      'Samples that the head had already, or that conflicted with it.',
      one(c.samplesNotStored),
    ),
    counter(
      'heliograph_ingest_start_zero_samples_total',
      'Zeros made at start timestamps, with --enable-feature=created-timestamp-zero-ingestion.',
      one(c.startZeros),
    ),
    counter(
      'heliograph_ingest_samples_ahead_total',
      'Samples of remote write and OTLP that are too far ahead of this clock.',
      one(c.samplesAhead),
    ),
    counter(
      'heliograph_ingest_samples_over_series_limit_total',
      'Samples of series beyond a limit.',
      one(c.samplesOverSeriesLimit),
    ),
    counter(
      'heliograph_ingest_identity_clashes_total',
      'Labels renamed to exported_* because they clash with identity labels.',
      one(c.identityClashes),
    ),
    counter('heliograph_ingest_chain_breaks_total', 'Batches whose hash chain does not hold.', one(c.chainBreaks)),
    counter('heliograph_ingest_local_scrapes_total', 'Scrapes of the hub itself.', one(c.localScrapes)),
    counter(
      'heliograph_ingest_local_scrapes_dropped_total',
      'Scrapes of the hub itself that found no room.',
      one(c.localScrapesDropped),
    ),
    counter('heliograph_ingest_remote_write_requests_total', 'Remote write requests.', one(c.remoteWriteRequests)),
    counter(
      'prometheus_api_remote_write_invalid_labels_samples_total',
      'The total number of received remote write samples and histogram samples which were rejected due to invalid labels.',
      one(c.remoteWriteInvalidLabels),
    ),
    counter(
      'heliograph_ingest_remote_write_samples_total',
      'Samples of remote write requests.',
      one(c.remoteWriteSamples),
    ),
    counter(
      'heliograph_ingest_otlp_points_rejected_total',
      'Data points of OTLP that were not stored, or not as a whole; the answer says why.',
      one(c.otlpPointsRejected),
    ),
    counter('heliograph_ingest_rule_samples_total', 'Samples written by rules.', one(c.ruleSamples)),
    gauge(
      'heliograph_ingest_disk_full',
      'Whether acknowledgements have stopped for want of disk space.',
      one(isFull ? 1 : 0),
    ),
    gauge(
      'heliograph_ingest_memory_full',
      'Whether acknowledgements have stopped until recent samples are cut into blocks.',
      one(isMemoryFull ? 1 : 0),
    ),
    gauge(
      'heliograph_ingest_disk_available_bytes',
      'Disk space that is left for the data directory.',
      one(availableBytes),
    ),
    gauge(
      'heliograph_wal_damaged_ranges',
      'Damaged parts of the log that the start of this process found, put aside and stepped over.',
      one(replay.damages.length),
    ),
    gauge(
      'heliograph_wal_lost_records',
      'Sound records of the log that the start of this process could not apply, mostly for want of a damaged one.',
      one(c.replayLost),
    ),
    counter('heliograph_wal_records_total', 'Records written to the log.', one(wal.records)),
    counter('heliograph_wal_commits_total', 'Group commits of the log.', one(wal.commits)),
    counter('heliograph_wal_bytes_total', 'Bytes written to the log.', one(wal.bytesWritten)),
    gauge(
      'heliograph_agent_lag_seconds',
      "The hub's clock less the newest sample of an agent.",
      perAgent(({ lagMs }) => lagMs / 1000),
    ),
    gauge(
      'heliograph_agent_last_received_timestamp_seconds',
      'When the last batch of an agent came.',
      perAgent(({ lastReceivedMs }) => lastReceivedMs / 1000),
    ),
    gauge(
      'heliograph_agent_missing_batch_runs',
      'Runs of batches of an agent that have not come.',
      perAgent(({ holes }) => holes),
    ),
  ]
}

export function busFamilies(stats: Readonly<BusStats>): MetricFamily[] {
  return [
    gauge('heliograph_bus_connections', 'Connections to the embedded bus.', one(stats.connections)),
    counter(
      'heliograph_bus_connections_total',
      'Connections accepted by the embedded bus.',
      one(stats.connectionsTotal),
    ),
    counter('heliograph_bus_messages_total', 'Messages through the embedded bus.', [
      { labels: ['direction', 'in'], value: stats.inMessages },
      { labels: ['direction', 'out'], value: stats.outMessages },
    ]),
    counter('heliograph_bus_bytes_total', 'Payload bytes through the embedded bus.', [
      { labels: ['direction', 'in'], value: stats.inBytes },
      { labels: ['direction', 'out'], value: stats.outBytes },
    ]),
    counter(
      'heliograph_bus_slow_consumers_total',
      'Connections cut because they did not read.',
      one(stats.slowConsumers),
    ),
    counter('heliograph_bus_auth_failures_total', 'Connections refused for their identity.', one(stats.authFailures)),
    counter(
      'heliograph_bus_permission_violations_total',
      'Publishes and subscriptions that an identity may not make.',
      one(stats.permissionViolations),
    ),
    counter('heliograph_bus_protocol_errors_total', 'Connections cut for what they sent.', one(stats.protocolErrors)),
  ]
}

export function queryFamilies(c: QueryCounters, maxConcurrency: number, queryLog: QueryLog): MetricFamily[] {
  return [
    gauge(
      'prometheus_engine_queries',
      'The current number of queries being executed or waiting.',
      one(c.active + c.waiting),
    ),
    gauge('prometheus_engine_queries_concurrent_max', 'The max number of concurrent queries.', one(maxConcurrency)),
    ...queryLog.times.families(),
    gauge('prometheus_engine_query_log_enabled', 'State of the query log.', one(queryLog.isOpen ? 1 : 0)),
    counter('prometheus_engine_query_log_failures_total', 'The number of query log failures.', one(queryLog.dropped)),
    counter('heliograph_queries_total', 'Queries started.', one(c.started)),
    counter('heliograph_queries_in_place_total', 'Small queries answered without a worker.', one(c.inPlace)),
    counter('heliograph_queries_overtook_total', 'Small queries that did not wait for heavy ones.', one(c.overtook)),
    counter('heliograph_queries_split_total', 'Queries run on several workers.', one(c.split)),
    counter('heliograph_queries_rejected_total', 'Queries refused because too many were waiting.', one(c.rejected)),
    counter('heliograph_queries_canceled_total', 'Queries cancelled by their client.', one(c.canceled)),
    counter('heliograph_queries_timed_out_total', 'Queries that ran into their time limit.', one(c.timedOut)),
    counter('heliograph_query_seconds_total', 'Time spent in queries, waiting included.', one(c.seconds)),
  ]
}

export function ruleFamilies({ groups, times }: Pick<RuleManager, 'groups' | 'times'>): MetricFamily[] {
  const each = (value: (group: Group) => number) =>
    groups.map((group) => ({ labels: ['rule_group', group.key], value: value(group) }))
  return [
    counter(
      'prometheus_rule_evaluations_total',
      'The total number of rule evaluations.',
      each((group) => group.counters.evaluations),
    ),
    counter(
      'prometheus_rule_evaluation_failures_total',
      'The total number of rule evaluation failures.',
      each((group) => group.counters.failures),
    ),
    {
      name: 'prometheus_rule_evaluation_duration_seconds',
      help: 'The duration for a rule to execute.',
      type: 'summary',
      metrics: times.rule.lines([]),
    },
    {
      name: 'prometheus_rule_group_duration_seconds',
      help: 'The duration of rule group evaluations.',
      type: 'summary',
      metrics: times.group.lines([]),
    },
    counter(
      'prometheus_rule_group_iterations_total',
      'The total number of scheduled rule group evaluations, whether executed or missed.',
      each((group) => group.counters.iterations),
    ),
    counter(
      'prometheus_rule_group_iterations_missed_total',
      'The total number of rule group evaluations missed due to slow rule group evaluation.',
      each((group) => group.counters.missed),
    ),
    gauge(
      'prometheus_rule_group_interval_seconds',
      'The interval of a rule group.',
      each((group) => group.intervalMs / 1000),
    ),
    gauge(
      'prometheus_rule_group_last_duration_seconds',
      'The duration of the last rule group evaluation.',
      each((group) => group.lastDurationSeconds),
    ),
    gauge(
      'prometheus_rule_group_last_evaluation_samples',
      'The number of samples returned during the last rule group evaluation.',
      each((group) => group.lastSamples),
    ),
    gauge(
      'prometheus_rule_group_last_rule_duration_sum_seconds',
      'The sum of time in seconds it took to evaluate each rule in the group.',
      each((group) => group.lastRuleSeconds),
    ),
    gauge(
      'prometheus_rule_group_last_restore_duration_seconds',
      'The duration of the last alert rules alerts restoration using the `ALERTS_FOR_STATE` series.',
      each((group) => group.lastRestoreSeconds),
    ),
    gauge(
      'prometheus_rule_group_last_evaluation_timestamp_seconds',
      'The timestamp of the last rule group evaluation in seconds.',
      each((group) => group.lastEvaluationMs / 1000),
    ),
    gauge(
      'prometheus_rule_group_rules',
      'The number of rules.',
      each((group) => group.definition.rules.length),
    ),
  ]
}

export function alertFamilies(dispatcher: Dispatcher): MetricFamily[] {
  const { counters: c, alertCount, logCounters, silences, groups } = dispatcher
  const sent = [...c.byIntegration]
  const states = { active: 0, pending: 0, expired: 0 }
  for (const silence of silences.list()) states[silences.state(silence)]++
  return [
    gauge('alertmanager_alerts', 'How many alerts by state.', [{ labels: ['state', 'active'], value: alertCount }]),
    counter('alertmanager_alerts_received_total', 'The total number of received alerts.', [
      { labels: ['status', 'firing'], value: c.receivedFiring },
      { labels: ['status', 'resolved'], value: c.receivedResolved },
    ]),
    counter(
      'alertmanager_alerts_invalid_total',
      'The total number of received alerts that were invalid.',
      one(c.invalid),
    ),
    gauge('alertmanager_dispatcher_aggregation_groups', 'Number of active aggregation groups.', one(groups.length)),
    gauge(
      'alertmanager_silences',
      'How many silences by state.',
      Object.entries(states).map(([state, value]) => ({ labels: ['state', state], value })),
    ),
    counter(
      'alertmanager_notifications_total',
      'The total number of attempted notifications.',
      sent.map(([integration, { delivered, failed }]) => ({
        labels: ['integration', integration],
        value: delivered + failed,
      })),
    ),
    counter(
      'alertmanager_notifications_failed_total',
      'The total number of failed notifications.',
      sent.map(([integration, { failed }]) => ({ labels: ['integration', integration], value: failed })),
    ),
    counter(
      'alertmanager_notification_requests_total',
      'The total number of attempted notification requests.',
      sent.map(([integration, { attempts }]) => ({ labels: ['integration', integration], value: attempts })),
    ),
    counter(
      'alertmanager_notifications_suppressed_total',
      'The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.',
      one(c.suppressed),
    ),
    counter('heliograph_alerts_dropped_total', 'Alerts dropped because too many were open.', one(c.dropped)),
    counter(
      'heliograph_alerts_log_failures_total',
      'Writes of the notification log that failed; notifications may repeat after a restart.',
      one(logCounters.failures),
    ),
  ]
}

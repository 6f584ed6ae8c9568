/**
 * What the community's alerts and dashboards for Prometheus ask of a server is on a real hub's page, with upstream's names,
 * types and labels: the queries of prometheus/documentation/prometheus-mixin (alerts.libsonnet, dashboards.libsonnet) and
 * of the overview dashboards at grafana.com (3662 and its kind). Where a real Prometheus can be had, its page is what the
 * table is checked against.
 *
 * Elsewhere: `prometheus_remote_storage_*` (remote-write-sender.test.ts). Not there, since they have no meaning here: most
 * of `prometheus_wal_watcher_*`, `go_*` (see `nodejs_*`), `prometheus_evaluator_*` and other names of Prometheus 1, and
 * what the header of hub/process/head-metrics.ts lists.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { parseExposition } from '../../protocol/exposition/mod.ts'
import { lacks, until, untilHolds, withWorld } from './world.ts'

type Row = readonly [name: string, type: string, labels?: string]

/** Labels without those that say `le` or `quantile`. */
const ASKED: readonly Row[] = [
  // alerts.libsonnet
  ['prometheus_config_last_reload_successful', 'gauge'],
  ['prometheus_sd_refresh_failures_total', 'counter', 'mechanism'],
  ['prometheus_notifications_queue_length', 'gauge'],
  ['prometheus_notifications_queue_capacity', 'gauge'],
  ['prometheus_notifications_errors_total', 'counter', 'alertmanager'],
  ['prometheus_notifications_sent_total', 'counter', 'alertmanager'],
  ['prometheus_notifications_alertmanagers_discovered', 'gauge'],
  ['prometheus_tsdb_reloads_failures_total', 'counter'],
  ['prometheus_tsdb_compactions_failed_total', 'counter'],
  ['prometheus_tsdb_head_samples_appended_total', 'counter', 'type'],
  ['prometheus_target_metadata_cache_entries', 'gauge', 'scrape_job'],
  ['prometheus_rule_group_rules', 'gauge', 'rule_group'],
  ['prometheus_target_scrapes_sample_duplicate_timestamp_total', 'counter'],
  ['prometheus_target_scrapes_sample_out_of_order_total', 'counter'],
  ['prometheus_rule_evaluation_failures_total', 'counter', 'rule_group'],
  ['prometheus_rule_group_iterations_missed_total', 'counter', 'rule_group'],
  ['prometheus_target_scrape_pool_exceeded_target_limit_total', 'counter'],
  ['prometheus_target_scrape_pool_exceeded_label_limits_total', 'counter'],
  ['prometheus_target_scrapes_exceeded_body_size_limit_total', 'counter'],
  ['prometheus_target_scrapes_exceeded_sample_limit_total', 'counter'],
  ['prometheus_target_sync_failed_total', 'counter', 'scrape_job'],
  ['prometheus_engine_queries', 'gauge'],
  ['prometheus_engine_queries_concurrent_max', 'gauge'],
  ['prometheus_tsdb_clean_start', 'gauge'],
  ['process_start_time_seconds', 'gauge'],
  // dashboards.libsonnet
  ['prometheus_target_sync_length_seconds', 'summary', 'scrape_job'],
  ['prometheus_sd_discovered_targets', 'gauge', 'config,name'],
  ['prometheus_target_interval_length_seconds', 'summary', 'interval'],
  ['prometheus_target_scrapes_sample_out_of_bounds_total', 'counter'],
  ['prometheus_tsdb_head_series', 'gauge'],
  ['prometheus_tsdb_head_chunks', 'gauge'],
  ['prometheus_engine_query_duration_seconds', 'summary', 'slice'],
  ['prometheus_tsdb_wal_segment_current', 'gauge'],
  // Overviews
  ['process_cpu_seconds_total', 'counter'],
  ['process_resident_memory_bytes', 'gauge'],
  ['process_virtual_memory_bytes', 'gauge'],
  ['process_open_fds', 'gauge'],
  ['process_max_fds', 'gauge'],
  ['prometheus_config_last_reload_success_timestamp_seconds', 'gauge'],
  ['prometheus_ready', 'gauge'],
  ['prometheus_engine_query_log_enabled', 'gauge'],
  ['prometheus_engine_query_log_failures_total', 'counter'],
  ['prometheus_engine_query_samples_total', 'counter'],
  ['prometheus_http_requests_total', 'counter', 'code,handler'],
  ['prometheus_http_request_duration_seconds', 'histogram', 'handler'],
  ['prometheus_http_response_size_bytes', 'histogram', 'handler'],
  ['prometheus_remote_read_handler_queries', 'gauge'],
  ['prometheus_notifications_dropped_total', 'counter'],
  ['prometheus_notifications_latency_seconds', 'summary', 'alertmanager'],
  ['prometheus_rule_evaluation_duration_seconds', 'summary'],
  ['prometheus_rule_evaluations_total', 'counter', 'rule_group'],
  ['prometheus_rule_group_duration_seconds', 'summary'],
  ['prometheus_rule_group_interval_seconds', 'gauge', 'rule_group'],
  ['prometheus_rule_group_iterations_total', 'counter', 'rule_group'],
  ['prometheus_rule_group_last_duration_seconds', 'gauge', 'rule_group'],
  ['prometheus_rule_group_last_evaluation_samples', 'gauge', 'rule_group'],
  ['prometheus_rule_group_last_evaluation_timestamp_seconds', 'gauge', 'rule_group'],
  ['prometheus_rule_group_last_restore_duration_seconds', 'gauge', 'rule_group'],
  ['prometheus_rule_group_last_rule_duration_sum_seconds', 'gauge', 'rule_group'],
  ['prometheus_sd_failed_configs', 'gauge', 'name'],
  ['prometheus_sd_refresh_duration_seconds', 'summary', 'mechanism'],
  ['prometheus_sd_received_updates_total', 'counter', 'name'],
  ['prometheus_sd_updates_total', 'counter', 'name'],
  ['prometheus_target_scrape_pool_sync_total', 'counter', 'scrape_job'],
  ['prometheus_target_scrape_pool_target_limit', 'gauge', 'scrape_job'],
  ['prometheus_target_scrape_pool_targets', 'gauge', 'scrape_job'],
  ['prometheus_tsdb_blocks_loaded', 'gauge'],
  ['prometheus_tsdb_storage_blocks_bytes', 'gauge'],
  ['prometheus_tsdb_compaction_duration_seconds', 'histogram'],
  ['prometheus_tsdb_compaction_chunk_range_seconds', 'histogram'],
  ['prometheus_tsdb_compaction_chunk_samples', 'histogram'],
  ['prometheus_tsdb_compaction_chunk_size_bytes', 'histogram'],
  ['prometheus_tsdb_compactions_total', 'counter'],
  ['prometheus_tsdb_compactions_triggered_total', 'counter'],
  ['prometheus_tsdb_data_replay_duration_seconds', 'gauge'],
  ['prometheus_tsdb_exemplar_exemplars_appended_total', 'counter'],
  ['prometheus_tsdb_exemplar_exemplars_in_storage', 'gauge'],
  ['prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds', 'gauge'],
  ['prometheus_tsdb_exemplar_max_exemplars', 'gauge'],
  ['prometheus_tsdb_exemplar_series_with_exemplars_in_storage', 'gauge'],
  ['prometheus_tsdb_head_chunks_created_total', 'counter'],
  ['prometheus_tsdb_head_chunks_removed_total', 'counter'],
  ['prometheus_tsdb_head_gc_duration_seconds', 'summary'],
  ['prometheus_tsdb_head_max_time', 'gauge'],
  ['prometheus_tsdb_head_min_time', 'gauge'],
  ['prometheus_tsdb_head_series_created_total', 'counter'],
  ['prometheus_tsdb_head_series_not_found_total', 'counter'],
  ['prometheus_tsdb_head_series_removed_total', 'counter'],
  ['prometheus_tsdb_head_truncations_failed_total', 'counter'],
  ['prometheus_tsdb_out_of_bound_samples_total', 'counter', 'type'],
  ['prometheus_tsdb_out_of_order_samples_total', 'counter', 'type'],
  ['prometheus_tsdb_reloads_total', 'counter'],
  ['prometheus_tsdb_too_old_samples_total', 'counter', 'type'],
  ['prometheus_tsdb_wal_corruptions_total', 'counter'],
  ['prometheus_tsdb_wal_fsync_duration_seconds', 'summary'],
  ['prometheus_tsdb_wal_storage_size_bytes', 'gauge'],
  ['prometheus_tsdb_wal_truncate_duration_seconds', 'summary'],
]

const RULES = 'groups: [{name: g, rules: [{record: "a:b", expr: up + 1}, {alert: A, expr: up == 1}]}]\n'
const ALERTMANAGER = 'route: { receiver: none }\nreceivers: [{ name: none }]\n'
const config = (own: string, elsewhere: string): string => `
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - { job_name: self, static_configs: [{ targets: ['${own}'] }] }
  - { job_name: asked, http_sd_configs: [{ url: 'http://127.0.0.1:1/', refresh_interval: 1s }] }
alerting:
  alertmanagers:
    - static_configs: [{ targets: ['${elsewhere}', 'gone:1'] }]
      path_prefix: /
      relabel_configs: [{ source_labels: [__address__], regex: 'gone:1', action: drop }]
`

/** Name to `type labels`, the labels of the first series. */
async function familiesOf(url: string): Promise<ReadonlyMap<string, string>> {
  const page = new Uint8Array(await (await fetch(`${url}/metrics`)).arrayBuffer())
  const found = new Map<string, string>()
  let family = ''
  for (const entry of parseExposition(page, { format: 'text' })) {
    if (entry.kind === 'type') {
      family = entry.metric
      found.set(family, entry.type)
    } else if (entry.kind === 'series' && !found.get(family)?.includes(' ')) {
      const names = entry.labels.filter((_, i) => i % 2 === 0)
      const own = names.filter((name) => !['__name__', 'le', 'quantile'].includes(name))
      found.set(family, `${found.get(family)} ${own.join()}`)
    }
  }
  return found
}

const asked = (): readonly (readonly [string, string])[] =>
  ASKED.map(([name, type, labels = '']) => [name, `${type} ${labels}`])

/** Of the page: what is asked, and is not as it should be. */
async function wrongOn(url: string): Promise<string[]> {
  const families = await familiesOf(url)
  return asked().flatMap(([name, want]) =>
    families.get(name) === want ? [] : [`${name}: ${families.get(name) ?? 'missing'}, not ${want}`],
  )
}

/** What the world has written for the hub's own part. */
function heliograph(file: string): string {
  const text = fs.readFileSync(file, 'utf8')
  return text.slice(text.indexOf('heliograph:'))
}

/** Relabelling drops one of the two Alertmanagers, and both are told. */
async function assertAlertmanagers(url: string, active: string): Promise<void> {
  const { data } = (await (await fetch(`${url}/api/v1/alertmanagers`)).json()) as {
    data: { activeAlertmanagers: unknown; droppedAlertmanagers: unknown }
  }
  assert.deepEqual(data.activeAlertmanagers, [{ url: `http://${active}/api/v2/alerts` }])
  assert.deepEqual(data.droppedAlertmanagers, [{ url: 'http://gone:1/api/v2/alerts' }])
}

/** Alerts have been sent, and targets scraped twice, so that each family has its series. */
async function settled(url: string): Promise<void> {
  await until('it has done a bit of everything', async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return /_sent_total\{.*\} [1-9]/.test(text) && /_interval_length_seconds_count\{.*\} [1-9]/.test(text)
  })
}

test('all that the mixin and overview dashboards ask is on the page of a hub, and its figures move', () =>
  withWorld(async (world) => {
    const receiver = await world.startHub({ name: 'receiver', files: { 'alertmanager.yml': ALERTMANAGER } })
    const hub = await world.prepareHub({ files: { 'rules.yml': RULES } })
    world.file('hub/prometheus.yml', `${config(hub.address, receiver.address)}${heliograph(hub.configFile)}`)
    await hub.restart()
    await settled(hub.url)
    await untilHolds('all is there', async () => assert.deepEqual(await wrongOn(hub.url), []))
    await assertAlertmanagers(hub.url, receiver.address)
    for (const line of [
      /^prometheus_tsdb_clean_start 1$/m,
      /^prometheus_ready 1$/m,
      /^prometheus_build_info\{.*version="\d.*\} 1$/m,
      /^prometheus_http_requests_total\{code="200",handler="\/metrics"\} [1-9]/m,
      /^prometheus_rule_group_iterations_total\{.*\} [1-9]/m,
      /^prometheus_engine_query_duration_seconds_count\{slice="inner_eval"\} [1-9]/m,
      /^prometheus_target_sync_length_seconds_count\{scrape_job="self"\} [1-9]/m,
      /^prometheus_sd_discovered_targets\{config="self",name="scrape"\} 1$/m,
      /^prometheus_target_metadata_cache_entries\{scrape_job="self"\} [1-9]\d\d/m,
      /^prometheus_tsdb_wal_storage_size_bytes [1-9]/m,
    ])
      await untilHolds(String(line), async () => assert.match(await (await fetch(`${hub.url}/metrics`)).text(), line))
    await hub.kill()
    await hub.restart()
    assert.match(await (await fetch(`${hub.url}/metrics`)).text(), /^prometheus_tsdb_clean_start 0$/m)
  }))

test('a real Prometheus has just these names, types and labels', { skip: lacks('prometheus') }, () =>
  withWorld(async (world) => {
    const receiver = await world.startHub({ name: 'receiver', files: { 'alertmanager.yml': ALERTMANAGER } })
    const files = { 'rules.yml': RULES }
    const prometheus = await world.startPrometheus({ config: config('OWN_ADDRESS', receiver.address), files })
    await settled(prometheus.url)
    await untilHolds('all is there', async () => assert.deepEqual(await wrongOn(prometheus.url), []))
    await assertAlertmanagers(prometheus.url, receiver.address)
  }),
)

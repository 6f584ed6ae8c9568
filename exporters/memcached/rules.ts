/**
 * Which number of memcached's answers becomes which metric.
 * Semantics: memcached_exporter pkg/exporter/exporter.go (v0.16).
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'

export type Reading = 'number' | 'timeval' | 'yes/no'
export type Rule = {
  readonly key: string
  /** Without `memcached_`. */
  readonly metric: string
  readonly type: FamilyType
  readonly help: string
  /** Flat pairs, beside the slab class. */
  readonly labels: readonly string[]
  readonly reading: Reading
}

const COMMAND_HELP = 'Total number of all requests broken down by command (get, set, etc.) and status.'
const SLAB_COMMAND_HELP = 'Total number of all requests broken down by command (get, set, etc.) and status per slab.'

function counter(
  key: string,
  metric: string,
  help: string,
  labels: readonly string[] = [],
  reading: Reading = 'number',
): Rule {
  return { key, metric, type: 'counter', help, labels, reading }
}

function gauge(
  key: string,
  metric: string,
  help: string,
  labels: readonly string[] = [],
  reading: Reading = 'number',
): Rule {
  return { key, metric, type: 'gauge', help, labels, reading }
}

export function command(key: string, name: string, status: string): Rule {
  return counter(key, 'commands_total', COMMAND_HELP, ['command', name, 'status', status])
}

export function slabCommand(key: string, name: string, status: string): Rule {
  return counter(key, 'slab_commands_total', SLAB_COMMAND_HELP, ['command', name, 'status', status])
}

/** Of `stats`. */
export const GENERAL: readonly Rule[] = [
  command('get_hits', 'get', 'hit'),
  command('delete_hits', 'delete', 'hit'),
  command('incr_hits', 'incr', 'hit'),
  command('decr_hits', 'decr', 'hit'),
  command('cas_hits', 'cas', 'hit'),
  command('touch_hits', 'touch', 'hit'),
  command('get_misses', 'get', 'miss'),
  command('delete_misses', 'delete', 'miss'),
  command('incr_misses', 'incr', 'miss'),
  command('decr_misses', 'decr', 'miss'),
  command('cas_misses', 'cas', 'miss'),
  command('touch_misses', 'touch', 'miss'),
  counter('uptime', 'uptime_seconds', 'Number of seconds since the server started.'),
  gauge('time', 'time_seconds', 'current UNIX time according to the server.'),
  command('cas_badval', 'cas', 'badval'),
  command('cmd_flush', 'flush', 'hit'),
  counter('rusage_user', 'process_user_cpu_seconds_total', 'Accumulated user time for this process.', [], 'timeval'),
  counter(
    'rusage_system',
    'process_system_cpu_seconds_total',
    'Accumulated system time for this process.',
    [],
    'timeval',
  ),
  gauge('bytes', 'current_bytes', 'Current number of bytes used to store items.'),
  gauge('limit_maxbytes', 'limit_bytes', 'Number of bytes this server is allowed to use for storage.'),
  gauge('curr_items', 'current_items', 'Current number of items stored by this instance.'),
  counter('total_items', 'items_total', 'Total number of items stored during the life of this instance.'),
  counter('bytes_read', 'read_bytes_total', 'Total number of bytes read by this server from network.'),
  counter('bytes_written', 'written_bytes_total', 'Total number of bytes sent by this server to network.'),
  gauge('curr_connections', 'current_connections', 'Current number of open connections.'),
  counter(
    'total_connections',
    'connections_total',
    'Total number of connections opened since the server started running.',
  ),
  counter(
    'rejected_connections',
    'connections_rejected_total',
    "Total number of connections rejected due to hitting the memcached's -c limit in maxconns_fast mode.",
  ),
  counter(
    'conn_yields',
    'connections_yielded_total',
    "Total number of connections yielded running due to hitting the memcached's -R limit.",
  ),
  counter(
    'listen_disabled_num',
    'connections_listener_disabled_total',
    'Number of times that memcached has hit its connections limit and disabled its listener.',
  ),
  counter(
    'evictions',
    'items_evicted_total',
    'Total number of valid items removed from cache to free memory for new items.',
  ),
  counter(
    'reclaimed',
    'items_reclaimed_total',
    'Total number of times an entry was stored using memory from an expired entry.',
  ),
  counter(
    'store_too_large',
    'item_too_large_total',
    'The number of times an item exceeded the max-item-size when being stored.',
  ),
  counter(
    'store_no_memory',
    'item_no_memory_total',
    'The number of times an item could not be stored due to no more memory.',
  ),
  counter('lru_crawler_starts', 'lru_crawler_starts_total', 'Times an LRU crawler was started.'),
  counter('direct_reclaims', 'direct_reclaims_total', 'Times worker threads had to directly reclaim or evict items.'),
  counter('crawler_items_checked', 'lru_crawler_items_checked_total', 'Total items examined by LRU Crawler.'),
  counter('crawler_reclaimed', 'lru_crawler_reclaimed_total', 'Total items freed by LRU Crawler.'),
  counter(
    'moves_to_cold',
    'lru_crawler_moves_to_cold_total',
    "Total number of items moved from HOT/WARM to COLD LRU's.",
  ),
  counter('moves_to_warm', 'lru_crawler_moves_to_warm_total', 'Total number of items moved from COLD to WARM LRU.'),
  counter(
    'moves_within_lru',
    'lru_crawler_moves_within_lru_total',
    "Total number of items reshuffled within HOT or WARM LRU's.",
  ),
  gauge('total_malloced', 'malloced_bytes', 'Number of bytes of memory allocated to slab pages.'),
  gauge('accepting_conns', 'accepting_connections', 'The Memcached server is currently accepting new connections.'),
]

/** Of `stats`, where `extstore_limit_maxbytes` shows that external storage is on. */
export const EXTSTORE: readonly Rule[] = [
  counter(
    'extstore_compact_lost',
    'extstore_compact_lost_total',
    'Total number of items lost because they were locked during extstore compaction.',
  ),
  counter(
    'extstore_compact_rescues',
    'extstore_compact_rescued_total',
    'Total number of items moved to a new page during extstore compaction,',
  ),
  counter(
    'extstore_compact_skipped',
    'extstore_compact_skipped_total',
    'Total number of items dropped due to inactivity during extstore compaction.',
  ),
  counter(
    'extstore_page_allocs',
    'extstore_pages_allocated_total',
    'Total number of times a page was allocated in extstore.',
  ),
  counter(
    'extstore_page_evictions',
    'extstore_pages_evicted_total',
    'Total number of times a page was evicted from extstore.',
  ),
  counter(
    'extstore_page_reclaims',
    'extstore_pages_reclaimed_total',
    'Total number of times an empty extstore page was freed.',
  ),
  gauge('extstore_pages_free', 'extstore_pages_free', 'Number of extstore pages not yet containing any items.'),
  gauge('extstore_pages_used', 'extstore_pages_used', 'Number of extstore pages containing at least one item.'),
  counter(
    'extstore_objects_evicted',
    'extstore_objects_evicted_total',
    'Total number of items evicted from extstore to free up space.',
  ),
  counter('extstore_objects_read', 'extstore_objects_read_total', 'Total number of items read from extstore.'),
  counter('extstore_objects_written', 'extstore_objects_written_total', 'Total number of items written to extstore.'),
  gauge('extstore_objects_used', 'extstore_objects_used', 'Number of items stored in extstore.'),
  counter(
    'extstore_bytes_evicted',
    'extstore_bytes_evicted_total',
    'Total number of bytes evicted from extstore to free up space.',
  ),
  counter('extstore_bytes_written', 'extstore_bytes_written_total', 'Total number of bytes written to extstore.'),
  counter('extstore_bytes_read', 'extstore_bytes_read_total', 'Total number of bytes read from extstore.'),
  counter('extstore_bytes_used', 'extstore_bytes_used', 'Current number of bytes used to store items in extstore.'),
  gauge(
    'extstore_bytes_fragmented',
    'extstore_bytes_fragmented',
    'Current number of bytes in extstore pages allocated but not used to store an object.',
  ),
  gauge(
    'extstore_limit_maxbytes',
    'extstore_bytes_limit',
    'Number of bytes of external storage allocated for this server.',
  ),
  gauge('extstore_io_queue', 'extstore_io_queue_depth', 'Number of items in the I/O queue waiting to be processed.'),
]

/** Of `stats`, where `proxy_backend_total` shows that it is a proxy. */
export const PROXY: readonly Rule[] = [
  counter(
    'proxy_conn_requests',
    'proxy_conn_requests_total',
    'Total number of times the proxy opened a backend connection.',
  ),
  counter('proxy_conn_errors', 'proxy_conn_errors_total', 'Total number of backend connection errors in proxy mode.'),
  counter(
    'proxy_conn_oom',
    'proxy_conn_oom_total',
    'Total number of times the proxy ran out of memory allocating a connection.',
  ),
  gauge('proxy_req_active', 'proxy_req_active', 'Number of in-flight requests currently forwarded by the proxy.'),
  counter('proxy_config_reloads', 'proxy_config_reloads_total', 'Total attempts to reload the proxy configuration.'),
  counter(
    'proxy_config_reload_fails',
    'proxy_config_reload_fails_total',
    'Total failed attempts to reload the proxy configuration.',
  ),
  counter('proxy_config_cron_runs', 'proxy_config_cron_runs_total', 'Total times the proxy’s Lua cron hooks have run.'),
  counter('proxy_config_cron_fails', 'proxy_config_cron_fails_total', 'Total errors from the proxy’s Lua cron hooks.'),
  gauge('proxy_backend_total', 'proxy_backend_total', 'Number of backend servers configured in proxy mode.'),
  counter(
    'proxy_backend_marked_bad',
    'proxy_backend_marked_bad_total',
    'Total times a backend was marked unhealthy by the proxy.',
  ),
  gauge('proxy_backend_failed', 'proxy_backend_failed', 'Number of backends currently in a failed state.'),
  counter(
    'proxy_request_failed_depth',
    'proxy_request_failed_depth_total',
    'Total requests dropped due to backend depth limits.',
  ),
  counter(
    'round_robin_fallback',
    'round_robin_fallback_total',
    'Total times the proxy fell back to round-robin routing.',
  ),
  counter(
    'unexpected_napi_ids',
    'unexpected_napi_ids_total',
    'Total unexpected internal event-loop IDs seen by the proxy.',
  ),
]

/** Of `stats items`, per slab class. */
export const ITEMS: readonly Rule[] = [
  gauge('number', 'slab_current_items', 'Number of items currently stored in this slab class.'),
  gauge('age', 'slab_items_age_seconds', 'Number of seconds the oldest item has been in the slab class.'),
  counter('hits_to_hot', 'slab_lru_hits_total', 'Number of get_hits to the LRU.', ['lru', 'hot']),
  counter('hits_to_warm', 'slab_lru_hits_total', 'Number of get_hits to the LRU.', ['lru', 'warm']),
  counter('hits_to_cold', 'slab_lru_hits_total', 'Number of get_hits to the LRU.', ['lru', 'cold']),
  counter('hits_to_temp', 'slab_lru_hits_total', 'Number of get_hits to the LRU.', ['lru', 'temporary']),
  counter('crawler_reclaimed', 'slab_items_crawler_reclaimed_total', 'Number of items freed by the LRU Crawler.'),
  counter(
    'evicted',
    'slab_items_evicted_total',
    'Total number of times an item had to be evicted from the LRU before it expired.',
  ),
  counter(
    'evicted_nonzero',
    'slab_items_evicted_nonzero_total',
    'Total number of times an item which had an explicit expire time set had to be evicted from the LRU before it expired.',
  ),
  counter(
    'evicted_time',
    'slab_items_evicted_time_seconds',
    'Seconds since the last access for the most recent item evicted from this class.',
  ),
  counter('evicted_unfetched', 'slab_items_evicted_unfetched_total', 'Total nmber of items evicted and never fetched.'),
  counter(
    'expired_unfetched',
    'slab_items_expired_unfetched_total',
    'Total number of valid items evicted from the LRU which were never touched after being set.',
  ),
  counter(
    'outofmemory',
    'slab_items_outofmemory_total',
    'Total number of items for this slab class that have triggered an out of memory error.',
  ),
  counter('reclaimed', 'slab_items_reclaimed_total', 'Total number of items reclaimed.'),
  counter(
    'tailrepairs',
    'slab_items_tailrepairs_total',
    'Total number of times the entries for a particular ID need repairing.',
  ),
  counter('mem_requested', 'slab_mem_requested_bytes', 'Number of bytes of memory actual items take up within a slab.'),
  counter('moves_to_cold', 'slab_items_moves_to_cold', 'Number of items moved from HOT or WARM into COLD.'),
  counter('moves_to_warm', 'slab_items_moves_to_warm', 'Number of items moves from COLD into WARM.'),
  counter(
    'moves_within_lru',
    'slab_items_moves_within_lru',
    'Number of times active items were bumped within HOT or WARM.',
  ),
  gauge('number_hot', 'slab_hot_items', 'Number of items presently stored in the HOT LRU.'),
  gauge('number_warm', 'slab_warm_items', 'Number of items presently stored in the WARM LRU.'),
  gauge('number_cold', 'slab_cold_items', 'Number of items presently stored in the COLD LRU.'),
  gauge('number_temp', 'slab_temporary_items', 'Number of items presently stored in the TEMPORARY LRU.'),
  gauge('age_hot', 'slab_hot_age_seconds', 'Age of the oldest item in HOT LRU.'),
  gauge('age_warm', 'slab_warm_age_seconds', 'Age of the oldest item in HOT LRU.'),
]

/** Of `stats slabs`, per slab class. */
export const SLABS: readonly Rule[] = [
  slabCommand('get_hits', 'get', 'hit'),
  slabCommand('delete_hits', 'delete', 'hit'),
  slabCommand('incr_hits', 'incr', 'hit'),
  slabCommand('decr_hits', 'decr', 'hit'),
  slabCommand('cas_hits', 'cas', 'hit'),
  slabCommand('touch_hits', 'touch', 'hit'),
  slabCommand('cas_badval', 'cas', 'badval'),
  gauge('chunk_size', 'slab_chunk_size_bytes', 'Number of bytes allocated to each chunk within this slab class.'),
  gauge('chunks_per_page', 'slab_chunks_per_page', 'Number of chunks within a single page for this slab class.'),
  gauge('total_pages', 'slab_current_pages', 'Number of pages allocated to this slab class.'),
  gauge('total_chunks', 'slab_current_chunks', 'Number of chunks allocated to this slab class.'),
  gauge('used_chunks', 'slab_chunks_used', 'Number of chunks allocated to an item.'),
  gauge('free_chunks', 'slab_chunks_free', 'Number of chunks not yet allocated items.'),
  gauge('free_chunks_end', 'slab_chunks_free_end', 'Number of free chunks at the end of the last allocated page.'),
  gauge('mem_requested', 'slab_mem_requested_bytes', 'Number of bytes of memory actual items take up within a slab.'),
]

/** Of `stats settings`. */
export const SETTINGS: readonly Rule[] = [gauge('maxconns', 'max_connections', 'Maximum number of clients allowed.')]

/** Of `stats settings`, where `lru_crawler` is on. */
export const LRU_CRAWLER: readonly Rule[] = [
  gauge('lru_crawler', 'lru_crawler_enabled', 'Whether the LRU crawler is enabled.', [], 'yes/no'),
  gauge('lru_crawler_sleep', 'lru_crawler_sleep', 'Microseconds to sleep between LRU crawls.'),
  gauge('lru_crawler_tocrawl', 'lru_crawler_to_crawl', 'Max items to crawl per slab per run.'),
  gauge(
    'lru_maintainer_thread',
    'lru_crawler_maintainer_thread',
    'Split LRU mode and background threads.',
    [],
    'yes/no',
  ),
  gauge('hot_lru_pct', 'lru_crawler_hot_percent', 'Percent of slab memory reserved for HOT LRU.'),
  gauge('warm_lru_pct', 'lru_crawler_warm_percent', 'Percent of slab memory reserved for WARM LRU.'),
  gauge('hot_max_factor', 'lru_crawler_hot_max_factor', 'Set idle age of HOT LRU to COLD age * this'),
  gauge('warm_max_factor', 'lru_crawler_warm_max_factor', 'Set idle age of WARM LRU to COLD age * this'),
]

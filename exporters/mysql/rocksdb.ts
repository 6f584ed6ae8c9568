/** `information_schema.ROCKSDB_PERF_CONTEXT` of MyRocks. Semantics: mysqld_exporter collector/info_schema_rocksdb_perf_context.go. */
import type { Collector } from './collector.ts'
import { toNumber, toText } from './collector.ts'

const HELPS: Readonly<Record<string, string>> = {
  __proto__: null as never,
  user_key_comparison_count: 'Total number of user key comparisons performed in binary search.',
  block_cache_hit_count: 'Total number of block read operations from cache.',
  block_read_count: 'Total number of block read operations from disk.',
  block_read_byte: 'Total number of bytes read from disk.',
  get_read_bytes: 'Number of bytes read during Get operations.',
  multiget_read_bytes: 'Number of bytes read during MultiGet operations.',
  iter_read_bytes: 'Number of bytes read during iterator operations.',
  internal_key_skipped_count: 'Count of internal keys skipped during operations.',
  internal_delete_skipped_count: 'Count of internal delete operations that were skipped.',
  internal_recent_skipped_count: 'Count of recently skipped internal operations.',
  internal_merge_count: 'Total number of internal merge operations.',
  get_from_memtable_count: 'Number of Get operations served from the memtable.',
  seek_on_memtable_count: 'Count of seek operations in the memtable.',
  next_on_memtable_count: 'Count of next operations in the memtable.',
  prev_on_memtable_count: 'Count of previous operations in the memtable.',
  seek_child_seek_count: 'Count of child seek operations in RocksDB.',
  bloom_memtable_hit_count: 'Count of successful hits in the bloom filter for memtable searches.',
  bloom_memtable_miss_count: 'Count of misses in the bloom filter for memtable searches.',
  bloom_sst_hit_count: 'Count of successful hits in the bloom filter for SSTable searches.',
  bloom_sst_miss_count: 'Count of misses in the bloom filter for SSTable searches.',
  key_lock_wait_count: 'Count of key lock wait events in RocksDB.',
  io_bytes_written: 'Total number of bytes written by I/O operations in RocksDB.',
  io_bytes_read: 'Total number of bytes read by I/O operations in RocksDB.',
}

export const rocksdb: Collector = {
  name: 'info_schema.rocksdb_perf_context',
  since: [5, 6],
  async scrape({ query }, emit) {
    const { rows } = await query(
      "SELECT TABLE_SCHEMA, TABLE_NAME, ifnull(PARTITION_NAME, ''), STAT_TYPE, VALUE FROM information_schema.ROCKSDB_PERF_CONTEXT",
    )
    for (const [schema, table, part, stat, value] of rows) {
      const name = toText(stat).toLowerCase()
      const help = HELPS[name]
      const number = toNumber(value)
      if (help === undefined || number === null) continue
      const labels = ['schema', toText(schema), 'table', toText(table), 'part', toText(part)]
      emit('counter', `info_schema_rocksdb_perf_context_${name}`, help, number, labels)
    }
  },
}

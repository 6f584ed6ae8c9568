/**
 * What head and log tell of themselves, under Prometheus's names (tsdb/head.go, wlog/wlog.go, exemplar.go; v3.5).
 * Without a meaning here, and left out: `head_active_appenders` and `isolation_*` (one thread appends, and readers see
 * whole commits), `mmap_*` (the head is memory and log), `snapshot_replay_error_total` (a checkpoint that is damaged gives
 * way to the one before it: `wal_corruptions_total`), `wal_completed_pages_total`, `wal_page_flushes_total`,
 * `wal_record_*` (the log has records and no pages; see `heliograph_wal_*`), and `exemplar_out_of_order_exemplars_total`
 * (exemplars are taken in any order).
 */
import { counter, gauge, type MetricFamily, summaryLines } from '../../protocol/exposition/mod.ts'
import type { IngestStatus } from '../ingest/mod.ts'
import type { TimeRange } from '../tsdb/mod.ts'

const one = (value: number) => [{ labels: [], value }]
const byType = (float: number, histogram?: number) => [
  { labels: ['type', 'float'], value: float },
  ...(histogram === undefined ? [] : [{ labels: ['type', 'histogram'], value: histogram }]),
]

/** @param range of the head's samples, ms; null when it has none */
export function headFamilies(
  { counters: c, head, wal, commits, replay, exceeded }: IngestStatus,
  range: TimeRange | null,
): MetricFamily[] {
  const { drops } = head
  return [
    gauge('prometheus_tsdb_head_series', 'Total number of series in the head block.', one(head.series)),
    counter(
      'prometheus_tsdb_head_series_created_total',
      'Total number of series created in the head',
      one(head.seriesCreated),
    ),
    counter(
      'prometheus_tsdb_head_series_removed_total',
      'Total number of series removed in the head',
      one(head.seriesRemoved),
    ),
    counter(
      'prometheus_tsdb_head_series_not_found_total',
      'Total number of requests for series that were not found.',
      one(drops.unknownSeries),
    ),
    gauge('prometheus_tsdb_head_chunks', 'Total number of chunks in the head block.', one(head.chunks)),
    counter(
      'prometheus_tsdb_head_chunks_created_total',
      'Total number of chunks created in the head',
      one(head.chunksCreated),
    ),
    counter(
      'prometheus_tsdb_head_chunks_removed_total',
      'Total number of chunks removed in the head',
      one(Math.max(0, head.chunksCreated - head.chunks)),
    ),
    gauge(
      'prometheus_tsdb_head_chunks_storage_size_bytes',
      'Size of the chunks_head directory.',
      one(head.chunkPayloadBytes),
    ),
    ...headTimes(range),
    counter(
      'prometheus_tsdb_head_samples_appended_total',
      'Total number of appended samples.',
      byType(c.samplesStored, head.histogramsAppended),
    ),
    counter(
      'prometheus_tsdb_head_out_of_order_samples_appended_total',
      'Total number of appended out of order samples.',
      byType(head.lateSamples),
    ),
    counter(
      'prometheus_tsdb_out_of_order_samples_total',
      'Total number of out of order samples ingestion failed attempts due to out of order being disabled.',
      byType(c.samplesOutOfOrder, 0),
    ),
    counter(
      'prometheus_tsdb_out_of_bound_samples_total',
      'Total number of out of bound samples ingestion failed attempts with out of order support disabled.',
      // Nothing before what retention and blocks have closed for good is taken, in order or not.
      byType(drops.tooOld),
    ),
    counter(
      'prometheus_tsdb_too_old_samples_total',
      'Total number of out of order samples ingestion failed attempts with out of support enabled, but sample outside of time window.',
      byType(c.samplesTooOld),
    ),
    counter('heliograph_head_samples_refused_total', 'Samples that the head did not take, by reason.', [
      { labels: ['reason', 'duplicate'], value: drops.duplicates },
      { labels: ['reason', 'conflicting'], value: drops.conflicting },
      { labels: ['reason', 'too_old'], value: drops.tooOld },
      { labels: ['reason', 'memory_limit'], value: drops.memoryLimit },
      { labels: ['reason', 'unknown_series'], value: drops.unknownSeries },
    ]),
    counter('heliograph_head_series_refused_total', 'Series that the head did not take, by reason.', [
      { labels: ['reason', 'series_limit'], value: drops.seriesLimit },
      { labels: ['reason', 'label_limit'], value: drops.labelLimit },
    ]),
    counter(
      'heliograph_limit_series_refused_total',
      'Series refused by a limit, and whose they were; one that is sent again counts again.',
      exceeded.map(({ limit, who, refused }) => ({ labels: ['limit', limit, 'who', who], value: refused })),
    ),
    gauge('heliograph_head_symbols', 'Strings that labels of the head use.', one(head.symbols)),
    gauge('heliograph_head_page_bytes', 'Shared memory of the head.', one(head.pageBytes)),
    gauge(
      'heliograph_head_limit_bytes',
      'How much memory the head may take: --storage.tsdb.head-max-size.',
      one(head.maxBytes),
    ),
    gauge('heliograph_head_used_bytes', 'Of the shared memory of the head, what is in use.', one(head.usedBytes)),
    ...exemplarFamilies(head),
    ...logFamilies(c.checkpoints, wal, commits, replay),
  ]
}

function exemplarFamilies(head: IngestStatus['head']): MetricFamily[] {
  return [
    counter(
      'prometheus_tsdb_exemplar_exemplars_appended_total',
      'Total number of appended exemplars.',
      one(head.exemplarsAppended),
    ),
    gauge(
      'prometheus_tsdb_exemplar_exemplars_in_storage',
      'Number of exemplars currently in circular storage.',
      one(head.exemplars),
    ),
    gauge(
      'prometheus_tsdb_exemplar_series_with_exemplars_in_storage',
      'Number of series with exemplars currently in circular storage.',
      one(head.exemplarSeries),
    ),
    gauge(
      'prometheus_tsdb_exemplar_last_exemplars_timestamp_seconds',
      'The timestamp of the oldest exemplar stored in circular storage.',
      one((head.oldestExemplarMs ?? 0) / 1000),
    ),
    gauge(
      'prometheus_tsdb_exemplar_max_exemplars',
      'Total number of exemplars the exemplar storage can store.',
      one(head.exemplarSlots),
    ),
  ]
}

function headTimes(range: TimeRange | null): MetricFamily[] {
  // Of an empty head, the limits of Go's int64, as upstream.
  const minTime = range?.minTime ?? 2 ** 63
  const maxTime = range?.maxTime ?? -(2 ** 63)
  const unit = 'The unit is decided by the library consumer.'
  return [
    gauge('prometheus_tsdb_head_min_time', `Minimum time bound of the head block. ${unit}`, one(minTime)),
    gauge('prometheus_tsdb_head_max_time', `Maximum timestamp of the head block. ${unit}`, one(maxTime)),
    gauge(
      'prometheus_tsdb_head_min_time_seconds',
      'Minimum time bound of the head block.',
      one(Math.trunc(minTime / 1000)),
    ),
    gauge(
      'prometheus_tsdb_head_max_time_seconds',
      'Maximum timestamp of the head block.',
      one(Math.trunc(maxTime / 1000)),
    ),
  ]
}

function logFamilies(
  checkpoints: number,
  wal: IngestStatus['wal'],
  commits: IngestStatus['commits'],
  replay: IngestStatus['replay'],
): MetricFamily[] {
  return [
    {
      name: 'prometheus_tsdb_wal_fsync_duration_seconds',
      help: 'Duration of write log fsync.',
      type: 'summary',
      metrics: summaryLines([], commits.quantiles, commits.sumSeconds, commits.count),
    },
    gauge(
      'heliograph_wal_commit_longest_seconds',
      'The longest that a group commit, writing and syncing together, has taken since the start.',
      one(commits.longestSeconds),
    ),
    counter('prometheus_tsdb_wal_corruptions_total', 'Total number of WAL corruptions.', one(replay.damages.length)),
    // One that fails ends the process: what was acknowledged must be on disk.
    counter('prometheus_tsdb_wal_writes_failed_total', 'Total number of write log writes that failed.', one(0)),
    counter(
      'prometheus_tsdb_wal_truncations_total',
      'Total number of write log truncations attempted.',
      one(checkpoints),
    ),
    counter(
      'prometheus_tsdb_wal_truncations_failed_total',
      'Total number of write log truncations that failed.',
      one(0),
    ),
    {
      name: 'prometheus_tsdb_wal_truncate_duration_seconds',
      help: 'Duration of WAL truncation.',
      type: 'summary',
      metrics: summaryLines([], [], wal.checkpointSeconds, wal.checkpoints),
    },
    gauge('prometheus_tsdb_wal_storage_size_bytes', 'Size of the write log directory.', one(wal.sizeBytes)),
    gauge(
      'prometheus_tsdb_data_replay_duration_seconds',
      'Time taken to replay the data on disk.',
      one(wal.replaySeconds),
    ),
    gauge(
      'prometheus_tsdb_clean_start',
      '0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean',
      one(wal.isCleanStart ? 1 : 0),
    ),
    gauge(
      'prometheus_tsdb_wal_segment_current',
      'Write log segment index that TSDB is currently writing to.',
      one(wal.segmentIndex),
    ),
    counter(
      'prometheus_tsdb_checkpoint_creations_total',
      'Total number of checkpoint creations attempted.',
      one(checkpoints),
    ),
    counter(
      'prometheus_tsdb_checkpoint_creations_failed_total',
      'Total number of checkpoint creations that failed.',
      one(0),
    ),
    counter(
      'prometheus_tsdb_checkpoint_deletions_total',
      'Total number of checkpoint deletions attempted.',
      one(checkpoints),
    ),
    counter(
      'prometheus_tsdb_checkpoint_deletions_failed_total',
      'Total number of checkpoint deletions that failed.',
      one(0),
    ),
  ]
}

/** What blocks, their compaction and retention tell of themselves, under Prometheus's names (tsdb/db.go, compact.go). */
import {
  counter,
  gauge,
  Histogram,
  type HistogramState,
  histogramStateLines,
  type MetricFamily,
  Summary,
} from '../../protocol/exposition/mod.ts'
import type { BlocksDigest, RetentionLimits } from '../block/mod.ts'

/** Seconds, as upstream's ExponentialBuckets(1, 2, 14). */
const DURATION_BOUNDS = Array.from({ length: 14 }, (_, i) => 2 ** i)

const one = (value: number) => [{ labels: [], value }]
const told = (name: string, help: string, state: HistogramState): MetricFamily => ({
  name,
  help,
  type: 'histogram',
  metrics: histogramStateLines([], state),
})

export class BlockMetrics {
  /** Of cuts, merges and blocks written anew, in seconds. */
  readonly durations = new Histogram(DURATION_BOUNDS)
  readonly cleanups = new Histogram([])
  /** Until the head has forgotten what blocks hold, the wait for its thread included; seconds. */
  readonly evictions = new Summary()
  failures = 0
  headTruncations = 0
  failedTruncations = 0
  /** Cuts of a window that was still open, for want of memory. */
  earlyCuts = 0

  families(
    { count, oldestTime, symbols, chunkSizes, counters, sizeBytes, generation }: BlocksDigest,
    limits: RetentionLimits,
    damageFound: number,
    tombstones: number,
  ): MetricFamily[] {
    const written = counters.cut + counters.compacted + counters.rewritten
    return [
      gauge('prometheus_tsdb_blocks_loaded', 'Number of currently loaded data blocks', one(count)),
      gauge(
        'prometheus_tsdb_storage_blocks_bytes',
        'The number of bytes that are currently used for local storage by all blocks.',
        one(sizeBytes),
      ),
      gauge(
        'prometheus_tsdb_symbol_table_size_bytes',
        'Size of symbol table in memory for loaded blocks',
        // What a thread keeps of a loaded block's symbols: a string each.
        one(8 * symbols),
      ),
      gauge(
        'prometheus_tsdb_lowest_timestamp',
        'Lowest timestamp value stored in the database. The unit is decided by the library consumer.',
        one(oldestTime),
      ),
      gauge(
        'prometheus_tsdb_lowest_timestamp_seconds',
        'Lowest timestamp value stored in the database.',
        one(Math.trunc(oldestTime / 1000)),
      ),
      gauge(
        'prometheus_tsdb_retention_limit_bytes',
        'Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled',
        one(limits.sizeBytes),
      ),
      gauge(
        'prometheus_tsdb_retention_limit_seconds',
        'How long to retain samples in storage.',
        one(limits.timeMs / 1000),
      ),
      counter(
        'heliograph_head_early_cuts_total',
        'Blocks that were cut from the head before their time range had ended, because its memory ran short.',
        one(this.earlyCuts),
      ),
      counter(
        'prometheus_tsdb_time_retentions_total',
        'The number of times that blocks were deleted because the maximum time limit was exceeded.',
        one(counters.timeRetentions),
      ),
      counter(
        'prometheus_tsdb_size_retentions_total',
        'The number of times that blocks were deleted because the maximum number of bytes was exceeded.',
        one(counters.sizeRetentions),
      ),
      counter(
        'prometheus_tsdb_compactions_total',
        'Total number of compactions that were executed for the partition.',
        one(written),
      ),
      counter(
        'prometheus_tsdb_compactions_triggered_total',
        'Total number of triggered compactions for the partition.',
        one(written + this.failures),
      ),
      counter(
        'prometheus_tsdb_compactions_failed_total',
        'Total number of compactions that failed for the partition.',
        one(this.failures),
      ),
      counter(
        'prometheus_tsdb_compactions_skipped_total',
        'Total number of skipped compactions due to disabled auto compaction.',
        one(0),
      ),
      counter(
        'prometheus_tsdb_vertical_compactions_total',
        'Total number of compactions done on overlapping blocks.',
        one(counters.overlapping),
      ),
      told('prometheus_tsdb_compaction_duration_seconds', 'Duration of compaction runs', this.durations.state),
      told(
        'prometheus_tsdb_tombstone_cleanup_seconds',
        'The time taken to recompact blocks to remove tombstones.',
        this.cleanups.state,
      ),
      told(
        'prometheus_tsdb_compaction_chunk_samples',
        'Final number of samples on their first compaction',
        chunkSizes.samples,
      ),
      told(
        'prometheus_tsdb_compaction_chunk_size_bytes',
        'Final size of chunks on their first compaction',
        chunkSizes.bytes,
      ),
      // Milliseconds, whatever the name says, as upstream.
      told(
        'prometheus_tsdb_compaction_chunk_range_seconds',
        'Final time range of chunks on their first compaction',
        chunkSizes.range,
      ),
      {
        name: 'prometheus_tsdb_head_gc_duration_seconds',
        help: 'Runtime of garbage collection in the head block.',
        type: 'summary',
        metrics: this.evictions.lines([]),
      },
      counter(
        'prometheus_tsdb_head_truncations_total',
        'Total number of head truncations attempted.',
        one(this.headTruncations),
      ),
      counter(
        'prometheus_tsdb_head_truncations_failed_total',
        'Total number of head truncations that failed.',
        one(this.failedTruncations),
      ),
      counter(
        'prometheus_tsdb_reloads_total',
        'Number of times the database reloaded block data from disk.',
        one(generation),
      ),
      counter(
        'prometheus_tsdb_reloads_failures_total',
        'Number of times the database failed to reloadBlocks block data from disk.',
        // A block that cannot be loaded is what a failed reload is here: the others are loaded all the same.
        one(counters.damagedBlocks),
      ),
      gauge('heliograph_tombstones', 'Deletions that are not yet carried out in every block.', one(tombstones)),
      counter(
        'heliograph_blocks_removed_total',
        'Blocks removed because they were beyond retention.',
        one(counters.removed),
      ),
      gauge('heliograph_blocks_damaged', 'Blocks set aside since the start.', one(counters.damagedBlocks)),
      counter(
        'heliograph_block_damage_found_total',
        'Runs of chunks, and blocks, found damaged on reading.',
        one(damageFound),
      ),
    ]
  }
}

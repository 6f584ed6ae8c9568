/** Upstream's metrics of remote storage. Semantics: Prometheus storage/remote/queue_manager.go, newQueueManagerMetrics. */
import type { RemoteWriteQueue } from '../../protocol/config/mod.ts'
import { counter, gauge, type Metric, type MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Endpoint } from './endpoint.ts'
import { type Counts, DROP_REASONS, type EndpointState } from './messages.ts'

export type Shown = {
  readonly name: string
  /** Without its password. */
  readonly url: string
  readonly queue: RemoteWriteQueue
  readonly endpoint: Endpoint
  /** As the remote-write thread said it last; null: it has not said anything. */
  readonly state: EndpointState | null
  readonly shards: number
  readonly desiredShards: number
  readonly segment: number
}

const NAME = 'prometheus_remote_storage_'
const ALWAYS_SHOWN: ReadonlySet<string> = new Set(['dropped_series', 'too_old'])

/** @param readIn what one of them has read, which all of them are to be sent */
export function remoteWriteFamilies(shown: readonly Shown[], newestMs: number, readIn: Counts): MetricFamily[] {
  if (shown.length === 0) return []
  const each = (value: (one: Shown) => number): Metric[] =>
    shown.map((one) => ({ labels: labelsOf(one), value: value(one) }))
  const count = (name: string, help: string, value: (one: Shown) => number): MetricFamily =>
    counter(`${NAME}${name}`, help, each(value))
  const level = (name: string, help: string, value: (one: Shown) => number): MetricFamily =>
    gauge(`${NAME}${name}`, help, each(value))
  const KINDS = ['samples', 'exemplars', 'histograms'] as const
  return [
    gauge(
      `${NAME}highest_timestamp_in_seconds`,
      'Highest timestamp that has come into the remote storage via the Appender interface, in seconds since epoch. Initialized to 0 when no data has been received yet.',
      [{ labels: [], value: Number.isFinite(newestMs) ? newestMs / 1000 : 0 }],
    ),
    level(
      'queue_highest_sent_timestamp_seconds',
      'Timestamp from a WAL sample, the highest timestamp successfully sent by this queue, in seconds since epoch. Initialized to 0 when no data has been sent yet.',
      ({ endpoint }) => endpoint.highestSentMs / 1000,
    ),
    ...KINDS.flatMap((kind) => [
      counter(
        `${NAME}${kind}_in_total`,
        `${kind[0]!.toUpperCase()}${kind.slice(1)} in to remote storage, compare to ${kind} out for queue managers.`,
        [{ labels: [], value: readIn[kind] }],
      ),
      count(`${kind}_total`, `Total number of ${kind} sent to remote storage.`, ({ endpoint }) => endpoint.sent[kind]),
      count(
        `${kind}_failed_total`,
        `Total number of ${kind} which failed on send to remote storage, non-recoverable errors.`,
        ({ endpoint }) => endpoint.failed[kind],
      ),
      count(
        `${kind}_retried_total`,
        `Total number of ${kind} which failed on send to remote storage but were retried because the send error was recoverable.`,
        ({ endpoint }) => endpoint.retried[kind],
      ),
      counter(
        `${NAME}${kind}_dropped_total`,
        `Total number of ${kind} which were dropped after being read from the WAL before being sent via remote write, for the reason that the label says.`,
        shown.flatMap((one) =>
          DROP_REASONS.map((reason) => ({
            labels: ['reason', reason, ...labelsOf(one)],
            value: one.endpoint.dropped[reason][kind] + (one.state?.dropped[reason][kind] ?? 0),
          })).filter(({ value, labels }) => value > 0 || ALWAYS_SHOWN.has(labels[1]!)),
        ),
      ),
      level(
        `${kind}_pending`,
        `The number of ${kind} pending in the queues shards to be sent to the remote storage.`,
        ({ state }) => state?.pending[kind] ?? 0,
      ),
    ]),
    count(
      'bytes_total',
      'The total number of bytes of data (not metadata) sent by the queue after compression.',
      (one) => one.endpoint.bytes.samples,
    ),
    count(
      'metadata_bytes_total',
      'The total number of bytes of metadata sent by the queue after compression.',
      (one) => one.endpoint.bytes.families,
    ),
    count(
      'metadata_total',
      'Total number of metadata entries sent to remote storage.',
      (one) => one.endpoint.families.sent,
    ),
    count(
      'metadata_failed_total',
      'Total number of metadata entries which failed on send to remote storage, non-recoverable errors.',
      (one) => one.endpoint.families.failed,
    ),
    count(
      'metadata_retried_total',
      'Total number of metadata entries which failed on send to remote storage but were retried because the send error was recoverable.',
      (one) => one.endpoint.families.retried,
    ),
    {
      name: `${NAME}sent_batch_duration_seconds`,
      help: 'Duration of send calls to the remote storage.',
      type: 'histogram',
      metrics: shown.flatMap((one) => one.endpoint.durations.lines(labelsOf(one))),
    },
    level('shards', 'The number of shards used for parallel sending to the remote storage.', ({ shards }) => shards),
    level(
      'shards_desired',
      'The number of shards that the queues shard calculation wants to run based on the rate of samples in vs. samples out.',
      ({ desiredShards }) => desiredShards,
    ),
    level(
      'shards_min',
      'The minimum number of shards that the queue is allowed to run.',
      ({ queue }) => queue.minShards,
    ),
    level(
      'shards_max',
      'The maximum number of shards that the queue is allowed to run.',
      ({ queue }) => queue.maxShards,
    ),
    level(
      'shard_capacity',
      'The capacity of each shard of the queue used for parallel sending to the remote storage.',
      ({ queue }) => queue.capacity,
    ),
    level(
      'max_samples_per_send',
      'The maximum number of samples to be sent, in a single request, to the remote storage.',
      ({ queue }) => queue.maxSamplesPerSend,
    ),
    gauge(
      'prometheus_wal_watcher_current_segment',
      'Current segment the WAL watcher is reading records from.',
      shown.map((one) => ({ labels: ['consumer', one.name], value: one.segment })),
    ),
    gauge(
      'heliograph_remote_write_backlog_bytes',
      'Bytes of the log that are held for this endpoint.',
      each(({ state }) => state?.backlogBytes ?? 0),
    ),
    counter(
      'heliograph_remote_write_gaps_total',
      'Stretches of the log that were gone before this endpoint had read them.',
      each(({ state }) => state?.gaps ?? 0),
    ),
    counter(
      'heliograph_remote_write_lost_records_total',
      'Records of the log that could not be read.',
      each(({ state }) => state?.lostRecords ?? 0),
    ),
  ]
}

const labelsOf = ({ name, url }: Shown): string[] => ['remote_name', name, 'url', url]

/** The hub's command line, under Prometheus's names. */
import type { FlagDefinition } from '../../agent/cli/mod.ts'

const text = (name: string, fallback: string, help: string): FlagDefinition => ({
  name,
  kind: 'string',
  default: fallback,
  help,
})
const toggle = (name: string, help: string): FlagDefinition => ({ name, kind: 'boolean', default: 'false', help })

export const HUB_FLAGS: readonly FlagDefinition[] = [
  text('config.file', 'prometheus.yml', 'Prometheus configuration file path.'),
  text(
    'config.auto-reload-interval',
    '30s',
    'How often the files of the configuration are looked at, with --enable-feature=auto-reload-config.',
  ),
  text(
    'alertmanager.config.file',
    '',
    'Alertmanager configuration file path; by default alertmanager.yml beside the configuration file, if it exists and that names no Alertmanagers under alerting.',
  ),
  text(
    'alertmanager.notification-queue-capacity',
    '10000',
    'The capacity of the queue for pending notifications of one Alertmanager.',
  ),
  text(
    'alertmanager.notification-batch-size',
    '256',
    'The maximum number of notifications per batch to send to an Alertmanager.',
  ),
  text(
    'web.listen-address',
    '127.0.0.1:9090',
    'Address to listen on for UI, API, and the bus on WebSocket at /nats. Loopback by default: others can read and, with --web.enable-*, change everything unless --web.config.file sets passwords.',
  ),
  text(
    'web.external-url',
    '',
    'The URL under which the hub is externally reachable; used for links back to it, and its path as prefix of all routes.',
  ),
  text(
    'web.route-prefix',
    '',
    'Prefix for the internal routes of web endpoints. Defaults to path of --web.external-url.',
  ),
  text(
    'web.config.file',
    '',
    'Path to configuration file that can enable TLS or authentication. Agents on /nats and their enrolment need no password: they have an authentication of their own.',
  ),
  text(
    'web.cors.origin',
    '',
    "Regex for CORS origin. It is fully anchored. Example: 'https?://(domain1|domain2)\\\\.com'. By default other origins' pages read nothing.",
  ),
  text('web.max-connections', '512', 'Maximum number of simultaneous connections.'),
  text(
    'web.max-notifications-subscribers',
    '16',
    'Limits the maximum number of subscribers that can concurrently receive live notifications.',
  ),
  text(
    'web.search.max-limit',
    '10000',
    'Most results that one request to the search API may ask for, with --enable-feature=search-api. 0 means no limit.',
  ),
  toggle('web.enable-lifecycle', 'Enable shutdown and reload via HTTP request.'),
  toggle('web.enable-admin-api', 'Enable API endpoints for admin control actions.'),
  toggle('web.enable-remote-write-receiver', 'Enable API endpoint accepting remote write requests.'),
  toggle('web.enable-otlp-receiver', 'Enable API endpoint accepting OTLP write requests.'),
  text('storage.tsdb.path', 'data/', 'Base path for metrics storage.'),
  text(
    'storage.tsdb.retention.time',
    '',
    'How long to retain samples in storage. Defaults to 15d if neither time nor size is set here or in the configuration.',
  ),
  text(
    'storage.tsdb.retention.size',
    '',
    'Maximum number of bytes of the data directory; the oldest samples are removed first. Units: B, KB, MB, GB, TB, PB, EB.',
  ),
  text(
    'storage.tsdb.head-max-size',
    '8GB',
    'How much memory recent samples and their series may take, at most 16GB, and an eighth more where it is in pieces. Blocks are cut early when it runs short. Units: B, KB, MB, GB.',
  ),
  text('storage.tsdb.wal-segment-size', '128MB', 'Size at which to split the WAL segment files; for tests.'),
  text('storage.tsdb.min-block-duration', '2h', 'Time range of a block as it is cut from the head; for tests.'),
  text(
    'storage.remote.read-sample-limit',
    '50000000',
    'Maximum overall number of samples to return via the remote read interface, in a single query. 0 means no limit. This limit is ignored for streamed response types.',
  ),
  text(
    'storage.remote.read-concurrent-limit',
    '10',
    'Maximum number of concurrent remote read calls. 0 means no limit.',
  ),
  text(
    'storage.remote.read-max-bytes-in-frame',
    '1048576',
    'Maximum number of bytes in a single frame for streaming remote read response types before marshalling. Note that client might have limit on frame size as well. 1MB as recommended by protobuf by default.',
  ),
  text('rules.alert.for-outage-tolerance', '1h', 'Max time to tolerate outage for restoring "for" state of alert.'),
  text('rules.alert.for-grace-period', '10m', 'Minimum duration between alert and restored "for" state.'),
  text('dispatch.start-delay', '0s', 'How long after the start notifications are held back.'),
  text('cluster.peer-timeout', '15s', 'How long each hub of a cluster waits for the one before it to notify.'),
  text('rules.alert.resend-delay', '1m', 'Minimum amount of time to wait before resending an alert.'),
  text(
    'query.lookback-delta',
    '5m',
    'The maximum lookback duration for retrieving metrics during expression evaluations and federation.',
  ),
  text('query.timeout', '2m', 'Maximum time a query may take before being aborted.'),
  text('query.max-concurrency', '20', 'Maximum number of queries executed concurrently.'),
  text('query.max-samples', '50000000', 'Maximum number of samples a single query can load into memory.'),
  text('query.max-series', '5000000', 'Maximum number of series a single query can select.'),
  text('query.threads', '0', 'Query worker threads; 0 = one per core.'),
  {
    name: 'enable-feature',
    kind: 'list',
    default: '',
    help: 'Comma separated feature names to enable, as of Prometheus 3.14; a warning names those without effect here.',
  },
  text('log.level', 'info', 'Only log messages with the given severity or above. One of: [debug, info, warn, error]'),
  text('log.format', 'logfmt', 'Output format of log messages. One of: [logfmt, json]'),
]

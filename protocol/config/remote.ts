/** `remote_write`, `remote_read`, `alerting`, `tracing`, `otlp`, `storage`. Semantics: Prometheus config/config.go. */

import { parseDuration } from '../durations/mod.ts'
import type { OtlpSettings } from '../otlp/mod.ts'
import type { RelabelConfig } from '../relabel/mod.ts'
import { azureAd, googleIam, sigv4 } from './cloud-auth.ts'
import {
  boolean,
  type Cursor,
  type Decoder,
  integer,
  list,
  natural,
  number,
  object,
  oneOf,
  parsed,
  type Raw,
  record,
  string,
} from './decode.ts'
import { type DiscoveryConfig, duration } from './discovery.ts'
import { collectDiscovery, DISCOVERY_FIELDS } from './discovery-sections.ts'
import { finishHttp, HTTP_FIELDS, type HttpClientConfig, httpUrl, tlsConfig } from './http-client.ts'
import { finishRelabel, relabelRules } from './relabel.ts'
import { parseBytes } from './units.ts'

const RESERVED_HEADERS = new Set([
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
])
const headers = (authorization: string): Decoder<Readonly<Record<string, string>>> =>
  record(string, (name, at) => {
    const lower = name.toLowerCase()
    if (lower === 'authorization') at.fail(authorization)
    if (RESERVED_HEADERS.has(lower)) at.fail(`${name} is a reserved header. It must not be changed`)
  })

const MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const
/** Of remote write 1.0 and 2.0. */
export type RemoteWriteMessage = (typeof MESSAGES)[number]
const protobufMessage: Decoder<RemoteWriteMessage> = (at) => {
  const name = string(at)
  const known = MESSAGES.find((message) => message === name)
  if (known) return known
  return at.fail(
    `invalid protobuf_message value: unknown type for remote write protobuf message ${name}, supported: ${MESSAGES.join(', ')}`,
  )
}

/** How samples wait and are sent. Limits are of each shard. */
export type RemoteWriteQueue = {
  /** Samples that may wait. */
  readonly capacity: number
  readonly maxShards: number
  readonly minShards: number
  readonly maxSamplesPerSend: number
  readonly batchSendDeadlineMs: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  readonly retryOn429: boolean
  /** 0: of any age. */
  readonly sampleAgeLimitMs: number
}

/** Of families, in messages of version 1.0. */
export type RemoteWriteMetadata = {
  readonly send: boolean
  readonly sendIntervalMs: number
  readonly maxSamplesPerSend: number
}

/** Differs from upstream's DefaultQueueConfig in `retryOn429`: who asks for patience is sent the samples later. */
const DEFAULT_QUEUE: RemoteWriteQueue = {
  capacity: 10_000,
  maxShards: 50,
  minShards: 1,
  maxSamplesPerSend: 2000,
  batchSendDeadlineMs: 5000,
  minBackoffMs: 30,
  maxBackoffMs: 5000,
  retryOn429: true,
  sampleAgeLimitMs: 0,
}
const DEFAULT_METADATA: RemoteWriteMetadata = { send: true, sendIntervalMs: 60_000, maxSamplesPerSend: 2000 }

const queueConfig = object(
  'config.QueueConfig',
  {
    capacity: integer,
    max_shards: integer,
    min_shards: integer,
    max_samples_per_send: integer,
    batch_send_deadline: duration,
    min_backoff: duration,
    max_backoff: duration,
    retry_on_http_429: boolean,
    sample_age_limit: duration,
  },
  (raw, at) => {
    const positive = (key: 'capacity' | 'max_shards' | 'min_shards' | 'max_samples_per_send'): void => {
      if (raw[key] !== undefined && raw[key] <= 0) at.fail(`remote write queue ${key} must be positive`)
    }
    for (const key of ['max_samples_per_send', 'max_shards', 'min_shards', 'capacity'] as const) positive(key)
    if ((raw.min_shards ?? 1) > (raw.max_shards ?? 50))
      at.fail('remote write queue min_shards must not be greater than max_shards')
    if ((raw.max_backoff ?? 5000) < (raw.min_backoff ?? 30))
      at.fail('remote write queue max_backoff must not be less than min_backoff')
    return {
      capacity: raw.capacity ?? DEFAULT_QUEUE.capacity,
      maxShards: raw.max_shards ?? DEFAULT_QUEUE.maxShards,
      minShards: raw.min_shards ?? DEFAULT_QUEUE.minShards,
      maxSamplesPerSend: raw.max_samples_per_send ?? DEFAULT_QUEUE.maxSamplesPerSend,
      batchSendDeadlineMs: raw.batch_send_deadline ?? DEFAULT_QUEUE.batchSendDeadlineMs,
      minBackoffMs: raw.min_backoff ?? DEFAULT_QUEUE.minBackoffMs,
      maxBackoffMs: raw.max_backoff ?? DEFAULT_QUEUE.maxBackoffMs,
      retryOn429: raw.retry_on_http_429 ?? DEFAULT_QUEUE.retryOn429,
      sampleAgeLimitMs: raw.sample_age_limit ?? DEFAULT_QUEUE.sampleAgeLimitMs,
    }
  },
)

const metadataConfig = object(
  'config.MetadataConfig',
  { send: boolean, send_interval: duration, max_samples_per_send: integer },
  (raw) => ({
    send: raw.send ?? DEFAULT_METADATA.send,
    sendIntervalMs: raw.send_interval ?? DEFAULT_METADATA.sendIntervalMs,
    maxSamplesPerSend: raw.max_samples_per_send ?? DEFAULT_METADATA.maxSamplesPerSend,
  }),
)

export type RemoteWriteConfig = {
  readonly url: string
  readonly name: string
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly relabel: readonly RelabelConfig[]
  readonly http: HttpClientConfig
  readonly message: RemoteWriteMessage
  readonly sendExemplars: boolean
  readonly sendNativeHistograms: boolean
  readonly roundRobinDns: boolean
  readonly queue: RemoteWriteQueue
  readonly metadata: RemoteWriteMetadata
  /** Ways to authenticate that are set and that nothing here can act upon. */
  readonly unsupportedAuth: readonly string[]
}

export const remoteWrite: Decoder<RemoteWriteConfig> = object(
  'config.plain',
  {
    ...HTTP_FIELDS,
    url: httpUrl,
    name: string,
    remote_timeout: duration,
    headers: headers(
      'authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter',
    ),
    write_relabel_configs: relabelRules('empty or null relabeling rule in remote write config'),
    send_exemplars: boolean,
    send_native_histograms: boolean,
    round_robin_dns: boolean,
    protobuf_message: protobufMessage,
    queue_config: queueConfig,
    metadata_config: metadataConfig,
    sigv4,
    azuread: azureAd,
    google_iam: googleIam,
  },
  (raw, at) => {
    if (!raw.url) at.fail('url for remote_write is empty')
    const http = finishHttp(raw as Raw<typeof HTTP_FIELDS>, at)
    const methods = [raw.basic_auth, raw.authorization, raw.oauth2, raw.sigv4, raw.azuread, raw.google_iam].filter(
      Boolean,
    )
    if (methods.length > 1)
      at.fail('at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured')
    return {
      url: raw.url ?? '',
      name: raw.name ?? '',
      timeoutMs: raw.remote_timeout ?? 30_000,
      headers: raw.headers ?? {},
      relabel: finishRelabel(raw.write_relabel_configs, 'utf8'),
      http,
      message: raw.protobuf_message ?? MESSAGES[0],
      sendExemplars: raw.send_exemplars ?? false,
      sendNativeHistograms: raw.send_native_histograms ?? false,
      roundRobinDns: raw.round_robin_dns ?? false,
      queue: raw.queue_config ?? DEFAULT_QUEUE,
      metadata: raw.metadata_config ?? DEFAULT_METADATA,
      unsupportedAuth: (['sigv4', 'azuread', 'google_iam'] as const).filter((key) => raw[key] !== undefined),
    }
  },
)

export const remoteRead = object(
  'config.plain',
  {
    ...HTTP_FIELDS,
    url: httpUrl,
    name: string,
    remote_timeout: duration,
    chunked_read_limit: natural,
    headers: headers('authorization header must be changed via the basic_auth, authorization, or oauth2 parameter'),
    read_recent: boolean,
    required_matchers: record(string),
    filter_external_labels: boolean,
  },
  (raw, at) => {
    if (!raw.url) at.fail('url for remote_read is empty')
    finishHttp(raw as Raw<typeof HTTP_FIELDS>, at)
    return { url: raw.url ?? '', name: raw.name ?? '' }
  },
)

export type AlertmanagerTarget = {
  readonly scheme: string
  readonly pathPrefix: string
  readonly timeoutMs: number
  readonly discovery: readonly DiscoveryConfig[]
  readonly http: HttpClientConfig
  readonly relabel: readonly RelabelConfig[]
  /** Of the alerts that this one gets, after those of `alerting`. */
  readonly alertRelabel: readonly RelabelConfig[]
}

function alertmanagerHttp(raw: Raw<typeof HTTP_FIELDS> & { sigv4?: unknown }, at: Cursor): HttpClientConfig {
  const http = finishHttp(raw, at)
  if (raw.sigv4 && (http.basicAuth || http.authorization || http.oauth2))
    at.fail('at most one of basic_auth, authorization, oauth2, & sigv4 must be configured')
  return http
}

const alertmanager: Decoder<AlertmanagerTarget> = object(
  'config.AlertmanagerConfig',
  {
    ...HTTP_FIELDS,
    ...DISCOVERY_FIELDS,
    scheme: string,
    path_prefix: string,
    timeout: duration,
    api_version: oneOf(['v2'], (value) => `expected Alertmanager api version to be one of [v2] but got ${value}`),
    relabel_configs: relabelRules('empty or null Alertmanager target relabeling rule'),
    alert_relabel_configs: relabelRules('empty or null Alertmanager alert relabeling rule'),
    sigv4,
  },
  (raw, at) => ({
    scheme: (raw as { scheme?: string }).scheme ?? 'http',
    pathPrefix: (raw as { path_prefix?: string }).path_prefix ?? '/',
    timeoutMs: (raw as { timeout?: number }).timeout ?? 10_000,
    discovery: collectDiscovery(raw),
    http: alertmanagerHttp(raw as Raw<typeof HTTP_FIELDS> & { sigv4?: unknown }, at),
    relabel: finishRelabel(
      (raw as { relabel_configs?: ReturnType<ReturnType<typeof relabelRules>> }).relabel_configs,
      'utf8',
    ),
    alertRelabel: finishRelabel(
      (raw as { alert_relabel_configs?: ReturnType<ReturnType<typeof relabelRules>> }).alert_relabel_configs,
      'utf8',
    ),
  }),
)

export type AlertingConfig = {
  readonly relabel: readonly RelabelConfig[]
  readonly alertmanagers: readonly AlertmanagerTarget[]
}
export const alerting: Decoder<AlertingConfig> = object(
  'config.plain',
  { alert_relabel_configs: relabelRules('empty or null alert relabeling rule'), alertmanagers: list(alertmanager) },
  (raw) => ({ relabel: finishRelabel(raw.alert_relabel_configs, 'utf8'), alertmanagers: raw.alertmanagers ?? [] }),
)

export const tracing = object(
  'config.plain',
  {
    client_type: oneOf(
      ['http', 'grpc'],
      (value) => `expected tracing client type to be to be http or grpc, but got ${value}`,
    ),
    endpoint: string,
    sampling_fraction: number,
    insecure: boolean,
    tls_config: tlsConfig,
    headers: headers('authorization header configuration is not yet supported'),
    compression: oneOf(['', 'gzip'], (value) => `invalid compression type ${value} provided, valid options: gzip`),
    timeout: duration,
  },
  (raw, at) => {
    if (!raw.endpoint) at.fail('tracing endpoint must be set')
    return raw
  },
)

const STRATEGIES = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const
/** Those that keep names which were none before UTF-8 names. */
export const UTF8_STRATEGIES: readonly string[] = ['NoUTF8EscapingWithSuffixes', 'NoTranslation']
export const otlp = object(
  'config.plain',
  {
    promote_all_resource_attributes: boolean,
    promote_resource_attributes: list(string),
    ignore_resource_attributes: list(string),
    translation_strategy: oneOf(
      // The empty text is the default, as if it were not there.
      [...STRATEGIES, ''] as const,
      (value) => `unsupported OTLP translation strategy ${JSON.stringify(value)}`,
    ),
    keep_identifying_resource_attributes: boolean,
    convert_histograms_to_nhcb: boolean,
    promote_scope_metadata: boolean,
    label_name_underscore_sanitization: boolean,
    label_name_preserve_multiple_underscores: boolean,
  },
  (raw, at) => {
    const promoted = raw.promote_resource_attributes ?? []
    const ignored = raw.ignore_resource_attributes ?? []
    if (raw.promote_all_resource_attributes && promoted.length > 0) {
      at.fail(`'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously`)
    }
    if (!raw.promote_all_resource_attributes && ignored.length > 0) {
      at.fail(`'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true`)
    }
    for (const [key, names] of [
      ['promote', promoted],
      ['ignore', ignored],
    ] as const) {
      const trimmed = names.map((name) => name.trim())
      const problems = trimmed.flatMap((name, i) => {
        if (name === '') return [`empty ${key}d OTel resource attribute`]
        const isTwice = trimmed.indexOf(name) < i
        return isTwice ? [`duplicated ${key}d OTel resource attribute ${JSON.stringify(name)}`] : []
      })
      if (problems.length > 0) at.fail(`invalid '${key}_resource_attributes': ${problems.join('\n')}`)
    }
    const set = {
      translationStrategy: raw.translation_strategy || undefined,
      promoteResourceAttributes: promoted.map((name) => name.trim()),
      promoteAllResourceAttributes: raw.promote_all_resource_attributes,
      ignoreResourceAttributes: ignored.map((name) => name.trim()),
      promoteScopeMetadata: raw.promote_scope_metadata,
      keepIdentifyingResourceAttributes: raw.keep_identifying_resource_attributes,
      convertHistogramsToNhcb: raw.convert_histograms_to_nhcb,
      sanitizeUnderscore: raw.label_name_underscore_sanitization,
      keepUnderscores: raw.label_name_preserve_multiple_underscores,
    }
    return Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)) as Partial<OtlpSettings>
  },
)

export type StorageConfig = {
  /** null: not set, which upstream takes for 0. */
  readonly outOfOrderTimeWindowMs: number | null
  readonly retentionTimeMs: number | null
  readonly retentionSizeBytes: number | null
}

const retention = object(
  'config.TSDBRetentionConfig',
  {
    time: parsed(parseDuration),
    size: (at: Cursor) => {
      const bytes = parsed(parseBytes)(at)
      return bytes < 0
        ? at.fail(`'storage.tsdb.retention.size' must be greater than or equal to 0, got ${string(at)}`)
        : bytes
    },
    percentage: (at: Cursor) => {
      const share = number(at)
      return share < 0 || share > 100
        ? at.fail(`'storage.tsdb.retention.percentage' must be in the range [0, 100], got ${share}`)
        : share
    },
  },
  (raw) => raw,
)

const chunkEncoding = object(
  'config.TSDBChunkEncodingConfig',
  {
    floats: oneOf(
      ['xor', 'xor2'],
      (value) =>
        `'storage.tsdb.chunk_encoding.floats' must be 'xor' or 'xor2', or the field must be omitted entirely, got ${JSON.stringify(value)}`,
    ),
  },
  (raw) => raw,
)

export const storage: Decoder<StorageConfig> = object(
  'config.StorageConfig',
  {
    tsdb: object(
      'config.plain',
      {
        out_of_order_time_window: duration,
        stale_series_compaction_threshold: number,
        retention,
        chunk_encoding: chunkEncoding,
      },
      (raw) => raw,
    ),
    exemplars: object('config.ExemplarsConfig', { max_exemplars: integer }, (raw) => raw),
  },
  (raw) => ({
    outOfOrderTimeWindowMs: raw.tsdb?.out_of_order_time_window ?? null,
    retentionTimeMs: raw.tsdb?.retention?.time ?? null,
    retentionSizeBytes: raw.tsdb?.retention?.size ?? null,
  }),
)

/** What is ours in `prometheus.yml`: everything under the key `heliograph:`. */
import {
  boolean,
  type Decoder,
  list,
  natural,
  object,
  type Place,
  type Secret,
  Secret as SecretValue,
  secret,
  string,
} from './decode.ts'
import { duration } from './discovery.ts'
import { type TlsConfig, tlsConfig } from './http-client.ts'

export type NatsConfig = {
  readonly url: string
  readonly user: string
  readonly password: Secret
  readonly token: Secret
  /** Path of a file with an nkey seed (`SU…`) or of a `.creds` file. */
  readonly nkeyFile: string
  readonly credsFile: string
  readonly tls: TlsConfig | null
}

export const nats: Decoder<NatsConfig> = object(
  'heliograph.NatsConfig',
  {
    url: string,
    user: string,
    password: secret,
    token: secret,
    nkey_file: string,
    creds_file: string,
    tls_config: tlsConfig,
  },
  (raw, at) => {
    const url = raw.url ?? ''
    if (!/^(?:nats|tls|ws|wss):\/\/[^/]/.test(url)) {
      at.fail(`nats url must be nats://, tls://, ws:// or wss:// followed by host and port, got ${JSON.stringify(url)}`)
    }
    return {
      url,
      user: raw.user ?? '',
      password: raw.password ?? new SecretValue(''),
      token: raw.token ?? new SecretValue(''),
      nkeyFile: raw.nkey_file ?? '',
      credsFile: raw.creds_file ?? '',
      tls: raw.tls_config ?? null,
    }
  },
)

/** Downsampled windows of `resolutionMs` are made, and kept for so long. */
export type DownsamplingLevel = { readonly resolutionMs: number; readonly keepMs: number }

const downsamplingLevel: Decoder<DownsamplingLevel> = object(
  'heliograph.DownsamplingLevel',
  { resolution: duration, keep: duration },
  (raw, at) => {
    if (!raw.resolution) return at.fail('a downsampling level needs resolution, a duration such as 5m or 1h')
    if (!raw.keep) return at.fail('a downsampling level needs keep, a duration such as 1y')
    return { resolutionMs: raw.resolution, keepMs: raw.keep }
  },
)

const downsamplingLevels: Decoder<readonly DownsamplingLevel[]> = (at) => {
  const levels = list(downsamplingLevel)(at)
  levels.forEach(({ resolutionMs }, i) => {
    const last = levels[i - 1]
    if (last && (resolutionMs <= last.resolutionMs || resolutionMs % last.resolutionMs !== 0))
      at.fail('each level of downsampling must have a multiple of the resolution of the one before')
  })
  return levels
}

/** Series that the selector matches are kept for so long; of several rules, the first that matches has the say. */
export type RetentionRule = {
  /** A selector such as `{job="x"}`; whoever can parse it checks it, and complains about `place`. */
  readonly match: string
  readonly timeMs: number
  /** Levels of the hub's own downsampling; windows of others are kept as long as samples. */
  readonly downsampling: readonly DownsamplingLevel[]
  readonly place: Place
}

const retentionRule: Decoder<RetentionRule> = object(
  'heliograph.RetentionRule',
  { match: string, time: duration, downsampling: downsamplingLevels },
  (raw, at) => {
    if (!raw.match) return at.fail('a retention rule needs match, a selector such as {job="x"}')
    if (!raw.time) return at.fail('a retention rule needs time, a duration such as 30d')
    return { match: raw.match, timeMs: raw.time, downsampling: raw.downsampling ?? [], place: at.place() }
  },
)

export type HubConfig = {
  /** Name of this hub in acknowledgements and status. */
  readonly id: string
  /** null: no TCP listener for the embedded bus; WebSocket at `/nats` is always there. */
  readonly busListen: string | null
  /** With a real NATS; null = the embedded bus. */
  readonly nats: NatsConfig | null
  /** Of no effect without `nats`. */
  readonly cluster: {
    /** Of this hub among the members; '' = its host's. */
    readonly name: string
    /** Silences and the notification log are shared: of all hubs one notifies. */
    readonly alerts: boolean
  }
  readonly identityLabels: readonly string[]
  readonly enrollmentTokenFile: string | null
  readonly enrollmentTokenTtlMs: number
  readonly maxSeriesPerAgent: number
  readonly maxSeries: number
  readonly maxSeriesPerJob: number
  readonly maxLabelsPerSeries: number
  readonly maxLabelNameLength: number
  readonly maxLabelValueLength: number
  readonly retention: readonly RetentionRule[]
  /** Finest first; empty: there is no downsampling. */
  readonly downsampling: readonly DownsamplingLevel[]
}

const IDENTITY = ['agent', 'site', 'tenant']

export const HUB_DEFAULTS: HubConfig = {
  id: 'hub',
  busListen: null,
  nats: null,
  cluster: { name: '', alerts: true },
  identityLabels: ['agent'],
  enrollmentTokenFile: null,
  enrollmentTokenTtlMs: 3600_000,
  maxSeriesPerAgent: 0,
  maxSeries: 0,
  maxSeriesPerJob: 0,
  maxLabelsPerSeries: 0,
  maxLabelNameLength: 0,
  maxLabelValueLength: 0,
  retention: [],
  downsampling: [],
}

export const heliograph: Decoder<HubConfig> = object(
  'heliograph.Config',
  {
    id: string,
    bus: object('heliograph.BusConfig', { listen: string }, (raw) => raw),
    nats,
    cluster: object('heliograph.ClusterConfig', { name: string, alerts: boolean }, (raw) => raw),
    identity_labels: list(string),
    enrollment: object('heliograph.EnrollmentConfig', { token_file: string, token_ttl: duration }, (raw) => raw),
    retention: list(retentionRule),
    downsampling: downsamplingLevels,
    limits: object(
      'heliograph.LimitsConfig',
      {
        max_series: natural,
        max_series_per_agent: natural,
        max_series_per_job: natural,
        max_labels_per_series: natural,
        max_label_name_length: natural,
        max_label_value_length: natural,
      },
      (raw) => raw,
    ),
  },
  (raw, at) => {
    for (const label of raw.identity_labels ?? []) {
      if (!IDENTITY.includes(label))
        at.fail(`identity_labels may hold ${IDENTITY.join(', ')}, got ${JSON.stringify(label)}`)
    }
    if (raw.id !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(raw.id))
      at.fail(`id must be 1 to 64 of A-Z a-z 0-9 _ -, got ${JSON.stringify(raw.id)}`)
    const name = raw.cluster?.name ?? ''
    if (name !== '' && !/^[A-Za-z0-9._-]{1,64}$/.test(name))
      at.fail(`cluster name must be 1 to 64 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(name)}`)
    const levels = raw.downsampling ?? []
    for (const rule of raw.retention ?? [])
      for (const { resolutionMs } of rule.downsampling)
        if (!levels.some((level) => level.resolutionMs === resolutionMs))
          at.fail(`retention of ${JSON.stringify(rule.match)} names a resolution that downsampling does not have`)
    const listen = raw.bus?.listen
    if (listen && !isAddress(listen)) at.fail(`bus listen must be HOST:PORT, got ${JSON.stringify(listen)}`)
    return {
      id: raw.id ?? HUB_DEFAULTS.id,
      busListen: listen || null,
      nats: raw.nats ?? null,
      cluster: { name, alerts: raw.cluster?.alerts ?? HUB_DEFAULTS.cluster.alerts },
      identityLabels: raw.identity_labels ?? HUB_DEFAULTS.identityLabels,
      enrollmentTokenFile: raw.enrollment?.token_file || null,
      enrollmentTokenTtlMs: raw.enrollment?.token_ttl ?? HUB_DEFAULTS.enrollmentTokenTtlMs,
      maxSeriesPerAgent: raw.limits?.max_series_per_agent ?? 0,
      maxSeries: raw.limits?.max_series ?? 0,
      maxSeriesPerJob: raw.limits?.max_series_per_job ?? 0,
      maxLabelsPerSeries: raw.limits?.max_labels_per_series ?? 0,
      maxLabelNameLength: raw.limits?.max_label_name_length ?? 0,
      maxLabelValueLength: raw.limits?.max_label_value_length ?? 0,
      retention: raw.retention ?? [],
      downsampling: raw.downsampling ?? [],
    }
  },
)

export function isAddress(text: string): boolean {
  const match = /^(.*):(\d{1,5})$/.exec(text)
  return match !== null && Number(match[2]) <= 65535
}

/** `host:port`; an empty host is every interface, as Go listens. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':')
  const host = text.slice(0, at).replace(/^\[|\]$/g, '')
  return { host: host === '' ? '0.0.0.0' : host, port: Number(text.slice(at + 1)) }
}

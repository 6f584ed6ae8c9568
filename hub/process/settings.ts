/** Flags made into values, checked before anything starts. */
import { type ParsedFlags, UsageError } from '../../agent/cli/mod.ts'
import { isAddress, parseBytes } from '../../protocol/config/mod.ts'
import { parseDuration } from '../../protocol/durations/mod.ts'
import type { LogLevel } from '../../protocol/env/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { isActedUpon } from '../query/mod.ts'
import { HUB_FLAGS } from './flags.ts'
import { flagsWithoutEffect } from './upstream-flags.ts'

const AUTO_RELOAD = 'auto-reload-config'

export type HubSettings = {
  readonly configFile: string
  /** How often changed files are looked for; 0 = never. */
  readonly autoReloadMs: number
  readonly alertmanagerFile: string
  /** Alerts that wait for one Alertmanager, at most. */
  readonly notificationQueueCapacity: number
  /** Alerts in one request to it. */
  readonly notificationBatchSize: number
  readonly listen: string
  /** '' = made from the listen address. */
  readonly externalUrl: string
  /** '' or `/prefix`. */
  readonly routePrefix: string
  /** '' = neither TLS nor passwords. */
  readonly webConfigFile: string
  /** Of others whose pages may read answers, a regular expression; '' = none. */
  readonly corsOrigin: string
  readonly maxConnections: number
  readonly maxNotificationSubscribers: number
  readonly lifecycleEnabled: boolean
  readonly adminEnabled: boolean
  readonly otlpEnabled: boolean
  readonly remoteWriteEnabled: boolean
  readonly dataPath: string
  readonly blockMs: number
  readonly walSegmentBytes: number
  /** Of the head's memory. */
  readonly headMaxBytes: number
  readonly retentionTimeMs: number | null
  readonly retentionSizeBytes: number | null
  readonly outageToleranceMs: number
  readonly forGracePeriodMs: number
  readonly resendDelayMs: number
  readonly dispatchStartDelayMs: number
  /** How long each member of a cluster waits for the one before it. */
  readonly peerTimeoutMs: number
  readonly lookbackMs: number
  readonly queryTimeoutMs: number
  readonly maxConcurrency: number
  readonly maxSamples: number
  readonly maxSeries: number
  readonly queryThreads: number
  readonly features: readonly string[]
  /** Given flags and features that change nothing here, as they were given, for a warning. */
  readonly withoutEffect: readonly string[]
  readonly logLevel: LogLevel
  readonly logFormat: 'logfmt' | 'json'
  readonly all: Readonly<Record<string, string>>
}

/** @throws UsageError naming the flag */
export function hubSettings(flags: ParsedFlags): HubSettings {
  const { values } = flags
  const get = (name: string): string => values.get(name)![0] ?? ''
  const checked = <T>(name: string, parse: (text: string) => T): T => {
    try {
      return parse(get(name))
    } catch (error) {
      throw new UsageError(`--${name}: ${(error as Error).message}`)
    }
  }
  const optional = <T>(name: string, parse: (text: string) => T): T | null =>
    get(name) === '' || get(name) === '0' ? null : checked(name, parse)
  const count = (name: string): number =>
    checked(name, (text) => {
      // As upstream, whose own default is 5e7.
      if (!/^\d+(?:e\d)?$/.test(text)) throw new Error(`must be a whole number, got "${text}"`)
      return Number(text)
    })
  const choice = <T extends string>(name: string, allowed: readonly T[]): T =>
    checked(name, (text) => {
      if (!(allowed as readonly string[]).includes(text))
        throw new Error(`must be one of ${allowed.join(', ')}, got "${text}"`)
      return text as T
    })
  const listen = checked('web.listen-address', (text) => {
    if (!isAddress(text)) throw new Error(`must be HOST:PORT, got "${text}"`)
    return text
  })
  const externalUrl = checked('web.external-url', (text) => {
    if (text !== '' && !/^https?:\/\/[^/]+/.test(text)) throw new Error(`must be an http or https URL, got "${text}"`)
    return text.replace(/\/+$/, '')
  })
  const prefix = get('web.route-prefix') || (externalUrl === '' ? '' : new URL(externalUrl).pathname)
  const features = values.get('enable-feature')!.filter((name) => name !== '')
  // As upstream.
  if (features.includes('otlp-deltatocumulative') && features.includes('otlp-native-delta-ingestion'))
    throw new UsageError(
      '--enable-feature: cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time',
    )
  for (const name of ['read-sample-limit', 'read-concurrent-limit', 'read-max-bytes-in-frame'])
    count(`storage.remote.${name}`)
  count('web.search.max-limit')
  return {
    configFile: get('config.file'),
    autoReloadMs: features.includes(AUTO_RELOAD)
      ? Math.max(1000, checked('config.auto-reload-interval', parseDuration))
      : 0,
    alertmanagerFile: get('alertmanager.config.file'),
    notificationQueueCapacity: Math.max(1, count('alertmanager.notification-queue-capacity')),
    notificationBatchSize: Math.max(1, count('alertmanager.notification-batch-size')),
    listen,
    externalUrl,
    routePrefix: prefix === '/' ? '' : `/${prefix.replace(/^\/+|\/+$/g, '')}`.replace(/^\/$/, ''),
    webConfigFile: get('web.config.file'),
    corsOrigin: checked('web.cors.origin', (text) => {
      if (text !== '') compileRegex(text)
      return text
    }),
    maxConnections: count('web.max-connections'),
    maxNotificationSubscribers: count('web.max-notifications-subscribers'),
    adminEnabled: get('web.enable-admin-api') === 'true',
    lifecycleEnabled: get('web.enable-lifecycle') === 'true',
    otlpEnabled: get('web.enable-otlp-receiver') === 'true',
    remoteWriteEnabled: get('web.enable-remote-write-receiver') === 'true',
    dataPath: get('storage.tsdb.path').replace(/\/+$/, '') || '/',
    retentionTimeMs: optional('storage.tsdb.retention.time', parseDuration),
    retentionSizeBytes: optional('storage.tsdb.retention.size', parseBytes),
    headMaxBytes: checked('storage.tsdb.head-max-size', headBytes),
    walSegmentBytes: Math.max(1 << 16, checked('storage.tsdb.wal-segment-size', parseBytes)),
    blockMs: Math.max(1000, checked('storage.tsdb.min-block-duration', parseDuration)),
    outageToleranceMs: checked('rules.alert.for-outage-tolerance', parseDuration),
    forGracePeriodMs: checked('rules.alert.for-grace-period', parseDuration),
    dispatchStartDelayMs: checked('dispatch.start-delay', parseDuration),
    peerTimeoutMs: checked('cluster.peer-timeout', parseDuration),
    resendDelayMs: checked('rules.alert.resend-delay', parseDuration),
    lookbackMs: checked('query.lookback-delta', parseDuration),
    queryTimeoutMs: checked('query.timeout', parseDuration),
    maxConcurrency: Math.max(1, count('query.max-concurrency')),
    maxSamples: count('query.max-samples'),
    maxSeries: count('query.max-series'),
    queryThreads: count('query.threads'),
    features,
    withoutEffect: [
      ...flagsWithoutEffect(flags).map((name) => `--${name}`),
      ...features
        .filter((name) => name !== AUTO_RELOAD && !isActedUpon(name))
        .map((name) => `--enable-feature=${name}`),
    ],
    logLevel: choice('log.level', ['debug', 'info', 'warn', 'error']),
    logFormat: choice('log.format', ['logfmt', 'json']),
    all: Object.fromEntries(HUB_FLAGS.map(({ name }) => [name, (values.get(name) ?? []).join(',')])),
  }
}

/** Less would not hold the head of an idle hub; more has no addresses. */
function headBytes(text: string): number {
  const bytes = parseBytes(text)
  if (bytes < 2 ** 21 || bytes > 16 * 2 ** 30) throw new Error(`must be from 2MB to 16GB, got "${text}"`)
  return bytes
}

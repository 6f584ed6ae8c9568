/**
 * What a discovery finds: groups of targets that share labels. A group replaces the group of the same source; one
 * without targets takes it away. Semantics: Prometheus discovery/targetgroup (v3.14).
 */
import type { OtherDiscovery } from '../../protocol/config/mod.ts'
import type { Clock, Disk, Logger, Net } from '../../protocol/env/mod.ts'
import type { Summary } from '../../protocol/exposition/mod.ts'

export type TargetLabels = Readonly<Record<string, string>>

export type TargetGroup = {
  /** Unique within one discovery: the file, the service, the pod. */
  readonly source: string
  /** Labels of each target, `__address__` among them. */
  readonly targets: readonly TargetLabels[]
  readonly labels: TargetLabels
}

export type DiscoveryCounters = {
  refreshes: number
  failures: number
  /** Of refreshes at an interval, in seconds; those of one kind of discovery share it. */
  readonly durations: Summary
}

/** All that a discovery may use. */
export type DiscoveryContext = {
  readonly clock: Clock
  readonly net: Net
  readonly disk: Disk
  readonly log: Logger
  /** For instance `Heliograph/1.0`. */
  readonly userAgent: string
  /** Variables of the process: where a pod finds its API server. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Relative paths of the configuration stand under it. */
  readonly directory: string
  readonly signal: AbortSignal
  readonly counters: DiscoveryCounters
  readonly emit: (groups: readonly TargetGroup[]) => void
}

/** Runs until the signal is aborted; what it throws ends it for good, so failures of a moment stay inside. */
export type Discoverer = (section: OtherDiscovery, context: DiscoveryContext) => Promise<void>

/** One answer each time; throws when there is none, and the groups found before stay. */
export type Refresh = () => Promise<readonly TargetGroup[]>

/**
 * Asks at once and then every `refreshIntervalMs`; sources that an answer no longer names are taken away.
 * Semantics: Prometheus discovery/refresh/refresh.go.
 */
export async function refreshLoop(intervalMs: number, context: DiscoveryContext, refresh: Refresh): Promise<void> {
  const { clock, signal } = context
  let known: readonly string[] = []
  let lastError = ''
  while (!signal.aborted) {
    const startMs = clock.monotonic()
    context.counters.refreshes++
    try {
      const groups = await refresh()
      if (signal.aborted) return
      const sources = groups.map(({ source }) => source)
      const present = new Set(sources)
      const gone = known.filter((source) => !present.has(source))
      context.emit([...groups, ...gone.map((source) => ({ source, targets: [], labels: {} }))])
      known = sources
      lastError = ''
    } catch (error) {
      if (signal.aborted) return
      context.counters.failures++
      // One line an outage, not one an attempt.
      if ((error as Error).message !== lastError) context.log.error('Unable to refresh target groups', { err: error })
      lastError = (error as Error).message
    }
    context.counters.durations.observe((clock.monotonic() - startMs) / 1000)
    await pause(clock, intervalMs, signal)
  }
}

/** Sleeps; an abort ends the sleep instead of throwing. */
export async function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await clock.sleep(delayMs, signal).catch(() => {})
}

/** Semantics: Go net.JoinHostPort. */
export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Semantics: Prometheus util/strutil SanitizeLabelName. */
export function sanitizeLabelName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_]/g, '_')
}

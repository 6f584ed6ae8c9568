/**
 * From alerts to notifications: routes, groups with their waits, sends with retry, and a log of what was sent that
 * survives a restart. Delivery is at least once: a notification is repeated when the log could not be written.
 * Semantics: Alertmanager dispatch/dispatch.go, notify/notify.go (DedupStage, RetryStage).
 */
import type { Clock, Disk, Logger, Net, Timer } from '../../protocol/env/mod.ts'
import { formatLabels, type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import type { AlertmanagerConfig, Receiver, Route } from './config/mod.ts'
import { matchRoutes } from './route.ts'
import {
  type Alert,
  fingerprint,
  groupLabelsOf,
  isResolved,
  type NotificationReason,
  sendWebhook,
  type WebhookConfig,
  webhookBody,
  webhooksOf,
} from './webhook.ts'

export type DispatcherEnv = {
  readonly clock: Clock
  readonly disk: Disk
  readonly net: Net
  readonly log: Logger
  readonly externalUrl: string /** Where the notification log is kept. */
  readonly logFile: string
}

export type DispatcherCounters = {
  received: number
  notifications: number
  failed: number
  retries: number
  logFailures: number
  dropped: number
}

type Group = {
  readonly key: string
  readonly route: Route
  readonly labels: Labels
  readonly alerts: Map<string, Alert>
  timer: Timer | null
  flushed: boolean
  busy: boolean
}

/** What was last told to one receiver of one group. */
type Sent = {
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
  readonly atMs: number
  readonly expiresAtMs: number
}

const MAX_ALERTS = 100_000
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 60_000
const LOG_RETENTION_MS = 120 * 3600_000

export class Dispatcher {
  readonly counters: DispatcherCounters = {
    received: 0,
    notifications: 0,
    failed: 0,
    retries: 0,
    logFailures: 0,
    dropped: 0,
  }
  readonly #env: DispatcherEnv
  readonly #groups = new Map<string, Group>()
  readonly #sent = new Map<string, Sent>()
  #config: AlertmanagerConfig
  #stop = new AbortController()

  constructor(config: AlertmanagerConfig, env: DispatcherEnv) {
    this.#config = config
    this.#env = env
    this.#loadLog()
  }

  get alertCount(): number {
    let count = 0
    for (const group of this.#groups.values()) count += group.alerts.size
    return count
  }

  /** Alerts from rules; the same alert again updates it, one with its end in the past resolves it. */
  receive(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      this.counters.received++
      for (const route of matchRoutes(this.#config.route, alert.labels)) this.#insert(route, alert)
    }
  }

  /** A new configuration: open alerts are routed anew; what was sent stays known. */
  reload(config: AlertmanagerConfig): void {
    const alerts = new Map<string, Alert>()
    for (const group of this.#groups.values()) {
      group.timer?.cancel()
      for (const [key, alert] of group.alerts) alerts.set(key, alert)
    }
    this.#groups.clear()
    this.#config = config
    for (const alert of alerts.values())
      for (const route of matchRoutes(config.route, alert.labels)) this.#insert(route, alert)
  }

  stop(): void {
    this.#stop.abort()
    for (const group of this.#groups.values()) group.timer?.cancel()
  }

  #insert(route: Route, alert: Alert): void {
    const labels = labelsFrom(groupLabelsOf(alert.labels, route.groupBy))
    const key = `${route.key}:${formatLabels(labels)}`
    let group = this.#groups.get(key)
    if (!group) {
      // A resolved alert nobody was told about needs no group.
      if (isResolved(alert, this.#env.clock.now()) && !this.#knows(key)) return
      group = { key, route, labels, alerts: new Map(), timer: null, flushed: false, busy: false }
      this.#groups.set(key, group)
      this.#arm(group, route.groupWaitMs)
    }
    const id = fingerprint(alert.labels)
    if (!group.alerts.has(id) && this.alertCount >= MAX_ALERTS) {
      this.counters.dropped++
      return
    }
    const known = group.alerts.get(id)
    // The start of an alert that goes on is the earliest known.
    const startsAtMs =
      known && !isResolved(known, this.#env.clock.now())
        ? Math.min(known.startsAtMs, alert.startsAtMs)
        : alert.startsAtMs
    group.alerts.set(id, { ...alert, startsAtMs })
  }

  #knows(groupKey: string): boolean {
    for (const key of this.#sent.keys()) if (key.startsWith(`${groupKey}\0`)) return true
    return false
  }

  #arm(group: Group, delayMs: number): void {
    group.timer?.cancel()
    group.timer = this.#env.clock.setTimer(delayMs, () => void this.#flush(group))
  }

  async #flush(group: Group): Promise<void> {
    if (this.#stop.signal.aborted || group.busy) return
    group.busy = true
    this.#arm(group, group.route.groupIntervalMs)
    const nowMs = this.#env.clock.now()
    const alerts = [...group.alerts.values()].sort((a, b) => (formatLabels(a.labels) < formatLabels(b.labels) ? -1 : 1))
    const resolvedNow = new Map([...group.alerts].filter(([, alert]) => isResolved(alert, nowMs)))
    const receiver = this.#config.receivers.get(group.route.receiver)
    try {
      const told = receiver ? await this.#notify(group, receiver, alerts, nowMs) : true
      // Resolved alerts go once everybody was told, unless they have come back meanwhile.
      if (told) for (const [id, alert] of resolvedNow) if (group.alerts.get(id) === alert) group.alerts.delete(id)
    } finally {
      group.busy = false
      group.flushed = true
    }
    if (group.alerts.size === 0 && this.#groups.get(group.key) === group) {
      group.timer?.cancel()
      this.#groups.delete(group.key)
    }
  }

  async #notify(group: Group, receiver: Receiver, alerts: readonly Alert[], nowMs: number): Promise<boolean> {
    const outcomes = await Promise.all(
      webhooksOf(receiver).map(async (webhook, index) => {
        const key = `${group.key}\0${receiver.name}\0webhook\0${index}`
        const firing = alerts.filter((alert) => !isResolved(alert, nowMs)).map(({ labels }) => fingerprint(labels))
        const resolved = alerts.filter((alert) => isResolved(alert, nowMs)).map(({ labels }) => fingerprint(labels))
        const reason = notificationReason(this.#sent.get(key), {
          firing,
          resolved,
          nowMs,
          repeatMs: group.route.repeatIntervalMs,
          sendResolved: webhook.sendResolved,
        })
        if (reason === null) return true
        const sent = {
          firing,
          resolved,
          atMs: nowMs,
          expiresAtMs: nowMs + Math.max(LOG_RETENTION_MS, 2 * group.route.repeatIntervalMs),
        }
        const shown = webhook.sendResolved ? alerts : alerts.filter((alert) => !isResolved(alert, nowMs))
        if (shown.length === 0) {
          // Nothing to tell, but the alerts are known to have ended: their return is news.
          this.#remember(key, sent)
          return true
        }
        const body = webhookBody(
          {
            receiver: receiver.name,
            reason,
            groupKey: group.key,
            groupLabels: group.labels,
            alerts: shown,
            nowMs,
            externalUrl: this.#env.externalUrl,
          },
          webhook.maxAlerts,
        )
        const ok = await this.#sendWithRetry(group, receiver, webhook, body, nowMs)
        if (ok) this.#remember(key, sent)
        return ok
      }),
    )
    return outcomes.every(Boolean)
  }

  /** Until the group's next flush is due; that one then sends what is true at its time. */
  async #sendWithRetry(
    group: Group,
    receiver: Receiver,
    webhook: WebhookConfig,
    body: string,
    startMs: number,
  ): Promise<boolean> {
    const { clock, net, log } = this.#env
    const deadlineMs = startMs + Math.max(group.route.groupIntervalMs, webhook.timeoutMs)
    for (let attempt = 1, waitMs = RETRY_FIRST_MS; ; attempt++, waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      const { ok, retry, problem } = await sendWebhook(net, webhook, body, this.#stop.signal)
      if (ok) {
        this.counters.notifications++
        return true
      }
      log.warn('Notification failed', {
        receiver: receiver.name,
        integration: 'webhook',
        group: group.key,
        attempt,
        err: problem,
      })
      if (!retry || this.#stop.signal.aborted || clock.now() + waitMs >= deadlineMs) {
        this.counters.failed++
        return false
      }
      this.counters.retries++
      await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
    }
  }

  #remember(key: string, sent: Sent): void {
    this.#sent.set(key, sent)
    for (const [old, { expiresAtMs }] of this.#sent) if (expiresAtMs < sent.atMs) this.#sent.delete(old)
    try {
      this.#env.disk.writeFileAtomic(this.#env.logFile, JSON.stringify({ version: 1, sent: [...this.#sent] }), {
        mode: 0o600,
      })
    } catch (err) {
      this.counters.logFailures++
      this.#env.log.error('The notification log could not be written; notifications may repeat after a restart', {
        file: this.#env.logFile,
        err,
      })
    }
  }

  #loadLog(): void {
    const { disk, log, logFile } = this.#env
    try {
      if (disk.stat(logFile) === null) return
      const data = JSON.parse(disk.readText(logFile)) as { version: number; sent: [string, Sent][] }
      if (data.version !== 1 || !Array.isArray(data.sent)) throw new Error(`unknown version ${String(data.version)}`)
      for (const [key, sent] of data.sent) this.#sent.set(key, sent)
    } catch (err) {
      log.error('The notification log cannot be read and is set aside; notifications may repeat', {
        file: logFile,
        err,
      })
      try {
        disk.rename(logFile, `${logFile}.damaged`)
      } catch {
        // It will be overwritten.
      }
    }
  }
}

type Need = {
  readonly firing: readonly string[]
  readonly resolved: readonly string[]
  readonly nowMs: number
  readonly repeatMs: number
  readonly sendResolved: boolean
}

/** null: nothing that the receiver does not know. Semantics: Alertmanager notify.go, DedupStage.needsUpdate (v0.33). */
export function notificationReason(
  last: Sent | undefined,
  { firing, resolved, nowMs, repeatMs, sendResolved }: Need,
): NotificationReason | null {
  if (!last) return firing.length > 0 ? 'first notification' : null
  const within = (ids: readonly string[], known: readonly string[]): boolean => ids.every((id) => known.includes(id))
  if (!within(firing, last.firing)) return last.firing.length === 0 ? 'first notification' : 'new alerts added'
  // Whatever send_resolved says, or the log would keep alerts that have ended.
  if (firing.length === 0) return last.firing.length > 0 ? 'all alerts resolved' : null
  if (sendResolved && !within(resolved, last.resolved)) return 'some alerts resolved'
  return last.atMs + repeatMs < nowMs ? 'repeat interval elapsed' : null
}

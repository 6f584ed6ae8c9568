/**
 * From alerts to notifications: the store, routes, groups, what mutes them, and the sends with retry. Delivery is at
 * least once: a notification is repeated when the log could not be written.
 * Semantics: Alertmanager dispatch/dispatch.go, notify/notify.go (v0.34).
 */
import { joinPath } from '../../protocol/config/mod.ts'
import type { Clock, Disk, Logger, Net, Random, Timer } from '../../protocol/env/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import type { Cluster } from '../cluster/mod.ts'
import { type Alert, AlertStore, fingerprint, isResolved, type StoredAlert } from './alert.ts'
import type { AlertmanagerConfig, Integration, Route } from './config/mod.ts'
import { AlertGroup, groupKey, groupLabels } from './groups.ts'
import { houseTemplates } from './house-templates.ts'
import { Inhibitor } from './inhibit.ts'
import { createSender, dataOf, type Expand, type Notification, type SendEnv, type Sender } from './integrations/mod.ts'
import { LatestQueues } from './latest-queues.ts'
import type { Mailer } from './mailer.ts'
import { type LogCounters, logEntryKey, NotificationLog, notificationReason, type Sent } from './nflog.ts'
import { matchRoutes } from './route.ts'
import { Silences } from './silences.ts'
import type { StateStore } from './state-store.ts'
import type { NotificationTemplates } from './template.ts'
import { containsTime } from './time-intervals.ts'
import { ToldFiring } from './told-firing.ts'
import { Turn } from './turn.ts'

export type DispatcherEnv = {
  readonly clock: Clock
  readonly disk: Disk
  readonly net: Net
  readonly mailer: Mailer
  readonly log: Logger
  readonly random: Pick<Random, 'bytes'>
  readonly externalUrl: string
  /** Where the notification log and the silences are kept. */
  readonly store: StateStore
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  /** With other hubs that have the same alerts. Whoever made it starts it, after the dispatcher, and stops it. */
  readonly cluster?: Cluster
  /** So long after the start nothing is told: rules come to know again what fires. Default 0. */
  readonly startDelayMs?: number
}

/** A configuration with the texts of its template files. */
export type DispatcherConfig = AlertmanagerConfig & {
  readonly templateTexts?: readonly { readonly name: string; readonly text: string }[]
  /** Where the relative paths of files with secrets begin. */
  readonly directory?: string
}

export type IntegrationCounters = { attempts: number; delivered: number; failed: number; retries: number }

export type DispatcherCounters = {
  receivedFiring: number
  receivedResolved: number
  invalid: number
  /** Alerts that found no room. */
  dropped: number
  suppressed: number
  readonly byIntegration: Map<string, IntegrationCounters>
}

/** Why an alert is not told of, if so. */
export type AlertStatus = {
  readonly silencedBy: readonly string[]
  /** Fingerprints. */
  readonly inhibitedBy: readonly string[]
}

/** More are not kept, nor taken at once. */
export const MAX_ALERTS = 100_000
const RETRY_FIRST_MS = 500
const RETRY_FACTOR = 1.5
const RETRY_MAX_MS = 60_000
const SEND_TIMEOUT_MS_MIN = 10_000
const LOG_RETENTION_MS = 120 * 3600_000
const SWEEP_MS = 60_000
const LISTEN_POLL_MS = 1_000

export class Dispatcher {
  readonly counters: DispatcherCounters = {
    receivedFiring: 0,
    receivedResolved: 0,
    invalid: 0,
    dropped: 0,
    suppressed: 0,
    byIntegration: new Map(),
  }
  readonly silences: Silences
  readonly startedMs: number
  readonly #env: DispatcherEnv
  readonly #store = new AlertStore(MAX_ALERTS)
  readonly #sent: NotificationLog
  readonly #told: ToldFiring
  readonly #groups = new Map<string, AlertGroup>()
  readonly #flushes = new Set<Promise<unknown>>()
  readonly #queues = new LatestQueues<boolean>()
  #config: DispatcherConfig
  #inhibitor!: Inhibitor
  #templates!: NotificationTemplates
  #senders!: ReadonlyMap<string, readonly { readonly integration: Integration; readonly sender: Sender }[]>
  #sweeper: Timer | null = null
  readonly #stop = new AbortController()

  /** @throws TemplateError for a template file that cannot be read */
  constructor(config: DispatcherConfig, env: DispatcherEnv) {
    const { clock, store, log, random, cluster } = env
    this.#env = env
    this.#config = config
    this.startedMs = clock.now()
    const later = (write: () => void): unknown => clock.setTimer(0, write)
    this.#sent = new NotificationLog({ clock, store, log, later })
    this.#told = new ToldFiring({ store, log, later, startMs: this.startedMs + (env.startDelayMs ?? 0) })
    this.silences = new Silences({ clock, store, log, random })
    if (cluster) {
      this.#sent.share(cluster.share('sent', this.#sent))
      this.silences.share(cluster.share('silence', this.silences))
    }
    this.#apply(config)
    this.#sweepLater()
  }

  get config(): DispatcherConfig {
    return this.#config
  }

  /** Of those that fire. */
  get alertCount(): number {
    const nowMs = this.#env.clock.now()
    let count = 0
    for (const alert of this.#store.values()) if (!isResolved(alert, nowMs)) count++
    return count
  }

  get logCounters(): Readonly<LogCounters> {
    return this.#sent.counters
  }

  /** null where this hub is no member of one. */
  get cluster(): Cluster | null {
    return this.#env.cluster ?? null
  }

  get groups(): readonly AlertGroup[] {
    return [...this.#groups.values()].filter(({ isEmpty }) => !isEmpty)
  }

  /** All that are known, resolved ones too. */
  alerts(): StoredAlert[] {
    return [...this.#store.values()]
  }

  routesOf(labels: Labels): readonly Route[] {
    return matchRoutes(this.#config.route, labels)
  }

  /** The same alert again updates it, one with its end in the past resolves it. */
  receive(alerts: readonly (Alert & { readonly timesOut?: boolean })[]): void {
    const nowMs = this.#env.clock.now()
    for (const alert of alerts) {
      if (isResolved(alert, nowMs)) this.counters.receivedResolved++
      else this.counters.receivedFiring++
      this.#told.heard(alert)
      const stored = this.#store.put({ ...alert, timesOut: alert.timesOut ?? false, updatedAtMs: nowMs }, nowMs)
      if (stored === null) {
        this.counters.dropped++
        continue
      }
      this.#inhibitor.observe(stored)
      this.#route(stored)
    }
  }

  /** A new configuration: all alerts are routed anew; what was sent stays known. @throws TemplateError, changing nothing */
  reload(config: DispatcherConfig): void {
    this.#apply(config)
    for (const group of this.#groups.values()) group.stop()
    this.#groups.clear()
    for (const alert of this.#store.values()) {
      this.#inhibitor.observe(alert)
      this.#route(alert)
    }
  }

  stop(): void {
    this.#stop.abort()
    this.#sweeper?.cancel()
    for (const group of this.#groups.values()) group.stop()
  }

  /** After `stop`, once what is under way has ended and its log is written; not later than `graceMs`. */
  async whenIdle(graceMs: number): Promise<void> {
    const enough = new AbortController()
    const grace = this.#env.clock.sleep(graceMs, enough.signal).catch(() => {})
    await Promise.race([Promise.allSettled(this.#flushes), grace])
    enough.abort()
  }

  status(labels: Labels): AlertStatus {
    return {
      silencedBy: this.silences.silencing(labels),
      inhibitedBy: this.#inhibitor.mutedBy(labels, this.#env.clock.now()).map((alert) => fingerprint(alert.labels)),
    }
  }

  /** Names of the intervals that keep a route silent now; for one outside of its active times, those. */
  mutingIntervals(route: Route): string[] {
    const nowMs = this.#env.clock.now()
    const holds = (name: string): boolean =>
      (this.#config.timeIntervals.get(name) ?? []).some((interval) => containsTime(interval, nowMs))
    const muting = route.muteTimeIntervals.filter(holds)
    const isActive = route.activeTimeIntervals.length === 0 || route.activeTimeIntervals.some(holds)
    return isActive ? muting : [...muting, ...route.activeTimeIntervals]
  }

  #apply(config: DispatcherConfig): void {
    const { clock, net, disk, mailer } = this.#env
    this.#templates = houseTemplates(config.templateTexts ?? [], () => clock.now())
    this.#inhibitor = new Inhibitor(config.inhibitRules)
    this.#config = config
    const files = { readText: (path: string) => disk.readText(joinPath(config.directory ?? '.', path)) }
    const sendEnv: SendEnv = { net, clock, disk: files, mailer, tokens: new WeakMap() }
    this.#senders = new Map(
      [...config.receivers.values()].map(({ name, integrations }) => [
        name,
        integrations.map((integration) => ({
          integration,
          sender: createSender(integration, sendEnv),
        })),
      ]),
    )
  }

  #route(alert: StoredAlert): void {
    for (const route of this.routesOf(alert.labels)) {
      const labels = groupLabels(route, alert.labels)
      const id = groupId(route, labels)
      let group = this.#groups.get(id)
      if (!group) {
        group = new AlertGroup(route, labels, {
          clock: this.#env.clock,
          flush: (each, alerts, nowMs) => {
            const flush = this.#flush(each, alerts, nowMs).finally(() => this.#flushes.delete(flush))
            this.#flushes.add(flush)
            return flush.then((told) => {
              if (told) this.#forget(each, alerts, nowMs)
              return told
            })
          },
          notBeforeMs: this.startedMs + (this.#env.startDelayMs ?? 0),
        })
        this.#groups.set(id, group)
      }
      group.insert(alert)
    }
  }

  #sweepLater(): void {
    this.#sweeper = this.#env.clock.setTimer(
      SWEEP_MS,
      () => {
        const nowMs = this.#env.clock.now()
        if (this.cluster?.status.status !== 'settling') this.#endUnheard(nowMs)
        this.#store.sweep(nowMs)
        this.#inhibitor.sweep(nowMs)
        this.#sent.sweep(nowMs)
        this.silences.sweep(nowMs)
        for (const [id, group] of this.#groups)
          if (group.isEmpty) {
            group.stop()
            this.#groups.delete(id)
          }
        this.#sweepLater()
      },
      { unref: true },
    )
  }

  /** What fired before a restart and nobody has repeated is over, for those who were told of it and not of its end. */
  #endUnheard(nowMs: number): void {
    for (const alert of this.#told.takeEnded(nowMs)) {
      const stored = this.#isToldFiring(alert)
        ? this.#store.put({ ...alert, timesOut: true, updatedAtMs: nowMs }, nowMs)
        : null
      if (stored) this.#route(stored)
      else this.#told.forget([alert])
    }
  }

  #isToldFiring({ labels }: Alert): boolean {
    const id = fingerprint(labels)
    return this.routesOf(labels).some((route) => {
      const group = { key: groupKey(route, groupLabels(route, labels)), route }
      const senders = this.#senders.get(route.receiver) ?? []
      return senders.some(({ integration: { kind } }, index) =>
        this.#sent.get(this.#logKey(group, kind, index))?.firing.includes(id),
      )
    })
  }

  /** After everybody of a group was told: what has ended is of no use any more, but to another group that has it. */
  #forget(group: AlertGroup, alerts: readonly StoredAlert[], nowMs: number): void {
    const isOver = ({ labels }: StoredAlert): boolean => {
      const known = this.#store.get(labels)
      if (known && !isResolved(known, nowMs)) return false
      const routes = this.routesOf(labels)
      return routes.every((route) => {
        const other = this.#groups.get(groupId(route, groupLabels(route, labels)))
        return !other || other === group || !other.has(labels)
      })
    }
    this.#told.forget(alerts.filter((alert) => isResolved(alert, nowMs) && isOver(alert)))
  }

  /** True once everybody who should know has been told. */
  async #flush(group: AlertGroup, alerts: readonly StoredAlert[], nowMs: number): Promise<boolean> {
    const { cluster, clock } = this.#env
    if (!cluster?.mustListen) return this.#flushNow(group, alerts, nowMs)
    await cluster.whenReady()
    while (!group.isStopped && cluster.mustListen) await clock.sleep(LISTEN_POLL_MS, this.#stop.signal).catch(() => {})
    // What fired while we listened may be over by now, and told by the others.
    return !group.isStopped && this.#flushNow(group, group.alerts, clock.now())
  }

  async #flushNow(group: AlertGroup, alerts: readonly StoredAlert[], nowMs: number): Promise<boolean> {
    if (this.#stop.signal.aborted) return false
    const heard = this.#heard(group, alerts, nowMs)
    this.counters.suppressed += alerts.length - heard.length
    if (heard.length === 0) return true
    this.#told.keep(heard, nowMs)
    const senders = this.#senders.get(group.route.receiver) ?? []
    const told = await Promise.all(
      senders.map(({ integration, sender }, index) => this.#tell(group, heard, nowMs, { integration, sender, index })),
    )
    return told.every(Boolean)
  }

  #heard(group: AlertGroup, alerts: readonly StoredAlert[], nowMs: number): readonly StoredAlert[] {
    if (this.mutingIntervals(group.route).length > 0) return []
    return alerts.filter(
      ({ labels }) =>
        this.#inhibitor.mutedBy(labels, nowMs).length === 0 && this.silences.silencing(labels).length === 0,
    )
  }

  /** Flushes may overlap; each integration is told one thing after the other. */
  async #tell(
    group: AlertGroup,
    alerts: readonly StoredAlert[],
    nowMs: number,
    one: { integration: Integration; sender: Sender; index: number },
  ): Promise<boolean> {
    const key = this.#logKey(group, one.integration.kind, one.index)
    const told = await this.#queues.run(key, async (hasWaited) => {
      if (!hasWaited) return this.#tellNow(group, alerts, nowMs, { ...one, key })
      // A reload has made another group of it.
      if (group.isStopped || this.#stop.signal.aborted) return false
      // What is true now is told, not what was.
      const laterMs = this.#env.clock.now()
      const heard = this.#heard(group, group.alerts, laterMs)
      return heard.length === 0 || this.#tellNow(group, heard, laterMs, { ...one, key })
    })
    // A later flush knows better.
    return told ?? false
  }

  async #tellNow(
    group: AlertGroup,
    alerts: readonly StoredAlert[],
    nowMs: number,
    { integration, sender, key }: { integration: Integration; sender: Sender; key: string },
  ): Promise<boolean> {
    const { route } = group
    const ids = (resolved: boolean): string[] =>
      alerts.filter((alert) => isResolved(alert, nowMs) === resolved).map(({ labels }) => fingerprint(labels))
    const [firing, resolved] = [ids(false), ids(true)]
    const { sendResolved } = integration
    const need = { firing, resolved, nowMs, repeatMs: route.repeatIntervalMs, sendResolved }
    const turn = new Turn(this.#env.clock, {
      cluster: this.cluster,
      key,
      last: () => this.#sent.get(key),
      refresh: () => this.#sent.refresh(key),
      reason: (last) => notificationReason(last, need),
      isOver: () => group.isStopped || this.#stop.signal.aborted,
      patienceMs: Math.max(route.groupIntervalMs, SEND_TIMEOUT_MS_MIN),
      signal: this.#stop.signal,
    })
    const state = await turn.wait()
    if (state !== 'ours') return state === 'told'
    try {
      const expiresAtMs = nowMs + Math.max(LOG_RETENTION_MS, 2 * route.repeatIntervalMs)
      const sent: Sent = { firing, resolved, atMs: nowMs, expiresAtMs }
      const shown = sendResolved ? alerts : alerts.filter((alert) => !isResolved(alert, nowMs))
      const notification = {
        receiver: route.receiver,
        reason: turn.reason!,
        groupKey: group.key,
        groupLabels: group.labels,
        routeLabels: route.labels,
        alerts: shown,
        nowMs,
        externalUrl: this.#env.externalUrl,
      }
      // With nothing to tell, the alerts are known to have ended all the same: their return is news.
      const outcome = shown.length === 0 ? 'sent' : await this.#send(integration, sender, notification, { route, turn })
      if (outcome === 'sent') await this.#sent.put(key, sent)
      return outcome !== 'failed'
    } finally {
      turn.release()
    }
  }

  /** Of what an integration was told about a group: the same on every hub with this configuration. */
  #logKey({ key, route }: Pick<AlertGroup, 'key' | 'route'>, kind: string, index: number): string {
    return logEntryKey(`${key}\0${route.receiver}\0${kind}\0${index}`, this.#env.sha256)
  }

  /** Until the group's next flush is due; that one then sends what is true at its time. */
  async #send(
    { kind }: Integration,
    sender: Sender,
    notification: Notification,
    { route, turn }: { readonly route: Route; readonly turn: Turn },
  ): Promise<'sent' | 'told by another' | 'failed'> {
    const { clock, log } = this.#env
    const counters = this.#countersOf(kind)
    const data = dataOf(notification)
    const expand: Expand = (text, options = {}) => this.#templates.expand(text, options.data ?? data, options)
    const deadlineMs = clock.now() + Math.max(route.groupIntervalMs, SEND_TIMEOUT_MS_MIN)
    for (
      let attempt = 1, waitMs = RETRY_FIRST_MS;
      ;
      attempt++, waitMs = Math.min(RETRY_FACTOR * waitMs, RETRY_MAX_MS)
    ) {
      counters.attempts++
      const { ok, retry, problem } = await sender.send({ notification, data, expand }, this.#stop.signal)
      if (ok) {
        counters.delivered++
        return 'sent'
      }
      const { receiver, groupKey: group } = notification
      log.warn('Notification failed', { receiver, integration: kind, group, attempt, err: problem })
      if (!retry || this.#stop.signal.aborted || clock.now() + waitMs >= deadlineMs) {
        counters.failed++
        return 'failed'
      }
      counters.retries++
      turn.release()
      await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
      const state = await turn.take()
      if (state !== 'ours') return state === 'told' ? 'told by another' : 'failed'
    }
  }

  #countersOf(kind: string): IntegrationCounters {
    let counters = this.counters.byIntegration.get(kind)
    if (!counters) {
      counters = { attempts: 0, delivered: 0, failed: 0, retries: 0 }
      this.counters.byIntegration.set(kind, counters)
    }
    return counters
  }
}

const groupId = (route: Route, labels: Labels): string => `${route.id}\0${groupKey(route, labels)}`

/**
 * Alerts of one route with the same group labels, told together: after `group_wait`, then every `group_interval`.
 * Semantics: Alertmanager dispatch/dispatch.go, aggrGroup (v0.34).
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'
import {
  compareLabels,
  formatLabels,
  type Labels,
  labelsFrom,
  labelsKey,
  labelValue,
} from '../../protocol/labels/mod.ts'
import { isResolved, type StoredAlert } from './alert.ts'
import type { Route } from './config/mod.ts'

export type Flush = (group: AlertGroup, alerts: readonly StoredAlert[], nowMs: number) => Promise<boolean>

export class AlertGroup {
  readonly route: Route
  readonly labels: Labels
  readonly key: string
  readonly #clock: Clock
  readonly #flush: Flush
  readonly #alerts = new Map<string, StoredAlert>()
  /** Before it nothing is told. */
  readonly #notBeforeMs: number
  #timer: Timer | null = null
  #hasFlushed = false
  #stopped = false

  constructor(route: Route, labels: Labels, options: { clock: Clock; flush: Flush; notBeforeMs: number }) {
    this.route = route
    this.labels = labels
    this.key = groupKey(route, labels)
    this.#clock = options.clock
    this.#flush = options.flush
    this.#notBeforeMs = options.notBeforeMs
    this.#arm(route.groupWaitMs)
  }

  get isEmpty(): boolean {
    return this.#alerts.size === 0
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  get alerts(): readonly StoredAlert[] {
    return [...this.#alerts.values()].sort(byJobAndInstance)
  }

  has(labels: Labels): boolean {
    return this.#alerts.has(labelsKey(labels))
  }

  insert(alert: StoredAlert): void {
    this.#alerts.set(labelsKey(alert.labels), alert)
    // It has waited long enough elsewhere, before a restart or a reload.
    if (!this.#hasFlushed && alert.startsAtMs + this.route.groupWaitMs < this.#clock.now()) this.#arm(0)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel()
    const restMs = this.#notBeforeMs - this.#clock.now()
    this.#timer = this.#clock.setTimer(Math.max(delayMs, restMs), () => void this.#run())
  }

  async #run(): Promise<void> {
    if (this.#stopped) return
    this.#arm(this.route.groupIntervalMs)
    this.#hasFlushed = true
    const nowMs = this.#clock.now()
    const alerts = this.alerts
    if (alerts.length === 0) return
    const told = await this.#flush(this, alerts, nowMs)
    if (!told) return
    // Resolved alerts go once everybody was told, unless they have come back meanwhile.
    for (const alert of alerts) {
      const key = labelsKey(alert.labels)
      if (isResolved(alert, nowMs) && this.#alerts.get(key) === alert) this.#alerts.delete(key)
    }
  }
}

export function groupLabels({ groupBy }: Route, labels: Labels): Labels {
  if (groupBy === null) return labels
  return labelsFrom(
    groupBy.map((name) => [name, labelValue(labels, name)] as const).filter(([, value]) => value !== ''),
  )
}

export const groupKey = (route: Route, labels: Labels): string => `${route.key}:${formatLabels(labels)}`

function byJobAndInstance(a: StoredAlert, b: StoredAlert): number {
  for (const name of ['job', 'instance']) {
    const [x, y] = [labelValue(a.labels, name), labelValue(b.labels, name)]
    if (x !== y) return x < y ? -1 : 1
  }
  return compareLabels(a.labels, b.labels)
}

/**
 * How the last reload of the configuration went, and what the server has to say of itself because of it.
 * Semantics: Prometheus util/notifications/notifications.go (v3.14).
 */
import type { Clock } from '../../protocol/env/mod.ts'

export type Notification = { readonly text: string; readonly date: string; readonly active: boolean }
type Hear = (notification: Notification) => void

export class Notifications {
  readonly #now: () => number
  readonly #maxSubscribers: number
  /** By text: each is told once while it holds. */
  readonly #active = new Map<string, Notification>()
  readonly #subscribers = new Set<Hear>()

  constructor(now: () => number, maxSubscribers: number) {
    this.#now = now
    this.#maxSubscribers = maxSubscribers
  }

  list(): Notification[] {
    return [...this.#active.values()]
  }

  add(text: string): void {
    if (this.#active.has(text)) return
    const notification = { text, date: new Date(this.#now()).toISOString(), active: true }
    this.#active.set(text, notification)
    for (const hear of this.#subscribers) hear(notification)
  }

  remove(text: string): void {
    const notification = this.#active.get(text)
    if (notification === undefined) return
    this.#active.delete(text)
    for (const hear of this.#subscribers) hear({ ...notification, active: false })
  }

  /** Tells what holds at once, and then each change. @returns what ends it; null: too many hear already */
  subscribe(hear: Hear): (() => void) | null {
    if (this.#subscribers.size >= this.#maxSubscribers) return null
    this.#subscribers.add(hear)
    for (const notification of this.#active.values()) hear(notification)
    return () => this.#subscribers.delete(hear)
  }
}

const FAILED = 'Configuration reload has failed.'

export class Reloads {
  ok = true
  /** When the configuration in force was loaded. */
  atMs: number
  readonly notifications: Notifications

  constructor(clock: Clock, maxSubscribers: number) {
    this.atMs = clock.now()
    this.notifications = new Notifications(() => clock.now(), maxSubscribers)
  }

  failed(): void {
    this.ok = false
    this.notifications.add(FAILED)
  }

  succeeded(atMs: number): void {
    this.ok = true
    this.atMs = atMs
    this.notifications.remove(FAILED)
  }
}

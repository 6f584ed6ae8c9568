/** Announces the agent on the bus: on each connect, and every minute with a little chance so that a fleet is spread. */
import type { Bus, Clock, Random, Timer } from '../../protocol/env/mod.ts'
import { encodePresence, PRESENCE_EVERY_MS, type Presence, presenceSubject } from '../../protocol/presence/mod.ts'

export type AnnouncerOptions = {
  readonly bus: Pick<Bus, 'publish' | 'status' | 'onStatus'>
  readonly clock: Clock
  readonly random: Pick<Random, 'float'>
  readonly presence: () => Presence
}

export class Announcer {
  readonly #options: AnnouncerOptions
  #timer: Timer | null = null
  #stopped = false

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.bus.onStatus(() => this.#announce())
    this.#announce()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #announce(): void {
    if (this.#stopped) return
    const { bus, clock, random, presence } = this.#options
    this.#timer?.cancel()
    const delayMs = PRESENCE_EVERY_MS * (0.8 + 0.2 * random.float())
    this.#timer = clock.setTimer(delayMs, () => this.#announce(), { unref: true })
    if (bus.status !== 'connected') return
    const now = presence()
    bus.publish(presenceSubject(now.agent), encodePresence(now))
  }
}

/** Agents that announce themselves on the bus, as targets: in the format of Prometheus's HTTP service discovery. */
import type { Bus, Clock } from '../../protocol/env/mod.ts'
import { decodePresence, PRESENCE_EVERY_MS, PRESENCE_PATTERN, type Presence } from '../../protocol/presence/mod.ts'

export type SeenAgent = Presence & { readonly lastSeenMs: number }

/** Four announcements missed, and an agent is taken for gone. */
const GONE_AFTER_MS = 4 * PRESENCE_EVERY_MS
const AGENTS_MAX = 100_000

/** A target group as `http_sd_configs` reads it. */
export type TargetGroup = { readonly targets: readonly string[]; readonly labels: Readonly<Record<string, string>> }

export class PresenceBoard {
  readonly #clock: Clock
  readonly #isApproved: (agent: string) => boolean
  readonly #seen = new Map<string, SeenAgent>()
  /** Announcements that could not be read, or of agents that are not enrolled. */
  refused = 0

  constructor(clock: Clock, isApproved: (agent: string) => boolean) {
    this.#clock = clock
    this.#isApproved = isApproved
  }

  listen(bus: Pick<Bus, 'subscribe'>): void {
    bus.subscribe(PRESENCE_PATTERN, ({ subject, payload }) => this.take(subject, payload))
  }

  take(subject: string, payload: Uint8Array): void {
    const presence = decodePresence(subject, payload)
    const known = presence !== null && this.#seen.has(presence.agent)
    if (presence === null || !this.#isApproved(presence.agent) || (!known && this.#seen.size >= AGENTS_MAX)) {
      this.refused++
      return
    }
    this.#seen.set(presence.agent, { ...presence, lastSeenMs: this.#clock.now() })
  }

  /** Those heard of lately, by id. */
  list(): SeenAgent[] {
    const oldest = this.#clock.now() - GONE_AFTER_MS
    for (const [agent, { lastSeenMs }] of this.#seen)
      if (lastSeenMs < oldest || !this.#isApproved(agent)) this.#seen.delete(agent)
    return [...this.#seen.values()].sort((a, b) => (a.agent < b.agent ? -1 : 1))
  }

  get(agent: string): SeenAgent | null {
    return this.list().find((each) => each.agent === agent) ?? null
  }

  targetGroups(): TargetGroup[] {
    return this.list().map(({ agent, site, version, address, exporters }) => ({
      targets: [address],
      labels: {
        __meta_heliograph_agent: agent,
        __meta_heliograph_site: site,
        __meta_heliograph_version: version,
        // Between separators, so that a regular expression finds a whole name.
        __meta_heliograph_exporters: `,${exporters.join(',')},`,
      },
    }))
  }
}

/** Alerts to Alertmanagers of the configuration's `alerting` section, by their API v2. Semantics: Prometheus notifier/. */
import type { Logger, Net } from '../../protocol/env/mod.ts'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import type { Alert } from './alert.ts'

export type UpstreamTarget = {
  readonly url: string
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
}
export type UpstreamCounters = { sent: number; errors: number; dropped: number }

/** Alerts under way to one Alertmanager, at most. */
const MAX_PENDING = 10_000

export class UpstreamNotifier {
  readonly counters: UpstreamCounters = { sent: 0, errors: 0, dropped: 0 }
  #targets: readonly UpstreamTarget[] = []
  readonly #pending = new Map<string, number>()
  readonly #net: Net
  readonly #log: Logger

  constructor(net: Net, log: Logger) {
    this.#net = net
    this.#log = log
  }

  get urls(): readonly string[] {
    return this.#targets.map(({ url }) => url)
  }

  apply(targets: readonly UpstreamTarget[]): void {
    this.#targets = targets
  }

  /** One slow Alertmanager holds back nobody else; what it cannot take is counted. */
  send(alerts: readonly Alert[]): void {
    for (const target of this.#targets) {
      const pending = this.#pending.get(target.url) ?? 0
      if (pending + alerts.length > MAX_PENDING) {
        this.counters.dropped += alerts.length
        continue
      }
      this.#pending.set(target.url, pending + alerts.length)
      void this.#post(target, alerts).finally(() =>
        this.#pending.set(target.url, this.#pending.get(target.url)! - alerts.length),
      )
    }
  }

  async #post({ url, timeoutMs, headers }: UpstreamTarget, alerts: readonly Alert[]): Promise<void> {
    const body = alerts.map(({ labels, annotations, startsAtMs, endsAtMs, generatorUrl }) => ({
      labels: labelsToObject(labels),
      annotations,
      startsAt: new Date(startsAtMs).toISOString(),
      endsAt: new Date(endsAtMs).toISOString(),
      generatorURL: generatorUrl,
    }))
    try {
      const { status } = await this.#net.request({
        method: 'POST',
        url,
        headers: { 'content-type': 'application/json', ...headers },
        body: new TextEncoder().encode(JSON.stringify(body)),
        timeoutMs,
        maxBodyBytes: 1 << 20,
      })
      if (status >= 300) throw new Error(`bad response status ${status}`)
      this.counters.sent += alerts.length
    } catch (err) {
      this.counters.errors += alerts.length
      this.#log.error('Error sending alerts', { alertmanager: url, count: alerts.length, err })
    }
  }
}

/**
 * The alerts that wait for one Alertmanager, and the loop that sends them in batches. What fails is not sent again: the
 * rules send all that fires every minute. Semantics: Prometheus notifier/sendloop.go (v3.5).
 */
import type { HttpSource } from '../../agent/scrape/mod.ts'
import type { Clock, Logger, Net } from '../../protocol/env/mod.ts'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import { type CompiledRelabel, relabel } from '../../protocol/relabel/mod.ts'
import type { Alert } from '../alerts/mod.ts'

export type AlertmanagerEndpoint = {
  readonly url: string
  readonly timeoutMs: number
  readonly source: HttpSource
  readonly alertRelabel: readonly CompiledRelabel[]
}

export type QueueDeps = {
  readonly clock: Clock
  readonly net: Net
  readonly log: Logger
  readonly userAgent: string
  readonly capacity: number
  readonly batchSize: number
}

const MAX_ANSWER_BYTES = 1 << 20

export class AlertQueue {
  readonly counters = { sent: 0, errors: 0, dropped: 0, requests: 0, seconds: 0 }
  /** A reload may change all but its URL. */
  endpoint: AlertmanagerEndpoint
  readonly #deps: QueueDeps
  #waiting: Alert[] = []
  #sending: Promise<void> | null = null

  constructor(endpoint: AlertmanagerEndpoint, deps: QueueDeps) {
    this.endpoint = endpoint
    this.#deps = deps
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Where there is no room the oldest go. */
  add(alerts: readonly Alert[]): void {
    const { capacity, log } = this.#deps
    for (const alert of alerts) {
      const labels = relabel(this.endpoint.alertRelabel, alert.labels)
      if (labels !== null) this.#waiting.push(labels === alert.labels ? alert : { ...alert, labels })
    }
    const excess = this.#waiting.length - capacity
    if (excess > 0) {
      this.#waiting.splice(0, excess)
      this.counters.dropped += excess
      log.warn('Alert notification queue full, dropping alerts', { alertmanager: this.endpoint.url, count: excess })
    }
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll()
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.#sending
  }

  /** Of an Alertmanager that is gone: what waits is dropped. */
  close(): void {
    this.counters.dropped += this.#waiting.length
    this.#waiting = []
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#post(this.#waiting.splice(0, this.#deps.batchSize))
    this.#sending = null
  }

  async #post(alerts: readonly Alert[]): Promise<void> {
    const { clock, net, log, userAgent } = this.#deps
    const { url, timeoutMs, source } = this.endpoint
    const { counters } = this
    const startMs = clock.monotonic()
    try {
      const own = typeof source.headers === 'function' ? await source.headers() : source.headers
      const proxy = source.proxyFor(url)
      const { status } = await net.request({
        method: 'POST',
        url,
        headers: { 'Content-Type': 'application/json', 'User-Agent': userAgent, ...own },
        body: new TextEncoder().encode(JSON.stringify(alerts.map(alertBody))),
        timeoutMs,
        maxBodyBytes: MAX_ANSWER_BYTES,
        ...(source.tls === null ? {} : { tls: source.tls }),
        ...(proxy === undefined ? {} : { proxy }),
      })
      if (status < 200 || status > 299) throw new Error(`bad response status ${status}`)
      counters.sent += alerts.length
    } catch (err) {
      counters.errors += alerts.length
      counters.dropped += alerts.length
      log.error('Error sending alerts', { alertmanager: url, count: alerts.length, err })
    }
    counters.requests++
    counters.seconds += (clock.monotonic() - startMs) / 1000
  }
}

const alertBody = ({ labels, annotations, startsAtMs, endsAtMs, generatorUrl }: Alert) => ({
  labels: labelsToObject(labels),
  annotations,
  startsAt: new Date(startsAtMs).toISOString(),
  endsAt: new Date(endsAtMs).toISOString(),
  generatorURL: generatorUrl,
})

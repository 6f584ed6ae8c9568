/**
 * Finds the Alertmanagers and gives each its queue: a slow one holds back nobody else.
 * Semantics: Prometheus notifier/manager.go (v3.5), `prometheus_notifications_*` too. Differs: of all queues,
 * `queue_length` is that of the longest, since each has the whole capacity; the latency is a summary without quantiles.
 */
import { DiscoveryManager } from '../../agent/discovery/mod.ts'
import type { HttpSource, ScrapeTargetConfig } from '../../agent/scrape/mod.ts'
import { targetUrl } from '../../agent/scrape/mod.ts'
import type { AlertmanagerTarget } from '../../protocol/config/mod.ts'
import type { Env, Logger } from '../../protocol/env/mod.ts'
import { counter, gauge, type Metric, type MetricFamily, summaryLines } from '../../protocol/exposition/mod.ts'
import { type CompiledRelabel, compileRelabel } from '../../protocol/relabel/mod.ts'
import type { Alert } from '../alerts/mod.ts'
import { ALERTS_PATH_LABEL, discoveredUrl, discoveryJob, jobNameOf } from './jobs.ts'
import { AlertQueue } from './queue.ts'

export type NotifierOptions = {
  /** Alerts that wait for one Alertmanager, at most. */
  readonly queueCapacity: number
  /** Alerts in one request. */
  readonly batchSize: number
  /** Of the configuration file. */
  readonly directory: string
  readonly userAgent: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** What still waits at the end is given so long. */
const DRAIN_MS = 2000

export class Notifier {
  readonly #env: Pick<Env, 'clock' | 'net'>
  readonly #options: NotifierOptions
  readonly #log: Logger
  readonly #discovery: DiscoveryManager
  readonly #queues = new Map<string, AlertQueue>()
  #alertRelabel = new Map<string, readonly CompiledRelabel[]>()
  /** Alerts dropped for Alertmanagers that are gone. */
  #droppedBefore = 0
  #droppedUrls: readonly string[] = []

  constructor(env: Env, options: NotifierOptions) {
    this.#env = env
    this.#options = options
    this.#log = env.log.with({ component: 'notifier' })
    this.#discovery = new DiscoveryManager({
      ...env,
      log: this.#log,
      userAgent: options.userAgent,
      directory: options.directory,
      environment: options.environment,
      pathLabel: ALERTS_PATH_LABEL,
      onTargets: ({ targets, problems, dropped }) => {
        for (const problem of problems) this.#log.warn('Configuration', { err: problem })
        this.#droppedUrls = dropped.map(({ discoveredLabels }) => discoveredUrl(discoveredLabels))
        this.#take(targets)
      },
    })
  }

  get urls(): readonly string[] {
    return [...this.#queues.keys()]
  }

  /** URLs of Alertmanagers that relabelling dropped, as they were before it. */
  get dropped(): readonly string[] {
    return this.#droppedUrls
  }

  async apply(sections: readonly AlertmanagerTarget[]): Promise<void> {
    this.#alertRelabel = new Map(
      sections.map(({ alertRelabel }, index) => [jobNameOf(index), alertRelabel.map((rule) => compileRelabel(rule))]),
    )
    await this.#discovery.apply(sections.map(discoveryJob))
  }

  send(alerts: readonly Alert[]): void {
    for (const queue of this.#queues.values()) queue.add(alerts)
  }

  /** Sends what waits, for a moment at most. */
  async stop(): Promise<void> {
    this.#discovery.stop()
    const isLate = Promise.withResolvers<void>()
    const timer = this.#env.clock.setTimer(DRAIN_MS, () => isLate.resolve())
    await Promise.race([Promise.all([...this.#queues.values()].map((queue) => queue.drained())), isLate.promise])
    timer.cancel()
    for (const queue of this.#queues.values()) queue.close()
  }

  families(): MetricFamily[] {
    const each = (value: (queue: AlertQueue) => number): Metric[] =>
      [...this.#queues].map(([url, queue]) => ({ labels: ['alertmanager', url], value: value(queue) }))
    const queues = [...this.#queues.values()]
    return [
      gauge('prometheus_notifications_alertmanagers_discovered', 'The number of alertmanagers discovered and active.', [
        { labels: [], value: this.#queues.size },
      ]),
      counter(
        'prometheus_notifications_sent_total',
        'Total number of alerts sent.',
        each(({ counters }) => counters.sent),
      ),
      counter(
        'prometheus_notifications_errors_total',
        'Total number of sent alerts affected by errors.',
        each(({ counters }) => counters.errors),
      ),
      counter(
        'prometheus_notifications_dropped_total',
        'Total number of alerts dropped due to errors when sending to Alertmanager.',
        [{ labels: [], value: queues.reduce((sum, { counters }) => sum + counters.dropped, this.#droppedBefore) }],
      ),
      gauge('prometheus_notifications_queue_length', 'The number of alert notifications in the queue.', [
        { labels: [], value: Math.max(0, ...queues.map(({ length }) => length)) },
      ]),
      gauge('prometheus_notifications_queue_capacity', 'The capacity of the alert notifications queue.', [
        { labels: [], value: this.#options.queueCapacity },
      ]),
      {
        name: 'prometheus_notifications_latency_seconds',
        help: 'Latency quantiles for sending alert notifications.',
        type: 'summary',
        metrics: [...this.#queues].flatMap(([url, { counters }]) =>
          summaryLines(['alertmanager', url], [], counters.seconds, counters.requests),
        ),
      },
    ]
  }

  #take(targets: readonly ScrapeTargetConfig[]): void {
    const seen = new Set<string>()
    for (const { job, source, timeoutMs } of targets) {
      const url = targetUrl(source)
      if (seen.has(url)) continue
      seen.add(url)
      const endpoint = {
        url,
        timeoutMs,
        source: source as HttpSource,
        alertRelabel: this.#alertRelabel.get(job) ?? [],
      }
      const known = this.#queues.get(url)
      if (known) known.endpoint = endpoint
      else {
        const { queueCapacity: capacity, batchSize, userAgent } = this.#options
        const deps = { ...this.#env, log: this.#log, userAgent, capacity, batchSize }
        this.#queues.set(url, new AlertQueue(endpoint, deps))
      }
    }
    for (const [url, queue] of this.#queues) {
      if (seen.has(url)) continue
      queue.close()
      this.#droppedBefore += queue.counters.dropped
      this.#queues.delete(url)
    }
  }
}

/**
 * Runs the discoveries of a configuration and tells what the targets are, at once and then whenever they change, at
 * most every five seconds. A reload keeps the discoveries whose sections did not change, with what they have found.
 * Semantics: Prometheus discovery/manager.go (v3.14).
 */
import { joinPath, type OtherDiscovery, type ScrapeConfig, Secret } from '../../protocol/config/mod.ts'
import type { Env, Timer } from '../../protocol/env/mod.ts'
import { type MetricFamily, Summary } from '../../protocol/exposition/mod.ts'
import { discoveryFamilies, SyncCounters } from './families.ts'
import type { DiscoveryContext, DiscoveryCounters, TargetGroup } from './group.ts'
import { type AccessDeps, HttpAccess } from './http-access.ts'
import { providerOf, refusalOf } from './providers.ts'
import { type Discovered, discoverTargets, METRICS_PATH_LABEL } from './targets.ts'

/** As upstream: a burst of changes is one update. */
const UPDATE_EVERY_MS = 5000
const SETTLE_MS = 50

export type DiscoveryConsumer = (discovered: Discovered) => void | Promise<void>

export type DiscoveryDeps = Pick<Env, 'clock' | 'net' | 'disk' | 'log'> & {
  /** For instance `Heliograph/1.0`. */
  readonly userAgent: string
  /** Of the configuration file: relative paths in it stand under it. */
  readonly directory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The label that holds the path of a target, `__metrics_path__` if it is not given. */
  readonly pathLabel?: string
  readonly onTargets: DiscoveryConsumer
}

export type Running = {
  readonly kind: string
  readonly stop: AbortController
  readonly groups: Map<string, TargetGroup>
  readonly counters: DiscoveryCounters
}

export class DiscoveryManager {
  readonly #deps: DiscoveryDeps
  readonly #access: AccessDeps
  readonly #running = new Map<string, Running>()
  #configs: readonly ScrapeConfig[] = []
  #timer: Timer | null = null
  #updatedMs = Number.NEGATIVE_INFINITY
  #updates = 0
  #received = 0
  readonly #syncs = new SyncCounters()
  readonly #durations = new Map<string, Summary>()
  #isStopped = false
  #told: ReadonlySet<string> = new Set()

  constructor(deps: DiscoveryDeps) {
    this.#deps = deps
    const { clock, directory, disk, net, environment, pathLabel = METRICS_PATH_LABEL } = deps
    const readText = (path: string): string => disk.readText(joinPath(directory, path))
    this.#access = { clock, net, readText, directory, pathLabel, tokens: new WeakMap(), environment }
  }

  /** Starts and stops discoveries as the configuration asks, and tells the targets known by now. */
  async apply(configs: readonly ScrapeConfig[]): Promise<void> {
    this.#configs = configs
    this.#told = new Set()
    const wanted = new Map<string, OtherDiscovery>()
    for (const { discovery } of configs)
      for (const section of discovery)
        if (section.kind !== 'static') wanted.set(sectionKey(section as OtherDiscovery), section as OtherDiscovery)
    for (const [key, { stop }] of [...this.#running]) {
      if (wanted.has(key)) continue
      stop.abort()
      this.#running.delete(key)
    }
    for (const [key, section] of wanted) if (!this.#running.has(key)) this.#start(key, section)
    await this.#update()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    for (const { stop } of this.#running.values()) stop.abort()
    this.#running.clear()
  }

  families(): MetricFamily[] {
    const name = this.#deps.pathLabel === undefined ? 'scrape' : 'notify'
    const sections = this.#configs.flatMap(({ discovery }) => discovery)
    const failed = sections.filter(({ kind }) => kind !== 'static' && providerOf(kind) === null).length
    const counts = { updates: this.#updates, received: this.#received, failed }
    return [...discoveryFamilies([...this.#running.values()], name, counts), ...this.#syncs.families(name)]
  }

  #start(key: string, section: OtherDiscovery): void {
    const provider = providerOf(section.kind)
    if (provider === null) return
    const running: Running = {
      kind: section.kind,
      stop: new AbortController(),
      groups: new Map(),
      counters: { refreshes: 0, failures: 0, durations: this.#durationsOf(section.kind) },
    }
    this.#running.set(key, running)
    const { clock, net, disk, userAgent, directory, environment } = this.#deps
    const log = this.#deps.log.with({ component: 'discovery', discovery: section.kind })
    const context: DiscoveryContext = {
      clock,
      net,
      disk,
      log,
      userAgent,
      directory,
      environment,
      signal: running.stop.signal,
      counters: running.counters,
      emit: (groups) => this.#take(running, groups),
    }
    provider(section, context, (http) => new HttpAccess(http, this.#access)).catch((err) => {
      if (running.stop.signal.aborted) return
      running.counters.failures++
      log.error('Discovery ended; its targets stay as they are until the next reload', { err })
    })
  }

  #durationsOf(kind: string): Summary {
    const durations = this.#durations.get(kind) ?? new Summary([0.5, 0.9, 0.99])
    this.#durations.set(kind, durations)
    return durations
  }

  #take(running: Running, groups: readonly TargetGroup[]): void {
    if (running.stop.signal.aborted) return
    this.#received++
    for (const group of groups) {
      if (group.targets.length === 0) running.groups.delete(group.source)
      else running.groups.set(group.source, group)
    }
    if (this.#timer !== null || this.#isStopped) return
    const { clock, log } = this.#deps
    const delayMs = Math.max(SETTLE_MS, this.#updatedMs + UPDATE_EVERY_MS - clock.monotonic())
    this.#timer = clock.setTimer(delayMs, () => {
      this.#timer = null
      this.#update().catch((err) => log.error('Targets could not be updated', { err }))
    })
  }

  async #update(): Promise<void> {
    if (this.#isStopped) return
    this.#updatedMs = this.#deps.clock.monotonic()
    this.#updates++
    this.#syncs.keep(this.#configs.map(({ jobName }) => jobName))
    const discovered = discoverTargets(
      this.#configs,
      this.#access,
      (section) => this.#groupsOf(section),
      (sync) => this.#syncs.add(sync),
    )
    // Each problem is told once a configuration, not at every update.
    const problems = discovered.problems.filter((problem) => !this.#told.has(problem))
    this.#told = new Set(discovered.problems)
    await this.#deps.onTargets({ ...discovered, problems })
  }

  #groupsOf(section: OtherDiscovery): readonly TargetGroup[] | string {
    const running = this.#running.get(sectionKey(section))
    return running ? [...running.groups.values()] : refusalOf(section.kind)
  }
}

/** Two sections with the same key are one discovery; secrets count, though they never show themselves. */
function sectionKey({ kind, settings }: OtherDiscovery): string {
  const reveal = function (this: Record<string, unknown>, key: string, value: unknown): unknown {
    const own = this[key]
    return own instanceof Secret ? own.reveal() : value
  }
  return `${kind} ${JSON.stringify(settings, reveal)}`
}

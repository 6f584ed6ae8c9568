/**
 * The running exporters of a configuration, over its reloads: what did not change goes on with its state and its
 * sockets, what is gone is closed, what is new is opened. Each may have an HTTP endpoint of its own, on the port that
 * dashboards and discovery know from upstream's program.
 */
import { type AgentConfig, type ExporterConfig, parseAddress } from '../../protocol/config/mod.ts'
import type { Listener, Timer } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { exposureWarning, OPEN_TO_ALL, type WebAccess } from '../env/web-access.ts'
import { type ScrapeTargetConfig, withTargetDefaults } from '../scrape/mod.ts'
import { exporterEndpoint } from './exporter-endpoint.ts'
import { mergeFamilies, type PageRequest, pageOf, programFamilies } from './exporter-pages.ts'
import {
  createParts,
  type ExporterDeps,
  ExporterError,
  type ExporterPart,
  takenAddresses,
  webOptions,
} from './exporters.ts'

/** How long an address that another program holds is left alone before it is tried again. */
const RETRY_MS = 10_000
/** Of a scrape within the agent; upstream's default of `scrape_timeout`. */
const SCRAPE_TIMEOUT_MS = 10_000

/** Exporters whose metrics are named by others. */
const SENT_TO: ReadonlySet<string> = new Set(['graphite', 'statsd'])

export type RunningExporter = {
  readonly name: string
  readonly config: ExporterConfig
  readonly parts: readonly ExporterPart[]
  /** Why a part could not be started, and so has nothing to say that is true; '' when all is well. */
  problem(part: ExporterPart): string
  /** All that it says. */
  page(request?: PageRequest): Promise<readonly MetricFamily[]>
}

/** Made and checked, not yet running. */
export type ExporterChange = { readonly next: readonly RunningExporter[] }

export class ExporterSet {
  readonly #deps: ExporterDeps
  readonly #lifecycleEnabled: boolean
  /** TLS and passwords, which every HTTP endpoint of the agent has in common. */
  readonly #web: WebAccess
  #running: readonly RunningExporter[] = []
  readonly #listeners = new Map<RunningExporter, Listener>()
  /** The exporters that could not have an address, by their parts, with what was said about it last. */
  readonly #unopened = new Map<readonly ExporterPart[], string>()
  readonly #started = new WeakSet<ExporterPart>()
  readonly #problems = new WeakMap<ExporterPart, string>()
  #retryTimer: Timer | null = null
  /** Openings and closings, one after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(deps: ExporterDeps, options: { readonly lifecycleEnabled: boolean; readonly web?: WebAccess }) {
    this.#deps = deps
    this.#lifecycleEnabled = options.lifecycleEnabled
    this.#web = options.web ?? OPEN_TO_ALL
  }

  get running(): readonly RunningExporter[] {
    return this.#running
  }

  /** Opens nothing, so that a bad configuration changes nothing. @throws ExporterError */
  prepare(config: AgentConfig): ExporterChange {
    const enabled = config.exporters.filter((exporter) => exporter.enabled)
    for (const { config, listen, holder } of takenAddresses(enabled))
      throw new ExporterError(`exporters.${config.name}: listen: ${listen} is that of exporters.${holder} already`)
    const next = enabled.map((exporter) => {
      const same = this.#running.find(({ config }) => fingerprint(config) === fingerprint(exporter))
      return same ? { ...same, config: exporter, parts: same.parts } : this.#create(exporter)
    })
    return { next }
  }

  /**
   * An address that cannot be had is logged and tried again every RETRY_MS: one port of one exporter (upstream's program
   * still runs, say) must not keep the agent from collecting everything else.
   */
  apply(change: ExporterChange): Promise<void> {
    return this.#inTurn(() => this.#apply(change))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#work.then(work)
    this.#work = turn.catch(() => {})
    return turn
  }

  async #apply({ next }: ExporterChange): Promise<void> {
    const before = this.#running
    const isKept = (parts: readonly ExporterPart[], others: readonly RunningExporter[]): boolean =>
      others.some((other) => other.parts === parts)
    // Ports first: the next holder may want the same one.
    for (const old of before) if (!isKept(old.parts, next)) await this.#close(old)
    for (const old of before) {
      const heir = next.find(({ parts }) => parts === old.parts)
      const listener = this.#listeners.get(old)
      if (!heir || !listener) continue
      this.#listeners.delete(old)
      this.#listeners.set(heir, listener)
    }
    this.#running = next
    for (const running of next) {
      const isOpen = isKept(running.parts, before) && !this.#unopened.has(running.parts)
      if (isOpen) this.#reload(running)
      else await this.#tryOpen(running)
    }
    this.#retryLater()
  }

  async #tryOpen(running: RunningExporter): Promise<void> {
    try {
      await this.#open(running)
      this.#unopened.delete(running.parts)
    } catch (err) {
      const problem = (err as Error).message
      // One line an outage, not one an attempt.
      if (this.#unopened.get(running.parts) !== problem)
        this.#deps.env.log.error('Exporter could not open its address; it is tried again', {
          exporter: running.name,
          err,
        })
      this.#unopened.set(running.parts, problem)
    }
  }

  #retryLater(): void {
    this.#retryTimer?.cancel()
    if (this.#unopened.size === 0) return
    this.#retryTimer = this.#deps.env.clock.setTimer(RETRY_MS, () => {
      void this.#inTurn(async () => {
        for (const each of this.#running) if (this.#unopened.has(each.parts)) await this.#tryOpen(each)
        this.#retryLater()
      })
    })
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#retryTimer?.cancel()
      await Promise.all(this.#running.map((running) => this.#close(running)))
      this.#running = []
    })
  }

  #create(config: ExporterConfig): RunningExporter {
    const parts = createParts(config, this.#deps)
    const { env, version } = this.#deps
    const { program } = parts[0]!.exporter
    const page = async (request: PageRequest = {}): Promise<readonly MetricFamily[]> => {
      const families = await pageOf(parts, request)
      if (!program) return families
      const own = programFamilies(program, env, version)
      // Whoever sends metrics may call them as the process's own; those of pushes have labels that keep them apart.
      if (config.name === 'push') return mergeFamilies([...families, ...own])
      if (!SENT_TO.has(config.name)) return [...families, ...own]
      const names = new Set(own.map(({ name }) => name))
      return [...families.filter(({ name }) => !names.has(name)), ...own]
    }
    const problem = (part: ExporterPart): string => this.#problems.get(part) ?? ''
    return { name: config.name, config, parts, problem, page }
  }

  /** What is open already stays. @throws the first of what could not be opened, when all else is in place */
  async #open(running: RunningExporter): Promise<void> {
    const problems: unknown[] = []
    for (const part of running.parts) {
      if (this.#started.has(part)) continue
      try {
        await part.exporter.start?.()
        this.#started.add(part)
        this.#problems.delete(part)
      } catch (error) {
        this.#problems.set(part, error instanceof Error ? error.message : String(error))
        problems.push(error)
      }
    }
    await this.#serve(running).catch((error: unknown) => problems.push(error))
    if (problems.length > 0) throw problems[0]
  }

  async #serve(running: RunningExporter): Promise<void> {
    const { listen, path, lifecycle } = webOptions(running.config)
    if (listen === '' || this.#listeners.has(running)) return
    const { env } = this.#deps
    const handler = exporterEndpoint(running, { path, lifecycleEnabled: lifecycle || this.#lifecycleEnabled })
    const { serverTls } = this.#web
    const exposed = exposureWarning(parseAddress(listen).host, this.#web)
    if (exposed) env.log.warn(exposed, { exporter: running.name, listen })
    const listener = await env.net.serveHttp({ ...parseAddress(listen), handler: this.#web.guard(handler), serverTls })
    this.#listeners.set(running, listener)
    env.log.info('Exporter is served', { exporter: running.name, listen, path })
  }

  /** Files that its flags name may have changed while the flags did not. */
  #reload(running: RunningExporter): void {
    for (const { exporter } of running.parts) {
      try {
        exporter.reload?.()
      } catch (err) {
        this.#deps.env.log.error('An exporter keeps its files of before', { exporter: running.name, err })
      }
    }
  }

  async #close(running: RunningExporter): Promise<void> {
    await this.#listeners.get(running)?.close(500)
    this.#listeners.delete(running)
    this.#unopened.delete(running.parts)
    await Promise.all(running.parts.map(({ exporter }) => exporter.close()))
  }
}

/** Labels, jobs and intervals are the scrape's, and may change while the exporter goes on. */
function fingerprint({ name, listen, flags, targets }: ExporterConfig): string {
  return JSON.stringify([name, listen, flags, targets])
}

type Source = {
  readonly config: Pick<ExporterConfig, 'job' | 'intervalMs' | 'labels'>
  readonly name: string
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
  readonly collect: (timeoutMs: number) => Promise<readonly MetricFamily[]>
  /** Job and instance of pushed metrics are those of whoever pushed them. */
  readonly honorLabels?: boolean
}

/**
 * The in-process targets that scrape the exporters. `instance` is HOST:PORT as it would be if a Prometheus scraped them,
 * so that dashboards keep their labels: the port of an exporter that listens on one of its own, else the agent's; of a
 * target of its own, that target's.
 */
export function exporterTargets(
  config: AgentConfig,
  running: readonly RunningExporter[],
  own: () => Promise<readonly MetricFamily[]>,
  agentAddress: { readonly host: string; readonly port: number },
): ScrapeTargetConfig[] {
  const instanceAt = (port: number): string => `${agentAddress.host}:${port}`
  const sources: Source[] = running.flatMap((exporter) => {
    const { name, config, parts, page } = exporter
    const { job, intervalMs, labels, targets } = config
    const common = { job, intervalMs, labels }
    const collect = (part: ExporterPart, ask: (timeoutMs: number) => ReturnType<typeof page>): Source['collect'] => {
      return async (timeoutMs) => {
        const problem = exporter.problem(part)
        if (problem !== '') throw new Error(problem)
        return ask(timeoutMs)
      }
    }
    if (targets.length === 0) {
      const all = collect(parts[0]!, (timeoutMs) => page({ timeoutMs }))
      const { listen } = webOptions(config)
      const instance = instanceAt((listen !== '' && parseAddress(listen).port) || agentAddress.port)
      return [{ config: common, name, instance, labels: {}, collect: all, honorLabels: name === 'push' }]
    }
    return parts.map(
      (part): Source => ({
        config: common,
        name: `${name}?instance=${encodeURIComponent(part.instance)}`,
        instance: part.instance,
        labels: part.labels,
        collect: collect(part, (timeoutMs) => part.exporter.collect(undefined, timeoutMs)),
      }),
    )
  })
  const agent = { job: 'heliograph-agent', intervalMs: null, labels: {} }
  sources.push({ config: agent, name: 'agent', instance: instanceAt(agentAddress.port), labels: {}, collect: own })
  return sources.map(
    ({ config: { job, intervalMs, labels }, name, instance, labels: ownLabels, collect, honorLabels }) => {
      const interval = intervalMs ?? config.global.scrapeIntervalMs
      const timeoutMs = Math.min(interval, SCRAPE_TIMEOUT_MS)
      const shown = labelsFrom({ job, instance, ...labels, ...ownLabels })
      return withTargetDefaults({
        job,
        source: { kind: 'collect', name: `/metrics/${name}`, collect: () => collect(timeoutMs) },
        labels: shown,
        discoveredLabels: shown,
        intervalMs: interval,
        timeoutMs,
        honorLabels: honorLabels ?? false,
      })
    },
  )
}

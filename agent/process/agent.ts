/** The agent put together: identity, ring, scrapes, uplink, local HTTP. */
import {
  type AgentConfig,
  type BudgetConfig,
  directoryOf,
  loadAgentConfig,
  parseAddress,
} from '../../protocol/config/mod.ts'
import type { Env, Listener, RingStore, Timer } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { inboxPrefix } from '../../protocol/identity/mod.ts'
import type { Presence } from '../../protocol/presence/mod.ts'
import { Budget } from '../budget/mod.ts'
import { type Discovered, DiscoveryManager } from '../discovery/mod.ts'
import { connectNats, type NatsBus } from '../env/nats-bus.ts'
import { sqliteRingStore } from '../env/ring-store.ts'
import { createRuntimeStats } from '../env/runtime-stats.ts'
import { runtimeSha256 } from '../env/sha256.ts'
import { exposureWarning, openWebAccess, type WebAccess } from '../env/web-access.ts'
import { runtimeZstd } from '../env/zstd.ts'
import { Announcer } from '../presence/mod.ts'
import { Recorder } from '../ring/mod.ts'
import { RingSelector, serveRingBus } from '../ring-query/mod.ts'
import { ScrapeManager } from '../scrape/mod.ts'
import { Uplink } from '../uplink/mod.ts'
import type { ErrorLog } from './error-log.ts'
import { ExporterSet, exporterTargets } from './exporter-set.ts'
import { loadExporters } from './exporters.ts'
import { type AgentIdentity, ensureEnrolled, hostName, loadIdentity } from './identity.ts'
import { localApi } from './local-api.ts'
import { type AgentStatus, hubStatus, operationApi, ringStatus } from './operation-api.ts'
import { type LastReload, reloadFamilies, ringFamilies, uplinkFamilies } from './self-metrics.ts'

export type AgentOptions = {
  readonly configFile: string
  readonly listen: string
  /** TLS and passwords of every endpoint; '' = neither. */
  readonly webConfigFile: string
  readonly errors: ErrorLog
  readonly storagePath: string
  readonly lifecycleEnabled: boolean
  /** Targets are asked for start timestamps. */
  readonly startTimestamps?: boolean
  readonly version: string
  /** Variables of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The disk can no longer be trusted, or somebody asked over HTTP: stop the process with this code. */
  readonly onStop: (exitCode: number) => void
}

const DRAIN_MS = 1500
/** Fresh batches under way so long are not yet called backlog, however small their age. */
const FRESH_MS_MIN = 2500
/** For targets of an earlier life: a discovery may take so long to find them again. */
const DISCOVERY_GRACE_MS = 60_000
/** Of the first scrape of all targets, once it has begun. */
const SETTLE_MS = 1000
const BATCH_AGE_MS_MIN = 250
const BATCH_AGE_MS_MAX = 5000

/**
 * How long samples wait for company. `rate()` extrapolates to the end of its window only while the newest sample is at
 * most 1.1 intervals old, so the way to the hub may take a tenth of an interval and no more, or rates at "now" are too
 * low. Links that cost more than that accuracy set `batch_age` themselves: longer batches are smaller per sample.
 */
export function batchAge(config: AgentConfig): number {
  if (config.storage.batchAgeMs !== null) return config.storage.batchAgeMs
  const shortest = Math.min(...intervalsOf(config))
  return Math.min(BATCH_AGE_MS_MAX, Math.max(BATCH_AGE_MS_MIN, shortest / 20))
}

function intervalsOf({ global, scrapeConfigs, exporters }: AgentConfig): number[] {
  return [
    global.scrapeIntervalMs,
    ...scrapeConfigs.map((job) => job.scrapeIntervalMs),
    ...exporters.map((exporter) => exporter.intervalMs ?? global.scrapeIntervalMs),
  ]
}

export class Agent {
  readonly #env: Env
  readonly #options: AgentOptions
  readonly #stats = createRuntimeStats()
  readonly #stopping = new AbortController()
  #config: AgentConfig
  readonly #directory: string
  readonly #identity: AgentIdentity
  readonly #web: WebAccess
  readonly #startedMs: number
  readonly #exporters: ExporterSet
  #ring: RingStore | null = null
  #recorder: Recorder | null = null
  #selector: RingSelector | null = null
  #budget: Budget | null = null
  #announcer: Announcer | null = null
  #manager: ScrapeManager | null = null
  #discovery: DiscoveryManager | null = null
  #discovered: Discovered = { targets: [], dropped: [], problems: [] }
  #bus: NatsBus | null = null
  #uplink: Uplink | null = null
  #listener: Listener | null = null
  #departedTimer: Timer | null = null
  #ready = false
  #lastReload: LastReload

  /** Reads the configuration and the key; starts nothing yet. @throws ConfigError, DiskError */
  constructor(env: Env, options: AgentOptions) {
    this.#env = env
    this.#options = options
    this.#config = this.#load()
    this.#directory = options.storagePath || this.#config.storage.path
    const { version, environment, lifecycleEnabled } = options
    this.#startedMs = env.clock.now()
    this.#lastReload = { isOk: true, okMs: this.#startedMs }
    this.#web = openWebAccess(options.webConfigFile, env)
    this.#exporters = new ExporterSet(
      { env, stats: this.#stats, version, environment },
      { lifecycleEnabled, web: this.#web },
    )
    this.#identity = loadIdentity(env, this.#config, this.#directory, environment)
  }

  get address(): string {
    const { host, port } = this.#listener!.address
    return `${host}:${port}`
  }

  /** @throws ExporterError for an exporter that cannot be had as configured, before anything is started */
  async start(): Promise<void> {
    const { clock, log, net, pool, random } = this.#env
    const { agent, signer } = this.#identity
    const config = this.#config
    await loadExporters(config)
    const exporters = this.#exporters.prepare(config)
    const local = localApi({
      exporters: () => this.#exporters.running,
      ring: () => this.#selector,
      now: () => clock.now(),
      own: () => this.#ownFamilies(),
      targets: () => this.#manager?.targets() ?? [],
      droppedTargets: () => this.#discovered.dropped,
      isReady: () => this.#ready,
      lifecycleEnabled: this.#options.lifecycleEnabled,
      reload: () => this.reload(),
      quit: () => this.#options.onStop(0),
      version: this.#options.version,
    })
    const api = operationApi(
      () => this.#status(),
      () => this.#options.errors.list(),
      local,
    )
    const address = parseAddress(this.#options.listen)
    const exposed = exposureWarning(address.host, this.#web)
    if (exposed) log.warn(exposed, { listen: this.#options.listen })
    this.#listener = await net.serveHttp({
      ...address,
      handler: this.#web.guard(api),
      serverTls: this.#web.serverTls,
    })
    await this.#exporters.apply(exporters)
    const { maxBytes: capBytes, maxAgeMs } = config.storage
    const ring = sqliteRingStore({ pool, directory: `${this.#directory}/ring`, capBytes, maxAgeMs })
    this.#ring = ring
    this.#selector = new RingSelector(ring, runtimeZstd)
    const recorder = await Recorder.open({
      agent,
      ring,
      clock,
      log: log.with({ component: 'ring' }),
      signer,
      hasher: runtimeSha256,
      compressor: runtimeZstd,
      batchAgeMs: batchAge(config),
      // An age that somebody chose is for the link's sake.
      sealWhenSettled: config.storage.batchAgeMs === null,
      onFatal: (err) => {
        log.error('The ring failed; stopping', { err })
        this.#options.onStop(1)
      },
    })
    this.#recorder = recorder
    this.#budget = config.budget && this.#openBudget(config.budget, recorder)
    this.#manager = new ScrapeManager({
      clock,
      net,
      disk: this.#env.disk,
      log: log.with({ component: 'scrape' }),
      sink: this.#budget?.sink ?? recorder,
      offsetSeed: agent,
      userAgent: `Heliograph/${this.#options.version}`,
      initialSeries: (target) => recorder.previousSeries(target).map(({ labels }) => labels),
    })
    this.#discovery = new DiscoveryManager({
      clock,
      net,
      disk: this.#env.disk,
      log,
      userAgent: `Heliograph/${this.#options.version}`,
      directory: directoryOf(this.#options.configFile),
      environment: this.#options.environment,
      onTargets: (discovered) => this.#applyTargets(discovered),
    })
    await this.#discovery.apply(config.scrapeConfigs)
    this.#endDepartedLater(recorder)
    this.#ready = true
    void this.#connect(ring, recorder, random).catch((err) => {
      if (!this.#stopping.signal.aborted) log.error('The uplink could not be started', { err })
    })
    log.info('Agent is ready', { agent, key: this.#identity.publicKey, listen: this.address, data: this.#directory })
  }

  /** A bad file changes nothing but the log. @throws ConfigError, ExporterError */
  async reload(): Promise<void> {
    try {
      await this.#reload()
      this.#lastReload = { isOk: true, okMs: this.#env.clock.now() }
    } catch (err) {
      // Whoever asked over HTTP may be a script that nobody reads.
      this.#env.log.error('Error reloading config; the running one is kept', { err })
      this.#lastReload = { ...this.#lastReload, isOk: false }
      throw err
    }
  }

  async #reload(): Promise<void> {
    if (this.#discovery === null) throw new Error('the agent is still starting; reload again once it is ready')
    const before = this.#config
    const next = this.#load()
    await loadExporters(next)
    const exporters = this.#exporters.prepare(next)
    const fixed = (config: AgentConfig): string =>
      JSON.stringify([config.id, config.site, config.hub, config.nats, config.storage, config.budget])
    if (fixed(next) !== fixed(before))
      this.#env.log.warn('Changes of agent, hub, nats, storage and budget take effect at the next start')
    this.#config = next
    await this.#exporters.apply(exporters)
    await this.#discovery.apply(next.scrapeConfigs)
    this.#env.log.info('Configuration reloaded', { file: this.#options.configFile })
  }

  /** Seals and commits what was collected, gives the hub a moment to take it, and closes the ring. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#ready = false
    this.#departedTimer?.cancel()
    this.#discovery?.stop()
    await this.#manager?.stop()
    this.#budget?.stop()
    this.#announcer?.stop()
    await this.#recorder?.flush()
    await this.#drain()
    this.#uplink?.stop()
    await this.#bus?.close()
    await this.#recorder?.close()
    await this.#listener?.close(500)
    await this.#exporters.close()
    this.#stats.close()
  }

  /** Waits a moment for acknowledgements under way: what is not acknowledged stays in the ring and is sent again. */
  async #drain(): Promise<void> {
    const { clock } = this.#env
    const until = clock.monotonic() + DRAIN_MS
    while (
      (this.#uplink?.stats().inFlightBatches ?? 0) > 0 &&
      this.#bus?.status === 'connected' &&
      clock.monotonic() < until
    )
      await clock.sleep(20)
  }

  #load(): AgentConfig {
    const { configFile, startTimestamps = false } = this.#options
    return loadAgentConfig(this.#env.disk.readText(configFile), { file: configFile, startTimestamps })
  }

  async #applyTargets(discovered: Discovered): Promise<void> {
    this.#discovered = discovered
    for (const problem of discovered.problems) this.#env.log.warn('Target is not scraped', { err: problem })
    const address = { host: hostName(this.#env), port: this.#listener!.address.port }
    const own = exporterTargets(this.#config, this.#exporters.running, () => this.#ownFamilies(), address)
    await this.#manager!.apply([...own, ...discovered.targets])
  }

  /**
   * Series of targets that this configuration no longer has. Only once the others have been scraped: what one of them
   * shows now lives on. Before that, a stop leaves the question to the next start.
   */
  #endDepartedLater(recorder: Recorder): void {
    if (recorder.previousTargets().length === 0) return
    const { scrapeConfigs } = this.#config
    const isDiscovered = scrapeConfigs.some((job) => job.discovery.some(({ kind }) => kind !== 'static'))
    const delayMs = Math.max(...intervalsOf(this.#config)) + SETTLE_MS + (isDiscovered ? DISCOVERY_GRACE_MS : 0)
    this.#departedTimer = this.#env.clock.setTimer(delayMs, () => {
      for (const { target, slotMs, intervalMs } of recorder.previousTargets()) {
        const series = recorder.previousSeries(target).map(({ labels }) => labels)
        this.#manager!.endDeparted({ key: target, slotMs, intervalMs, series })
      }
    })
  }

  async #connect(ring: RingStore, recorder: Recorder, random: Env['random']): Promise<void> {
    const { clock, disk, log } = this.#env
    const { nats, hub, site } = this.#config
    if (!nats && !hub) {
      log.warn('No hub and no nats are configured: samples are kept in the ring and served locally only')
      return
    }
    await ensureEnrolled(
      this.#env,
      this.#config,
      this.#identity,
      this.#directory,
      this.#stopping.signal,
      this.#options.environment,
    )
    if (this.#stopping.signal.aborted) return
    const servers = nats ? [nats.url] : [`${hub!.url.replace(/^http/, 'ws')}/nats`]
    const { agent, seed } = this.#identity
    const nkeySeed = nats?.nkeyFile ? disk.readText(nats.nkeyFile).trim() : seed
    const byPassword = Boolean(nats && (nats.user || nats.token.reveal() || nats.credsFile))
    let lastProblem = ''
    const bus = connectNats({
      servers,
      name: agent,
      inboxPrefix: inboxPrefix(agent),
      ...(!byPassword && { nkeySeed }),
      ...(nats?.user && { user: nats.user, pass: nats.password.reveal() }),
      ...(nats?.token.reveal() && { token: nats.token.reveal() }),
      ...(nats?.credsFile && { creds: disk.readText(nats.credsFile) }),
      onError: (err) => {
        // One line an outage, not one an attempt.
        if (err.message !== lastProblem) log.warn('Bus', { servers: servers.join(','), err })
        lastProblem = err.message
      },
    })
    bus.onStatus((status) => {
      if (status === 'connected') lastProblem = ''
      log.info('Bus', { servers: servers.join(','), status })
    })
    this.#bus = bus
    const uplink = new Uplink({
      bus,
      ring,
      clock,
      random,
      log: log.with({ component: 'uplink' }),
      agent,
      site,
      batchAgeMs: Math.max(batchAge(this.#config), FRESH_MS_MIN),
      ...(this.#budget && { pacer: this.#budget.pacer }),
      onMisses: (misses) => recorder.takeMisses(misses),
      onKeyframeLost: () => recorder.forceKeyframe(),
    })
    recorder.onCommitted((batch) => uplink.offer(batch))
    this.#uplink = uplink
    uplink.start()
    this.#announcer = new Announcer({ bus, clock, random, presence: () => this.#presence() })
    this.#announcer.start()
    serveRingBus(bus, agent, { ask: () => ({ ring: this.#selector!, nowMs: clock.now() }), log })
  }

  #presence(): Presence {
    const { port } = this.#listener!.address
    return {
      agent: this.#identity.agent,
      site: this.#config.site,
      version: this.#options.version,
      address: `${hostName(this.#env)}:${port}`,
      exporters: this.#exporters.running.map(({ name }) => name),
      startedMs: this.#startedMs,
    }
  }

  #openBudget(config: BudgetConfig, recorder: Recorder): Budget {
    return new Budget({
      env: this.#env,
      config,
      file: `${this.#directory}/budget.json`,
      recorder,
      madeBytes: () => recorder.stats().sealedBytes,
    })
  }

  async #status(): Promise<AgentStatus> {
    const { hub, nats } = this.#config
    const url = nats?.url ?? hub?.url
    const health = { up: 0, down: 0, unknown: 0 }
    for (const target of this.#manager?.targets() ?? []) health[target.health]++
    return {
      version: this.#options.version,
      agent: this.#identity.agent,
      publicKey: this.#identity.publicKey,
      isReady: this.#ready,
      startedMs: this.#startedMs,
      nowMs: this.#env.clock.now(),
      hub: url === undefined ? null : hubStatus(url, this.#uplink?.stats() ?? null),
      ring: this.#ring && this.#ready ? ringStatus(await this.#ring.stats()) : null,
      targets: health,
      errors: this.#options.errors.list(),
    }
  }

  async #ownFamilies(): Promise<readonly MetricFamily[]> {
    const out: MetricFamily[] = reloadFamilies(this.#lastReload)
    if (this.#ring && this.#recorder && this.#ready)
      out.push(...ringFamilies(await this.#ring.stats(), this.#recorder.stats(), this.#env.clock.now()))
    if (this.#uplink) out.push(...uplinkFamilies(this.#uplink.stats()))
    if (this.#manager) out.push(...this.#manager.families())
    if (this.#discovery) out.push(...this.#discovery.families())
    if (this.#budget) out.push(...this.#budget.families())
    out.push({
      name: 'heliograph_build_info',
      help: "A metric with a constant '1' value labeled by version and program.",
      type: 'gauge',
      metrics: [{ labels: ['program', 'agent', 'version', this.#options.version], value: 1 }],
    })
    return out
  }
}

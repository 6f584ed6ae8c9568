/** The hub put together: bus, ingest, queries, rules, alerts, its own scrapes, HTTP. */
import os from 'node:os'
import process from 'node:process'
import { type Discovered, DiscoveryManager } from '../../agent/discovery/mod.ts'
import { runtimeVerifier } from '../../agent/env/ed25519.ts'
import { connectNats, type NatsBus } from '../../agent/env/nats-bus.ts'
import { createRuntimeStats } from '../../agent/env/runtime-stats.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { exposureWarning, openWebAccess } from '../../agent/env/web-access.ts'
import { ScrapeManager } from '../../agent/scrape/mod.ts'
import type { Exporter } from '../../exporters/contract.ts'
import { createNodejsExporter } from '../../exporters/nodejs/mod.ts'
import { directoryOf, parseAddress } from '../../protocol/config/mod.ts'
import type { Bus, Env, Listener } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type AgentRecord, type AgentRegistry, createRegistry } from '../agents/mod.ts'
import type { Dispatcher } from '../alerts/mod.ts'
import { type BuildInfo, createApp, Reloads } from '../api/mod.ts'
import { type BusServer, createBusServer } from '../bus/mod.ts'
import { compressBytes } from '../env/compress.ts'
import type { StreamFeed } from '../env/jetstream.ts'
import { createQueryPool } from '../env/query-pool.ts'
import { threadCpuMs } from '../env/thread-cpu.ts'
import { createIngest, type Ingest } from '../ingest/mod.ts'
import type { Notifier } from '../notifier/mod.ts'
import { PresenceBoard } from '../presence/mod.ts'
import { ActiveQueries, InPlace, QueryLog, QueryService, type QuerySettings } from '../query/mod.ts'
import { type ActiveAlert, RuleManager } from '../rules/mod.ts'
import { releaseOwner } from '../tsdb/mod.ts'
import { alertStateFamilies } from './alert-state-metrics.ts'
import { type Alerting, startAlerting } from './alerting.ts'
import { BlockKeeper } from './blocks.ts'
import { ConfigSources } from './config-sources.ts'
import { headFamilies } from './head-metrics.ts'
import { ingestOptions } from './ingest-options.ts'
import { describeRetention, floorsOf, retentionLimits } from './kept.ts'
import { isApproved, knownAgents } from './known-agents.ts'
import { type LoadedConfig, loadAll, noticesOf } from './load.ts'
import { alertMapping, createNotifier, outgoing } from './notify.ts'
import { openQueryLog } from './query-log-file.ts'
import { createRemoteWriter, timesOf } from './remote-write.ts'
import { Retention } from './retention.ts'
import { askForRule, writeOfRule } from './rule-doors.ts'
import {
  alertFamilies,
  busFamilies,
  ingestFamilies,
  processFamilies,
  queryFamilies,
  ruleFamilies,
} from './self-metrics.ts'
import type { HubSettings } from './settings.ts'
import { serveEmbedded, serveNats } from './streams.ts'
import { newAdminToken, offerEnrolment } from './token-files.ts'
import { WhenRoom } from './when-room.ts'

export type HubOptions = {
  readonly settings: HubSettings
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly build: BuildInfo
  readonly uiFolder: string
  readonly onStop: (exitCode: number) => void
}

export class Hub {
  readonly #env: Env
  readonly #options: HubOptions
  readonly #startedMs: number
  readonly #stats = createRuntimeStats()
  readonly #exporter: Exporter
  readonly #notifier: Notifier
  readonly #remoteWrite: ReturnType<typeof createRemoteWriter>
  #loaded: LoadedConfig
  /** Of the last attempt to load, whether or not it went well. */
  #sources!: ConfigSources
  readonly #reloads: Reloads
  #discovery: DiscoveryManager | null = null
  #dropped: Discovered['dropped'] = []
  #registry!: AgentRegistry
  #ingest!: Ingest
  #query!: QueryService
  #blocks!: BlockKeeper
  #queryLog!: QueryLog
  #activeQueries!: ActiveQueries
  #rules!: RuleManager
  #scrapes!: ScrapeManager
  #retention!: Retention
  #alerting: Alerting | null = null
  #dispatcher: Dispatcher | null = null
  #bus: BusServer | null = null
  #localBus: Bus | null = null
  #presence!: PresenceBoard
  #nats: NatsBus | null = null
  #feed: StreamFeed | null = null
  #http!: Listener
  #ready = false
  readonly #whenRoom: WhenRoom

  /** Loads the configuration; starts nothing. @throws ConfigError, DiskError */
  constructor(env: Env, options: HubOptions) {
    this.#env = env
    this.#options = options
    this.#startedMs = env.clock.now()
    this.#exporter = createNodejsExporter(this.#stats, env)
    this.#notifier = createNotifier(env, options)
    this.#remoteWrite = createRemoteWriter(env, options, () => this.#ingest.share())
    this.#whenRoom = new WhenRoom(env)
    this.#loaded = this.#load()
    this.#reloads = new Reloads(env.clock, options.settings.maxNotificationSubscribers)
  }

  /** Differs whenever the files of the configuration do. */
  get configState(): string {
    return this.#sources.state(this.#env.disk)
  }

  get address(): string {
    const { host, port } = this.#http.address
    return `${host}:${port}`
  }

  async start(): Promise<void> {
    const { clock, disk, log, random } = this.#env
    const { settings } = this.#options
    const { hub } = this.#loaded.prometheus
    disk.makeDirectory(settings.dataPath)
    // The event loop is watched from the first look at it: the first page tells of the start, too.
    this.#stats.snapshot()
    const pool = createQueryPool({
      ...(settings.queryThreads > 0 && { threads: settings.queryThreads }),
      // The log is about to be replayed: what is asked right after finds a worker.
      isAhead: disk.stat(`${settings.dataPath}/wal`) !== null,
    })
    this.#ingest = await createIngest(this.#env, {
      ...ingestOptions(settings, this.#loaded.prometheus),
      synced: this.#remoteWrite.synced.memory,
    })
    this.#ingest.onFatal((err) => {
      log.error('Storage failed; stopping, to recover from disk at the next start', { err })
      this.#options.onStop(1)
    })
    this.#registry = createRegistry({
      disk,
      clock,
      random,
      log: log.with({ component: 'agents' }),
      verifier: runtimeVerifier(),
      sha256: runtimeSha256.sha256,
      path: `${settings.dataPath}/agents.json`,
    })
    this.#registry.onChange((record) => this.#agentChanged(record))
    this.#presence = new PresenceBoard(clock, (agent) => isApproved(this.#registry, agent))
    this.#announceAgents()
    this.#queryLog = new QueryLog({ disk, clock, log: log.with({ component: 'query' }) })
    this.#activeQueries = new ActiveQueries(`${settings.dataPath}/queries.active`, {
      disk,
      log: log.with({ component: 'query' }),
      slots: 3 * settings.maxConcurrency,
    })
    this.#blocks = await BlockKeeper.open({
      env: this.#env,
      ingest: this.#ingest,
      directory: settings.dataPath,
      blockMs: settings.blockMs,
      logLevel: settings.logLevel,
      logFormat: settings.logFormat,
      limits: () => retentionLimits(settings, this.#loaded),
      floors: (nowMs) => floorsOf(settings, this.#loaded, nowMs),
    })
    this.#query = new QueryService({
      pool,
      clock,
      log: log.with({ component: 'query' }),
      share: () => this.#ingest.share(),
      blocks: () => this.#blocks.view(),
      onDamage: (what) => this.#blocks.sawDamage(what),
      releaseOwner: (owner) => void releaseOwner(this.#ingest.share(), owner),
      maxConcurrency: settings.maxConcurrency,
      queryLog: this.#queryLog,
      activeQueries: this.#activeQueries,
      inPlace: new InPlace({
        share: () => this.#ingest.share(),
        blocks: () => this.#blocks.view(),
        now: clock.monotonic,
        cpuMs: threadCpuMs,
      }),
    })
    this.#retention = new Retention({
      ...this.#env,
      ingest: this.#ingest,
      limits: () => retentionLimits(settings, this.#loaded),
      hasBlocks: () => this.#blocks.state().count > 0,
    })
    this.#scrapes = new ScrapeManager({
      ...this.#env,
      log: log.with({ component: 'scrape' }),
      sink: this.#ingest.localSink('hub'),
      offsetSeed: hub.id,
      userAgent: `Heliograph/${this.#options.build.version}`,
    })
    await this.#serve()
    this.#startRules()
    await this.#apply()
    this.#offerToken()
    this.#retention.start()
    this.#blocks.start()
    this.#ready = true
    log.info('Hub is ready', {
      listen: this.address,
      data: settings.dataPath,
      bus: hub.nats ? hub.nats.url : (hub.busListen ?? 'websocket only'),
      threads: this.#query.threads,
    })
  }

  /** A bad file changes nothing. @throws ConfigError, DiskError */
  async reload(): Promise<void> {
    const { clock, log } = this.#env
    const atMs = clock.now()
    let next: LoadedConfig
    try {
      next = this.#load()
    } catch (error) {
      this.#reloads.failed()
      throw error
    }
    const fixed = ({ prometheus: { hub } }: LoadedConfig): string =>
      JSON.stringify({ ...hub, identityLabels: undefined, retention: undefined, downsampling: undefined })
    if (fixed(next) !== fixed(this.#loaded))
      log.warn(
        'Changes of id, bus, nats, cluster, enrollment and limits under heliograph take effect at the next start',
      )
    this.#loaded = next
    this.#announceAgents()
    await this.#apply()
    this.#reloads.succeeded(atMs)
    log.info('Completed loading of configuration file', { file: this.#options.settings.configFile })
  }

  async stop(): Promise<void> {
    this.#ready = false
    this.#whenRoom.stop()
    this.#retention?.stop()
    this.#discovery?.stop()
    await this.#scrapes?.stop()
    await this.#rules?.stop()
    await this.#alerting?.stop()
    await this.#notifier.stop()
    await this.#remoteWrite.stop()
    await this.#feed?.stop()
    await this.#bus?.stop(500)
    await this.#nats?.close()
    await this.#http?.close(1000)
    await this.#query?.close()
    await this.#blocks?.stop()
    this.#queryLog?.close()
    this.#activeQueries?.close()
    await this.#ingest?.close()
    this.#stats.close()
  }

  #load(): LoadedConfig {
    const { settings, environment } = this.#options
    this.#sources = new ConfigSources()
    return loadAll(this.#sources.recording(this.#env.disk), {
      configFile: settings.configFile,
      alertmanagerFile: settings.alertmanagerFile,
      environment,
      features: settings.features,
    })
  }

  async #serve(): Promise<void> {
    const { clock, log, net, random } = this.#env
    const { settings, uiFolder, build } = this.#options
    const { hub } = this.#loaded.prometheus
    const registry = this.#registry
    const ingest = this.#ingest
    if (!hub.nats) {
      const bus = createBusServer({
        clock,
        random,
        authenticate: (claim) => registry.authenticate(claim),
        onPublish: () => ingest.whenRoom(),
        onEvent: ({ kind, identity, remoteAddress, detail }) =>
          log.warn('Bus', { kind, identity, remote: remoteAddress, detail }),
      })
      this.#localBus = bus.localBus('hub')
      serveEmbedded(this.#localBus, { ingest, log: log.with({ component: 'streams' }), hub: hub.id })
      this.#bus = bus
      if (hub.busListen) await bus.listen(net, parseAddress(hub.busListen))
    } else this.#connectNats(hub.nats)
    this.#presence.listen(this.#localBus ?? this.#nats!)
    const { handler, plain } = createApp({
      clock,
      disk: this.#env.disk,
      log: log.with({ component: 'api' }),
      query: this.#query,
      settings: () => this.#querySettings(),
      queryTimeoutMs: settings.queryTimeoutMs,
      ingest,
      registry,
      bus: () => this.#localBus ?? this.#nats,
      presence: this.#presence,
      adminToken: newAdminToken(this.#env, this.#whenRoom, settings.dataPath),
      groups: () => this.#rules?.groups ?? [],
      targets: () => this.#scrapes.targets(),
      droppedTargets: () => this.#dropped,
      scrapePools: () =>
        new Map(this.#loaded.prometheus.scrapeConfigs.map(({ jobName, relabel }) => [jobName, relabel])),
      externalLabels: () => this.#loaded.prometheus.global.externalLabels,
      reach: { externalUrl: this.#externalUrl(), listen: settings.listen },
      configTexts: () => this.#loaded.prometheus,
      flags: settings.all,
      build,
      startedMs: this.#startedMs,
      blocks: () => this.#blocks.state(),
      damages: () => this.#blocks.damages(),
      retention: () => describeRetention(settings, this.#loaded),
      host: { name: os.hostname(), directory: process.cwd() },
      reloads: this.#reloads,
      alertmanagers: () => this.#notifier.urls,
      droppedAlertmanagers: () => this.#notifier.dropped,
      dispatcher: () => this.#dispatcher,
      remoteWriteEnabled: settings.remoteWriteEnabled,
      otlpEnabled: settings.otlpEnabled,
      otlpSettings: () => this.#loaded.prometheus.otlp,
      lifecycleEnabled: settings.lifecycleEnabled,
      storage: settings.adminEnabled ? this.#blocks : null,
      reload: () => this.reload(),
      quit: () => this.#options.onStop(0),
      isReady: () => this.#ready,
      metrics: () => this.#metrics(),
      uiFolder,
      routePrefix: settings.routePrefix,
      corsOrigin: settings.corsOrigin,
      compress: compressBytes,
    })
    const bus = this.#bus
    const address = parseAddress(settings.listen)
    const web = openWebAccess(settings.webConfigFile, this.#env)
    const exposed = exposureWarning(address.host, web)
    if (exposed) log.warn(exposed, { listen: settings.listen })
    // Agents show a token there, and their key on the bus.
    const enrolment = `${settings.routePrefix}/api/v1/agents/enroll`
    this.#http = await net.serveHttp({
      ...address,
      handler: web.guard(handler, (path) => path === enrolment),
      plain: web.guardPlain(plain),
      serverTls: web.serverTls,
      maxConnections: settings.maxConnections,
      ...(bus && { webSockets: { [`${settings.routePrefix}/nats`]: (socket) => bus.accept(socket) } }),
    })
  }

  #connectNats(nats: NonNullable<LoadedConfig['prometheus']['hub']['nats']>): void {
    const { disk, log } = this.#env
    const { id } = this.#loaded.prometheus.hub
    let lastProblem = ''
    const bus = connectNats({
      servers: [nats.url],
      name: `heliograph-hub-${id}`,
      ...(nats.nkeyFile && { nkeySeed: disk.readText(nats.nkeyFile).trim() }),
      ...(nats.user && { user: nats.user, pass: nats.password.reveal() }),
      ...(nats.token.reveal() && { token: nats.token.reveal() }),
      ...(nats.credsFile && { creds: disk.readText(nats.credsFile) }),
      onError: (err) => {
        if (err.message !== lastProblem) log.warn('NATS', { server: nats.url, err })
        lastProblem = err.message
      },
    })
    bus.onStatus((status) => log.info('NATS', { server: nats.url, status, version: bus.serverVersion }))
    this.#nats = bus
    this.#feed = serveNats(bus, { ingest: this.#ingest, log: log.with({ component: 'streams' }), hub: id })
  }

  #startRules(): void {
    const { clock, log } = this.#env
    const { settings } = this.#options
    this.#rules = new RuleManager({
      clock,
      log: log.with({ component: 'rules' }),
      env: {
        query: (expr, timeMs, lookbackMs) => {
          const settings = this.#querySettings()
          return askForRule(this.#query, expr, timeMs, { ...settings, lookbackMs: lookbackMs ?? settings.lookbackMs })
        },
        append: (timeMs, samples) => writeOfRule(this.#ingest, timeMs, samples),
        notify: (alerts, expr) => this.#notify(alerts, expr),
        context: { externalLabels: this.#loaded.prometheus.global.externalLabels, externalUrl: this.#externalUrl() },
        resendDelayMs: settings.resendDelayMs,
        outageToleranceMs: settings.outageToleranceMs,
        forGracePeriodMs: settings.forGracePeriodMs,
      },
    })
  }

  /** Brings scrapes, rules and alerting to what is loaded. */
  async #apply(): Promise<void> {
    const { clock, disk, log, net } = this.#env
    const { settings } = this.#options
    const { prometheus, groups, alertmanager } = this.#loaded
    openQueryLog(this.#queryLog, prometheus.global.queryLogFile, settings.configFile, log)
    for (const notice of noticesOf(this.#loaded)) log.warn(notice)
    const { sizeBytes } = retentionLimits(settings, this.#loaded)
    this.#remoteWrite.apply(prometheus.remoteWrite, prometheus.global.externalLabels, sizeBytes)
    await this.#notifier.apply(prometheus.alerting.alertmanagers)
    this.#discovery ??= new DiscoveryManager({
      clock,
      net,
      disk,
      log,
      userAgent: `Heliograph/${this.#options.build.version}`,
      directory: directoryOf(settings.configFile),
      environment: this.#options.environment,
      onTargets: ({ targets, dropped, problems }) => {
        for (const problem of problems) log.warn('Part of the configuration is not acted upon', { err: problem })
        this.#dropped = dropped
        return this.#scrapes.apply(targets)
      },
    })
    await this.#discovery.apply(prometheus.scrapeConfigs)
    const { global } = prometheus
    this.#rules.apply(
      groups,
      { intervalMs: global.evaluationIntervalMs, queryOffsetMs: global.ruleQueryOffsetMs },
      { externalLabels: global.externalLabels, externalUrl: this.#externalUrl() },
    )
    if (alertmanager && this.#dispatcher) this.#dispatcher.reload(alertmanager)
    else if (alertmanager) {
      this.#alerting = startAlerting(this.#env, alertmanager, {
        settings,
        prometheus,
        nats: this.#nats,
        address: this.address,
        externalUrl: this.#externalUrl(),
      })
      this.#dispatcher = this.#alerting.dispatcher
    } else {
      await this.#alerting?.stop()
      this.#alerting = null
      this.#dispatcher = null
    }
  }

  #notify(alerts: readonly ActiveAlert[], expr: string): void {
    const out = outgoing(alerts, expr, alertMapping(this.#loaded.prometheus, this.#externalUrl()))
    if (out.length === 0) return
    this.#dispatcher?.receive(out)
    this.#notifier.send(out)
  }

  #querySettings(): QuerySettings {
    const { lookbackMs, maxSamples, maxSeries, features } = this.#options.settings
    const { evaluationIntervalMs } = this.#loaded.prometheus.global
    return { lookbackMs, maxSamples, maxSeries, defaultSubqueryStepMs: evaluationIntervalMs, features, stats: false }
  }

  #externalUrl(): string {
    const { externalUrl, listen, routePrefix } = this.#options.settings
    return externalUrl || `http://${listen.replace(/^0\.0\.0\.0/, 'localhost')}${routePrefix}`
  }

  #announceAgents(): void {
    this.#ingest.setAgents(knownAgents(this.#registry, this.#loaded.prometheus.hub.identityLabels))
  }

  #agentChanged({ agent, status }: AgentRecord): void {
    this.#announceAgents()
    if (status === 'revoked') this.#bus?.revoke(agent)
  }

  #offerToken(): void {
    const { enrollmentTokenFile: file, enrollmentTokenTtlMs: ttlMs } = this.#loaded.prometheus.hub
    if (!file) return
    this.#whenRoom.write('a one-time enrolment token', () => offerEnrolment(this.#env, this.#registry, { file, ttlMs }))
  }

  async #metrics(): Promise<MetricFamily[]> {
    const range = timesOf(this.#ingest.share())
    const status = await this.#ingest.status()
    const { settings, build } = this.#options
    return [
      ...(await this.#exporter.collect()),
      ...headFamilies(status, range),
      ...ingestFamilies(status),
      ...this.#blocks.families(),
      ...queryFamilies(this.#query.counters, settings.maxConcurrency, this.#queryLog),
      ...ruleFamilies(this.#rules),
      ...this.#scrapes.families(),
      ...(this.#discovery?.families() ?? []),
      ...this.#notifier.families(),
      ...this.#remoteWrite.families(),
      ...(this.#bus ? busFamilies(this.#bus.stats) : []),
      ...(this.#dispatcher ? [...alertFamilies(this.#dispatcher), ...alertStateFamilies(this.#dispatcher)] : []),
      ...processFamilies(build, this.#reloads, this.#ready),
    ]
  }
}

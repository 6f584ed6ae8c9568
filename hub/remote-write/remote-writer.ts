/** The main thread's side: what is configured, the thread that reads for it, and the requests of each endpoint. */
import { HttpAccess, type OauthTokens } from '../../agent/discovery/mod.ts'
import { joinPath, type Oauth2Config, type RemoteWriteConfig } from '../../protocol/config/mod.ts'
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Env, type Logger, shownUrl, type Timer, type WorkerHandle } from '../../protocol/env/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import { SyncedEnd, segmentOf } from '../wal/mod.ts'
import { forgetOthers } from './cursor.ts'
import { DesiredShards, UPDATE_EVERY_MS } from './desired-shards.ts'
import { Endpoint, type Reach } from './endpoint.ts'
import { remoteWriteFamilies, type Shown } from './families.ts'
import type { EndpointSpec, EndpointState, FromRemoteWrite, RemoteWriteWorkerData, ToRemoteWrite } from './messages.ts'
import { addTo, type newDrops, newTally } from './tally.ts'

export type RemoteWriterOptions = Pick<RemoteWriteWorkerData, 'directory' | 'logLevel' | 'logFormat'> & {
  /** Where relative paths of the configuration begin. */
  readonly configDirectory: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly userAgent: string
  /** Of all samples; -Infinity when there is none. */
  readonly newestMs: () => number
  /** Entry module of the thread; default hub/env/remote-write-worker.ts. */
  readonly workerUrl?: string
}

/** A thread that died is begun anew after this. */
const RESPAWN_MS = 5000
/** More than what the thread gives its pipelines to end. */
const STOP_MS = 4000

type One = {
  spec: EndpointSpec
  config: RemoteWriteConfig
  readonly endpoint: Endpoint
  readonly shards: DesiredShards
  state: EndpointState | null
  wantedShards: number
  /** What it is to be once the thread has closed it; undefined: nothing is awaited, null: gone. */
  next: EndpointSpec | null | undefined
}

export class RemoteWriter {
  /** To be given to whoever writes the log. Until `apply`, all of it is kept. */
  readonly synced = new SyncedEnd()
  readonly #env: Env
  readonly #options: RemoteWriterOptions
  readonly #log: Logger
  readonly #ones = new Map<string, One>()
  readonly #tokens = new WeakMap<Oauth2Config, OauthTokens>()
  #worker: WorkerHandle | null = null
  #timer: Timer | null = null
  #respawn: Timer | null = null
  #isStopping = false
  /** Of the first endpoint: all of them read the same. */
  readonly #readIn = newTally()
  #newestAtStartMs: number | null = null
  #onClosed: (() => void) | null = null

  constructor(env: Env, options: RemoteWriterOptions) {
    this.#env = env
    this.#options = options
    this.#log = env.log.with({ component: 'remote-write' })
  }

  /**
   * Endpoints that are configured as before go on as they are.
   * @param retentionSizeBytes of all that the hub stores; 0: no limit
   */
  apply(configs: readonly RemoteWriteConfig[], externalLabels: Labels, retentionSizeBytes: number): void {
    this.#newestAtStartMs ??= this.#options.newestMs()
    const wanted = new Map<string, { readonly spec: EndpointSpec; readonly config: RemoteWriteConfig }>()
    for (const config of configs) {
      if (!this.#isPossible(config)) continue
      const key = this.#keyOf(config, wanted)
      wanted.set(key, { spec: this.#spec(key, config, externalLabels, retentionSizeBytes), config })
    }
    for (const [key, one] of this.#ones) if (!wanted.has(key)) this.#change(one, null)
    for (const [key, { spec, config }] of wanted) {
      const one = this.#ones.get(key)
      if (!one) this.#add(spec, config)
      else {
        one.config = config
        one.endpoint.reach = this.#reach(config)
        if (!isSame(one.next === undefined ? one.spec : one.next, spec)) this.#change(one, spec)
      }
    }
    if (this.#ones.size === 0) this.#letGo()
    else if (!this.#worker && !this.#respawn) this.#spawn()
  }

  /** Nobody is sent anything. */
  #letGo(): void {
    this.synced.need(null)
    forgetOthers(this.#env.disk, this.#options.directory, new Set())
  }

  families(): MetricFamily[] {
    const shown = [...this.#ones.values()].map(
      ({ spec, config, endpoint, shards, state, wantedShards }): Shown => ({
        name: spec.name,
        url: shownUrl(new URL(config.url)),
        queue: config.queue,
        endpoint,
        state,
        shards: state?.shards ?? wantedShards,
        desiredShards: shards.desired,
        segment: segmentOf(state?.readPosition ?? spec.startAt),
      }),
    )
    return remoteWriteFamilies(shown, this.#newestSinceStart(), this.#readIn)
  }

  /** What is under way is sent for a moment; the rest is sent after the next start. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#timer?.cancel()
    this.#respawn?.cancel()
    const worker = this.#worker
    if (!worker) return
    const isOver = Promise.withResolvers<void>()
    this.#onClosed = () => isOver.resolve()
    for (const key of this.#ones.keys()) this.#post({ kind: 'close', key, forget: false })
    const timer = this.#env.clock.setTimer(STOP_MS, () => isOver.resolve())
    if (this.#ones.size > 0) await isOver.promise
    timer.cancel()
    this.#worker = null
    await worker.terminate()
    for (const { endpoint } of this.#ones.values()) endpoint.clear()
  }

  #isPossible({ name, url, http, unsupportedAuth, roundRobinDns }: RemoteWriteConfig): boolean {
    const fields = { remoteName: name, url: shownUrl(new URL(url)) }
    const reasons = [...unsupportedAuth.map((key) => `${key} is not supported`), ...http.unsupported]
    for (const reason of reasons) this.#log.error(`remote_write: ${reason}; nothing is sent there`, fields)
    if (roundRobinDns) this.#log.warn('remote_write: round_robin_dns has no effect', fields)
    return reasons.length === 0
  }

  #keyOf({ name, url }: RemoteWriteConfig, taken: ReadonlyMap<string, unknown>): string {
    const hash = crc32c(new TextEncoder().encode(name === '' ? url : `name ${name}`))
    const key = hash.toString(16).padStart(8, '0')
    for (let n = 1; ; n++) {
      const candidate = n === 1 ? key : `${key}-${n}`
      if (!taken.has(candidate)) return candidate
    }
  }

  #spec(key: string, config: RemoteWriteConfig, externalLabels: Labels, retentionSizeBytes: number): EndpointSpec {
    const { name, message, relabel, sendExemplars, sendNativeHistograms, queue, metadata } = config
    return {
      key,
      name: name === '' ? key : name,
      startAt: this.synced.end,
      isVersion2: message === 'io.prometheus.write.v2.Request',
      externalLabels,
      relabel,
      sendExemplars,
      sendNativeHistograms,
      capacity: queue.capacity,
      minShards: queue.minShards,
      maxSamplesPerSend: queue.maxSamplesPerSend,
      batchSendDeadlineMs: queue.batchSendDeadlineMs,
      sampleAgeLimitMs: queue.sampleAgeLimitMs,
      retentionSizeBytes,
      metadata: metadata.send
        ? { intervalMs: metadata.sendIntervalMs, maxSamplesPerSend: metadata.maxSamplesPerSend }
        : null,
    }
  }

  #reach(config: RemoteWriteConfig): Reach {
    const { net, clock, disk } = this.#env
    const { configDirectory: directory, environment } = this.#options
    const readText = (path: string): string => disk.readText(joinPath(directory, path))
    const access = new HttpAccess(config.http, { net, clock, readText, directory, tokens: this.#tokens, environment })
    return {
      url: config.url,
      timeoutMs: config.timeoutMs,
      headers: config.headers,
      queue: config.queue,
      request: (request) => access.request(request),
    }
  }

  #add(spec: EndpointSpec, config: RemoteWriteConfig): void {
    const { clock } = this.#env
    const log = this.#log.with({ remoteName: spec.name, url: shownUrl(new URL(config.url)) })
    const endpoint = new Endpoint(this.#reach(config), {
      clock,
      log,
      userAgent: this.#options.userAgent,
      onAnswered: (id) => this.#post({ kind: 'answered', key: spec.key, id }),
    })
    const shards = new DesiredShards()
    this.#ones.set(spec.key, {
      spec,
      config,
      endpoint,
      shards,
      state: null,
      wantedShards: spec.minShards,
      next: undefined,
    })
    // A thread that is yet to begin is told of all that there are.
    if (this.#worker) this.#post({ kind: 'open', spec })
  }

  #change(one: One, next: EndpointSpec | null): void {
    one.next = next
    if (!this.#worker) this.#closed(one)
    else this.#post({ kind: 'close', key: one.spec.key, forget: next === null })
  }

  /** The thread has no more to do with it as it was. */
  #closed(one: One): void {
    const { next } = one
    if (next === undefined) return
    one.next = undefined
    one.endpoint.clear()
    // What it had counted is counted on.
    if (one.state)
      for (const [reason, counts] of Object.entries(one.state.dropped))
        addTo(one.endpoint.dropped[reason as keyof ReturnType<typeof newDrops>], counts)
    one.state = null
    if (next === null) {
      this.#ones.delete(one.spec.key)
      if (this.#ones.size === 0) {
        this.#endWorker()
        this.#letGo()
      }
      return
    }
    one.spec = next
    one.wantedShards = next.minShards
    if (this.#worker) this.#post({ kind: 'open', spec: next })
  }

  #spawn(): void {
    const { directory, logLevel, logFormat, workerUrl } = this.#options
    // Until the thread says what it needs itself.
    const first = Math.min(...Array.from(this.#ones.values(), ({ spec }) => segmentOf(spec.startAt)))
    if (this.synced.neededSegment === null) this.synced.need(first)
    const url = workerUrl ?? new URL('../env/remote-write-worker.ts', import.meta.url).href
    const endpoints = [...this.#ones.values()].map(({ spec }) => spec)
    const data: RemoteWriteWorkerData = { directory, logLevel, logFormat, synced: this.synced.memory, endpoints }
    const worker = this.#env.pool.spawn({ url, name: 'remote-write', data })
    this.#worker = worker
    worker.onMessage((message) => this.#receive(message as FromRemoteWrite))
    worker.onExit((error) => this.#died(worker, error))
    this.#timer ??= this.#env.clock.setTimer(UPDATE_EVERY_MS, () => this.#updateShards(), { unref: true })
  }

  #endWorker(): void {
    const worker = this.#worker
    this.#worker = null
    void worker?.terminate()
  }

  /** It goes on from the cursors. */
  #died(worker: WorkerHandle, error: Error | null): void {
    if (this.#worker !== worker) return
    this.#worker = null
    if (this.#isStopping) {
      this.#onClosed?.()
      return
    }
    this.#log.error('The remote-write thread has ended; it is begun anew', { err: error ?? 'no error' })
    for (const one of [...this.#ones.values()]) {
      if (one.next === undefined) one.next = one.spec
      this.#closed(one)
    }
    this.#respawn = this.#env.clock.setTimer(RESPAWN_MS, () => {
      this.#respawn = null
      if (this.#ones.size > 0 && !this.#isStopping) this.#spawn()
    })
  }

  #receive(message: FromRemoteWrite): void {
    const one = this.#ones.get(message.key)
    if (!one) return
    switch (message.kind) {
      case 'request':
        one.endpoint.receive(message)
        break
      case 'state':
        if (one === this.#ones.values().next().value) this.#countIn(message, one.state)
        one.state = message
        break
      case 'discard':
        one.endpoint.discard()
        break
      case 'closed':
        if (this.#isStopping) {
          this.#ones.delete(message.key)
          one.endpoint.clear()
          if (this.#ones.size === 0) this.#onClosed?.()
        } else this.#closed(one)
        break
    }
  }

  /** As upstream's, of what has come since the start: what came before may long have been sent. */
  #newestSinceStart(): number {
    const newestMs = this.#options.newestMs()
    this.#newestAtStartMs ??= newestMs
    return newestMs > this.#newestAtStartMs ? newestMs : 0
  }

  #countIn({ read }: EndpointState, before: EndpointState | null): void {
    addTo(this.#readIn, read)
    if (before) addTo(this.#readIn, before.read, -1)
  }

  #updateShards(): void {
    const newestMs = this.#options.newestMs()
    for (const one of this.#ones.values()) {
      const { endpoint, state, config } = one
      if (!state) continue
      const dropped = Object.values(state.dropped).reduce((sum, each) => sum + each.samples + each.histograms, 0)
      const sums = {
        read: state.read.samples + state.read.histograms + state.unread,
        dropped,
        delivered: endpoint.delivered,
        sendSeconds: endpoint.sendSeconds,
      }
      const behindMs = endpoint.highestSentMs === 0 ? 0 : Math.max(0, newestMs - endpoint.highestSentMs)
      const shards = one.shards.update(sums, one.wantedShards, behindMs / 1000, config.queue)
      if (shards === one.wantedShards) continue
      one.wantedShards = shards
      this.#post({ kind: 'shards', key: one.spec.key, shards })
    }
    this.#timer = this.#env.clock.setTimer(UPDATE_EVERY_MS, () => this.#updateShards(), { unref: true })
  }

  #post(message: ToRemoteWrite): void {
    this.#worker?.post(message)
  }
}

/** But for where it would begin to read. */
function isSame(a: EndpointSpec | null, b: EndpointSpec | null): boolean {
  return JSON.stringify({ ...a, startAt: 0 }) === JSON.stringify({ ...b, startAt: 0 })
}

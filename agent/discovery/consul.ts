/**
 * Targets from Consul's catalogue: one blocking query on the catalogue, and the instances of the services that it
 * names, asked for when it changes and every `refresh_interval`. (Upstream holds a blocking query per service, which
 * is what large catalogues suffer from.) Semantics of labels and parameters: Prometheus discovery/consul/consul.go (v3.14).
 */
import type { OtherDiscovery, Secret } from '../../protocol/config/mod.ts'
import { type HttpResponse, NetError } from '../../protocol/env/mod.ts'
import {
  type DiscoveryContext,
  joinHostPort,
  pause,
  sanitizeLabelName,
  type TargetGroup,
  type TargetLabels,
} from './group.ts'
import { basicCredentials, type HttpAccess, parseJson, statusError } from './http-access.ts'

const WAIT_MS = 120_000
const RETRY_MS = 15_000
const MAX_BODY_BYTES = 64 * 2 ** 20
/** Requests for services under way at once. */
const CONCURRENCY = 8

type Instance = {
  readonly Node: {
    readonly Node?: string
    readonly Address?: string
    readonly Meta?: TargetLabels | null
    readonly TaggedAddresses?: TargetLabels | null
  }
  readonly Service: {
    readonly ID?: string
    readonly Tags?: readonly string[] | null
    readonly Address?: string
    readonly Port?: number
    readonly Meta?: TargetLabels | null
    readonly Namespace?: string
    readonly Partition?: string
  }
  readonly Checks?: readonly { readonly CheckID?: string; readonly Status?: string }[] | null
}

export function discoverConsul(section: OtherDiscovery, context: DiscoveryContext, access: HttpAccess): Promise<void> {
  return new Consul(section, context, access).run()
}

class Consul {
  readonly #settings: OtherDiscovery['settings']
  readonly #context: DiscoveryContext
  readonly #access: HttpAccess
  readonly #refreshMs: number
  readonly #base: string
  #datacenter: string
  #index = ''
  /** What the catalogue named last. */
  #names: readonly string[] = []
  #emitted: readonly string[] = []
  /** Ends the pause between two rounds of the services. */
  #wake = new AbortController()

  constructor(section: OtherDiscovery, context: DiscoveryContext, access: HttpAccess) {
    this.#settings = section.settings
    this.#context = context
    this.#access = access
    this.#refreshMs = this.#settings['refresh_interval'] === undefined ? 30_000 : section.refreshIntervalMs
    const server = this.#text('server', 'localhost:8500')
    const prefix = this.#text('path_prefix').replace(/^\/?/, '/').replace(/\/+$/, '')
    this.#base = `${server.includes('://') ? server : `${this.#text('scheme', 'http')}://${server}`}${prefix}`
    this.#datacenter = this.#text('datacenter')
  }

  async run(): Promise<void> {
    await this.#untilDone(async () => {
      this.#datacenter ||= await this.#ownDatacenter()
    })
    const fixed = this.#list('services')
    if (fixed.length > 0 && this.#list('tags').length === 0) {
      this.#names = fixed
      return this.#serviceLoop()
    }
    await this.#untilDone(() => this.#catalogue())
    await Promise.all([this.#catalogueLoop(), this.#serviceLoop()])
  }

  /** Again and again until it succeeds once. */
  async #untilDone(attempt: () => Promise<void>): Promise<void> {
    const { clock, counters, log, signal } = this.#context
    let lastError = ''
    while (!signal.aborted) {
      try {
        counters.refreshes++
        return await attempt()
      } catch (err) {
        if (signal.aborted) return
        counters.failures++
        // One line an outage, not one an attempt.
        if ((err as Error).message !== lastError) log.error('Consul does not answer', { err })
        lastError = (err as Error).message
        await pause(clock, RETRY_MS, signal)
      }
    }
  }

  async #catalogueLoop(): Promise<void> {
    const { clock, signal } = this.#context
    while (!signal.aborted) {
      // Busy catalogues change all the time: no more than one look an interval.
      await pause(clock, this.#refreshMs, signal)
      await this.#untilDone(() => this.#catalogue())
    }
  }

  async #serviceLoop(): Promise<void> {
    const { clock, signal } = this.#context
    while (!signal.aborted) {
      await this.#untilDone(() => this.#services())
      await pause(clock, this.#refreshMs, AbortSignal.any([signal, this.#wake.signal]))
      this.#wake = new AbortController()
    }
  }

  async #ownDatacenter(): Promise<string> {
    const { body } = await this.#ask('/v1/agent/self', '', this.#refreshMs)
    const answer = parseJson(this.#base, body) as { Config?: { Datacenter?: unknown } } | null
    const name = answer?.Config?.Datacenter
    if (typeof name !== 'string') throw new Error(`invalid value '${String(name)}' for Config.Datacenter`)
    return name
  }

  /** Blocks until the catalogue changes, two minutes at most. */
  async #catalogue(): Promise<void> {
    const query = this.#query({ filter: this.#text('filter'), index: this.#index })
    const { headers, body } = await this.#ask('/v1/catalog/services', query, WAIT_MS + 15_000)
    const index = headers['x-consul-index'] ?? ''
    // An index that goes back means a new server state: start over, as Consul's documentation asks.
    this.#index = Number(index) < Number(this.#index || 0) ? '' : index
    const services = parseJson(this.#base, body) as Readonly<Record<string, readonly string[] | null>>
    const wanted = this.#list('services')
    const tags = this.#list('tags')
    const names = Object.entries(services)
      .filter(([name]) => wanted.length === 0 || wanted.includes(name))
      .filter(([, own]) => tags.every((tag) => own?.includes(tag)))
      .map(([name]) => name)
    const isSame = names.length === this.#names.length && names.every((name, i) => name === this.#names[i])
    this.#names = names
    if (!isSame) this.#wake.abort()
  }

  async #services(): Promise<void> {
    const { emit, signal } = this.#context
    const names = this.#names
    const groups: TargetGroup[] = []
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < names.length && !signal.aborted) groups.push(await this.#service(names[next++]!))
    }
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, names.length) }, worker))
    if (signal.aborted) return
    const gone = this.#emitted.filter((name) => !names.includes(name))
    emit([...groups, ...gone.map((source) => ({ source, targets: [], labels: {} }))])
    this.#emitted = names
  }

  async #service(name: string): Promise<TargetGroup> {
    const query = this.#query({ tags: this.#list('tags'), filter: this.#text('health_filter') })
    const { body } = await this.#ask(`/v1/health/service/${encodeURIComponent(name)}`, query, WAIT_MS + 15_000)
    const instances = parseJson(this.#base, body) as readonly Instance[]
    const separator = this.#text('tag_separator', ',')
    return {
      source: name,
      targets: instances.map((instance) => instanceLabels(instance, separator)),
      labels: { __meta_consul_service: name, __meta_consul_dc: this.#datacenter },
    }
  }

  /** Parameters in the order of their names, as Go's url.Values prints them. */
  #query(own: { filter: string; index?: string; tags?: readonly string[] }): string {
    const query = new URLSearchParams()
    const set = (name: string, value: string): void => {
      if (value !== '') query.append(name, value)
    }
    set('dc', this.#text('datacenter'))
    set('filter', own.filter)
    set('index', own.index ?? '')
    for (const [name, value] of Object.entries((this.#settings['node_meta'] ?? {}) as TargetLabels))
      query.append('node-meta', `${name}:${value}`)
    set('ns', this.#text('namespace'))
    set('partition', this.#text('partition'))
    if (this.#settings['allow_stale'] !== false) query.append('stale', '')
    for (const tag of own.tags ?? []) query.append('tag', tag)
    set('wait', `${WAIT_MS}ms`)
    return `?${query}`
  }

  async #ask(path: string, query: string, timeoutMs: number): Promise<HttpResponse> {
    const token = (this.#settings['token'] as Secret | undefined)?.reveal() ?? ''
    const user = this.#text('username')
    const password = (this.#settings['password'] as Secret | undefined)?.reveal() ?? ''
    const url = `${this.#base}${path}${query}`
    const response = await this.#access.request({
      method: 'GET',
      url,
      headers: {
        'user-agent': this.#context.userAgent,
        ...(token !== '' && { 'x-consul-token': token }),
        ...(user !== '' && { authorization: basicCredentials(user, password) }),
      },
      timeoutMs,
      maxBodyBytes: MAX_BODY_BYTES,
      signal: this.#context.signal,
    })
    if (response.status !== 200) throw statusError(url, response.status, response.body)
    if (response.body.length === 0) throw new NetError('UNEXPECTED_EOF', `${url}: empty answer`)
    return response
  }

  #text(key: string, fallback = ''): string {
    const value = this.#settings[key]
    return value === undefined ? fallback : String(value)
  }

  #list(key: string): readonly string[] {
    return (this.#settings[key] as readonly string[] | undefined) ?? []
  }
}

export function instanceLabels({ Node, Service, Checks }: Instance, separator: string): TargetLabels {
  const port = Service.Port ?? 0
  const labels: Record<string, string> = {
    __address__: joinHostPort(Service.Address || Node.Address || '', port),
    __meta_consul_address: Node.Address ?? '',
    __meta_consul_node: Node.Node ?? '',
    __meta_consul_namespace: Service.Namespace ?? '',
    __meta_consul_partition: Service.Partition ?? '',
    // Separators on both ends, so that a rule can match a tag whole wherever it stands.
    __meta_consul_tags: `${separator}${(Service.Tags ?? []).join(separator)}${separator}`,
    __meta_consul_service_address: Service.Address ?? '',
    __meta_consul_service_port: String(port),
    __meta_consul_service_id: Service.ID ?? '',
    __meta_consul_health: health(Checks ?? []),
  }
  const add = (prefix: string, values: TargetLabels | null | undefined): void => {
    for (const [name, value] of Object.entries(values ?? {})) labels[`${prefix}${sanitizeLabelName(name)}`] = value
  }
  add('__meta_consul_metadata_', Node.Meta)
  add('__meta_consul_service_metadata_', Service.Meta)
  add('__meta_consul_tagged_address_', Node.TaggedAddresses)
  return labels
}

/** Semantics: Consul api/health.go, HealthChecks.AggregatedStatus. */
function health(checks: NonNullable<Instance['Checks']>): string {
  let worst = 'passing'
  for (const { CheckID = '', Status = '' } of checks) {
    if (CheckID === '_node_maintenance' || CheckID.startsWith('_service_maintenance:')) return 'maintenance'
    if (Status === 'critical') worst = 'critical'
    else if (Status === 'warning' && worst !== 'critical') worst = 'warning'
    else if (Status !== 'passing' && Status !== 'warning') return ''
  }
  return worst
}

/**
 * Targets from Kubernetes' API: one live copy per collection and namespace, groups rebuilt for the objects that
 * changed. Semantics: Prometheus discovery/kubernetes (v3.14).
 */
import type { HttpClientConfig, OtherDiscovery } from '../../../protocol/config/mod.ts'
import { type DiscoveryContext, pause } from '../group.ts'
import type { HttpAccess } from '../http-access.ts'
import { apiServer, ownNamespace } from './access.ts'
import { type Lookup, ROLE_GROUPS, type Role, sourceOf } from './groups.ts'
import { Informer } from './informer.ts'
import type { EndpointSlice, Endpoints, KubeNode, KubeObject, Pod, Service } from './objects.ts'

const RETRY_MS = 10_000
/** Changes that come together are worked off together. */
const GATHER_MS = 50

type Kind = 'pods' | 'services' | 'endpoints' | 'endpointslices' | 'ingresses' | 'nodes' | 'namespaces'

const KIND_OF: Readonly<Record<Role, Kind>> = {
  pod: 'pods',
  service: 'services',
  node: 'nodes',
  ingress: 'ingresses',
  endpoints: 'endpoints',
  endpointslice: 'endpointslices',
}
const ROLE_OF: Readonly<Partial<Record<Kind, Role>>> = Object.fromEntries(
  Object.entries(KIND_OF).map(([role, kind]) => [kind, role]),
)
const API_OF: Readonly<Record<Kind, string>> = {
  pods: '/api/v1',
  services: '/api/v1',
  endpoints: '/api/v1',
  nodes: '/api/v1',
  namespaces: '/api/v1',
  endpointslices: '/apis/discovery.k8s.io/v1',
  ingresses: '/apis/networking.k8s.io/v1',
}

/** Collections that a role needs besides its own. */
const NEEDS: Readonly<Record<Role, readonly Kind[]>> = {
  pod: [],
  service: [],
  node: [],
  ingress: [],
  endpoints: ['services', 'pods'],
  endpointslice: ['services', 'pods'],
}

export async function discoverKubernetes(
  section: OtherDiscovery,
  context: DiscoveryContext,
  accessTo: (http: HttpClientConfig) => HttpAccess,
): Promise<void> {
  while (!context.signal.aborted) {
    try {
      await new Cluster(section, context, accessTo).run()
    } catch (err) {
      // No API server can be named yet, or a file cannot be read: both may be mended while we wait.
      context.counters.failures++
      context.log.error('Kubernetes discovery cannot start', { err })
      await pause(context.clock, RETRY_MS, context.signal)
    }
  }
}

type Selector = { readonly role?: string; readonly label?: string; readonly field?: string }

class Cluster {
  readonly #context: DiscoveryContext
  readonly #role: Role
  readonly #url: string
  readonly #access: HttpAccess
  readonly #selectors: readonly Selector[]
  readonly #informers = new Map<Kind, Informer[]>()
  readonly #changed = new Set<string>()
  readonly #lookup: Lookup
  readonly #namespaces: readonly string[]
  readonly #attach: { readonly node?: boolean; readonly namespace?: boolean }
  #wake: (() => void) | null = null
  /** Until then every own object is new anyway. */
  #isSynced = false

  constructor(section: OtherDiscovery, context: DiscoveryContext, accessTo: (http: HttpClientConfig) => HttpAccess) {
    const { settings } = section
    this.#context = context
    const { url, http } = apiServer(section, context)
    this.#url = url
    this.#access = accessTo(http)
    this.#role = String(settings['role']) as Role
    this.#selectors = (settings['selectors'] as readonly Selector[] | undefined) ?? []
    this.#attach = (settings['attach_metadata'] as { node?: boolean; namespace?: boolean } | undefined) ?? {}
    const { own_namespace: own, names } = (settings['namespaces'] ?? {}) as {
      own_namespace?: boolean
      names?: string[]
    }
    this.#namespaces = [...(names ?? []), ...(own ? [ownNamespace(context)] : [])]
    this.#lookup = {
      pod: (key) => this.#find('pods', key) as Pod | undefined,
      service: (key) => this.#find('services', key) as Service | undefined,
      node: (name) => (this.#attach.node ? (this.#find('nodes', name) as KubeNode | undefined) : undefined),
      namespace: (name) => (this.#attach.namespace ? this.#find('namespaces', name) : undefined),
    }
  }

  async run(): Promise<void> {
    const { clock, signal } = this.#context
    const hasNodes = this.#attach.node === true && ['pod', 'endpoints', 'endpointslice'].includes(this.#role)
    const kinds: Kind[] = [
      ...NEEDS[this.#role],
      ...(hasNodes ? (['nodes'] as const) : []),
      ...(this.#attach.namespace && this.#role !== 'node' ? (['namespaces'] as const) : []),
      KIND_OF[this.#role],
    ]
    signal.addEventListener('abort', () => this.#wake?.(), { once: true })
    await Promise.all(kinds.map((kind) => this.#watch(kind)))
    this.#isSynced = true
    // An empty answer is an answer too: what was known before a reload goes.
    this.#context.emit([])
    while (!signal.aborted) {
      await this.#waitForChange()
      await pause(clock, GATHER_MS, signal)
      this.#emitChanged()
    }
  }

  #watch(kind: Kind): Promise<unknown> {
    const isWhole = kind === 'nodes' || kind === 'namespaces' || this.#namespaces.length === 0
    const role = ROLE_OF[kind]
    const selector = this.#selectors.find((own) => own.role === role)
    const informers = (isWhole ? [''] : this.#namespaces).map(
      (namespace) =>
        new Informer(
          {
            url: `${this.#url}${API_OF[kind]}${namespace === '' ? '' : `/namespaces/${encodeURIComponent(namespace)}`}/${kind}`,
            labelSelector: selector?.label ?? '',
            fieldSelector: selector?.field ?? '',
          },
          this.#context,
          this.#access,
          (key, object) => this.#mark(kind, key, object),
        ),
    )
    this.#informers.set(kind, informers)
    return Promise.all(informers.map((informer) => informer.start()))
  }

  #find(kind: Kind, key: string): KubeObject | undefined {
    for (const informer of this.#informers.get(kind) ?? []) {
      const object = informer.objects.get(key)
      if (object) return object
    }
    return undefined
  }

  *#own(): Iterable<readonly [string, KubeObject]> {
    for (const informer of this.#informers.get(KIND_OF[this.#role]) ?? []) yield* informer.objects
  }

  /** Which groups a change touches: its own, or those of the objects that refer to it. */
  #mark(kind: Kind, key: string, object: KubeObject | null): void {
    if (kind === KIND_OF[this.#role]) this.#changed.add(key)
    else if (this.#isSynced)
      for (const [own, candidate] of this.#own()) if (refersTo(candidate, kind, key, object)) this.#changed.add(own)
    if (this.#changed.size > 0) this.#wake?.()
  }

  #waitForChange(): Promise<void> {
    if (this.#changed.size > 0 || this.#context.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #emitChanged(): void {
    const keys = [...this.#changed]
    this.#changed.clear()
    if (keys.length === 0) return
    const build = ROLE_GROUPS[this.#role]
    this.#context.emit(
      keys.map((key) => {
        const object = this.#find(KIND_OF[this.#role], key)
        return object ? build(object, this.#lookup) : { source: sourceOf(this.#role, key), targets: [], labels: {} }
      }),
    )
  }
}

function refersTo(own: KubeObject, kind: Kind, key: string, object: KubeObject | null): boolean {
  if (kind === 'namespaces') return own.metadata.namespace === key
  const slice = own as EndpointSlice & Endpoints & Pod
  if (kind === 'services') {
    const name = slice.metadata.labels?.['kubernetes.io/service-name'] ?? slice.metadata.name
    return `${slice.metadata.namespace}/${name}` === key
  }
  const addresses = (slice.subsets ?? []).flatMap(({ addresses, notReadyAddresses }) => [
    ...(addresses ?? []),
    ...(notReadyAddresses ?? []),
  ])
  const endpoints = [...(slice.endpoints ?? []), ...addresses]
  if (kind === 'pods')
    return endpoints.some(
      ({ targetRef }) => targetRef?.kind === 'Pod' && `${targetRef.namespace}/${targetRef.name}` === key,
    )
  const node = object?.metadata.name ?? key
  return (
    slice.spec?.nodeName === node ||
    endpoints.some(
      ({ nodeName, targetRef }) => nodeName === node || (targetRef?.kind === 'Node' && targetRef.name === node),
    )
  )
}

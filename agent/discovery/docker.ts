/** Targets from the containers of a Docker daemon. Semantics: Prometheus discovery/moby/docker.go (v3.14). */
import type { OtherDiscovery } from '../../protocol/config/mod.ts'
import {
  type DiscoveryContext,
  joinHostPort,
  refreshLoop,
  sanitizeLabelName,
  type TargetGroup,
  type TargetLabels,
} from './group.ts'
import type { HttpAccess } from './http-access.ts'

const MAX_BODY_BYTES = 64 * 2 ** 20

type Endpoint = { readonly NetworkID?: string; readonly IPAddress?: string }
type Endpoints = Readonly<Record<string, Endpoint | null>>
type Port = {
  readonly IP?: string
  readonly PrivatePort?: number
  readonly PublicPort?: number
  readonly Type?: string
}
export type Container = {
  readonly Id: string
  readonly Names?: readonly string[] | null
  readonly Labels?: TargetLabels | null
  readonly Ports?: readonly Port[] | null
  readonly HostConfig?: { readonly NetworkMode?: string }
  readonly NetworkSettings?: { readonly Networks?: Endpoints | null } | null
}
export type Network = {
  readonly Id: string
  readonly Name?: string
  readonly Scope?: string
  readonly Internal?: boolean
  readonly Ingress?: boolean
  readonly Labels?: TargetLabels | null
}

export function discoverDocker(section: OtherDiscovery, context: DiscoveryContext, access: HttpAccess): Promise<void> {
  const host = String(section.settings['host'])
  const ask = (path: string): Promise<unknown> =>
    access.json({
      method: 'GET',
      ...dockerAddress(host, path),
      headers: { 'user-agent': context.userAgent },
      timeoutMs: section.refreshIntervalMs,
      maxBodyBytes: MAX_BODY_BYTES,
      signal: context.signal,
    })
  const filters = filterText(section.settings['filters'] as readonly DockerFilter[] | undefined)
  return refreshLoop(section.refreshIntervalMs, context, async () => {
    const containers = (await ask(`/containers/json${filters}`)) as readonly Container[]
    const networks = (await ask('/networks')) as readonly Network[]
    return [containerGroup(containers, networks, section.settings)]
  })
}

type DockerFilter = { readonly name?: string; readonly values?: readonly string[] }

function filterText(filters: readonly DockerFilter[] | undefined): string {
  if (!filters || filters.length === 0) return ''
  const all: Record<string, Record<string, boolean>> = {}
  for (const { name = '', values = [] } of filters) {
    for (const value of values) (all[name] ??= {})[value] = true
  }
  return `?filters=${encodeURIComponent(JSON.stringify(all))}`
}

/** `unix:///var/run/docker.sock`, `tcp://host:port` and `http(s)://host:port` alike. */
export function dockerAddress(host: string, path: string): { url: string; unixSocket?: string } {
  if (host.startsWith('unix://')) return { url: `http://docker${path}`, unixSocket: host.slice('unix://'.length) }
  return { url: `${host.replace(/^tcp:/, 'http:').replace(/\/+$/, '')}${path}` }
}

export function containerGroup(
  containers: readonly Container[],
  networks: readonly Network[],
  settings: OtherDiscovery['settings'],
): TargetGroup {
  const byId = new Map(containers.map((container) => [container.Id, container]))
  const networkLabels = new Map(networks.map((network) => [network.Id, labelsOfNetwork(network)]))
  const port = Number(settings['port'] ?? 80)
  const hostAddress = String(settings['host_networking_host'] ?? 'localhost')
  const isFirstOnly = settings['match_first_network'] !== false
  const targets: TargetLabels[] = []
  for (const container of containers) {
    if (!container.Names?.length) continue
    const common = labelsOfContainer(container)
    const ports = (container.Ports ?? []).filter(({ Type }) => Type === 'tcp')
    for (const network of networksOf(container, byId, isFirstOnly)) {
      const ip = network.IPAddress ?? ''
      const shared = { __meta_docker_network_ip: ip, ...common, ...networkLabels.get(network.NetworkID ?? '') }
      for (const { PrivatePort = 0, PublicPort = 0, IP = '' } of ports) {
        targets.push({
          __meta_docker_port_private: String(PrivatePort),
          ...(PublicPort > 0 && {
            __meta_docker_port_public: String(PublicPort),
            __meta_docker_port_public_ip: IP,
          }),
          ...shared,
          __address__: joinHostPort(ip, PrivatePort),
        })
      }
      if (ports.length > 0) continue
      // Containers in the host's network have no ports of their own.
      const isHost = container.HostConfig?.NetworkMode === 'host'
      targets.push({ ...shared, __address__: isHost ? hostAddress : joinHostPort(ip, port) })
    }
  }
  return { source: 'Docker', targets, labels: {} }
}

function labelsOfContainer({ Id, Names, Labels, HostConfig }: Container): TargetLabels {
  const out: Record<string, string> = {
    __meta_docker_container_id: Id,
    __meta_docker_container_name: Names?.[0] ?? '',
    __meta_docker_container_network_mode: HostConfig?.NetworkMode ?? '',
  }
  for (const [name, value] of Object.entries(Labels ?? {}))
    out[`__meta_docker_container_label_${sanitizeLabelName(name)}`] = value
  return out
}

function labelsOfNetwork({ Id, Name, Scope, Internal, Ingress, Labels }: Network): TargetLabels {
  const out: Record<string, string> = {
    __meta_docker_network_id: Id,
    __meta_docker_network_name: Name ?? '',
    __meta_docker_network_scope: Scope ?? '',
    __meta_docker_network_internal: String(Internal ?? false),
    __meta_docker_network_ingress: String(Ingress ?? false),
  }
  for (const [name, value] of Object.entries(Labels ?? {}))
    out[`__meta_docker_network_label_${sanitizeLabelName(name)}`] = value
  return out
}

/** A container that shares another's network has none itself: its neighbour's counts, however long the chain. */
function networksOf(container: Container, byId: ReadonlyMap<string, Container>, isFirstOnly: boolean): Endpoint[] {
  const seen = new Set<string>()
  let at: Container | undefined = container
  while (at && !seen.has(at.Id)) {
    seen.add(at.Id)
    const named = Object.entries(at.NetworkSettings?.Networks ?? {})
      .filter((entry): entry is [string, Endpoint] => entry[1] !== null)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, endpoint]) => endpoint)
    if (named.length > 0) return isFirstOnly ? named.slice(0, 1) : named
    const mode: string = at.HostConfig?.NetworkMode ?? ''
    at = mode.startsWith('container:') ? byId.get(mode.slice('container:'.length)) : undefined
  }
  return []
}

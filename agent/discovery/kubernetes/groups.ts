/**
 * From one object of Kubernetes to its group of targets, role by role.
 * Semantics: Prometheus discovery/kubernetes/{pod,service,node,ingress,endpoints,endpointslice}.go (v3.14).
 */
import { joinHostPort, sanitizeLabelName, type TargetGroup, type TargetLabels } from '../group.ts'
import {
  attachedNamespaceLabels,
  attachedNodeLabels,
  containerPortLabels,
  containersOf,
  type MutableLabels,
  metaLabels,
  namespaceLabel,
  PREFIX,
  podLabels,
} from './labels.ts'
import {
  type EndpointSlice,
  type Endpoints,
  type Ingress,
  type KubeNode,
  type KubeObject,
  keyOf,
  type Pod,
  type Service,
  type SliceEndpoint,
  type SlicePort,
  type TargetRef,
} from './objects.ts'

/** What roles look up besides their own object; undefined where it is unknown or not asked for. */
export type Lookup = {
  readonly pod: (key: string) => Pod | undefined
  readonly service: (key: string) => Service | undefined
  readonly node: (name: string) => KubeNode | undefined
  readonly namespace: (name: string) => KubeObject | undefined
}

export type Role = 'pod' | 'service' | 'node' | 'ingress' | 'endpoints' | 'endpointslice'

export const ROLE_GROUPS: Readonly<Record<Role, (object: KubeObject, lookup: Lookup) => TargetGroup>> = {
  pod: (object, lookup) => podGroup(object as Pod, lookup),
  service: (object, lookup) => serviceGroup(object as Service, lookup),
  node: (object) => nodeGroup(object as KubeNode),
  ingress: (object, lookup) => ingressGroup(object as Ingress, lookup),
  endpoints: (object, lookup) => endpointsGroup(object as Endpoints, lookup),
  endpointslice: (object, lookup) => endpointSliceGroup(object as EndpointSlice, lookup),
}

export function sourceOf(role: Role, key: string): string {
  return `${role === 'service' ? 'svc' : role}/${key}`
}

function podGroup(pod: Pod, lookup: Lookup): TargetGroup {
  const source = sourceOf('pod', keyOf(pod))
  const ip = pod.status?.podIP ?? ''
  // Starting, or evicted.
  if (ip === '') return { source, targets: [], labels: {} }
  const targets: TargetLabels[] = []
  for (const container of containersOf(pod)) {
    const id = { [`${PREFIX}pod_container_id`]: container.id }
    const ports = container.spec.ports ?? []
    if (ports.length === 0) {
      // Its port is the configuration's business.
      targets.push({
        __address__: ip,
        [`${PREFIX}pod_container_name`]: container.spec.name,
        [`${PREFIX}pod_container_image`]: container.spec.image ?? '',
        [`${PREFIX}pod_container_init`]: String(container.isInit),
        ...id,
      })
    }
    for (const port of ports) {
      targets.push({
        __address__: joinHostPort(ip, port.containerPort),
        ...containerPortLabels(container, port),
        ...id,
      })
    }
  }
  const labels = {
    ...podLabels(pod),
    ...namespaceLabel(pod.metadata),
    ...attachedNodeLabels(lookup.node(pod.spec?.nodeName ?? '')),
    ...attachedNamespaceLabels(lookup.namespace(pod.metadata.namespace ?? '')),
  }
  return { source, targets, labels }
}

function serviceLabels(service: Service): TargetLabels {
  return { ...metaLabels(service.metadata, 'service'), ...namespaceLabel(service.metadata) }
}

function serviceGroup(service: Service, lookup: Lookup): TargetGroup {
  const { metadata, spec = {} } = service
  const type = spec.type ?? ''
  const targets = (spec.ports ?? []).map((port) => ({
    __address__: joinHostPort(`${metadata.name}.${metadata.namespace}.svc`, port.port),
    [`${PREFIX}service_port_name`]: port.name ?? '',
    [`${PREFIX}service_port_number`]: String(port.port),
    [`${PREFIX}service_port_protocol`]: port.protocol ?? '',
    [`${PREFIX}service_type`]: type,
    ...(type === 'ExternalName'
      ? { [`${PREFIX}service_external_name`]: spec.externalName ?? '' }
      : { [`${PREFIX}service_cluster_ip`]: spec.clusterIP ?? '' }),
    ...(type === 'LoadBalancer' && { [`${PREFIX}service_loadbalancer_ip`]: spec.loadBalancerIP ?? '' }),
  }))
  const labels = { ...serviceLabels(service), ...attachedNamespaceLabels(lookup.namespace(metadata.namespace ?? '')) }
  return { source: sourceOf('service', keyOf(service)), targets, labels }
}

const ADDRESS_TYPES = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname']

function nodeGroup(node: KubeNode): TargetGroup {
  const { metadata, spec, status } = node
  const source = sourceOf('node', keyOf(node))
  const byType = new Map<string, string>()
  for (const { type, address } of status?.addresses ?? []) if (!byType.has(type)) byType.set(type, address)
  const type = ADDRESS_TYPES.find((own) => byType.has(own))
  if (type === undefined) return { source, targets: [], labels: {} }
  const target: MutableLabels = {
    __address__: joinHostPort(byType.get(type)!, status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0),
    instance: metadata.name ?? '',
  }
  for (const [own, address] of byType) target[`${PREFIX}node_address_${sanitizeLabelName(own)}`] = address
  const labels = { ...metaLabels(metadata, 'node'), [`${PREFIX}node_provider_id`]: spec?.providerID ?? '' }
  return { source, targets: [target], labels }
}

function ingressGroup(ingress: Ingress, lookup: Lookup): TargetGroup {
  const { metadata, spec = {} } = ingress
  const secured = (spec.tls ?? []).flatMap(({ hosts }) => hosts ?? [])
  const targets: TargetLabels[] = []
  for (const { host = '', http } of spec.rules ?? []) {
    const scheme = secured.some((pattern) => matchesHost(pattern, host)) ? 'https' : 'http'
    for (const { path } of http?.paths ?? [{ path: '/' }]) {
      targets.push({
        __address__: host,
        [`${PREFIX}ingress_scheme`]: scheme,
        [`${PREFIX}ingress_host`]: host,
        [`${PREFIX}ingress_path`]: path || '/',
      })
    }
  }
  const labels = {
    ...metaLabels(metadata, 'ingress'),
    ...namespaceLabel(metadata),
    ...(spec.ingressClassName !== undefined && { [`${PREFIX}ingress_class_name`]: spec.ingressClassName }),
    ...attachedNamespaceLabels(lookup.namespace(metadata.namespace ?? '')),
  }
  return { source: sourceOf('ingress', keyOf(ingress)), targets, labels }
}

/** `*.example.org` stands for one label before the rest. */
function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true
  const dot = host.indexOf('.')
  return pattern.startsWith('*.') && dot >= 0 && host.slice(dot) === pattern.slice(1)
}

function endpointsGroup(endpoints: Endpoints, lookup: Lookup): TargetGroup {
  const { metadata } = endpoints
  const pods = new CoveredPods(lookup)
  const targets: TargetLabels[] = []
  for (const { ports, addresses, notReadyAddresses } of endpoints.subsets ?? []) {
    for (const port of ports ?? []) {
      const all = [
        ...(addresses ?? []).map((address) => [address, 'true'] as const),
        ...(notReadyAddresses ?? []).map((address) => [address, 'false'] as const),
      ]
      for (const [{ ip, hostname, nodeName, targetRef }, ready] of all) {
        targets.push({
          __address__: joinHostPort(ip, port.port),
          [`${PREFIX}endpoint_port_name`]: port.name ?? '',
          [`${PREFIX}endpoint_port_protocol`]: port.protocol ?? '',
          [`${PREFIX}endpoint_ready`]: ready,
          ...referenceLabels('endpoint_address', targetRef),
          ...(nodeName !== undefined && { [`${PREFIX}endpoint_node_name`]: nodeName }),
          ...(hostname && { [`${PREFIX}endpoint_hostname`]: hostname }),
          ...attachedNodeLabels(lookup.node(nodeName ?? '')),
          ...endpointProtocol(pods.labels(targetRef, port.port), port.protocol),
        })
      }
    }
  }
  const key = keyOf(endpoints)
  const service = lookup.service(key)
  const labels = {
    ...namespaceLabel(metadata),
    ...(service && serviceLabels(service)),
    ...metaLabels(metadata, 'endpoints'),
    ...attachedNamespaceLabels(lookup.namespace(metadata.namespace ?? '')),
  }
  return { source: sourceOf('endpoints', key), targets: [...targets, ...pods.rest()], labels }
}

/** Of a container's port this role tells the protocol of the endpoint: one number may be of TCP and of UDP. */
function endpointProtocol(labels: TargetLabels, protocol = ''): TargetLabels {
  const name = `${PREFIX}pod_container_port_protocol`
  return labels[name] === undefined ? labels : { ...labels, [name]: protocol }
}

function endpointSliceGroup(slice: EndpointSlice, lookup: Lookup): TargetGroup {
  const { metadata, addressType } = slice
  const pods = new CoveredPods(lookup)
  const targets: TargetLabels[] = []
  for (const endpoint of slice.endpoints ?? []) {
    for (const port of slice.ports ?? []) {
      for (const address of endpoint.addresses ?? []) {
        const { targetRef } = endpoint
        const node = targetRef?.kind === 'Node' ? targetRef.name : endpoint.nodeName
        targets.push({
          __address__: port.port === undefined ? address : joinHostPort(address, port.port),
          ...sliceLabels(endpoint, port),
          ...attachedNodeLabels(lookup.node(node ?? '')),
          ...pods.labels(targetRef, port.port),
        })
      }
    }
  }
  const service = lookup.service(`${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`)
  const labels = {
    ...namespaceLabel(metadata),
    [`${PREFIX}endpointslice_address_type`]: addressType ?? '',
    ...metaLabels(metadata, 'endpointslice'),
    ...(service && serviceLabels(service)),
    ...attachedNamespaceLabels(lookup.namespace(metadata.namespace ?? '')),
  }
  return { source: sourceOf('endpointslice', keyOf(slice)), targets: [...targets, ...pods.rest()], labels }
}

function sliceLabels(endpoint: SliceEndpoint, port: SlicePort): TargetLabels {
  const own = `${PREFIX}endpointslice_`
  const out: MutableLabels = {}
  const set = (name: string, value: string | number | boolean | undefined): void => {
    if (value !== undefined) out[`${own}${name}`] = String(value)
  }
  set('port_name', port.name)
  set('port_protocol', port.protocol)
  set('port', port.port)
  set('port_app_protocol', port.appProtocol)
  set('endpoint_conditions_ready', endpoint.conditions?.ready)
  set('endpoint_conditions_serving', endpoint.conditions?.serving)
  set('endpoint_conditions_terminating', endpoint.conditions?.terminating)
  set('endpoint_hostname', endpoint.hostname)
  set('endpoint_node_name', endpoint.nodeName)
  set('endpoint_zone', endpoint.zone)
  for (const [name, value] of Object.entries(endpoint.deprecatedTopology ?? {})) {
    out[`${own}endpoint_topology_${sanitizeLabelName(name)}`] = value
    out[`${own}endpoint_topology_present_${sanitizeLabelName(name)}`] = 'true'
  }
  return { ...out, ...referenceLabels('endpointslice_address', endpoint.targetRef) }
}

function referenceLabels(what: string, reference: TargetRef | undefined): TargetLabels {
  if (!reference) return {}
  return {
    [`${PREFIX}${what}_target_kind`]: reference.kind ?? '',
    [`${PREFIX}${what}_target_name`]: reference.name ?? '',
  }
}

/** The pods behind a service: their labels, and in the end targets for the ports that the service does not cover. */
class CoveredPods {
  readonly #lookup: Lookup
  readonly #seen = new Map<string, { readonly pod: Pod; readonly ports: Set<number> }>()

  constructor(lookup: Lookup) {
    this.#lookup = lookup
  }

  labels(reference: TargetRef | undefined, port: number | undefined): TargetLabels {
    if (reference?.kind !== 'Pod') return {}
    const key = `${reference.namespace}/${reference.name}`
    const pod = this.#lookup.pod(key)
    if (!pod) return {}
    const entry = this.#seen.get(key) ?? { pod, ports: new Set() }
    this.#seen.set(key, entry)
    if (port === undefined) return podLabels(pod)
    entry.ports.add(port)
    let ofContainer: TargetLabels = {}
    for (const container of containersOf(pod)) {
      const own = container.spec.ports?.find(({ containerPort }) => containerPort === port)
      if (own) ofContainer = containerPortLabels(container, own)
    }
    return { ...podLabels(pod), ...ofContainer }
  }

  rest(): TargetLabels[] {
    const out: TargetLabels[] = []
    for (const { pod, ports } of this.#seen.values()) {
      const ip = pod.status?.podIP ?? ''
      if (ip === '') continue
      for (const container of containersOf(pod)) {
        for (const port of container.spec.ports ?? []) {
          if (ports.has(port.containerPort)) continue
          out.push({
            __address__: joinHostPort(ip, port.containerPort),
            ...containerPortLabels(container, port),
            ...podLabels(pod),
          })
        }
      }
    }
    return out
  }
}

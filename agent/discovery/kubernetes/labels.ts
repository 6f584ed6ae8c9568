/** Labels that several roles share. Semantics: Prometheus discovery/kubernetes (v3.14). */
import { sanitizeLabelName, type TargetLabels } from '../group.ts'
import type { ContainerPort, ContainerSpec, KubeNode, KubeObject, Meta, Names, Pod } from './objects.ts'

export const PREFIX = '__meta_kubernetes_'
export type MutableLabels = Record<string, string>

/** Name, labels and annotations; each of the latter with a mark that it is present, since its value may be empty. */
export function metaLabels(meta: Meta, role: string): MutableLabels {
  return {
    [`${PREFIX}${role}_name`]: meta.name ?? '',
    ...presentLabels(`${role}_label`, meta.labels),
    ...presentLabels(`${role}_annotation`, meta.annotations),
  }
}

export function presentLabels(what: string, values: Names | null | undefined): MutableLabels {
  const out: MutableLabels = {}
  for (const [name, value] of Object.entries(values ?? {})) {
    const clean = sanitizeLabelName(name)
    out[`${PREFIX}${what}_${clean}`] = value
    out[`${PREFIX}${what}present_${clean}`] = 'true'
  }
  return out
}

export const namespaceLabel = (meta: Meta): TargetLabels => ({ [`${PREFIX}namespace`]: meta.namespace ?? '' })

export function podLabels(pod: Pod): MutableLabels {
  const { metadata, spec = {}, status = {} } = pod
  const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown'
  const controller = metadata.ownerReferences?.find((owner) => owner.controller === true)
  return {
    ...metaLabels(metadata, 'pod'),
    [`${PREFIX}pod_ip`]: status.podIP ?? '',
    [`${PREFIX}pod_ready`]: ready.toLowerCase(),
    [`${PREFIX}pod_phase`]: status.phase ?? '',
    [`${PREFIX}pod_node_name`]: spec.nodeName ?? '',
    [`${PREFIX}pod_host_ip`]: status.hostIP ?? '',
    [`${PREFIX}pod_uid`]: metadata.uid ?? '',
    ...(controller?.kind && { [`${PREFIX}pod_controller_kind`]: controller.kind }),
    ...(controller?.name && { [`${PREFIX}pod_controller_name`]: controller.name }),
  }
}

export type PodContainer = { readonly spec: ContainerSpec; readonly isInit: boolean; readonly id: string }

export function containersOf({ spec = {}, status = {} }: Pod): PodContainer[] {
  const all = (isInit: boolean): PodContainer[] => {
    const ids = new Map(
      ((isInit ? status.initContainerStatuses : status.containerStatuses) ?? []).map((own) => [
        own.name,
        own.containerID ?? '',
      ]),
    )
    return ((isInit ? spec.initContainers : spec.containers) ?? []).map((own) => ({
      spec: own,
      isInit,
      id: ids.get(own.name) ?? '',
    }))
  }
  return [...all(false), ...all(true)]
}

export function containerPortLabels({ spec, isInit }: PodContainer, port: ContainerPort): TargetLabels {
  return {
    [`${PREFIX}pod_container_name`]: spec.name,
    [`${PREFIX}pod_container_image`]: spec.image ?? '',
    [`${PREFIX}pod_container_port_name`]: port.name ?? '',
    [`${PREFIX}pod_container_port_number`]: String(port.containerPort),
    [`${PREFIX}pod_container_port_protocol`]: port.protocol ?? '',
    [`${PREFIX}pod_container_init`]: String(isInit),
  }
}

/** What `attach_metadata: {node: true}` adds. */
export function attachedNodeLabels(node: KubeNode | undefined): TargetLabels {
  if (!node) return {}
  return { [`${PREFIX}node_name`]: node.metadata.name ?? '', ...presentLabels('node_label', node.metadata.labels) }
}

/** What `attach_metadata: {namespace: true}` adds. */
export function attachedNamespaceLabels(namespace: KubeObject | undefined): TargetLabels {
  if (!namespace) return {}
  return {
    ...presentLabels('namespace_label', namespace.metadata.labels),
    ...presentLabels('namespace_annotation', namespace.metadata.annotations),
  }
}

/** The parts of Kubernetes' objects that discovery reads, as the API writes them in JSON. */
export type Names = Readonly<Record<string, string>>
export type Meta = {
  readonly name?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly labels?: Names | null
  readonly annotations?: Names | null
  readonly ownerReferences?: readonly { kind?: string; name?: string; controller?: boolean }[] | null
}
export type KubeObject = { readonly metadata: Meta }

export type ContainerPort = { readonly name?: string; readonly containerPort: number; readonly protocol?: string }
export type ContainerSpec = {
  readonly name: string
  readonly image?: string
  readonly ports?: readonly ContainerPort[] | null
}
type ContainerStatus = { readonly name: string; readonly containerID?: string }
export type Pod = KubeObject & {
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly ContainerSpec[] | null
    readonly initContainers?: readonly ContainerSpec[] | null
  }
  readonly status?: {
    readonly podIP?: string
    readonly hostIP?: string
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[] | null
    readonly containerStatuses?: readonly ContainerStatus[] | null
    readonly initContainerStatuses?: readonly ContainerStatus[] | null
  }
}

export type Service = KubeObject & {
  readonly spec?: {
    readonly type?: string
    readonly clusterIP?: string
    readonly externalName?: string
    readonly loadBalancerIP?: string
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[] | null
  }
}

export type KubeNode = KubeObject & {
  readonly spec?: { readonly providerID?: string }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly address: string }[] | null
    readonly daemonEndpoints?: { readonly kubeletEndpoint?: { readonly Port?: number } }
  }
}

export type TargetRef = { readonly kind?: string; readonly namespace?: string; readonly name?: string }

type EndpointAddress = {
  readonly ip: string
  readonly hostname?: string
  readonly nodeName?: string
  readonly targetRef?: TargetRef
}
export type Endpoints = KubeObject & {
  readonly subsets?:
    | readonly {
        readonly addresses?: readonly EndpointAddress[] | null
        readonly notReadyAddresses?: readonly EndpointAddress[] | null
        readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[] | null
      }[]
    | null
}

export type SlicePort = {
  readonly name?: string
  readonly port?: number
  readonly protocol?: string
  readonly appProtocol?: string
}
export type SliceEndpoint = {
  readonly addresses?: readonly string[] | null
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly targetRef?: TargetRef
  readonly deprecatedTopology?: Names | null
}
export type EndpointSlice = KubeObject & {
  readonly addressType?: string
  readonly endpoints?: readonly SliceEndpoint[] | null
  readonly ports?: readonly SlicePort[] | null
}

export type Ingress = KubeObject & {
  readonly spec?: {
    readonly ingressClassName?: string
    readonly tls?: readonly { readonly hosts?: readonly string[] | null }[] | null
    readonly rules?:
      | readonly {
          readonly host?: string
          readonly http?: { readonly paths?: readonly { readonly path?: string }[] | null }
        }[]
      | null
  }
}

/** `namespace/name`, or the name where there is no namespace. */
export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace ? `${namespace}/${name}` : (name ?? '')
}

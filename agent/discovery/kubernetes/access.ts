/**
 * Where the API server is and how to speak to it: as configured, from a kubeconfig file, or from inside a pod.
 * Semantics: Prometheus discovery/kubernetes/kubernetes.go, New (v3.14); client-go rest.InClusterConfig.
 */
import { parse } from 'yaml'
import { type HttpClientConfig, NO_TLS, type OtherDiscovery, Secret } from '../../../protocol/config/mod.ts'
import type { DiscoveryContext } from '../group.ts'

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export type ApiServer = { readonly url: string; readonly http: HttpClientConfig }

/** @throws Error naming what is missing */
export function apiServer(section: OtherDiscovery, context: DiscoveryContext): ApiServer {
  const { settings } = section
  const url = String(settings['api_server'] ?? '')
  if (url !== '') return { url: url.replace(/\/+$/, ''), http: section.http! }
  const file = String(settings['kubeconfig_file'] ?? '')
  return file === '' ? inCluster(section, context) : fromKubeconfig(file, section, context)
}

/** The namespace of the pod that we run in. */
export const ownNamespace = ({ disk }: DiscoveryContext): string => disk.readText(`${SERVICE_ACCOUNT}/namespace`).trim()

function inCluster(section: OtherDiscovery, { environment }: DiscoveryContext): ApiServer {
  const host = environment['KUBERNETES_SERVICE_HOST'] ?? ''
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? ''
  if (host === '' || port === '')
    throw new Error(
      'unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined; outside of a pod set api_server or kubeconfig_file',
    )
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    http: {
      ...section.http!,
      authorization: { type: 'Bearer', credentials: new Secret(''), credentialsFile: `${SERVICE_ACCOUNT}/token` },
      tls: { ...NO_TLS, caFile: `${SERVICE_ACCOUNT}/ca.crt` },
    },
  }
}

type Named<K extends string> = readonly ({ readonly name: string } & {
  readonly [P in K]?: Readonly<Record<string, unknown>>
})[]
type Kubeconfig = {
  readonly 'current-context'?: string
  readonly contexts?: Named<'context'>
  readonly clusters?: Named<'cluster'>
  readonly users?: Named<'user'>
}

function fromKubeconfig(path: string, section: OtherDiscovery, { disk }: DiscoveryContext): ApiServer {
  const config = parse(disk.readText(path), { maxAliasCount: 100 }) as Kubeconfig | null
  const name = config?.['current-context'] ?? ''
  const context = config?.contexts?.find((own) => own.name === name)?.context
  const cluster = config?.clusters?.find((own) => own.name === context?.['cluster'])?.cluster
  const user = config?.users?.find((own) => own.name === context?.['user'])?.user ?? {}
  if (!cluster?.['server'])
    throw new Error(`${path}: current-context ${JSON.stringify(name)} names no cluster with a server`)
  for (const unsupported of ['exec', 'auth-provider'])
    if (user[unsupported])
      throw new Error(`${path}: ${unsupported} credentials are not supported; give a token or a certificate`)
  const text = (from: Readonly<Record<string, unknown>>, key: string): string => String(from[key] ?? '')
  const data = (from: Readonly<Record<string, unknown>>, key: string): string =>
    text(from, key) === '' ? '' : atob(text(from, key))
  const token = text(user, 'token')
  const tokenFile = text(user, 'tokenFile')
  const userName = text(user, 'username')
  return {
    url: text(cluster, 'server').replace(/\/+$/, ''),
    http: {
      ...section.http!,
      authorization:
        token || tokenFile ? { type: 'Bearer', credentials: new Secret(token), credentialsFile: tokenFile } : null,
      basicAuth: userName
        ? {
            username: userName,
            usernameFile: '',
            password: new Secret(text(user, 'password')),
            passwordFile: '',
          }
        : null,
      tls: {
        ...NO_TLS,
        ca: data(cluster, 'certificate-authority-data'),
        caFile: text(cluster, 'certificate-authority'),
        serverName: text(cluster, 'tls-server-name'),
        insecureSkipVerify: cluster['insecure-skip-tls-verify'] === true,
        cert: data(user, 'client-certificate-data'),
        certFile: text(user, 'client-certificate'),
        key: new Secret(data(user, 'client-key-data')),
        keyFile: text(user, 'client-key'),
      },
    },
  }
}

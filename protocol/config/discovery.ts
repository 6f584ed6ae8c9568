/**
 * How one service discovery section is read and checked; the sections themselves are in `discovery-sections.ts`. All
 * are checked as upstream does, so that an existing file loads or fails here as there; which of them the agent acts
 * upon is `agent/discovery`'s business.
 * Semantics: Prometheus discovery/*, UnmarshalYAML of each SDConfig (v3.14).
 */
import { parseDuration } from '../durations/mod.ts'
import {
  type Cursor,
  type Decoder,
  integer,
  list,
  object,
  oneOf,
  parsed,
  quoteBytes,
  type Raw,
  record,
  type Secret,
  string,
} from './decode.ts'
import { type GoUrl, parseGoUrl } from './go-url.ts'
import { finishHttp, HTTP_FIELDS, type HttpClientConfig, hasCustomHttp } from './http-client.ts'
import { labelSelectorProblem } from './label-selector.ts'

export type StaticConfig = {
  readonly kind: 'static'
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}
export type OtherDiscovery = {
  readonly kind: Exclude<string, 'static'>
  /** As written, decoded. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly http: HttpClientConfig | null
  readonly refreshIntervalMs: number
}
export type DiscoveryConfig = StaticConfig | OtherDiscovery

export const duration: Decoder<number> = parsed(parseDuration)

export const labelName = (name: string, at: Cursor): void => {
  if (name === '' || !name.isWellFormed()) at.fail(`${quoteBytes(name)} is not a valid label name`)
}

export const labelValueString: Decoder<string> = (at) => {
  const value = string(at)
  return value.isWellFormed() ? value : at.fail(`${quoteBytes(value)} is not a valid label value`)
}

export const labelRecord = record(labelValueString, labelName)

const target: Decoder<{ readonly address: string; readonly at: Cursor }> = (at) => ({ address: string(at), at })
const places = new WeakMap<StaticConfig, readonly Cursor[]>()

export const staticConfig: Decoder<StaticConfig> = object(
  'struct',
  { targets: list(target), labels: labelRecord },
  (raw) => {
    const targets = raw.targets ?? []
    const made = { kind: 'static' as const, targets: targets.map(({ address }) => address), labels: raw.labels ?? {} }
    places.set(
      made,
      targets.map(({ at }) => at),
    )
    return made
  },
)

/** Where no rule can make an address of it, a target that is none is refused. Semantics: Prometheus config CheckTargetAddress. */
export function checkTargets(config: StaticConfig): void {
  const wrong = config.targets.findIndex((address) => address.includes('/'))
  if (wrong >= 0) places.get(config)![wrong]!.fail(`${JSON.stringify(config.targets[wrong])} is not a valid hostname`)
}

export type Fields = Readonly<Record<string, Decoder<unknown>>>
type Values = Readonly<Record<string, unknown>>
type Check = (raw: Values, at: Cursor) => void

const COMMON: Fields = { refresh_interval: duration, port: integer }
const DEFAULT_REFRESH_MS = 60_000

export function discovery(
  kind: string,
  type: string,
  fields: Fields,
  options: { http?: boolean; check?: Check } = {},
): Decoder<DiscoveryConfig> {
  const all = { ...COMMON, ...(options.http === false ? {} : HTTP_FIELDS), ...fields }
  return object(type, all, (raw, at): DiscoveryConfig => {
    const values = raw as Values
    if (at.isNull) at.fail(`empty or null section in ${/\w+(?=\[\d+\]$)/.exec(at.key)?.[0]}`)
    options.check?.(values, at)
    const http = options.http === false ? null : finishHttp(raw as Raw<typeof HTTP_FIELDS>, at)
    return {
      kind,
      settings: values,
      http,
      refreshIntervalMs: (values['refresh_interval'] as number | undefined) ?? DEFAULT_REFRESH_MS,
    }
  })
}

export const EMPTY_HTTP: HttpClientConfig = {
  basicAuth: null,
  authorization: null,
  oauth2: null,
  tls: null,
  followRedirects: true,
  enableHttp2: true,
  proxyUrl: '',
  noProxy: '',
  proxyFromEnvironment: false,
  proxyConnectHeader: {},
  unsupported: [],
  headers: {},
}

export const strings = list(string)
const has = (value: unknown): boolean =>
  value !== undefined &&
  value !== '' &&
  !(typeof value === 'object' && value !== null && 'reveal' in value && (value as Secret).reveal() === '')
export const require = (...keys: readonly (readonly [key: string, problem: string])[]): Check => {
  return (raw, at) => {
    for (const [key, problem] of keys) if (!has(raw[key])) at.fail(problem)
  }
}
export const all = (...checks: readonly Check[]): Check => {
  return (raw, at) => {
    for (const check of checks) check(raw, at)
  }
}

/** Semantics: Prometheus discovery/http, discovery/puppetdb. */
export const webUrl: Check = (raw, at) => {
  const text = String(raw['url'] ?? '')
  if (text === '') at.fail('URL is missing')
  const { scheme, host } = parsedUrl(text, at)
  if (scheme !== 'http' && scheme !== 'https') at.fail("URL scheme must be 'http' or 'https'")
  if (host === '') at.fail('host is missing in URL')
}

export function parsedUrl(text: string, at: Cursor): GoUrl {
  try {
    return parseGoUrl(text)
  } catch (error) {
    return at.fail((error as Error).message, error)
  }
}

/** Semantics: Prometheus discovery/moby. */
export const dockerHost: Check = (raw, at) => {
  const host = String(raw['host'] ?? '')
  if (host === '') at.fail('host missing')
  parsedUrl(host, at)
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** Semantics: scaleway-sdk-go, whose client Prometheus' discovery/scaleway makes while it reads the configuration. */
export const scalewayCheck: Check = (raw, at) => {
  const refuse = (problem: string): never => at.fail(`scaleway-sdk-go: ${problem}`)
  const uuid = (what: string, text: string): void => {
    if (!UUID.test(text))
      refuse(`invalid ${what} format '${text}', expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`)
  }
  const accessKey = String(raw['access_key'])
  if (!/^SCW[A-Z0-9]{17}$/.test(accessKey))
    refuse(`invalid access key format '${accessKey}', expected SCWXXXXXXXXXXXXXXXXX format`)
  if (has(raw['secret_key']) && !UUID.test((raw['secret_key'] as Secret).reveal()))
    refuse('invalid secret key format, expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx')
  uuid('project ID', String(raw['project_id']))
  const zone = String(raw['zone'] ?? 'fr-par-1')
  if (zone === '') refuse('default zone cannot be empty')
  if (!/^[a-z]{2}-[a-z]{3}-[0-9]$/.test(zone)) refuse(`invalid default zone format '${zone}'`)
  const url = String(raw['api_url'] ?? '')
  if (url.endsWith('/')) refuse(`invalid url ${url} it should not have a trailing slash`)
}

/** Semantics: Prometheus discovery/zookeeper. */
export const zookeeperCheck =
  (kind: string): Check =>
  (raw, at) => {
    const listOf = (key: string): readonly string[] => (raw[key] as readonly string[] | undefined) ?? []
    if (listOf('servers').length === 0) at.fail(`${kind} SD config must contain at least one Zookeeper server`)
    if (listOf('paths').length === 0) at.fail(`${kind} SD config must contain at least one path`)
    const wrong = listOf('paths').find((path) => !path.startsWith('/'))
    if (wrong !== undefined) at.fail(`${kind} SD config paths must begin with '/': ${wrong}`)
  }

/** Semantics: Prometheus discovery/consul. */
export const consulCheck: Check = (raw, at) => {
  if (raw['server'] !== undefined && String(raw['server']).trim() === '')
    at.fail('consul SD configuration requires a server address')
  if ((has(raw['username']) || has(raw['password'])) && raw['basic_auth'])
    at.fail('at most one of consul SD configuration username and password and basic auth can be configured')
  if (has(raw['token']) && (raw['authorization'] || raw['oauth2']))
    at.fail('at most one of consul SD token, authorization, or oauth2 can be configured')
}

/** Semantics: Prometheus discovery/xds, KumaSDConfig. */
export const kumaCheck: Check = (raw, at) => {
  const server = String(raw['server'] ?? '')
  if (server === '') at.fail(`kuma SD server must not be empty: ${server}`)
  const { scheme, host } = parsedUrl(server, at)
  if (scheme === '' || host === '') at.fail(`kuma SD server must not be empty and have a scheme: ${server}`)
}

const FILE_PATTERN = /^[^*]*(\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/
export const files: Decoder<readonly string[]> = list((at) => {
  const text = string(at)
  return FILE_PATTERN.test(text) ? text : at.fail(`path name ${JSON.stringify(text)} is not valid for file discovery`)
})

export const filters = list(
  object('struct', { name: string, values: strings }, (raw, at) => {
    if ((raw.values ?? []).length === 0) at.fail('EC2 SD configuration filter values cannot be empty')
    return raw
  }),
)
export const dockerFilters = list(object('struct', { name: string, values: strings }, (raw) => raw))

const KUBERNETES_ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const
const SELECTOR_ROLES: Readonly<Record<string, readonly string[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
}
export const kubernetesRole = oneOf(KUBERNETES_ROLES, (value) => `unknown Kubernetes SD role ${JSON.stringify(value)}`)
export const kubernetesSelectors = list(
  object('kubernetes.plain', { role: kubernetesRole, label: string, field: string }, (raw) => raw),
)
type Selector = { readonly role?: string; readonly label?: string; readonly field?: string }

export const kubernetesCheck: Check = (raw, at) => {
  if (!has(raw['role'])) at.fail('role missing (one of: pod, service, endpoints, endpointslice, node, ingress)')
  const namespaces = raw['namespaces'] as { own_namespace?: boolean } | undefined
  const custom = hasCustomHttp(raw)
  if (has(raw['api_server']) && has(raw['kubeconfig_file']))
    at.fail("cannot use 'kubeconfig_file' and 'api_server' simultaneously")
  if (has(raw['kubeconfig_file']) && custom)
    at.fail("cannot use a custom HTTP client configuration together with 'kubeconfig_file'")
  if (custom) finishHttp(raw as Raw<typeof HTTP_FIELDS>, at)
  if (!has(raw['api_server']) && custom)
    at.fail("to use custom HTTP client configuration please provide the 'api_server' URL explicitly")
  if (has(raw['api_server']) && namespaces?.own_namespace)
    at.fail("cannot use 'api_server' and 'namespaces.own_namespace' simultaneously")
  if (has(raw['kubeconfig_file']) && namespaces?.own_namespace)
    at.fail("cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously")
  const role = String(raw['role'])
  const seen = new Set<string>()
  for (const selector of (raw['selectors'] as readonly Selector[] | undefined) ?? []) {
    const own = String(selector.role ?? '')
    if (seen.has(own)) at.fail(`duplicated selector role: ${own}`)
    seen.add(own)
    const allowed = SELECTOR_ROLES[role] ?? []
    if (!allowed.includes(own)) at.fail(`${role} role supports only ${allowed.join(', ')} selectors`)
    const field = selector.field ?? ''
    for (const part of field.split(',')) {
      if (part !== '' && !part.includes('=')) at.fail(`invalid selector: '${field}'; can't understand '${part}'`)
    }
    const problem = labelSelectorProblem(selector.label ?? '')
    if (problem !== null) at.fail(problem)
  }
}

export const marathonCheck: Check = (raw, at) => {
  if (((raw['servers'] as readonly string[] | undefined) ?? []).length === 0)
    at.fail('marathon_sd: must contain at least one Marathon server')
  const token = has(raw['auth_token'])
  const tokenFile = has(raw['auth_token_file'])
  const either = token || tokenFile
  if (token && tokenFile) at.fail('marathon_sd: at most one of auth_token & auth_token_file must be configured')
  if (either && raw['basic_auth'])
    at.fail('marathon_sd: at most one of basic_auth, auth_token & auth_token_file must be configured')
  if (either && (has(raw['bearer_token']) || has(raw['bearer_token_file']))) {
    at.fail(
      'marathon_sd: at most one of bearer_token, bearer_token_file, auth_token & auth_token_file must be configured',
    )
  }
  if (either && raw['authorization'])
    at.fail('marathon_sd: at most one of auth_token, auth_token_file & authorization must be configured')
}

export const azureCheck: Check = (raw, at) => {
  const method = String(raw['authentication_method'] ?? 'OAuth')
  const need = (key: string): void => {
    if (!has(raw[key])) at.fail(`azure SD configuration requires a ${key}`)
  }
  need('subscription_id')
  if (!['OAuth', 'ManagedIdentity', 'SDK', 'WorkloadIdentity'].includes(method)) {
    at.fail(
      `unknown authentication_type ${JSON.stringify(method)}. Supported types are "OAuth", "ManagedIdentity", "SDK" or "WorkloadIdentity"`,
    )
  }
  if (method === 'OAuth') for (const key of ['tenant_id', 'client_id', 'client_secret']) need(key)
}

export const oneSecretOf = (key: string, file: string): Check => {
  return (raw, at) => {
    if (!has(raw[key]) && !has(raw[file])) at.fail(`one of ${key} & ${file} must be configured`)
    if (has(raw[key]) && has(raw[file])) at.fail(`at most one of ${key} & ${file} must be configured`)
  }
}

export const roleIn = (roles: readonly string[], complain: (role: string) => string): Check => {
  return (raw, at) => {
    const role = String(raw['role'] ?? '')
    if (!roles.includes(role)) at.fail(complain(role))
  }
}

export const eurekaCheck: Check = (raw, at) => {
  const server = String(raw['server'] ?? '')
  if (server === '') at.fail('eureka_sd: empty or null eureka server')
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]+/i.test(server)) at.fail('eureka_sd: invalid eureka server URL')
}

export const openstackCheck: Check = (raw, at) => {
  const availability = raw['availability'] === undefined ? 'public' : String(raw['availability'])
  if (!['public', 'internal', 'admin'].includes(availability)) {
    at.fail(`unknown availability ${availability}, must be one of admin, internal or public`)
  }
  const role = String(raw['role'] ?? '')
  if (role === '') at.fail('role missing (one of: instance, hypervisor, loadbalancer)')
  if (!['hypervisor', 'instance', 'loadbalancer'].includes(role))
    at.fail(`unknown OpenStack SD role ${JSON.stringify(role)}`)
  if (!has(raw['region'])) at.fail('openstack SD configuration requires a region')
}

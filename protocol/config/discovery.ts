/**
 * Service discovery sections. All are checked as upstream does, so that an existing file loads or fails here as there;
 * which of them the agent acts upon is `agent/discovery`'s business.
 * Semantics: Prometheus discovery/*, UnmarshalYAML of each SDConfig (v3.14).
 */
import { parseDuration } from '../durations/mod.ts'
import {
  boolean,
  type Cursor,
  type Decoder,
  integer,
  list,
  natural,
  object,
  oneOf,
  parsed,
  quoteBytes,
  type Raw,
  record,
  type Secret,
  secret,
  string,
} from './decode.ts'
import { finishHttp, HTTP_FIELDS, type HttpClientConfig, hasCustomHttp, tlsConfig } from './http-client.ts'

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

/** Semantics: Prometheus config CheckTargetAddress. */
export const targetAddress: Decoder<string> = (at) => {
  const text = string(at)
  return text.includes('/') ? at.fail(`${JSON.stringify(text)} is not a valid hostname`) : text
}

export const staticConfig: Decoder<StaticConfig> = object(
  'struct',
  { targets: list(targetAddress), labels: labelRecord },
  (raw) => ({
    kind: 'static' as const,
    targets: raw.targets ?? [],
    labels: raw.labels ?? {},
  }),
)

type Fields = Readonly<Record<string, Decoder<unknown>>>
type Values = Readonly<Record<string, unknown>>
type Check = (raw: Values, at: Cursor, http: HttpClientConfig) => void

const COMMON: Fields = { refresh_interval: duration, port: integer }
const DEFAULT_REFRESH_MS = 60_000

function discovery(
  kind: string,
  type: string,
  fields: Fields,
  options: { http?: boolean; check?: Check } = {},
): Decoder<DiscoveryConfig> {
  const all = { ...COMMON, ...(options.http === false ? {} : HTTP_FIELDS), ...fields }
  return object(type, all, (raw, at): DiscoveryConfig => {
    const values = raw as Values
    const ownChecksFirst = kind === 'marathon' || kind === 'kubernetes'
    if (ownChecksFirst) options.check?.(values, at, EMPTY_HTTP)
    const http = options.http === false ? null : finishHttp(raw as Raw<typeof HTTP_FIELDS>, at)
    if (!ownChecksFirst) options.check?.(values, at, http ?? EMPTY_HTTP)
    return {
      kind,
      settings: values,
      http,
      refreshIntervalMs: (values['refresh_interval'] as number | undefined) ?? DEFAULT_REFRESH_MS,
    }
  })
}

const EMPTY_HTTP: HttpClientConfig = {
  basicAuth: null,
  authorization: null,
  oauth2: null,
  tls: null,
  followRedirects: true,
  enableHttp2: true,
  proxyUrl: '',
  noProxy: '',
  proxyFromEnvironment: false,
  headers: {},
}

const strings = list(string)
const has = (value: unknown): boolean =>
  value !== undefined &&
  value !== '' &&
  !(typeof value === 'object' && value !== null && 'reveal' in value && (value as Secret).reveal() === '')
const require = (...keys: readonly (readonly [key: string, problem: string])[]): Check => {
  return (raw, at) => {
    for (const [key, problem] of keys) if (!has(raw[key])) at.fail(problem)
  }
}
const all = (...checks: readonly Check[]): Check => {
  return (raw, at, http) => {
    for (const check of checks) check(raw, at, http)
  }
}

/** Semantics: Prometheus discovery/http, discovery/puppetdb. */
const webUrl: Check = (raw, at) => {
  const text = String(raw['url'] ?? '')
  if (text === '') at.fail('URL is missing')
  const match = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?/i.exec(text)
  const scheme = match?.[1]?.toLowerCase()
  if (scheme !== 'http' && scheme !== 'https') at.fail("URL scheme must be 'http' or 'https'")
  if (!match?.[2]) at.fail('host is missing in URL')
}

const FILE_PATTERN = /^[^*]*(\*[^/]*)?\.(?:json|yml|yaml|JSON|YML|YAML)$/
const files: Decoder<readonly string[]> = list((at) => {
  const text = string(at)
  return FILE_PATTERN.test(text) ? text : at.fail(`path name ${JSON.stringify(text)} is not valid for file discovery`)
})

const filters = list(
  object('struct', { name: string, values: strings }, (raw, at) => {
    if ((raw.values ?? []).length === 0) at.fail('EC2 SD configuration filter values cannot be empty')
    return raw
  }),
)
const dockerFilters = list(object('struct', { name: string, values: strings }, (raw) => raw))

const KUBERNETES_ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const
const SELECTOR_ROLES: Readonly<Record<string, readonly string[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
}
const kubernetesRole = oneOf(KUBERNETES_ROLES, (value) => `unknown Kubernetes SD role ${JSON.stringify(value)}`)
const kubernetesSelectors = list(
  object('kubernetes.plain', { role: kubernetesRole, label: string, field: string }, (raw) => raw),
)
type Selector = { readonly role?: string; readonly label?: string; readonly field?: string }

const kubernetesCheck: Check = (raw, at) => {
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
      if (part !== '' && !part.includes('=')) at.fail(`invalid selector: '${part}'; can't understand '${part}'`)
    }
  }
}

const marathonCheck: Check = (raw, at) => {
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

const azureCheck: Check = (raw, at) => {
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

const oneSecretOf = (key: string, file: string): Check => {
  return (raw, at) => {
    if (!has(raw[key]) && !has(raw[file])) at.fail(`one of ${key} & ${file} must be configured`)
    if (has(raw[key]) && has(raw[file])) at.fail(`at most one of ${key} & ${file} must be configured`)
  }
}

const roleIn = (roles: readonly string[], complain: (role: string) => string): Check => {
  return (raw, at) => {
    const role = String(raw['role'] ?? '')
    if (!roles.includes(role)) at.fail(complain(role))
  }
}

const eurekaCheck: Check = (raw, at) => {
  const server = String(raw['server'] ?? '')
  if (server === '') at.fail('eureka_sd: empty or null eureka server')
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]+/i.test(server)) at.fail('eureka_sd: invalid eureka server URL')
}

const openstackCheck: Check = (raw, at) => {
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

const aws: Fields = {
  endpoint: string,
  region: string,
  access_key: string,
  secret_key: secret,
  profile: string,
  role_arn: string,
  external_id: string,
  filters,
}
const account: Fields = { access_key: string, secret_key: secret, secret_key_file: string }
const consul: Fields = {
  server: string,
  path_prefix: string,
  token: secret,
  datacenter: string,
  namespace: string,
  partition: string,
  tag_separator: string,
  scheme: string,
  username: string,
  password: secret,
  allow_stale: boolean,
  services: strings,
  tags: strings,
  node_meta: record(string),
  filter: string,
  health_filter: string,
}

/** By YAML key. */
export const DISCOVERY_FIELDS: Readonly<Record<string, Decoder<readonly DiscoveryConfig[]>>> = {
  static_configs: list<DiscoveryConfig>(staticConfig, 'empty or null section in static_configs'),
  aws_sd_configs: list(discovery('aws', 'aws.SDConfig', { ...aws, role: string, clusters: strings })),
  azure_sd_configs: list(
    discovery(
      'azure',
      'azure.SDConfig',
      {
        environment: string,
        subscription_id: string,
        tenant_id: string,
        client_id: string,
        client_secret: secret,
        authentication_method: string,
        resource_group: string,
      },
      { check: azureCheck },
    ),
  ),
  consul_sd_configs: list(
    discovery('consul', 'consul.SDConfig', consul, {
      check: (raw, at) => {
        if (raw['server'] !== undefined && String(raw['server']).trim() === '')
          at.fail('consul SD configuration requires a server address')
      },
    }),
  ),
  digitalocean_sd_configs: list(discovery('digitalocean', 'digitalocean.SDConfig', {})),
  dns_sd_configs: list(
    discovery(
      'dns',
      'dns.SDConfig',
      { names: strings, type: string },
      {
        http: false,
        check: (raw, at) => {
          if (((raw['names'] as readonly string[] | undefined) ?? []).length === 0)
            at.fail('DNS-SD config must contain at least one SRV record name')
          const type = String(raw['type'] ?? 'SRV').toUpperCase()
          if (!['SRV', 'A', 'AAAA', 'MX', 'NS'].includes(type))
            at.fail(`invalid DNS-SD records type ${String(raw['type'])}`)
          if (type !== 'SRV' && raw['port'] === undefined && type !== 'MX' && type !== 'NS')
            at.fail('a port is required in DNS-SD configs for all record types except SRV')
        },
      },
    ),
  ),
  docker_sd_configs: list(
    discovery(
      'docker',
      'moby.DockerSDConfig',
      { host: string, filters: dockerFilters, host_networking_host: string, match_first_network: boolean },
      { check: require(['host', 'host missing']) },
    ),
  ),
  dockerswarm_sd_configs: list(
    discovery(
      'dockerswarm',
      'moby.DockerSwarmSDConfig',
      { host: string, role: string, filters: dockerFilters },
      {
        check: all(
          require(['host', 'host missing']),
          roleIn(['services', 'nodes', 'tasks'], (role) => `invalid role ${role}, expected tasks, services, or nodes`),
        ),
      },
    ),
  ),
  ec2_sd_configs: list(discovery('ec2', 'aws.EC2SDConfig', aws)),
  eureka_sd_configs: list(discovery('eureka', 'eureka.SDConfig', { server: string }, { check: eurekaCheck })),
  file_sd_configs: list(
    discovery(
      'file',
      'file.SDConfig',
      { files },
      {
        http: false,
        check: (raw, at) => {
          if (((raw['files'] as readonly string[] | undefined) ?? []).length === 0)
            at.fail('file service discovery config must contain at least one path name')
        },
      },
    ),
  ),
  gce_sd_configs: list(
    discovery(
      'gce',
      'gce.SDConfig',
      { project: string, zone: string, filter: string, tag_separator: string },
      {
        http: false,
        check: require(['project', 'GCE SD configuration requires a project'], [
          'zone',
          'GCE SD configuration requires a zone',
        ]),
      },
    ),
  ),
  hetzner_sd_configs: list(
    discovery(
      'hetzner',
      'hetzner.SDConfig',
      { role: string, label_selector: string },
      {
        check: all(
          require(['role', 'role missing (one of: robot, hcloud)']),
          roleIn(['robot', 'hcloud'], (role) => `unknown role ${JSON.stringify(role)}`),
        ),
      },
    ),
  ),
  http_sd_configs: list(discovery('http', 'http.SDConfig', { url: string }, { check: webUrl })),
  ionos_sd_configs: list(
    discovery(
      'ionos',
      'ionos.SDConfig',
      { datacenter_id: string },
      { check: require(['datacenter_id', "datacenter id can't be empty"]) },
    ),
  ),
  kubernetes_sd_configs: list(
    discovery(
      'kubernetes',
      'kubernetes.plain',
      {
        api_server: string,
        role: kubernetesRole,
        kubeconfig_file: string,
        namespaces: object('kubernetes.plain', { own_namespace: boolean, names: strings }, (raw) => raw),
        selectors: kubernetesSelectors,
        attach_metadata: object('kubernetes.plain', { node: boolean, namespace: boolean }, (raw) => raw),
      },
      { check: kubernetesCheck },
    ),
  ),
  kuma_sd_configs: list(
    discovery(
      'kuma',
      'xds.KumaSDConfig',
      { server: string, client_id: string, fetch_timeout: duration },
      { check: require(['server', 'kuma SD server must not be empty: ']) },
    ),
  ),
  lightsail_sd_configs: list(discovery('lightsail', 'aws.LightsailSDConfig', aws)),
  linode_sd_configs: list(discovery('linode', 'linode.SDConfig', { tag_separator: string, region: string })),
  marathon_sd_configs: list(
    discovery(
      'marathon',
      'marathon.SDConfig',
      { servers: strings, auth_token: secret, auth_token_file: string },
      { check: marathonCheck },
    ),
  ),
  nerve_sd_configs: list(
    discovery(
      'nerve',
      'zookeeper.NerveSDConfig',
      { servers: strings, paths: strings, timeout: duration },
      { http: false },
    ),
  ),
  nomad_sd_configs: list(
    discovery('nomad', 'nomad.SDConfig', {
      server: string,
      namespace: string,
      region: string,
      tag_separator: string,
      allow_stale: boolean,
    }),
  ),
  oci_sd_configs: list(
    discovery(
      'oci',
      'oci.SDConfig',
      {
        auth: string,
        region: string,
        tenancy: string,
        user: string,
        fingerprint: string,
        key_file: string,
        key_passphrase: secret,
        compartments: strings,
      },
      {
        check: (raw, at) => {
          const auth = String(raw['auth'] ?? 'api_key')
          if (auth !== 'api_key' && auth !== 'instance_principal') {
            at.fail(`oci_sd: unknown auth method ${JSON.stringify(auth)}, expected "api_key" or "instance_principal"`)
          }
        },
      },
    ),
  ),
  openstack_sd_configs: list(
    discovery(
      'openstack',
      'openstack.SDConfig',
      {
        identity_endpoint: string,
        username: string,
        userid: string,
        password: secret,
        project_name: string,
        project_id: string,
        domain_name: string,
        domain_id: string,
        application_credential_name: string,
        application_credential_id: string,
        application_credential_secret: secret,
        role: string,
        region: string,
        all_tenants: boolean,
        availability: string,
        tls_config: tlsConfig,
      },
      { http: false, check: openstackCheck },
    ),
  ),
  outscale_sd_configs: list(
    discovery(
      'outscale',
      'outscale.SDConfig',
      { ...account, region: string, endpoint: string },
      {
        check: all(
          require(['region', 'outscale SD configuration requires a region']),
          oneSecretOf('secret_key', 'secret_key_file'),
        ),
      },
    ),
  ),
  ovhcloud_sd_configs: list(
    discovery(
      'ovhcloud',
      'ovhcloud.SDConfig',
      { service: string, endpoint: string, application_key: string, application_secret: secret, consumer_key: secret },
      {
        http: false,
        check: (raw, at) => {
          require(['endpoint', 'endpoint can not be empty'], ['application_key', 'application key can not be empty'], [
            'application_secret',
            'application secret can not be empty',
          ], ['consumer_key', 'consumer key can not be empty'])(raw, at, EMPTY_HTTP)
          if (raw['service'] !== 'vps' && raw['service'] !== 'dedicated_server')
            at.fail(`unknown service: ${String(raw['service'])}`)
        },
      },
    ),
  ),
  puppetdb_sd_configs: list(
    discovery(
      'puppetdb',
      'puppetdb.SDConfig',
      { url: string, query: string, include_parameters: boolean },
      { check: all(webUrl, require(['query', 'query missing'])) },
    ),
  ),
  scaleway_sd_configs: list(
    discovery(
      'scaleway',
      'scaleway.SDConfig',
      {
        ...account,
        project_id: string,
        api_url: string,
        zone: string,
        role: string,
        name_filter: string,
        tags_filter: strings,
      },
      {
        check: all(
          roleIn(['instance', 'baremetal'], (role) => `unknown role ${JSON.stringify(role)}`),
          require(['project_id', 'project_id is mandatory']),
          oneSecretOf('secret_key', 'secret_key_file'),
          require(['access_key', 'access_key is mandatory']),
        ),
      },
    ),
  ),
  serverset_sd_configs: list(
    discovery(
      'serverset',
      'zookeeper.ServersetSDConfig',
      { servers: strings, paths: strings, timeout: duration },
      { http: false },
    ),
  ),
  stackit_sd_configs: list(
    discovery(
      'stackit',
      'stackit.SDConfig',
      {
        project: string,
        region: string,
        endpoint: string,
        service_account_key: secret,
        service_account_key_path: string,
        private_key: secret,
        private_key_path: string,
        credentials_file_path: string,
      },
      {
        check: (raw, at) => {
          const endpoint = String(raw['endpoint'] ?? '')
          if (endpoint !== '' && !/^[a-z][a-z0-9+.-]*:\/\/[^/]+/i.test(endpoint))
            at.fail(`invalid endpoint ${JSON.stringify(endpoint)}`)
        },
      },
    ),
  ),
  triton_sd_configs: list(
    discovery(
      'triton',
      'triton.SDConfig',
      {
        account: string,
        role: string,
        dns_suffix: string,
        endpoint: string,
        groups: strings,
        version: natural,
        tls_config: tlsConfig,
      },
      {
        http: false,
        check: require(['account', 'triton SD configuration requires an account'], [
          'dns_suffix',
          'triton SD configuration requires a dns_suffix',
        ], ['endpoint', 'triton SD configuration requires an endpoint']),
      },
    ),
  ),
  uyuni_sd_configs: list(
    discovery(
      'uyuni',
      'uyuni.SDConfig',
      { server: string, username: string, password: secret, entitlement: string, separator: string },
      {
        check: require(['server', 'Uyuni SD configuration requires server host'], [
          'username',
          'Uyuni SD configuration requires a username',
        ], ['password', 'Uyuni SD configuration requires a password']),
      },
    ),
  ),
  vultr_sd_configs: list(discovery('vultr', 'vultr.SDConfig', {})),
}

/** All discovery sections of a decoded mapping, in the order of the table. */
export function collectDiscovery(raw: Readonly<Record<string, unknown>>): DiscoveryConfig[] {
  return Object.keys(DISCOVERY_FIELDS).flatMap((key) => (raw[key] as readonly DiscoveryConfig[] | undefined) ?? [])
}

/** The service discovery sections of a job, by YAML key. Semantics: Prometheus discovery/*, UnmarshalYAML of each SDConfig (v3.14). */
import { boolean, type Decoder, list, natural, object, record, secret, string } from './decode.ts'
import {
  all,
  azureCheck,
  checkTargets,
  consulCheck,
  type DiscoveryConfig,
  discovery,
  dockerFilters,
  dockerHost,
  duration,
  eurekaCheck,
  type Fields,
  files,
  filters,
  kubernetesCheck,
  kubernetesRole,
  kubernetesSelectors,
  kumaCheck,
  marathonCheck,
  oneSecretOf,
  openstackCheck,
  require,
  roleIn,
  type StaticConfig,
  scalewayCheck,
  staticConfig,
  strings,
  webUrl,
  zookeeperCheck,
} from './discovery.ts'
import { tlsConfig } from './http-client.ts'

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
  aws_sd_configs: list(discovery('aws', 'aws.plain', { ...aws, role: string, clusters: strings })),
  azure_sd_configs: list(
    discovery(
      'azure',
      'azure.plain',
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
  consul_sd_configs: list(discovery('consul', 'consul.plain', consul, { check: consulCheck })),
  digitalocean_sd_configs: list(discovery('digitalocean', 'digitalocean.plain', {})),
  dns_sd_configs: list(
    discovery(
      'dns',
      'dns.plain',
      { names: strings, type: string },
      {
        http: false,
        check: (raw, at) => {
          if (((raw['names'] as readonly string[] | undefined) ?? []).length === 0)
            at.fail('DNS-SD config must contain at least one SRV record name')
          const type = String(raw['type'] ?? 'SRV').toUpperCase()
          if (!['SRV', 'A', 'AAAA', 'MX', 'NS'].includes(type))
            at.fail(`invalid DNS-SD records type ${String(raw['type'])}`)
          if (type !== 'SRV' && !raw['port'])
            at.fail('a port is required in DNS-SD configs for all record types except SRV')
        },
      },
    ),
  ),
  docker_sd_configs: list(
    discovery(
      'docker',
      'moby.plain',
      { host: string, filters: dockerFilters, host_networking_host: string, match_first_network: boolean },
      { check: dockerHost },
    ),
  ),
  dockerswarm_sd_configs: list(
    discovery(
      'dockerswarm',
      'moby.plain',
      { host: string, role: string, filters: dockerFilters },
      {
        check: all(
          dockerHost,
          require(['role', 'role missing (one of: tasks, services, nodes)']),
          roleIn(['services', 'nodes', 'tasks'], (role) => `invalid role ${role}, expected tasks, services, or nodes`),
        ),
      },
    ),
  ),
  ec2_sd_configs: list(discovery('ec2', 'aws.plain', aws)),
  eureka_sd_configs: list(discovery('eureka', 'eureka.plain', { server: string }, { check: eurekaCheck })),
  file_sd_configs: list(
    discovery(
      'file',
      'file.plain',
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
      'gce.plain',
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
      'hetzner.plain',
      { role: string, label_selector: string },
      {
        check: all(
          require(['role', 'role missing (one of: robot, hcloud)']),
          roleIn(['robot', 'hcloud'], (role) => `unknown role ${JSON.stringify(role)}`),
        ),
      },
    ),
  ),
  http_sd_configs: list(discovery('http', 'http.plain', { url: string }, { check: webUrl })),
  ionos_sd_configs: list(
    discovery(
      'ionos',
      'ionos.plain',
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
      'xds.plain',
      { server: string, client_id: string, fetch_timeout: duration },
      { check: kumaCheck },
    ),
  ),
  lightsail_sd_configs: list(discovery('lightsail', 'aws.plain', aws)),
  linode_sd_configs: list(discovery('linode', 'linode.plain', { tag_separator: string, region: string })),
  marathon_sd_configs: list(
    discovery(
      'marathon',
      'marathon.plain',
      { servers: strings, auth_token: secret, auth_token_file: string },
      { check: marathonCheck },
    ),
  ),
  nerve_sd_configs: list(
    discovery(
      'nerve',
      'zookeeper.plain',
      { servers: strings, paths: strings, timeout: duration },
      { http: false, check: zookeeperCheck('nerve') },
    ),
  ),
  nomad_sd_configs: list(
    discovery(
      'nomad',
      'nomad.plain',
      { server: string, namespace: string, region: string, tag_separator: string, allow_stale: boolean },
      {
        check: (raw, at) => {
          if (raw['server'] !== undefined && String(raw['server']).trim() === '')
            at.fail('nomad SD configuration requires a server address')
        },
      },
    ),
  ),
  oci_sd_configs: list(
    discovery(
      'oci',
      'oci.plain',
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
      'openstack.plain',
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
      'outscale.plain',
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
      'ovhcloud.plain',
      { service: string, endpoint: string, application_key: string, application_secret: secret, consumer_key: secret },
      {
        http: false,
        check: (raw, at) => {
          if (raw['endpoint'] === '') at.fail('endpoint can not be empty')
          require(['application_key', 'application key can not be empty'], [
            'application_secret',
            'application secret can not be empty',
          ], ['consumer_key', 'consumer key can not be empty'])(raw, at)
          if (raw['service'] !== 'vps' && raw['service'] !== 'dedicated_server')
            at.fail(`unknown service: ${String(raw['service'])}`)
        },
      },
    ),
  ),
  puppetdb_sd_configs: list(
    discovery(
      'puppetdb',
      'puppetdb.plain',
      { url: string, query: string, include_parameters: boolean },
      { check: all(webUrl, require(['query', 'query missing'])) },
    ),
  ),
  scaleway_sd_configs: list(
    discovery(
      'scaleway',
      'scaleway.plain',
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
          roleIn(['instance', 'baremetal'], (role) =>
            role === '' ? 'role missing (one of: instance, baremetal)' : `unknown role ${JSON.stringify(role)}`,
          ),
          require(['project_id', 'project_id is mandatory']),
          oneSecretOf('secret_key', 'secret_key_file'),
          require(['access_key', 'access_key is mandatory']),
          scalewayCheck,
        ),
      },
    ),
  ),
  serverset_sd_configs: list(
    discovery(
      'serverset',
      'zookeeper.plain',
      { servers: strings, paths: strings, timeout: duration },
      { http: false, check: zookeeperCheck('serverset') },
    ),
  ),
  stackit_sd_configs: list(
    discovery(
      'stackit',
      'stackit.plain',
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
      'triton.plain',
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
        check: all(
          require(['account', 'triton SD configuration requires an account'], [
            'dns_suffix',
            'triton SD configuration requires a dns_suffix',
          ], ['endpoint', 'triton SD configuration requires an endpoint']),
          (raw, at) => {
            if (!['container', 'cn'].includes(String(raw['role'] ?? 'container')))
              at.fail("triton SD configuration requires role to be 'container' or 'cn'")
            if (raw['refresh_interval'] === 0)
              at.fail('triton SD configuration requires RefreshInterval to be a positive integer')
          },
        ),
      },
    ),
  ),
  uyuni_sd_configs: list(
    discovery(
      'uyuni',
      'uyuni.plain',
      { server: string, username: string, password: secret, entitlement: string, separator: string },
      {
        check: require(['server', 'Uyuni SD configuration requires server host'], [
          'username',
          'Uyuni SD configuration requires a username',
        ], ['password', 'Uyuni SD configuration requires a password']),
      },
    ),
  ),
  vultr_sd_configs: list(discovery('vultr', 'vultr.plain', {})),
}

/** All discovery sections of a decoded mapping, in the order of the table. */
const isStatic = (config: DiscoveryConfig): config is StaticConfig => config.kind === 'static'

/** Of a section that may also have `relabel_configs`. */
export function collectDiscovery(raw: Readonly<Record<string, unknown>>): DiscoveryConfig[] {
  const all = Object.keys(DISCOVERY_FIELDS).flatMap((key) => (raw[key] as readonly DiscoveryConfig[] | undefined) ?? [])
  const rules = (raw['relabel_configs'] as readonly unknown[] | undefined) ?? []
  if (rules.length === 0) for (const each of all) if (isStatic(each)) checkTargets(each)
  return all
}

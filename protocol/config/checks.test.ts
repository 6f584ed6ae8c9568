/** What a file is refused for, in upstream's words. Semantics: the UnmarshalYAML and Validate methods of Prometheus' sections (v3.14). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, loadPrometheusConfig } from './mod.ts'

function problemOf(text: string): string {
  const files = { readText: () => '', readDirectory: () => [] }
  try {
    loadPrometheusConfig(text, { file: 'p.yml', files, environment: {} })
    return ''
  } catch (error) {
    if (error instanceof ConfigError) return error.problem
    throw error
  }
}

/** Of a job, and what is wrong with it; '' is good. */
const jobs: readonly (readonly [keys: string, problem: string])[] = [
  ['static_configs: [{targets: [a, "http://a/b"]}]', '"http://a/b" is not a valid hostname'],
  [
    'static_configs: [{targets: ["http://a/b"]}], relabel_configs: [{target_label: __address__, replacement: "b:9115"}]',
    '',
  ],
  ['scrape_interval: , scrape_timeout: null, body_size_limit: ', ''],
  ['sample_limit: 1.5', ''],
  ['sample_limit: 1_000', ''],
  ['sample_limit: "1_000"', 'yaml: unmarshal errors: line 1: cannot unmarshal !!str `1_000` into uint'],
  [
    'sample_limit: 99999999999999999999',
    'yaml: unmarshal errors: line 1: cannot unmarshal !!float `9999999...` into uint',
  ],
  ['sample_limit: x', 'yaml: unmarshal errors: line 1: cannot unmarshal !!str `x` into uint'],
  ['scrape_protocols: null', ''],
  ['scrape_protocols: []', 'scrape_protocols cannot be empty for scrape config with job name "a"'],
  ['body_size_limit: 5 MB', 'units: unknown unit  MB in 5 MB'],
  ['body_size_limit: 1.5GB500MB', ''],
  [
    'metric_name_escaping_scheme: x',
    `unknown scrape config name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got "x"`,
  ],
  [
    'oauth2: {client_id: a, token_url: b, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", client_certificate_key: x, client_certificate_key_file: y}',
    'at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer',
  ],
  [
    'oauth2: {client_id: a, token_url: b, grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", client_certificate_key: x, signature_algorithm: HS256}',
    'valid signature algorithms are RS256, RS384 and RS512',
  ],
  ['basic_auth: {foo: 1}', 'yaml: unmarshal errors: line 1: field foo not found in type config.plain'],
  ['gce_sd_configs: [{foo: 1}]', 'yaml: unmarshal errors: line 1: field foo not found in type gce.plain'],
  ['file_sd_configs: [null]', 'empty or null section in file_sd_configs'],
  ['dns_sd_configs: [{names: [a], type: MX}]', 'a port is required in DNS-SD configs for all record types except SRV'],
  [
    'kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, field: "a=b,c"}]}]',
    "invalid selector: 'a=b,c'; can't understand 'c'",
  ],
  [
    'kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: "a b"}]}]',
    "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
  ],
  ['kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, label: "app in (a, b),!c"}]}]', ''],
  ['ovhcloud_sd_configs: [{service: vps, application_key: a, application_secret: b, consumer_key: c}]', ''],
  ['ovhcloud_sd_configs: [{endpoint: ""}]', 'endpoint can not be empty'],
  ['scaleway_sd_configs: [{}]', 'role missing (one of: instance, baremetal)'],
  [
    'scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: 11111111-1111-1111-1111-111111111111}]',
    '',
  ],
  [
    'scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCW, secret_key: 11111111-1111-1111-1111-111111111111}]',
    "scaleway-sdk-go: invalid access key format 'SCW', expected SCWXXXXXXXXXXXXXXXXX format",
  ],
  [
    'scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: x}]',
    'scaleway-sdk-go: invalid secret key format, expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx',
  ],
  [
    'scaleway_sd_configs: [{role: instance, project_id: p, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: 11111111-1111-1111-1111-111111111111}]',
    "scaleway-sdk-go: invalid project ID format 'p', expected a UUID: xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
  ],
  [
    'scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: 11111111-1111-1111-1111-111111111111, zone: fr-par}]',
    "scaleway-sdk-go: invalid default zone format 'fr-par'",
  ],
  [
    'scaleway_sd_configs: [{role: instance, project_id: 11111111-1111-1111-1111-111111111112, access_key: SCWXXXXXXXXXXXXXXXXX, secret_key: 11111111-1111-1111-1111-111111111111, api_url: "http://x/"}]',
    'scaleway-sdk-go: invalid url http://x/ it should not have a trailing slash',
  ],
  ['honor_labels: underscores', 'yaml: unmarshal errors: line 1: cannot unmarshal !!str `undersc...` into bool'],
  ['honor_labels: 1.0e+30', 'yaml: unmarshal errors: line 1: cannot unmarshal !!float `1.0e+30` into bool'],
  ['relabel_configs: [{action: Explode}]', 'unknown relabel action "Explode"'],
  ['honor_labels: "true"', 'yaml: unmarshal errors: line 1: cannot unmarshal !!str `true` into bool'],
  ['honor_labels: yes', ''],
  ['params: {a: b}', 'yaml: unmarshal errors: line 1: cannot unmarshal !!str `b` into []string'],
  ['tls_config: {min_version: ""}', 'unknown TLS version: '],
  ['tls_config: {min_version: }, basic_auth: , authorization: {credentials: c}', ''],
  ['relabel_configs: [{source_labels: [null], target_label: a}]', ''],
  ['relabel_configs: [{source_labels: [""], target_label: a}]', '"" is not a valid label name'],
  [
    'metric_name_validation_scheme: legacy, relabel_configs: [{action: keepequal, source_labels: [a], target_label: "b-c"}]',
    `"b-c" is invalid 'target_label' for keepequal action`,
  ],
  ['proxy_url: "http://h:port"', 'parse "http://h:port": invalid port ":port" after host'],
  [
    'basic_auth: {username: u, username_ref: f}',
    'at most one of basic_auth username, username_file & username_ref must be configured',
  ],
  [
    'basic_auth: {password: u, password_file: f}',
    'at most one of basic_auth password, password_file & password_ref must be configured',
  ],
  ['tls_config: {ca: x, ca_file: y}', 'at most one of ca, ca_file & ca_ref must be configured'],
  ['tls_config: {cert: x, cert_file: y, key: z}', 'at most one of cert, cert_file & cert_ref must be configured'],
  ['tls_config: {cert: x, key: z, key_file: y}', 'at most one of key and key_file must be configured'],
  [
    'tls_config: {cert_ref: x}',
    'exactly one of key or key_file must be configured when a client certificate is configured',
  ],
  [
    'proxy_from_environment: true, no_proxy: x',
    'if proxy_from_environment is configured, no_proxy must not be configured',
  ],
  [
    'proxy_connect_header: {a: [b]}',
    'if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured',
  ],
  ['proxy_connect_header: {a: [b]}, proxy_url: "http://p"', ''],
  ['http_headers: {x-amz-date: {values: [b]}}', 'setting header "X-Amz-Date" is not allowed'],
  ['http_sd_configs: [{url: "http://a b"}]', 'parse "http://a b": invalid character " " in host name'],
  ['http_sd_configs: [{basic_auth: {username: u}, bearer_token: x}]', 'URL is missing'],
  [
    'consul_sd_configs: [{token: x, authorization: {credentials: y}}]',
    'at most one of consul SD token, authorization, or oauth2 can be configured',
  ],
  [
    'consul_sd_configs: [{password: x, basic_auth: {username: y}}]',
    'at most one of consul SD configuration username and password and basic auth can be configured',
  ],
  ['docker_sd_configs: [{host: "://x"}]', 'parse "://x": missing protocol scheme'],
  ['dockerswarm_sd_configs: [{host: "unix:///x"}]', 'role missing (one of: tasks, services, nodes)'],
  ['kuma_sd_configs: [{server: foo}]', 'kuma SD server must not be empty and have a scheme: foo'],
  ['nerve_sd_configs: [{servers: [a]}]', 'nerve SD config must contain at least one path'],
  ['nomad_sd_configs: [{server: " "}]', 'nomad SD configuration requires a server address'],
  ['nomad_sd_configs: [{}]', ''],
  ['serverset_sd_configs: [{servers: [a], paths: [/a, b]}]', "serverset SD config paths must begin with '/': b"],
  [
    'triton_sd_configs: [{account: a, dns_suffix: d, endpoint: e, role: vm}]',
    "triton SD configuration requires role to be 'container' or 'cn'",
  ],
  ['triton_sd_configs: [{account: a, dns_suffix: d, endpoint: e, role: cn}]', ''],
]
for (const [keys, problem] of jobs)
  test(`a job with ${keys}: ${problem || 'good'}`, () =>
    assert.equal(problemOf(`scrape_configs: [{job_name: a, ${keys}}]`), problem))

const SUPPORTED =
  'supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]'
const UUID = '00000000-0000-0000-0000-000000000000'
const azure = (rest: string): string => `remote_write: [{url: "http://x", azuread: ${rest}}]`
const files: readonly (readonly [text: string, problem: string])[] = [
  ['remote_write: [{url: "http://x/a b"}]', ''],
  ['global: {scrape_protocols: [x, x]}', `scrape_protocols: unknown scrape protocol x, ${SUPPORTED} for global config`],
  [
    'otlp: {promote_resource_attributes: [a, "", a]}',
    `invalid 'promote_resource_attributes': empty promoted OTel resource attribute\nduplicated promoted OTel resource attribute "a"`,
  ],
  [
    'otlp: {promote_all_resource_attributes: true, ignore_resource_attributes: [a, a]}',
    `invalid 'ignore_resource_attributes': duplicated ignored OTel resource attribute "a"`,
  ],
  [
    'global: {metric_name_validation_scheme: legacy}\notlp: {translation_strategy: NoTranslation}',
    'OTLP translation strategy "NoTranslation" is not allowed when UTF8 is disabled',
  ],
  ['global: {metric_name_validation_scheme: legacy}\notlp: {translation_strategy: UnderscoreEscapingWithSuffixes}', ''],
  ['otlp: {translation_strategy: ""}', ''],
  ['global: {scrape_interval: \'a="b"\'}', 'not a valid duration string: "a=\\"b\\""'],
  [
    'remote_write: [{url: "http://u:p@x/w"}, {url: "http://y"}, {url: "http://u:p@x/w"}]',
    'duplicate remote write configs are not allowed, found duplicate for URL: http://u:xxxxx@x/w',
  ],
  ['remote_write: [{url: "http://x"}, {url: "http://x", send_exemplars: true}]', ''],
  ['remote_write: [{url: "http://x", headers: {Host: x}}]', 'Host is a reserved header. It must not be changed'],
  [
    'remote_write: [{url: "http://x", sigv4: {access_key: k}}]',
    'must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config',
  ],
  [azure('{managed_identity: {client_id: x}}'), 'the provided Azure Managed Identity client_id is invalid'],
  [
    azure(`{managed_identity: {client_id: ${UUID}}, sdk: {}}`),
    'cannot provide multiple authentication methods in the Azure AD config',
  ],
  [
    azure(`{oauth: {client_id: ${UUID}, tenant_id: t}}`),
    'must provide an Azure OAuth client_secret in the Azure AD config',
  ],
  [
    azure(`{oauth: {client_id: ${UUID}, client_secret: s, tenant_id: "a b"}}`),
    'the provided Azure OAuth tenant_id is invalid',
  ],
  [azure('{cloud: Mine, sdk: {}}'), 'must provide a cloud in the Azure AD config'],
  [azure(`{cloud: AzureChina, workload_identity: {client_id: ${UUID}, tenant_id: t}}`), ''],
  [
    'alerting: {alertmanagers: [{sigv4: {region: x}, basic_auth: {username: u}}]}',
    'at most one of basic_auth, authorization, oauth2, & sigv4 must be configured',
  ],
]
for (const [text, problem] of files) test(`${text}: ${problem || 'good'}`, () => assert.equal(problemOf(text), problem))

test('a regex that is written without a value matches nothing but the empty string', () => {
  const files = { readText: () => '', readDirectory: () => [] }
  const regexes = (rule: string): string[] =>
    loadPrometheusConfig(`scrape_configs: [{job_name: a, relabel_configs: [{${rule}}]}]`, {
      file: 'p.yml',
      files,
      environment: {},
    }).scrapeConfigs[0]!.relabel.map(({ regex }) => regex)
  assert.deepEqual(regexes('target_label: b'), ['(.*)'])
  assert.deepEqual(regexes('regex: , target_label: b'), [''])
})

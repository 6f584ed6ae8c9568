import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { parse } from 'yaml'
import { runConfigCases } from './conformance.ts'
import { ConfigError, formatBytes, loadAgentConfig, loadPrometheusConfig, parseBytes } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const cases = path.join(kit, 'config/cases.json')
const files = {
  readText: (file: string) => fs.readFileSync(path.join(kit, 'config', file), 'utf8'),
  readDirectory: (dir: string) => fs.readdirSync(path.join(kit, 'config', dir)),
}
const options = { file: 'prometheus.yml', files: null, environment: {} }

test('configuration conformance', { skip: fs.existsSync(cases) ? false : `${cases} is absent` }, async (t) => {
  for (const { name, error } of runConfigCases(JSON.parse(fs.readFileSync(cases, 'utf8')), files)) {
    await t.test(name, () => assert.equal(error, null))
  }
})

const wrong: readonly (readonly [
  name: string,
  text: string,
  line: number,
  column: number,
  key: string,
  problem: RegExp,
])[] = [
  [
    'an unknown key',
    'global:\n  scrape_intervall: 5s\n',
    2,
    3,
    'global.scrape_intervall',
    /field scrape_intervall not found in type config.plain; did you mean scrape_interval\?/,
  ],
  [
    'a bad duration',
    'global:\n  scrape_interval: 5 parsecs\n',
    2,
    20,
    'global.scrape_interval',
    /unknown unit " parsecs" in duration "5 parsecs"/,
  ],
  [
    'a list for a string',
    'scrape_configs:\n  - job_name: [a]\n',
    2,
    15,
    'scrape_configs[0].job_name',
    /cannot unmarshal !!seq into string/,
  ],
  ['broken YAML', 'global: {a\n', 2, 1, '', /yaml: line 2/],
  [
    'a retention rule without a time',
    'heliograph:\n  retention:\n    - match: \'{job="x"}\'\n',
    3,
    7,
    'heliograph.retention[0]',
    /a retention rule needs time, a duration such as 30d/,
  ],
  [
    'a downsampling level that is no multiple of the one before',
    'heliograph:\n  downsampling:\n    - { resolution: 5m, keep: 7d }\n    - { resolution: 7m, keep: 30d }\n',
    3,
    5,
    'heliograph.downsampling',
    /must have a multiple of the resolution of the one before/,
  ],
  [
    'a retention rule that names windows which are not made',
    'heliograph:\n  retention:\n    - { match: up, time: 1d, downsampling: [{ resolution: 5m, keep: 1y }] }\n',
    2,
    3,
    'heliograph',
    /names a resolution that downsampling does not have/,
  ],
  [
    'a retention rule without a selector',
    'heliograph:\n  retention:\n    - time: 30d\n',
    3,
    7,
    'heliograph.retention[0]',
    /a retention rule needs match, a selector such as/,
  ],
  [
    "a cluster's member",
    'heliograph:\n  cluster:\n    name: hub 1\n',
    2,
    3,
    'heliograph',
    /cluster name must be 1 to 64 of A-Z a-z 0-9 \. _ -, got "hub 1"/,
  ],
  ['our own key', 'heliograph:\n  nats:\n    url: http://x\n', 3, 5, 'heliograph.nats', /nats url must be nats:\/\//],
]
for (const [name, text, line, column, key, problem] of wrong) {
  test(`${name} is reported with file, line, column and key`, () => {
    assert.throws(
      () => loadPrometheusConfig(text, options),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.match(error.message, problem)
        assert.deepEqual([error.file, error.line, error.column, error.key], ['prometheus.yml', line, column, key])
        return true
      },
    )
  })
}

test('secrets appear in no output of a loaded configuration', () => {
  const text =
    'scrape_configs:\n  - job_name: a\n    basic_auth: {username: u, password: canary-1}\n  - job_name: b\n    authorization: {credentials: canary-2}\n    consul_sd_configs: [{server: s, token: canary-3}]\n'
  const config = loadPrometheusConfig(text, options)
  for (const output of [config.redacted, JSON.stringify(config), inspect(config, { depth: 20 })])
    assert.doesNotMatch(output, /canary/)
  assert.match(config.redacted, /password: <secret>/)
  assert.equal(config.scrapeConfigs[0]!.http.basicAuth!.password.reveal(), 'canary-1')
})

test('a job is shown as it is in effect, wherever it stands, with its secrets hidden', () => {
  const text =
    'global: {scrape_interval: 30s}\nscrape_config_files: [more.yml]\nscrape_configs: [{job_name: a, scheme: https, basic_auth: {username: u, password: canary}, relabel_configs: [{action: labeldrop, regex: x}], params: null}]\n'
  const more = 'scrape_configs: [{job_name: b, scrape_interval: 5s, scrape_protocols: [PrometheusText0.0.4]}]'
  const files = { readText: () => more, readDirectory: () => ['more.yml'] }
  const { poolTexts } = loadPrometheusConfig(text, { ...options, files })
  assert.deepEqual(parse(poolTexts.get('a')!), {
    job_name: 'a',
    honor_timestamps: true,
    scrape_interval: '30s',
    scrape_timeout: '10s',
    scrape_protocols: ['OpenMetricsText1.0.0', 'OpenMetricsText0.0.1', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
    metrics_path: '/metrics',
    scheme: 'https',
    basic_auth: { username: 'u', password: '<secret>' },
    relabel_configs: [{ action: 'labeldrop', regex: 'x' }],
  })
  const { scrape_interval, scrape_timeout, scrape_protocols } = parse(poolTexts.get('b')!)
  assert.deepEqual([scrape_interval, scrape_timeout, scrape_protocols], ['5s', '5s', ['PrometheusText0.0.4']])
})

test('passwords of URLs appear neither in the configuration that is shown, nor in what is wrong with it', () => {
  const text =
    "remote_write: [{url: 'http://u:canary@h/w?x=1@2'}]\nscrape_configs: [{job_name: a, proxy_url: 'http://u:c@nary@p:1'}, {job_name: b, proxy_url: 'http://p:1'}]\n"
  const config = loadPrometheusConfig(text, options)
  assert.doesNotMatch(config.redacted, /canary|c@nary/)
  assert.match(config.redacted, /http:\/\/u:xxxxx@h\/w\?x=1@2/)
  assert.match(config.redacted, /'?http:\/\/u:xxxxx@p:1'?/)
  assert.match(config.redacted, /'?http:\/\/p:1'?/)
  assert.equal(config.scrapeConfigs[0]!.http.proxyUrl, 'http://u:c@nary@p:1')
  const wrong = "scrape_configs: [{job_name: a, proxy_url: 'http://u:canary@p:x'}]\n"
  assert.throws(
    () => loadPrometheusConfig(wrong, options),
    ({ message }: Error) => /parse "http:\/\/u:xxxxx@p:x": invalid port/.test(message) && !message.includes('canary'),
  )
})

test('a job inherits from global, and its timeout never exceeds its interval', () => {
  const text =
    'global: {scrape_interval: 5s, sample_limit: 10}\nscrape_configs: [{job_name: a}, {job_name: b, scrape_interval: 1m, sample_limit: 20}]\n'
  const [a, b] = loadPrometheusConfig(text, options).scrapeConfigs
  assert.deepEqual([a!.scrapeIntervalMs, a!.scrapeTimeoutMs, a!.sampleLimit], [5000, 5000, 10])
  assert.deepEqual([b!.scrapeIntervalMs, b!.scrapeTimeoutMs, b!.sampleLimit], [60_000, 5000, 20])
})

test('exporters of other servers take several targets, each with its own flags', () => {
  const { exporters, redacted } = loadAgentConfig(
    [
      'exporters:',
      '  mysql:',
      '    listen: 127.0.0.1:9104',
      '    collect.info_schema.tables: true',
      '    targets:',
      '    - db1:3306',
      '    - {target: "db2:3306", instance: orders, labels: {team: shop}, auth_module: client.orders}',
      '  haproxy:',
      '    targets: ["http://stats:hunter2@lb:8404/;csv", {haproxy.scrape-uri: "http://x:hunter3@lb2/;csv", instance: lb2}]',
      '',
    ].join('\n'),
    { file: 'agent.yml' },
  )
  const [mysql, haproxy] = exporters
  assert.equal(mysql!.listen, '127.0.0.1:9104')
  assert.deepEqual(mysql!.flags, { 'collect.info_schema.tables': 'true' })
  assert.deepEqual(JSON.parse(JSON.stringify(mysql!.targets)), [
    { address: 'db1:3306', instance: 'db1:3306', labels: {}, flags: {} },
    { address: 'db2:3306', instance: 'orders', labels: { team: 'shop' }, flags: { auth_module: 'client.orders' } },
  ])
  assert.equal(haproxy!.targets[0]!.instance, 'http://lb:8404/;csv')
  assert.doesNotMatch(redacted, /hunter/)
})

const badExporters: readonly (readonly [name: string, yaml: string, problem: RegExp])[] = [
  ['two targets of one name', 'mysql: {targets: [a:1, a:1]}', /two targets have the instance "a:1"/],
  ['a target without a name', 'mysql: {targets: [{labels: {a: b}}]}', /a target needs "target"/],
  ['targets of this host', 'node: {targets: [a:1]}', /exporter node takes no targets/],
  ['a listen address without a port', 'node: {listen: localhost}', /listen must be HOST:PORT/],
]
for (const [name, yaml, problem] of badExporters)
  test(`exporters with ${name} are refused`, () =>
    assert.throws(() => loadAgentConfig(`exporters: {${yaml}}\n`, { file: 'agent.yml' }), problem))

test('an agent file loads, with exporter flags kept as written', () => {
  const config = loadAgentConfig(
    'agent: {id: web-1}\nnats: {url: "nats://127.0.0.1:4222"}\nexporters:\n  node:\n    path.procfs: /host/proc\n    collector.cpu.info: true\n',
    { file: 'agent.yml' },
  )
  assert.equal(config.id, 'web-1')
  assert.deepEqual(config.exporters[0]!.flags, { 'path.procfs': '/host/proc', 'collector.cpu.info': 'true' })
  assert.throws(() => loadAgentConfig('storage: {max_bytes: 1MB}\n', { file: 'agent.yml' }), /at least 8MB/)
  assert.throws(() => loadAgentConfig('exporters: {oracle: {}}\n', { file: 'agent.yml' }), /unknown exporter "oracle"/)
})

test('jobs that read start timestamps ask for protobuf first, unless they say what to ask for', () => {
  const text = 'scrape_configs: [{job_name: a}, {job_name: b, scrape_protocols: [PrometheusText0.0.4]}]\n'
  for (const startTimestamps of [true, false]) {
    const options = { file: 'a.yml', files: null, environment: {}, startTimestamps }
    for (const { scrapeConfigs } of [loadPrometheusConfig(text, options), loadAgentConfig(text, options)]) {
      const [a, b] = scrapeConfigs
      assert.deepEqual([a!.startTimestamps, b!.startTimestamps], [startTimestamps, startTimestamps])
      assert.equal(a!.protocols[0], startTimestamps ? 'PrometheusProto' : 'OpenMetricsText1.0.0')
      assert.deepEqual(b!.protocols, ['PrometheusText0.0.4'])
    }
  }
})

test('any text gives a configuration or a ConfigError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.constantFrom('a: &a [*a]', '? [x]: y', '{', '!!binary', 'global: !!x 3', '- 1'),
      ),
      (text) => {
        try {
          loadPrometheusConfig(text, options)
        } catch (error) {
          assert.ok(error instanceof ConfigError, inspect(error))
        }
      },
    ),
  )
})

test('formatBytes() writes a size as upstream does, and as parseBytes() reads it', () => {
  const rows: readonly [number, string][] = [
    [0, '0B'],
    [1023, '1023B'],
    [512 * 2 ** 20, '512MiB'],
    [1.5 * 2 ** 30, '1GiB512MiB'],
    [2 ** 40 + 1, '1TiB1B'],
  ]
  for (const [bytes, text] of rows) {
    assert.equal(formatBytes(bytes), text)
    assert.equal(parseBytes(text), bytes)
  }
})

test('parseBytes() reads sizes in powers of 1024', () => {
  assert.equal(parseBytes('15MB'), 15 * 2 ** 20)
  assert.equal(parseBytes('1GiB'), 2 ** 30)
  assert.equal(parseBytes('-1.5KB'), -1536)
  assert.equal(parseBytes('+0'), 0)
  assert.throws(() => parseBytes('100'), /units: unknown unit {2}in 100/)
})

test('parseBytes() refuses what is no number', () => {
  assert.throws(() => parseBytes('1.2.3MB'), /units: unknown unit {2}in 1\.2\.3MB/)
  for (const text of ['', '-', '.MB', '..MB', 'MB'])
    assert.throws(() => parseBytes(text), new Error(`units: invalid ${text}`), text)
})

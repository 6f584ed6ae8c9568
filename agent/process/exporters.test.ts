import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { counter, gauge } from '../../protocol/exposition/mod.ts'
import { createEnv } from '../env/mod.ts'
import { createRuntimeStats } from '../env/runtime-stats.ts'
import { mergeFamilies, pageOf } from './exporter-pages.ts'
import { ExporterSet, exporterTargets } from './exporter-set.ts'
import { createParts, type ExporterDeps, ExporterError } from './exporters.ts'
import { writeOpenMetrics } from './openmetrics.ts'

const stats = createRuntimeStats()
stats.close()
const deps: ExporterDeps = {
  env: createEnv({ logLevel: 'error', logFormat: 'logfmt' }),
  stats,
  version: '1.2.3',
  environment: {},
}
const configOf = (exporters: object) => loadAgentConfig(JSON.stringify({ exporters }), { file: 'agent.yml' })

const refused: readonly (readonly [exporters: object, problem: RegExp])[] = [
  [
    { mysql: { targets: [{ target: 'a:1' }, { target: 'b:1', 'collect.nothing': 'true' }] } },
    /^exporters\.mysql\.targets\[1\]: Flag collect\.nothing: unknown/,
  ],
  [{ mysql: { 'mysqld.password-file': '/nope' } }, /^exporters\.mysql: Flag mysqld\.password-file: cannot read/],
  [{ mysql: { auth_module: 'x' } }, /^exporters\.mysql: Flag auth_module: unknown: "x"; known are client/],
  [{ memcached: { 'memcached.address': 'here' } }, /^exporters\.memcached: Flag memcached\.address: must be/],
  [
    { haproxy: { 'haproxy.scrape-uri': 'ftp://x' } },
    /^exporters\.haproxy: Flag haproxy\.scrape-uri: unsupported scheme/,
  ],
  [{ statsd: { 'statsd.listen-udp': 'x' } }, /^exporters\.statsd: Flag statsd\.listen-udp: must be HOST:PORT/],
  [{ node: { 'web.telemetry-path': 'm' } }, /^exporters\.node: Flag web\.telemetry-path: must begin with \//],
  [
    { memcached: { listen: '127.0.0.1:9100' }, statsd: { 'web.listen-address': '127.0.0.1:9100' } },
    /^exporters\.statsd: listen: 127\.0\.0\.1:9100 is that of exporters\.memcached already/,
  ],
  [{ graphite: {} }, /^exporters\.graphite: this exporter is not built yet; node, /],
]
for (const [exporters, problem] of refused)
  test(`exporters ${JSON.stringify(exporters)} are refused`, () => {
    const set = new ExporterSet(deps, { lifecycleEnabled: false })
    assert.throws(
      () => set.prepare(configOf(exporters)),
      (error) => error instanceof ExporterError && problem.test(error.message),
    )
  })

test('each target is scraped under its own instance and labels, all others under the agent', async () => {
  const config = configOf({
    node: { labels: { rack: '7' } },
    memcached: {
      job: 'cache',
      scrape_interval: '5s',
      targets: ['a:1', { target: 'b:2', instance: 'b', labels: { rack: '8' } }],
    },
  })
  const set = new ExporterSet(deps, { lifecycleEnabled: false })
  await set.apply(set.prepare(config))
  const targets = exporterTargets(config, set.running, async () => [], 'host:9100')
  assert.deepEqual(
    targets.map(({ job, labels, intervalMs, source }) => [
      job,
      labels.join(),
      intervalMs,
      source.kind === 'collect' && source.name,
    ]),
    [
      ['node', 'instance,host:9100,job,node,rack,7', 60_000, '/metrics/node'],
      ['cache', 'instance,a:1,job,cache', 5000, '/metrics/memcached?instance=a%3A1'],
      ['cache', 'instance,b,job,cache,rack,8', 5000, '/metrics/memcached?instance=b'],
      ['heliograph-agent', 'instance,host:9100,job,heliograph-agent', 60_000, '/metrics/agent'],
    ],
  )
  await set.close()
})

test('what did not change goes on over a reload; labels may change beneath it', async () => {
  const set = new ExporterSet(deps, { lifecycleEnabled: false })
  await set.apply(set.prepare(configOf({ memcached: {}, haproxy: {} })))
  const [memcached, haproxy] = set.running
  const next = configOf({ memcached: { labels: { a: 'b' } }, haproxy: { 'haproxy.timeout': '1s' } })
  await set.apply(set.prepare(next))
  assert.equal(set.running[0]!.parts, memcached!.parts)
  assert.equal(set.running[0]!.config.labels['a'], 'b')
  assert.notEqual(set.running[1]!.parts, haproxy!.parts)
  await set.close()
})

test('a page of several targets tells them apart by instance', async () => {
  const [config] = configOf({ memcached: { targets: ['127.0.0.1:1', '127.0.0.1:2'] } }).exporters
  const families = await pageOf(createParts(config!, deps))
  const up = families.find(({ name }) => name === 'memcached_up')!
  assert.deepEqual(up.metrics, [
    { labels: ['instance', '127.0.0.1:1'], value: 0 },
    { labels: ['instance', '127.0.0.1:2'], value: 0 },
  ])
})

test('families of one name become one: the first type and the first of equal series stay', () => {
  const one = (value: number, ...labels: string[]) => [{ labels, value }]
  const families: MetricFamily[] = [
    gauge('a', 'first', one(1)),
    gauge('b', '', one(2)),
    gauge('a', 'second', [...one(3), ...one(4, 'x', 'y')]),
    counter('b', '', one(5, 'other', 'type')),
  ]
  assert.deepEqual(mergeFamilies(families), [
    gauge('a', 'first', [...one(1), ...one(4, 'x', 'y')]),
    gauge('b', '', one(2)),
  ])
})

test('OpenMetrics: counters lose their suffix in TYPE, bounds have a point, odd names are quoted', () => {
  const families: MetricFamily[] = [
    counter('a_total', 'As "quoted"\nand broken', [{ labels: ['x', 'a"b\\'], value: 3 }]),
    counter('b', '', [{ labels: [], value: 1e21, timestampMs: 1500 }]),
    {
      name: 'h',
      help: null,
      type: 'histogram',
      metrics: [
        { labels: ['le', '1'], value: 2, suffix: '_bucket' },
        { labels: ['le', '+Inf'], value: 3, suffix: '_bucket' },
        { labels: [], value: 1.5, suffix: '_sum' },
        { labels: [], value: 3, suffix: '_count' },
      ],
    },
    gauge('ü.x', '', [{ labels: ['é', '1'], value: Number.NaN }]),
    { name: 'empty', help: '', type: 'untyped', metrics: [] },
  ]
  assert.equal(
    new TextDecoder().decode(writeOpenMetrics(families)),
    `# HELP a As \\"quoted\\"\\nand broken
# TYPE a counter
a_total{x="a\\"b\\\\"} 3.0
# HELP b${' '}
# TYPE b unknown
b 1e+21 1.5
# TYPE h histogram
h_bucket{le="1.0"} 2.0
h_bucket{le="+Inf"} 3.0
h_sum 1.5
h_count 3.0
# HELP "ü.x"${' '}
# TYPE "ü.x" gauge
{"ü.x","é"="1"} NaN
# EOF
`,
  )
})

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { GraphiteExporter } from '../../exporters/graphite/mod.ts'
import type { StatsdExporter } from '../../exporters/statsd/mod.ts'
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { counter, gauge } from '../../protocol/exposition/mod.ts'
import { createEnv } from '../env/mod.ts'
import { createRuntimeStats } from '../env/runtime-stats.ts'
import type { CollectSource } from '../scrape/mod.ts'
import { exporterPage } from './exporter-endpoint.ts'
import { mergeFamilies, pageOf } from './exporter-pages.ts'
import { ExporterSet, exporterTargets } from './exporter-set.ts'
import { createParts, type ExporterDeps, ExporterError, loadExporters } from './exporters.ts'
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
  [
    { memcached: { listen: ':9100' }, statsd: { listen: '127.0.0.1:9100' } },
    /^exporters\.statsd: listen: 127\.0\.0\.1:9100 is that of exporters\.memcached already/,
  ],
  [
    { memcached: { listen: '127.0.0.1:9100' }, statsd: { listen: '[::]:9100' } },
    /^exporters\.statsd: listen: \[::\]:9100 is that of exporters\.memcached already/,
  ],
  [
    { graphite: { 'graphite.listen-address': 'x' } },
    /^exporters\.graphite: Flag graphite\.listen-address: must be HOST:PORT/,
  ],
]
for (const listen of ['127.0.0.2:9100', '[::1]:9100', '0.0.0.0:9101', '127.0.0.1:0'])
  test(`${listen} may be had beside 127.0.0.1:9100`, () => {
    const config = configOf({ memcached: { listen: '127.0.0.1:9100' }, statsd: { listen } })
    assert.equal(new ExporterSet(deps, { lifecycleEnabled: false }).prepare(config).next.length, 2)
  })

for (const [exporters, problem] of refused)
  test(`exporters ${JSON.stringify(exporters)} are refused`, async () => {
    const set = new ExporterSet(deps, { lifecycleEnabled: false })
    const config = configOf(exporters)
    await loadExporters(config)
    assert.throws(
      () => set.prepare(config),
      (error) => error instanceof ExporterError && problem.test(error.message),
    )
  })

const ADDRESS = { host: 'host', port: 9090 }

test('each target is scraped under its own instance and labels, all others under the agent or the port of their own', async () => {
  const config = configOf({
    node: { labels: { rack: '7' } },
    statsd: { 'web.listen-address': ':9102' },
    haproxy: { listen: '127.0.0.1:9101', labels: { instance: 'lb' } },
    memcached: {
      job: 'cache',
      listen: ':9150',
      scrape_interval: '5s',
      targets: ['a:1', { target: 'b:2', instance: 'b', labels: { rack: '8' } }],
    },
  })
  const set = new ExporterSet(deps, { lifecycleEnabled: false })
  const { next } = set.prepare(config)
  const targets = exporterTargets(config, next, async () => [], ADDRESS)
  assert.deepEqual(
    targets.map(({ job, labels, intervalMs, source }) => [
      job,
      labels.join(),
      intervalMs,
      source.kind === 'collect' && source.name,
    ]),
    [
      ['node', 'instance,host:9090,job,node,rack,7', 60_000, '/metrics/node'],
      ['statsd', 'instance,host:9102,job,statsd', 60_000, '/metrics/statsd'],
      ['haproxy', 'instance,lb,job,haproxy', 60_000, '/metrics/haproxy'],
      ['cache', 'instance,a:1,job,cache', 5000, '/metrics/memcached?instance=a%3A1'],
      ['cache', 'instance,b,job,cache,rack,8', 5000, '/metrics/memcached?instance=b'],
      ['heliograph-agent', 'instance,host:9090,job,heliograph-agent', 60_000, '/metrics/agent'],
    ],
  )
  await set.close()
})

test('an exporter that could not have its sockets is down, with the reason', async () => {
  const noPacket = { readBufferBytes: 0, onDatagrams: () => {}, onError: () => {} }
  const holder = await deps.env.net.listenDatagrams!({ address: { host: '127.0.0.1', port: 0 }, ...noPacket })
  const { port } = holder.address
  const config = configOf({ statsd: { 'statsd.listen-udp': `127.0.0.1:${port}`, 'statsd.listen-tcp': '' } })
  await loadExporters(config)
  const quiet = { ...deps, env: { ...deps.env, log: { ...deps.env.log, error: () => {}, with: () => deps.env.log } } }
  const set = new ExporterSet(quiet, { lifecycleEnabled: false })
  const scrape = () => {
    const [target] = exporterTargets(config, set.running, async () => [], ADDRESS)
    return (target!.source as CollectSource).collect()
  }
  await set.apply(set.prepare(config))
  const problem = new RegExp(`Cannot listen on 127.0.0.1:${port}: address already in use`)
  await assert.rejects(async () => scrape(), problem)
  const answer = await exporterPage(set.running[0]!, new Request('http://h/metrics/statsd'))
  assert.equal(answer.status, 503)
  assert.match(await answer.text(), problem)
  await holder.close()
  await set.apply(set.prepare(config))
  assert.ok((await scrape()).length > 0)
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

test('pushed metrics keep the job and instance that they were pushed with', async () => {
  const set = new ExporterSet(deps, { lifecycleEnabled: false })
  const config = configOf({ push: {}, nodejs: {} })
  await loadExporters(config)
  await set.apply(set.prepare(config))
  const targets = exporterTargets(config, set.running, async () => [], ADDRESS)
  assert.deepEqual(
    targets.map(({ job, honorLabels }) => [job, honorLabels]),
    [
      ['push', true],
      ['nodejs', false],
      ['heliograph-agent', false],
    ],
  )
  await set.close()
})

test('no sender writes what the process says of itself', async () => {
  const set = new ExporterSet(deps, { lifecycleEnabled: false })
  const config = configOf({ statsd: {}, graphite: {} })
  await loadExporters(config)
  const { next } = set.prepare(config)
  const [statsd, graphite] = next.map(({ parts }) => parts[0]!.exporter)
  const line = (text: string): Uint8Array => new TextEncoder().encode(text)
  ;(graphite as GraphiteExporter).handleText(
    line(`process_open_fds 7 ${Date.now() / 1000}\nmine 1 ${Date.now() / 1000}`),
  )
  ;(statsd as StatsdExporter).handlePacket(line('process_open_fds:7|g\nmine:1|g'), 'udp')
  for (const { name, page } of next) {
    const families = await page()
    const names = families.map((family) => family.name)
    assert.ok(names.includes('mine'), name)
    assert.equal(names.length, new Set(names).size, name)
    assert.notEqual(families.find((family) => family.name === 'process_open_fds')?.metrics[0]?.value, 7)
  }
  await set.close()
})

test('exporters that are not in every agent load when they are configured, and not before', () => {
  const folder = path.resolve(import.meta.dirname, '../..')
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const text = fs.readFileSync(file, 'utf8')
    // Types are erased; of both kinds of import a dynamic one has a parenthesis.
    for (const [, kind, from] of text.matchAll(/^(?:import|export) (type )?[^;'"]*?from '(\.[^']+)'/gms))
      if (kind === undefined) visit(path.resolve(path.dirname(file), from!))
  }
  visit(path.join(folder, 'agent/process/exporters.ts'))
  visit(path.join(folder, 'agent/process/agent.ts'))
  const lazy = ['graphite', 'consul', 'blackbox', 'push'].map((name) => path.join(folder, 'exporters', name, path.sep))
  assert.ok(seen.has(path.join(folder, 'exporters/statsd/mod.ts')))
  assert.deepEqual(
    [...seen].filter((file) => lazy.some((own) => file.startsWith(own))),
    [],
  )
})

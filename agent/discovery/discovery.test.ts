import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadPrometheusConfig } from '../../protocol/config/mod.ts'
import { formatLabels } from '../../protocol/labels/mod.ts'
import { createNet, systemClock } from '../env/mod.ts'
import { targetUrl } from '../scrape/mod.ts'
import { SyncCounters } from './families.ts'
import { discoverTargets } from './mod.ts'
import type { JobSync } from './targets.ts'

const discover = (yaml: string, files: Record<string, string> = {}, onSync?: (sync: JobSync) => void) =>
  discoverTargets(
    loadPrometheusConfig(yaml, { file: 'p.yml', files: null, environment: {} }).scrapeConfigs,
    {
      clock: systemClock,
      net: createNet(),
      readText: (path) => files[path] ?? assert.fail(path),
      tokens: new WeakMap(),
    },
    ({ kind }) => `${kind} discovery is not supported`,
    onSync,
  )

test("a static target gets job, instance, its URL and the job's settings", () => {
  const { targets, problems } = discover(
    'global: {scrape_interval: 5s}\nscrape_configs: [{job_name: node, scheme: https, metrics_path: /m, params: {module: [a]}, static_configs: [{targets: ["h:1"], labels: {dc: x}}]}]\n',
  )
  assert.deepEqual(problems, [])
  assert.equal(formatLabels(targets[0]!.labels), '{dc="x", instance="h:1", job="node"}')
  assert.equal(targetUrl(targets[0]!.source), 'https://h:1/m?module=a')
  assert.deepEqual([targets[0]!.intervalMs, targets[0]!.timeoutMs], [5000, 5000])
})

test('relabelling changes address, parameters and interval, and drops targets', () => {
  const yaml = `
scrape_configs:
  - job_name: probe
    metrics_path: /probe
    static_configs: [{targets: ["http-a", "gone"]}]
    relabel_configs:
      - {source_labels: [__address__], regex: gone, action: drop}
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "prober:9115"}
      - {target_label: __scrape_interval__, replacement: 2m}
`
  const { targets, dropped } = discover(yaml)
  assert.equal(targets.length, 1)
  assert.equal(targetUrl(targets[0]!.source), 'http://prober:9115/probe?target=http-a')
  assert.equal(formatLabels(targets[0]!.labels), '{instance="http-a", job="probe"}')
  assert.equal(targets[0]!.intervalMs, 120_000)
  assert.deepEqual(
    dropped.map(({ rule }) => rule),
    ['relabel_configs[0]: action: drop, source_labels: [__address__], regex: gone'],
  )
})

test('a sync counts what was found, dropped ones too, and what cannot be used; jobs that are gone are forgotten', () => {
  const yaml = `
scrape_configs:
  - job_name: a
    static_configs: [{targets: ["good:1", "drop:1", "bad:1"]}]
    relabel_configs:
      - {source_labels: [__address__], regex: "drop.*", action: drop}
      - {source_labels: [__address__], regex: "bad.*", target_label: __scheme__, replacement: gopher}
  - {job_name: b, static_configs: [{targets: ["x:1"]}]}
`
  const counters = new SyncCounters()
  for (let round = 0; round < 2; round++) discover(yaml, {}, (sync) => counters.add(sync))
  const shown = () =>
    new Map(
      counters
        .families('scrape')
        .map(({ name, metrics }) => [
          name,
          metrics
            .filter(({ suffix, labels }) => suffix !== '_sum' && !labels.includes('quantile'))
            .map(({ labels, value }) => `${labels.join()} ${value}`),
        ]),
    )
  const all = shown()
  assert.deepEqual(all.get('prometheus_sd_discovered_targets'), ['config,a,name,scrape 3', 'config,b,name,scrape 1'])
  assert.deepEqual(all.get('prometheus_target_sync_failed_total'), ['scrape_job,a 2', 'scrape_job,b 0'])
  assert.deepEqual(all.get('prometheus_target_scrape_pool_sync_total'), ['scrape_job,a 2', 'scrape_job,b 2'])
  assert.deepEqual(all.get('prometheus_target_sync_length_seconds'), ['scrape_job,a 2', 'scrape_job,b 2'])
  counters.keep(['b'])
  assert.deepEqual(shown().get('prometheus_target_sync_failed_total'), ['scrape_job,b 0'])
})

test('credentials come from their file before every scrape', async () => {
  const files = { '/pw': 'one\n' }
  const { targets } = discover(
    'scrape_configs: [{job_name: a, basic_auth: {username: u, password_file: /pw}, static_configs: [{targets: [h]}]}]\n',
    files,
  )
  const source = targets[0]!.source
  assert.ok(source.kind === 'http' && typeof source.headers === 'function')
  assert.equal((await source.headers())['authorization'], `Basic ${btoa('u:one')}`)
  files['/pw'] = 'two\n'
  assert.equal((await source.headers())['authorization'], `Basic ${btoa('u:two')}`)
})

test('a discovery that nothing acts upon is said, not skipped silently', () => {
  const { targets, problems } = discover('scrape_configs: [{job_name: a, ec2_sd_configs: [{region: s}]}]\n')
  assert.deepEqual(targets, [])
  assert.match(problems[0]!, /job "a": ec2 discovery is not supported/)
})

// Rows of upstream's TestPopulateLabels (scrape/manager_test.go).
for (const [labels, problem] of [
  [
    '__scrape_interval__: 2notseconds',
    'error parsing scrape interval: unknown unit "notseconds" in duration "2notseconds"',
  ],
  [
    '__scrape_timeout__: 2notseconds',
    'error parsing scrape timeout: unknown unit "notseconds" in duration "2notseconds"',
  ],
  ['__scrape_interval__: 0s', 'scrape interval cannot be 0'],
  ['__scrape_timeout__: 0s', 'scrape timeout cannot be 0'],
  [
    '__scrape_interval__: 1s, __scrape_timeout__: 2s',
    'scrape timeout cannot be greater than scrape interval ("2s" > "1s")',
  ],
] as const) {
  test(`a target with ${labels} is a problem`, () => {
    const { problems } = discover(
      `scrape_configs: [{job_name: job, static_configs: [{targets: ["1.2.3.4:1000"], labels: {${labels}}}]}]\n`,
    )
    assert.equal(problems.length, 1)
    assert.ok(problems[0]!.endsWith(`: ${problem}`), problems[0]!)
  })
}

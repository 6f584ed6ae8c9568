import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { withRelabelDefaults } from '../../protocol/relabel/mod.ts'
import { createHead } from '../tsdb/mod.ts'
import { globalUrl } from './target-routes.ts'
import { startApi } from './testing/app.ts'

const RULES = [
  { sourceLabels: ['__address__'], targetLabel: 'instance' },
  { sourceLabels: ['job'], regex: 'gone', action: 'drop' },
  { action: 'hashmod', sourceLabels: ['job'], modulus: 2, targetLabel: 'shard' },
].map((rule) => withRelabelDefaults(rule))
const target = (job: string) => ({
  job,
  discoveredLabels: labelsFrom({ __address__: 'h:1', job }),
  labels: labelsFrom({ job }),
  url: 'http://h:1/metrics',
  lastError: '',
  warning: '',
  lastScrapeMs: null,
  lastScrapeDurationMs: 0,
  health: 'unknown',
  intervalMs: 15_000,
  timeoutMs: 10_000,
  metadata: () => [],
})
const dropped = { job: 'a', discoveredLabels: labelsFrom({ job: 'a' }), rule: 'relabel_configs[0]' }

const api = await startApi(createHead({ maxBytes: 16 << 20 }), {
  targets: () => [target('a'), target('b')] as never,
  droppedTargets: () => [dropped],
  scrapePools: () =>
    new Map([
      ['a', RULES],
      ['b', []],
    ]),
  configTexts: () => ({ redacted: '', poolTexts: new Map([['a', 'job_name: a\n']]) }),
})
after(() => api.close())

async function ask(path: string): Promise<{ status: number; body: { data: never; error: string } }> {
  const response = await fetch(`${api.url}/api/v1/${path}`)
  return { status: response.status, body: (await response.json()) as never }
}

for (const [query, status, answer] of [
  ['?scrapePool=a', 200, { yaml: 'job_name: a\n' }],
  ['?scrapePool=c', 400, 'error retrieving scrape config: scrape pool "c" not found'],
  ['', 400, 'no scrapePool parameter provided'],
] as const)
  test(`scrape_pools/config${query} answers ${status}`, async () => {
    const { status: got, body } = await ask(`scrape_pools/config${query}`)
    assert.deepEqual([got, body.data ?? body.error], [status, answer])
  })

type Targets = { activeTargets: unknown[]; droppedTargets: unknown[]; droppedTargetCounts: object | null }
const COUNTS = { a: 1, b: 0 }
const states: readonly (readonly [query: string, active: number, dropped: number, counts: object | null])[] = [
  ['', 2, 1, COUNTS],
  ['?state=Any', 2, 1, COUNTS],
  ['?state=active', 2, 0, null],
  ['?state=dropped', 0, 1, COUNTS],
  ['?state=other', 0, 0, null],
  ['?scrapePool=b', 1, 0, COUNTS],
]
for (const [query, active, dropped, counts] of states)
  test(`targets${query} has ${active} active and ${dropped} dropped`, async () => {
    const { activeTargets, droppedTargets, droppedTargetCounts } = (await ask(`targets${query}`)).body.data as Targets
    assert.deepEqual([activeTargets.length, droppedTargets.length, droppedTargetCounts], [active, dropped, counts])
  })

const steps = (pool: string, labels: string) =>
  ask(`targets/relabel_steps?scrapePool=${pool}&labels=${encodeURIComponent(labels)}`)

test('relabel_steps shows what each rule makes of labels', async () => {
  const first = { separator: ';', regex: '(.*)', replacement: '$1', action: 'replace' }
  const { body } = await steps('a', '{"__address__":"h:1","job":"a"}')
  const shown = (body.data as { steps: { rule: object; output: object; keep: boolean }[] }).steps
  assert.deepEqual(shown[0], {
    rule: { source_labels: ['__address__'], ...first, target_label: 'instance' },
    output: { __address__: 'h:1', instance: 'h:1', job: 'a' },
    keep: true,
  })
  assert.deepEqual(
    shown.map(({ keep }) => keep),
    [true, true, true],
  )
  assert.ok('modulus' in shown[2]!.rule && 'shard' in shown[2]!.output)
})

test('relabel_steps keeps nothing from the rule on that drops', async () => {
  const { body } = await steps('a', '{"job":"gone"}')
  const shown = (body.data as { steps: { output: object; keep: boolean }[] }).steps
  assert.deepEqual(
    shown.map(({ output, keep }) => [output, keep]),
    [
      [{ job: 'gone' }, true],
      [{}, false],
      [{}, false],
    ],
  )
})

const refused: readonly (readonly [pool: string, labels: string, error: RegExp])[] = [
  ['', '{}', /^no scrapePool parameter provided$/],
  ['a', '', /^no labels parameter provided$/],
  ['a', '{', /^error parsing labels: /],
  ['a', '{"x":1}', /^error parsing labels: /],
  ['nope', '{}', /^error retrieving scrape config: scrape pool "nope" not found$/],
]
for (const [pool, labels, error] of refused)
  test(`relabel_steps of ${pool || 'no pool'} with ${labels || 'no labels'} is refused`, async () => {
    const { status, body } = await steps(pool, labels)
    assert.equal(status, 400)
    assert.match(body.error, error)
  })

// Prometheus web/api/v1/api_test.go, TestGetGlobalURL.
const REACHED: readonly (readonly [url: string, listen: string, externalUrl: string, global: string])[] = [
  ['http://127.0.0.1:9090', '127.0.0.1:9090', 'http://127.0.0.1:9090', 'http://127.0.0.1:9090'],
  ['http://127.0.0.1:9090', '127.0.0.1:9090', 'http://prometheus.io', 'http://prometheus.io'],
  ['http://exporter:9090', '127.0.0.1:9090', 'http://prometheus.io', 'http://exporter:9090'],
  ['http://127.0.0.1:9091', '127.0.0.1:9090', 'http://prometheus.io', 'http://prometheus.io:9091'],
  ['http://exporter', '127.0.0.1:9090', 'http://prometheus.io', 'http://exporter'],
  ['http://localhost/metrics', '127.0.0.1:9090', 'https://prometheus.io:8443', 'http://prometheus.io/metrics'],
  ['http://[::1]/metrics', '127.0.0.1:9090', 'http://[2001:db8::1]:9090', 'http://[2001:db8::1]/metrics'],
  ['http://[::1]:9090/m?x=1', '[::]:9090', 'https://h:8443/prefix', 'https://h:8443/m?x=1'],
]
for (const [url, listen, externalUrl, global] of REACHED)
  test(`others reach ${url} at ${global}`, () => assert.equal(globalUrl(url, { listen, externalUrl }), global))

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { logTo, testClock, testDisk } from '../testing/env.ts'
import { createConsulExporter } from './mod.ts'

type Answer = { readonly status?: number; readonly body?: unknown; readonly text?: string; readonly error?: NetError }

const EMPTY: Readonly<Record<string, Answer>> = {
  '/v1/status/peers': { body: ['a', 'b'] },
  '/v1/status/leader': { body: 'a' },
  '/v1/catalog/nodes': { body: [] },
  '/v1/agent/members': { body: [] },
  '/v1/catalog/services': { body: {} },
  '/v1/health/state/any': { body: [] },
}

function world(answers: Readonly<Record<string, Answer>>, flags: Flags = {}, environment = {}) {
  const asked: HttpRequest[] = []
  const errors: string[] = []
  let running = 0
  let mostRunning = 0
  const exporter = createConsulExporter({
    net: {
      async request(request) {
        asked.push(request)
        mostRunning = Math.max(mostRunning, ++running)
        await testClock.sleep(1)
        running--
        const { pathname } = new URL(request.url)
        const { status = 200, body, text, error } = { ...EMPTY, ...answers }[pathname] ?? { status: 404 }
        if (error) throw error
        return { status, headers: {}, body: new TextEncoder().encode(text ?? JSON.stringify(body ?? null)) }
      },
    },
    disk: testDisk,
    clock: testClock,
    log: logTo((line) => errors.push(line)),
    flags,
    environment,
  })
  const page = async (): Promise<string> => `\n${formatExposition(await exporter.collect())}`
  return { page, asked, errors, mostRunning: () => mostRunning }
}

const instance = (id: string, service: string, checks: readonly string[], more = {}) => ({
  Node: { Node: 'n1' },
  Service: { ID: id, Service: service, ...more },
  Checks: checks.map((Status) => ({ Status })),
})

test('questions carry consistency, token and time limit; the ones to the agent itself no consistency', async () => {
  const flags = { 'consul.server': 'consul:8501', 'consul.timeout': '2s', 'consul.require_consistent': 'true' }
  const environment = { CONSUL_HTTP_TOKEN: 's3cret', CONSUL_NAMESPACE: 'team', CONSUL_HTTP_AUTH: 'user:pass' }
  const { page, asked } = world({}, { ...flags, 'kv.prefix': '/app/a b/' }, environment)
  assert.match(await page(), /\nconsul_up 1\n/)
  const urls = asked.map(({ url }) => url.replace('http://consul:8501', '')).sort()
  const query = 'ns=team&stale=&consistent='
  assert.deepEqual(urls, [
    '/v1/agent/members',
    '/v1/agent/members?wan=1',
    `/v1/catalog/nodes?${query}`,
    `/v1/catalog/services?${query}`,
    `/v1/health/state/any?${query}`,
    `/v1/kv/app/a%20b/?recurse=&${query}`,
    '/v1/status/leader',
    '/v1/status/peers',
  ])
  for (const { headers, timeoutMs, method } of asked) {
    assert.deepEqual(headers, { 'x-consul-token': 's3cret', authorization: `Basic ${btoa('user:pass')}` })
    assert.deepEqual([method, timeoutMs], ['GET', 2000])
  }
})

test('a service is healthy where all its checks pass; tags stand once, of meta what the filter keeps', async () => {
  const { page } = world(
    {
      '/v1/catalog/services': { body: { web: ['x'], 'a/b c': null, '/slash': [] } },
      '/v1/health/service/web': {
        body: [
          instance('w1', 'web', ['passing', 'passing'], { Tags: ['x', 'y', 'x'], Meta: { version: '2', owner: 'me' } }),
          instance('w2', 'web', ['passing', 'warning'], { Tags: null, Meta: null }),
          instance('W3', 'WEB', ['passing']),
          instance('w4', 'web', ['passing']),
        ],
      },
      '/v1/health/service/a/b%20c': { body: [instance('abc', 'a/b c', [])] },
    },
    { 'meta.filter': '^ver' },
  )
  const text = await page()
  for (const line of [
    'consul_catalog_services 3',
    'consul_catalog_service_node_healthy{node="n1",service_id="w1",service_name="web"} 1',
    'consul_catalog_service_node_healthy{node="n1",service_id="w2",service_name="web"} 0',
    'consul_catalog_service_node_healthy{node="n1",service_id="abc",service_name="a/b c"} 1',
    'consul_service_tag{node="n1",service_id="w1",tag="y"} 1',
    'consul_service_meta_info{key="version",node="n1",service_id="w1",value="2"} 1',
    'consul_up 1',
  ])
    assert.ok(text.includes(`\n${line}\n`), line)
  assert.doesNotMatch(text, /owner|W3|w4/)
  assert.equal(text.match(/consul_service_tag\{/g)?.length, 2)
})

test('keys are read where they are numbers and the filter keeps them; no keys are no failure', async () => {
  const pairs = Object.entries({ 'app/a': '1.5', 'app/b': 'text', 'app/c': '', 'other/d': '4' })
  const body = pairs.map(([Key, value]) => ({ Key, Value: value === '' ? null : btoa(value) }))
  const flags = { 'kv.prefix': 'a', 'kv.filter': 'app/.*' }
  const text = await world({ '/v1/kv/a': { body } }, flags).page()
  assert.deepEqual(text.match(/consul_catalog_kv\{.*/g), ['consul_catalog_kv{key="app/a"} 1.5'])
  assert.match(await world({}, flags).page(), /\nconsul_up 1\n/)
})

test('members and checks are told with their states', async () => {
  const text = await world({
    '/v1/agent/members': {
      body: [{ Name: 'n1', Status: 4, Tags: { build: '1.22.0:abc', role: 'node', dc: 'dc1' } }, { Name: 'bare' }],
    },
    '/v1/health/state/any': {
      body: [
        { Node: 'n1', CheckID: 'serfHealth', Name: 'Serf', Status: 'critical', ServiceID: '' },
        { Node: 'n1', CheckID: 'c', Name: 'Web', Status: 'maintenance', ServiceID: 'w', ServiceName: 'web' },
      ],
    },
  }).page()
  for (const line of [
    'consul_serf_lan_member_info{member="n1",role="node",version="1.22.0"} 4',
    'consul_serf_lan_member_status{member="n1"} 4',
    'consul_serf_lan_member_status{member="bare"} 0',
    'consul_serf_wan_member_status{dc="dc1",member="n1"} 4',
    'consul_health_node_status{check="serfHealth",node="n1",status="critical"} 1',
    'consul_health_node_status{check="serfHealth",node="n1",status="passing"} 0',
    'consul_health_service_status{check="c",node="n1",service_id="w",service_name="web",status="maintenance"} 1',
    'consul_service_checks{check_id="c",check_name="Web",node="n1",service_id="w",service_name="web"} 1',
  ])
    assert.ok(text.includes(`\n${line}\n`), line)
})

const failures: readonly (readonly [what: string, answers: Readonly<Record<string, Answer>>, problem: RegExp])[] = [
  ['an error', { '/v1/status/peers': { status: 500, text: 'No cluster leader' } }, /500 \(No cluster leader\)/],
  [
    'no answer in time',
    { '/v1/status/peers': { error: new NetError('TIMEOUT', 'context deadline exceeded') } },
    /deadline/,
  ],
  ['no JSON', { '/v1/status/peers': { text: '<html>' } }, /\/v1\/status\/peers: .*JSON/],
  ['another shape', { '/v1/status/peers': { body: { a: 1 } } }, /want a list/],
  ['no services', { '/v1/catalog/services': { body: [1] } }, /want an object/],
  [
    'a service that fails',
    { '/v1/catalog/services': { body: { web: [] } }, '/v1/health/service/web': { status: 403 } },
    /403/,
  ],
]
for (const [what, answers, problem] of failures)
  test(`${what} is said once, and the rest is on the page`, async () => {
    const { page, errors } = world(answers)
    for (const _ of [1, 2]) {
      const text = await page()
      assert.match(text, /\nconsul_up 0\n/)
      assert.match(text, /\nconsul_raft_leader 1\n/)
    }
    assert.equal(errors.length, 1)
    assert.match(errors[0]!, problem)
  })

test('no more questions are under way at once than the limit says', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`)
  const answers = {
    '/v1/catalog/services': { body: Object.fromEntries(names.map((name) => [name, []])) },
    ...Object.fromEntries(names.map((name) => [`/v1/health/service/${name}`, { body: [instance(name, name, [])] }])),
  }
  // Without a limit the other questions may still be under way.
  for (const [limit, least, most] of [
    ['2', 2, 2],
    ['0', 20, 27],
  ] as const) {
    const { page, mostRunning } = world(answers, { 'consul.request-limit': limit })
    assert.equal((await page()).match(/node_healthy\{/g)?.length, 20)
    assert.ok(least <= mostRunning() && mostRunning() <= most, String(mostRunning()))
  }
})

test('agent-only tells of the services of the agent alone, whatever their state', async () => {
  const { page, asked } = world(
    {
      '/v1/agent/services': { body: { w1: { ID: 'w1', Service: 'web' }, w2: { ID: 'w2', Service: 'web' } } },
      '/v1/agent/self': { body: { Config: { NodeName: 'here' } } },
      '/v1/agent/health/service/name/web': {
        status: 503,
        body: [
          { AggregatedStatus: 'critical', Service: { ID: 'w1', Service: 'web' }, Checks: [{ Status: 'critical' }] },
        ],
      },
    },
    { 'consul.agent-only': 'true' },
  )
  const text = await page()
  assert.match(text, /\nconsul_catalog_services 1\n/)
  assert.match(text, /\nconsul_catalog_service_node_healthy\{node="here",service_id="w1",service_name="web"\} 0\n/)
  assert.match(text, /\nconsul_up 1\n/)
  assert.equal(asked.length, 3)
  const quiet = world({}, { 'consul.health-summary': 'false' })
  await quiet.page()
  assert.ok(quiet.asked.every(({ url }) => !url.includes('/health/service/')))
})

const bad: readonly (readonly [flags: Flags, problem: RegExp])[] = [
  [{ 'consul.server': 'unix:///x' }, /invalid consul URL: unix:\/\/\/x/],
  [{ 'consul.server': 'http://a b' }, /invalid consul URL: parse "http:\/\/a b": invalid character/],
  [{ 'kv.filter': '(' }, /Flag kv\.filter: error parsing regexp: missing closing \)/],
  [{ 'consul.server': 'https://a', 'consul.ca-file': '/nope' }, /Flag consul\.ca-file: cannot read "\/nope"/],
  [{ 'consul.token-file': '/nope' }, /Flag consul\.token-file: cannot read/],
  [{ 'consul.nothing': '1' }, /unknown; known are consul\.server/],
]
for (const [flags, problem] of bad)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => world({}, flags),
      (error) => error instanceof FlagError && problem.test(error.message),
    )
  })

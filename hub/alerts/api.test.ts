/** What the API refuses and how; each answer as an Alertmanager 0.33.1 gave it, but for the texts of Go's JSON decoder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import { alertApi } from './mod.ts'
import { World } from './scenarios.ts'

const CONFIG = `
route:
  receiver: default
  group_by: [alertname]
  routes:
    - {receiver: db, matchers: [team="db"], continue: true}
    - {receiver: pager, matchers: [severity="page"], mute_time_intervals: [always]}
receivers: [{name: default}, {name: db}, {name: pager}]
time_intervals: [{name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}]
`
const build = { version: '1.2.3', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' }

type Answer = { readonly status: number; readonly body: unknown }

function openWorld(): {
  world: World
  ask: (method: string, path: string, body?: string, type?: string) => Promise<Answer>
} {
  const world = new World(CONFIG, {})
  const options = { dispatcher: () => world.dispatcher, now: () => world.clock.now(), build }
  return {
    world,
    ask: async (method, path, body, type = 'application/json') => {
      const request = new Request(`http://hub/api/v2${path}`, {
        method,
        ...(body !== undefined && { body, headers: { 'content-type': type } }),
      })
      const response = await alertApi(request, path.replace(/\?.*/, ''), options)
      const text = await response.text()
      return { status: response.status, body: text === '' ? null : JSON.parse(text) }
    },
  }
}

const MATCHER = { name: 'a', value: 'b', isRegex: false }
const SILENCE = {
  matchers: [MATCHER],
  startsAt: '2023-11-14T22:00:00Z',
  endsAt: '2030-01-01T00:00:00Z',
  createdBy: 'me',
  comment: 'c',
}
const required = (name: string) => ({ code: 602, message: `${name} in body is required` })
const undecoded = (what: string, reason: string) => ({
  code: 400,
  message: `parsing ${what} body from "" failed, because ${reason}`,
})

test('the version is that of the API, and ours behind it', async () => {
  const { body } = await openWorld().ask('GET', '/status')
  const { versionInfo } = body as { versionInfo: object }
  assert.deepEqual(versionInfo, { ...build, version: '0.34.0+heliograph.1.2.3' })
})

const badSilences: readonly [change: object | string, status: number, answer: unknown][] = [
  ['', 422, required('silence')],
  ['null', 422, required('comment')],
  ['{}', 422, required('comment')],
  ['[]', 400, undecoded('silence', 'json: cannot unmarshal array into Go value of type models.Silence')],
  [{ comment: null }, 422, required('comment')],
  [{ createdBy: null }, 422, required('createdBy')],
  [{ endsAt: null }, 422, required('endsAt')],
  [{ matchers: null }, 422, required('matchers')],
  [{ matchers: [] }, 422, { code: 612, message: 'matchers in body should have at least 1 items' }],
  [{ matchers: [{}] }, 422, required('matchers.0.isRegex')],
  [{ matchers: [MATCHER, { isRegex: true }] }, 422, required('matchers.1.name')],
  [{ matchers: [{ isRegex: true, name: 'a' }] }, 422, required('matchers.0.value')],
  [{ startsAt: null }, 422, required('startsAt')],
  [
    { matchers: 5 },
    400,
    undecoded('silence', 'json: cannot unmarshal number into Go struct field Silence.matchers of type models.Matchers'),
  ],
  [
    { matchers: [{ ...MATCHER, isRegex: 'x' }] },
    400,
    undecoded('silence', 'json: cannot unmarshal string into Go struct field Silence.matchers.0.isRegex of type bool'),
  ],
  [
    { matchers: ['x'] },
    400,
    undecoded('silence', 'json: cannot unmarshal string into Silence.matchers.0 of type models.Matcher'),
  ],
  [
    { createdBy: {} },
    400,
    undecoded('silence', 'json: cannot unmarshal object into Go struct field Silence.createdBy of type string'),
  ],
  [
    { annotations: { x: 5 } },
    400,
    undecoded('silence', 'json: cannot unmarshal number into Go struct field Silence.annotations.x of type string'),
  ],
  ...['x', '2030', '2026-13-01T00:00:00Z', '2026-02-30'].map((startsAt): [object, number, unknown] => [
    { startsAt },
    400,
    undecoded('silence', `parsing time "${startsAt}": it is none such as 2006-01-02T15:04:05Z`),
  ]),
  [{ endsAt: '' }, 400, 'Failed to create silence: start time must be before end time'],
  [{ startsAt: '2031-01-01T00:00:00Z' }, 400, 'Failed to create silence: start time must be before end time'],
  [{ endsAt: '2023-11-14T22:10:00Z' }, 400, "Failed to create silence: end time can't be in the past"],
  [{ id: 'x' }, 404, 'silence not found'],
  [
    { matchers: [MATCHER, { ...MATCHER, name: '' }] },
    400,
    'invalid silence: invalid label matcher 1 in set 0: invalid label name ""',
  ],
  [
    { matchers: [{ name: 'a', value: '(', isRegex: true }] },
    400,
    'invalid silence: invalid label matcher 0 in set 0: invalid regular expression "(": error parsing regexp: missing closing ): `(`',
  ],
  ...['', 'x|', '.*'].map((value): [object, number, unknown] => [
    { matchers: [{ name: 'a', value, isRegex: true }] },
    400,
    'invalid silence: matcher set 0: at least one matcher must not match the empty string',
  ]),
]
for (const [change, status, answer] of badSilences)
  test(`a silence is refused: ${JSON.stringify(change)}`, async () => {
    const { world, ask } = openWorld()
    const body = typeof change === 'string' ? change : JSON.stringify({ ...SILENCE, ...change })
    assert.deepEqual(await ask('POST', '/silences', body), { status, body: answer })
    assert.deepEqual(world.dispatcher.silences.list(), [])
  })

for (const change of [
  { startsAt: '' },
  { startsAt: '0001-01-01T00:00:00Z' },
  { endsAt: '2030-01-01' },
  { endsAt: '2030-01-01 10:00:00' },
  { endsAt: '2030-01-01T10:00+0200' },
  { matchers: [{ ...MATCHER, isEqual: null }] },
  { matchers: [{ ...MATCHER, isEqual: false }] },
  { matchers: [{ ...MATCHER, isRegex: true, isEqual: false }] },
  { id: null, annotations: null, other: 1 },
])
  test(`a silence is taken: ${JSON.stringify(change)}`, async () => {
    const { world, ask } = openWorld()
    const { status } = await ask('POST', '/silences', JSON.stringify({ ...SILENCE, ...change }))
    assert.equal(status, 200)
    assert.equal(world.dispatcher.silences.list().length, 1)
  })

const ALERT = { labels: { alertname: 'z' } }
const badAlerts: readonly [body: unknown, status: number, answer: unknown][] = [
  [{}, 400, undecoded('alerts', 'json: cannot unmarshal object into Go value of type models.PostableAlerts')],
  [[5], 400, undecoded('alerts', 'json: cannot unmarshal number into Go value of type models.Alert')],
  [[{}], 422, required('0.labels')],
  [[ALERT, { labels: null }], 422, required('1.labels')],
  [
    [{ labels: { a: 5 } }],
    400,
    undecoded('alerts', 'json: cannot unmarshal number into Go struct field Alert.labels.a of type string'),
  ],
  ...['::', 'x y', 'http://a b', 'nope'].map((generatorURL): [unknown, number, unknown] => [
    [{ ...ALERT, generatorURL }],
    422,
    { code: 601, message: `0.generatorURL in body must be of type uri: "${generatorURL}"` },
  ]),
  [[{ labels: {} }, { labels: { a: '' } }], 400, 'at least one label pair required\nat least one label pair required'],
  [[{ ...ALERT, annotations: { '': 'x' } }], 400, 'invalid annotations: invalid name ""'],
]
for (const [body, status, answer] of badAlerts)
  test(`alerts are refused: ${JSON.stringify(body)}`, async () => {
    const { world, ask } = openWorld()
    assert.deepEqual(await ask('POST', '/alerts', JSON.stringify(body)), { status, body: answer })
    assert.deepEqual(world.dispatcher.alerts(), [])
  })

for (const [body, count] of [
  [null, 0],
  [[{ ...ALERT, generatorURL: '/graph?g0.expr=up', startsAt: null }], 1],
  [[{ ...ALERT, generatorURL: 'http://h/graph?g0.expr=up%3D%3D0' }], 1],
  [[{ LABELS: ALERT.labels, StartsAt: null }], 1],
] as const)
  test(`alerts are taken: ${JSON.stringify(body)}`, async () => {
    const { world, ask } = openWorld()
    assert.deepEqual(await ask('POST', '/alerts', JSON.stringify(body)), { status: 200, body: null })
    assert.equal(world.dispatcher.alerts().length, count)
  })

test('half a character is the replacement character, and a label that is null is none', async () => {
  const { world, ask } = openWorld()
  const body = '[{"labels":{"alertname":"\\ud800","other":null}}]'
  assert.deepEqual(await ask('POST', '/alerts', body), { status: 200, body: null })
  assert.deepEqual(
    world.dispatcher.alerts().map(({ labels }) => ({ ...labelsToObject(labels) })),
    [{ alertname: '\ufffd' }],
  )
})

test('a body of another type is refused, which keeps pages of other origins from posting', async () => {
  const { ask } = openWorld()
  const message = 'unsupported media type "text/plain", only [application/json] are allowed'
  assert.deepEqual(await ask('POST', '/alerts', '[]', 'text/plain'), { status: 415, body: { code: 415, message } })
  assert.equal((await ask('POST', '/alerts', '[]', 'application/json; charset=utf-8')).status, 200)
})

const tooMuch: readonly [path: string, body: string, message: string][] = [
  ['/alerts', `[${' '.repeat(16 << 20)}]`, 'the body exceeds 16777216 bytes'],
  ['/alerts', `[${Array(100_001).fill('{}').join()}]`, 'the body has 100001 alerts, at most 100000 are taken at once'],
  ['/silences', JSON.stringify({ ...SILENCE, comment: 'x'.repeat(256 << 10) }), 'the body exceeds 262144 bytes'],
]
for (const [path, body, message] of tooMuch)
  test(`${path} takes not more than it can hold: ${message}`, async () => {
    const { ask } = openWorld()
    assert.deepEqual(await ask('POST', path, body), { status: 413, body: message })
  })

const UNKNOWN = '11111111-1111-1111-1111-111111111111'
const reads: readonly [method: string, path: string, status: number, answer: unknown][] = [
  ['GET', '/silence/x', 422, { code: 601, message: 'silenceID in path must be of type uuid: "x"' }],
  ['DELETE', '/silence/x', 422, { code: 601, message: 'silenceID in path must be of type uuid: "x"' }],
  ['GET', `/silence/${UNKNOWN}`, 404, null],
  ['DELETE', `/silence/${UNKNOWN.replaceAll('-', '')}`, 404, null],
  ['GET', `/silence/urn:uuid:${UNKNOWN}`, 404, null],
  ['DELETE', `/silence/%7B${UNKNOWN}%7D`, 404, null],
  ['PUT', '/alerts', 405, { code: 405, message: 'method PUT is not allowed, but [GET,POST] are' }],
  ['POST', '/status/', 405, { code: 405, message: 'method POST is not allowed, but [GET] are' }],
  ['GET', '/alerts/x', 404, { code: 404, message: 'path /api/v2/alerts/x was not found' }],
  ['GET', '/alerts/', 200, []],
  [
    'GET',
    '/alerts?receiver=(',
    400,
    'failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`',
  ],
  ['GET', '/alerts?filter=', 400, 'bad matcher format: '],
  ['GET', '/alerts?filter={a="b"}', 400, 'unexpected open or close brace: {a="b"}'],
  ['GET', '/receivers?receiver_matchers=x', 400, 'failed to parse receiver_matchers param: bad matcher format: x'],
]
for (const [method, path, status, answer] of reads)
  test(`${method} ${path} answers ${status}`, async () => {
    const { ask } = openWorld()
    assert.deepEqual(await ask(method, path), { status, body: answer })
  })

test('a silence that is over may be deleted again, and stays as it is', async () => {
  const { ask, world } = openWorld()
  const { body } = await ask('POST', '/silences', JSON.stringify(SILENCE))
  const { silenceID } = body as { silenceID: string }
  assert.equal((await ask('DELETE', `/silence/${silenceID}`)).status, 200)
  const ended = await ask('GET', `/silence/${silenceID}`)
  await world.clock.advance(60_000)
  assert.deepEqual(await ask('DELETE', `/silence/${silenceID}`), { status: 200, body: null })
  assert.deepEqual(await ask('GET', `/silence/${silenceID}`), ended)
})

test('silences are found by a matcher that they hold, not by one that fits', async () => {
  const { ask } = openWorld()
  await ask('POST', '/silences', JSON.stringify(SILENCE))
  const count = async (filter: string): Promise<number> =>
    ((await ask('GET', `/silences?filter=${encodeURIComponent(filter)}`)).body as unknown[]).length
  assert.equal(await count('a=b'), 1)
  for (const filter of ['a=~".*"', 'a!=c', 'b=b']) assert.equal(await count(filter), 0, filter)
})

test('a list of silences has the active ones by their end, the coming ones by their start', async () => {
  const { ask } = openWorld()
  const day = (n: number): string => `2029-01-0${n}T00:00:00Z`
  const spans = {
    c: [day(2), day(3)],
    d: [day(1), day(4)],
    b: [SILENCE.startsAt, day(5)],
    a: [SILENCE.startsAt, day(1)],
  }
  for (const [comment, [startsAt, endsAt]] of Object.entries(spans))
    await ask('POST', '/silences', JSON.stringify({ ...SILENCE, comment, startsAt, endsAt }))
  const { body } = await ask('GET', '/silences')
  assert.deepEqual(
    (body as { comment: string }[]).map(({ comment }) => comment),
    ['a', 'b', 'd', 'c'],
  )
  assert.ok(!('annotations' in (body as object[])[0]!))
})

type Group = {
  readonly labels: object
  readonly alerts: readonly {
    readonly receivers: readonly { name: string }[]
    readonly status: { mutedBy: string[]; state: string }
  }[]
}

test('groups: muted by the intervals of their own route, receivers of the groups that were asked for', async () => {
  const { ask } = openWorld()
  const labels = { alertname: 'Down', team: 'db', severity: 'page' }
  await ask('POST', '/alerts', JSON.stringify([{ labels }, { labels: { other: 'x' } }]))
  const groups = async (query: string): Promise<unknown> =>
    ((await ask('GET', `/alerts/groups?${query}`)).body as Group[]).map((group) => [
      group.labels,
      ...group.alerts.map(({ receivers, status }) => [
        receivers.map(({ name }) => name).join(),
        status.state,
        ...status.mutedBy,
      ]),
    ])
  const rest = [{}, ['default', 'active']]
  const down = { alertname: 'Down' }
  assert.deepEqual(await groups(''), [
    rest,
    [down, ['db,pager', 'active']],
    [down, ['db,pager', 'suppressed', 'always']],
  ])
  assert.deepEqual(await groups('muted=false'), [rest, [down, ['db,pager', 'active']]])
  assert.deepEqual(await groups('receiver=x&receiver=pager'), [[down, ['pager', 'suppressed', 'always']]])
  assert.deepEqual(await groups('active=false'), [])
})

test('an alert is shown as muted where no receiver hears of it', async () => {
  const { ask } = openWorld()
  const page = { alertname: 'Page', severity: 'page' }
  await ask('POST', '/alerts', JSON.stringify([{ labels: page }, { labels: { ...page, team: 'db' } }]))
  const { body } = await ask('GET', '/alerts')
  const shown = (body as (Group['alerts'][number] & { labels: { team?: string } })[]).map(({ labels, status }) => [
    labels.team,
    status.mutedBy,
  ])
  assert.deepEqual(
    shown.sort(),
    [
      [undefined, ['always']],
      ['db', []],
    ].sort(),
  )
})

const accepts: readonly (readonly [accept: string, status: number])[] = [
  ['*/*', 200],
  ['application/*', 200],
  ['application/json; charset=utf-8', 200],
  ['text/html, application/json;q=0.5', 200],
  ['text/html', 406],
  ['application/xml', 406],
  ['application/json;q=0', 406],
  ['*/*;q=0', 406],
  ['nonsense', 406],
]
for (const [accept, status] of accepts)
  test(`who accepts ${accept} is answered with ${status}`, async () => {
    const world = new World(CONFIG, {})
    const options = { dispatcher: () => world.dispatcher, now: () => world.clock.now(), build }
    for (const path of ['/receivers', '/silence/x', '/nothing']) {
      const response = await alertApi(new Request(`http://hub/api/v2${path}`, { headers: { accept } }), path, options)
      const otherwise = path === '/nothing' ? 404 : path === '/silence/x' && status === 200 ? 422 : status
      assert.equal(response.status, otherwise, path)
      if (response.status !== 406) continue
      const message = 'unsupported media type requested, only [application/json] are available'
      assert.deepEqual(await response.json(), { code: 406, message })
    }
  })

test('what is sent is looked at before what is accepted', async () => {
  const world = new World(CONFIG, {})
  const options = { dispatcher: () => world.dispatcher, now: () => world.clock.now(), build }
  const statusOf = async (type: string): Promise<number> => {
    const init = { method: 'POST', body: '[]', headers: { accept: 'text/html', 'content-type': type } }
    return (await alertApi(new Request('http://hub/api/v2/alerts', init), '/alerts', options)).status
  }
  assert.deepEqual([await statusOf('text/plain'), await statusOf('application/json')], [415, 406])
})

for (const path of ['/status', '/alerts', '/silences', '/receivers', '/alerts/groups', '/silence/x'])
  test(`HEAD ${path} is no method`, async () => {
    const { ask } = openWorld()
    const { status, body } = await ask('HEAD', path)
    assert.equal(status, 405)
    assert.match((body as { message: string }).message, /^method HEAD is not allowed, but \[GET/)
  })

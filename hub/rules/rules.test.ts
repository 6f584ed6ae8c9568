import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Summary } from '../../protocol/exposition/mod.ts'
import { formatLabels, labelsFrom, labelValue } from '../../protocol/labels/mod.ts'
import type { RuleSample, VectorSample } from './alerting.ts'
import { Group, type GroupEnv } from './group.ts'
import { loadRuleFile, nextSlot } from './mod.ts'
import { alertExpander } from './template.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const folder = path.join(kit, 'rules')

test('rule files load or fail as upstream', {
  skip: fs.existsSync(folder) ? false : `${folder} is absent`,
}, async (t) => {
  type Case = { file: string; errorContains?: string; nameValidationScheme?: string }
  const cases = JSON.parse(fs.readFileSync(path.join(folder, 'cases.json'), 'utf8')) as {
    fileErrors: Case[]
    fileOk: Case[]
    ruleTemplates: { rules: string; ok: boolean }[]
  }
  const load = (file: string) => loadRuleFile(fs.readFileSync(path.join(folder, 'rulefmt', file), 'utf8'), file)
  for (const { file, errorContains, nameValidationScheme } of cases.fileErrors) {
    // Rule files have no key for the legacy scheme here.
    if (nameValidationScheme === 'legacy') continue
    await t.test(file, () =>
      assert.throws(
        () => load(file),
        (error) => (error as Error).message.includes(errorContains!) || assert.fail((error as Error).message),
      ),
    )
  }
  for (const { file } of cases.fileOk) await t.test(file, () => void load(file))
  for (const [i, { rules, ok }] of cases.ruleTemplates.entries()) {
    await t.test(`template ${i}`, () =>
      ok ? void loadRuleFile(rules, 'r.yml') : assert.throws(() => loadRuleFile(rules, 'r.yml')),
    )
  }
})

const FILE = `
groups:
  - name: g
    interval: 10s
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {team: a}
      - alert: Down
        expr: up == 0
        for: 20s
        keep_firing_for: 10s
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} is at {{ $value | humanize }}"}
`

function world(results: Map<string, readonly VectorSample[]>) {
  const written: { timeMs: number; samples: readonly RuleSample[] }[] = []
  const sent: { state: string; labels: string; summary: string | undefined; resolved: boolean }[] = []
  const env: GroupEnv = {
    query: async (expr) => results.get(expr) ?? [],
    append: async (timeMs, samples) => void written.push({ timeMs, samples }),
    notify: (alerts) => {
      for (const a of alerts)
        sent.push({
          state: a.state,
          labels: formatLabels(a.labels),
          summary: a.annotations['summary'],
          resolved: a.resolvedAtMs > 0,
        })
    },
    monotonic: () => 0,
    context: { externalLabels: labelsFrom({}), externalUrl: 'http://hub' },
    resendDelayMs: 60_000,
    outageToleranceMs: 3600_000,
    forGracePeriodMs: 600_000,
  }
  return { env, written, sent }
}

test('an alert goes from pending to firing after `for`, keeps firing, and resolves', async () => {
  const down = [{ labels: labelsFrom({ __name__: 'up', instance: 'a' }), value: 0 }]
  const results = new Map<string, readonly VectorSample[]>([['up == 0', down]])
  const { env, sent, written } = world(results)
  const group = new Group(loadRuleFile(FILE, 'f.yml')[0]!, { intervalMs: 60_000, queryOffsetMs: 0 })
  const states: string[] = []
  const at = async (seconds: number): Promise<void> => {
    await group.evaluate(seconds * 1000, env)
    states.push(group.status[1]!.alerting!.state)
  }
  for (const seconds of [0, 10, 20]) await at(seconds)
  results.set('up == 0', [])
  for (const seconds of [30, 40]) await at(seconds)
  assert.deepEqual(states, ['pending', 'pending', 'firing', 'firing', 'inactive'])
  assert.deepEqual(
    sent.map(({ state, resolved }) => [state, resolved]),
    [
      ['firing', false],
      ['inactive', true],
    ],
  )
  assert.equal(sent[0]!.summary, 'a is at 0')
  assert.equal(sent[0]!.labels, '{alertname="Down", instance="a", severity="page"}')
  const ended = written
    .flatMap(({ samples }) => samples)
    .filter(({ stale, labels }) => stale && labelValue(labels, 'alertstate') === 'firing')
  assert.equal(ended.length, 1, 'ALERTS{alertstate="firing"} ends with a stale marker')
})

const MINUTE = 60_000
/** `for` is 30 minutes; the hub comes back at minute 100, and its second evaluation is one minute after. */
const restarts: readonly (readonly [
  title: string,
  stored: [sinceMinute: number, untilMinute: number] | null,
  fires: number,
])[] = [
  ['that was not there before waits from its first evaluation on', null, 130],
  ['waits on from where the hub went down', [80, 90], 121],
  ['that was nearly there waits for the grace period', [60, 85], 111],
  ['that was firing fires at once', [20, 90], 102],
]
for (const [title, stored, fires] of restarts)
  test(`after a restart an alert ${title}`, async () => {
    const labels = labelsFrom({ __name__: 'ALERTS_FOR_STATE', alertname: 'Slow', instance: 'a' })
    const results = new Map<string, readonly VectorSample[]>([
      ['up == 0', [{ labels: labelsFrom({ __name__: 'up', instance: 'a' }), value: 0 }]],
      ['ALERTS_FOR_STATE{alertname="Slow"}', stored ? [{ labels, value: stored[0] * 60 }] : []],
      ['timestamp(ALERTS_FOR_STATE{alertname="Slow"})', stored ? [{ labels, value: stored[1] * 60 }] : []],
    ])
    const { env, written } = world(results)
    const lookbacks = new Set<number>()
    const query: GroupEnv['query'] = (expr, timeMs, lookbackMs) => {
      if (lookbackMs !== undefined) lookbacks.add(lookbackMs)
      return env.query(expr, timeMs)
    }
    const group = new Group(loadRuleFile(SLOW, 'f.yml')[0]!, {
      intervalMs: MINUTE,
      queryOffsetMs: 0,
      restoreForMs: env.forGracePeriodMs,
    })
    const alerting = group.status[0]!.alerting!
    let firesAt = 0
    for (let minute = 100; minute <= 130; minute++) {
      await group.evaluate(minute * MINUTE, { ...env, query })
      if (alerting.state === 'firing') firesAt ||= minute
    }
    assert.equal(firesAt, fires)
    assert.deepEqual([...lookbacks], [env.outageToleranceMs])
    const first = written.find(({ samples }) => samples.length > 0)
    assert.equal(first?.timeMs, 102 * MINUTE, 'what is stored stays until it has been read')
  })

const SLOW = `
groups:
  - name: g
    rules:
      - alert: Slow
        expr: up == 0
        for: 30m
`

test('what is stored of alerts that cannot be asked for is given up', async () => {
  const { env, written } = world(new Map([['up == 0', [{ labels: labelsFrom({ instance: 'a' }), value: 0 }]]]))
  const failures: string[] = []
  const group = new Group(loadRuleFile(SLOW, 'f.yml')[0]!, { intervalMs: MINUTE, queryOffsetMs: 0, restoreForMs: 0 })
  for (let minute = 1; minute <= 3; minute++)
    await group.evaluate(minute * MINUTE, {
      ...env,
      query: async (expr, timeMs) =>
        expr.includes('ALERTS') ? Promise.reject(new Error('timed out')) : env.query(expr, timeMs),
      onFailure: (_group, _index, error) => failures.push(error),
    })
  assert.deepEqual(failures, ['Cannot restore what alerts have waited: timed out'])
  assert.deepEqual(
    written.map(({ samples }) => samples.length),
    [0, 0, 2],
  )
})

test('an offset moves queries and what is stored, not the times of alerts', async () => {
  const asked: number[] = []
  const { env, written } = world(new Map([['up == 0', [{ labels: labelsFrom({ instance: 'a' }), value: 0 }]]]))
  const group = new Group(loadRuleFile(SLOW, 'f.yml')[0]!, { intervalMs: MINUTE, queryOffsetMs: 7000 })
  const query: GroupEnv['query'] = (expr, timeMs) => {
    asked.push(timeMs)
    return env.query(expr, timeMs)
  }
  await group.evaluate(MINUTE, { ...env, query })
  assert.deepEqual(asked, [53_000])
  assert.deepEqual(
    written.map(({ timeMs, samples }) => [timeMs, samples.map(({ value }) => value)]),
    [[53_000, [1, 60]]],
  )
})

test('alerts are sent even where their series cannot be stored', async () => {
  const { env, sent } = world(new Map([['up', [{ labels: labelsFrom({ instance: 'a' }), value: 0 }]]]))
  const rules = 'groups: [{name: g, rules: [{alert: Up, expr: up}]}]'
  const group = new Group(loadRuleFile(rules, 'f.yml')[0]!, { intervalMs: MINUTE, queryOffsetMs: 0 })
  await group.evaluate(0, { ...env, append: async () => Promise.reject(new Error('the disk is full')) })
  assert.equal(group.status[0]!.lastError, 'the disk is full')
  assert.equal(sent.length, 1)
})

test('a recording rule writes its series and ends those that vanish', async () => {
  const results = new Map<string, readonly VectorSample[]>([
    ['sum by (job) (up)', [{ labels: labelsFrom({ job: 'x' }), value: 3 }]],
  ])
  const { env, written } = world(results)
  const group = new Group(loadRuleFile(FILE, 'f.yml')[0]!, { intervalMs: 60_000, queryOffsetMs: 0 })
  await group.evaluate(0, env)
  results.clear()
  await group.evaluate(10_000, env)
  const series = written
    .flatMap(({ samples }) => samples)
    .map(({ labels, value, stale }) => [formatLabels(labels), stale ? 'stale' : value])
  assert.deepEqual(series, [
    ['{__name__="job:up:sum", job="x", team="a"}', 3],
    ['{__name__="job:up:sum", job="x", team="a"}', 'stale'],
  ])
})

test('a group knows what its last evaluation returned and took, rule by rule, and its restoring', async () => {
  const results = new Map<string, readonly VectorSample[]>([
    ['sum by (job) (up)', [{ labels: labelsFrom({ job: 'x' }), value: 3 }]],
    ['up == 0', [{ labels: labelsFrom({ __name__: 'up', instance: 'a' }), value: 0 }]],
  ])
  const { env } = world(results)
  const times = { rule: new Summary(), group: new Summary() }
  const group = new Group(loadRuleFile(FILE, 'f.yml')[0]!, {
    intervalMs: 60_000,
    queryOffsetMs: 0,
    restoreForMs: 0,
  })
  let ms = 0
  const evaluate = (timeMs: number) => group.evaluate(timeMs, { ...env, times, monotonic: () => (ms += 1000) })
  await evaluate(0)
  assert.equal(group.lastRestoreSeconds, 0)
  // The recording rule's; those of alerts come after what is stored of them has been read.
  assert.deepEqual([group.counters.iterations, group.lastSamples, group.lastRuleSeconds], [1, 1, 2])
  results.delete('sum by (job) (up)')
  await evaluate(10_000)
  assert.deepEqual([group.counters.iterations, group.lastSamples, group.lastRuleSeconds], [2, 0, 2])
  assert.equal(group.lastRestoreSeconds, 1)
  await evaluate(20_000)
  assert.deepEqual([group.counters.iterations, group.lastSamples, group.lastRuleSeconds], [3, 2, 2])
  const sums = [times.rule, times.group].map((each) => each.lines([]).map(({ value }) => value))
  assert.deepEqual(sums, [
    [6, 6],
    [15, 3],
  ])
})

test('a rule that fails is reported and does not stop the others', async () => {
  const { env } = world(new Map())
  const group = new Group(loadRuleFile(FILE, 'f.yml')[0]!, { intervalMs: 60_000, queryOffsetMs: 0 })
  await group.evaluate(0, {
    ...env,
    query: async (expr) => (expr.startsWith('sum') ? Promise.reject(new Error('query timed out')) : []),
  })
  assert.deepEqual(
    group.status.map(({ health, lastError }) => [health, lastError]),
    [
      ['err', 'query timed out'],
      ['ok', ''],
    ],
  )
})

const templates: readonly (readonly [text: string, want: string])[] = [
  ['plain', 'plain'],
  ['{{ $labels.job }} {{ $value }}', 'node 1.2345675e+06'],
  [`{{ title "it's hELLO a_b 2x e.f" }}`, "It's HELLO A_b 2X E.f"],
  ['{{ title "ǆ ﬁx ß _x -120u" }}', 'ǅ Fix Ss _X -120U'],
  ['{{ $value | humanize }}', '1.235M'],
  ['{{ humanize1024 $value }}B', '1.177MiB'],
  ['{{ 90061 | humanizeDuration }}', '1d 1h 1m 1s'],
  ['{{ printf "%.2f%%" $value }}', '1234567.50%'],
  ['{{ if gt $value 10.0 }}big{{ else }}small{{ end }}', 'big'],
  ['{{ .Labels.absent }}|{{ $labels.job | toUpper }}', '|NODE'],
  ['{{ with $labels.job }}{{ . }}{{ end }}', 'node'],
  ['{{ range query "up" }}{{ .Labels.instance }}={{ .Value }} {{ end }}{{ query "down" | len }}', 'a=1 b=0 0'],
  [
    '{{ query "broken" }}',
    '<error expanding template: error executing template __alert_Down: template: __alert_Down:1:115: executing "__alert_Down" at <query "broken">: error calling query: no such metric>',
  ],
  [
    '{{ .Bad }}',
    '<error expanding template: error executing template __alert_Down: template: __alert_Down:1:115: executing "__alert_Down" at <.Bad>: can\'t evaluate field Bad in type struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }>',
  ],
  [
    '{{ query "up" | value }}',
    '<error expanding template: error executing template __alert_Down: template: __alert_Down:1:128: executing "__alert_Down" at <value>: wrong type for value; expected *template.sample; got template.queryResult>',
  ],
  [
    '{{ first 1 }}',
    '<error expanding template: error executing template __alert_Down: template: __alert_Down:1:121: executing "__alert_Down" at <1>: can\'t handle 1 for arg of type template.queryResult>',
  ],
  ['{{ humanizeDuration 1e300 }}', '-106751991167300d -15h -30m -8s'],
  [
    '{{ nope }}',
    '<error expanding template: error parsing template __alert_Down: template: __alert_Down:1: function "nope" not defined>',
  ],
]
for (const [text, want] of templates) {
  test(`template ${text}`, async () => {
    const up: VectorSample[] = [
      { labels: labelsFrom({ instance: 'a' }), value: 1 },
      { labels: labelsFrom({ instance: 'b' }), value: 0 },
    ]
    const expandText = alertExpander(
      'Down',
      {
        labels: labelsFrom({ job: 'node' }),
        value: 1234567.5,
        externalLabels: labelsFrom({}),
        externalUrl: 'http://h/p',
      },
      {
        nowMs: 0,
        query: async (expr) =>
          expr === 'up' ? up : expr === 'down' ? [] : Promise.reject(new Error('no such metric')),
      },
    )
    assert.equal(await expandText(text), want)
  })
}

test('evaluation times are the same after a restart', () => {
  const first = nextSlot('f;g', 15_000, 1_000_000)
  assert.equal(nextSlot('f;g', 15_000, first) - first, 15_000)
  assert.equal(nextSlot('f;g', 15_000, first + 7000) - first, 15_000)
})

test('a label of an alert whose template gives nothing is on ALERTS as it is written', async () => {
  const rules = `groups: [{name: g, rules: [{alert: A, expr: x, labels: {gone: '{{ $labels.absent }}', sev: page}}]}]`
  const { env, written, sent } = world(new Map([['x', [{ labels: labelsFrom({ sev: 'none', job: 'j' }), value: 1 }]]]))
  await new Group(loadRuleFile(rules, 'f.yml')[0]!, { intervalMs: 60_000, queryOffsetMs: 0 }).evaluate(1000, env)
  assert.deepEqual(
    written.flatMap(({ samples }) => samples).map(({ labels }) => formatLabels(labels)),
    [
      '{__name__="ALERTS", alertname="A", alertstate="firing", gone="{{ $labels.absent }}", job="j", sev="page"}',
      '{__name__="ALERTS_FOR_STATE", alertname="A", gone="{{ $labels.absent }}", job="j", sev="page"}',
    ],
  )
  assert.equal(sent[0]!.labels, '{alertname="A", job="j", sev="page"}')
})

/** What becomes of alerts from evaluation to evaluation. Rows as of Prometheus rules/alerting_test.go (v3.14). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { AlertingRule, type RuleSample, type VectorSample } from './alerting.ts'
import type { Rule } from './rule-file.ts'

const MINUTE = 60_000
const RULE: Rule = {
  kind: 'alert',
  name: 'A',
  expr: 'm > 0',
  forMs: MINUTE,
  keepFiringForMs: 0,
  labels: {},
  annotations: {},
}
const ENV = { context: { externalLabels: labelsFrom({}), externalUrl: '' }, query: async () => [] }
const sample = (labels: Record<string, string>, value = 1): VectorSample => ({
  labels: labelsFrom({ __name__: 'm', ...labels }),
  value,
})

const told = (samples: readonly RuleSample[]): string =>
  samples
    .filter(({ labels }) => labelValue(labels, '__name__') === 'ALERTS')
    .map(({ labels }) => labelValue(labels, 'alertstate'))
    .join(' ')

const lives: readonly [name: string, rule: Partial<Rule>, present: string, states: readonly string[]][] = [
  ['without for', { forMs: 0 }, 'x-', ['firing', '']],
  ['with for', {}, 'xxx-', ['pending', 'firing', 'firing', '']],
  ['that is gone before it fires', { keepFiringForMs: MINUTE }, 'x-', ['pending', '']],
  ['kept firing', { keepFiringForMs: MINUTE }, 'xxxx--', ['pending', 'firing', 'firing', 'firing', 'firing', '']],
  [
    'back while kept firing',
    { keepFiringForMs: MINUTE },
    'xx-x--',
    ['pending', 'firing', 'firing', 'firing', 'firing', ''],
  ],
  ['back after it was resolved', {}, 'xx-xx', ['pending', 'firing', '', 'pending', 'firing']],
]
for (const [name, fields, present, states] of lives)
  test(`an alert ${name}: ${present}`, async () => {
    const rule = new AlertingRule({ ...RULE, ...fields })
    const seen: string[] = []
    for (const [i, mark] of [...present].entries())
      seen.push(told(await rule.evaluate(mark === 'x' ? [sample({})] : [], i * MINUTE, ENV, 0)))
    assert.deepEqual(seen, states)
  })

const reloads: readonly [name: string, after: Partial<Rule>, present: boolean, state: string][] = [
  ['for is longer than it has lasted', { forMs: 10 * MINUTE }, true, 'pending'],
  ['for is as long as it has lasted', { forMs: 3 * MINUTE }, true, 'firing'],
  ['for is shorter', { forMs: 0 }, true, 'firing'],
  ['for is longer, and it is kept firing', { forMs: 10 * MINUTE, keepFiringForMs: MINUTE }, false, 'pending'],
  ['for is longer, and it is over', { forMs: 10 * MINUTE }, false, ''],
]
for (const [name, after, present, state] of reloads)
  test(`an alert that fires, after a reload: ${name}`, async () => {
    const before = new AlertingRule(RULE)
    for (let i = 0; i < 3; i++) await before.evaluate([sample({})], i * MINUTE, ENV, 0)
    assert.equal(before.toSend(2 * MINUTE, MINUTE, MINUTE).length, 1)
    const rule = new AlertingRule({ ...RULE, ...after })
    for (const [key, alert] of before.active) rule.active.set(key, alert)
    assert.equal(told(await rule.evaluate(present ? [sample({})] : [], 3 * MINUTE, ENV, 0)), state)
    if (state !== 'pending') return
    assert.deepEqual(rule.toSend(3 * MINUTE, 0, MINUTE), [], 'nobody is told of it until it fires again')
    const [alert] = rule.active.values()
    assert.equal(alert!.activeAtMs, 0, 'the time that it has waited counts')
    if (!present) return
    assert.equal(told(await rule.evaluate([sample({})], 10 * MINUTE, ENV, 0)), 'firing')
    assert.equal(rule.toSend(10 * MINUTE, 60 * MINUTE, MINUTE).length, 1, 'told again, however long ago it was before')
  })

const labelled: readonly [name: string, labels: Record<string, string>, expected: Record<string, string>][] = [
  ['of a value', { severity: '{{ if lt $value 80.0 }}critical{{ else }}warning{{ end }}' }, { severity: 'critical' }],
  [
    'of external labels',
    { l: 'There are {{ len $externalLabels }} external Labels, of which foo is {{ $externalLabels.foo }}.' },
    { l: 'There are 2 external Labels, of which foo is bar.' },
  ],
  ['of the URL', { l: 'The external URL is {{ $externalURL }}.' }, { l: 'The external URL is http://localhost:1234.' }],
  ['that is empty', { l: '' }, {}],
  ['that the series has as well', { instance: 'rule' }, { instance: 'rule' }],
  ['named as the alert is', { alertname: 'other' }, {}],
]
for (const [name, labels, expected] of labelled)
  test(`a label ${name}`, async () => {
    const rule = new AlertingRule({ ...RULE, labels })
    const externalLabels = labelsFrom({ foo: 'bar', dings: 'bums' })
    const env = { ...ENV, context: { externalLabels, externalUrl: 'http://localhost:1234' } }
    const [alert] = await rule.evaluate([sample({ instance: '0' }, 75)], 0, env, 0)
    const { __name__, alertstate, ...own } = labelsToObject(alert!.labels)
    assert.deepEqual([__name__, alertstate], ['ALERTS', 'pending'])
    assert.deepEqual(own, { alertname: 'A', instance: '0', ...expected })
  })

const limits: readonly [limit: number, error: string | null][] = [
  [0, null],
  [-1, null],
  [2, null],
  [1, 'exceeded limit of 1 with 2 alerts'],
]
for (const [limit, message] of limits)
  test(`two alerts with a limit of ${limit}`, async () => {
    const evaluated = new AlertingRule(RULE).evaluate([sample({ l: '1' }), sample({ l: '2' })], 0, ENV, limit)
    if (message === null) assert.equal((await evaluated).length, 4)
    else await assert.rejects(evaluated, { message })
  })

test('two results that differ in what the labels of the rule replace are an error', () =>
  assert.rejects(
    new AlertingRule({ ...RULE, labels: { test: 'test' } }).evaluate([sample({}), sample({ test: 'x' })], 0, ENV, 0),
    { message: 'vector contains metrics with the same labelset after applying alert labels' },
  ))

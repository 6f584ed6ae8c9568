import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMPTY_LABELS, labelsFrom } from '../../protocol/labels/mod.ts'
import { type ActiveAlert, loadRuleFile } from '../rules/mod.ts'
import { outgoing } from './notify.ts'

const ALERT: ActiveAlert = {
  labels: labelsFrom({ l1: 'v1' }),
  annotations: { a2: 'v2' },
  state: 'firing',
  value: 1,
  activeAtMs: 1000,
  firedAtMs: 2000,
  resolvedAtMs: 0,
  keepFiringSinceMs: 0,
  lastSentAtMs: 0,
  validUntilMs: 3000,
}
const MAPPING = { externalLabels: EMPTY_LABELS, rules: [], externalUrl: 'http://localhost:9090' }

// Prometheus rules/manager_test.go, TestSendAlerts.
test('an alert that goes out is valid until it is told of again, or was over when it was resolved', () => {
  const [[sent], [resolved]] = [ALERT, { ...ALERT, resolvedAtMs: 4000 }].map((each) =>
    outgoing([each], 'up', MAPPING),
  ) as [ReturnType<typeof outgoing>, ReturnType<typeof outgoing>]
  assert.deepEqual(sent, {
    labels: ALERT.labels,
    annotations: ALERT.annotations,
    startsAtMs: 2000,
    endsAtMs: 3000,
    generatorUrl: 'http://localhost:9090/graph?g0.expr=up&g0.tab=1',
  })
  assert.deepEqual(resolved, { ...sent!, endsAtMs: 4000 })
})

test('it links to the expression as upstream prints and escapes it', () => {
  const rules = `groups: [{name: g, rules: [{alert: A, expr: "sum( up{a='*'} )by(job)>1 # few"}]}]`
  const { expr } = loadRuleFile(rules, 'r.yml')[0]!.rules[0]!
  assert.equal(expr, 'sum by (job) (up{a="*"}) > 1')
  const { generatorUrl } = outgoing([ALERT], expr, MAPPING)[0]!
  assert.equal(
    generatorUrl,
    'http://localhost:9090/graph?g0.expr=sum+by+%28job%29+%28up%7Ba%3D%22%2A%22%7D%29+%3E+1&g0.tab=1',
  )
})

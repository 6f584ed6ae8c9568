import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadRuleFile } from '../rules/mod.ts'
import { loadUnitTests } from './file.ts'
import { runUnitTests } from './run.ts'

const RULES = `
groups:
  - name: g
    rules:
      - {record: named, expr: 'label_replace(rate(a_total[2m]), "y", "$1", "__name__", "(.+)")'}
      - {record: 'copy', expr: h}
      - {alert: Wide, expr: h, labels: {shape: '{{ $value }}'}, annotations: {a: '{{ printf "at %v" $value }}', b: '{{ humanize $value }}'}}
`
const TESTS = `
tests:
  - interval: 1m
    input_series:
      - {series: 'a_total{x="1"}', values: '0+60x10'}
      - {series: 'h{x="1"}', values: '{{schema:0 sum:4 count:3 buckets:[1 2]}}x10'}
    promql_expr_test:
      # Names go at once: the feature that keeps them to the end is off by default.
      - {expr: named, eval_time: 5m, exp_samples: [{labels: 'named{x="1"}', value: 1}]}
      - eval_time: 5m
        expr: copy
        exp_samples:
          - {labels: 'copy{x="1"}', histogram: '{{sum:4 count:3 counter_reset_hint:not_reset buckets:[1 2]}}'}
    alert_rule_test:
      - eval_time: 5m
        alertname: Wide
        exp_alerts:
          - exp_labels: {x: '1', shape: '{count:3, sum:4, (0.5,1]:1, (1,2]:2}'}
            exp_annotations:
              a: 'at {count:3, sum:4, (0.5,1]:1, (1,2]:2}'
              b: >-
                <error expanding template: error executing template __alert_Wide: template: __alert_Wide:1:115: executing
                "__alert_Wide" at <humanize $value>: error calling humanize: can't convert *histogram.FloatHistogram to float>
`

test('names are dropped at once, and native histograms are recorded and shown', async () => {
  const failures = await runUnitTests({
    file: loadUnitTests(TESTS, 'tests.yml'),
    groups: loadRuleFile(RULES, 'r.yml'),
    run: [],
  })
  assert.deepEqual(failures, [])
})

const BETWEEN = `
evaluation_interval: 1m
tests:
  - interval: 30s
    input_series: [{series: a, values: 0+1x10}]
    promql_expr_test:
      - {expr: a, eval_time: 30s, exp_samples: [{labels: a, value: 1}]}
      - {expr: a, eval_time: 90s, exp_samples: [{labels: a, value: 2}]}
      - {expr: a offset -1m, eval_time: 90s, exp_samples: [{labels: a, value: 2}]}
`

test('samples of after the last evaluation are not there', async () => {
  const failures = await runUnitTests({ file: loadUnitTests(BETWEEN, 'tests.yml'), groups: [], run: [] })
  assert.deepEqual(failures, [])
})

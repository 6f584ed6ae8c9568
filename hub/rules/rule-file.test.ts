import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../protocol/config/mod.ts'
import { ALL_FEATURES } from '../promql/parser/mod.ts'
import { loadRuleFile } from './mod.ts'

function outcome(text: string, nameValidation: 'utf8' | 'legacy' = 'utf8'): string {
  try {
    return loadRuleFile(text, 'r.yml', { nameValidation })
      .map(({ name, rules }) => `${name}:${rules.length}`)
      .join(' ')
  } catch (error) {
    if (error instanceof ConfigError) return error.problem
    throw error
  }
}
const withRule = (rule: string): string => `groups: [{name: g, rules: [{${rule}}]}]`

const rows: readonly (readonly [what: string, text: string, wanted: string])[] = [
  ['an empty file', '', ''],
  ['a second document, which nobody reads', 'groups: [{name: a}]\n---\nfoo: {\n', 'a:0'],
  ['empty items', 'groups: [null, {name: a, rules: [null]}]', 'a:0'],
  ['a limit below nothing', 'groups: [{name: a, limit: -1}]', 'a:0'],
  [
    'keys of other programs',
    'groups: [{name: a, partial_response_strategy: warn}]',
    'yaml: unmarshal errors: line 1: field partial_response_strategy not found in type rulefmt.RuleGroup',
  ],
  [
    'one label twice',
    withRule('alert: a, expr: b, labels: {x: 1, x: 2}'),
    'yaml: unmarshal errors: line 1: key "x" already set in map',
  ],
  [
    'a number that is too large',
    withRule('alert: a, expr: b, labels: {x: "{{ 100000000000000000000 }}"}'),
    'group "g", rule 1, "a": label "x": template: __alert_a:1: integer overflow: "100000000000000000000"',
  ],
  [
    'a label that is a name',
    withRule('record: a, expr: b, labels: {__name__: x}'),
    'group "g", rule 1, "a": invalid label name: __name__',
  ],
]
for (const [what, text, wanted] of rows)
  test(`a rule file with ${what}: ${wanted}`, () => assert.equal(outcome(text), wanted))

test('names of old: what is no name at all is told of before its braces', () =>
  assert.match(outcome(withRule('record: "a{b}", expr: b'), 'legacy'), /invalid recording rule name: a\{b\}$/))

const EXPERIMENTS: readonly (readonly [expr: string, problem: RegExp])[] = [
  [
    "sort_by_label(up, 'job')",
    /could not parse expression: 1:1: parse error: function "sort_by_label" is not enabled$/,
  ],
  [
    'limitk(2, up)',
    /could not parse expression: 1:1: parse error: limitk\(\) is experimental and must be enabled with/,
  ],
  ['rate(up[5m] anchored)', /could not parse expression: 1:6: parse error: anchored modifier is experimental/],
]
for (const [expr, problem] of EXPERIMENTS)
  test(`a rule may say ${expr} only where the feature is on`, () => {
    const text = withRule(`record: a, expr: "${expr}"`)
    assert.match(outcome(text), problem)
    assert.equal(loadRuleFile(text, 'r.yml', { features: ALL_FEATURES }).length, 1)
  })

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { propagateMatchers } from './propagate.ts'

/** [as written, as run]; null where nothing may change. */
const rows: readonly (readonly [text: string, narrowed: string | null])[] = [
  // Either way, as every label is matched on.
  ['a{x="1"} * b', 'a{x="1"} * b{x="1"}'],
  ['a / b{x="1",y!="2"}', 'a{x="1",y!="2"} / b{x="1",y!="2"}'],
  ['a{x="1"} > b{y="2"}', 'a{x="1",y="2"} > b{x="1",y="2"}'],
  ['a{x="1"} > b{x="1"}', null],
  ['a{x=~"1|2"} == b{x!~"3"}', 'a{x!~"3",x=~"1|2"} == b{x!~"3",x=~"1|2"}'],
  ['a{x=""} * b', 'a{x=""} * b{x=""}'],
  ['a{x="1"} * b * c', 'a{x="1"} * b{x="1"} * c{x="1"}'],
  // Where b may have two series for a match, that is an error even if no series of a matches them.
  ['a{x="1"} * on (x) b', null],
  ['a{x="1"} * on (x) group_left (v) b', null],
  ['a{x="1"} * ignoring (y) b', null],
  ['{__name__=~"a|b",x="1"} * {__name__=~"c|d"}', null],
  ['a{x="1"} * on (x) sum by (x) (b)', 'a{x="1"} * on (x) sum by (x) (b{x="1"})'],
  ['a{x="1"} * on (x) sum by (x, y) (b)', null],
  ['a{x="1",y="2"} * on (x) sum by (x) (b)', 'a{x="1",y="2"} * on (x) sum by (x) (b{x="1"})'],
  ['a{x="1",y="2"} * on (x, y) sum by (x) (b)', 'a{x="1",y="2"} * on (x, y) sum by (x) (b{x="1"})'],
  ['a{x="1"} * ignoring (y) sum without (y) (b)', 'a{x="1"} * ignoring (y) sum without (y) (b{x="1"})'],
  ['a{x="1"} * ignoring (y) sum without (z) (b)', null],
  ['a{y="1"} * ignoring (y) sum without (y) (b)', null],
  ['a{x="1"} * sum without (x) (b)', null],
  ['a{x="1"} * on (x) group_left () sum by (x) (b)', 'a{x="1"} * on (x) group_left () sum by (x) (b{x="1"})'],
  ['sum by (x) (b{x="1"}) * on (x) group_right () a', 'sum by (x) (b{x="1"}) * on (x) group_right () a{x="1"}'],
  ['a * on (x) group_left () topk by (x) (1, b{x="1"})', null],
  // Through what keeps labels, and no further.
  ['rate(a_total{x="1"}[5m]) / rate(b_total[5m])', 'rate(a_total{x="1"}[5m]) / rate(b_total{x="1"}[5m])'],
  ['rate(a_total{x="1"}[5m]) / rate(b[5m])', null],
  ['a{x="1"} - max_over_time(b[5m] offset 1h)', 'a{x="1"} - max_over_time(b{x="1"}[5m] offset 1h)'],
  ['a{x="1"} - max_over_time((2 * b)[5m:1m])', 'a{x="1"} - max_over_time((2 * b{x="1"})[5m:1m])'],
  ['a{x="1"} - -abs(b + 1)', 'a{x="1"} - -abs(b{x="1"} + 1)'],
  ['a{x="1"} - round(clamp_max(b, scalar(c)), 2)', 'a{x="1"} - round(clamp_max(b{x="1"}, scalar(c)), 2)'],
  ['a{x="1"} - quantile_over_time(0.5, b[5m])', 'a{x="1"} - quantile_over_time(0.5, b{x="1"}[5m])'],
  ['a{x="1"} - quantile_over_time(1.5, b[5m])', null],
  ['a{x="1"} - quantile_over_time(scalar(c), b[5m])', null],
  ['a{x="1"} - label_replace(b, "x", "2", "", "")', null],
  ['a{x="1"} * on (x) max by (x) (label_replace(b, "x", "1", "", ""))', null],
  ['a{x="1"} - absent(b)', null],
  [
    'sum by (x) (rate(a_total{x="1"}[5m])) / sum by (x) (rate(b_total[5m]))',
    'sum by (x) (rate(a_total{x="1"}[5m])) / sum by (x) (rate(b_total{x="1"}[5m]))',
  ],
  ['sum by (x) (a{x="1",y="2"}) / sum by (x) (b)', 'sum by (x) (a{x="1",y="2"}) / sum by (x) (b{x="1"})'],
  ['sum(a{x="1"}) / sum(b)', null],
  ['a{x="1"} * on (x) quantile by (x) (0.9, b)', 'a{x="1"} * on (x) quantile by (x) (0.9, b{x="1"})'],
  ['a{x="1"} * on (x) count_values by (x) ("v", b)', null],
  ['histogram_quantile(0.9, a_bucket{x="1"}) / b', null],
  // Sets: no error can hide there.
  ['a{x="1"} and on (x) b', 'a{x="1"} and on (x) b{x="1"}'],
  ['a and on (x) b{x="1"}', 'a{x="1"} and on (x) b{x="1"}'],
  ['a and on (y) b{x="1"}', null],
  ['a{x="1"} unless on (x) b', 'a{x="1"} unless on (x) b{x="1"}'],
  ['a unless on (x) b{x="1"}', null],
  ['a{x="1"} or b', null],
  ['a{x="1"} and (b or c)', null],
  ['a{x="1"} and on (x) topk(1, b)', null],
  ['a{x="1"} and on (x) topk by (x) (1, b)', 'a{x="1"} and on (x) topk by (x) (1, b{x="1"})'],
  ['a{x="1"} and on (x) limit_ratio(0.5, b)', 'a{x="1"} and on (x) limit_ratio(0.5, b{x="1"})'],
  ['a{x="1"} and (b and on (y) c{y="2"})', 'a{x="1",y="2"} and (b{y="2",x="1"} and on (y) c{y="2"})'],
  // Names, types and units are no labels to match on.
  ['a and on (__name__) {x="1",__name__=~"a.*"}', null],
  ['a{__type__="gauge"} * b', null],
  // What a fill stands in for is there because nothing matches it.
  ['a{x="1"} + fill_right (0) b', 'a{x="1"} + fill_right (0) b{x="1"}'],
  ['a{x="1"} + fill_left (0) b', null],
  ['a + fill_left (0) b{x="1"}', 'a{x="1"} + fill_left (0) b{x="1"}'],
  ['a{x="1"} + fill (0) b', null],
  ['(a{x="1"} + fill (0) b{x="1"}) * c', null],
  // A scalar is no side.
  ['scalar(a{x="1"}) * b', null],
]
for (const [text, narrowed] of rows)
  test(narrowed === null ? `${text} is run as it is written` : `${text} is run as ${narrowed}`, () => {
    const [printed, wanted] = [
      propagateMatchers(parseExpr(text, ALL_FEATURES)),
      parseExpr(narrowed ?? text, ALL_FEATURES),
    ].map(printExpr)
    assert.equal(printed, wanted)
  })

test('long chains of joins are rewritten in no time, or not at all', () => {
  for (const op of ['and', '+', 'or', 'unless'])
    for (const terms of [40, 70, 1000]) {
      const text = Array.from({ length: terms }, (_, i) => `m${i}{l${i}="1"}`).join(` ${op} `)
      const expr = parseExpr(text, ALL_FEATURES)
      const started = process.cpuUsage()
      const rewritten = propagateMatchers(expr)
      const { user } = process.cpuUsage(started)
      assert.ok(user < 2e6, `${op} ${terms}: ${user / 1000} ms`)
      assert.equal(rewritten === expr, terms === 1000)
    }
})

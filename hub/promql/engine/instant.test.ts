/** Results of instant queries are those that a range query has at a step of its own, errors included. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareLabels, labelsFrom } from '../../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../../protocol/samples/mod.ts'
import { createHead, openReader } from '../../tsdb/mod.ts'
import type { ResultSeries } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { evaluate } from './mod.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'

const AT = 600_000
const head = createHead({ maxBytes: 2 ** 26 })
for (const [name, labels] of [
  ['x', { i: '1', __type__: 'gauge' }],
  ['x', { i: '1', __type__: 'counter' }],
  ['x', { i: '2', __type__: 'counter' }],
  ['y', { i: '1' }],
  ['y', { i: '2' }],
  ['z', { i: '1' }],
  ['z', { i: '3' }],
] as const) {
  const ref = head.series(labelsFrom({ __name__: name, ...labels }))
  for (let time = 60_000; time <= AT; time += 60_000)
    head.appendFloat(ref, time, Float64Array.of(time / 1000 + Number(labels.i)), 0, 0)
}
head.appendHistogram(head.series(labelsFrom({ __name__: 'h' })), AT, { ...EMPTY_HISTOGRAM, count: 3, sum: 4 }, 0)
head.publish()

const text = ({ labels, values, present, histograms }: ResultSeries): string =>
  `${labels} ${present[0] === 2 ? JSON.stringify(histograms![0]) : present[0] === 1 ? values[0] : ''}`

function answer(query: string, instant: boolean, delayedNameRemoval: boolean): readonly string[] {
  const reader = openReader(head.share())
  try {
    const options = { ...ENGINE_OPTIONS, delayedNameRemoval }
    const range = { startMs: AT, endMs: AT, stepMs: 1000, instant }
    const result = evaluate({ expr: parseExpr(query, ALL_FEATURES), text: query, range, options, reader })
    assert.ok(result.type === 'vector' || result.type === 'matrix')
    return [...result.series].sort((a, b) => compareLabels(a.labels, b.labels)).map(text)
  } catch (error) {
    return [String(error)]
  } finally {
    reader.release()
  }
}

for (const query of [
  'y',
  'h',
  '{i="1"}',
  'rate(y[5m])',
  'rate(x[5m])',
  '-x',
  '-{i="1",__name__=~"y|z"}',
  'rate({__name__=~"y|z"}[5m])',
  'rate({__name__=~"y|z",i!="1"}[5m])',
  'sum by (i) (rate(x[5m])) > 0',
  'sum by (i, __type__) (rate(x[5m]))',
  'sum by (__type__) (-x)',
  'sum by (__name__) (rate({__name__=~"y|z"}[5m])) > 0',
  'sum by (__name__) ({__name__=~"y|z"}) * 2',
  'sum by (__name__) ({__name__=~"y|z"}) > 2',
  'sum without (i) (rate(x[5m])) > 0',
  'sum without () (-x) and y',
  '2 < sum by (i) (y)',
  'sum by (i) (y) > bool 2',
  'sum by (__name__) ({__name__=~"y|z"}) > bool 2',
  'sum by (i) (y) unless z',
  'count_values by (i) ("i", y)',
  'topk(1, rate(x[5m]))',
  'topk(5, rate(x[5m]))',
  'y or label_replace(z, "__name__", "y", "", "")',
  'label_replace(y, "i", "1", "", "")',
  'y > 1e9',
  'absent(nothing{i="1"})',
  'vector(1)',
  'sum(h)',
])
  for (const isDelayed of [false, true])
    test(`${query}, names ${isDelayed ? 'removed at the end' : 'removed at once'}`, () => {
      const wanted = answer(query, false, isDelayed).filter((line) => !line.endsWith(' '))
      assert.deepEqual(answer(query, true, isDelayed), wanted)
    })

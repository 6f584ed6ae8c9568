import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../../protocol/samples/mod.ts'
import { createHead, openReader } from '../../tsdb/mod.ts'
import type { QueryResult } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { isDistributive } from './aggregations/mod.ts'
import { fuseAggregations, stillShared } from './fuse.ts'
import { evaluate, evaluatePartial, mergePartials } from './mod.ts'
import { shareRepeated } from './share.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'
import { spiedReader } from './testing/spied-reader.ts'

const rows: readonly [text: string, fused: readonly (readonly string[])[], shared: readonly string[]][] = [
  ['sum(a) / sum(b)', [], []],
  ['sum(a) / count(a)', [['count(a)', 'sum(a)']], []],
  ['sum(a) / count((a))', [['count((a))', 'sum(a)']], []],
  ['sum(rate(a[5m])) / count(rate(a[5m]))', [['count(rate(a[5m]))', 'sum(rate(a[5m]))']], []],
  ['sum by (x) (a) / on (x) max by (x, y) (a)', [['max by (x, y) (a)', 'sum by (x) (a)']], []],
  ['(max(a) - min(a)) / max(a)', [['max(a)', 'min(a)']], ['max(a)']],
  // Somebody else wants the rates, too.
  [
    'rate(a[5m]) / on () group_left () (sum(rate(a[5m])) + count(rate(a[5m])))',
    [['count(rate(a[5m]))', 'sum(rate(a[5m]))']],
    ['rate(a[5m])'],
  ],
  ['sum(rate(a[5m])) / quantile(0.5, rate(a[5m]))', [], ['rate(a[5m])']],
  // One operator has it on both sides.
  [
    'sum by (x) (max by (x) (a) / count by (x) (a)) / sum by (x) (max by (x) (a) / count by (x) (a))',
    [['count by (x) (a)', 'max by (x) (a)']],
    ['sum by (x) (max by (x) (a) / count by (x) (a))'],
  ],
  [
    'max_over_time(a[5m]) - max_over_time(a[5m]) + (sum(b) / count(b))',
    [['count(b)', 'sum(b)']],
    ['max_over_time(a[5m])'],
  ],
  // Other steps, other times.
  ['sum(a) / max_over_time(count(a)[5m:])', [], []],
  ['sum(a) / count(a offset 5m)', [], []],
  ['max_over_time((sum(a) / count(a))[5m:])', [['count(a)', 'sum(a)']], []],
]
for (const [text, wanted, wantedShared] of rows)
  test(`${text}: ${wanted.length === 0 ? 'nothing is fused' : `fused: ${wanted.join(' | ')}`}`, () => {
    const { expr, shared } = shareRepeated(parseExpr(text, ALL_FEATURES))
    const fused = fuseAggregations(expr, isDistributive)
    const groups = [...new Set(fused.values())].map((group) => group.map(printExpr).sort())
    assert.deepEqual(groups, wanted)
    assert.deepEqual([...stillShared(expr, shared, fused)].map(printExpr), wantedShared)
  })

const MINUTE_MS = 60_000
const RANGE = { startMs: 10 * MINUTE_MS, endMs: 40 * MINUTE_MS, stepMs: MINUTE_MS, instant: false }
const SERIES = 12

const head = createHead({ maxBytes: 2 ** 26 })
for (let i = 0; i < SERIES; i++) {
  const ref = head.series(labelsFrom({ __name__: 'x_total', i: String(i), g: String(i % 3) }))
  const mixed = head.series(labelsFrom({ __name__: 'mixed', i: String(i), g: String(i % 3) }))
  for (let minute = 0; minute < 40; minute++) {
    head.appendFloat(ref, minute * MINUTE_MS, Float64Array.of(Math.sin(i) * minute ** 2), 0, 0)
    if (i % 3 === 0) head.appendFloat(mixed, minute * MINUTE_MS, Float64Array.of(minute), 0, 0)
    else head.appendHistogram(mixed, minute * MINUTE_MS, { ...EMPTY_HISTOGRAM, count: minute, sum: i }, 0)
  }
}
head.publish()

function ask(text: string): { result: QueryResult; reads: number; merged: QueryResult | null } {
  const { reader, reads } = spiedReader(openReader(head.share()))
  const query = { expr: parseExpr(text, ALL_FEATURES), text, range: RANGE, options: ENGINE_OPTIONS, reader }
  const result = evaluate(query)
  const { length } = reads
  const partials = [0, 1, 2].map((index) => evaluatePartial({ ...query, shard: { index, count: 3 } }))
  return { result, reads: length, merged: mergePartials(query, partials) }
}

test('fused aggregations are what they are alone, also in shards, and read each series once', () => {
  const operators = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar']
  const named = (text: string): string => `label_replace(${text}, "of", "${text.slice(0, 3)}", "", "")`
  for (const inner of ['x_total', 'rate(x_total[5m])', 'mixed', 'max_over_time(x_total[7m:2m])'])
    for (const one of operators)
      for (const other of ['sum', 'avg', 'count']) {
        if (one === other) continue
        const parts = [`${one} by (g) (${inner})`, `${other} (${inner})`]
        const both = ask(parts.map(named).join(' or '))
        const alone = parts.map((part) => ask(named(part)))
        assert.equal(both.reads, SERIES, `${one} ${other} ${inner}`)
        assert.ok(both.result.type === 'matrix')
        const wanted = alone.flatMap(({ result }) => (result.type === 'matrix' ? result.series : []))
        assert.deepEqual(new Set(both.result.series), new Set(wanted), `${one} ${other} ${inner}`)
        const messages = ({ annotations }: QueryResult): string[] => annotations.map(({ message }) => message)
        assert.deepEqual(
          messages(both.result).sort(),
          [...new Set(alone.flatMap(({ result }) => messages(result)))].sort(),
        )
        if (inner === 'mixed' || both.merged === null) continue
        assert.ok(both.merged.type === 'matrix')
        assert.deepEqual(
          both.merged.series.map(({ labels, present }) => [labels, present]),
          both.result.series.map(({ labels, present }) => [labels, present]),
        )
      }
})

test('columns that shards gave are whole for whoever evaluates what they stand in again', () => {
  for (const ratio of [
    'max by (g) (x_total) / count by (g) (x_total)',
    'max by (g) (rate(x_total[5m])) / sum by (g) (x_total)',
  ]) {
    const part = `sum by (g) (${ratio})`
    const { result, merged } = ask(`${part} / ${part}`)
    assert.ok(result.type === 'matrix' && merged?.type === 'matrix')
    assert.deepEqual(
      merged.series.map(({ values }) => [...values].map((value) => value.toFixed(9))),
      result.series.map(({ values }) => [...values].map((value) => value.toFixed(9))),
    )
  }
})

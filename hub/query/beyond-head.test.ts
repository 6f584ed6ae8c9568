/**
 * Plans over head and blocks together: series that only blocks have cross threads by their labels, as each thread's reader
 * has refs of its own for them; and selectors that share reads see the blocks that any of them reaches.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { mergeReaders } from '../block/mod.ts'
import type { QueryRange, QueryResult } from '../promql/contract.ts'
import { evaluate, evaluatePartial, mergePartials } from '../promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr } from '../promql/parser/mod.ts'
import { createHead, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { DelegatingReader } from './delegating-reader.ts'

const MINUTE_MS = 60_000

function headOf(minutes: readonly [from: number, to: number], ids: readonly number[]): ReturnType<typeof createHead> {
  const head = createHead({ maxBytes: 2 ** 26 })
  for (const i of ids) {
    const ref = head.series(labelsFrom({ __name__: 'x_total', i: String(i) }))
    for (let minute = minutes[0]; minute < minutes[1]; minute++)
      head.appendFloat(ref, minute * MINUTE_MS, Float64Array.of(minute * (i + 1)), 0, 0)
  }
  head.publish()
  return head
}

const older = headOf([0, 60], [0, 1, 2, 3, 4, 5, 6, 7])
const head = headOf([60, 120], [6, 7, 8])

/** As a thread opens it for a part of a query. */
const opened = (): SeriesReader =>
  new DelegatingReader(mergeReaders([openReader(head.share()), openReader(older.share())]))

const RANGE: QueryRange = { startMs: 30 * MINUTE_MS, endMs: 100 * MINUTE_MS, stepMs: 10 * MINUTE_MS, instant: false }
const AT: QueryRange = { startMs: 50 * MINUTE_MS, endMs: 50 * MINUTE_MS, stepMs: 1, instant: true }

const rowsOf = (result: QueryResult | null): string[] => {
  assert.ok(result?.type === 'matrix' || result?.type === 'vector')
  // Where nothing is present the value says nothing either.
  return result.series.map(
    ({ labels, values, present }) =>
      `${labels.join()} ${values.map((value, i) => (present[i] === 0 ? 0 : value)).join()} ${present.join()}`,
  )
}
const sorted = (result: QueryResult | null): readonly string[] => rowsOf(result).sort()

for (const text of [
  'rate(x_total[5m])',
  'topk(3, rate(x_total[5m]))',
  'quantile by (i) (0.5, rate(x_total[5m]))',
  'last_over_time(x_total[5m])',
  'sum by (i) (rate(x_total[5m]))',
  'sum by (i) (rate(x_total{i!="2"}[5m]))',
  // The thread that merges selects the same series, and others, itself.
  'rate(x_total[5m]) * on (i) group_left () (x_total{i!="0"} or x_total)',
  'x_total{i=~"[3-8]"} and on (i) topk(5, rate(x_total[5m]))',
  'sum by (i) (rate(x_total[5m])) / on (i) rate(x_total[5m])',
])
  for (const range of [RANGE, AT])
    test(`${text} ${range.instant ? 'at a time' : 'over a range'}: in shards as on one thread`, () => {
      const query = () => ({
        expr: parseExpr(text, ALL_FEATURES),
        text,
        range,
        options: ENGINE_OPTIONS,
        reader: opened(),
      })
      const partials = [0, 1, 2].map((index) => evaluatePartial({ ...query(), shard: { index, count: 3 } }))
      assert.deepEqual(rowsOf(mergePartials(query(), structuredClone(partials))), rowsOf(evaluate(query())))
    })

test('a reader that has no refs of its own leaves such parts to be computed anew', () => {
  const text = 'rate(x_total[5m])'
  const query = { expr: parseExpr(text, ALL_FEATURES), text, range: RANGE, options: ENGINE_OPTIONS }
  const partial = evaluatePartial({ ...query, reader: opened(), shard: { index: 0, count: 1 } })
  assert.equal(mergePartials({ ...query, reader: new DelegatingReader(openReader(head.share())) }, [partial]), null)
})

for (const [one, other] of [
  ['rate(x_total{MORE}[3m])', 'rate(x_total{MORE}[90m])'],
  ['count_over_time(x_total{MORE}[3m])', 'count_over_time(x_total{MORE}[7m] offset 2m)'],
  ['last_over_time(x_total{MORE}[1m])', 'sum by (i) (max_over_time(x_total{MORE}[50m]))'],
] as const)
  test(`${one} beside ${other}, which alone reaches the block`, () => {
    const at = { startMs: 64 * MINUTE_MS, endMs: 64 * MINUTE_MS, stepMs: 1, instant: true }
    const ask = (text: string) =>
      sorted(
        evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range: at, options: ENGINE_OPTIONS, reader: opened() }),
      )
    const both = (...more: readonly string[]): string =>
      [one, other].map((part, i) => part.replace('MORE', more[i]!)).join(' + on (i) ')
    const shared = ask(both('', ''))
    assert.equal(shared.length, 3)
    assert.deepEqual(shared, ask(both('', 'i=~".*"')))
  })

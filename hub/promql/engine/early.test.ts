import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { createHead, openReader } from '../../tsdb/mod.ts'
import type { QueryResult } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { evaluate, splitPlan } from './mod.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'
import { spiedReader } from './testing/spied-reader.ts'

const MINUTE_MS = 60_000
const SERIES = 40

const head = createHead({ maxBytes: 2 ** 26 })
for (let i = 0; i < SERIES; i++) {
  const name = i % 2 === 0 ? 'even_total' : 'odd'
  const ref = head.series(labelsFrom({ __name__: name, i: String(i), g: String(i % 4) }))
  // Every fifth ends early, so that others take its place.
  for (let minute = 0; minute < (i % 5 === 0 ? 30 : 60); minute++)
    head.appendFloat(ref, minute * MINUTE_MS, Float64Array.of(minute * i), 0, 0)
}
head.publish()

const RANGE = { startMs: 20 * MINUTE_MS, endMs: 59 * MINUTE_MS, stepMs: MINUTE_MS, instant: false }
const INSTANT = { startMs: 25 * MINUTE_MS, endMs: 25 * MINUTE_MS, stepMs: 1, instant: true }

function run(text: string, range = RANGE): { result: QueryResult; reads: number } {
  const { reader, reads } = spiedReader(openReader(head.share()))
  const result = evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader })
  return { result, reads: reads.length }
}

const rows: readonly [text: string, range: typeof RANGE, reads: number][] = [
  ['limitk(3, even_total)', INSTANT, 3],
  ['limitk by (g) (3, even_total)', INSTANT, 6],
  ['limitk by (__name__) (1, rate(even_total[5m]))', INSTANT, 1],
  ['limitk(0, even_total)', INSTANT, 0],
  // Two of the first three end early.
  ['limitk(3, even_total)', RANGE, 4],
  ['limitk(2, abs(-rate(even_total[5m])))', RANGE, 3],
  ['limitk(100, even_total)', RANGE, 20],
  // It is to be said of it that it is no counter, and of names that they may clash.
  ['limitk(1, rate(odd[5m]))', INSTANT, 20],
  ['limitk(1, {g="1"})', INSTANT, 10],
  // Others look at all of them.
  ['limitk(1, sum by (i) (even_total))', INSTANT, 20],
  ['sum(rate(even_total[5m])) - sum(limitk(1, rate(even_total[5m])))', RANGE, 20],
  ['limit_ratio(0, even_total)', INSTANT, 0],
  ['limit_ratio(1, even_total)', INSTANT, 20],
]
for (const [text, range, wanted] of rows)
  test(`${text}${range.instant ? '' : ' over a range'} reads ${wanted} series`, () => {
    assert.equal(run(text, range).reads, wanted)
  })

test('limit_ratio() reads what it gives, and its complement the rest', () => {
  for (const range of [RANGE, INSTANT])
    for (const inner of ['even_total', 'rate(even_total[5m])']) {
      const [some, others] = [run(`limit_ratio(0.3, ${inner})`, range), run(`limit_ratio(-0.7, ${inner})`, range)]
      assert.ok('series' in some.result && 'series' in others.result)
      assert.deepEqual([some.reads, others.reads], [some.result.series.length, others.result.series.length])
      assert.equal(some.reads + others.reads, 20)
      assert.ok(some.reads > 0 && others.reads > 0)
    }
})

test('what is left unread is what would have been left out', () => {
  for (const range of [RANGE, INSTANT])
    for (const inner of ['even_total', 'rate(even_total[5m])', 'deriv(odd[3m])'])
      for (const op of [
        'limitk(2',
        'limitk by (g) (3',
        'limitk without (i) (1',
        'limit_ratio(0.4',
        'limit_ratio(-0.4',
      ]) {
        const early = run(`${op}, ${inner})`, range).result
        // An `or` has its series from two places.
        const late = run(`${op}, ${inner} or ${inner})`, range).result
        assert.deepEqual(early, late, `${op}, ${inner})`)
      }
})

test('splitPlan() does not share out what reads few series', () => {
  const cuts = (text: string): number | undefined => splitPlan(parseExpr(text, ALL_FEATURES), RANGE)?.cuts
  assert.equal(cuts('limitk(5, rate(even_total[5m]))'), undefined)
  assert.equal(cuts('limit_ratio(0.1, rate(even_total[5m]))'), undefined)
  assert.equal(cuts('limitk(5000, rate(even_total[5m]))'), 1)
  assert.equal(cuts('limit_ratio(0.9, rate(even_total[5m]))'), 1)
  assert.equal(cuts('limitk(5, rate(odd[5m]))'), 1)
})

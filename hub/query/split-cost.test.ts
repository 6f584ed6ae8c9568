import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExpr } from '../promql/parser/mod.ts'
import { createHead, openReader, type TimeRange } from '../tsdb/mod.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { LimitedReader } from './limited-reader.ts'
import { paysToSplit } from './split-cost.ts'

const HOUR_MS = 3_600_000
const END_MS = 100 * HOUR_MS
const FEATURES = {
  experimentalFunctions: false,
  durationExpressions: false,
  extendedRangeSelectors: false,
  binopFillModifiers: false,
}

class Spy extends DelegatingReader {
  readonly ranges: TimeRange[] = []
  storedRange: TimeRange | null | undefined

  override select(...[matchers, range, shard]: Parameters<DelegatingReader['select']>): Uint32Array {
    this.ranges.push(range)
    return this.reader.select(matchers, range, shard)
  }

  override timeRange(): TimeRange | null {
    return this.storedRange === undefined ? this.reader.timeRange() : this.storedRange
  }
}

/** Series with a sample at the end of the range, and some that ended a day before. */
function spy(): Spy {
  const head = createHead({ maxBytes: 2 ** 26 })
  for (const [name, series, time] of [
    ['now_total', 500, END_MS],
    ['then_total', 500, END_MS - 24 * HOUR_MS],
    ['many_total', 5000, END_MS],
  ] as const) {
    for (let i = 0; i < series; i++)
      head.appendFloat(head.series(['__name__', name, 'i', String(i)] as never), time, Float64Array.of(1), 0, 0)
  }
  head.publish()
  return new Spy(openReader(head.share()))
}

/** @param hours 0: an instant query. @param stored instead of what the store says of itself */
function ask(text: string, hours: number, stored?: TimeRange | null): { pays: boolean; ranges: readonly TimeRange[] } {
  const reader = spy()
  reader.storedRange = stored
  const range = { startMs: END_MS - hours * HOUR_MS, endMs: END_MS, stepMs: 60_000, instant: hours === 0 }
  const options = { lookbackMs: 300_000 } as never
  const limited = new LimitedReader(reader, 10_000)
  const pays = paysToSplit({ expr: parseExpr(text, FEATURES), text, range, options, reader: limited })
  return { pays, ranges: reader.ranges }
}

const rows: readonly [text: string, hours: number, pays: boolean, ranges: readonly [from: number, to: number][]][] = [
  ['sum(rate(now_total[10m]))', 6, true, [[-10, 0]]],
  ['sum(rate(now_total[10m]))', 2, false, [[-10, 0]]],
  ['sum(now_total)', 6, true, [[-5, 0]]],
  ['sum(sum_over_time(now_total[6h]))', 0, true, [[-360, 0]]],
  // Nothing at its end: the whole range.
  [
    'sum(rate(then_total[10m] offset 1h))',
    30,
    true,
    [
      [-70, -60],
      [-31 * 60 - 10, -60],
    ],
  ],
  [`sum(max_over_time(rate(now_total[10m])[1h:1m] @ ${END_MS / 1000 - 3600}))`, 6, false, []],
  ['sum(max_over_time(rate(now_total[10m])[1h:1m] offset -1h))', 6, true, [[-10, 60]]],
]
for (const [text, hours, pays, ranges] of rows)
  test(`paysToSplit(${text}) of ${hours} h is ${pays}, by the series at the end of the range`, () => {
    const asked = ask(text, hours)
    assert.equal(asked.pays, pays)
    const minutes = asked.ranges.map(({ minTime, maxTime }) => [minTime, maxTime].map((ms) => (ms - END_MS) / 60_000))
    assert.deepEqual(minutes, ranges)
  })

test('paysToSplit() counts the series, too, where each has few samples', () => {
  assert.equal(ask('sum(rate(many_total[10m]))', 0).pays, true)
  assert.equal(ask('sum(rate(many_total[5m]))', 0).pays, false)
})

test('paysToSplit() leaves series together that are sooner read than moved', () => {
  assert.equal(ask('quantile(0.3, rate(many_total[20m]))', 0).pays, false)
  assert.equal(ask('quantile(0.3, rate(many_total[30m]))', 0).pays, true)
  assert.equal(ask('topk(3, sum by (i) (rate(many_total[20m])))', 0).pays, true)
})

test('paysToSplit() knows that few of those that a topk chooses from are moved', () => {
  assert.equal(ask('topk(3, rate(many_total[20m]))', 0).pays, true)
  assert.equal(ask('topk(3, rate(many_total[5m]))', 0).pays, false)
  assert.equal(ask('topk(3000, rate(many_total[20m]))', 0).pays, false)
})

test('paysToSplit() counts no samples of times before the first or after the last that is stored', () => {
  const ofDay = (offset: string): string => `sum(sum_over_time(now_total[24h]${offset}))`
  const last = (hours: number): TimeRange => ({ minTime: END_MS - hours * HOUR_MS, maxTime: END_MS })
  assert.equal(ask(ofDay(''), 0, last(6)).pays, true)
  assert.equal(ask(ofDay(''), 0, last(2)).pays, false)
  assert.equal(ask(ofDay(' offset -22h'), 0, last(24)).pays, false)
  assert.equal(ask(ofDay(''), 0, null).pays, false)
})

test('paysToSplit() does not look where the store is too small for it', () => {
  assert.deepEqual(ask('sum(rate(now_total[5m]))', 0.01).ranges, [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM, type Histogram } from '../../../protocol/samples/mod.ts'
import { createHead, openReader, type SeriesReader } from '../../tsdb/mod.ts'
import type { EngineOptions, QueryResult } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { evaluate, evaluatePartial, mergePartials } from './mod.ts'
import { ENGINE_OPTIONS } from './testing/options.ts'
import { spiedReader } from './testing/spied-reader.ts'

const MINUTE_MS = 60_000
const SERIES = 4
const OPTIONS: EngineOptions = { ...ENGINE_OPTIONS, useStartTimestamps: true }

const head = createHead({ maxBytes: 2 ** 26 })
for (let i = 0; i < SERIES; i++) {
  const ref = head.series(labelsFrom({ __name__: 'x_total', i: String(i) }))
  const mixed = head.series(labelsFrom({ __name__: 'mixed', i: String(i) }))
  for (let minute = 0; minute < 120; minute++) {
    // Series 3 is sampled at other times, series 2 ends early.
    const time = minute * MINUTE_MS + (i === 3 ? 7000 : 0)
    if (i !== 2 || minute < 70) head.appendFloat(ref, time, Float64Array.of((minute * (i + 3)) % 17), 0, time - 30_000)
    const histogram: Histogram = { ...EMPTY_HISTOGRAM, count: minute, sum: minute }
    if (minute % 10 < 5) head.appendFloat(mixed, time, Float64Array.of(minute), 0, 0)
    else head.appendHistogram(mixed, time, histogram, 0)
  }
}
head.publish()

const RANGE = { startMs: 60 * MINUTE_MS, endMs: 100 * MINUTE_MS, stepMs: MINUTE_MS, instant: false }

function run(text: string, reader: SeriesReader, range = RANGE): QueryResult {
  return evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options: OPTIONS, reader })
}

const rows: readonly [text: string, readsOfEach: readonly string[]][] = [
  ['rate(x_total[5m]) / count_over_time(x_total[5m])', ['55 to 100']],
  ['max_over_time(x_total[10m]) - min_over_time(x_total[20m] offset 5m) - x_total', ['35 to 100']],
  ['x_total - x_total offset 5m', ['50 to 100']],
  ['x_total > avg_over_time(x_total[30m:] @ 3600)', ['26 to 100']],
  // Hours apart, and other matchers.
  ['x_total - x_total offset 1h', ['55 to 100', '-5 to 40']],
  ['rate(x_total[5m]) / rate(x_total{i=~".*"}[6m])', ['55 to 100', '54 to 100']],
  ['sum(max_over_time(x_total[1m])) + sum(max_over_time(x_total[1m]))', ['59 to 100']],
]
for (const [text, wanted] of rows)
  test(`${text} reads each series from ${wanted.join(' and from ')} min`, () => {
    const { reader, reads } = spiedReader(openReader(head.share()))
    run(text, reader)
    const first = reads.filter(({ ref }) => ref === 0)
    assert.deepEqual(
      first.map(({ range }) => `${(range.minTime - 1) / MINUTE_MS} to ${range.maxTime / MINUTE_MS}`),
      wanted,
    )
  })

test('what is shared is what it is when each selector reads for itself', () => {
  const functions = ['rate', 'count_over_time', 'max_over_time', 'last_over_time', 'delta', 'changes', 'mad_over_time']
  for (const metric of ['x_total', 'mixed'])
    for (const one of functions)
      for (const [range, offset] of [
        ['5m', ''],
        ['90s', 'offset 3m'],
        ['17m', 'offset -2m'],
      ] as const) {
        const other = (more: string): string => `max_over_time(${metric}{${more}}[7m])`
        const text = (more: string): string =>
          `${one}(${metric}[${range}] ${offset}) + on (i) ${other(more)} or on (i) ${metric}{${more}} offset 1m`
        const reader = openReader(head.share())
        const [shared, apart] = [run(text(''), reader), run(text('i=~".*"'), reader)]
        assert.ok(shared.type === 'matrix' && apart.type === 'matrix' && shared.series.length > 0)
        assert.deepEqual(shared.series, apart.series, text(''))
      }
})

test('shards and what is merged from them share reads of their own', () => {
  const text =
    'sum(rate(x_total[5m])) / sum(count_over_time(x_total[5m])) * on () group_right () (x_total - x_total offset 5m)'
  const { reader, reads } = spiedReader(openReader(head.share()))
  const query = { expr: parseExpr(text, ALL_FEATURES), text, range: RANGE, options: OPTIONS, reader }
  const whole = evaluate(query)
  reads.length = 0
  const partials = [0, 1].map((index) => evaluatePartial({ ...query, shard: { index, count: 2 } }))
  assert.equal(reads.length, SERIES)
  const merged = mergePartials(query, partials)
  assert.equal(reads.length, 2 * SERIES)
  assert.ok(merged?.type === 'matrix' && whole.type === 'matrix')
  assert.deepEqual(
    merged.series.map(({ labels }) => labels),
    whole.series.map(({ labels }) => labels),
  )
})

test('samples that stand for others which are gone are read by each selector for itself', () => {
  // One sample is left of 20 minutes; the lookback alone is five.
  const widthMs = 20 * MINUTE_MS
  const inner = openReader(head.share())
  const { reader: spied } = spiedReader(inner)
  const reader: SeriesReader = {
    ...spied,
    chosen: { has: () => false, widest: () => widthMs, read: () => false },
    read: (ref, range, out) => {
      inner.read(ref, range, out)
      const { times, values } = out
      let count = 0
      for (let i = 0; i < out.count; i++) {
        if (times[i]! % widthMs !== 0) continue
        times[count] = times[i]!
        values[count++] = values[i]!
      }
      out.count = count
      out.sparse = { widthMs, untilMs: 120 * MINUTE_MS }
    },
  }
  const [shared, apart] = ['', 'i=~".*"'].map((more) =>
    run(`x_total{i="0"} - x_total{i="0",${more}} offset 30m`, reader),
  )
  assert.ok(shared?.type === 'matrix' && apart?.type === 'matrix' && apart.series.length > 0)
  assert.deepEqual(shared.series, apart.series)
  assert.equal(
    shared.series[0]!.present.every((present) => present === 1),
    true,
  )
})

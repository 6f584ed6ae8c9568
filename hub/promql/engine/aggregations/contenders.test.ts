/** Which of equals a topk takes is the business of all series before it: shards leave out none that matters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../../../protocol/labels/mod.ts'
import { ALL_FEATURES, parseExpr } from '../../parser/mod.ts'
import { evaluate, evaluatePartial, mergePartials, splitPlan } from '../mod.ts'
import { histogram } from '../testing/histogram-rows.ts'
import { MemoryReader } from '../testing/memory-reader.ts'
import { ENGINE_OPTIONS } from '../testing/options.ts'

const MINUTE = 60_000
const STEPS = 6
const KIND_HISTOGRAM = 2

type Point = number | null

/** `m{g,i}` with a point a minute; 'h' stands for a histogram. */
function readerOf(rows: readonly (readonly (Point | 'h')[])[], groups: number): MemoryReader {
  const out = new MemoryReader()
  for (const [i, row] of rows.entries()) {
    const points = row.flatMap((value, step) => (value === null ? [] : [{ time: step * MINUTE, value }]))
    out.append([
      {
        labels: labelsFrom({ __name__: 'm', g: `g${i % groups}`, i: String(i) }),
        times: Float64Array.from(points, ({ time }) => time),
        values: Float64Array.from(points, ({ value }) => (value === 'h' ? 0 : value!)),
        kinds: Uint8Array.from(points, ({ value }) => (value === 'h' ? KIND_HISTOGRAM : 0)),
        histograms: points.map(({ value }) => (value === 'h' ? histogram({ count: 1, sum: 1 }) : undefined)),
        startTimes: null,
      },
    ])
  }
  return out
}

const level = fc.constantFrom<Point | 'h'>(
  0,
  0,
  0,
  1,
  1,
  2,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -Infinity,
  null,
  'h',
)
const rows = fc.array(fc.array(level, { minLength: STEPS, maxLength: STEPS }), { minLength: 1, maxLength: 60 })

for (const op of ['topk', 'bottomk', 'limitk'])
  for (const by of ['', 'by (g) ', 'without (i) '])
    for (const inner of ['m', '-m', 'last_over_time(m[1m])', 'm > -1'])
      test(`a choice from shards is the choice from all: ${op} ${by}(k, ${inner})`, () => {
        fc.assert(
          fc.property(
            rows,
            fc.integer({ min: 1, max: 5 }),
            fc.integer({ min: 1, max: 4 }),
            fc.integer({ min: 1, max: 8 }),
            fc.boolean(),
            (data, groups, count, k, instant) => {
              const text = `${op} ${by}(${k}, ${inner})`
              const endMs = (STEPS - 1) * MINUTE
              const range = { startMs: instant ? endMs : 0, endMs, stepMs: MINUTE, instant }
              const options = { ...ENGINE_OPTIONS, lookbackMs: MINUTE }
              const reader = readerOf(data, groups)
              const query = { expr: parseExpr(text, ALL_FEATURES), text, range, options, reader }
              const whole = evaluate(query)
              if (splitPlan(query.expr, range) === null) return assert.equal(op, 'limitk')
              const partials = Array.from({ length: count }, (_, index) =>
                structuredClone(evaluatePartial({ ...query, shard: { index, count } })),
              )
              const merged = mergePartials(query, partials)
              assert.deepEqual(shown(merged), shown(whole))
              assert.deepEqual(merged!.annotations, whole.annotations)
            },
          ),
          { numRuns: 40 },
        )
      })

for (const op of ['topk', 'bottomk'])
  for (const by of ['', 'by (g) '])
    test(`${op} ${by}(k, m) takes what it takes where k is not the same at all steps, and all series are looked at`, () => {
      fc.assert(
        fc.property(rows, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 8 }), (data, groups, k) => {
          const endMs = (STEPS - 1) * MINUTE
          const reader = readerOf(data, groups)
          const asked = (param: string): Map<string, readonly number[]> => {
            const text = `${op} ${by}(${param}, m)`
            const range = { startMs: 0, endMs, stepMs: MINUTE, instant: false }
            const options = { ...ENGINE_OPTIONS, lookbackMs: MINUTE }
            const result = evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options, reader })
            assert.ok(result.type === 'matrix')
            const taken = result.series.map(
              ({ labels, present }) => [labels.join(), [...present.slice(0, -1)]] as const,
            )
            return new Map(taken.filter(([, present]) => present.includes(1)))
          }
          assert.deepEqual(asked(String(k)), asked(`${k} + (time() >= bool ${endMs / 1000})`))
        }),
        { numRuns: 60 },
      )
    })

/** In order; values only where there are any. */
function shown(result: ReturnType<typeof mergePartials>): unknown {
  assert.ok(result?.type === 'matrix' || result?.type === 'vector')
  return result.series.map(({ labels, values, present }) => [
    labels,
    Array.from(present, (kind, step) => (kind === 1 ? values[step]! + 0 : kind)),
  ])
}

test('shards give few of many series, and the place of each group', () => {
  const many = Array.from({ length: 2000 }, (_, i) => Array.from({ length: STEPS }, () => (i * 7919) % 2003))
  const reader = readerOf(many, 3)
  for (const [text, instant, most] of [
    ['topk(5, m)', true, 60],
    ['topk(5, m)', false, 60],
    ['bottomk by (g) (1, m)', false, 60],
    ['limitk by (g) (10, 0 - m - m)', false, 2000],
  ] as const) {
    const endMs = (STEPS - 1) * MINUTE
    const range = { startMs: instant ? endMs : 0, endMs, stepMs: MINUTE, instant }
    const query = { expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader }
    if (splitPlan(query.expr, range) === null) continue
    const [cut] = evaluatePartial({ ...query, shard: { index: 0, count: 2 } }).cuts
    assert.ok(cut !== null && cut !== undefined && 'refs' in cut)
    assert.ok(cut.refs.length <= most, `${text}: ${cut.refs.length}`)
  }
})

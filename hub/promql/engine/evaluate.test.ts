import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { type EngineOptions, QueryError, type QueryRange, type QueryResult, type ResultSeries } from '../contract.ts'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { CONFORMANCE_OPTIONS, runPromqlConformance } from './conformance.ts'
import { evaluate, evaluatePartial, mergePartials, splitPlan } from './mod.ts'
import { MemoryReader } from './testing/memory-reader.ts'
import { memoryStore } from './testing/memory-store.ts'

const ROOT = join(import.meta.dirname, '../../..')
const KIT = join(process.env['HELIO_CONFORMANCE'] ?? join(ROOT, '../shared/conformance'), 'promql')
const OURS = join(import.meta.dirname, 'testdata')
const OPTIONS: EngineOptions = { ...CONFORMANCE_OPTIONS, maxSamples: 1_000_000 }
const MINUTE = 60_000

for (const dir of [KIT, OURS]) {
  const skip = existsSync(dir) ? false : `${dir} is absent`
  for (const name of skip === false ? readdirSync(dir).filter((file) => file.endsWith('.test')) : ['all']) {
    test(`the scripts of ${dir}: ${name}`, { skip }, async () => {
      const text = readFileSync(join(dir, name), 'utf8')
      const { failures, total } = await runPromqlConformance([{ name, text }], memoryStore)
      assert.ok(total > 0)
      const shown = failures.map(({ line, message }) => `${name}:${line}: ${message}`)
      assert.deepEqual(shown, [])
    })
  }
}

function reader(seed = 1): MemoryReader {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const out = new MemoryReader()
  for (const name of ['x_total', 'y']) {
    for (let i = 0; i < 12; i++) {
      const times: number[] = []
      const values: number[] = []
      let value = 0
      for (let t = 0; t < 60; t++) {
        if (random() < 0.2) continue
        value = random() < 0.1 ? 0 : value + Math.round(random() * 100) / 4
        times.push(t * 15_000 + Math.floor(random() * 3000))
        values.push(name === 'y' ? random() * 10 - 5 : value)
      }
      out.append([
        {
          labels: labelsFrom({ __name__: name, g: `g${i % 3}`, i: `${i}` }),
          times: Float64Array.from(times),
          values: Float64Array.from(values),
          kinds: new Uint8Array(times.length),
          histograms: null,
          startTimes: null,
        },
      ])
    }
  }
  return out
}

const QUERIES = [
  'x_total',
  'x_total offset 1m',
  'x_total @ 300',
  '-y',
  'rate(x_total[2m])',
  'increase(x_total[90s])',
  'irate(x_total[2m])',
  'delta(y[2m])',
  'deriv(y[3m])',
  'predict_linear(y[3m], 60)',
  'changes(y[2m]) + resets(x_total[2m])',
  'sum_over_time(y[2m])',
  'avg_over_time(y[2m:30s])',
  'quantile_over_time(0.3, y[2m])',
  'mad_over_time(y[2m])',
  'stddev_over_time(y[5m])',
  'rate(x_total[2m] anchored)',
  'rate(x_total[2m] smoothed)',
  'y smoothed',
  'sum by (g) (rate(x_total[2m]))',
  'avg without (i) (y)',
  'stdvar by (g) (y)',
  'quantile by (g) (0.9, y)',
  'topk(2, y)',
  'bottomk by (g) (1, y)',
  'count_values by (g) ("v", round(y))',
  'limitk(2, y)',
  'y > 0',
  'y > bool 0',
  '2 ^ y',
  'x_total / on (g, i) y',
  'x_total * on (g) group_left () sum by (g) (y)',
  'x_total and on (i) (y > 0)',
  'x_total unless on (i) (y > 0)',
  'x_total + fill(0) y',
  'label_replace(y, "h", "$1", "g", "g(.*)")',
  'absent(y > 4)',
  'absent_over_time(y{i="0"}[15s])',
  'scalar(sum(y)) + time()',
  'clamp(y, -1, 1)',
  'timestamp(y)',
  'hour(x_total * 1000)',
] as const

const at = (timeMs: number): QueryRange => ({ startMs: timeMs, endMs: timeMs, stepMs: 1, instant: true })

function run(text: string, range: QueryRange, store: MemoryReader, options = OPTIONS): QueryResult {
  return evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options, reader: store })
}

/** Labels to value at one step, in a form that compares. */
function pointsAt(result: QueryResult, step: number): Map<string, number> {
  const out = new Map<string, number>()
  if (result.type === 'scalar') out.set('', result.values[step]!)
  if (result.type !== 'vector' && result.type !== 'matrix') return out
  for (const { labels, values, present } of result.series) {
    if (present[step] === 1) out.set(labels.join(','), values[step]!)
  }
  return out
}

for (const text of QUERIES) {
  test(`an instant query equals the point of a range query: ${text}`, () => {
    const store = reader()
    const range = { startMs: MINUTE, endMs: 14 * MINUTE, stepMs: 40_000, instant: false }
    const whole = run(text, range, store)
    let points = 0
    for (let step = 0; range.startMs + step * range.stepMs <= range.endMs; step++) {
      const expected = pointsAt(run(text, at(range.startMs + step * range.stepMs), store), 0)
      assert.deepEqual(pointsAt(whole, step), expected, `step ${step}`)
      points += expected.size
    }
    assert.ok(points > 0, 'the query selects something')
  })
}

const SPLIT = [
  'sum by (g) (rate(x_total[2m]))',
  'sum(y)',
  'avg by (g) (-y * 2)',
  'min without (i) (y)',
  'max(abs(y))',
  'count by (g) (y)',
  'group(y)',
  'stddev by (g) (y)',
  'stdvar(y)',
  'sum(rate(x_total[2m])) / count(x_total) > 0.1',
  'topk(1, sum by (g) (x_total))',
  'sum by (g) (max_over_time(rate(x_total[1m])[5m:30s]))',
  'rate(x_total[2m])',
  '-(1 + last_over_time(y[1m]) * 2)',
  'topk(2, rate(x_total[2m]))',
  'topk(1, y)',
  'bottomk by (g) (2, -increase(x_total[2m]))',
  'topk by (g) (2, changes(y[1m]) > 2)',
  'limitk(101, rate(x_total[2m]))',
  'limitk by (g) (2, rate(x_total[2m]) + 1)',
  'limit_ratio(0.7, rate(x_total[2m]))',
  'topk(3, rate(x_total[2m])) or bottomk(2, rate(x_total[2m]))',
  'topk(2, rate(x_total[2m])) / rate(x_total[2m])',
  'topk(2, rate(x_total[2m])) - max_over_time(rate(x_total[2m])[5m:1m])',
  'sum(rate(x_total[2m])) - max_over_time(sum(rate(x_total[2m]))[5m:1m])',
  'quantile by (g) (0.9, rate(x_total[2m]))',
  'rate(x_total[2m]) / on (g, i) avg_over_time(y[2m])',
  'sum by (g) (rate(x_total[2m]) * on (g, i) y)',
  'label_replace(increase(x_total[2m]), "h", "$1", "g", "g(.*)")',
  'x_total and on (i) (increase(x_total[5m]) > 3)',
  'absent(rate(x_total[2m]) > 1e9)',
  'vector(scalar(sum(rate(x_total[2m]))) + time())',
  'sort_desc(rate(x_total[2m]))',
  'count_values("v", changes(y[2m]))',
] as const

for (const text of SPLIT) {
  test(`any number of shards gives the answer of one: ${text}`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.boolean(),
        (count, seed, one) => {
          const store = reader(seed)
          const expr = parseExpr(text, ALL_FEATURES)
          const range = one ? at(10 * MINUTE) : { startMs: MINUTE, endMs: 10 * MINUTE, stepMs: MINUTE, instant: false }
          const query = { expr, text, range, options: OPTIONS, reader: store }
          assert.ok(splitPlan(expr, range) !== null)
          const partials = Array.from({ length: count }, (_, index) =>
            structuredClone(evaluatePartial({ ...query, shard: { index, count } })),
          )
          const merged = mergePartials(query, partials)
          const whole = evaluate(query)
          assert.equal(merged?.type, whole.type)
          assert.ok(merged !== null && (merged.type === 'matrix' || merged.type === 'vector'))
          assert.ok(whole.type === 'matrix' || whole.type === 'vector')
          assert.deepEqual(merged.annotations, whole.annotations)
          assert.deepEqual(
            merged.series.map(({ labels }) => labels),
            whole.series.map(({ labels }) => labels),
          )
          const results: readonly ResultSeries[] = merged.series
          for (const [i, series] of whole.series.entries()) {
            assert.deepEqual(results[i]!.present, series.present)
            for (const [step, value] of series.values.entries()) {
              if (series.present[step] === 0) continue
              const other: number = results[i]!.values[step]!
              assert.ok(Math.abs(other - value) <= 1e-12 * Math.max(1, Math.abs(value)), `${other} is not ${value}`)
            }
          }
        },
      ),
      { numRuns: 12 },
    )
  })
}

test('splitPlan() finds nothing to cut in what is no distributive aggregation', () => {
  for (const text of [
    'x_total',
    'topk(1, x_total * on (i) y)',
    'quantile(0.5, y)',
    'sum(y @ 60)',
    'sum(x_total * on (i) y)',
    '1 + 1',
  ]) {
    assert.equal(splitPlan(parseExpr(text, ALL_FEATURES), at(0)), null, text)
  }
})

const FAILURES: readonly [
  name: string,
  text: string,
  code: string,
  message: RegExp,
  options: Partial<EngineOptions>,
][] = [
  ['too many samples', 'x_total', 'execution', /would load too many samples into memory in query/, { maxSamples: 3 }],
  ['a canceled query', 'x_total', 'canceled', /^query was canceled in/, { interrupted: () => 'canceled' }],
  ['a query out of time', 'rate(y[5m])', 'timeout', /^query timed out in/, { interrupted: () => 'timeout' }],
  ['a duration of nothing', 'rate(y[step()])', 'bad_data', /^7:13: duration must be greater than 0$/, {}],
  [
    'a bad regular expression',
    'label_replace(y, "a", "", "b", "(")',
    'execution',
    /^invalid regular expression in label_replace\(\): \($/,
    {},
  ],
  [
    'equal labels without delayed name removal',
    'rate({__name__=~"x_total|y"}[5m])',
    'execution',
    /^vector cannot contain metrics with the same labelset$/,
    { delayedNameRemoval: false },
  ],
  [
    'duplicates on the one side',
    'x_total / on (g) y',
    'execution',
    /^found duplicate series for the match group \{g="g\d"\} on the right hand-side of the operation: \[.*\];many-to-many matching not allowed: matching labels must be unique on one side$/,
    {},
  ],
  [
    'duplicates on the many side',
    'x_total / on (g) sum by (g) (y)',
    'execution',
    /^multiple matches for labels: many-to-one matching must be explicit/,
    {},
  ],
  [
    'a grouping that is not unique',
    'sum(y) * on () group_right () label_replace({i="0"}, "__name__", "", "", "")',
    'execution',
    /^vector cannot contain metrics with the same labelset/,
    {},
  ],
]
for (const [name, text, code, message, options] of FAILURES) {
  test(`${name} ends the query with its error`, () => {
    assert.throws(
      () => run(text, at(5 * MINUTE), reader(), { ...OPTIONS, ...options }),
      (error) => error instanceof QueryError && error.code === code && message.test(error.message),
    )
  })
}

test('without delayed name removal functions drop the name at once', () => {
  const result = run('sum by (__name__) (rate(x_total[2m]))', at(5 * MINUTE), reader(), {
    ...OPTIONS,
    delayedNameRemoval: false,
  })
  assert.ok(result.type === 'vector')
  assert.deepEqual(
    result.series.map(({ labels }) => labels),
    [[]],
  )
})

test('what is absent is grouped by the labels of its selector', () => {
  const result = run('count by (i) (abs(absent_over_time(y{i="none"}[1m])))', at(5 * MINUTE), reader())
  assert.ok(result.type === 'vector')
  assert.deepEqual(
    result.series.map(({ labels }) => labels),
    [['i', 'none']],
  )
})

test('limitk() at an instant gives its series group by group', () => {
  const result = run('limitk by (g) (2, y)', at(5 * MINUTE), reader())
  assert.ok(result.type === 'vector')
  const groups = result.series.map(({ labels }) => labels[labels.indexOf('g') + 1])
  assert.deepEqual(groups, ['g0', 'g0', 'g1', 'g1', 'g2', 'g2'])
})

test('a range vector at an instant gives the samples themselves', () => {
  const result = run('y{i="0"}[2m]', at(5 * MINUTE), reader())
  assert.ok(result.type === 'raw-matrix')
  assert.equal(result.series.length, 1)
  const { times } = result.series[0]!
  assert.ok(times.length > 2)
  assert.ok(times.every((time) => time > 3 * MINUTE && time <= 5 * MINUTE))
})

/**
 * Generated queries against themselves: an instant query at a time is the range query's point there, and a query that is
 * computed in any number of parts is the one that is computed whole. `HELIO_LONG=1` asks ten times as many.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryResult } from '../../hub/promql/contract.ts'
import { evaluate, evaluatePartial, mergePartials, type Query, splitPlan } from '../../hub/promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr, typeOf } from '../../hub/promql/parser/mod.ts'
import { labelsKey } from '../../protocol/labels/mod.ts'
import { END_MS, readerOfDataset, START_MS } from '../differential/dataset.ts'
import { randomQuery } from '../differential/grammar.ts'
import { createRandom, type SeededRandom } from '../pipeline/seeded-random.ts'

const COUNT = process.env['HELIO_LONG'] === '1' ? 3000 : 300
const STEPS = 12
/** Of sums in another order, relative to the largest number of the answer. */
const TOLERANCE = 1e-9

const reader = readerOfDataset(7)

function query(text: string, startMs: number, endMs: number, stepMs: number, instant: boolean): Query {
  const range = { startMs, endMs, stepMs, instant }
  return { expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS, reader }
}

type Outcome = QueryResult | { readonly type: 'error'; readonly message: string }

function outcome(run: () => QueryResult): Outcome {
  try {
    return run()
  } catch (error) {
    return { type: 'error', message: (error as Error).message }
  }
}

/** By labels, the value at a step: its place in the result is another matter. */
function pointsAt(result: Exclude<Outcome, { type: 'error' }>, step: number): Map<string, number> {
  if (result.type === 'scalar') return new Map([['', result.values[step]!]])
  assert.ok(result.type === 'vector' || result.type === 'matrix', result.type)
  const points = new Map<string, number>()
  for (const { labels, values, present } of result.series) {
    if (present[step] === 0) continue
    assert.equal(points.has(labelsKey(labels)), false, 'labels are there once')
    points.set(labelsKey(labels), values[step]!)
  }
  return points
}

function assertSame(got: Map<string, number>, wanted: Map<string, number>, what: string): void {
  assert.deepEqual([...got.keys()].sort(), [...wanted.keys()].sort(), what)
  const finite = [...wanted.values()].map(Math.abs).filter(Number.isFinite)
  const bound = TOLERANCE * Math.max(1e-300, ...finite)
  for (const [key, value] of wanted) {
    const other = got.get(key)!
    assert.ok(
      Object.is(other, value) || Math.abs(other - value) <= bound || other === value,
      `${what}: ${other}, ${value}`,
    )
  }
}

function randomSpan(random: SeededRandom): { startMs: number; stepMs: number } {
  const stepMs = [15_000, 60_000, 137_000, 300_000][random.below(4)]!
  return { startMs: START_MS + random.below(END_MS - START_MS), stepMs }
}

/** Which of equals topk takes, and limitk's any, are the order's business. */
const isChoice = (text: string): boolean => /\b(topk|bottomk|limitk|limit_ratio)\b/.test(text)

test(`${COUNT} generated queries: an instant query is the range query's point`, () => {
  const random = createRandom(20_261)
  let compared = 0
  for (let n = 0; n < COUNT; n++) {
    const text = randomQuery(random, 2)
    const { startMs, stepMs } = randomSpan(random)
    // Of an instant query they are another time.
    if (/\b(start|end)\(\)/.test(text)) continue
    const range = outcome(() => evaluate(query(text, startMs, startMs + (STEPS - 1) * stepMs, stepMs, false)))
    if (range.type === 'error') continue
    for (const step of [0, random.below(STEPS), STEPS - 1]) {
      const time = startMs + step * stepMs
      const instant = outcome(() => evaluate(query(text, time, time, 1, true)))
      assert.notEqual(instant.type, 'error', `${text} at ${time}`)
      if (instant.type === 'error' || instant.type === 'raw-matrix' || instant.type === 'string') continue
      // A scalar is a matrix of one series without labels.
      assertSame(pointsAt(instant, 0), pointsAt(range, step), `${text} at ${time}`)
      compared++
    }
  }
  assert.ok(compared > COUNT, `${compared} points compared`)
})

test(`${COUNT} generated queries: parts make the whole`, () => {
  const random = createRandom(20_262)
  let compared = 0
  for (let n = 0; n < COUNT; n++) {
    const text = randomQuery(random, 2)
    const { startMs, stepMs } = randomSpan(random)
    const asked = query(text, startMs, startMs + (STEPS - 1) * stepMs, stepMs, false)
    if (isChoice(text) || outcome(() => evaluate(asked)).type === 'error') continue
    if (splitPlan(asked.expr, asked.range) === null) continue
    const whole = evaluate(asked)
    for (const count of [1, 2, 5]) {
      const partials = Array.from({ length: count }, (_, index) =>
        structuredClone(evaluatePartial({ ...asked, shard: { index, count } })),
      )
      const merged = mergePartials(asked, partials)
      if (merged === null) continue
      for (let step = 0; step < STEPS; step++)
        assertSame(pointsAt(merged, step), pointsAt(whole, step), `${text} in ${count} parts from ${startMs}`)
      compared++
    }
  }
  assert.ok(compared > COUNT / 4, `${compared} queries compared`)
})

/** Sums in another order, and what is computed from them, may rank otherwise. */
const AGGREGATES =
  /\b(sum|avg|stddev|stdvar|count|group|min|max|quantile|count_values|topk|bottomk|limitk|limit_ratio)\b/

test(`${COUNT} generated vectors: the choice from parts is the choice from the whole, also where several rank equal`, () => {
  const random = createRandom(20_264)
  let compared = 0
  for (let n = 0; n < COUNT; n++) {
    const inner = randomQuery(random, 1)
    const { startMs, stepMs } = randomSpan(random)
    if (AGGREGATES.test(inner) || typeOf(parseExpr(inner, ALL_FEATURES)) !== 'vector') continue
    const k = 1 + random.below(4)
    for (const chooser of [
      'topk(',
      'bottomk(',
      'topk by (job) (',
      'bottomk without (job) (',
      'limitk(10',
      'limitk by (job) (',
    ]) {
      // As many levels as there are signs: most rank equal.
      for (const ranked of [inner, `sgn(${inner})`]) {
        const text = `${chooser}${k}, ${ranked})`
        for (const steps of [1, STEPS]) {
          const asked = query(text, startMs, startMs + (steps - 1) * stepMs, stepMs, steps === 1)
          const whole = outcome(() => evaluate(asked))
          if (whole.type === 'error' || splitPlan(asked.expr, asked.range) === null) continue
          for (const count of [1, 2, 5]) {
            const partials = Array.from({ length: count }, (_, index) =>
              structuredClone(evaluatePartial({ ...asked, shard: { index, count } })),
            )
            const merged = mergePartials(asked, partials)
            if (merged === null) continue
            const what = `${text} in ${count} parts from ${startMs}`
            for (let step = 0; step < steps; step++) assertSame(pointsAt(merged, step), pointsAt(whole, step), what)
            assert.deepEqual(orderOf(merged), orderOf(whole), what)
            compared++
          }
        }
      }
    }
  }
  assert.ok(compared > COUNT, `${compared} choices compared`)
})

function orderOf(result: QueryResult): string[] {
  assert.ok(result.type === 'vector' || result.type === 'matrix', result.type)
  return result.series.map(({ labels }) => labelsKey(labels))
}

test(`${COUNT / 3} generated aggregations that stand in two places are what they are when written otherwise`, () => {
  const random = createRandom(20_263)
  let compared = 0
  for (let n = 0; n < COUNT / 3; n++) {
    const inner = randomQuery(random, 1)
    const { startMs, stepMs } = randomSpan(random)
    const endMs = startMs + (STEPS - 1) * stepMs
    const one = `avg by (job) (${inner})`
    // Other text, so that nothing is shared.
    const other = `avg by (job) ((${inner}))`
    const [shared, apart] = [one, other].map((second) =>
      outcome(() => evaluate(query(`abs(${one}) * 2 + on (job) (-${second})`, startMs, endMs, stepMs, false))),
    ) as [Outcome, Outcome]
    assert.equal(shared.type, apart.type, one)
    if (shared.type === 'error' || apart.type === 'error') continue
    for (let step = 0; step < STEPS; step++) assertSame(pointsAt(shared, step), pointsAt(apart, step), one)
    compared++
  }
  assert.ok(compared > COUNT / 9, `${compared} queries compared`)
})

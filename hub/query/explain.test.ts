/** `explain=1`: the plan with what its operators did, whole and split over workers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlanNode } from '../promql/engine/mod.ts'
import { openReader } from '../tsdb/mod.ts'
import type { QueryPart, QueryTask, WorkerAnswer } from './contract.ts'
import { runPart } from './run-task.ts'
import { INTERVAL_MS, seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'

const EXPLAINED = { ...SETTINGS, explain: true }
const SERIES = 20
const SAMPLES = 60
const head = seededHead({ seed: 1, series: SERIES, samples: SAMPLES })

/** A clock that says how often it was looked at: all operators take some time. */
function run(query: string, part: QueryPart = { kind: 'whole', threads: 1 }): WorkerAnswer {
  const endMs = (SAMPLES - 1) * INTERVAL_MS
  const task: QueryTask = { kind: 'range', query, startMs: 0, endMs, stepMs: 60_000, limit: 0, settings: EXPLAINED }
  const reader = openReader(head.share())
  try {
    let ms = 0
    const given = { task, part, queuedMs: 0, before: null }
    return runPart(given, { reader, flags: new Int32Array(1), now: () => ms++ })
  } finally {
    reader.release()
  }
}

function explained({ body, error }: WorkerAnswer): { threads: number; plan: PlanNode } {
  assert.equal(error, undefined)
  return JSON.parse(new TextDecoder().decode(body)).explain
}

function shape({ operator, inputs }: PlanNode): unknown {
  return inputs.length === 0 ? operator : [operator, ...inputs.map(shape)]
}

test('the plan is the query without its parentheses, as it was run', () => {
  const { threads, plan } = explained(run('(sum by (g) (rate(x_total[5m])) / on (g) (count by (g) (y))) > 1 - 2'))
  assert.equal(threads, 1)
  assert.deepEqual(shape(plan), [
    'binary >',
    ['binary /', ['aggregate sum', ['call rate', 'matrix-selector']], ['aggregate count', 'vector-selector']],
    'number',
  ])
  assert.equal(plan.inputs[1]!.expression, '-1')
  assert.equal(plan.inputs[0]!.inputs[0]!.expression, 'sum by (g) (rate(x_total[5m]))')
  assert.deepEqual([plan.isConstant, plan.inputs[1]!.isConstant], [false, true])
})

test('the plan shows the matchers that went across a join', () => {
  const { plan } = explained(run('sum by (g) (rate(x_total{g=~"[01]"}[5m])) / sum by (g) (rate(x_total[5m]))'))
  assert.equal(plan.inputs[1]!.expression, 'sum by (g) (rate(x_total{g=~"[01]"}[5m]))')
  const other = explained(run('x_total{g="1"} * on (g) group_left () count by (g) (y)'))
  assert.equal(other.plan.inputs[1]!.expression, 'count by (g) (y{g="1"})')
})

test('operators tell their series and samples, and times of inputs are within those of what they feed', () => {
  const { plan } = explained(run('sum by (g) (rate(x_total[5m]))'))
  const [call] = plan.inputs
  const [selector] = call!.inputs
  assert.deepEqual([plan.series, call!.series, selector!.series], [5, SERIES, SERIES])
  assert.equal(plan.samples > 0 && plan.samples < call!.samples, true)
  assert.equal(selector!.samples > (SERIES * SAMPLES) / 2, true)
  for (let node: PlanNode | undefined = plan; node !== undefined; node = node.inputs[0]) {
    const below: number = node.inputs[0]?.timeMs ?? 0
    assert.equal(node.timeMs > below, true)
    assert.equal(node.selfMs, node.timeMs - below)
    assert.deepEqual([node.isCut, node.shards], [false, []])
  }
})

test('a split query shows its cuts and what each worker did', () => {
  const query = 'sum by (g) (rate(x_total[5m])) * 2'
  const partials = [0, 1, 2].map((index) => run(query, { kind: 'shard', index, count: 3 }).partial!)
  const { threads, plan } = explained(run(query, { kind: 'merge', partials }))
  assert.equal(threads, 3)
  const [cut] = plan.inputs
  assert.deepEqual([plan.isCut, cut!.isCut, cut!.inputs[0]!.isCut], [false, true, false])
  assert.deepEqual([plan.series, cut!.series, cut!.inputs[0]!.series], [5, 5, SERIES])
  assert.equal(cut!.shards.length, 3)
  assert.ok(cut!.shards.every(({ series, timeMs }) => series === 5 && timeMs > 0))
  assert.equal(
    cut!.inputs[0]!.shards.reduce((sum, { series }) => sum + series, 0),
    SERIES,
  )
  assert.equal(cut!.timeMs >= Math.max(...cut!.shards.map(({ timeMs }) => timeMs)), true)
  assert.equal(plan.timeMs, plan.selfMs + plan.inputs.reduce((sum, { timeMs }) => sum + timeMs, 0))
  assert.equal(plan.timeMs > cut!.timeMs, true, 'what stands above the cut waited for the workers')
})

test('nobody who does not ask is told', () => {
  const task: QueryTask = {
    kind: 'instant',
    query: 'y',
    timeMs: 0,
    limit: 0,
    settings: SETTINGS,
  }
  const reader = openReader(head.share())
  const given = { task, part: { kind: 'whole' as const, threads: 1 }, queuedMs: 0, before: null }
  const { body } = runPart(given, { reader, flags: new Int32Array(1), now: () => 0 })
  reader.release()
  assert.equal(JSON.parse(new TextDecoder().decode(body)).explain, undefined)
})

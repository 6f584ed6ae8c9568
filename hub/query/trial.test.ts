/** A trial answers what is small as a worker would, and stops what is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openReader } from '../tsdb/mod.ts'
import type { QueryTask, WorkerAnswer } from './contract.ts'
import { runPart } from './run-task.ts'
import { INTERVAL_MS, seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'
import { tryPart } from './trial.ts'

const SAMPLES = 200
const END = (SAMPLES - 1) * INTERVAL_MS
const head = seededHead({ seed: 5, series: 4000, samples: SAMPLES })
const EVER = { startMs: 0, endMs: END, limit: 0 }

const instant = (query: string): QueryTask => ({ kind: 'instant', query, timeMs: END, limit: 0, settings: SETTINGS })
const range = (query: string): QueryTask => ({ kind: 'range', query, ...EVER, stepMs: INTERVAL_MS, settings: SETTINGS })

type Circumstances = { readonly cpuMs?: () => number; readonly now?: () => number; readonly flag?: number }

function tried(task: QueryTask, { cpuMs = () => 0, now = () => 0, flag = 0 }: Circumstances = {}): WorkerAnswer {
  return answered(task, (given, reader) => tryPart(given, { reader, flags: new Int32Array([flag]), now, cpuMs }))
}

function answered(
  task: QueryTask,
  run: (given: Parameters<typeof runPart>[0], reader: ReturnType<typeof openReader>) => WorkerAnswer,
): WorkerAnswer {
  const reader = openReader(head.share())
  try {
    return run({ task, part: { kind: 'whole', threads: 1 }, queuedMs: 0, before: null }, reader)
  } finally {
    reader.release()
  }
}

const SMALL: readonly (readonly [string, QueryTask])[] = [
  ['an instant query over all series of a name', instant('count(x_total)')],
  ['a range query over some', range('sum by (g) (rate(x_total{g="g1",i=~"1.*"}[5m]))')],
  ['label values', { kind: 'values', label: 'g', matches: [], ...EVER }],
  ['series', { kind: 'series', matches: ['y{g="g1"}'], ...EVER }],
  ['label names', { kind: 'labels', matches: ['{g="g1"}'], ...EVER }],
  ['a bad text', instant('x_total{')],
]
for (const [what, task] of SMALL) {
  test(`${what}: as a worker answers`, () => {
    const answer = tried(task)
    const byWorker = answered(task, (given, reader) =>
      runPart(given, { reader, flags: new Int32Array(1), now: () => 0 }),
    )
    assert.equal(answer.isLarge, undefined)
    assert.deepEqual([answer.status, answer.body], [byWorker.status, byWorker.body])
  })
}

const LARGE: readonly (readonly [string, QueryTask])[] = [
  ['many series', instant('{__name__=~".+"}')],
  ['many samples read', range('x_total')],
  ['many samples held', range('max_over_time(y{g="g1"}[1h:1s])')],
  ['many series found', { kind: 'series', matches: ['{__name__=~".+"}'], ...EVER }],
  ['an error that may be that of the trial', instant('x_total * on (g) x_total')],
]
for (const [what, task] of LARGE) {
  test(`${what}: for the workers`, () => assert.equal(tried(task).isLarge, true))
}

test('what computes much is stopped by the time of its thread, not by the clock', () => {
  const task = range('quantile_over_time(0.5, y{g="g1",i=~"1.."}[5m])')
  let nowMs = 0
  const now = (): number => (nowMs += 5)
  assert.equal(tried(task, { now }).isLarge, undefined)
  let spentMs = 0
  assert.equal(tried(task, { now, cpuMs: () => (spentMs += 20) }).isLarge, true)
  assert.ok(spentMs < 400, `stopped after ${spentMs} ms`)
})

test('who stops it hears that', () => {
  const { error, isLarge } = tried(instant('count(x_total)'), { flag: 1 })
  assert.deepEqual([error?.type, isLarge], ['canceled', undefined])
})

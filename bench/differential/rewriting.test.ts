/**
 * Plans are rewritten before they run: matchers go across vector matching, what stands twice is computed once. Generated
 * joins, each also written so that nothing can be rewritten, give the same series, values, order, annotations and errors.
 * `HELIO_LONG=1` asks ten times as many.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QueryResult } from '../../hub/promql/contract.ts'
import { evaluate, type PlanNode } from '../../hub/promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr } from '../../hub/promql/parser/mod.ts'
import { formatLabels } from '../../protocol/labels/mod.ts'
import { createRandom, type SeededRandom } from '../pipeline/seeded-random.ts'
import { END_MS, readerOfDataset, START_MS } from './dataset.ts'

const COUNT = process.env['HELIO_LONG'] === '1' ? 8000 : 800
const STEPS = 9
const reader = readerOfDataset(11)

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.below(from.length)]!

const METRICS = ['http_requests_total', 'memory_bytes', 'cpu_seconds_total', 'queue_length', 'up', 'build_info']
const MATCHERS = [
  'job="api"',
  'job!="db"',
  'job=~"api|web"',
  'instance="a:80"',
  'instance!~"b.*"',
  'code="500"',
  'code=""',
  'method=""',
  'version="1.1"',
  'missing=""',
]

function selector(random: SeededRandom): string {
  const matchers = Array.from({ length: random.below(3) }, () => pick(random, MATCHERS))
  return `${pick(random, METRICS)}{${matchers.join(',')}}`
}

function side(random: SeededRandom): string {
  const one = selector(random)
  const by = pick(random, ['job', 'instance', 'job, instance', 'job, code', ''])
  return pick(random, [
    () => one,
    () => `rate(${one}[5m])`,
    () => `max_over_time(${one}[10m] offset 5m)`,
    () => `(${one} > 5)`,
    () => `-abs(${one})`,
    () => `sum by (${by}) (${one})`,
    () => `max by (${by}) (rate(${one}[5m]))`,
    () => `avg without (${by}) (${one})`,
    () => `topk by (${by}) (2, ${one})`,
    () => `(${one} and on (job) ${selector(random)})`,
    () => `(${one} or ${selector(random)})`,
    () => `quantile by (${by}) (0.5, ${one})`,
  ])()
}

function matching(random: SeededRandom, isSet: boolean): string {
  const names = pick(random, ['job', 'instance', 'job, instance', 'code, method', 'job, instance, code, method'])
  const by = pick(random, ['', `on (${names})`, `ignoring (${names})`])
  if (isSet || by === '') return by
  const group = pick(random, ['', '', 'group_left ()', 'group_right ()', 'group_left (version)'])
  return `${by} ${group} ${random.next() < 0.2 ? pick(random, ['fill (0)', 'fill_left (1)', 'fill_right (2)']) : ''}`
}

/** The same, for nothing goes across an `or`; what stands twice in it is another matter. */
const kept = (text: string): string => `(${text} or ${text})`

type Outcome = { readonly series: readonly string[]; readonly notes: readonly string[]; readonly plan: string }

function outcome(text: string, startMs: number, stepMs: number): Outcome {
  const range = { startMs, endMs: startMs + (STEPS - 1) * stepMs, stepMs, instant: false }
  let plan: PlanNode | null = null
  const options = { ...ENGINE_OPTIONS, explainClock: () => 0 }
  const onPlan = (node: PlanNode): void => void (plan = node)
  let result: QueryResult
  try {
    result = evaluate({ expr: parseExpr(text, ALL_FEATURES), text, range, options, reader, onPlan })
  } catch (error) {
    return { series: [(error as Error).message], notes: [], plan: '' }
  }
  assert.ok(result.type === 'matrix')
  const series = result.series.map(({ labels, values, present }) => {
    const points = [...present].map((kind, i) => (kind === 0 ? '_' : String(values[i])))
    return `${formatLabels(labels)} ${points.join(' ')}`
  })
  return {
    series,
    notes: result.annotations.map(({ message }) => message).sort(),
    plan: (plan as PlanNode | null)?.expression ?? '',
  }
}

test(`${COUNT} generated joins are what they are when nothing goes across them`, () => {
  const random = createRandom(20_264)
  let narrowed = 0
  let withSeries = 0
  for (let n = 0; n < COUNT; n++) {
    const op = pick(random, ['+', '/', '>', '== bool', 'and', 'unless'])
    const by = matching(random, op === 'and' || op === 'unless')
    const [lhs, rhs] = [side(random), side(random)]
    const text = `${lhs} ${op} ${by} ${rhs}`
    const startMs = START_MS + random.below(END_MS - START_MS)
    const stepMs = pick(random, [15_000, 137_000, 300_000])
    const got = outcome(text, startMs, stepMs)
    const wanted = outcome(`${kept(lhs)} ${op} ${by} ${kept(rhs)}`, startMs, stepMs)
    assert.deepEqual(got.series, wanted.series, `${text} at ${startMs}`)
    assert.deepEqual(got.notes, wanted.notes, text)
    if (got.plan.split('="').length + got.plan.split('~"').length > text.split('="').length + text.split('~"').length)
      narrowed++
    if (got.series.length > 0) withSeries++
  }
  assert.ok(narrowed > COUNT / 12, `${narrowed} of ${COUNT} were narrowed`)
  assert.ok(withSeries > COUNT / 3, `${withSeries} of ${COUNT} gave series`)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { CounterResetHint } from '../../protocol/samples/mod.ts'
import { createHead, type Head, openReader } from '../tsdb/mod.ts'
import { FLAG_CANCELED, FLAG_TIMEOUT, type QueryTask, type WorkerAnswer } from './contract.ts'
import { runPart } from './run-task.ts'
import type { SharedShards } from './shard-states.ts'
import { INTERVAL_MS, seededHead } from './testing/head.ts'
import { SETTINGS } from './testing/settings.ts'

const MINUTE = 60_000

type Part = Parameters<typeof runPart>[0]['part']

function run(
  head: Head,
  task: QueryTask,
  part: Part = { kind: 'whole', threads: 1 },
  flag = 0,
  shards?: SharedShards,
): WorkerAnswer {
  const reader = openReader(head.share())
  try {
    let ms = 0
    return runPart(
      { task, part, queuedMs: 250, before: null },
      { reader, flags: Int32Array.of(flag, 0, 0), now: () => ms++, ...(shards && { shards }) },
    )
  } finally {
    reader.release()
  }
}

const instant = (query: string, timeMs: number, settings = SETTINGS): QueryTask => ({
  kind: 'instant',
  query,
  timeMs,
  limit: 0,
  settings,
})
const range = (query: string, endMs: number, stepMs = MINUTE, settings = SETTINGS): QueryTask => ({
  kind: 'range',
  query,
  startMs: 0,
  endMs,
  stepMs,
  limit: 0,
  settings,
})
const text = ({ body }: WorkerAnswer): string => new TextDecoder().decode(body)
type Body = {
  readonly data: { readonly result: { metric: object; value?: [number, string]; values?: [number, string][] }[] }
  readonly warnings?: string[]
  readonly infos?: string[]
}
const json = (answer: WorkerAnswer): Body => JSON.parse(text(answer)) as Body

const SMALL = seededHead({ seed: 1, series: 20, samples: 60 })
const END = 14 * MINUTE

const FAILURES: readonly [name: string, task: QueryTask, status: number, body: string][] = [
  [
    'text that does not parse',
    instant('sum(', 0),
    400,
    '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:5: parse error: unclosed left parenthesis"}',
  ],
  [
    'a selector that does not parse',
    { kind: 'series', matches: ['{'], startMs: 0, endMs: 1, limit: 0 },
    400,
    '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"match[]\\": 1:2: parse error: unexpected end of input inside braces"}',
  ],
  [
    'a duration of nothing',
    instant('rate(x[1m-1m])', END, { ...SETTINGS, features: ['promql-duration-expr'] }),
    400,
    '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 7:12: duration must be greater than 0"}',
  ],
  [
    'too many samples',
    instant('x_total', END, { ...SETTINGS, maxSamples: 5 }),
    422,
    '{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory in query execution"}',
  ],
  [
    'too many series',
    instant('count(x_total)', END, { ...SETTINGS, maxSeries: 19 }),
    422,
    '{"status":"error","errorType":"execution","error":"the query selects more than 19 series (--query.max-series); narrow its selectors"}',
  ],
  [
    'a rule that gives no vector',
    { kind: 'vector', query: 'x_total[5m]', timeMs: END, settings: SETTINGS },
    400,
    '{"status":"error","errorType":"bad_data","error":"rule result is not a vector or scalar"}',
  ],
]
for (const [name, task, status, body] of FAILURES) {
  test(`${name} is an error of the API`, () => {
    const answer = run(SMALL, task)
    assert.deepEqual([answer.status, text(answer)], [status, body])
  })
}

test('nesting beyond any sense is refused, not survived by luck', () => {
  const answer = run(SMALL, instant('('.repeat(100_000) + '1' + ')'.repeat(100_000), 0))
  assert.deepEqual([answer.status, answer.error?.type], [400, 'bad_data'])
  assert.match(answer.error!.message, /nested too deeply/)
})

test('the flag word ends a query at the next series', () => {
  const canceled = run(SMALL, instant('rate(x_total[5m])', END), { kind: 'whole', threads: 1 }, FLAG_CANCELED)
  assert.deepEqual([canceled.status, canceled.error?.type], [499, 'canceled'])
  const late = run(SMALL, instant('rate(x_total[5m])', END), { kind: 'shard', index: 0, count: 2 }, FLAG_TIMEOUT)
  assert.deepEqual([late.status, late.error?.message], [503, 'query timed out in expression evaluation'])
})

test('annotations carry their place in the text, counted in bytes', () => {
  const body = json(run(SMALL, instant('# é\nquantile(2, rate(y[5m]))', END)))
  assert.deepEqual(body.warnings, ['PromQL warning: quantile value should be between 0 and 1, got 2 (2:10)'])
  assert.deepEqual(body.infos, [
    'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "y" (2:18)',
  ])
})

test('samples are counted at every step that looks at them, as count_over_time() counts them', () => {
  const counted = JSON.parse(text(run(SMALL, range('sum(count_over_time(x_total[2m]))', END)))) as Body
  const windows = counted.data.result[0]!.values!.reduce((sum, [, value]) => sum + Number(value), 0)
  const samplesOf = (query: string): number => run(SMALL, range(query, END)).stats!.samplesTotal
  assert.ok(windows > 500)
  for (const query of ['rate(x_total[2m])', 'changes(x_total[2m])', 'sum(max_over_time(x_total[2m]))'])
    assert.equal(samplesOf(query), windows, query)
  const selected = JSON.parse(text(run(SMALL, range('count(x_total)', END)))) as Body
  const points = selected.data.result[0]!.values!.reduce((sum, [, value]) => sum + Number(value), 0)
  assert.equal(samplesOf('x_total'), points)
  const inner = JSON.parse(text(run(SMALL, instant('sum(count_over_time(rate(x_total[2m])[5m:1m]))', END)))) as Body
  const subquery = run(SMALL, instant('max_over_time(rate(x_total[2m])[5m:1m])', END))
  assert.equal(subquery.stats!.samplesTotal, Number(inner.data.result[0]!.value![1]))
})

test('stats are told to those who ask', () => {
  const asked = run(SMALL, instant('sum(rate(x_total[2m]))', END, { ...SETTINGS, stats: true }))
  const { data } = JSON.parse(text(asked)) as { data: { stats: { timings: Record<string, number>; samples: object } } }
  const { timings } = data.stats
  assert.equal(timings['execQueueTime'], 0.25)
  assert.ok(timings['evalTotalTime']! > 0 && timings['execTotalTime']! >= timings['evalTotalTime']!)
  assert.deepEqual(Object.keys(data.stats.samples), ['totalQueryableSamples', 'samplesRead', 'peakSamples'])
  // 20 series, eight samples in two minutes, less the gaps and the stale markers.
  assert.ok(asked.stats!.samplesTotal > 100 && asked.stats!.samplesTotal <= 160, `${asked.stats!.samplesTotal} samples`)
  assert.ok(asked.stats!.samplesPeak > 0)
  assert.ok(!text(run(SMALL, instant('up', END))).includes('stats'))
})

test('limit cuts the answer and says so', () => {
  for (const task of [
    { ...instant('x_total', END), limit: 3 },
    { ...range('x_total', END), limit: 3 },
    { ...instant('x_total[1m]', END), limit: 3 },
  ] as QueryTask[]) {
    const body = json(run(SMALL, task))
    assert.equal(body.data.result.length, 3)
    assert.deepEqual(body.warnings, ['results truncated due to limit'])
  }
  assert.equal(json(run(SMALL, { ...instant('x_total', END), limit: 20 } as QueryTask)).warnings, undefined)
})

const DISCOVERY: readonly [name: string, task: QueryTask, body: string][] = [
  [
    'label names',
    { kind: 'labels', matches: [], startMs: 0, endMs: END, limit: 0 },
    '{"status":"success","data":["__name__","g","i","job"]}',
  ],
  [
    'label values of matching series, cut',
    { kind: 'values', label: 'i', matches: ['y{g="g1"}', 'x_total{g="g1"}'], startMs: 0, endMs: END, limit: 2 },
    '{"status":"success","data":["1","11"],"warnings":["results truncated due to limit"]}',
  ],
  [
    'series once, though two selectors have them',
    { kind: 'series', matches: ['y{i="3"}', '{i="3",g="g3"}'], startMs: 0, endMs: END, limit: 0 },
    '{"status":"success","data":[{"__name__":"x_total","g":"g3","i":"3","job":"test"},{"__name__":"y","g":"g3","i":"3","job":"test"}]}',
  ],
  [
    'no series after the last sample',
    { kind: 'series', matches: ['y'], startMs: 10 * END, endMs: 11 * END, limit: 0 },
    '{"status":"success","data":[]}',
  ],
]
for (const [name, task, body] of DISCOVERY) test(`discovery: ${name}`, () => assert.equal(text(run(SMALL, task)), body))

test('/federate writes the newest sample of each series, with external labels behind its own', () => {
  const head = createHead({ maxBytes: 2 ** 28 })
  const one = (labels: Record<string, string>, timeMs: number, value: number) =>
    head.appendFloat(head.series(labelsFrom(labels)), timeMs, Float64Array.of(value), 0, 0)
  one({ __name__: 'up', job: 'b', zone: 'own' }, 1000, 1)
  one({ __name__: 'up', job: 'b', zone: 'own' }, 2000, 0.25)
  one({ __name__: 'up', instance: 'h:1', job: 'a"\\' }, 1500, Number.NaN)
  one({ __name__: 'älter', q: 'x' }, 1500, Number.POSITIVE_INFINITY)
  one({ __name__: 'old', q: 'x' }, -10_000, 1)
  one({ nameless: 'x' }, 1500, 1)
  const histogram = head.series(labelsFrom({ __name__: 'h' }))
  head.appendHistogram(
    histogram,
    1500,
    {
      isFloat: true,
      isStale: false,
      counterResetHint: CounterResetHint.unknown,
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 1,
      count: 1,
      sum: 0,
      positiveSpans: [],
      positiveBuckets: [],
      negativeSpans: [],
      negativeBuckets: [],
      customValues: [],
    },
    0,
  )
  head.publish()
  const task: QueryTask = {
    kind: 'federate',
    matches: ['up', '{job!=""}', '{__name__=~".*",job=""}'],
    timeMs: 2000,
    lookbackMs: 5000,
    externalLabels: ['site', 'ä', 'zone', 'ext'],
    escaping: 'allow-utf-8',
    format: 'text',
  }
  const answer = run(head, task)
  const plain = run(head, { ...task, escaping: 'underscores' })
  assert.match(plain.contentType, /; escaping=underscores$/)
  assert.match(text(plain), /^# TYPE _lter untyped\n_lter\{q="x",instance="",site="ä",zone="ext"\} \+Inf 1500\n/)
  assert.equal(
    text(answer),
    [
      '# TYPE up untyped',
      'up{instance="h:1",job="a\\"\\\\",site="ä",zone="ext"} NaN 1500',
      'up{job="b",zone="own",instance="",site="ä"} 0.25 2000',
      '# TYPE "älter" untyped',
      '{"älter",q="x",instance="",site="ä",zone="ext"} +Inf 1500',
      '',
    ].join('\n'),
  )
})

test('a small query runs whole, a large one says that it is worth splitting', () => {
  const two: Part = { kind: 'whole', threads: 2 }
  assert.equal(run(SMALL, range('sum(rate(x_total[5m]))', END), two).split, undefined)
  const large = seededHead({ seed: 3, series: 400, samples: 20 })
  const heavy = range('sum by (g) (rate(x_total[5m]))', 800 * INTERVAL_MS, INTERVAL_MS)
  assert.equal(run(large, heavy, two).split, true)
  assert.equal(run(large, heavy).split, undefined, 'not on one thread')
  assert.equal(
    run(large, range('sum by (g) (rate(x_total{i="1"}[5m]))', 800 * INTERVAL_MS, INTERVAL_MS), two).split,
    undefined,
  )
  assert.equal(run(large, range('x_total', 800 * INTERVAL_MS, INTERVAL_MS), two).split, undefined, 'nothing to cut')
})

test('exemplars may be asked for in all that is enabled of the language', () => {
  const window = { startMs: 0, endMs: END }
  const task: QueryTask = { kind: 'exemplars', query: 'limitk(1, x)', ...window, features: [] }
  assert.equal(run(SMALL, task).status, 400)
  assert.equal(run(SMALL, { ...task, features: ['promql-experimental-functions'] }).status, 200)
})

const SPLIT = [
  'sum by (g) (rate(x_total[2m]))',
  'avg(y)',
  'stddev by (g) (x_total)',
  'max by (g) (deriv(x_total[5m])) - min by (g) (y)',
  'topk(3, increase(x_total[3m]))',
  'quantile by (g) (0.9, max_over_time(y[2m]))',
  'rate(x_total[2m]) * on (g, i) avg_over_time(y[2m])',
  'histogram_quantile(0.5, sum by (le, g) (rate(x_total[2m])))',
  'sum(rate({__name__=~"x_total|y"}[2m]))',
  'sum by (g) (rate(x_total[2m])) > 0.5 or count(y)',
] as const

for (const query of SPLIT) {
  test(`the bytes of a split answer are those of the unsplit one: ${query}`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (seed, count, one) => {
          const head = seededHead({ seed, series: 12, samples: 30 })
          const task = one ? instant(query, 7 * MINUTE) : range(query, 7 * MINUTE)
          const partials = Array.from({ length: count }, (_, index) => {
            const { partial, error } = run(head, task, { kind: 'shard', index, count })
            assert.equal(error, undefined)
            return structuredClone(partial!)
          })
          const merged = run(head, task, { kind: 'merge', partials })
          const whole = run(head, task)
          assert.equal(merged.status, whole.status, text(merged))
          assertClose(JSON.parse(text(merged)), JSON.parse(text(whole)))
          const own = Array.from({ length: count }, (_, index) => index).filter((index) => (seed >>> index) % 2 === 0)
          const led = run(head, task, { kind: 'lead', count }, 0, {
            begin: () => own.pop() ?? -1,
            wait: () => 'put',
            take: (index) => structuredClone(run(head, task, { kind: 'shard', index, count })),
          })
          assert.equal(text(led), text(merged))
        },
      ),
      { numRuns: 10 },
    )
  })
}

/** Computed in two shards by others, of which `change` may take something away. */
function ledBy(query: string, change: (shard: WorkerAnswer) => WorkerAnswer): WorkerAnswer {
  const task = range(query, END)
  return run(SMALL, task, { kind: 'lead', count: 2 }, 0, {
    begin: () => -1,
    wait: () => 'put',
    take: (index) => change(run(SMALL, task, { kind: 'shard', index, count: 2 })),
  })
}

for (const query of ['sum by (g) (rate(x_total[2m]))', '(rate(x_total[2m]))', '((rate(x_total[2m]) > bool 1)) * 2'])
  test(`samples that shards have looked at are not looked at again: ${query}`, () => {
    const { samplesTotal } = run(SMALL, range(query, END)).stats!
    assert.ok(samplesTotal > 0)
    assert.equal(ledBy(query, (shard) => shard).stats?.samplesTotal, samplesTotal)
  })

test('where shards are of no use the samples of the whole query alone are counted', () => {
  const whole = run(SMALL, range('rate(x_total[2m])', END))
  const led = ledBy('rate(x_total[2m])', (shard) => ({ ...shard, partial: { ...shard.partial!, cuts: [null] } }))
  assert.equal(text(led), text(whole))
  assert.equal(led.stats?.samplesTotal, whole.stats?.samplesTotal)
  assert.equal(led.stats?.samplesRead, whole.stats?.samplesRead)
})

/** Equal but for the last digits of values, which the order of additions decides. */
function assertClose(actual: unknown, expected: unknown): void {
  if (
    typeof expected === 'string' &&
    typeof actual === 'string' &&
    expected !== '' &&
    Number.isFinite(Number(expected))
  ) {
    const [a, b] = [Number(actual), Number(expected)]
    assert.ok(Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b)), `${actual} is not ${expected}`)
  } else if (typeof expected === 'object' && expected !== null) {
    assert.ok(typeof actual === 'object' && actual !== null)
    assert.deepEqual(Object.keys(actual), Object.keys(expected))
    for (const [key, value] of Object.entries(expected)) assertClose((actual as Record<string, unknown>)[key], value)
  } else assert.equal(actual, expected)
}

test('an error does not send a megabyte of query back', () => {
  const { status, body } = run(SMALL, instant('1'.repeat(1 << 20), MINUTE))
  assert.equal(status, 400)
  assert.ok(body.length < 2000, `${body.length} bytes`)
  assert.match(new TextDecoder().decode(body), /more characters/)
})

const listed = { matches: ['{__name__=~".+"}'], startMs: 0, endMs: END, limit: 0 }
const LISTS: readonly QueryTask[] = [
  { kind: 'series', ...listed },
  { kind: 'series', ...listed, matches: ['x_total', 'y'] },
  { kind: 'labels', ...listed },
  { kind: 'values', label: 'i', ...listed },
]
for (const task of LISTS)
  test(`${task.kind}: ends when its client has gone, or its time is up`, () => {
    for (const [flag, type] of [
      [FLAG_CANCELED, 'canceled'],
      [FLAG_TIMEOUT, 'timeout'],
    ] as const)
      assert.equal(run(SMALL, task, undefined, flag).error?.type, type)
  })
